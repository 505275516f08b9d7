/* SPDX-License-Identifier: Apache-2.0 */
#include "query/engagement.h"

#include "query/stream.h"
#include "store/escape.h"
#include "store/read.h"
#include "store/result.h"

#include <stdlib.h>

enum { SQL_BYTES_MAX = 1024 * 1024, ROWS_BYTES_MAX = 1024, RANGES_MAX = 20000 };
/* Times beyond are no times of content; below, the bucket arithmetic cannot overflow. */
#define CONTENT_MS_MAX INT64_C(1000000000000000)

double heatmap_value(const struct heatmap *h, size_t i)
{
    return h->views ? (double)h->seen[i] / (double)h->views : 0;
}

void heatmap_size(struct heatmap *h)
{
    int64_t n = h->duration_ms / 1000;
    h->n = n < HEATMAP_BUCKETS_MIN ? HEATMAP_BUCKETS_MIN : n > HEATMAP_BUCKETS_MAX ? HEATMAP_BUCKETS_MAX : (size_t)n;
}

/* The first bucket whose middle, (i + 1/2) * duration / n, is not before ms: 0..n. */
static size_t bucket_from(const struct heatmap *h, int64_t ms)
{
    int64_t n = (int64_t)h->n, twice = 2 * h->duration_ms;
    if (ms > CONTENT_MS_MAX) ms = CONTENT_MS_MAX;
    int64_t over = 2 * n * ms - h->duration_ms;
    if (over <= 0) return 0;
    int64_t i = (over + twice - 1) / twice;
    return i > n ? h->n : (size_t)i;
}

struct run {
    size_t from, to; /* buckets, to exclusive */
};

static int run_compare(const void *x, const void *y)
{
    const struct run *a = x, *b = y;
    return (a->from > b->from) - (a->from < b->from);
}

void heatmap_add(struct heatmap *h, const int64_t *starts, const int64_t *ends, size_t ranges)
{
    struct run *runs = calloc(ranges + 1, sizeof *runs);
    BUG_IF(runs == NULL);
    size_t n = 0;
    for (size_t i = 0; i < ranges; i++)
        if (starts[i] >= 0 && ends[i] > starts[i])
            runs[n++] = (struct run){bucket_from(h, starts[i]), bucket_from(h, ends[i])};
    if (n) qsort(runs, n, sizeof *runs, run_compare);
    size_t done = 0; /* buckets before are counted */
    for (size_t i = 0; i < n; i++) {
        if (runs[i].from > done) done = runs[i].from;
        for (; done < runs[i].to; done++) h->seen[done]++;
    }
    h->views += n > 0;
    free(runs);
}

/* -- from the store -- */

static void where_sql(struct buf *where, const char *environment_id, const struct window *window,
                      const struct filters *filters, const struct dimension *of, struct span id)
{
    question_where(where, environment_id, window, CLOCK_END, filters);
    buf_addf(where, " AND ifNull(%s = ", of->column);
    store_escape_text(where, id);
    buf_adds(where, ", 0) AND notEmpty(range_start)"); /* only ranges that hold time are stored */
}

/* The largest of what the expression says of a view; 0: no view. */
static enum err largest_ask(struct query *q, struct span where, const char *expression, int64_t *out)
{
    struct buf sql, rows, columns;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_init(&columns, SQL_BYTES_MAX);
    buf_addf(&columns, "%s AS d", expression);
    buf_adds(&sql, "SELECT toInt64(max(d)) FROM ");
    store_views_from(&sql, q->store, columns.ptr, where);
    enum err e = sql.failed ? ERR_FULL : store_select(q->store, buf_span(&sql), &rows, &q->error);
    struct bytes in = bytes_of(buf_span(&rows));
    *out = rb_i64(&in);
    if (e == ERR_NONE && !in.ok) e = ERR_CORRUPT;
    buf_free(&columns);
    buf_free(&sql);
    buf_free(&rows);
    return e;
}

/* The content's length: what players say, or else how far anybody saw; 0: no view. */
static enum err duration_ask(struct query *q, struct span where, int64_t *duration_ms)
{
    enum err e = largest_ask(q, where, "ifNull(player_source_duration, 0)", duration_ms);
    if (e == ERR_NONE && *duration_ms <= 0) e = largest_ask(q, where, "arrayReduce('max', range_end)", duration_ms);
    if (*duration_ms > CONTENT_MS_MAX) *duration_ms = CONTENT_MS_MAX;
    if (*duration_ms < 0) *duration_ms = 0;
    return e;
}

struct adding {
    struct heatmap *h;
    int64_t starts[RANGES_MAX], ends[RANGES_MAX];
};

static size_t read_ints(struct bytes *in, int64_t *out)
{
    size_t n = rb_array(in, 8);
    for (size_t i = 0; i < n; i++) {
        int64_t v = rb_i64(in);
        if (i < RANGES_MAX) out[i] = v;
    }
    return n < RANGES_MAX ? n : RANGES_MAX;
}

static bool row_add(void *ctx, struct bytes *in)
{
    struct adding *a = ctx;
    size_t starts = read_ints(in, a->starts), ends = read_ints(in, a->ends);
    if (in->ok) heatmap_add(a->h, a->starts, a->ends, starts < ends ? starts : ends);
    return true;
}

enum err query_heatmap(struct query *q, const char *environment_id, const struct window *window,
                       const struct filters *filters, const struct dimension *of, struct span id, struct heatmap *out)
{
    struct buf sql, where;
    *out = (struct heatmap){.n = HEATMAP_BUCKETS_MIN};
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    where_sql(&where, environment_id, window, filters, of, id);
    enum err e = where.failed ? ERR_FULL : duration_ask(q, buf_span(&where), &out->duration_ms);
    if (e == ERR_NONE && out->duration_ms > 0) {
        heatmap_size(out);
        struct adding *a = calloc(1, sizeof *a);
        BUG_IF(a == NULL);
        a->h = out;
        buf_adds(&sql, "SELECT range_start, range_end FROM ");
        store_views_from(&sql, q->store, "range_start, range_end", buf_span(&where));
        e = sql.failed ? ERR_FULL : query_stream(q, buf_span(&sql), NULL, row_add, a);
        free(a);
    }
    buf_free(&sql);
    buf_free(&where);
    return e;
}

/* -- hotspots -- */

static int hotter_first(const void *x, const void *y)
{
    const struct hotspot *a = x, *b = y;
    if (a->score < b->score || a->score > b->score) return a->score > b->score ? -1 : 1;
    return (a->start_ms > b->start_ms) - (a->start_ms < b->start_ms);
}

static int colder_first(const void *x, const void *y)
{
    const struct hotspot *a = x, *b = y;
    if (a->score < b->score || a->score > b->score) return a->score < b->score ? -1 : 1;
    return (a->start_ms > b->start_ms) - (a->start_ms < b->start_ms);
}

static int64_t border_ms(const struct heatmap *h, size_t i)
{
    int64_t n = (int64_t)h->n;
    return (2 * (int64_t)i * h->duration_ms + n) / (2 * n);
}

size_t heatmap_hotspots(const struct heatmap *h, bool cold, struct hotspot *out)
{
    uint64_t sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++) sum += h->seen[i];
    for (size_t i = 0; h->views && i < h->n;) {
        size_t from = i;
        uint64_t run = 0;
        /* seen > sum / n, in whole numbers */
        for (; i < h->n && (cold ? h->seen[i] * h->n < sum : h->seen[i] * h->n > sum); i++) run += h->seen[i];
        if (i == from) {
            i++;
            continue;
        }
        double score = (double)run / (double)(i - from) / (double)h->views;
        out[n++] = (struct hotspot){.start_ms = border_ms(h, from), .end_ms = border_ms(h, i), .score = score};
    }
    if (n) qsort(out, n, sizeof *out, cold ? colder_first : hotter_first);
    return n;
}
