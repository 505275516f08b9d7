/* SPDX-License-Identifier: Apache-2.0
 * Tallies against the same numbers found in the plainest way: a sorted list for every segment. */
#include "query/tally.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { ROWS_MAX = 70000, PAIR = 0, NARROW, WIDE, NUMBERS, SAME, EMPTY, COLUMNS };

static const enum tally_codes types[COLUMNS] = {TALLY_PAIR, TALLY_U8, TALLY_U16, TALLY_NUMBERS, TALLY_U8, TALLY_PAIR};

/* The views of a trial, and what a column says of each. */
static struct {
    size_t rows;
    int64_t watch_ms[ROWS_MAX], playing_ms[ROWS_MAX], numbers[ROWS_MAX];
    double value[ROWS_MAX], base[ROWS_MAX];
    uint64_t key[ROWS_MAX];
    uint8_t pair[ROWS_MAX], narrow[ROWS_MAX], same[ROWS_MAX], empty[ROWS_MAX];
    uint16_t wide[ROWS_MAX];
} in;

static uint64_t seed;
static uint64_t dice(uint64_t sides)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (seed * 0x2545f4914f6cdd1du >> 32) % sides;
}

/* Values of metrics: times in ms, mostly zero, fractions, one value only, large and negative ones. */
static double value_of(unsigned kind)
{
    switch (kind) {
    case 0: return (double)(200 + dice(3000) + dice(3000));
    case 1: return dice(10) < 8 ? 0 : (double)dice(5000);
    case 2: return (double)dice(1u << 30) / (1u << 30);
    case 3: return 0.25;
    case 4: return dice(2) ? (double)dice(4) : 1e12 + (double)dice(100);
    default: return (double)dice(1000) - 500.5;
    }
}

static void make(size_t rows, unsigned kind)
{
    in.rows = rows;
    for (size_t i = 0; i < rows; i++) {
        in.watch_ms[i] = (int64_t)dice(1u << 20);
        in.playing_ms[i] = (int64_t)dice(1u << 20);
        in.value[i] = value_of(kind);
        in.base[i] = (double)dice(100);
        in.key[i] = (dice(rows / 3 + 1) + 1) * 0x9e3779b97f4a7c15u;
        uint64_t skewed = dice(4) ? 2 : dice(12) + 2;
        in.pair[i] = (uint8_t)(skewed | (dice(3) ? 3 : dice(16)) << TALLY_PAIR_BITS);
        in.narrow[i] = (uint8_t)dice(256);
        in.wide[i] = (uint16_t)(dice(50) ? dice(40) : dice(TALLY_CODES_MAX));
        in.numbers[i] = dice(9) ? (int64_t)dice(90) * 1000 - 7 : INT64_MIN;
        in.same[i] = 5;
        in.empty[i] = 0;
    }
}

static size_t code_at(size_t column, unsigned part, size_t row, const struct tally *t)
{
    switch (column) {
    case PAIR: return part ? in.pair[row] >> TALLY_PAIR_BITS : in.pair[row] & (TALLY_PAIR_CODES - 1);
    case NARROW: return in.narrow[row];
    case WIDE: return in.wide[row];
    case SAME: return in.same[row];
    case EMPTY: return 0;
    default: break;
    }
    if (in.numbers[row] == INT64_MIN) return TALLY_NONE;
    size_t codes, code = TALLY_WORD;
    (void)tally_cells(t, NUMBERS, 0, &codes);
    while (code < codes && tally_number(t, NUMBERS, code) != in.numbers[row]) code++;
    assert_true(code < codes);
    return code;
}

static struct tally *tally_of(enum tally_want want, double level)
{
    struct tally_options o = {
        .want = want, .level = level, .columns = types, .column_count = COLUMNS, .rows_expected = in.rows / 2};
    struct tally *t = tally_new(&o);
    for (size_t at = 0, rows; at < in.rows; at += rows) {
        rows = dice(5) ? 1 + dice(9000) : 1;
        if (rows > in.rows - at) rows = in.rows - at;
        struct span columns[COLUMNS] = {
            [PAIR] = span_make(in.pair + at, rows),     [NARROW] = span_make(in.narrow + at, rows),
            [WIDE] = span_make(in.wide + at, rows * 2), [NUMBERS] = span_make(in.numbers + at, rows * 8),
            [SAME] = span_make(in.same + at, rows),     [EMPTY] = span_make(in.empty + at, rows)};
        struct tally_block b = {.rows = rows,
                                .watch_ms = span_make(in.watch_ms + at, rows * 8),
                                .playing_ms = span_make(in.playing_ms + at, rows * 8),
                                .columns = columns};
        if (want == TALLY_DISTINCT) b.key = span_make(in.key + at, rows * 8);
        else b.value = span_make(in.value + at, rows * 8);
        if (want == TALLY_SUMS) b.base = span_make(in.base + at, rows * 8);
        assert_true(tally_add(t, &b));
    }
    tally_finish(t);
    return t;
}

static int ascending(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* Of the views with this code: what the tally should say. The value only for a percentile or distinct keys. */
static struct tally_cell expected(size_t code, enum tally_want want, double level, const size_t *codes_of_rows)
{
    static double values[ROWS_MAX];
    struct tally_cell e = {0};
    size_t n = 0;
    for (size_t i = 0; i < in.rows; i++) {
        if (codes_of_rows[i] != code) continue;
        e.views++;
        e.watch_ms += in.watch_ms[i];
        e.playing_ms += in.playing_ms[i];
        e.value += in.value[i];
        e.base += in.base[i];
        values[n++] = want == TALLY_DISTINCT ? (double)(in.key[i] >> 12) : in.value[i];
    }
    if (want == TALLY_SUMS || n == 0) return e;
    qsort(values, n, sizeof *values, ascending);
    if (want == TALLY_DISTINCT) {
        e.value = 1;
        for (size_t i = 1; i < n; i++) e.value += values[i] > values[i - 1];
        return e;
    }
    double h = level * (double)(n - 1);
    size_t low = (size_t)floor(h), high = low + 1 < n ? low + 1 : low;
    e.value = values[low] + (h - (double)low) * (values[high] - values[low]);
    return e;
}

static void assert_close(double a, double b)
{
    double scale = fabs(a) > fabs(b) ? fabs(a) : fabs(b);
    if (fabs(a - b) > 1e-11 * scale) fail_msg("%.17g is not %.17g", a, b);
}

static void check(enum tally_want want, double level)
{
    static size_t codes_of_rows[ROWS_MAX];
    struct tally *t = tally_of(want, level);
    for (size_t column = 0; column < COLUMNS; column++) {
        for (unsigned part = 0; part < (types[column] == TALLY_PAIR ? 2u : 1u); part++) {
            size_t codes, views = 0;
            const struct tally_cell *cells = tally_cells(t, column, part, &codes);
            for (size_t i = 0; i < in.rows; i++) codes_of_rows[i] = code_at(column, part, i, t);
            for (size_t code = 0; code < codes; code++) {
                views += (size_t)cells[code].views;
                if (column == WIDE && code > 60 && code % 97) continue; /* most have a view or two */
                struct tally_cell e = expected(code, want, level, codes_of_rows);
                assert_int_equal(cells[code].views, e.views);
                assert_int_equal(cells[code].watch_ms, e.watch_ms);
                assert_int_equal(cells[code].playing_ms, e.playing_ms);
                if (want == TALLY_SUMS) assert_close(cells[code].base, e.base);
                /* Of views without a value nothing is asked. */
                if (e.views && (want == TALLY_SUMS || code != TALLY_NONE)) assert_close(cells[code].value, e.value);
            }
            assert_int_equal(views, in.rows);
        }
    }
    tally_free(t);
}

static void test_sums(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 1023, 1024, 1025, 40000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        make(sizes[i], (unsigned)i % 6);
        check(TALLY_SUMS, 0);
    }
}

static void test_percentiles(void **state)
{
    (void)state;
    static const double levels[] = {0.5, 0.95, 0.05, 0, 1};
    static const size_t sizes[] = {1, 2, 3, 255, 257, 30000, ROWS_MAX};
    for (unsigned kind = 0; kind < 6; kind++) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            make(sizes[i], kind);
            check(TALLY_PERCENTILE, levels[(kind + i) % COUNT(levels)]);
        }
    }
}

static void test_distinct(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 5000, 40000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        make(sizes[i], 0);
        check(TALLY_DISTINCT, 0);
    }
}

static void test_no_views(void **state)
{
    (void)state;
    in.rows = 0;
    check(TALLY_SUMS, 0);
    check(TALLY_PERCENTILE, 0.5);
    check(TALLY_DISTINCT, 0);
}

/* -- what is refused -- */

static bool add_wide(struct tally *t, const uint16_t *codes, size_t rows, size_t bytes)
{
    static const int64_t zeros[16];
    struct span column = span_make(codes, bytes), zero = span_make(zeros, rows * 8);
    struct tally_block b = {.rows = rows, .watch_ms = zero, .playing_ms = zero, .value = zero, .columns = &column};
    return tally_add(t, &b);
}

static void test_refused(void **state)
{
    (void)state;
    static const enum tally_codes wide = TALLY_U16;
    static const uint16_t good[2] = {2, TALLY_CODES_MAX - 1}, bad[2] = {2, TALLY_CODES_MAX};
    struct tally_options o = {.want = TALLY_SUMS, .columns = &wide, .column_count = 1};
    struct tally *t = tally_new(&o);
    assert_true(add_wide(t, good, 2, 4));
    assert_false(add_wide(t, good, 2, 3));
    assert_false(add_wide(t, good, 2, 2));
    assert_false(add_wide(t, bad, 2, 4));
    tally_free(t);
}

static void test_too_many_numbers(void **state)
{
    (void)state;
    enum { MORE = 500, ALL = TALLY_CODES_MAX + MORE };
    static const enum tally_codes numbers = TALLY_NUMBERS;
    static int64_t values[ALL], zeros[ALL];
    for (size_t i = 0; i < ALL; i++) values[i] = (int64_t)i * 4097;
    struct span column = span_make(values, sizeof values), zero = span_make(zeros, sizeof zeros);
    struct tally_options o = {.want = TALLY_SUMS, .columns = &numbers, .column_count = 1};
    struct tally_block b = {.rows = ALL, .watch_ms = zero, .playing_ms = zero, .value = zero, .columns = &column};
    struct tally *t = tally_new(&o);
    assert_true(tally_add(t, &b));
    tally_finish(t);
    size_t codes;
    const struct tally_cell *cells = tally_cells(t, 0, 0, &codes);
    assert_int_equal(codes, TALLY_CODES_MAX);
    assert_int_equal(cells[TALLY_OTHER].views, MORE + TALLY_WORD);
    for (size_t code = TALLY_WORD; code < codes; code++) {
        assert_int_equal(cells[code].views, 1);
        assert_int_equal(tally_number(t, 0, code), (int64_t)(code - TALLY_WORD) * 4097);
    }
    tally_free(t);
}

int main(void)
{
    const char *given = getenv("FIRSTFRAME_SEED");
    seed = given ? strtoull(given, NULL, 10) : 20261126;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),     cmocka_unit_test(test_percentiles), cmocka_unit_test(test_distinct),
        cmocka_unit_test(test_no_views), cmocka_unit_test(test_refused),     cmocka_unit_test(test_too_many_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
