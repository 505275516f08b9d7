/* SPDX-License-Identifier: Apache-2.0
 * Sums are added up block by block. Percentiles and distinct keys need all views: a record of each is kept, its value
 * or key and its codes, in one of 256 bins: by the range of the value, or by the key. What is done in the end is done
 * bin by bin, so that it stays in the cache. */
#include "query/tally_internal.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

/* A bin is crowded that has such a part of the views, of which it should have a 256th, and so many that it matters. */
enum { SAMPLE_MAX = 65536, CROWDED_PART = 32, CROWDED_ROWS = 65536 };

struct tally *tally_new(const struct tally_options *o)
{
    struct tally *t = zeroed(1, sizeof *t);
    t->want = o->want;
    t->level = o->level;
    t->bytes_max = o->bytes_max;
    t->record_bytes = sizeof(uint64_t) + o->column_count * sizeof(uint16_t);
    t->bins = zeroed(BINS, sizeof *t->bins);
    t->column_count = o->column_count;
    t->columns = zeroed(o->column_count, sizeof *t->columns);
    for (size_t i = 0; i < t->column_count; i++) {
        struct column *c = &t->columns[i];
        c->cells = zeroed(TALLY_CODES_MAX, sizeof *c->cells);
        for (size_t b = 0; b < BANKS; b++) {
            c->sums[b] = zeroed(BANKED_CODES, sizeof *c->sums[b]);
            c->views[b] = zeroed(BANKED_CODES, sizeof *c->views[b]);
        }
    }
    return t;
}

static void bin_free(struct bin *b)
{
    while (b->first) {
        struct chunk *next = b->first->next;
        free(b->first);
        b->first = next;
    }
}

void tally_free(struct tally *t)
{
    if (t == NULL) return;
    for (size_t i = 0; i < t->column_count; i++) {
        struct column *c = &t->columns[i];
        for (size_t p = 0; p < c->part_count; p++) free(c->parts[p].cells);
        free(c->parts);
        free(c->cells);
        for (size_t b = 0; b < BANKS; b++) free(c->sums[b]), free(c->views[b]);
    }
    for (size_t i = 0; i < BINS; i++) bin_free(&t->bins[i]);
    free(t->bins);
    free(t->columns);
    free(t);
}

/* -- the bins -- */

static int double_compare(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* Bins of about as many views each, as far as the sample tells, which comes to be in order. */
static void bins_choose(struct tally *t, double *sample, size_t n)
{
    qsort(sample, n, sizeof *sample, double_compare);
    /* A value that fills a whole bin has it for itself, out of which nothing need be collected. */
    double before = NAN;
    for (size_t i = 0; i < BINS - 1; i++) {
        double v = sample[(i + 1) * n / BINS];
        t->from[i] = v > before || v < before || i == 0 ? v : nextafter(v, INFINITY);
        before = v;
    }
}

/* By the first block, however few views it has, so that there are bins at all. */
static void bins_choose_first(struct tally *t, struct span values)
{
    size_t rows = values.len / sizeof(double), n = rows < SAMPLE_MAX ? rows : SAMPLE_MAX;
    double *sample = zeroed(n, sizeof *sample);
    for (size_t i = 0; i < n; i++) memcpy(&sample[i], values.ptr + i * rows / n * sizeof *sample, sizeof *sample);
    bins_choose(t, sample, n);
    free(sample);
}

static size_t bin_of_value(const struct tally *t, double v)
{
    size_t bin = 0; /* without a branch: it would be foretold wrongly every other time */
    for (size_t step = BINS / 2; step; step /= 2) bin += step * (size_t)(t->from[bin + step - 1] <= v);
    return bin;
}

/* Room for one more record. */
static char *bin_record(struct tally *t, struct bin *b)
{
    if (b->last == NULL || (b->last->rows + 1) * t->record_bytes > CHUNK_BYTES) {
        struct chunk *chunk = malloc(sizeof *chunk);
        BUG_IF(chunk == NULL);
        chunk->next = NULL;
        chunk->rows = 0;
        if (b->last) b->last->next = chunk;
        else b->first = chunk;
        b->last = chunk;
        t->bytes += sizeof *chunk;
    }
    b->rows++;
    return b->last->records + b->last->rows++ * t->record_bytes;
}

/* Whether the bin has many views, and of more than one value. */
static bool is_crowded(const struct tally *t, const struct bin *b)
{
    if (b->rows <= CROWDED_ROWS || b->rows < t->rows / CROWDED_PART) return false;
    double first = record_value(b->first->records);
    for (const struct chunk *chunk = b->first; chunk; chunk = chunk->next)
        for (size_t i = 0; i < chunk->rows; i++) {
            double v = record_value(chunk->records + i * t->record_bytes);
            if (v < first || v > first) return true;
        }
    return false;
}

static void bins_choose_again(struct tally *t)
{
    size_t every = t->rows / SAMPLE_MAX + 1, n = 0, row = 0;
    double *sample = zeroed(SAMPLE_MAX, sizeof *sample);
    for (size_t b = 0; b < BINS; b++)
        for (const struct chunk *chunk = t->bins[b].first; chunk; chunk = chunk->next)
            for (size_t i = 0; i < chunk->rows; i++)
                if (row++ % every == 0) sample[n++] = record_value(chunk->records + i * t->record_bytes);
    bins_choose(t, sample, n);
    free(sample);
}

/* Where the first block did not tell how the values are, they go into other bins: what is collected of a bin in the end
 * must be little. */
static void bins_even(struct tally *t)
{
    size_t crowded = 0;
    for (size_t b = 0; b < BINS; b++) crowded += is_crowded(t, &t->bins[b]);
    if (crowded == 0) return;
    bins_choose_again(t);
    struct bin *before = t->bins;
    t->bins = zeroed(BINS, sizeof *t->bins);
    for (size_t b = 0; b < BINS; b++) {
        while (before[b].first) {
            struct chunk *chunk = before[b].first;
            for (size_t i = 0; i < chunk->rows; i++) {
                const char *record = chunk->records + i * t->record_bytes;
                memcpy(bin_record(t, &t->bins[bin_of_value(t, record_value(record))]), record, t->record_bytes);
            }
            before[b].first = chunk->next;
            free(chunk);
        }
    }
    free(before);
}

/* Values or keys of the strip: into their bins. */
static void strip_keep(struct tally *t, const struct tally_block *b, size_t from, size_t rows)
{
    struct span in = t->want == TALLY_DISTINCT ? b->key : b->value;
    for (size_t i = 0; i < rows; i++) {
        uint64_t bits;
        double v;
        memcpy(&bits, in.ptr + (from + i) * sizeof bits, sizeof bits);
        memcpy(&v, &bits, sizeof v);
        size_t bin = t->want == TALLY_DISTINCT ? bits >> (64 - BIN_BITS) : bin_of_value(t, v);
        t->records[i] = bin_record(t, &t->bins[bin]);
        memcpy(t->records[i], &bits, sizeof bits);
    }
}

/* -- a block -- */

/* The places from `from` on, into t->codes as codes. */
#define PLACES_READ(type)                                                                                              \
    for (size_t i = 0; i < rows; i++) {                                                                                \
        type place;                                                                                                    \
        memcpy(&place, b->places.ptr + (from + i) * sizeof place, sizeof place);                                       \
        if (place >= b->count) return false;                                                                           \
        t->codes[i] = b->codes[place];                                                                                 \
    }                                                                                                                  \
    return true

static bool codes_read(struct tally *t, const struct tally_codes *b, size_t from, size_t rows)
{
    switch (b->width) {
    case 1: PLACES_READ(uint8_t);
    case 2: PLACES_READ(uint16_t);
    case 4: PLACES_READ(uint32_t);
    case 8: PLACES_READ(uint64_t);
    default: return false;
    }
}
#undef PLACES_READ

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

/* Codes are given as they appear: those of most views are among the first, which have banks. */
static void code_add(struct column *c, size_t code, size_t bank, const struct sums *row)
{
    if (code < BANKED_CODES) row_add(&c->sums[bank][code], row), c->views[bank][code]++;
    else cell_add(&c->cells[code], row, 1);
}

static void column_add(struct tally *t, struct column *c, size_t rows, const struct sums *whole)
{
    /* Most profiles that are not in use, and some that are, have one value for long. */
    if (memcmp(t->codes, t->codes + 1, (rows - 1) * sizeof *t->codes) == 0) {
        cell_add(&c->cells[t->codes[0]], whole, (int64_t)rows);
        return;
    }
    size_t i = 0;
    if (c->block_codes > BANKED_CODES) {
        for (; i < rows; i++) code_add(c, t->codes[i], i % BANKS, &t->strip[i]);
        return;
    }
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
    size_t codes = c->block_codes < BANKED_CODES ? c->block_codes : BANKED_CODES;
    for (size_t b = 0; b < BANKS; b++) {
        for (size_t code = 0; code < codes; code++) cell_add(&c->cells[code], &c->sums[b][code], c->views[b][code]);
        memset(c->sums[b], 0, codes * sizeof *c->sums[b]);
        memset(c->views[b], 0, codes * sizeof *c->views[b]);
    }
}

static bool codes_good(struct column *c, const struct tally_codes *b, size_t rows)
{
    uint16_t most = 0;
    for (size_t i = 0; i < b->count; i++) most = b->codes[i] > most ? b->codes[i] : most;
    c->block_codes = (size_t)most + 1;
    if (c->block_codes > c->codes) c->codes = c->block_codes;
    return most < TALLY_CODES_MAX && b->places.len == rows * b->width;
}

static bool lengths_good(const struct tally *t, const struct tally_block *b)
{
    size_t bytes = b->rows * 8;
    for (size_t i = 0; i < t->column_count; i++)
        if (!codes_good(&t->columns[i], &b->columns[i], b->rows)) return false;
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
    if (t->want != TALLY_SUMS) strip_keep(t, b, from, rows);
    for (size_t i = 0; i < t->column_count; i++) {
        struct column *c = &t->columns[i];
        if (!codes_read(t, &b->columns[i], from, rows)) return false;
        column_add(t, c, rows, &whole);
        for (size_t k = 0; t->want != TALLY_SUMS && k < rows; k++)
            memcpy(t->records[k] + sizeof(uint64_t) + i * sizeof *t->codes, &t->codes[k], sizeof *t->codes);
    }
    t->rows += rows;
    return true;
}

enum err tally_add(struct tally *t, const struct tally_block *b)
{
    if (b->rows == 0) return ERR_NONE;
    if (!lengths_good(t, b)) return ERR_CORRUPT;
    if (t->want == TALLY_PERCENTILE && t->rows == 0) bins_choose_first(t, b->value);
    for (size_t from = 0; from < b->rows; from += STRIP)
        if (!strip_add(t, b, from, b->rows - from < STRIP ? b->rows - from : STRIP)) return ERR_CORRUPT;
    for (size_t i = 0; i < t->column_count; i++) column_sum(&t->columns[i]);
    return t->bytes > t->bytes_max ? ERR_FULL : ERR_NONE;
}

size_t tally_codes(const struct tally *t, size_t column)
{
    return t->columns[column].codes;
}

/* -- the parts of a column -- */

static void parts_sum(struct column *c, const struct tally_parts *told)
{
    c->part_count = told->n;
    c->parts = zeroed(told->n, sizeof *c->parts);
    for (size_t i = 0; i < told->n; i++) {
        struct part *p = &c->parts[i];
        p->numbers = told->items[i].numbers;
        p->count = told->items[i].count;
        p->cells = zeroed(p->count, sizeof *p->cells);
        for (size_t code = 0; code < c->codes; code++) {
            const struct tally_cell *from = &c->cells[code];
            struct sums sums = {.times = {from->watch_ms, from->playing_ms}, .reals = {from->value, from->base}};
            BUG_IF(p->numbers[code] >= p->count);
            cell_add(&p->cells[p->numbers[code]], &sums, from->views);
        }
    }
}

/* -- by two threads -- */

struct sharing {
    do_item *item;
    void *work;
    size_t count;
    atomic_size_t next;
};
struct sharer {
    struct sharing *sharing;
    void *own;
};

static void *items_do(void *ctx)
{
    const struct sharer *s = ctx;
    for (size_t at; (at = atomic_fetch_add(&s->sharing->next, 1)) < s->sharing->count;)
        s->sharing->item(s->sharing->work, at, s->own);
    return NULL;
}

void tally_share(do_item *item, void *work, size_t count, void *own, void *other)
{
    struct sharing sharing = {.item = item, .work = work, .count = count};
    struct sharer here = {&sharing, own}, there = {&sharing, other};
    pthread_t thread;
    bool two = pthread_create(&thread, NULL, items_do, &there) == 0;
    (void)items_do(&here);
    if (two) (void)pthread_join(thread, NULL);
}

/* -- the end -- */

void tally_finish(struct tally *t, const struct tally_parts *parts)
{
    for (size_t i = 0; i < t->column_count; i++) parts_sum(&t->columns[i], &parts[i]);
    if (t->rows && t->want == TALLY_PERCENTILE) bins_even(t), tally_percentiles(t);
    if (t->rows && t->want == TALLY_DISTINCT) tally_distinct(t);
}

const struct tally_cell *tally_cells(const struct tally *t, size_t column, size_t part)
{
    return t->columns[column].parts[part].cells;
}

size_t tally_bytes_a_view(enum tally_want want, size_t columns)
{
    return want == TALLY_SUMS ? 0 : sizeof(uint64_t) + columns * sizeof(uint16_t);
}
