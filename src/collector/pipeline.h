/* SPDX-License-Identifier: Apache-2.0
 * From an accepted beacon to rows: journal -> shards -> sink, checkpoints, and the replay at start.
 *
 *   collector loops --append--> journal writer thread --synced--> answer 200, then one message a shard and batch
 *        shard threads: their view tables --rows--> sink (the store writer)
 *        keeper thread: recovery and replay at start, then checkpoints
 *
 * Every decision about a view depends only on the order and the receive times of the journal. Views live in
 * PIPELINE_TABLES tables by hash of their key, whatever the number of shard threads, so that a checkpoint can be
 * loaded with another number. Events reach a table in journal order. Timers run by ticks that the journal's writer
 * thread sends through the same queues: a tick of time T means that no record before T can follow, so ticks at run time
 * and records at replay make the same timers run between the same two records.
 *
 * Bounds: what is durable but not yet through the shards is counted (behind); above behind_bytes_max or
 * behind_posts_max pipeline_append answers ERR_FULL (503), so the queues, sized for that, are never full and the writer
 * never waits.
 *
 * A checkpoint is a barrier with a journal position that passes through all queues: each shard saves its tables when it
 * meets it, and tells the sink; it is committed when the sink says that all rows before the barrier are stored. While
 * the store is away nothing is committed and the journal grows, up to journal.bytes_max. After a crash the last
 * checkpoint is loaded and the journal replayed from its position; rows made meanwhile carry check = true, since they
 * may be stored already. */
#ifndef FF_COLLECTOR_PIPELINE_H
#define FF_COLLECTOR_PIPELINE_H

#include "journal/writer.h"
#include "views/beacon.h"
#include "views/row.h"
#include "views/table.h"

enum { PIPELINE_TABLES = 16, PIPELINE_WHY_BYTES = JOURNAL_WHY_BYTES };

struct collector_post; /* collector/collector.h */
struct collector;

/* Where rows go. shard: 0 .. shards - 1, each called by its own thread only. */
struct pipeline_sink {
    void *ctx;
    /* Takes a copy. false: no room now; the shard offers it again (it sees to no other work meanwhile, so beacons are
     * answered 503 in the end). Must not wait for the store. */
    bool (*row)(void *ctx, unsigned shard, const struct view_row *row);
    /* Every row of this shard before barrier n has been handed over. n grows by one. */
    void (*barrier)(void *ctx, unsigned shard, uint64_t n);
    /* Keeper thread: true when all rows before barrier n of all shards are in the store, its files synced. */
    bool (*wait_stored)(void *ctx, uint64_t n, int timeout_ms);
};

/* What the pipeline needs of posts; pipeline_posts_of gives the collector's. */
struct pipeline_posts {
    void *ctx;
    /* Live posts whose fate is decided, in journal order, on the journal's thread: 200 when durable, else 503. */
    void (*answer)(void *ctx, struct collector_post *const *posts, size_t n, bool durable);
    /* A journal record back into a post; NULL when it is none (counted, logged, passed over). Keeper thread. */
    struct collector_post *(*replay)(void *ctx, struct span payload);
    /* Each view that the checkpoint has open, before the replay; may be NULL. Shard threads. */
    void (*known)(void *ctx, const char *environment_id, struct span view_id);
    size_t (*bytes)(const struct collector_post *post); /* memory it holds */
    /* One more reference, and one less. Any thread. */
    void (*retain)(struct collector_post *post);
    void (*release)(struct collector_post *post);
};
struct pipeline_posts pipeline_posts_of(struct collector *c);

struct pipeline_options {
    /* The callbacks are the pipeline's; now_ms, if set, is called with journal.ctx. Checkpoints lie in the same dir. */
    struct journal_options journal;
    unsigned shards; /* threads, 1..PIPELINE_TABLES; 0: one a processor */
    /* row is the pipeline's; open_views_max and env_open_views_max are for all tables together, an equal share each, so
     * that a replay decides the same whatever the threads (they are met a little early, as ids spread unevenly);
     * dropped and categorise are called on shard threads, with views.ctx. */
    struct view_table_options views;
    struct pipeline_sink sink;
    struct pipeline_posts posts;
    size_t behind_bytes_max;       /* default 256 MiB */
    size_t behind_posts_max;       /* default 200,000 */
    uint64_t checkpoint_bytes_min; /* journal bytes that make one due (or twice the last one's size); default 64 MiB */
    int checkpoint_seconds_max;    /* due after this if anything changed; default 300 */
    int checkpoint_seconds_min;    /* not more often; default 10 */
    /* Each live beacon when it is durable, on the journal's thread, in journal order; may be NULL. Not called for
     * replayed ones. */
    void (*observe)(void *ctx, const struct beacon *beacon);
    /* Replay: bytes done of all; keeper thread; may be NULL (log lines appear in any case). */
    void (*progress)(void *ctx, uint64_t done_bytes, uint64_t total_bytes);
    void *hooks_ctx;
};
struct pipeline_options pipeline_defaults(void);

struct pipeline;
/* Opens the journal, then loads the checkpoint and replays in the background. NULL: why says what is wrong. */
struct pipeline *pipeline_start(const struct pipeline_options *options, char why[PIPELINE_WHY_BYTES]) MUST_USE;
/* Waits for the end of the replay. ERR_NONE: beacons are taken. ERR_TIMEOUT. ERR_CORRUPT, ERR_IO: it failed, for good;
 * why names file and offset. timeout_ms < 0: no limit. */
enum err pipeline_wait_ready(struct pipeline *p, int timeout_ms, char why[PIPELINE_WHY_BYTES]) MUST_USE;

/* A collector_append whose ctx is the pipeline; any thread. ERR_NONE: the post is the pipeline's and will be answered.
 * Otherwise it stays the caller's, who answers 503: ERR_FULL, ERR_UNAVAILABLE, ERR_CLOSED, ERR_REFUSED (too long).
 * The beacon's received_ms becomes the record's, which may be a little later (writer.h). */
enum err pipeline_append(void *pipeline, struct collector_post *post, struct span payload) MUST_USE;

struct pipeline_status {
    bool ready;         /* beacons can be acknowledged */
    const char *reason; /* why not, a constant; "" when ready */
    bool replaying;
    uint64_t replay_done_bytes, replay_total_bytes;
    uint64_t journal_segments, journal_bytes;
    uint64_t behind_posts, behind_bytes; /* durable, not yet through the shards */
    uint64_t open_views, view_bytes;     /* memory of the tables, as of their last tick */
    int64_t checkpoint_age_ms;           /* since the last commit (or the start) */
    uint64_t checkpoint_bytes;           /* size of the last one; 0: none */
    bool checkpoint_waits;               /* for the store */
};
void pipeline_status(struct pipeline *p, struct pipeline_status *out); /* any thread */

/* Takes no more beacons, makes durable and passes on what was taken, then a last checkpoint: all within deadline_ms
 * (of which the sink gets what is left). Without the checkpoint the next start replays; nothing is lost. Frees p.
 * true: the last checkpoint was committed. */
bool pipeline_stop(struct pipeline *p, int deadline_ms);

#endif
