/* SPDX-License-Identifier: Apache-2.0
 * Checkpoints: sections written by several threads come back whole; the newest valid one is found whatever happens to
 * its file; a crash at any operation leaves the last committed one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "journal/checkpoint.h"
#include "memory_io.h"

enum { SECTIONS = 5, SECTION_MAX = 3 << 20 };

/* The bytes of a section of checkpoint n; some sections are empty, one is longer than several chunks. */
static void section_bytes(struct buf *out, uint64_t n, uint32_t section, bool large)
{
    size_t len = section == 2 ? 0 : (size_t)(n * 131 + section * 977);
    if (large && section == 3) len = 700000;
    buf_clear(out);
    for (size_t i = 0; i < len; i++) buf_addc(out, (char)(n + section * 7 + i * 31 + i / 251));
}

struct adder {
    struct checkpoint_writer *w;
    uint64_t n;
    uint32_t section;
    bool large, ok;
};

static void *add_section(void *arg)
{
    struct adder *a = arg;
    struct buf bytes;
    buf_init(&bytes, SECTION_MAX);
    section_bytes(&bytes, a->n, a->section, a->large);
    struct span rest = buf_span(&bytes);
    a->ok = true;
    for (size_t step = 1; rest.len && a->ok; step = step * 3 % 5003) {
        struct span now = span_upto(rest, step);
        a->ok = checkpoint_add(a->w, a->section, now);
        rest = span_from(rest, now.len);
    }
    buf_free(&bytes);
    return NULL;
}

static struct journal_position position_of(uint64_t n)
{
    return (struct journal_position){n + 1, 64 + n};
}

static enum err put(struct memory_io *m, uint64_t n, bool threads, bool large, struct journal_position *needed)
{
    struct checkpoint_facts stored;
    struct checkpoint_writer *w;
    if (checkpoint_begin(&m->io, "d", SECTIONS, &w) != ERR_NONE) return ERR_IO;
    struct adder work[SECTIONS];
    pthread_t ids[SECTIONS];
    bool ok = true;
    for (uint32_t s = 0; s < SECTIONS; s++) {
        work[s] = (struct adder){w, n, s, large, false};
        if (threads) assert_int_equal(pthread_create(&ids[s], NULL, add_section, &work[s]), 0);
        else (void)add_section(&work[s]);
    }
    for (uint32_t s = 0; s < SECTIONS; s++) {
        if (threads) assert_int_equal(pthread_join(ids[s], NULL), 0);
        ok = ok && work[s].ok;
    }
    if (!ok || checkpoint_seal(w, position_of(n), (int64_t)n * 1000, 5) != ERR_NONE) {
        checkpoint_abandon(w);
        return ERR_IO;
    }
    enum err e = checkpoint_commit(w, &stored, needed);
    if (e == ERR_NONE) assert_true(stored.bytes > 64);
    return e;
}

/* Which checkpoint is found, with all its sections as they were written; 0: none. */
static uint64_t found(struct memory_io *m, uint64_t first_segment, bool large)
{
    struct checkpoint *c;
    char why[JOURNAL_WHY_BYTES];
    enum err e = checkpoint_find(&m->io, "d", first_segment, &c, why);
    if (e != ERR_NONE) {
        assert_int_equal(e, ERR_CORRUPT);
        assert_true(strlen(why) > 10);
        return UINT64_MAX;
    }
    if (c == NULL) return 0;
    const struct checkpoint_facts *f = checkpoint_facts(c);
    uint64_t n = f->position.segment - 1;
    assert_int_equal(f->position.offset, 64 + n);
    assert_int_equal(f->clock_ms, n * 1000);
    assert_int_equal(f->sections, SECTIONS);
    struct buf got, want;
    buf_init(&got, SECTION_MAX);
    buf_init(&want, SECTION_MAX);
    for (uint32_t s = 0; s < SECTIONS; s++) {
        section_bytes(&want, n, s, large);
        assert_int_equal(checkpoint_section(c, s, &got), ERR_NONE);
        assert_int_equal(checkpoint_section_bytes(c, s), want.len);
        assert_true(span_eq(buf_span(&got), buf_span(&want)));
    }
    buf_free(&got);
    buf_free(&want);
    checkpoint_close(c);
    return n;
}

static void test_write_and_find(void **state)
{
    (void)state;
    struct memory_io *m = memory_new(1);
    struct journal_position needed;
    m->pwrite_max = 100000;
    assert_int_equal(found(m, 0, true), 0);
    assert_int_equal(found(m, 1, true), 0);
    assert_int_equal(found(m, 2, true), UINT64_MAX); /* the beginning is gone and nothing stands for it */
    assert_int_equal(put(m, 1, true, true, &needed), ERR_NONE);
    assert_int_equal(needed.segment, 1);
    assert_int_equal(needed.offset, 0);
    assert_int_equal(found(m, 1, true), 1);
    assert_int_equal(put(m, 2, true, true, &needed), ERR_NONE);
    assert_int_equal(needed.segment, position_of(1).segment);
    assert_int_equal(needed.offset, position_of(1).offset);
    assert_int_equal(put(m, 3, true, true, &needed), ERR_NONE);
    assert_int_equal(found(m, 3, true), 3);
    assert_null(memory_bytes(m, "d/checkpoint-0000000001.ffc"));
    assert_non_null(memory_bytes(m, "d/checkpoint-0000000002.ffc"));
    memory_crash(m);
    assert_int_equal(found(m, 3, true), 3);
    assert_int_equal(found(m, 5, true), UINT64_MAX);
    memory_free(m);
}

static void test_damaged_newest(void **state)
{
    (void)state;
    struct memory_io *m = memory_new(2);
    struct journal_position needed;
    assert_int_equal(put(m, 1, false, false, &needed), ERR_NONE);
    assert_int_equal(put(m, 2, false, false, &needed), ERR_NONE);
    const char *path = "d/checkpoint-0000000002.ffc";
    size_t whole = memory_bytes(m, path)->len;
    for (size_t at = 0; at < whole; at++)
        for (int how = 0; how < 2; how++) {
            struct buf *b = memory_bytes(m, path);
            char byte = b->ptr[at];
            if (how) b->len = at;
            else b->ptr[at] ^= 0x10;
            assert_int_equal(found(m, 1, false), 1);
            assert_null(memory_bytes(m, path)); /* out of the way of the next commit */
            assert_int_equal(m->io.rename(m, "d/checkpoint-0000000002.ffc.damaged", path), 0);
            b = memory_bytes(m, path);
            b->len = whole;
            b->ptr[at] = byte;
            m->step_count = 0;
        }
    assert_int_equal(found(m, 1, false), 2);
    buf_addc(memory_bytes(m, path), 'x'); /* more than there should be */
    assert_int_equal(found(m, 1, false), 1);
    assert_int_equal(put(m, 3, false, false, &needed), ERR_NONE);
    assert_int_equal(needed.segment, position_of(1).segment);
    assert_int_equal(found(m, 1, false), 3);
    memory_free(m);
}

/* Something goes wrong at every operation in turn; what was committed stays, and the next one works. */
static void test_anomalies(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        bool reached = true;
        for (long n = 1; reached; n++) {
            struct memory_io *m = memory_new((uint64_t)(n * 3 + how));
            struct journal_position needed;
            uint64_t committed = 0, tried = 0;
            if (how == 0) m->crash_at = n;
            else m->fail_at = n, m->fail_for_ever = how == 2;
            while (tried < 4)
                if (put(m, ++tried, false, false, &needed) == ERR_NONE) committed = tried;
            reached = m->ops >= n;
            if (n % 2 && how) memory_kill(m);
            else memory_crash(m);
            uint64_t now = found(m, 1, false);
            assert_true(now >= committed);
            assert_true(now <= tried);
            assert_int_equal(put(m, 9, false, false, &needed), ERR_NONE);
            assert_true(needed.segment <= (now ? position_of(now).segment : 1));
            memory_crash(m);
            assert_int_equal(found(m, 1, false), 9);
            memory_free(m);
        }
    }
}

int main(void)
{
    log_setup(LOG_ERROR, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_find),
        cmocka_unit_test(test_damaged_newest),
        cmocka_unit_test(test_anomalies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
