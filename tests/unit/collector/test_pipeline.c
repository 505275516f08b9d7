/* SPDX-License-Identifier: Apache-2.0
 * The pipeline's promise: whatever dies and whenever, every acknowledged event ends up in exactly one final row.
 *
 * Real journal (on a file system in memory that can lose power), real view tables; posts and the sink are stand-ins.
 * The sink behaves as the store writer must: rows wait in memory, are stored after a while, and after a crash some of
 * those that waited are stored and the others are gone. It refuses a row that is there already unless that says check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../journal/memory_io.h"
#include "base/log.h"
#include "collector/collector.h"
#include "collector/pipeline.h"

#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { VIEWS = 240, EVENTS_MAX = 8, POSTS_MAX = 2500, ROWS_MAX = 20000, SHARDS_MAX = 4, ENV_ID = 7 };

enum fate { FATE_OPEN, FATE_APPENDED, FATE_ACKNOWLEDGED };

/* What a player sends: one post holds some events of some views. */
struct sent {
    struct {
        uint32_t view, sequence;
    } events[3];
    uint32_t n;
    uint8_t fate;
};

struct row {
    struct hash128 id;
    uint32_t version;
    bool final, check, had_pending;
    unsigned shard;
    uint32_t events; /* a bit each sequence number */
};

struct world {
    struct memory_io *m;
    _Atomic int64_t now_ms;
    pthread_mutex_t lock;
    uint64_t random, sink_random; /* the sink's is under the lock */
    struct sent sent[POSTS_MAX];
    uint32_t sent_count;
    uint32_t events_of[VIEWS]; /* how many each view has; the last is its viewend */
    /* the store */
    struct row *stored, *waiting;
    size_t stored_count, waiting_count;
    uint64_t barrier[SHARDS_MAX];
    bool away, full, frozen; /* frozen: crashed */
    _Atomic uint32_t posts_alive, observed;
    unsigned shards;
    struct pipeline *p;
    struct pipeline_options options;
};

static uint64_t xorshift(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The main thread's. */
static uint64_t world_random(struct world *w)
{
    return xorshift(&w->random);
}

/* --- posts ---
 * Here and in the store checks are BUG_IF: these run on the pipeline's threads, where cmocka's would say nothing. */

static void view_name(uint32_t view, char out[24])
{
    (void)snprintf(out, 24, "view-%06u", view);
}

static enum event_name event_of(const struct world *w, uint32_t view, uint32_t sequence)
{
    if (sequence == 1) return EVENT_viewstart;
    return sequence == w->events_of[view] ? EVENT_viewend : EVENT_playing;
}

static void test_release(struct collector_post *post)
{
    if (atomic_fetch_sub(&post->refs, 1) != 1) return;
    struct world *w = (struct world *)(void *)post->owner;
    arena_free(&post->arena);
    post->magic = 0;
    free(post);
    atomic_fetch_sub(&w->posts_alive, 1);
}

static void test_retain(struct collector_post *post)
{
    BUG_IF(!(atomic_fetch_add(&post->refs, 1) > 0));
}

static size_t test_bytes(const struct collector_post *post)
{
    return 100 + post->arena.used;
}

/* Payload: the receive time, then the number of the post. The rest follows from `sent`. */
static struct collector_post *test_decode(void *ctx, struct span payload)
{
    struct world *w = ctx;
    struct bytes r = bytes_of(payload);
    int64_t received_ms = (int64_t)bytes_u64(&r);
    uint32_t number = bytes_u32(&r);
    if (!r.ok || bytes_left(&r) || number >= w->sent_count) return NULL;
    const struct sent *sent = &w->sent[number];
    struct collector_post *post = calloc(1, sizeof *post);
    BUG_IF(post == NULL);
    atomic_fetch_add(&w->posts_alive, 1);
    atomic_store(&post->refs, 1);
    post->magic = number;
    post->owner = (struct collector *)(void *)w;
    arena_init(&post->arena, 1 << 20);
    struct beacon *b = &post->beacon;
    *b = (struct beacon){.received_ms = received_ms, .transmission_ms = received_ms, .env_count = 1};
    b->envs = arena_alloc(&post->arena, sizeof *b->envs);
    b->events = arena_alloc(&post->arena, sizeof *b->events * 3);
    *b->envs = (struct beacon_env){.id = "env1", .property_id = ENV_ID};
    b->event_count = sent->n;
    for (uint32_t i = 0; i < sent->n; i++) {
        char name[24];
        view_name(sent->events[i].view, name);
        enum event_name event = event_of(w, sent->events[i].view, sent->events[i].sequence);
        b->events[i] = (struct beacon_event){
            .view_id = arena_copy(&post->arena, span_of(name)),
            .sequence = sent->events[i].sequence,
            .name = (uint16_t)event,
            .name_text = span_of(event_name_text(event)),
            .viewer_time_ms = received_ms,
        };
    }
    return post;
}

static void test_answer(void *ctx, struct collector_post *const *posts, size_t n, bool durable)
{
    struct world *w = ctx;
    (void)pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < n; i++) {
        struct sent *sent = &w->sent[posts[i]->magic];
        BUG_IF(sent->fate != FATE_APPENDED);
        sent->fate = durable ? FATE_ACKNOWLEDGED : FATE_OPEN;
    }
    (void)pthread_mutex_unlock(&w->lock);
}

static void test_observe(void *ctx, const struct beacon *b)
{
    struct world *w = ctx;
    BUG_IF(!(b->event_count > 0));
    atomic_fetch_add(&w->observed, 1);
}

/* --- the store --- */

static struct row *store_find(struct world *w, const struct row *row)
{
    for (size_t i = 0; i < w->stored_count; i++) {
        struct row *s = &w->stored[i];
        if (!hash128_eq(s->id, row->id)) continue;
        if (row->final ? s->final : s->version == row->version) return s;
    }
    return NULL;
}

static void store_put(struct world *w, const struct row *row)
{
    const struct row *there = store_find(w, row);
    if (there) {
        BUG_IF(!(row->check)); /* else it would be counted twice */
        return;
    }
    BUG_IF(!(w->stored_count < ROWS_MAX));
    w->stored[w->stored_count++] = *row;
}

static void store_some(struct world *w, size_t n)
{
    for (size_t i = 0; i < n; i++) store_put(w, &w->waiting[i]);
    w->waiting_count -= n;
    memmove(w->waiting, w->waiting + n, w->waiting_count * sizeof *w->waiting);
}

static bool sink_row(void *ctx, unsigned shard, const struct view_row *row)
{
    struct world *w = ctx;
    (void)pthread_mutex_lock(&w->lock);
    BUG_IF(!(shard < w->shards));
    BUG_IF(row->property_id != ENV_ID);
    bool taken = w->frozen || !w->full;
    if (taken && !w->frozen) {
        BUG_IF(!(w->waiting_count < ROWS_MAX));
        struct row *r = &w->waiting[w->waiting_count++];
        *r = (struct row){row->id, row->version, row->final, row->check, row->had_pending, shard, 0};
        for (size_t i = 0; i < row->event_sequences.n; i++) {
            BUG_IF(row->event_sequences.items[i] < 1 || row->event_sequences.items[i] > EVENTS_MAX);
            r->events |= 1u << row->event_sequences.items[i];
        }
        if (!w->away && xorshift(&w->sink_random) % 8 == 0)
            store_some(w, (size_t)(xorshift(&w->sink_random) % (w->waiting_count + 1)));
    }
    (void)pthread_mutex_unlock(&w->lock);
    return taken;
}

static void sink_barrier(void *ctx, unsigned shard, uint64_t n)
{
    struct world *w = ctx;
    (void)pthread_mutex_lock(&w->lock);
    BUG_IF(n != w->barrier[shard] + 1);
    w->barrier[shard] = n;
    (void)pthread_mutex_unlock(&w->lock);
}

static bool sink_wait_stored(void *ctx, uint64_t n, int timeout_ms)
{
    struct world *w = ctx;
    bool stored = false;
    BUG_IF(!(timeout_ms >= 0));
    (void)pthread_mutex_lock(&w->lock);
    for (unsigned s = 0; s < w->shards; s++) BUG_IF(!(w->barrier[s] >= n));
    if (!w->away && !w->frozen) {
        store_some(w, w->waiting_count);
        stored = true;
    }
    (void)pthread_mutex_unlock(&w->lock);
    if (!stored) (void)usleep(2000);
    return stored;
}

/* --- lives --- */

static int64_t world_now(void *ctx)
{
    return atomic_load(&((struct world *)ctx)->now_ms);
}

static struct world *world_new(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->m = memory_new(seed);
    w->random = seed * 0x9E3779B97F4A7C15u + 99;
    w->sink_random = w->random ^ 0x5555;
    atomic_store(&w->now_ms, 1700000000000);
    w->stored = calloc(ROWS_MAX, sizeof *w->stored);
    w->waiting = calloc(ROWS_MAX, sizeof *w->waiting);
    assert_int_equal(pthread_mutex_init(&w->lock, NULL), 0);
    w->shards = 2;
    w->options = pipeline_defaults();
    struct pipeline_options *o = &w->options;
    o->journal.dir = "j";
    o->journal.io = &w->m->io;
    o->journal.segment_bytes_max = 3000;
    o->journal.batch_records_max = 40;
    o->journal.turn_ms = 1;
    o->journal.retry_ms = 1;
    o->journal.now_ms = world_now;
    o->journal.ctx = w;
    o->views.grace_ms = 100 * 3600 * 1000; /* what a crash cut out of a view is sent again, late */
    o->views.final_after_ms = 200 * 3600 * 1000;
    o->views.open_after_ms_max = 400 * 3600 * 1000LL;
    o->sink = (struct pipeline_sink){w, sink_row, sink_barrier, sink_wait_stored};
    o->posts = (struct pipeline_posts){w, test_answer, test_decode, NULL, test_bytes, test_retain, test_release};
    o->checkpoint_bytes_min = 2000;
    o->checkpoint_seconds_min = 0;
    o->observe = test_observe;
    o->hooks_ctx = w;
    return w;
}

static void world_free(struct world *w)
{
    assert_int_equal(atomic_load(&w->posts_alive), 0);
    memory_free(w->m);
    free(w->stored);
    free(w->waiting);
    free(w);
}

/* Posts for all views: each view's events in order, views interleaved, now and then an event twice. */
static void world_invent(struct world *w, uint32_t views)
{
    uint32_t next[VIEWS];
    for (uint32_t v = 0; v < views; v++) {
        next[v] = 1;
        w->events_of[v] = 2 + (uint32_t)(world_random(w) % (EVENTS_MAX - 1));
    }
    for (uint32_t left = views; left;) {
        assert_true(w->sent_count < POSTS_MAX);
        struct sent *sent = &w->sent[w->sent_count];
        sent->n = 0;
        for (uint32_t tries = 0; tries < 6 && sent->n < 3; tries++) {
            uint32_t v = (uint32_t)(world_random(w) % views);
            if (next[v] > w->events_of[v]) {
                for (v = 0; v < views && next[v] > w->events_of[v]; v++) {}
                if (v == views) break;
            }
            bool again = next[v] > 1 && world_random(w) % 10 == 0;
            sent->events[sent->n].view = v;
            sent->events[sent->n++].sequence = again ? next[v] - 1 : next[v];
            if (!again && ++next[v] > w->events_of[v]) left--;
        }
        if (sent->n) w->sent_count++;
    }
}

static void world_start(struct world *w)
{
    char why[PIPELINE_WHY_BYTES];
    memset(w->barrier, 0, sizeof w->barrier);
    w->options.shards = w->shards;
    w->p = pipeline_start(&w->options, why);
    if (w->p == NULL) print_message("%s\n", why);
    assert_non_null(w->p);
}

static void world_ready(struct world *w)
{
    char why[PIPELINE_WHY_BYTES];
    world_start(w);
    enum err e = pipeline_wait_ready(w->p, -1, why);
    if (e != ERR_NONE) print_message("%s\n", why);
    assert_int_equal(e, ERR_NONE);
}

static enum err world_send(struct world *w, uint32_t number)
{
    struct buf payload;
    buf_init(&payload, 64);
    buf_add_u64(&payload, (uint64_t)world_now(w));
    buf_add_u32(&payload, number);
    struct collector_post *post = test_decode(w, buf_span(&payload));
    (void)pthread_mutex_lock(&w->lock);
    w->sent[number].fate = FATE_APPENDED;
    (void)pthread_mutex_unlock(&w->lock);
    enum err e = pipeline_append(w->p, post, buf_span(&payload));
    if (e != ERR_NONE) {
        (void)pthread_mutex_lock(&w->lock);
        w->sent[number].fate = FATE_OPEN;
        (void)pthread_mutex_unlock(&w->lock);
        test_release(post);
    }
    buf_free(&payload);
    return e;
}

static bool world_crashed(struct world *w)
{
    (void)pthread_mutex_lock(&w->m->lock);
    bool crashed = w->m->crashed;
    (void)pthread_mutex_unlock(&w->m->lock);
    if (!crashed) return false;
    (void)pthread_mutex_lock(&w->lock);
    w->frozen = true;
    (void)pthread_mutex_unlock(&w->lock);
    return true;
}

/* Sends what was never acknowledged, as SDKs do, until all is, or the world ends. */
static void world_send_all(struct world *w)
{
    for (bool open = true; open && !world_crashed(w);) {
        open = false;
        for (uint32_t i = 0; i < w->sent_count && !world_crashed(w); i++) {
            (void)pthread_mutex_lock(&w->lock);
            uint8_t fate = w->sent[i].fate;
            (void)pthread_mutex_unlock(&w->lock);
            if (fate == FATE_ACKNOWLEDGED) continue;
            open = true;
            if (fate == FATE_OPEN) (void)world_send(w, i);
            if (world_random(w) % 16 == 0) atomic_fetch_add(&w->now_ms, (int64_t)(world_random(w) % 40000));
            if (world_random(w) % 8 == 0) (void)usleep(100);
        }
    }
}

/* What survives in the store of the rows that were under way. */
static void world_store_crash(struct world *w)
{
    store_some(w, (size_t)(world_random(w) % (w->waiting_count + 1)));
    w->waiting_count = 0;
    w->frozen = false;
}

static void world_check(struct world *w, uint32_t views)
{
    size_t finals = 0;
    for (uint32_t v = 0; v < views; v++) {
        char name[24];
        view_name(v, name);
        struct row key = {.id = hash128_sha256(SPAN("env1"), span_of(name)), .final = true};
        const struct row *row = store_find(w, &key);
        assert_non_null(row);
        assert_int_equal(row->events, (2u << w->events_of[v]) - 2);
    }
    for (size_t i = 0; i < w->stored_count; i++) finals += w->stored[i].final;
    assert_int_equal(finals, views);
}

static void test_one_clean_life(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    world_invent(w, 100);
    world_ready(w);
    world_send_all(w);
    struct pipeline_status status;
    pipeline_status(w->p, &status);
    assert_true(status.ready);
    assert_string_equal(status.reason, "");
    assert_true(pipeline_stop(w->p, 60000));
    world_check(w, 100);
    assert_int_equal(atomic_load(&w->observed), w->sent_count);
    /* The next start has nothing to replay and makes no row. */
    size_t rows = w->stored_count;
    memory_crash(w->m);
    w->shards = 3;
    world_ready(w);
    pipeline_status(w->p, &status);
    assert_int_equal(status.replay_total_bytes, 0);
    assert_true(pipeline_stop(w->p, 60000));
    assert_int_equal(w->stored_count, rows);
    world_free(w);
}

static void lives(uint64_t seed, bool power)
{
    struct world *w = world_new(seed);
    uint32_t views = 20 + (uint32_t)(world_random(w) % (VIEWS - 20));
    world_invent(w, views);
    for (bool crashed = true; crashed;) {
        (void)pthread_mutex_lock(&w->m->lock);
        w->m->crash_at = 5 + (long)(world_random(w) % 120);
        (void)pthread_mutex_unlock(&w->m->lock);
        char why[PIPELINE_WHY_BYTES];
        memset(w->barrier, 0, sizeof w->barrier);
        w->shards = w->options.shards = 1 + (unsigned)(world_random(w) % SHARDS_MAX);
        w->p = pipeline_start(&w->options, why);
        if (w->p && pipeline_wait_ready(w->p, -1, why) == ERR_NONE) world_send_all(w);
        crashed = world_crashed(w);
        if (w->p) {
            bool stopped = pipeline_stop(w->p, crashed ? 0 : 60000);
            crashed = world_crashed(w) || !stopped;
        }
        if (power) memory_crash(w->m);
        else memory_kill(w->m);
        if (crashed) world_store_crash(w);
    }
    assert_int_equal(w->waiting_count, 0);
    world_check(w, views);
    world_free(w);
}

static void test_killed_at_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) lives(seed, false);
}
static void test_power_lost_at_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) lives(seed * 77, true);
}

/* With the store away beacons are still acknowledged and nothing is committed; with no room for rows they are refused
 * in the end; all is made good when it is back. */
static void test_store_away(void **state)
{
    (void)state;
    struct world *w = world_new(3);
    struct pipeline_status status;
    world_invent(w, 200);
    w->away = true;
    world_ready(w);
    world_send_all(w);
    do {
        (void)usleep(1000);
        pipeline_status(w->p, &status);
    } while (!status.checkpoint_waits);
    assert_int_equal(status.checkpoint_bytes, 0);
    (void)pthread_mutex_lock(&w->lock);
    assert_true(w->waiting_count > 0);
    w->away = false;
    (void)pthread_mutex_unlock(&w->lock);
    do {
        (void)usleep(1000);
        pipeline_status(w->p, &status);
    } while (status.checkpoint_bytes == 0);
    assert_true(pipeline_stop(w->p, 60000));
    world_check(w, 200);
    world_free(w);
}

static void test_no_room_for_rows(void **state)
{
    (void)state;
    struct world *w = world_new(4);
    world_invent(w, 200);
    w->full = true;
    w->options.behind_posts_max = 20;
    world_ready(w);
    enum err e = ERR_NONE;
    uint32_t accepted = 0;
    while (accepted < w->sent_count && (e = world_send(w, accepted)) == ERR_NONE) {
        accepted++;
        (void)usleep(1000);
    }
    assert_int_equal(e, ERR_FULL);
    assert_true(accepted >= 20);
    struct pipeline_status status;
    pipeline_status(w->p, &status);
    assert_false(status.ready);
    assert_string_equal(status.reason, "the views are too far behind");
    /* A stop keeps its deadline, and the next start makes the rows again. */
    int64_t began = (int64_t)time(NULL);
    assert_false(pipeline_stop(w->p, 200));
    assert_true((int64_t)time(NULL) - began < 60);
    memory_kill(w->m);
    world_store_crash(w);
    w->full = false;
    world_ready(w);
    world_send_all(w);
    assert_true(pipeline_stop(w->p, 60000));
    world_check(w, 200);
    world_free(w);
}

/* A stop in the middle of a replay leaves everything for the next start. */
static void test_stop_while_replaying(void **state)
{
    (void)state;
    struct world *w = world_new(5);
    world_invent(w, 200);
    w->options.checkpoint_bytes_min = 1 << 30;
    w->away = true;
    world_ready(w);
    world_send_all(w);
    assert_false(pipeline_stop(w->p, 50));
    memory_kill(w->m);
    world_store_crash(w);
    w->away = false;
    w->full = true; /* so that the replay cannot get far */
    w->options.behind_posts_max = 10;
    world_start(w);
    struct pipeline_status status;
    pipeline_status(w->p, &status);
    assert_false(status.ready);
    assert_int_equal(world_send(w, 0), ERR_UNAVAILABLE);
    assert_false(pipeline_stop(w->p, 0));
    for (uint32_t i = 0; i < w->sent_count; i++) w->sent[i].fate = FATE_ACKNOWLEDGED;
    memory_kill(w->m);
    world_store_crash(w);
    w->full = false;
    world_ready(w);
    assert_true(pipeline_stop(w->p, 60000));
    world_check(w, 200);
    world_free(w);
}

/* Damage is told with file and place, and the pipeline refuses to serve. */
static void test_damaged_journal(void **state)
{
    (void)state;
    struct world *w = world_new(6);
    char why[PIPELINE_WHY_BYTES];
    world_invent(w, 50);
    w->options.journal.segment_bytes_max = 800;
    w->options.checkpoint_bytes_min = 1 << 30;
    w->away = true;
    world_ready(w);
    world_send_all(w);
    assert_false(pipeline_stop(w->p, 10));
    memory_kill(w->m);
    /* In the first payload, which is there however the records were gathered into batches. */
    size_t at = JOURNAL_HEADER_BYTES + JOURNAL_FRAME_BYTES + JOURNAL_RECORD_BYTES + 1;
    memory_bytes(w->m, "j/journal-0000000001.ffj")->ptr[at] ^= 1;
    world_start(w);
    assert_int_equal(pipeline_wait_ready(w->p, -1, why), ERR_CORRUPT);
    assert_non_null(strstr(why, "journal-0000000001.ffj is damaged at byte "));
    struct pipeline_status status;
    pipeline_status(w->p, &status);
    assert_false(status.ready);
    assert_string_equal(status.reason, "the start failed");
    assert_int_equal(world_send(w, 0), ERR_UNAVAILABLE);
    assert_false(pipeline_stop(w->p, 0));
    world_store_crash(w);
    world_free(w);
}

/* Timers: silence makes a pending row, and a replay makes it again under the same version. */
static void test_pending_rows(void **state)
{
    (void)state;
    struct world *w = world_new(7);
    w->events_of[0] = 8;
    for (uint32_t i = 0; i < 4; i++) w->sent[i] = (struct sent){.events = {{0, i + 1}}, .n = 1};
    w->sent_count = 4;
    w->options.checkpoint_bytes_min = 1 << 30;
    for (int life = 0; life < 3; life++) {
        world_ready(w);
        if (life == 0) world_send_all(w);
        atomic_fetch_add(&w->now_ms, life == 0 ? 60001 : 0);
        if (life == 0)
            for (size_t rows = 0; rows == 0;) {
                (void)usleep(1000);
                (void)pthread_mutex_lock(&w->lock);
                store_some(w, w->waiting_count);
                rows = w->stored_count;
                (void)pthread_mutex_unlock(&w->lock);
            }
        (void)pthread_mutex_lock(&w->lock);
        w->away = true; /* no checkpoint: the next life replays all */
        (void)pthread_mutex_unlock(&w->lock);
        assert_false(pipeline_stop(w->p, 50));
        memory_kill(w->m);
        store_some(w, w->waiting_count); /* each replayed row says check, or this fails */
        w->away = false;
    }
    size_t pendings = 0;
    for (size_t i = 0; i < w->stored_count; i++) {
        assert_false(w->stored[i].final);
        pendings++;
    }
    assert_true(pendings >= 1);
    world_free(w);
}

int main(void)
{
    log_setup(LOG_ERROR, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_clean_life),
        cmocka_unit_test(test_store_away),
        cmocka_unit_test(test_no_room_for_rows),
        cmocka_unit_test(test_stop_while_replaying),
        cmocka_unit_test(test_damaged_journal),
        cmocka_unit_test(test_pending_rows),
        cmocka_unit_test(test_killed_at_random),
        cmocka_unit_test(test_power_lost_at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
