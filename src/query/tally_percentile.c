/* SPDX-License-Identifier: Apache-2.0
 * The first pass over the records counts views by code in every bin, which tells in which bin the wanted ranks of each
 * value of a part lie; the second collects the views' values in just those, and selects. */
#include "query/tally_internal.h"

#include <math.h>

static bool column_used(const struct column *c)
{
    for (size_t i = 0; i < c->part_count; i++)
        if (part_used(&c->parts[i])) return true;
    return false;
}

/* One rank of a value: in which bin it lies, and the views' values there once they are collected. */
struct pick {
    uint16_t bin; /* BINS: nothing to collect */
    double value; /* when there is nothing to collect */
    size_t rank;  /* among the values of the bin, from 0 */
    size_t at, n; /* of the collected values */
};
struct picks {
    struct pick low, high;
    bool one_bin; /* the values of low are those of high, too */
    double share; /* of the way from low to high */
};

/* What is looked for in a part of a column. */
struct search {
    struct part *part;
    struct searched *in;
    struct picks *picks; /* by number */
    size_t total;        /* values to be collected, of all numbers */
    double *values;      /* those, once there is their turn */
};

/* A column that has values. */
struct searched {
    size_t column;
    uint32_t *counts; /* views by bin and code */
    bool *wanted;     /* by bin and code: whether a search whose turn it is looks for values there */
    struct search *searches;
    size_t n;          /* of all parts that have values */
    size_t from, turn; /* the searches whose turn it is, and how many */
};
struct finding {
    struct tally *t;
    struct searched *columns;
    size_t n;
};

/* Columns that are counted at once, by what their counts take, and searches that collect at once, by their values; of
 * either one at least. */
enum { COUNTS_BYTES_MAX = 128 * 1024 * 1024, VALUES_MAX = 8 * 1024 * 1024 };

static void bin_count(void *work, size_t at, void *own)
{
    (void)own;
    struct finding *f = work;
    struct bin *b = &f->t->bins[at];
    b->least = INFINITY, b->most = -INFINITY;
    for (const struct chunk *chunk = b->first; chunk; chunk = chunk->next) {
        const char *record = chunk->records;
        for (size_t i = 0; i < chunk->rows; i++, record += f->t->record_bytes) {
            double v = record_value(record);
            b->least = v < b->least ? v : b->least;
            b->most = v > b->most ? v : b->most;
            for (size_t k = 0; k < f->n; k++) {
                const struct searched *s = &f->columns[k];
                s->counts[at * f->t->columns[s->column].codes + record_code(record, s->column)]++;
            }
        }
    }
}

static void pick_rank(struct pick *p, const struct bin *bins, const uint32_t *counts, size_t rank)
{
    unsigned bin = 0;
    while (rank >= counts[bin]) rank -= counts[bin++];
    *p = (struct pick){.bin = (uint16_t)bin, .value = bins[bin].least, .rank = rank};
    if (!(bins[bin].least < bins[bin].most)) p->bin = BINS;
}

/* The ranks between which the store interpolates: level * (n - 1), from 0. */
static void picks_choose(struct picks *p, const struct bin *bins, const uint32_t *counts, size_t n, double level)
{
    double h = level * (double)(n - 1) + 1;
    size_t at = (size_t)h;
    if (at >= n) at = n, h = (double)n;
    p->share = h - (double)at;
    pick_rank(&p->low, bins, counts, at - 1);
    pick_rank(&p->high, bins, counts, at < n ? at : at - 1);
    p->one_bin = p->low.bin == p->high.bin;
}

/* Where the wanted ranks of each value lie, and how many values there are to be collected. */
static void search_begin(struct search *s, const struct tally *t, struct searched *of, struct part *part)
{
    size_t codes = t->columns[of->column].codes, total = 0;
    uint32_t *own = zeroed(part->count * BINS, sizeof *own);
    for (size_t bin = 0; bin < BINS; bin++)
        for (size_t code = 0; code < codes; code++)
            own[part->numbers[code] * (size_t)BINS + bin] += of->counts[bin * codes + code];
    s->part = part;
    s->in = of;
    s->picks = zeroed(part->count, sizeof *s->picks);
    for (size_t number = 0; number < part->count; number++) {
        struct picks *p = &s->picks[number];
        size_t n = (size_t)part->cells[number].views;
        p->low.bin = p->high.bin = BINS;
        if (n && number) picks_choose(p, t->bins, own + number * BINS, n, t->level);
        if (p->low.bin < BINS) p->low.at = total, total += own[number * BINS + p->low.bin];
        if (p->high.bin < BINS && !p->one_bin) p->high.at = total, total += own[number * BINS + p->high.bin];
    }
    s->total = total;
    free(own);
}

static void searched_begin(void *work, size_t at, void *own)
{
    (void)own;
    struct finding *f = work;
    struct searched *s = &f->columns[at];
    struct column *c = &f->t->columns[s->column];
    for (size_t i = 0; i < c->part_count; i++)
        if (part_used(&c->parts[i])) search_begin(&s->searches[s->n++], f->t, s, &c->parts[i]);
    free(s->counts);
    s->counts = NULL;
}

static void pick_take(struct search *s, struct pick *p, size_t bin, double value)
{
    if (bin == p->bin) s->values[p->at + p->n++] = value;
}

/* A pick is of one bin, so that no other thread fills it. */
static void search_take(struct search *s, size_t code, size_t bin, double value)
{
    struct picks *p = &s->picks[s->part->numbers[code]];
    pick_take(s, &p->low, bin, value);
    if (!p->one_bin) pick_take(s, &p->high, bin, value);
}

static void bin_collect(void *work, size_t at, void *own)
{
    (void)own;
    struct finding *f = work;
    for (const struct chunk *chunk = f->t->bins[at].first; chunk; chunk = chunk->next) {
        const char *record = chunk->records;
        for (size_t i = 0; i < chunk->rows; i++, record += f->t->record_bytes) {
            for (size_t k = 0; k < f->n; k++) {
                struct searched *s = &f->columns[k];
                if (s->turn == 0) continue;
                size_t code = record_code(record, s->column);
                if (__builtin_expect(!s->wanted[at * f->t->columns[s->column].codes + code], 1)) continue;
                for (size_t m = 0; m < s->turn; m++)
                    search_take(&s->searches[s->from + m], code, at, record_value(record));
            }
        }
    }
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

static double pick_value(const struct search *s, const struct pick *p, const struct pick *values)
{
    return p->bin == BINS ? p->value : select_rank(s->values + values->at, values->n, p->rank);
}

/* It is the search's turn: room for its values, and where they are. */
static void turn_begin(const struct tally *t, struct search *s)
{
    size_t codes = t->columns[s->in->column].codes;
    s->values = zeroed(s->total, sizeof *s->values);
    if (s->in->turn++ == 0) s->in->from = (size_t)(s - s->in->searches);
    for (size_t code = 0; code < codes; code++) {
        const struct picks *p = &s->picks[s->part->numbers[code]];
        if (p->low.bin < BINS) s->in->wanted[p->low.bin * codes + code] = true;
        if (p->high.bin < BINS) s->in->wanted[p->high.bin * codes + code] = true;
    }
}

static void turn_end(void *work, size_t at, void *own)
{
    (void)own;
    const struct finding *f = work;
    struct searched *s = &f->columns[at];
    for (size_t i = 0; i < s->turn; i++) {
        struct search *one = &s->searches[s->from + i];
        for (size_t number = 0; number < one->part->count; number++) {
            const struct picks *p = &one->picks[number];
            double low = pick_value(one, &p->low, &p->low);
            double high = pick_value(one, &p->high, p->one_bin ? &p->low : &p->high);
            one->part->cells[number].value = low + p->share * (high - low);
        }
        free(one->picks);
        free(one->values);
    }
    if (s->turn) memset(s->wanted, 0, f->t->columns[s->column].codes * BINS * sizeof *s->wanted);
    s->turn = 0;
}

/* Searches take turns, as many at once as there is room for their values. */
static void searches_do(struct finding *f)
{
    size_t values = 0;
    for (size_t i = 0; i < f->n; i++) {
        for (size_t k = 0; k < f->columns[i].n; k++) {
            struct search *s = &f->columns[i].searches[k];
            if (values && values + s->total > VALUES_MAX) {
                tally_share(bin_collect, f, BINS, NULL, NULL);
                tally_share(turn_end, f, f->n, NULL, NULL);
                values = 0;
            }
            values += s->total;
            turn_begin(f->t, s);
        }
    }
    tally_share(bin_collect, f, BINS, NULL, NULL);
    tally_share(turn_end, f, f->n, NULL, NULL);
}

static void columns_find(struct finding *f)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct column *c = &f->t->columns[f->columns[i].column];
        f->columns[i].counts = zeroed(c->codes * BINS, sizeof(uint32_t));
        f->columns[i].wanted = zeroed(c->codes * BINS, sizeof(bool));
        f->columns[i].searches = zeroed(c->part_count, sizeof(struct search));
    }
    tally_share(bin_count, f, BINS, NULL, NULL);
    tally_share(searched_begin, f, f->n, NULL, NULL);
    searches_do(f);
    for (size_t i = 0; i < f->n; i++) free(f->columns[i].wanted), free(f->columns[i].searches);
}

void tally_percentiles(struct tally *t)
{
    struct finding f = {.t = t, .columns = zeroed(t->column_count, sizeof *f.columns)};
    size_t bytes = 0;
    for (size_t i = 0; i < t->column_count; i++) {
        if (!column_used(&t->columns[i])) continue;
        size_t own = t->columns[i].codes * BINS * (sizeof(uint32_t) + sizeof(bool));
        if (f.n && bytes + own > COUNTS_BYTES_MAX) columns_find(&f), f.n = 0, bytes = 0;
        f.columns[f.n++] = (struct searched){.column = i};
        bytes += own;
    }
    if (f.n) columns_find(&f);
    free(f.columns);
}
