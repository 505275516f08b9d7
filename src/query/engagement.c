/* SPDX-License-Identifier: Apache-2.0 */
#include "query/engagement.h"

#include "query/stream.h"
#include "store/escape.h"
#include "store/read.h"
#include "store/result.h"

#include <stdlib.h>

enum { SQL_BYTES_MAX = 1024 * 1024, HELD_BYTES_MAX = 64 * 1024 * 1024, RANGES_MAX = 20000 };
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

/* What views say until the content's length is known, which is when the last one has been read: their ranges as two
 * lists each. Of more views than there is memory for only the length is kept, and the ranges are asked for again. */
struct reading {
    struct heatmap *h;
    bool drawing;             /* the length is known: ranges go into the heatmap at once */
    int64_t said_ms, seen_ms; /* the longest that players say, and how far anybody saw */
    struct buf ranges;        /* of each view its number of ranges, starts, and ends */
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

static void ranges_hold(struct reading *r, size_t n)
{
    if (r->ranges.failed) return;
    buf_add(&r->ranges, &n, sizeof n);
    buf_add(&r->ranges, r->starts, n * sizeof *r->starts);
    buf_add(&r->ranges, r->ends, n * sizeof *r->ends);
}

static bool row_take(void *ctx, struct bytes *in)
{
    struct reading *r = ctx;
    int64_t said = rb_i64(in);
    size_t starts = read_ints(in, r->starts), ends = read_ints(in, r->ends), n = starts < ends ? starts : ends;
    if (!in->ok) return true;
    if (r->drawing) {
        heatmap_add(r->h, r->starts, r->ends, n);
        return true;
    }
    if (said > r->said_ms) r->said_ms = said;
    for (size_t i = 0; i < ends; i++)
        if (r->ends[i] > r->seen_ms) r->seen_ms = r->ends[i];
    ranges_hold(r, n);
    return true;
}

static void held_draw(struct reading *r)
{
    size_t n;
    for (struct span left = buf_span(&r->ranges); left.len;
         left = span_from(left, sizeof n + 2 * n * sizeof *r->starts)) {
        memcpy(&n, left.ptr, sizeof n);
        memcpy(r->starts, left.ptr + sizeof n, n * sizeof *r->starts);
        memcpy(r->ends, left.ptr + sizeof n + n * sizeof *r->starts, n * sizeof *r->ends);
        heatmap_add(r->h, r->starts, r->ends, n);
    }
}

static int64_t length_of(const struct reading *r)
{
    int64_t ms = r->said_ms > 0 ? r->said_ms : r->seen_ms;
    return ms < CONTENT_MS_MAX ? ms : CONTENT_MS_MAX;
}

enum err query_heatmap(struct query *q, const char *environment_id, const struct window *window,
                       const struct filters *filters, const struct dimension *of, struct span id, struct heatmap *out)
{
    struct buf sql, where;
    struct reading *r = calloc(1, sizeof *r);
    BUG_IF(r == NULL);
    *out = (struct heatmap){.n = HEATMAP_BUCKETS_MIN};
    r->h = out;
    buf_init(&r->ranges, HELD_BYTES_MAX);
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    where_sql(&where, environment_id, window, filters, of, id);
    buf_adds(&sql, "SELECT d, range_start, range_end FROM ");
    store_views_from(&sql, q->store, "toInt64(ifNull(player_source_duration, 0)) AS d, range_start, range_end",
                     buf_span(&where));
    enum err e = sql.failed || where.failed ? ERR_FULL : query_stream(q, buf_span(&sql), NULL, row_take, r);
    out->duration_ms = length_of(r);
    if (e == ERR_NONE && out->duration_ms > 0) {
        heatmap_size(out);
        r->drawing = true;
        if (r->ranges.failed) e = query_stream(q, buf_span(&sql), NULL, row_take, r);
        else held_draw(r);
    }
    buf_free(&r->ranges);
    free(r);
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
