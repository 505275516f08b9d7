/* SPDX-License-Identifier: Apache-2.0
 * Sums are added up block by block. Percentiles and distinct keys need all views: their values and codes are kept, a
 * byte or two for each dimension.
 *
 * A percentile is found in two passes over a dimension. Before, every view gets the number of its value's range among
 * 256 ranges of about as many views each; the first pass counts views by code and range, which tells in which range of
 * each code the wanted ranks lie; the second collects the values in just those, a 256th of all, and selects. */
#include "query/tally.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { RANGES = 256, SAMPLE_MAX = 65536, CHUNK = 16384, NUMBER_SLOTS = 4 * TALLY_CODES_MAX };
/* Rows that all columns are gone through for, before the next: they stay in the innermost cache. */
enum { STRIP = 1024 };

/* The sums of a block, four for each code: views that follow each other have the same code more often than not, and
 * then an addition would wait for the one before it. Adding up by blocks also keeps the rounding of millions of views
 * small.
 */
enum { BANKS = 4 };
typedef int64_t whole_pair __attribute__((vector_size(16)));
typedef double real_pair __attribute__((vector_size(16)));
struct sums {
    whole_pair times; /* watch and playing time, ms */
    real_pair reals;  /* value and base */
};

struct column {
    enum tally_codes type;
    size_t codes;                /* seen: the largest and one */
    struct tally_cell *cells;    /* by code */
    struct tally_cell *parts[2]; /* of a pair, from tally_finish on: by code of either */
    struct sums *sums[BANKS];    /* by code, zero between blocks; views beside them */
    uint32_t *views[BANKS];
    void *kept;                /* rows: uint8_t, or uint16_t of the wider two */
    int64_t *numbers;          /* TALLY_NUMBERS: by code */
    struct number_slot *slots; /* TALLY_NUMBERS: NUMBER_SLOTS */
};

struct number_slot {
    int64_t number;
    uint16_t code; /* 0: free */
};

struct tally {
    enum tally_want want;
    double level;
    size_t rows, room;
    double *values;           /* TALLY_PERCENTILE */
    uint64_t *keys;           /* TALLY_DISTINCT */
    struct sums strip[STRIP]; /* what the rows at hand add */
    uint16_t codes[STRIP];
    struct column *columns;
    size_t column_count;
};

static void *grown(void *memory, size_t count, size_t size)
{
    void *p = realloc(memory, (count ? count : 1) * size);
    BUG_IF(p == NULL);
    return p;
}

static void *zeroed(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    BUG_IF(p == NULL);
    return p;
}

static bool is_wide(const struct column *c)
{
    return c->type == TALLY_U16 || c->type == TALLY_NUMBERS;
}

static size_t kept_bytes(const struct column *c)
{
    return is_wide(c) ? 2 : 1;
}

static void room_for(struct tally *t, size_t rows)
{
    if (t->want == TALLY_SUMS || rows <= t->room) return;
    t->room = rows > t->room + t->room / 2 ? rows : t->room + t->room / 2;
    if (t->want == TALLY_PERCENTILE) t->values = grown(t->values, t->room, sizeof *t->values);
    else t->keys = grown(t->keys, t->room, sizeof *t->keys);
    for (size_t i = 0; i < t->column_count; i++)
        t->columns[i].kept = grown(t->columns[i].kept, t->room, kept_bytes(&t->columns[i]));
}

struct tally *tally_new(const struct tally_options *o)
{
    struct tally *t = zeroed(1, sizeof *t);
    t->want = o->want;
    t->level = o->level;
    t->column_count = o->column_count;
    t->columns = zeroed(o->column_count, sizeof *t->columns);
    for (size_t i = 0; i < t->column_count; i++) {
        struct column *c = &t->columns[i];
        c->type = o->columns[i];
        c->codes = TALLY_WORD;
        size_t most = is_wide(c) ? TALLY_CODES_MAX : UINT8_MAX + 1;
        c->cells = zeroed(most, sizeof *c->cells);
        for (size_t b = 0; b < BANKS; b++) {
            c->sums[b] = zeroed(most, sizeof *c->sums[b]);
            c->views[b] = zeroed(most, sizeof *c->views[b]);
        }
        if (c->type != TALLY_NUMBERS) continue;
        c->numbers = zeroed(TALLY_CODES_MAX, sizeof *c->numbers);
        c->slots = zeroed(NUMBER_SLOTS, sizeof *c->slots);
    }
    room_for(t, o->rows_expected);
    return t;
}

void tally_free(struct tally *t)
{
    if (t == NULL) return;
    for (size_t i = 0; i < t->column_count; i++) {
        struct column *c = &t->columns[i];
        free(c->cells);
        free(c->parts[0]), free(c->parts[1]);
        for (size_t b = 0; b < BANKS; b++) free(c->sums[b]), free(c->views[b]);
        free(c->kept);
        free(c->numbers);
        free(c->slots);
    }
    free(t->columns);
    free(t->values);
    free(t->keys);
    free(t);
}

/* -- a block -- */

static uint16_t number_code(struct column *c, int64_t number)
{
    if (number == INT64_MIN) return TALLY_NONE;
    size_t at = (size_t)(((uint64_t)number * 0x9e3779b97f4a7c15u) >> 32) % NUMBER_SLOTS;
    while (c->slots[at].code && c->slots[at].number != number) at = (at + 1) % NUMBER_SLOTS;
    if (c->slots[at].code) return c->slots[at].code;
    if (c->codes == TALLY_CODES_MAX) return TALLY_OTHER;
    c->slots[at] = (struct number_slot){number, (uint16_t)c->codes};
    c->numbers[c->codes] = number;
    return (uint16_t)c->codes++;
}

/* The column's codes of the strip, into t->codes. */
static bool codes_read(struct tally *t, struct column *c, const char *in, size_t rows)
{
    switch (c->type) {
    case TALLY_PAIR:
    case TALLY_U8:
        for (size_t i = 0; i < rows; i++) t->codes[i] = (uint8_t)in[i];
        break;
    case TALLY_U16: memcpy(t->codes, in, rows * sizeof *t->codes); break;
    case TALLY_NUMBERS:
        for (size_t i = 0; i < rows; i++) {
            int64_t number;
            memcpy(&number, in + i * sizeof number, sizeof number);
            t->codes[i] = number_code(c, number);
        }
        return true;
    }
    uint16_t most = 0;
    for (size_t i = 0; i < rows; i++) most = t->codes[i] > most ? t->codes[i] : most;
    if (most >= TALLY_CODES_MAX) return false;
    if (most >= c->codes) c->codes = (size_t)most + 1;
    return true;
}

static void cell_add(struct tally_cell *to, const struct sums *from, int64_t views)
{
    to->views += views;
    to->watch_ms += from->times[0];
    to->playing_ms += from->times[1];
    to->value += from->reals[0];
    to->base += from->reals[1];
}

static inline void row_add(struct sums *to, const struct sums *row)
{
    to->times += row->times;
    to->reals += row->reals;
}

static void column_add(struct tally *t, struct column *c, size_t rows, const struct sums *whole)
{
    /* Most dimensions that are not in use, and some that are, have one value for long. */
    if (memcmp(t->codes, t->codes + 1, (rows - 1) * sizeof *t->codes) == 0) {
        row_add(&c->sums[0][t->codes[0]], whole);
        c->views[0][t->codes[0]] += (uint32_t)rows;
        return;
    }
    size_t i = 0;
    for (; i + BANKS <= rows; i += BANKS) {
        for (size_t b = 0; b < BANKS; b++) {
            row_add(&c->sums[b][t->codes[i + b]], &t->strip[i + b]);
            c->views[b][t->codes[i + b]]++;
        }
    }
    for (; i < rows; i++) row_add(&c->sums[0][t->codes[i]], &t->strip[i]), c->views[0][t->codes[i]]++;
}

/* At the end of a block. */
static void column_sum(struct column *c)
{
    for (size_t b = 0; b < BANKS; b++) {
        for (size_t code = 0; code < c->codes; code++) cell_add(&c->cells[code], &c->sums[b][code], c->views[b][code]);
        memset(c->sums[b], 0, c->codes * sizeof *c->sums[b]);
        memset(c->views[b], 0, c->codes * sizeof *c->views[b]);
    }
}

static void column_keep(struct tally *t, struct column *c, size_t rows)
{
    if (t->want == TALLY_SUMS) return;
    if (is_wide(c)) {
        memcpy((uint16_t *)c->kept + t->rows, t->codes, rows * sizeof *t->codes);
        return;
    }
    uint8_t *to = (uint8_t *)c->kept + t->rows;
    for (size_t i = 0; i < rows; i++) to[i] = (uint8_t)t->codes[i];
}

static size_t code_bytes(const struct column *c)
{
    static const size_t bytes[] = {[TALLY_PAIR] = 1, [TALLY_U8] = 1, [TALLY_U16] = 2, [TALLY_NUMBERS] = 8};
    return bytes[c->type];
}

static bool lengths_good(const struct tally *t, const struct tally_block *b)
{
    size_t bytes = b->rows * 8;
    for (size_t i = 0; i < t->column_count; i++)
        if (b->columns[i].len != b->rows * code_bytes(&t->columns[i])) return false;
    if (b->watch_ms.len != bytes || b->playing_ms.len != bytes) return false;
    if (t->want == TALLY_DISTINCT) return b->key.len == bytes;
    return b->value.len == bytes && (b->base.len == bytes || b->base.len == 0);
}

static int64_t whole_at(struct span s, size_t i)
{
    int64_t v = 0;
    if (s.len) memcpy(&v, s.ptr + i * sizeof v, sizeof v);
    return v;
}

static double real_at(struct span s, size_t i)
{
    double v = 0;
    if (s.len) memcpy(&v, s.ptr + i * sizeof v, sizeof v);
    return v;
}

static bool strip_add(struct tally *t, const struct tally_block *b, size_t from, size_t rows)
{
    struct sums whole = {0};
    for (size_t i = 0; i < rows; i++) {
        size_t row = from + i;
        t->strip[i] = (struct sums){.times = {whole_at(b->watch_ms, row), whole_at(b->playing_ms, row)},
                                    .reals = {real_at(b->value, row), real_at(b->base, row)}};
        row_add(&whole, &t->strip[i]);
    }
    for (size_t i = 0; i < t->column_count; i++) {
        struct column *c = &t->columns[i];
        if (!codes_read(t, c, b->columns[i].ptr + from * code_bytes(c), rows)) return false;
        column_add(t, c, rows, &whole);
        column_keep(t, c, rows);
    }
    t->rows += rows;
    return true;
}

bool tally_add(struct tally *t, const struct tally_block *b)
{
    if (b->rows == 0) return true;
    if (!lengths_good(t, b)) return false;
    room_for(t, t->rows + b->rows);
    if (t->want == TALLY_PERCENTILE) memcpy(t->values + t->rows, b->value.ptr, b->value.len);
    if (t->want == TALLY_DISTINCT) memcpy(t->keys + t->rows, b->key.ptr, b->key.len);
    for (size_t from = 0; from < b->rows; from += STRIP)
        if (!strip_add(t, b, from, b->rows - from < STRIP ? b->rows - from : STRIP)) return false;
    for (size_t i = 0; i < t->column_count; i++) column_sum(&t->columns[i]);
    return true;
}

/* -- what was kept, a chunk at a time -- */

static const uint16_t *codes_at(const struct column *c, size_t from, size_t rows, uint16_t *wide)
{
    if (is_wide(c)) return (const uint16_t *)c->kept + from;
    const uint8_t *narrow = (const uint8_t *)c->kept + from;
    for (size_t i = 0; i < rows; i++) wide[i] = narrow[i];
    return wide;
}

static size_t chunk_rows(const struct tally *t, size_t from)
{
    return t->rows - from < CHUNK ? t->rows - from : CHUNK;
}

/* -- the parts of a column: its dimensions -- */

static unsigned part_count(const struct column *c)
{
    return c->type == TALLY_PAIR ? 2 : 1;
}

static size_t part_codes(const struct column *c)
{
    return c->type == TALLY_PAIR ? TALLY_PAIR_CODES : c->codes;
}

static size_t part_code(const struct column *c, unsigned part, size_t code)
{
    if (c->type != TALLY_PAIR) return code;
    return part ? code >> TALLY_PAIR_BITS : code & (TALLY_PAIR_CODES - 1);
}

static struct tally_cell *part_cells(const struct column *c, unsigned part)
{
    return c->type == TALLY_PAIR ? c->parts[part] : c->cells;
}

static void parts_sum(struct column *c)
{
    if (c->type != TALLY_PAIR) return;
    for (unsigned part = 0; part < 2; part++) {
        c->parts[part] = zeroed(TALLY_PAIR_CODES, sizeof *c->parts[part]);
        for (size_t code = 0; code < c->codes; code++) {
            const struct tally_cell *from = &c->cells[code];
            struct sums sums = {.times = {from->watch_ms, from->playing_ms}, .reals = {from->value, from->base}};
            cell_add(&c->parts[part][part_code(c, part, code)], &sums, from->views);
        }
    }
}

/* -- percentiles -- */

struct ranges {
    double from[RANGES - 1]; /* the first value of every range but the first */
    double least[RANGES], most[RANGES];
    uint8_t *of; /* by row */
};

static int double_compare(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static void ranges_choose(struct ranges *r, const double *values, size_t rows)
{
    size_t step = rows / SAMPLE_MAX + 1, n = 0;
    double *sample = zeroed(rows / step + 1, sizeof *sample);
    for (size_t i = 0; i < rows; i += step) sample[n++] = values[i];
    qsort(sample, n, sizeof *sample, double_compare);
    /* A value that fills a whole range is a range of its own, out of which nothing need be collected. */
    double before = NAN;
    for (size_t i = 0; i < RANGES - 1; i++) {
        double v = sample[(i + 1) * n / RANGES];
        r->from[i] = v > before || v < before || i == 0 ? v : nextafter(v, INFINITY);
        before = v;
    }
    free(sample);
}

static void ranges_make(struct ranges *r, const double *values, size_t rows)
{
    ranges_choose(r, values, rows);
    r->of = zeroed(rows, 1);
    for (size_t i = 0; i < RANGES; i++) r->least[i] = INFINITY, r->most[i] = -INFINITY;
    for (size_t i = 0; i < rows; i++) {
        double v = values[i];
        unsigned range = 0; /* without a branch: it would be foretold wrongly every other time */
        for (unsigned step = RANGES / 2; step; step /= 2) range += step * (unsigned)(r->from[range + step - 1] <= v);
        r->of[i] = (uint8_t)range;
        r->least[range] = v < r->least[range] ? v : r->least[range];
        r->most[range] = v > r->most[range] ? v : r->most[range];
    }
}

/* One rank of a code's values: in which range it lies, and the values of that range once they are collected. */
struct pick {
    uint16_t range; /* RANGES: nothing to collect */
    double value;   /* when there is nothing to collect */
    size_t rank;    /* among the values of the range, from 0 */
    size_t at, n;   /* of the collected values */
};
struct picks {
    struct pick low, high;
    bool one_range; /* the values of low are those of high, too */
    double share;   /* of the way from low to high */
};

static void pick_rank(struct pick *p, const struct ranges *r, const uint32_t *counts, size_t rank)
{
    unsigned range = 0;
    while (rank >= counts[range]) rank -= counts[range++];
    *p = (struct pick){.range = (uint16_t)range, .value = r->least[range], .rank = rank};
    if (!(r->least[range] < r->most[range])) p->range = RANGES;
}

/* The ranks between which the store interpolates: level * (n - 1), from 0. */
static void picks_choose(struct picks *p, const struct ranges *r, const uint32_t *counts, size_t n, double level)
{
    double h = level * (double)(n - 1) + 1;
    size_t at = (size_t)h;
    if (at >= n) at = n, h = (double)n;
    p->share = h - (double)at;
    pick_rank(&p->low, r, counts, at - 1);
    pick_rank(&p->high, r, counts, at < n ? at : at - 1);
    p->one_range = p->low.range == p->high.range;
}

static void swap(double *a, double *b)
{
    double kept = *a;
    *a = *b;
    *b = kept;
}

/* The value of that rank; reorders. */
static double select_rank(double *v, size_t n, size_t rank)
{
    size_t from = 0, to = n - 1;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (v[middle] < v[from]) swap(&v[middle], &v[from]);
        if (v[to] < v[from]) swap(&v[to], &v[from]);
        if (v[to] < v[middle]) swap(&v[to], &v[middle]);
        double pivot = v[middle];
        size_t i = from, j = to;
        for (;;) {
            while (v[i] < pivot) i++;
            while (pivot < v[j]) j--;
            if (i >= j) break;
            swap(&v[i++], &v[j--]);
        }
        if (rank <= j) to = j;
        else from = j + 1;
    }
    return v[rank];
}

/* Counts by code and range. */
static uint32_t *counts_of(const struct tally *t, const struct column *c, const struct ranges *r)
{
    uint32_t *counts = zeroed(c->codes * RANGES, sizeof *counts);
    uint16_t wide[CHUNK];
    for (size_t from = 0; from < t->rows; from += CHUNK) {
        size_t rows = chunk_rows(t, from);
        const uint16_t *codes = codes_at(c, from, rows, wide);
        for (size_t i = 0; i < rows; i++) counts[(size_t)codes[i] * RANGES + r->of[from + i]]++;
    }
    return counts;
}

/* What is looked for in a part of a column. */
struct search {
    struct picks *picks; /* by code */
    double *values;      /* the collected, of all codes */
};

/* Where the wanted ranks of each code lie, and space for the values there. */
static void search_begin(struct search *s, const struct column *c, unsigned part, const struct ranges *r,
                         const uint32_t *counts, double level)
{
    size_t codes = part_codes(c), total = 0;
    uint32_t *own = zeroed(codes * RANGES, sizeof *own);
    for (size_t code = 0; code < c->codes; code++) {
        uint32_t *to = own + part_code(c, part, code) * RANGES;
        for (size_t range = 0; range < RANGES; range++) to[range] += counts[code * RANGES + range];
    }
    s->picks = zeroed(codes, sizeof *s->picks);
    for (size_t code = 0; code < codes; code++) {
        struct picks *p = &s->picks[code];
        size_t n = (size_t)part_cells(c, part)[code].views;
        p->low.range = p->high.range = RANGES;
        if (n && code != TALLY_NONE) picks_choose(p, r, own + code * RANGES, n, level);
        if (p->low.range < RANGES) p->low.at = total, total += own[code * RANGES + p->low.range];
        if (p->high.range < RANGES && !p->one_range) p->high.at = total, total += own[code * RANGES + p->high.range];
    }
    s->values = zeroed(total, sizeof *s->values);
    free(own);
}

static void pick_take(struct search *s, struct pick *p, unsigned range, double value)
{
    if (range == p->range) s->values[p->at + p->n++] = value;
}

static void search_take(struct search *s, size_t code, unsigned range, double value)
{
    struct picks *p = &s->picks[code];
    pick_take(s, &p->low, range, value);
    if (!p->one_range) pick_take(s, &p->high, range, value);
}

static double pick_value(const struct search *s, const struct pick *p, const struct pick *values)
{
    return p->range == RANGES ? p->value : select_rank(s->values + values->at, values->n, p->rank);
}

static void search_end(struct search *s, const struct column *c, unsigned part)
{
    for (size_t code = 0; code < part_codes(c); code++) {
        const struct picks *p = &s->picks[code];
        double low = pick_value(s, &p->low, &p->low), high = pick_value(s, &p->high, p->one_range ? &p->low : &p->high);
        part_cells(c, part)[code].value = low + p->share * (high - low);
    }
    free(s->picks);
    free(s->values);
}

/* By code and range: whether any part looks for values there. */
static bool *wanted_of(const struct column *c, const struct search *searches)
{
    bool *wanted = zeroed(c->codes * RANGES, sizeof *wanted);
    for (size_t code = 0; code < c->codes; code++) {
        for (unsigned part = 0; part < part_count(c); part++) {
            const struct picks *p = &searches[part].picks[part_code(c, part, code)];
            if (p->low.range < RANGES) wanted[code * RANGES + p->low.range] = true;
            if (p->high.range < RANGES) wanted[code * RANGES + p->high.range] = true;
        }
    }
    return wanted;
}

static void values_collect(const struct tally *t, const struct column *c, const struct ranges *r,
                           struct search *searches)
{
    bool *wanted = wanted_of(c, searches);
    uint16_t wide[CHUNK];
    for (size_t from = 0; from < t->rows; from += CHUNK) {
        size_t rows = chunk_rows(t, from);
        const uint16_t *codes = codes_at(c, from, rows, wide);
        for (size_t i = 0; i < rows; i++) {
            if (__builtin_expect(!wanted[(size_t)codes[i] * RANGES + r->of[from + i]], 1)) continue;
            for (unsigned part = 0; part < part_count(c); part++)
                search_take(&searches[part], part_code(c, part, codes[i]), r->of[from + i], t->values[from + i]);
        }
    }
    free(wanted);
}

static void percentiles_find(const struct tally *t, struct column *c, const struct ranges *r)
{
    struct search searches[2];
    uint32_t *counts = counts_of(t, c, r);
    for (unsigned part = 0; part < part_count(c); part++) search_begin(&searches[part], c, part, r, counts, t->level);
    free(counts);
    values_collect(t, c, r, searches);
    for (unsigned part = 0; part < part_count(c); part++) search_end(&searches[part], c, part);
}

/* -- distinct keys -- */

/* Rows in such an order that those with the same key follow each other. */
struct keyed {
    uint64_t key;
    uint32_t row;
};

static int keyed_compare(const void *x, const void *y)
{
    const struct keyed *a = x, *b = y;
    return (a->key > b->key) - (a->key < b->key);
}

/* Keys are hashes: their upper bits cut them into parts that are sorted at once in the cache. */
static struct keyed *keys_order(const struct tally *t)
{
    enum { PART_BITS = 16, PARTS = 1 << PART_BITS };
    size_t *ends = zeroed(PARTS + 1, sizeof *ends);
    struct keyed *order = zeroed(t->rows, sizeof *order);
    for (size_t i = 0; i < t->rows; i++) ends[(t->keys[i] >> (64 - PART_BITS)) + 1]++;
    for (size_t p = 0; p < PARTS; p++) ends[p + 1] += ends[p];
    for (size_t i = 0; i < t->rows; i++)
        order[ends[t->keys[i] >> (64 - PART_BITS)]++] = (struct keyed){t->keys[i], (uint32_t)i};
    for (size_t p = 0, from = 0; p < PARTS; from = ends[p++])
        qsort(order + from, ends[p] - from, sizeof *order, keyed_compare);
    free(ends);
    return order;
}

static void distinct_count(const struct tally *t, struct column *c, const struct keyed *order)
{
    uint32_t *last[2], number = 0; /* by code of a part: the last key's number, from 1 */
    for (unsigned part = 0; part < part_count(c); part++) last[part] = zeroed(part_codes(c), sizeof *last[part]);
    for (size_t i = 0; i < t->rows; i++) {
        if (i == 0 || order[i].key != order[i - 1].key) number++;
        size_t row = order[i].row;
        size_t code = is_wide(c) ? ((const uint16_t *)c->kept)[row] : ((const uint8_t *)c->kept)[row];
        for (unsigned part = 0; part < part_count(c); part++) {
            size_t own = part_code(c, part, code);
            if (last[part][own] == number) continue;
            last[part][own] = number;
            part_cells(c, part)[own].value++;
        }
    }
    for (unsigned part = 0; part < part_count(c); part++) free(last[part]);
}

/* -- the end -- */

/* Threads take the next column each, until there is none. */
struct finishing {
    struct tally *t;
    const struct ranges *ranges; /* of percentiles */
    const struct keyed *order;   /* of distinct keys */
    atomic_size_t next;
};

/* No dimension of the column has any value. */
static bool is_empty(const struct tally *t, const struct column *c)
{
    return c->cells[TALLY_NONE].views == (int64_t)t->rows;
}

static void *columns_finish(void *ctx)
{
    struct finishing *f = ctx;
    for (;;) {
        size_t i = atomic_fetch_add(&f->next, 1);
        if (i >= f->t->column_count) return NULL;
        if (is_empty(f->t, &f->t->columns[i])) continue;
        if (f->order) distinct_count(f->t, &f->t->columns[i], f->order);
        else percentiles_find(f->t, &f->t->columns[i], f->ranges);
    }
}

void tally_finish(struct tally *t)
{
    for (size_t i = 0; i < t->column_count; i++) parts_sum(&t->columns[i]);
    if (t->rows == 0 || t->want == TALLY_SUMS) return;
    struct ranges ranges = {0};
    struct keyed *order = NULL;
    pthread_t other;
    if (t->want == TALLY_PERCENTILE) ranges_make(&ranges, t->values, t->rows);
    else order = keys_order(t);
    struct finishing f = {.t = t, .ranges = &ranges, .order = order};
    bool two = pthread_create(&other, NULL, columns_finish, &f) == 0;
    (void)columns_finish(&f);
    if (two) (void)pthread_join(other, NULL);
    free(ranges.of);
    free(order);
}

const struct tally_cell *tally_cells(const struct tally *t, size_t column, unsigned part, size_t *codes)
{
    const struct column *c = &t->columns[column];
    *codes = part_codes(c);
    return part_cells(c, part);
}

int64_t tally_number(const struct tally *t, size_t column, size_t code)
{
    return t->columns[column].numbers[code];
}

size_t tally_bytes_a_view(enum tally_want want)
{
    switch (want) {
    case TALLY_SUMS: break;
    case TALLY_PERCENTILE: return sizeof(double) + sizeof(uint8_t);
    case TALLY_DISTINCT: return sizeof(uint64_t) + sizeof(struct keyed);
    }
    return 0;
}
