/* SPDX-License-Identifier: Apache-2.0
 * Tallies against the same numbers found in the plainest way: a sorted list for every segment. */
#include "query/tally.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { ROWS_MAX = 150000, NARROW = 0, WIDE, SAME, EMPTY, COLUMNS };
enum { NARROW_CODES = 200, WIDE_CODES = 5000, PARTS_MAX = 3 };

/* How many parts a column has, how many numbers these have at most, and how wide the places of its codes are. */
static const size_t part_counts[COLUMNS] = {3, 2, 1, 1}, code_counts[COLUMNS] = {NARROW_CODES, WIDE_CODES, 6, 1};
static const size_t number_counts[COLUMNS][PARTS_MAX] = {{8, 14, 1}, {WIDE_CODES, 41}, {4}, {1}};
static const unsigned widths[COLUMNS] = {1, 2, 4, 8};

/* The views of a trial. */
static struct {
    size_t rows;
    int64_t watch_ms[ROWS_MAX], playing_ms[ROWS_MAX];
    double value[ROWS_MAX], base[ROWS_MAX];
    uint64_t key[ROWS_MAX];
    uint16_t codes[COLUMNS][ROWS_MAX];
} in;

/* What a part says of a code. */
static uint16_t number_of(size_t column, size_t part, size_t code)
{
    switch (column) {
    case NARROW: return (uint16_t)(part == 0 ? code % 8 : part == 1 ? code / 16 + 1 : 0);
    case WIDE: return (uint16_t)(part == 0 ? code : code % 50 ? code % 40 + 1 : 0);
    case SAME: return 3;
    default: return 0;
    }
}

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
        in.codes[NARROW][i] = (uint16_t)(dice(4) ? 17 : dice(NARROW_CODES));
        in.codes[WIDE][i] = (uint16_t)(dice(50) ? dice(40) : dice(WIDE_CODES));
        in.codes[SAME][i] = 5;
        in.codes[EMPTY][i] = 0;
    }
}

/* The codes of some rows as they come: each once, and every row's place among them. */
static struct tally_codes codes_of(size_t column, size_t from, size_t rows)
{
    static uint16_t words[COLUMNS][WIDE_CODES];
    static uint32_t place_of[WIDE_CODES];
    static char places[COLUMNS][ROWS_MAX * 8];
    size_t n = 0;
    memset(place_of, 0, sizeof place_of);
    for (size_t i = 0; i < rows; i++) {
        uint16_t code = in.codes[column][from + i];
        if (place_of[code] == 0) words[column][n++] = code, place_of[code] = (uint32_t)n;
        uint64_t place = place_of[code] - 1;
        memcpy(places[column] + i * widths[column], &place, widths[column]);
    }
    return (struct tally_codes){.codes = words[column],
                                .count = n,
                                .places = span_make(places[column], rows * widths[column]),
                                .width = widths[column]};
}

/* A part's numbers, as many as there are codes. */
static void finish(struct tally *t)
{
    static uint16_t numbers[COLUMNS][PARTS_MAX][WIDE_CODES];
    struct tally_part items[COLUMNS][PARTS_MAX];
    struct tally_parts parts[COLUMNS];
    for (size_t column = 0; column < COLUMNS; column++) {
        assert_true(tally_codes(t, column) <= code_counts[column]);
        parts[column] = (struct tally_parts){items[column], part_counts[column]};
        for (size_t part = 0; part < part_counts[column]; part++) {
            for (size_t code = 0; code < code_counts[column]; code++)
                numbers[column][part][code] = number_of(column, part, code);
            items[column][part] = (struct tally_part){numbers[column][part], number_counts[column][part]};
        }
    }
    tally_finish(t, parts);
}

static struct tally *tally_of(enum tally_want want, double level)
{
    struct tally_options o = {.want = want, .level = level, .column_count = COLUMNS, .bytes_max = SIZE_MAX};
    struct tally *t = tally_new(&o);
    for (size_t at = 0, rows; at < in.rows; at += rows) {
        rows = dice(5) ? 1 + dice(9000) : 1;
        if (rows > in.rows - at) rows = in.rows - at;
        if (rows > 200 && dice(3) == 0) rows = 200; /* less codes than there are, and so fewer than make a difference */
        struct tally_codes columns[COLUMNS];
        for (size_t column = 0; column < COLUMNS; column++) columns[column] = codes_of(column, at, rows);
        struct tally_block b = {.rows = rows,
                                .watch_ms = span_make(in.watch_ms + at, rows * 8),
                                .playing_ms = span_make(in.playing_ms + at, rows * 8),
                                .columns = columns};
        if (want == TALLY_DISTINCT) b.key = span_make(in.key + at, rows * 8);
        else b.value = span_make(in.value + at, rows * 8);
        if (want == TALLY_SUMS) b.base = span_make(in.base + at, rows * 8);
        assert_int_equal(tally_add(t, &b), ERR_NONE);
    }
    finish(t);
    return t;
}

static int ascending(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* Of the views with this number: what the tally should say. The value only for a percentile or distinct keys. */
static struct tally_cell expected(size_t number, enum tally_want want, double level, const size_t *numbers_of_rows)
{
    static double values[ROWS_MAX];
    struct tally_cell e = {0};
    size_t n = 0;
    for (size_t i = 0; i < in.rows; i++) {
        if (numbers_of_rows[i] != number) continue;
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
    static size_t numbers_of_rows[ROWS_MAX];
    struct tally *t = tally_of(want, level);
    for (size_t column = 0; column < COLUMNS; column++) {
        for (size_t part = 0; part < part_counts[column]; part++) {
            const struct tally_cell *cells = tally_cells(t, column, part);
            size_t views = 0;
            for (size_t i = 0; i < in.rows; i++) numbers_of_rows[i] = number_of(column, part, in.codes[column][i]);
            for (size_t number = 0; number < number_counts[column][part]; number++) {
                views += (size_t)cells[number].views;
                if (column == WIDE && number > 60 && number % 97) continue; /* most have a view or two */
                struct tally_cell e = expected(number, want, level, numbers_of_rows);
                assert_int_equal(cells[number].views, e.views);
                assert_int_equal(cells[number].watch_ms, e.watch_ms);
                assert_int_equal(cells[number].playing_ms, e.playing_ms);
                if (want == TALLY_SUMS) assert_close(cells[number].base, e.base);
                /* Of views without a value nothing is asked. */
                if (e.views && (want == TALLY_SUMS || number)) assert_close(cells[number].value, e.value);
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
    static const size_t sizes[] = {1, 2, 3, 255, 257, 30000, 70000};
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

/* Keys of many views, more than are compared with each other, and many keys that begin alike, as hashes do not. */
static void test_distinct_skewed(void **state)
{
    (void)state;
    make(70000, 0);
    for (size_t i = 0; i < in.rows; i++) {
        if (i % 3 == 0) in.key[i] = (7 + dice(3)) << 12;
        if (i % 3 == 1) in.key[i] = (UINT64_C(0xabcde) << 44) + (dice(5000) << 12);
    }
    check(TALLY_DISTINCT, 0);
}

/* A key that nearly all views have, more of them than are put in order. */
static void test_distinct_heavy(void **state)
{
    (void)state;
    make(ROWS_MAX, 0);
    for (size_t i = 0; i < in.rows; i++) in.key[i] = (UINT64_C(0xab) << 56) + (i % 20 ? 4096 : in.key[i] >> 12 << 12 & 0xffffff);
    check(TALLY_DISTINCT, 0);
}

/* The first views tell how values are spread; later ones may be spread otherwise. */
static void test_percentiles_drift(void **state)
{
    (void)state;
    make(ROWS_MAX, 0);
    for (size_t i = in.rows / 4; i < in.rows; i++) in.value[i] += 1e6;
    check(TALLY_PERCENTILE, 0.5);
    check(TALLY_PERCENTILE, 0.05);
    make(ROWS_MAX, 1);
    for (size_t i = 0; i < in.rows; i++) in.value[i] = i < 9100 ? 1e12 : in.value[i];
    check(TALLY_PERCENTILE, 0.95);
}

/* The same value for all, with codes that have no bank: a mean of exactly that value, as ties need it. */
static void test_rounding(void **state)
{
    (void)state;
    make(ROWS_MAX, 3);
    for (size_t i = 0; i < in.rows; i++) in.value[i] = 0.1, in.codes[WIDE][i] = (uint16_t)(i % 20 ? 7 : i % WIDE_CODES);
    struct tally *t = tally_of(TALLY_SUMS, 0);
    const struct tally_cell *cell = &tally_cells(t, WIDE, 0)[7];
    assert_true(fabs(cell->value / (double)cell->views - 0.1) < 1e-13);
    tally_free(t);
}

/* -- what is refused -- */

static enum err add(struct tally *t, struct tally_codes codes, size_t rows)
{
    static const int64_t zeros[4096];
    struct span zero = span_make(zeros, rows * 8);
    struct tally_block b = {.rows = rows, .watch_ms = zero, .playing_ms = zero, .value = zero, .columns = &codes};
    return tally_add(t, &b);
}

static void test_refused(void **state)
{
    (void)state;
    static const uint16_t words[3] = {2, TALLY_CODES_MAX - 1, TALLY_CODES_MAX};
    struct tally_options o = {.want = TALLY_SUMS, .column_count = 1, .bytes_max = SIZE_MAX};
    struct tally *t = tally_new(&o);
    assert_int_equal(add(t, (struct tally_codes){words, 2, SPAN("\1\0"), 1}, 2), ERR_NONE);
    assert_int_equal(add(t, (struct tally_codes){words, 2, SPAN("\1\0\0"), 1}, 2), ERR_CORRUPT);
    assert_int_equal(add(t, (struct tally_codes){words, 2, SPAN("\1\2"), 1}, 2), ERR_CORRUPT);
    assert_int_equal(add(t, (struct tally_codes){words, 3, SPAN("\1\0"), 1}, 2), ERR_CORRUPT);
    assert_int_equal(add(t, (struct tally_codes){words, 2, SPAN("\1\0\0\0\0\0"), 3}, 2), ERR_CORRUPT);
    tally_free(t);
}

static void test_more_than_may_be_kept(void **state)
{
    (void)state;
    static const uint16_t word = 0;
    static const char places[4096];
    struct tally_options o = {.want = TALLY_PERCENTILE, .level = 0.5, .column_count = 1, .bytes_max = 1 << 20};
    struct tally *t = tally_new(&o);
    struct tally_codes codes = {&word, 1, span_make(places, sizeof places), 1};
    enum err e = ERR_NONE;
    size_t rows = 0;
    for (; e == ERR_NONE && rows < 1000000; rows += sizeof places) e = add(t, codes, sizeof places);
    assert_int_equal(e, ERR_FULL);
    assert_in_range(rows, (1 << 19) / tally_bytes_a_view(TALLY_PERCENTILE, 1),
                    (2 << 20) / tally_bytes_a_view(TALLY_PERCENTILE, 1));
    tally_free(t);
}

int main(void)
{
    const char *given = getenv("FIRSTFRAME_SEED");
    seed = given ? strtoull(given, NULL, 10) : 20261126;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_percentiles_drift),
        cmocka_unit_test(test_distinct),
        cmocka_unit_test(test_distinct_skewed),
        cmocka_unit_test(test_distinct_heavy),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_no_views),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_more_than_may_be_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
