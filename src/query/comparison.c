/* SPDX-License-Identifier: Apache-2.0 */
#include "query/comparison.h"

#include "store/dialect.h"
#include "store/read.h"
#include "store/result.h"

#include <math.h>
#include <stdio.h>

enum { SQL_BYTES_MAX = 1024 * 1024, ROWS_BYTES_MAX = 1024 * 1024 };

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

/* Of a column that may be null: without any value there is nothing to sort. */
static void percentile_sql(struct buf *outer, struct query *q, double share, const char *column)
{
    buf_addf(outer, "if(count(%s) = 0, nan, ", column);
    store_percentile(outer, q->store, share, column);
    buf_addc(outer, ')');
}

/* The aggregate of row i over inner columns of its own: v<i>, and a<i>, b<i> for an average of ratios. */
static void row_sql(struct buf *outer, struct buf *inner, struct query *q, const struct comparison_row *row, size_t i)
{
    const struct metric *m = row->metric;
    char column[24];
    (void)snprintf(column, sizeof column, "v%zu", i);
    if (m->kind == METRIC_VIEWERS) {
        buf_addf(inner, ", %s AS %s", m->a, column);
        buf_addf(outer, ", ifNull(toFloat64(uniqExact(%s)), 0)", column);
        return;
    }
    buf_adds(inner, ", ");
    metric_value_sql(m, inner);
    buf_addf(inner, " AS %s", column);
    bool ratio = m->kind == METRIC_RATIO && row->measure == MEASURE_AVG;
    if (ratio)
        buf_addf(inner, ", if(isNull(%s), NULL, toFloat64(%s)) AS a%zu, if(isNull(%s), NULL, toFloat64(%s)) AS b%zu",
                 column, m->a, i, column, m->b, i);
    buf_adds(outer, ", assumeNotNull(ifNull(");
    switch (row->measure) {
    case MEASURE_COUNT: buf_addf(outer, "toFloat64(count(%s))", column); break;
    case MEASURE_SUM: buf_addf(outer, "toFloat64(ifNull(sum(%s), 0))", column); break;
    case MEASURE_AVG:
        if (ratio) buf_addf(outer, "toFloat64(sum(a%zu) / sum(b%zu))", i, i);
        else buf_addf(outer, "toFloat64(avg(%s))", column);
        break;
    case MEASURE_MEDIAN: percentile_sql(outer, q, 0.5, column); break;
    case MEASURE_95TH: percentile_sql(outer, q, m->better == BETTER_LOWER ? 0.95 : 0.05, column); break;
    }
    buf_adds(outer, ", nan))");
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
        if (out->rows[i].metric->clock == clock) row_sql(&outer, &inner, q, &out->rows[i], i);
    question_where(&where, environment_id, window, clock, filters);
    buf_adds(&outer, " FROM ");
    store_views_from(&outer, q->store, inner.ptr, buf_span(&where));
    bool failed = outer.failed || inner.failed || where.failed;
    enum err e = failed ? ERR_FULL : store_select(q->store, buf_span(&outer), &rows, &q->error);
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
