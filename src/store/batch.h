/* SPDX-License-Identifier: Apache-2.0
 * Rows on their way into one partition: encoded bytes, and of each row what has to be known to look it up, to leave it
 * out or to move it to another batch. Not thread-safe. */
#ifndef FF_STORE_BATCH_H
#define FF_STORE_BATCH_H

#include "base/clock.h"
#include "store/rowbinary.h"

struct batch_row {
    size_t at, len; /* bytes of the row within the batch */
    struct hash128 id;
    int64_t view_end_ms;
    uint32_t version;
    bool check, had_pending;
    bool named; /* its view id is no random one: an equal one may have been stored at any time */
};

struct batch {
    struct batch *next;
    char id[STORE_BATCH_ID_BYTES + 1]; /* random hex */
    bool final;
    int64_t partition;
    uint64_t first_seq; /* of the writer's count of rows */
    struct mono_us opened;
    bool full;
    struct buf bytes;
    struct batch_row *rows;
    size_t n, room;
};

struct batch *batch_new(bool final, int64_t partition, uint64_t first_seq);
void batch_free(struct batch *b);
/* encoded: as store_row_encode wrote it; its batch id is replaced by this batch's. */
void batch_add(struct batch *b, struct span encoded, const struct batch_row *row);
/* Keeps the rows whose place in keep is true. */
void batch_filter(struct batch *b, const bool *keep);
/* Rows [from, to) in a batch of their own with a new id. */
struct batch *batch_part(const struct batch *b, size_t from, size_t to);
bool batch_checks(const struct batch *b); /* a row has check */
void batch_range(const struct batch *b, int64_t *end_min_ms, int64_t *end_max_ms);
size_t batch_memory(const struct batch *b);

#endif
