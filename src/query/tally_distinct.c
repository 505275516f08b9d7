/* SPDX-License-Identifier: Apache-2.0
 * Keys of a bin are in no other: its records are ordered by key, and each key is counted for the values that its views
 * have. */
#include "query/tally_internal.h"

struct keyed {
    uint64_t key;
    const char *record;
};

/* The bits of a key behind those of its bin, by which a bin's keys are cut into buckets of a few, as hashes are; a
 * larger one is sorted. A key of at most so many views, which is nearly every one, is compared with itself. */
enum { BUCKET_BITS = 11, BUCKETS = 1 << BUCKET_BITS, BUCKET_MANY = 64, VIEWS_FEW = 8 };

/* A column, and the parts of it that have values. */
struct distinct_column {
    struct part **parts;
    size_t n;
    uint16_t *numbers; /* of the parts by code, those of a code together */
};
struct distinct_work {
    struct tally *t;
    struct distinct_column *columns;
};
/* What a thread counts for itself, of a column: keys that have one code only, by that; of the others, by a part's
 * numbers, keys and which was the last. */
struct distinct {
    uint32_t *alone;
    uint32_t **keys, **last;
};
struct distincts {
    struct distinct *columns;
    struct keyed *order, *unordered; /* of the bin at hand */
    size_t room;
    uint32_t key_number; /* of the last key, from 1 */
};

static void distincts_make(struct distincts *d, const struct distinct_work *w)
{
    d->columns = zeroed(w->t->column_count, sizeof *d->columns);
    for (size_t i = 0; i < w->t->column_count; i++) {
        const struct distinct_column *c = &w->columns[i];
        struct distinct *own = &d->columns[i];
        own->alone = zeroed(w->t->columns[i].codes, sizeof *own->alone);
        own->keys = zeroed(c->n, sizeof *own->keys);
        own->last = zeroed(c->n, sizeof *own->last);
        for (size_t p = 0; p < c->n; p++) {
            own->keys[p] = zeroed(c->parts[p]->count, sizeof *own->keys[p]);
            own->last[p] = zeroed(c->parts[p]->count, sizeof *own->last[p]);
        }
    }
}

/* Adds what was counted to the parts' cells. */
static void distincts_end(struct distincts *d, const struct distinct_work *w)
{
    for (size_t i = 0; i < w->t->column_count; i++) {
        struct distinct *own = &d->columns[i];
        for (size_t p = 0; p < w->columns[i].n; p++) {
            struct part *part = w->columns[i].parts[p];
            for (size_t code = 0; code < w->t->columns[i].codes; code++)
                part->cells[part->numbers[code]].value += own->alone[code];
            for (size_t number = 0; number < part->count; number++) part->cells[number].value += own->keys[p][number];
            free(own->keys[p]), free(own->last[p]);
        }
        free(own->alone), free(own->keys), free(own->last);
    }
    free(d->columns);
    free(d->order), free(d->unordered);
}

static int keyed_compare(const void *x, const void *y)
{
    const struct keyed *a = x, *b = y;
    return (a->key > b->key) - (a->key < b->key);
}

static void bucket_sort(struct keyed *k, size_t n)
{
    if (n > BUCKET_MANY) {
        qsort(k, n, sizeof *k, keyed_compare);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct keyed one = k[i];
        size_t at = i;
        for (; at && k[at - 1].key > one.key; at--) k[at] = k[at - 1];
        k[at] = one;
    }
}

/* A key that more than half of a large bin's views have, as where all viewers have one id. It is counted as it comes,
 * so that only the others are put in order. */
enum { HEAVY_ROWS = 131072 };
struct heavy {
    uint64_t key;
    size_t rows; /* 0: there is none */
};

static struct heavy heavy_of(const struct tally *t, const struct bin *b)
{
    struct heavy h = {0};
    size_t lead = 0;
    if (b->rows < HEAVY_ROWS) return h;
    /* What has the majority outlives all others, each of which takes one away (Boyer and Moore). */
    for (const struct chunk *chunk = b->first; chunk; chunk = chunk->next)
        for (size_t i = 0; i < chunk->rows; i++) {
            uint64_t key = record_bits(chunk->records + i * t->record_bytes);
            if (lead == 0) h.key = key;
            lead += key == h.key ? 1 : (size_t)-1;
        }
    for (const struct chunk *chunk = b->first; chunk; chunk = chunk->next)
        for (size_t i = 0; i < chunk->rows; i++) h.rows += record_bits(chunk->records + i * t->record_bytes) == h.key;
    if (h.rows <= b->rows / 2) h.rows = 0;
    return h;
}

static size_t bucket_of(uint64_t key)
{
    return (key << BIN_BITS) >> (64 - BUCKET_BITS);
}

/* The records of a bin, but for those of the key that is left out, into d->order, those of a key together. */
static size_t bin_order(struct distincts *d, const struct tally *t, const struct bin *b, const struct heavy *without)
{
    uint32_t ends[BUCKETS + 1] = {0};
    size_t n = 0;
    if (b->rows - without->rows > d->room) {
        free(d->order), free(d->unordered);
        d->room = b->rows - without->rows;
        d->order = zeroed(d->room, sizeof *d->order);
        d->unordered = zeroed(d->room, sizeof *d->unordered);
    }
    for (const struct chunk *chunk = b->first; chunk; chunk = chunk->next)
        for (size_t i = 0; i < chunk->rows; i++) {
            const char *record = chunk->records + i * t->record_bytes;
            if (without->rows && record_bits(record) == without->key) continue;
            d->unordered[n] = (struct keyed){record_bits(record), record};
            ends[bucket_of(d->unordered[n++].key) + 1]++;
        }
    for (size_t k = 0; k < BUCKETS; k++) ends[k + 1] += ends[k];
    for (size_t i = 0; i < n; i++) d->order[ends[bucket_of(d->unordered[i].key)]++] = d->unordered[i];
    for (size_t k = 0, from = 0; k < BUCKETS; from = ends[k++]) bucket_sort(d->order + from, ends[k] - from);
    return n;
}

/* Counts the key for the numbers that its views have, of few views; rows: the parts' numbers of each. */
static void few_count(struct distinct *own, size_t parts, const uint16_t *const *rows, size_t n)
{
    for (size_t p = 0; p < parts; p++) {
        for (size_t k = 0; k < n; k++) {
            size_t before = 0;
            while (before < k && rows[before][p] != rows[k][p]) before++;
            if (before == k) own->keys[p][rows[k][p]]++;
        }
    }
}

/* Counts the key at hand for the numbers of a view that no view of it had before. */
static void view_mark(struct distincts *d, const struct distinct_work *w, const char *record, size_t column)
{
    size_t parts = w->columns[column].n;
    struct distinct *own = &d->columns[column];
    const uint16_t *numbers = w->columns[column].numbers + record_code(record, column) * parts;
    for (size_t p = 0; p < parts; p++) {
        if (own->last[p][numbers[p]] == d->key_number) continue;
        own->last[p][numbers[p]] = d->key_number;
        own->keys[p][numbers[p]]++;
    }
}

static void heavy_count(struct distincts *d, const struct distinct_work *w, const struct bin *b, uint64_t key)
{
    d->key_number++;
    for (const struct chunk *chunk = b->first; chunk; chunk = chunk->next)
        for (size_t i = 0; i < chunk->rows; i++) {
            const char *record = chunk->records + i * w->t->record_bytes;
            for (size_t c = 0; record_bits(record) == key && c < w->t->column_count; c++) view_mark(d, w, record, c);
        }
}

/* The n views of a key. */
static void key_count(struct distincts *d, const struct distinct_work *w, const struct keyed *of, size_t n)
{
    d->key_number++;
    for (size_t i = 0; i < w->t->column_count; i++) {
        size_t parts = w->columns[i].n;
        struct distinct *own = &d->columns[i];
        size_t first = record_code(of[0].record, i), same = 1;
        while (same < n && record_code(of[same].record, i) == first) same++;
        if (same == n) {
            own->alone[first]++;
            continue;
        }
        const uint16_t *rows[VIEWS_FEW];
        for (size_t k = 0; k < n; k++) {
            if (n > VIEWS_FEW) view_mark(d, w, of[k].record, i);
            else rows[k] = w->columns[i].numbers + record_code(of[k].record, i) * parts;
        }
        if (n <= VIEWS_FEW) few_count(own, parts, rows, n);
    }
}

static void bin_distinct(void *work, size_t at, void *own)
{
    const struct distinct_work *w = work;
    struct distincts *d = own;
    const struct bin *b = &w->t->bins[at];
    struct heavy heavy = heavy_of(w->t, b);
    if (heavy.rows) heavy_count(d, w, b, heavy.key);
    size_t rows = bin_order(d, w->t, b, &heavy);
    for (size_t from = 0, to; from < rows; from = to) {
        for (to = from + 1; to < rows && d->order[to].key == d->order[from].key;) to++;
        key_count(d, w, d->order + from, to - from);
    }
}

static struct distinct_column distinct_column_of(struct column *c)
{
    struct distinct_column d = {.parts = zeroed(c->part_count, sizeof *d.parts)};
    for (size_t p = 0; p < c->part_count; p++)
        if (part_used(&c->parts[p])) d.parts[d.n++] = &c->parts[p];
    d.numbers = zeroed(c->codes * d.n, sizeof *d.numbers);
    for (size_t code = 0; code < c->codes; code++)
        for (size_t p = 0; p < d.n; p++) d.numbers[code * d.n + p] = d.parts[p]->numbers[code];
    return d;
}

void tally_distinct(struct tally *t)
{
    struct distincts here = {0}, there = {0};
    struct distinct_work w = {.t = t, .columns = zeroed(t->column_count, sizeof *w.columns)};
    for (size_t i = 0; i < t->column_count; i++) w.columns[i] = distinct_column_of(&t->columns[i]);
    distincts_make(&here, &w);
    distincts_make(&there, &w);
    tally_share(bin_distinct, &w, BINS, &here, &there);
    distincts_end(&here, &w);
    distincts_end(&there, &w);
    for (size_t i = 0; i < t->column_count; i++) free(w.columns[i].parts), free(w.columns[i].numbers);
    free(w.columns);
}
