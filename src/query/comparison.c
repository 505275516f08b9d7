/* SPDX-License-Identifier: Apache-2.0 */
#include "query/comparison.h"

#include "store/dialect.h"
#include "store/read.h"
#include "store/result.h"

#include <math.h>
#include <stdio.h>

enum { SQL_BYTES_MAX = 1024 * 1024, ROWS_BYTES_MAX = 1024 * 1024, PERCENTILES_MAX = 4 };

static const struct {
    const char *label, *shown, *metric;
    enum measure measure;
    bool block, names_measure;
} declared[] = {
#define BLOCK(label, shown, metric, measure) {label, shown, metric, MEASURE_##measure, true, false},
#define ITEM(label, metric, measure, key) {label, metric, metric, MEASURE_##measure, false, key},
#include "query/comparison.def"
#undef BLOCK
#undef ITEM
};

static double share_of(const struct comparison_row *row)
{
    return row->measure == MEASURE_MEDIAN ? 0.5 : row->metric->better == BETTER_LOWER ? 0.95 : 0.05;
}

static bool is_percentile(const struct comparison_row *row)
{
    return row->measure == MEASURE_MEDIAN || row->measure == MEASURE_95TH;
}

/* Of a column that may be null: without any value there is nothing to sort. All percentiles of a metric are written
 * alike and picked from, so that the store keeps and sorts its values once. */
static void percentile_sql(struct buf *outer, struct query *q, const struct comparison *all,
                           const struct comparison_row *row, const char *column)
{
    double shares[PERCENTILES_MAX];
    size_t n = 0, at = 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct comparison_row *other = &all->rows[i];
        if (other->metric != row->metric || !is_percentile(other)) continue;
        BUG_IF(n == PERCENTILES_MAX);
        if (other == row) at = n;
        shares[n++] = share_of(other);
    }
    buf_addf(outer, "if(count(%s) = 0, nan, ", column);
    store_percentile_of(outer, q->store, shares, n, at, column);
    buf_addc(outer, ')');
}

/* The view's value of a metric in its own type: integers are summed and sorted faster. */
static void value_sql(struct buf *inner, const struct store *store, const struct metric *m)
{
    if (m->kind == METRIC_VIEWERS) buf_adds(inner, viewer_sql(store, m));
    else if (m->kind == METRIC_RATIO) metric_value_sql(m, inner);
    else if (strcmp(m->population, "1") == 0) buf_adds(inner, m->a);
    else buf_addf(inner, "if(%s, %s, NULL)", m->population, m->a);
}

/* The inner columns of the first row of each metric: v<i> where a row counts or sorts views' values, and for an average
 * of ratios a<i>, b<i> and c<i>, which says whether the view has one. */
static void columns_sql(struct buf *inner, const struct store *store, const struct comparison *all, size_t i)
{
    const struct metric *m = all->rows[i].metric;
    bool values = m->kind != METRIC_RATIO, average = false;
    for (size_t k = i; k < all->count; k++) {
        if (all->rows[k].metric != m || m->kind != METRIC_RATIO) continue;
        if (all->rows[k].measure == MEASURE_AVG) average = true;
        else values = true;
    }
    if (values) {
        buf_adds(inner, ", ");
        value_sql(inner, store, m);
        buf_addf(inner, " AS v%zu", i);
    }
    if (average)
        buf_addf(inner, ", %s AS a%zu, %s AS b%zu, ifNull(%s, 0) > 0 AND %s AND isNotNull(%s) AS c%zu", m->a, i, m->b,
                 i, m->b, m->population, m->a, i);
}

static void aggregate_sql(struct buf *outer, struct query *q, const struct comparison *all,
                          const struct comparison_row *row, size_t i)
{
    const struct metric *m = row->metric;
    char column[24];
    (void)snprintf(column, sizeof column, "v%zu", i);
    if (m->kind == METRIC_VIEWERS) {
        buf_addf(outer, ", ifNull(toFloat64(uniqExact(%s)), 0)", column);
        return;
    }
    buf_adds(outer, ", assumeNotNull(ifNull(");
    switch (row->measure) {
    case MEASURE_COUNT: buf_addf(outer, "toFloat64(count(%s))", column); break;
    case MEASURE_SUM: buf_addf(outer, "toFloat64(ifNull(sum(%s), 0))", column); break;
    case MEASURE_AVG:
        if (m->kind == METRIC_RATIO) buf_addf(outer, "toFloat64(sumIf(a%zu, c%zu) / sumIf(b%zu, c%zu))", i, i, i, i);
        else buf_addf(outer, "toFloat64(avg(%s))", column);
        break;
    case MEASURE_MEDIAN:
    case MEASURE_95TH: percentile_sql(outer, q, all, row, column); break;
    }
    buf_adds(outer, ", nan))");
}

static void row_sql(struct buf *outer, struct buf *inner, struct query *q, const struct comparison *all, size_t i)
{
    const struct metric *m = all->rows[i].metric;
    size_t first = 0;
    while (all->rows[first].metric != m) first++;
    if (first == i) columns_sql(inner, q->store, all, i);
    aggregate_sql(outer, q, all, &all->rows[i], first);
}

/* Fills the rows of one clock, and views, watch and playing time of its population. */
static enum err run_clock(struct query *q, const char *environment_id, const struct window *window,
                          const struct filters *filters, enum metric_clock clock, struct comparison *out,
                          int64_t *views, int64_t *watch_ms, int64_t *playing_ms)
{
    struct buf outer, inner, where, rows;
    buf_init(&outer, SQL_BYTES_MAX);
    buf_init(&inner, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_adds(&outer, "SELECT toInt64(count()), toInt64(sum(w)), toInt64(sum(p))");
    buf_adds(&inner, "toInt64(ifNull(watch_time, 0)) AS w, ifNull(view_playing_time, 0) AS p");
    for (size_t i = 0; i < out->count; i++)
        if (out->rows[i].metric->clock == clock) row_sql(&outer, &inner, q, out, i);
    question_where(&where, environment_id, window, clock, filters);
    buf_adds(&outer, " FROM ");
    store_views_from(&outer, q->store, inner.ptr, buf_span(&where));
    bool failed = outer.failed || inner.failed || where.failed;
    static const struct store_limits limits = {.most_rows = true};
    enum err e =
        failed ? ERR_FULL : store_select_as(q->store, buf_span(&outer), &limits, "RowBinary", &rows, &q->error);
    if (e == ERR_NONE) {
        struct bytes in = bytes_of(buf_span(&rows));
        *views = rb_i64(&in);
        *watch_ms = rb_i64(&in);
        *playing_ms = rb_i64(&in);
        for (size_t i = 0; i < out->count; i++) {
            struct comparison_row *row = &out->rows[i];
            if (row->metric->clock != clock) continue;
            row->answer.value = rb_f64(&in);
            row->answer.has_value = isfinite(row->answer.value);
        }
        if (!in.ok) e = ERR_CORRUPT;
    }
    buf_free(&outer);
    buf_free(&inner);
    buf_free(&where);
    buf_free(&rows);
    return e;
}

enum err query_comparison(struct query *q, const char *environment_id, const struct window *window,
                          const struct filters *filters, struct comparison *out)
{
    *out = (struct comparison){.count = COUNT(declared)};
    out->rows = arena_alloc(q->arena, sizeof *out->rows * COUNT(declared));
    if (out->rows == NULL) return ERR_FULL;
    for (size_t i = 0; i < COUNT(declared); i++) {
        out->rows[i] = (struct comparison_row){.label = declared[i].label,
                                               .shown = declared[i].shown,
                                               .metric = metric_find(span_of(declared[i].metric)),
                                               .measure = declared[i].measure,
                                               .block = declared[i].block,
                                               .names_measure = declared[i].names_measure};
        BUG_IF(out->rows[i].metric == NULL);
    }
    int64_t unused;
    enum err e =
        run_clock(q, environment_id, window, filters, CLOCK_END, out, &out->ended_views, &out->watch_ms, &unused);
    if (e == ERR_NONE)
        e = run_clock(q, environment_id, window, filters, CLOCK_START, out, &out->started_views, &unused,
                      &out->playing_ms);
    for (size_t i = 0; i < out->count; i++)
        if (out->rows[i].metric->kind == METRIC_VIEWERS) out->unique_viewers = (int64_t)out->rows[i].answer.value;
    return e;
}
