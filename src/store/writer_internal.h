/* SPDX-License-Identifier: Apache-2.0
 * The writer's own: writer.c takes rows and runs the thread, writer_send.c gets one batch into the store,
 * writer_clean.c drops pending partitions that are done. */
#ifndef FF_STORE_WRITER_INTERNAL_H
#define FF_STORE_WRITER_INTERNAL_H

#include "store/batch.h"
#include "store/internal.h"
#include "store/writer.h"

struct writer_shard {
    struct buf scratch;   /* its own thread only */
    uint64_t barrier;     /* the last one met */
    uint64_t barrier_seq; /* the newest row of anybody at that time */
};

struct store_writer {
    struct store *store;
    struct store_writer_options options;
    pthread_t thread;
    atomic_bool abandon; /* the deadline of stop has passed */

    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t work, stored;
    struct batch *batches; /* all that are not being sent */
    uint64_t current_seq;  /* first row of the batch that is being sent; 0: none is */
    struct mono_us current_opened;
    size_t batch_count, bytes, rows;
    uint64_t seq;       /* rows taken */
    uint64_t flush_seq; /* rows up to here are waited for */
    bool stopping, ended;
    struct writer_shard *shards;
    struct store_writer_status totals; /* rows_stored, rows_known, rows_refused */

    /* the thread's own */
    bool proved; /* something was stored since the start */
    struct mono_us cleaned;
};

/* Gets the batch into the store, or gives single rows of it up; frees it. false: abandoned, and it may be there or not.
 */
bool writer_send_take(struct store_writer *w, struct batch *b) MUST_USE;
/* One round; failures are logged and wait for the next round. */
void writer_clean(struct store_writer *w);
/* A reading statement of the thread; RowBinary. */
enum err writer_ask(struct store_writer *w, struct span sql, struct buf *rows, struct store_error *error) MUST_USE;
/* false: abandoned. */
bool writer_pause(struct store_writer *w, int ms) MUST_USE;

#endif
