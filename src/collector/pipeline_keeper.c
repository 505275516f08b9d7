/* SPDX-License-Identifier: Apache-2.0
 * The keeper thread: loads the checkpoint, replays the journal, then makes checkpoints until the pipeline stops. */
#include "collector/collector.h"
#include "collector/pipeline_private.h"

#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"

#include <stdlib.h>

enum {
    LOOK_MS = 1000, /* how often it is asked whether a checkpoint is due */
    STORE_WAIT_MS = 250,
    STORE_TELL_MS = 60000, /* a log line while the store keeps a checkpoint waiting */
    REPLAY_POSTS = 64,     /* shared out at a time */
    REPLAY_TELL_MS = 5000,
};

static int64_t keeper_now_ms(struct pipeline *p)
{
    return p->options.journal.now_ms ? p->options.journal.now_ms(p->options.journal.ctx) : wall_now_ms();
}

static const struct journal_io *keeper_io(struct pipeline *p)
{
    return p->options.journal.io ? p->options.journal.io : journal_io_files();
}

static void set_state(struct pipeline *p, enum pipeline_state state)
{
    (void)pthread_mutex_lock(&p->lock);
    atomic_store(&p->state, state);
    (void)pthread_cond_broadcast(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
}

/* Waits on `changed`, under the lock, up to ms. */
static void wait_changed(struct pipeline *p, int64_t ms)
{
    int64_t until = pipeline_mono_ms() + ms;
    struct timespec at = {.tv_sec = (time_t)(until / 1000), .tv_nsec = (long)(until % 1000) * 1000000};
    (void)pthread_cond_timedwait(&p->changed, &p->lock, &at);
}

static bool stopping(struct pipeline *p)
{
    (void)pthread_mutex_lock(&p->lock);
    bool yes = p->stopping;
    (void)pthread_mutex_unlock(&p->lock);
    return yes;
}

/* --- start --- */

struct replay {
    struct pipeline *p;
    struct collector_post *posts[REPLAY_POSTS];
    size_t n;
    int64_t clock_ms;
    uint64_t records, refused;
    int64_t told_ms, began_ms;
};

static void replay_flush(struct replay *r)
{
    if (r->n) pipeline_dispatch(r->p, r->posts, r->n);
    r->n = 0;
}

/* The shards set the pace: no more is held in memory than while running. */
static bool replay_pace(struct replay *r)
{
    struct pipeline *p = r->p;
    while (atomic_load(&p->behind_posts) > p->options.behind_posts_max / 2 ||
           atomic_load(&p->behind_bytes) > p->options.behind_bytes_max / 2) {
        if (stopping(p)) return false;
        (void)pthread_mutex_lock(&p->lock);
        wait_changed(p, 2);
        (void)pthread_mutex_unlock(&p->lock);
    }
    return true;
}

static bool replay_record(void *ctx, const struct journal_record *record)
{
    struct replay *r = ctx;
    struct pipeline *p = r->p;
    r->clock_ms = record->received_ms;
    if (record->type == JOURNAL_CLOCK) {
        replay_flush(r);
        pipeline_tick(p, record->received_ms, true);
        return true;
    }
    struct collector_post *post = p->options.posts.replay(p->options.posts.ctx, record->payload);
    r->records++;
    counter_add(COUNTER_journal_replayed_total, 1);
    if (post == NULL) {
        r->refused++;
        counter_add(COUNTER_journal_replay_refused_total, 1);
        LOG_ERR("replay_record_refused", "segment=%llu offset=%llu", (unsigned long long)record->at.segment,
                (unsigned long long)record->at.offset);
        return true;
    }
    post->beacon.received_ms = record->received_ms;
    r->posts[r->n++] = post;
    if (r->n < REPLAY_POSTS) return true;
    replay_flush(r);
    return replay_pace(r) && !stopping(p);
}

static void replay_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct replay *r = ctx;
    int64_t now_ms = pipeline_mono_ms();
    atomic_store(&r->p->replay_done, done);
    atomic_store(&r->p->replay_total, total);
    if (r->p->options.progress) r->p->options.progress(r->p->options.hooks_ctx, done, total);
    if (now_ms - r->told_ms < REPLAY_TELL_MS) return;
    r->told_ms = now_ms;
    LOG_INF("replay", "done_bytes=%llu of_bytes=%llu percent=%.1f", (unsigned long long)done, (unsigned long long)total,
            total ? 100.0 * (double)done / (double)total : 100.0);
}

static enum err start_load(struct pipeline *p, struct checkpoint *c)
{
    if (c && checkpoint_facts(c)->sections != PIPELINE_TABLES) {
        journal_say(p->why, "checkpoint %llu holds %u tables instead of %d",
                    (unsigned long long)checkpoint_facts(c)->number, checkpoint_facts(c)->sections, PIPELINE_TABLES);
        return ERR_CORRUPT;
    }
    (void)pthread_mutex_lock(&p->lock);
    if (c) p->last = *checkpoint_facts(c);
    p->checkpoint = c;
    for (unsigned s = 0; s < p->shard_count; s++)
        BUG_IF(pthread_create(&p->shards[s].thread, NULL, shard_main, &p->shards[s]) != 0);
    while (p->loaded < p->shard_count) (void)pthread_cond_wait(&p->changed, &p->lock);
    p->checkpoint = NULL;
    bool ok = !p->load_failed;
    (void)pthread_mutex_unlock(&p->lock);
    if (ok) return ERR_NONE;
    journal_say(p->why, "checkpoint %llu cannot be loaded: it is whole, but not of this version",
                (unsigned long long)p->last.number);
    return ERR_CORRUPT;
}

static enum err start_replay(struct pipeline *p)
{
    struct replay *r = calloc(1, sizeof *r);
    BUG_IF(r == NULL);
    r->p = p;
    r->clock_ms = p->last.number ? p->last.clock_ms : INT64_MIN;
    r->began_ms = r->told_ms = pipeline_mono_ms();
    struct journal_position from = p->last.number ? p->last.position : (struct journal_position){1, 0};
    struct journal_reading reading = {.record = replay_record, .progress = replay_progress, .ctx = r};
    set_state(p, PIPELINE_REPLAYING);
    enum err e = journal_replay(p->journal, from, &reading, p->why);
    replay_flush(r);
    if (e == ERR_NONE) {
        LOG_INF("replayed", "records=%llu refused=%llu bytes=%llu ms=%lld", (unsigned long long)r->records,
                (unsigned long long)r->refused, (unsigned long long)atomic_load(&p->replay_total),
                (long long)(pipeline_mono_ms() - r->began_ms));
        /* Timers that were due before now may have run in the life before this one: their rows are still checked. */
        int64_t now_ms = keeper_now_ms(p);
        if (now_ms > r->clock_ms) r->clock_ms = now_ms;
        p->clock_ms = r->clock_ms;
        pipeline_tick(p, r->clock_ms - 1, true);
        pipeline_send(p, MESSAGE_LIVE, 0, NULL);
    }
    free(r);
    return e;
}

static enum err keeper_start(struct pipeline *p)
{
    struct checkpoint *c;
    enum err e = checkpoint_find(keeper_io(p), p->options.journal.dir, journal_first_segment(p->journal), &c, p->why);
    if (e != ERR_NONE) return e;
    e = start_load(p, c);
    checkpoint_close(c);
    if (e == ERR_NONE) e = start_replay(p);
    return e;
}

/* --- checkpoints --- */

static bool checkpoint_due(struct pipeline *p, int64_t last_try_ms)
{
    int64_t now_ms = pipeline_mono_ms();
    struct journal_position from = p->last.number ? p->last.position : (struct journal_position){1, 0};
    uint64_t bytes = journal_bytes_from(p->journal, from);
    uint64_t enough = 2 * p->last.bytes;
    if (enough < p->options.checkpoint_bytes_min) enough = p->options.checkpoint_bytes_min;
    if (bytes == 0 || now_ms - last_try_ms < (int64_t)p->options.checkpoint_seconds_min * 1000) return false;
    return bytes >= enough || now_ms - p->last_ms >= (int64_t)p->options.checkpoint_seconds_max * 1000;
}

/* Sends the barrier through the shards and waits until all have met it. */
static bool checkpoint_pass(struct pipeline *p, struct pipeline_barrier *barrier)
{
    (void)pthread_mutex_lock(&p->lock);
    barrier->left = p->shard_count;
    p->wanted = barrier;
    /* While the journal runs, its thread sends it between two batches. */
    if (p->writer_gone) pipeline_send_barrier(p);
    while (barrier->left) {
        int64_t ms = LOOK_MS;
        if (p->stopping) ms = p->stop_deadline_ms - pipeline_mono_ms();
        if (p->stopping && ms <= 0) {
            atomic_store(&p->give_up, true); /* the shards rush through to the barrier */
            ms = LOOK_MS;
        }
        wait_changed(p, ms > 0 ? ms : 1);
    }
    bool ok = !barrier->failed;
    (void)pthread_mutex_unlock(&p->lock);
    return ok;
}

/* Until the sink says that the rows before the barrier are stored. false: stopping came first. */
static bool checkpoint_stored(struct pipeline *p, uint64_t n, bool final)
{
    int64_t began_ms = pipeline_mono_ms(), told_ms = began_ms;
    bool stored = false, waits = true;
    while (waits && !stored) {
        int64_t now_ms = pipeline_mono_ms(), left_ms = STORE_WAIT_MS;
        if (final && p->stop_deadline_ms - now_ms < left_ms) left_ms = p->stop_deadline_ms - now_ms;
        stored = p->options.sink.wait_stored(p->options.sink.ctx, n, left_ms > 0 ? (int)left_ms : 0);
        waits = final ? left_ms > 0 : !stopping(p);
        (void)pthread_mutex_lock(&p->lock);
        p->waits_for_store = !stored && now_ms - began_ms > 2 * STORE_WAIT_MS;
        (void)pthread_mutex_unlock(&p->lock);
        if (!stored && now_ms - told_ms >= STORE_TELL_MS) {
            told_ms = now_ms;
            LOG_WRN("checkpoint_waits_for_store", "seconds=%lld", (long long)((now_ms - began_ms) / 1000));
        }
    }
    (void)pthread_mutex_lock(&p->lock);
    p->waits_for_store = false;
    (void)pthread_mutex_unlock(&p->lock);
    return stored;
}

static bool checkpoint_finish(struct pipeline *p, struct checkpoint_writer *w)
{
    struct checkpoint_facts facts;
    struct journal_position needed;
    if (checkpoint_commit(w, &facts, &needed) != ERR_NONE) return false;
    (void)pthread_mutex_lock(&p->lock);
    p->last = facts;
    p->last_ms = pipeline_mono_ms();
    (void)pthread_mutex_unlock(&p->lock);
    counter_add(COUNTER_checkpoints_total, 1);
    LOG_INF("checkpoint", "number=%llu bytes=%llu segment=%llu offset=%llu", (unsigned long long)facts.number,
            (unsigned long long)facts.bytes, (unsigned long long)facts.position.segment,
            (unsigned long long)facts.position.offset);
    /* Not fatal: the next one removes what is left. */
    enum err dropped = journal_drop_before(p->journal, needed.segment);
    if (dropped != ERR_NONE) LOG_WRN("checkpoint_drop_failed", "error=%s", err_name(dropped));
    return true;
}

static bool checkpoint_make(struct pipeline *p, uint64_t *barriers, bool final)
{
    struct pipeline_barrier barrier = {.n = *barriers + 1};
    if (checkpoint_begin(keeper_io(p), p->options.journal.dir, PIPELINE_TABLES, &barrier.writer) != ERR_NONE)
        return false;
    *barriers = barrier.n;
    bool ok = checkpoint_pass(p, &barrier);
    ok = ok && checkpoint_seal(barrier.writer, barrier.position, barrier.clock_ms, keeper_now_ms(p)) == ERR_NONE;
    ok = ok && checkpoint_stored(p, barrier.n, final);
    if (ok) return checkpoint_finish(p, barrier.writer);
    checkpoint_abandon(barrier.writer);
    return false;
}

/* --- life --- */

static void keeper_run(struct pipeline *p, uint64_t *barriers)
{
    int64_t last_try_ms = p->last_ms;
    (void)pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        wait_changed(p, LOOK_MS);
        if (p->stopping) break;
        (void)pthread_mutex_unlock(&p->lock);
        if (checkpoint_due(p, last_try_ms)) {
            (void)checkpoint_make(p, barriers, false);
            last_try_ms = pipeline_mono_ms();
        }
        (void)pthread_mutex_lock(&p->lock);
    }
    (void)pthread_mutex_unlock(&p->lock);
}

/* The journal's thread is gone: what it would have sent is sent by this one. */
static void keeper_stop_journal(struct pipeline *p)
{
    set_state(p, PIPELINE_STOPPING);
    journal_stop(p->journal);
    (void)pthread_mutex_lock(&p->lock);
    p->writer_gone = true;
    (void)pthread_mutex_unlock(&p->lock);
}

static void keeper_join_shards(struct pipeline *p)
{
    for (unsigned s = 0; s < p->shard_count; s++) queue_close(p->shards[s].queue);
    for (unsigned s = 0; s < p->shard_count && p->loaded; s++) BUG_IF(pthread_join(p->shards[s].thread, NULL) != 0);
}

void *keeper_main(void *pipeline)
{
    struct pipeline *p = pipeline;
    uint64_t barriers = 0;
    enum err e = keeper_start(p);
    if (e == ERR_NONE) {
        journal_start(p->journal, p->clock_ms);
        set_state(p, PIPELINE_RUNNING);
        keeper_run(p, &barriers);
        keeper_stop_journal(p);
        p->last_stop_ok = checkpoint_make(p, &barriers, true);
    } else if (e != ERR_CLOSED) {
        LOG_ERR("start_failed", "error=%s why=\"%s\"", err_name(e), p->why);
        p->failed = e;
        set_state(p, PIPELINE_FAILED);
    }
    atomic_store(&p->give_up, true); /* whatever is still queued is for the next start */
    keeper_join_shards(p);
    return NULL;
}
