/* SPDX-License-Identifier: Apache-2.0
 * What the three parts of the pipeline share: pipeline.c (life, append, dispatch), pipeline_shard.c (the shard threads)
 * and pipeline_keeper.c (start and checkpoints). Nobody else includes this. */
#ifndef FF_COLLECTOR_PIPELINE_PRIVATE_H
#define FF_COLLECTOR_PIPELINE_PRIVATE_H

#include "base/queue.h"
#include "collector/pipeline.h"
#include "journal/checkpoint.h"

#include <pthread.h>
#include <stdatomic.h>

enum { PIPELINE_MAGIC = 0x70697065, MESSAGE_MAGIC = 0x6d736721 };

/* What travels through a shard's queue, in journal order. */
enum message_kind {
    MESSAGE_POSTS,   /* posts with events of this shard, a reference each */
    MESSAGE_TICK,    /* no record before ms can follow */
    MESSAGE_LIVE,    /* the replay is over */
    MESSAGE_BARRIER, /* save the tables into the checkpoint, tell the sink */
};
struct message {
    uint32_t magic;
    enum message_kind kind;
    int64_t ms;
    struct pipeline_barrier *barrier;
    size_t bytes; /* of the posts, as counted in behind_bytes */
    size_t n;
    struct collector_post *posts[];
};

/* One checkpoint being made. Lives in the keeper's call; the shards are through with it when left is 0. */
struct pipeline_barrier {
    uint64_t n;
    struct checkpoint_writer *writer;
    struct journal_position position; /* set when it is sent */
    int64_t clock_ms;
    unsigned left; /* shards that have not met it; under the pipeline's lock */
    bool failed;   /* a shard could not save, or has lost a row */
};

struct shard {
    struct pipeline *p;
    unsigned index;
    pthread_t thread;
    struct queue *queue;
    struct view_table *tables[PIPELINE_TABLES]; /* NULL where another shard has it */
    bool lost_row;                              /* given up at the stop's deadline: its state may not be saved */
    _Atomic uint64_t open_views, view_bytes;
};

enum pipeline_state {
    PIPELINE_LOADING,
    PIPELINE_REPLAYING,
    PIPELINE_RUNNING,
    PIPELINE_FAILED, /* the start did not work out; for good */
    PIPELINE_STOPPING,
};

struct pipeline {
    uint32_t magic;
    struct pipeline_options options;
    struct journal *journal;
    unsigned shard_count;
    struct shard *shards;
    pthread_t keeper;

    _Atomic uint64_t behind_posts, behind_bytes;
    _Atomic enum pipeline_state state;
    _Atomic uint64_t replay_done, replay_total;
    atomic_bool give_up; /* the stop's deadline has passed: nobody waits any longer */

    pthread_mutex_t lock;
    pthread_cond_t changed;       /* any of the following */
    char why[PIPELINE_WHY_BYTES]; /* after PIPELINE_FAILED */
    enum err failed;
    const struct checkpoint *checkpoint; /* to load from, while loading; NULL: none */
    unsigned loaded;                     /* shards that have loaded their tables */
    bool load_failed;
    struct pipeline_barrier *wanted; /* to be sent by whoever dispatches next */
    bool writer_gone;                /* the journal has stopped: nothing is dispatched any more */
    bool stopping;
    struct journal_position dispatched; /* as of the last turn */
    int64_t clock_ms;
    struct checkpoint_facts last; /* number 0: none */
    int64_t last_ms;              /* mono, when it was committed, or the start */
    bool waits_for_store, last_stop_ok;
    int64_t stop_deadline_ms; /* mono */
};

/* pipeline.c */
int64_t pipeline_mono_ms(void);
/* Shares posts out to the shards, in order; takes over the caller's references. */
void pipeline_dispatch(struct pipeline *p, struct collector_post *const *posts, size_t n);
/* A tick to every shard. Left out for a shard with much in its queue: a later one will do. must: never left out. */
void pipeline_tick(struct pipeline *p, int64_t ms, bool must);
void pipeline_send(struct pipeline *p, enum message_kind kind, int64_t ms, struct pipeline_barrier *barrier);
/* Sends the barrier that is wanted, if any. Under the lock, by the one thread that dispatches. */
void pipeline_send_barrier(struct pipeline *p);

/* pipeline_shard.c */
static inline unsigned pipeline_table_of(const struct beacon *b, const struct beacon_event *e)
{
    /* Neither the top nor the bottom bits, which a hash table is likely to use. */
    return (unsigned)(view_key_hash(b->envs[e->env].id, e->view_id) >> 40) % PIPELINE_TABLES;
}
/* The same for event i, when `before` is the table of the event before: a post is mostly of one view. */
static inline unsigned pipeline_table_next(const struct beacon *b, uint32_t i, unsigned before)
{
    const struct beacon_event *e = &b->events[i];
    if (i && e[-1].env == e->env && span_eq(e[-1].view_id, e->view_id)) return before;
    return pipeline_table_of(b, e);
}
void shard_init(struct shard *s, struct pipeline *p, unsigned index, size_t queue_max);
/* Loads its tables from the checkpoint, if there is one, then works until the queue is closed and empty. */
void *shard_main(void *shard);
void shard_fini(struct shard *s);

/* pipeline_keeper.c */
void *keeper_main(void *pipeline);

#endif
