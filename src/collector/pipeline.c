/* SPDX-License-Identifier: Apache-2.0
 * The life of the pipeline, what collector loops call, and what runs on the journal's writer thread: answers and the
 * sharing out of posts. */
#include "collector/collector.h"
#include "collector/pipeline_private.h"

#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    QUEUE_SPARE = 4096,     /* messages of a queue beyond posts: ticks and barriers */
    TICK_WAITING_MAX = 256, /* a tick is left out for a shard with more than this waiting */
};

struct pipeline_options pipeline_defaults(void)
{
    return (struct pipeline_options){
        .journal = journal_defaults(),
        .views = view_table_defaults(),
        .behind_bytes_max = 256u << 20,
        .behind_posts_max = 200000,
        .checkpoint_bytes_min = 64u << 20,
        .checkpoint_seconds_max = 300,
        .checkpoint_seconds_min = 10,
    };
}

int64_t pipeline_mono_ms(void)
{
    return mono_now().v / 1000;
}

static struct pipeline *pipeline_check(void *pipeline)
{
    struct pipeline *p = pipeline;
    BUG_IF(p == NULL);
    BUG_IF(p->magic != PIPELINE_MAGIC);
    return p;
}

/* --- sharing out --- */

static struct message *message_new(enum message_kind kind, size_t posts)
{
    struct message *m = malloc(sizeof *m + posts * sizeof m->posts[0]);
    BUG_IF(m == NULL);
    m->magic = MESSAGE_MAGIC;
    m->kind = kind;
    m->ms = 0;
    m->barrier = NULL;
    m->bytes = 0;
    m->n = 0;
    return m;
}

/* The queues hold every post that admission lets in, a message each: a full one is a wrong sum. */
static void message_push(struct pipeline *p, unsigned shard, struct message *m)
{
    bool pushed = queue_try_push(p->shards[shard].queue, m);
    BUG_IF(!pushed);
}

static uint32_t post_shards(const struct pipeline *p, const struct collector_post *post)
{
    uint32_t mask = 0;
    unsigned table = 0;
    for (uint32_t i = 0; i < post->beacon.event_count; i++) {
        table = pipeline_table_next(&post->beacon, i, table);
        mask |= 1u << table % p->shard_count;
    }
    return mask;
}

static void dispatch_add(struct pipeline *p, struct message **messages, struct collector_post *post, uint32_t mask)
{
    unsigned references = 0;
    for (unsigned s = 0; s < p->shard_count; s++) {
        if (!(mask & 1u << s)) continue;
        struct message *m = messages[s];
        if (references++ > 0) p->options.posts.retain(post);
        m->bytes += p->options.posts.bytes(post);
        m->posts[m->n++] = post;
    }
    if (references == 0) p->options.posts.release(post);
}

void pipeline_dispatch(struct pipeline *p, struct collector_post *const *posts, size_t n)
{
    size_t counts[PIPELINE_TABLES] = {0};
    struct message *messages[PIPELINE_TABLES] = {NULL};
    uint32_t *masks = malloc(n * sizeof masks[0] + 1);
    BUG_IF(masks == NULL);
    for (size_t i = 0; i < n; i++) {
        masks[i] = post_shards(p, posts[i]);
        for (unsigned s = 0; s < p->shard_count; s++) counts[s] += masks[i] >> s & 1;
    }
    for (unsigned s = 0; s < p->shard_count; s++)
        if (counts[s]) messages[s] = message_new(MESSAGE_POSTS, counts[s]);
    for (size_t i = 0; i < n; i++) dispatch_add(p, messages, posts[i], masks[i]);
    free(masks);
    for (unsigned s = 0; s < p->shard_count; s++) {
        if (counts[s] == 0) continue;
        BUG_IF(messages[s]->n != counts[s]);
        atomic_fetch_add(&p->behind_posts, messages[s]->n);
        atomic_fetch_add(&p->behind_bytes, messages[s]->bytes);
        message_push(p, s, messages[s]);
    }
}

void pipeline_tick(struct pipeline *p, int64_t ms, bool must)
{
    for (unsigned s = 0; s < p->shard_count; s++) {
        if (!must && queue_length(p->shards[s].queue) > TICK_WAITING_MAX) continue;
        struct message *m = message_new(MESSAGE_TICK, 0);
        m->ms = ms;
        message_push(p, s, m);
    }
}

void pipeline_send(struct pipeline *p, enum message_kind kind, int64_t ms, struct pipeline_barrier *barrier)
{
    for (unsigned s = 0; s < p->shard_count; s++) {
        struct message *m = message_new(kind, 0);
        m->ms = ms;
        m->barrier = barrier;
        message_push(p, s, m);
    }
}

void pipeline_send_barrier(struct pipeline *p)
{
    struct pipeline_barrier *barrier = p->wanted;
    if (barrier == NULL) return;
    p->wanted = NULL;
    barrier->position = p->dispatched;
    barrier->clock_ms = p->clock_ms;
    pipeline_send(p, MESSAGE_BARRIER, 0, barrier);
}

/* --- on the journal's writer thread --- */

/* The posts of a batch, without the journal's own records. */
static size_t posts_of(const struct journal_item *items, size_t n, struct collector_post **posts)
{
    size_t count = 0;
    BUG_IF(n == 0);
    for (size_t i = 0; i < n; i++) {
        if (items[i].type != JOURNAL_BEACON) continue;
        struct collector_post *post = items[i].user;
        BUG_IF(post == NULL);
        post->beacon.received_ms = items[i].received_ms;
        posts[count++] = post;
    }
    return count;
}

static void on_synced(void *ctx, const struct journal_item *items, size_t n)
{
    struct pipeline *p = pipeline_check(ctx);
    struct collector_post **posts = malloc(n * sizeof *posts);
    BUG_IF(posts == NULL);
    size_t count = posts_of(items, n, posts);
    if (count) p->options.posts.answer(p->options.posts.ctx, posts, count, true);
    if (p->options.observe)
        for (size_t i = 0; i < count; i++) p->options.observe(p->options.hooks_ctx, &posts[i]->beacon);
    pipeline_dispatch(p, posts, count);
    /* The journal puts this record at the end of a batch. */
    if (items[n - 1].type == JOURNAL_CLOCK) pipeline_tick(p, items[n - 1].received_ms, true);
    free(posts);
}

static void on_failed(void *ctx, const struct journal_item *items, size_t n)
{
    struct pipeline *p = pipeline_check(ctx);
    struct collector_post **posts = malloc(n * sizeof *posts);
    BUG_IF(posts == NULL);
    size_t count = posts_of(items, n, posts);
    counter_add(COUNTER_journal_failures_total, 1);
    if (count) p->options.posts.answer(p->options.posts.ctx, posts, count, false);
    for (size_t i = 0; i < count; i++) p->options.posts.release(posts[i]);
    free(posts);
}

static void on_turn(void *ctx, struct journal_position end, int64_t clock_ms)
{
    struct pipeline *p = pipeline_check(ctx);
    /* Records at clock_ms may still follow. */
    pipeline_tick(p, clock_ms - 1, false);
    (void)pthread_mutex_lock(&p->lock);
    p->dispatched = end;
    p->clock_ms = clock_ms;
    pipeline_send_barrier(p);
    (void)pthread_mutex_unlock(&p->lock);
    counter_set(COUNTER_views_behind_posts, (int64_t)atomic_load(&p->behind_posts));
}

static int64_t on_now(void *ctx)
{
    struct pipeline *p = pipeline_check(ctx);
    return p->options.journal.now_ms ? p->options.journal.now_ms(p->options.journal.ctx) : wall_now_ms();
}

/* --- collector loops --- */

static bool too_far_behind(struct pipeline *p)
{
    return atomic_load(&p->behind_bytes) > p->options.behind_bytes_max ||
           atomic_load(&p->behind_posts) > p->options.behind_posts_max;
}

enum err pipeline_append(void *pipeline, struct collector_post *post, struct span payload)
{
    struct pipeline *p = pipeline_check(pipeline);
    if (atomic_load(&p->state) == PIPELINE_STOPPING) return ERR_CLOSED;
    if (atomic_load(&p->state) != PIPELINE_RUNNING) return ERR_UNAVAILABLE;
    if (too_far_behind(p)) return ERR_FULL;
    return journal_append(p->journal, payload, post->beacon.received_ms, post);
}

/* --- life --- */

static unsigned shards_default(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (processors < 1) return 1;
    return processors > PIPELINE_TABLES ? PIPELINE_TABLES : (unsigned)processors;
}

static void pipeline_init_lock(struct pipeline *p)
{
    pthread_condattr_t monotonic;
    BUG_IF(pthread_condattr_init(&monotonic) != 0);
    BUG_IF(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0);
    BUG_IF(pthread_cond_init(&p->changed, &monotonic) != 0);
    BUG_IF(pthread_mutex_init(&p->lock, NULL) != 0);
    (void)pthread_condattr_destroy(&monotonic);
}

static void pipeline_init_shards(struct pipeline *p)
{
    p->shard_count = p->options.shards ? p->options.shards : shards_default();
    if (p->shard_count > PIPELINE_TABLES) p->shard_count = PIPELINE_TABLES;
    p->shards = calloc(p->shard_count, sizeof p->shards[0]);
    BUG_IF(p->shards == NULL);
    size_t queue_max = p->options.behind_posts_max + 2 * p->options.journal.batch_records_max + QUEUE_SPARE;
    for (unsigned s = 0; s < p->shard_count; s++) shard_init(&p->shards[s], p, s, queue_max);
}

static void pipeline_free(struct pipeline *p)
{
    for (unsigned s = 0; s < p->shard_count; s++) shard_fini(&p->shards[s]);
    free(p->shards);
    journal_free(p->journal);
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_cond_destroy(&p->changed);
    p->magic = 0;
    free(p);
}

struct pipeline *pipeline_start(const struct pipeline_options *options, char why[PIPELINE_WHY_BYTES])
{
    struct pipeline *p = calloc(1, sizeof *p);
    BUG_IF(p == NULL);
    p->magic = PIPELINE_MAGIC;
    p->options = *options;
    p->last_ms = pipeline_mono_ms();
    pipeline_init_lock(p);
    struct journal_options journal = options->journal;
    journal.ctx = p;
    journal.synced = on_synced;
    journal.failed = on_failed;
    journal.turn = on_turn;
    journal.now_ms = on_now;
    if (journal_open(&journal, &p->journal, why) != ERR_NONE) {
        pipeline_free(p);
        return NULL;
    }
    pipeline_init_shards(p);
    BUG_IF(pthread_create(&p->keeper, NULL, keeper_main, p) != 0);
    return p;
}

static struct timespec timespec_of_ms(int64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}

enum err pipeline_wait_ready(struct pipeline *p, int timeout_ms, char why[PIPELINE_WHY_BYTES])
{
    struct timespec until = timespec_of_ms(pipeline_mono_ms() + timeout_ms);
    enum err e = ERR_TIMEOUT;
    why[0] = 0;
    (void)pthread_mutex_lock(&p->lock);
    for (int waited = 0;;) {
        enum pipeline_state state = atomic_load(&p->state);
        if (state == PIPELINE_RUNNING) e = ERR_NONE;
        if (state == PIPELINE_FAILED) {
            e = p->failed;
            memcpy(why, p->why, sizeof p->why);
        }
        if (e != ERR_TIMEOUT || waited != 0) break;
        waited = timeout_ms < 0 ? pthread_cond_wait(&p->changed, &p->lock)
                                : pthread_cond_timedwait(&p->changed, &p->lock, &until);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return e;
}

static const char *status_reason(struct pipeline *p, enum pipeline_state state, const struct journal_status *journal)
{
    switch (state) {
    case PIPELINE_LOADING: return "loading the open views";
    case PIPELINE_REPLAYING: return "replaying the journal";
    case PIPELINE_FAILED: return "the start failed";
    case PIPELINE_STOPPING: return "stopping";
    case PIPELINE_RUNNING: break;
    }
    if (!journal->ready) return journal->reason;
    return too_far_behind(p) ? "the views are too far behind" : "";
}

void pipeline_status(struct pipeline *p, struct pipeline_status *out)
{
    struct journal_status journal;
    enum pipeline_state state = atomic_load(&p->state);
    journal_status(p->journal, &journal);
    const char *reason = status_reason(p, state, &journal);
    *out = (struct pipeline_status){
        .ready = reason[0] == 0,
        .reason = reason,
        .replaying = state == PIPELINE_LOADING || state == PIPELINE_REPLAYING,
        .replay_done_bytes = atomic_load(&p->replay_done),
        .replay_total_bytes = atomic_load(&p->replay_total),
        .journal_segments = journal.segments,
        .journal_bytes = journal.bytes,
        .behind_posts = atomic_load(&p->behind_posts),
        .behind_bytes = atomic_load(&p->behind_bytes),
    };
    for (unsigned s = 0; s < p->shard_count; s++) {
        out->open_views += atomic_load(&p->shards[s].open_views);
        out->view_bytes += atomic_load(&p->shards[s].view_bytes);
    }
    (void)pthread_mutex_lock(&p->lock);
    out->checkpoint_age_ms = pipeline_mono_ms() - p->last_ms;
    out->checkpoint_bytes = p->last.bytes;
    out->checkpoint_waits = p->waits_for_store;
    (void)pthread_mutex_unlock(&p->lock);
}

bool pipeline_stop(struct pipeline *p, int deadline_ms)
{
    if (p == NULL) return true;
    (void)pthread_mutex_lock(&p->lock);
    BUG_IF(p->stopping);
    p->stop_deadline_ms = pipeline_mono_ms() + deadline_ms;
    p->stopping = true;
    (void)pthread_cond_broadcast(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
    BUG_IF(pthread_join(p->keeper, NULL) != 0);
    bool ok = p->last_stop_ok;
    pipeline_free(p);
    return ok;
}
