/* SPDX-License-Identifier: Apache-2.0
 * The journal's promises: what was told as synced is there after any crash, in order and once; torn tails are cut,
 * damage is refused; a failed write or sync is told and survived. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "journal/writer.h"
#include "memory_io.h"

#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { IDS = 100000 };
enum fate { FATE_NONE, FATE_APPENDED, FATE_SYNCED, FATE_FAILED };

/* A journal under test and what it told. User pointers are ids from 1. */
struct rig {
    struct memory_io *m;
    struct journal_options options;
    struct journal *j;
    pthread_mutex_t lock;
    pthread_cond_t told;
    uint8_t fate[IDS];
    uint32_t order[IDS]; /* ids as synced */
    size_t synced, failed, appended;
    int64_t clock_ms; /* last of turn */
    struct journal_position end;
    size_t turns;
    int64_t last_received_ms;
    _Atomic int64_t now_ms;
};

/* On the writer thread checks are BUG_IF: cmocka's would say nothing there. */
static void rig_synced(void *ctx, const struct journal_item *items, size_t n)
{
    struct rig *r = ctx;
    (void)pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < n; i++) {
        BUG_IF(!(items[i].received_ms >= r->last_received_ms || items[i].type == JOURNAL_CLOCK));
        r->last_received_ms = items[i].type == JOURNAL_CLOCK ? INT64_MIN : items[i].received_ms;
        if (items[i].type == JOURNAL_CLOCK) continue;
        uintptr_t id = (uintptr_t)items[i].user;
        BUG_IF(r->fate[id] != FATE_APPENDED);
        r->fate[id] = FATE_SYNCED;
        r->order[r->synced++] = (uint32_t)id;
    }
    (void)pthread_cond_broadcast(&r->told);
    (void)pthread_mutex_unlock(&r->lock);
}

static void rig_failed(void *ctx, const struct journal_item *items, size_t n)
{
    struct rig *r = ctx;
    (void)pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < n; i++) {
        if (items[i].type == JOURNAL_CLOCK) continue;
        BUG_IF(r->fate[(uintptr_t)items[i].user] != FATE_APPENDED);
        r->fate[(uintptr_t)items[i].user] = FATE_FAILED;
        r->failed++;
    }
    (void)pthread_cond_broadcast(&r->told);
    (void)pthread_mutex_unlock(&r->lock);
}

static void rig_turn(void *ctx, struct journal_position end, int64_t clock_ms)
{
    struct rig *r = ctx;
    (void)pthread_mutex_lock(&r->lock);
    BUG_IF(!(journal_position_compare(end, r->end) >= 0));
    r->end = end;
    r->clock_ms = clock_ms;
    r->turns++;
    (void)pthread_cond_broadcast(&r->told);
    (void)pthread_mutex_unlock(&r->lock);
}

static int64_t rig_now(void *ctx)
{
    return atomic_load(&((struct rig *)ctx)->now_ms);
}

static struct rig *rig_new(uint64_t seed)
{
    struct rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->m = memory_new(seed);
    assert_int_equal(pthread_mutex_init(&r->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&r->told, NULL), 0);
    atomic_store(&r->now_ms, 1000000);
    r->last_received_ms = INT64_MIN;
    r->options = journal_defaults();
    r->options.dir = "j";
    r->options.io = &r->m->io;
    r->options.synced = rig_synced;
    r->options.failed = rig_failed;
    r->options.turn = rig_turn;
    r->options.now_ms = rig_now;
    r->options.ctx = r;
    r->options.turn_ms = 1;
    r->options.retry_ms = 1;
    return r;
}

static void rig_free(struct rig *r)
{
    memory_free(r->m);
    free(r);
}

static enum err rig_open(struct rig *r)
{
    char why[JOURNAL_WHY_BYTES];
    enum err e = journal_open(&r->options, &r->j, why);
    if (e == ERR_NONE) assert_string_equal(why, "");
    else assert_true(strlen(why) > 10);
    return e;
}

static void rig_start(struct rig *r)
{
    assert_int_equal(rig_open(r), ERR_NONE);
    r->end = (struct journal_position){0, 0};
    journal_start(r->j, INT64_MIN);
}

static void rig_stop(struct rig *r)
{
    journal_stop(r->j);
    journal_free(r->j);
    r->j = NULL;
}

/* The payload of id: its number, then bytes that follow from it. */
static struct span payload_of(uint32_t id, char *room)
{
    size_t len = 4 + id * 37 % 300;
    memcpy(room, &id, 4);
    for (size_t i = 4; i < len; i++) room[i] = (char)(id + i);
    return span_make(room, len);
}

static enum err rig_append(struct rig *r, uint32_t id)
{
    char room[512];
    (void)pthread_mutex_lock(&r->lock);
    assert_int_equal(r->fate[id], FATE_NONE);
    r->fate[id] = FATE_APPENDED;
    r->appended++;
    (void)pthread_mutex_unlock(&r->lock);
    enum err e = journal_append(r->j, payload_of(id, room), rig_now(r), (void *)(uintptr_t)id);
    if (e != ERR_NONE) {
        (void)pthread_mutex_lock(&r->lock);
        r->fate[id] = FATE_NONE;
        r->appended--;
        (void)pthread_mutex_unlock(&r->lock);
    }
    return e;
}

/* Until every append was told of. */
static void rig_settle(struct rig *r)
{
    (void)pthread_mutex_lock(&r->lock);
    while (r->synced + r->failed < r->appended) (void)pthread_cond_wait(&r->told, &r->lock);
    (void)pthread_mutex_unlock(&r->lock);
}

static void rig_turns(struct rig *r, size_t more)
{
    (void)pthread_mutex_lock(&r->lock);
    size_t until = r->turns + more;
    while (r->turns < until) (void)pthread_cond_wait(&r->told, &r->lock);
    (void)pthread_mutex_unlock(&r->lock);
}

static int64_t rig_clock(struct rig *r)
{
    (void)pthread_mutex_lock(&r->lock);
    int64_t clock_ms = r->clock_ms;
    (void)pthread_mutex_unlock(&r->lock);
    return clock_ms;
}

static struct journal_position rig_end(struct rig *r)
{
    (void)pthread_mutex_lock(&r->lock);
    struct journal_position end = r->end;
    (void)pthread_mutex_unlock(&r->lock);
    return end;
}

struct replayed {
    uint32_t ids[IDS];
    int64_t received_ms[IDS];
    size_t n, clocks;
    struct journal_position next;
};

static bool replay_record(void *ctx, const struct journal_record *record)
{
    struct replayed *got = ctx;
    char room[512];
    uint32_t id;
    assert_true(journal_position_compare(record->at, record->next) < 0);
    got->next = record->next;
    if (record->type == JOURNAL_CLOCK) {
        got->clocks++;
        return true;
    }
    assert_true(record->payload.len >= 4);
    memcpy(&id, record->payload.ptr, 4);
    assert_true(span_eq(record->payload, payload_of(id, room)));
    got->received_ms[got->n] = record->received_ms;
    got->ids[got->n++] = id;
    return true;
}

static enum err rig_replay(struct rig *r, struct journal_position from, struct replayed *got)
{
    char why[JOURNAL_WHY_BYTES];
    struct journal_reading reading = {.record = replay_record, .ctx = got};
    memset(got, 0, sizeof *got);
    return journal_replay(r->j, from, &reading, why);
}

/* After a crash: what was synced is there, in its order; what failed or was never told of is there at most once. */
static void rig_check(struct rig *r, struct replayed *got)
{
    size_t next = 0;
    uint8_t *seen = calloc(IDS, 1);
    assert_non_null(seen);
    for (size_t i = 0; i < got->n; i++) {
        uint32_t id = got->ids[i];
        assert_int_equal(seen[id], 0);
        seen[id] = 1;
        assert_int_not_equal(r->fate[id], FATE_NONE);
        if (r->fate[id] != FATE_SYNCED) continue;
        assert_true(next < r->synced);
        assert_int_equal(id, r->order[next]);
        next++;
    }
    assert_int_equal(next, r->synced);
    free(seen);
}

static const struct journal_position BEGIN = {1, 0};

static void test_order_and_replay(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    struct replayed *got = calloc(1, sizeof *got);
    r->options.segment_bytes_max = 4000;
    r->m->pwrite_max = 333;
    rig_start(r);
    for (uint32_t id = 1; id <= 500; id++) {
        assert_int_equal(rig_append(r, id), ERR_NONE);
        if (id % 7 == 0) rig_settle(r);
    }
    rig_settle(r);
    rig_turns(r, 2);
    struct journal_position middle = rig_end(r);
    for (uint32_t id = 501; id <= 600; id++) assert_int_equal(rig_append(r, id), ERR_NONE);
    rig_stop(r);
    assert_int_equal(r->synced, 600);
    for (uint32_t i = 0; i < 600; i++) assert_int_equal(r->order[i], i + 1);

    memory_kill(r->m);
    assert_int_equal(rig_open(r), ERR_NONE);
    assert_int_equal(rig_replay(r, BEGIN, got), ERR_NONE);
    assert_int_equal(got->n, 600);
    rig_check(r, got);
    struct journal_status status;
    journal_status(r->j, &status);
    assert_true(status.segments > 20);
    assert_false(status.ready);
    assert_int_equal(rig_replay(r, middle, got), ERR_NONE);
    assert_int_equal(got->n, 100);
    assert_int_equal(got->ids[0], 501);
    assert_true(journal_bytes_from(r->j, middle) > 0);

    /* What is before a position may go; the rest still reads. */
    assert_int_equal(journal_drop_before(r->j, middle.segment), ERR_NONE);
    journal_free(r->j);
    memory_crash(r->m);
    assert_int_equal(rig_open(r), ERR_NONE);
    assert_int_equal(journal_first_segment(r->j), middle.segment);
    assert_int_equal(rig_replay(r, BEGIN, got), ERR_CORRUPT);
    assert_int_equal(rig_replay(r, middle, got), ERR_NONE);
    assert_int_equal(got->n, 100);
    journal_free(r->j);
    free(got);
    rig_free(r);
}

struct appender {
    struct rig *r;
    uint32_t from, to;
};

static void *append_many(void *arg)
{
    struct appender *a = arg;
    for (uint32_t id = a->from; id < a->to; id++) {
        atomic_fetch_add(&a->r->now_ms, 1);
        while (rig_append(a->r, id) != ERR_NONE) (void)usleep(1000);
    }
    return NULL;
}

/* Several threads; each one's records keep their order, and receive times never fall. */
static void test_many_threads(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    struct replayed *got = calloc(1, sizeof *got);
    r->options.segment_bytes_max = 100000;
    r->options.batch_records_max = 50;
    rig_start(r);
    enum { THREADS = 4, EACH = 3000 };
    pthread_t threads[THREADS];
    struct appender work[THREADS];
    for (uint32_t t = 0; t < THREADS; t++) {
        work[t] = (struct appender){r, 1 + t * EACH, 1 + (t + 1) * EACH};
        assert_int_equal(pthread_create(&threads[t], NULL, append_many, &work[t]), 0);
    }
    for (size_t t = 0; t < THREADS; t++) assert_int_equal(pthread_join(threads[t], NULL), 0);
    rig_stop(r);
    assert_int_equal(r->synced, THREADS * EACH);
    memory_crash(r->m);
    assert_int_equal(rig_open(r), ERR_NONE);
    assert_int_equal(rig_replay(r, BEGIN, got), ERR_NONE);
    rig_check(r, got);
    uint32_t last[THREADS] = {0};
    for (size_t i = 0; i < got->n; i++) {
        size_t t = (got->ids[i] - 1) / EACH;
        assert_true(got->ids[i] > last[t]);
        last[t] = got->ids[i];
        if (i) assert_true(got->received_ms[i] >= got->received_ms[i - 1]);
    }
    journal_free(r->j);
    free(got);
    rig_free(r);
}

/* One segment of three batches; its bytes, and where the last batch begins. */
static struct rig *rig_three(struct buf **bytes, size_t *batch_at)
{
    struct rig *r = rig_new(3);
    rig_start(r);
    for (uint32_t batch = 0; batch < 3; batch++) {
        rig_settle(r);
        *bytes = memory_bytes(r->m, "j/journal-0000000001.ffj");
        *batch_at = (*bytes)->len;
        assert_int_equal(rig_append(r, 1 + batch), ERR_NONE);
    }
    rig_stop(r);
    memory_kill(r->m);
    *bytes = memory_bytes(r->m, "j/journal-0000000001.ffj");
    return r;
}

static void test_torn_tail_at_every_byte(void **state)
{
    (void)state;
    struct buf *bytes;
    size_t batch_at;
    struct rig *r = rig_three(&bytes, &batch_at);
    struct replayed *got = calloc(1, sizeof *got);
    size_t whole = bytes->len;
    char *copy = malloc(whole);
    memcpy(copy, bytes->ptr, whole);
    for (size_t cut = batch_at; cut <= whole; cut++) {
        for (int flip = 0; flip < 2; flip++) {
            bytes = memory_bytes(r->m, "j/journal-0000000001.ffj");
            buf_clear(bytes);
            buf_add(bytes, copy, flip ? whole : cut);
            if (flip && cut < whole) bytes->ptr[cut] ^= 0x40;
            assert_int_equal(rig_open(r), ERR_NONE);
            assert_int_equal(rig_replay(r, BEGIN, got), ERR_NONE);
            assert_int_equal(got->n, cut == whole ? 3 : 2);
            journal_free(r->j);
            memory_kill(r->m);
            assert_int_equal(memory_bytes(r->m, "j/journal-0000000001.ffj")->len, cut == whole ? whole : batch_at);
            /* Once more: what was cut is whole now. */
            assert_int_equal(rig_open(r), ERR_NONE);
            assert_int_equal(rig_replay(r, BEGIN, got), ERR_NONE);
            assert_int_equal(got->n, cut == whole ? 3 : 2);
            journal_free(r->j);
            memory_kill(r->m);
            assert_int_equal(r->m->io.unlink(r->m, "j/journal-0000000002.ffj"), 0);
        }
    }
    free(copy);
    free(got);
    rig_free(r);
}

static void test_damage_is_refused(void **state)
{
    (void)state;
    struct buf *bytes;
    size_t batch_at;
    struct rig *r = rig_three(&bytes, &batch_at);
    /* Every byte before the last batch: a later batch shows that it had been acknowledged. */
    for (size_t at = 0; at < batch_at; at++) {
        bytes = memory_bytes(r->m, "j/journal-0000000001.ffj");
        bytes->ptr[at] ^= 1;
        char why[JOURNAL_WHY_BYTES];
        assert_int_equal(journal_open(&r->options, &r->j, why), ERR_CORRUPT);
        assert_non_null(strstr(why, "j/journal-0000000001.ffj is damaged at byte "));
        memory_kill(r->m);
        bytes = memory_bytes(r->m, "j/journal-0000000001.ffj");
        bytes->ptr[at] ^= 1;
    }
    /* Once it has a successor, every byte counts, and a missing one too. */
    assert_int_equal(rig_open(r), ERR_NONE);
    journal_start(r->j, INT64_MIN);
    assert_int_equal(rig_append(r, 4), ERR_NONE);
    rig_stop(r);
    memory_kill(r->m);
    struct replayed *got = calloc(1, sizeof *got);
    for (size_t at = JOURNAL_HEADER_BYTES; at < bytes->len; at += 3) {
        bytes->ptr[at] ^= 1;
        assert_int_equal(rig_open(r), ERR_NONE);
        assert_int_equal(rig_replay(r, BEGIN, got), ERR_CORRUPT);
        journal_free(r->j);
        memory_kill(r->m);
        bytes->ptr[at] ^= 1;
    }
    bytes->len--;
    assert_int_equal(rig_open(r), ERR_CORRUPT);
    memory_kill(r->m);
    bytes->len++;
    assert_int_equal(rig_open(r), ERR_NONE);
    journal_free(r->j);
    free(got);
    rig_free(r);
}

/* A payload that looks like a later batch must not turn a torn tail into damage. */
static void test_payload_cannot_pretend(void **state)
{
    (void)state;
    struct rig *r = rig_new(4);
    rig_start(r);
    uint8_t frame[JOURNAL_FRAME_BYTES + 8] = {0};
    journal_frame_write(frame, 0, 1000, 1, JOURNAL_RECORD_BYTES);
    r->fate[1] = FATE_APPENDED;
    r->appended = 1;
    assert_int_equal(journal_append(r->j, span_make(frame, sizeof frame), 5, (void *)(uintptr_t)1), ERR_NONE);
    rig_stop(r);
    memory_kill(r->m);
    struct buf *bytes = memory_bytes(r->m, "j/journal-0000000001.ffj");
    bytes->ptr[bytes->len - 1] ^= 1;
    assert_int_equal(rig_open(r), ERR_NONE);
    journal_free(r->j);
    rig_free(r);
}

/* One life: batches, rolls, a deletion. Everything may fail at any operation. */
static void life(struct rig *r, uint32_t *id, struct journal_position *dropped)
{
    journal_start(r->j, INT64_MIN);
    for (int group = 0; group < 8; group++) {
        for (int i = 0; i < 5; i++) (void)rig_append(r, ++*id);
        rig_settle(r);
        if (group != 5) continue;
        rig_turns(r, 2);
        uint64_t last = rig_end(r).segment;
        if (last > 2) *dropped = (struct journal_position){last - 1, 0};
        enum err dropping = journal_drop_before(r->j, dropped->segment);
        assert_true(dropping == ERR_NONE || dropping == ERR_IO);
    }
    rig_stop(r);
}

static void check_after(struct rig *r, struct journal_position dropped, struct replayed *got)
{
    assert_int_equal(rig_open(r), ERR_NONE);
    uint64_t first = journal_first_segment(r->j);
    assert_true(first <= 1 || first <= dropped.segment);
    assert_int_equal(rig_replay(r, first > 1 ? (struct journal_position){first, 0} : BEGIN, got), ERR_NONE);
    if (first <= 1) rig_check(r, got);
}

enum how { HOW_CRASH, HOW_KILL, HOW_FAIL_ONCE, HOW_FAIL_FOR_EVER, HOW_COUNT };

/* The anomaly loop: something goes wrong at operation n, for every n until a life passes without reaching it; then the
 * power goes, or the process; then a second life in which the recovery itself may meet a crash. */
static void anomaly(enum how how, uint64_t seed)
{
    struct replayed *got = calloc(1, sizeof *got);
    bool reached = true;
    for (long n = 1; reached; n++) {
        struct rig *r = rig_new(seed + (uint64_t)n);
        uint32_t id = 0;
        struct journal_position dropped = BEGIN;
        r->options.segment_bytes_max = 1500;
        if (how == HOW_CRASH || how == HOW_KILL) r->m->crash_at = n;
        else r->m->fail_at = n, r->m->fail_for_ever = how == HOW_FAIL_FOR_EVER;
        if (rig_open(r) == ERR_NONE) life(r, &id, &dropped);
        reached = r->m->ops >= n;
        if (how == HOW_KILL || (how != HOW_CRASH && n % 2)) memory_kill(r->m);
        else memory_crash(r->m);
        /* A crash during recovery changes nothing. */
        r->m->crash_at = 1 + n % 7;
        if (rig_open(r) == ERR_NONE) journal_free(r->j);
        memory_crash(r->m);
        check_after(r, dropped, got);
        r->last_received_ms = INT64_MIN;
        r->end = (struct journal_position){0, 0};
        for (uint32_t i = 1; i <= id; i++) /* those in doubt have their fate now */
            if (r->fate[i] == FATE_FAILED) r->fate[i] = FATE_APPENDED;
        struct journal_position ignored = BEGIN;
        size_t before = r->synced;
        life(r, &id, &ignored);
        assert_int_equal(r->synced, before + 40);
        memory_crash(r->m);
        check_after(r, dropped.segment > ignored.segment ? dropped : ignored, got);
        journal_free(r->j);
        rig_free(r);
    }
    free(got);
}

static void test_crash_at_every_operation(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) anomaly(HOW_CRASH, seed * 1000);
}
static void test_kill_at_every_operation(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2; seed++) anomaly(HOW_KILL, seed * 1000 + 7);
}
static void test_every_operation_fails_once(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) anomaly(HOW_FAIL_ONCE, seed * 1000 + 3);
}
static void test_every_operation_fails_for_ever(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) anomaly(HOW_FAIL_FOR_EVER, seed * 1000 + 5);
}

/* After two failures in a row appends are refused, with a reason, until a new segment can be begun. */
static void test_down_and_up(void **state)
{
    (void)state;
    struct rig *r = rig_new(6);
    struct journal_status status;
    rig_start(r);
    assert_int_equal(rig_append(r, 1), ERR_NONE);
    rig_settle(r);
    assert_int_equal(r->synced, 1);
    (void)pthread_mutex_lock(&r->m->lock);
    r->m->fail_at = r->m->ops + 1;
    r->m->fail_for_ever = true;
    (void)pthread_mutex_unlock(&r->m->lock);
    uint32_t id = 1;
    enum err e;
    while ((e = rig_append(r, ++id)) == ERR_NONE) rig_settle(r);
    assert_int_equal(e, ERR_UNAVAILABLE);
    assert_int_equal(r->synced, 1);
    assert_true(r->failed >= 1);
    journal_status(r->j, &status);
    assert_false(status.ready);
    assert_string_equal(status.reason, "the journal cannot be written");
    /* The failed batch may come back: no timer may run past it. */
    int64_t stands = rig_clock(r);
    atomic_fetch_add(&r->now_ms, 5000);
    rig_turns(r, 20);
    assert_int_equal(rig_clock(r), stands);
    (void)pthread_mutex_lock(&r->m->lock);
    r->m->fail_at = 0;
    (void)pthread_mutex_unlock(&r->m->lock);
    for (int i = 0; i < 20000 && rig_append(r, id) != ERR_NONE; i++) (void)usleep(1000);
    rig_settle(r);
    assert_int_equal(r->fate[id], FATE_SYNCED);
    rig_turns(r, 3);
    assert_int_equal(rig_clock(r), stands + 5000);
    journal_status(r->j, &status);
    assert_true(status.ready);
    assert_string_equal(status.reason, "");

    /* Little disk space does the same. */
    (void)pthread_mutex_lock(&r->m->lock);
    r->m->free_percent = 4;
    (void)pthread_mutex_unlock(&r->m->lock);
    do {
        (void)usleep(1000);
        journal_status(r->j, &status);
    } while (status.ready);
    assert_int_equal(rig_append(r, id + 1), ERR_UNAVAILABLE);
    (void)pthread_mutex_lock(&r->m->lock);
    r->m->free_percent = 5;
    (void)pthread_mutex_unlock(&r->m->lock);
    do {
        (void)usleep(1000);
        journal_status(r->j, &status);
    } while (!status.ready);
    assert_int_equal(rig_append(r, id + 1), ERR_NONE);
    rig_stop(r);
    rig_free(r);
}

static void test_bounds(void **state)
{
    (void)state;
    struct rig *r = rig_new(7);
    r->options.batch_records_max = 10;
    r->options.bytes_max = 3000;
    rig_start(r);
    /* With the writer thread held in `synced`, the next batch fills and then refuses. */
    assert_int_equal(rig_append(r, 1), ERR_NONE);
    rig_settle(r);
    (void)pthread_mutex_lock(&r->lock);
    char room[512];
    enum err e;
    uint32_t id = 1;
    do {
        r->fate[++id] = FATE_APPENDED;
        r->appended++;
        e = journal_append(r->j, payload_of(1, room), 1, (void *)(uintptr_t)id);
    } while (e == ERR_NONE && id < 1000);
    r->appended--;
    r->fate[id] = FATE_NONE;
    assert_int_equal(e, ERR_FULL);
    (void)pthread_mutex_unlock(&r->lock);
    rig_settle(r);
    while ((e = rig_append(r, id++)) == ERR_NONE) rig_settle(r);
    assert_int_equal(e, ERR_UNAVAILABLE);
    struct journal_status status;
    journal_status(r->j, &status);
    if (status.ready) { /* there is room for a record without a payload */
        assert_true(status.bytes > 2500);
    } else {
        assert_string_equal(status.reason, "the journal is at its maximum size");
    }
    assert_true(status.bytes <= 3000);
    char *large = calloc(1, JOURNAL_PAYLOAD_BYTES_MAX + 1);
    assert_int_equal(journal_append(r->j, span_make(large, JOURNAL_PAYLOAD_BYTES_MAX + 1), 1, large), ERR_REFUSED);
    free(large);
    rig_stop(r);
    assert_true(r->turns > 0);
    rig_free(r);
}

/* Receive times stand still over a small step back; a large one is recorded, and times go on from the new clock. */
static void test_clock_set_back(void **state)
{
    (void)state;
    struct rig *r = rig_new(8);
    struct replayed *got = calloc(1, sizeof *got);
    rig_start(r);
    assert_int_equal(rig_append(r, 1), ERR_NONE);
    rig_turns(r, 2);
    atomic_store(&r->now_ms, 997000);
    assert_int_equal(rig_append(r, 2), ERR_NONE);
    rig_turns(r, 2);
    assert_int_equal(rig_clock(r), 1000000);
    atomic_store(&r->now_ms, 500000);
    rig_turns(r, 2);
    assert_int_equal(rig_append(r, 3), ERR_NONE);
    rig_turns(r, 2);
    assert_int_equal(rig_clock(r), 500000);
    rig_stop(r);
    memory_kill(r->m);
    assert_int_equal(rig_open(r), ERR_NONE);
    assert_int_equal(rig_replay(r, BEGIN, got), ERR_NONE);
    assert_int_equal(got->n, 3);
    assert_int_equal(got->clocks, 1);
    assert_int_equal(got->received_ms[0], 1000000);
    assert_int_equal(got->received_ms[1], 1000000);
    assert_int_equal(got->received_ms[2], 500000);
    journal_free(r->j);
    free(got);
    rig_free(r);
}

/* The real file operations, and the lock against a second process. */
static void test_real_files(void **state)
{
    (void)state;
    char dir[] = "/tmp/firstframe-journal-XXXXXX", path[128];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/journal", dir);
    struct rig *r = rig_new(9);
    struct replayed *got = calloc(1, sizeof *got);
    r->options.io = NULL;
    r->options.dir = path;
    r->options.free_percent_min = 0;
    r->options.segment_bytes_max = 3000;
    rig_start(r);
    struct journal *second;
    char why[JOURNAL_WHY_BYTES];
    assert_int_equal(journal_open(&r->options, &second, why), ERR_REFUSED);
    assert_non_null(strstr(why, "another process"));
    for (uint32_t id = 1; id <= 100; id++) {
        assert_int_equal(rig_append(r, id), ERR_NONE);
        rig_settle(r);
    }
    rig_turns(r, 2);
    struct journal_position end = rig_end(r);
    rig_stop(r);
    assert_int_equal(rig_open(r), ERR_NONE);
    assert_int_equal(rig_replay(r, BEGIN, got), ERR_NONE);
    rig_check(r, got);
    assert_int_equal(journal_drop_before(r->j, end.segment), ERR_NONE);
    journal_free(r->j);
    assert_int_equal(rig_open(r), ERR_NONE);
    assert_int_equal(journal_first_segment(r->j), end.segment);
    assert_int_equal(journal_drop_before(r->j, UINT64_MAX), ERR_NONE);
    journal_free(r->j);
    char name[JOURNAL_NAME_MAX], file[256];
    for (uint64_t n = 1; n < 200; n++) {
        journal_segment_name(name, n);
        (void)snprintf(file, sizeof file, "%s/%s", path, name);
        (void)unlink(file);
    }
    (void)snprintf(file, sizeof file, "%s/lock", path);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(dir), 0);
    free(got);
    rig_free(r);
}

static void test_names(void **state)
{
    (void)state;
    char name[JOURNAL_NAME_MAX];
    uint64_t number;
    journal_segment_name(name, 42);
    assert_string_equal(name, "journal-0000000042.ffj");
    assert_true(journal_segment_number(name, &number));
    assert_int_equal(number, 42);
    assert_false(journal_segment_number("journal-0000000000.ffj", &number));
    assert_false(journal_segment_number("journal-00000000x1.ffj", &number));
    assert_false(journal_segment_number("journal-0000000001.ffj~", &number));
    assert_false(journal_segment_number("lock", &number));
}

int main(void)
{
    log_setup(LOG_ERROR, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_order_and_replay),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_torn_tail_at_every_byte),
        cmocka_unit_test(test_damage_is_refused),
        cmocka_unit_test(test_payload_cannot_pretend),
        cmocka_unit_test(test_crash_at_every_operation),
        cmocka_unit_test(test_kill_at_every_operation),
        cmocka_unit_test(test_every_operation_fails_once),
        cmocka_unit_test(test_every_operation_fails_for_ever),
        cmocka_unit_test(test_down_and_up),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_clock_set_back),
        cmocka_unit_test(test_real_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
