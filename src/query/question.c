/* SPDX-License-Identifier: Apache-2.0
 * Questions to SQL and back. The shape is always
 *   SELECT <aggregates> FROM (SELECT <v, a, b, w, p, t, g> FROM <views of the question>) [GROUP BY ...]
 * with v the view's value, w and p its watch and playing time, t its clock and g its dimension value. */
#include "query/segments.h"

#include "store/dialect.h"
#include "store/escape.h"
#include "store/read.h"
#include "store/result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A view's start may lie this long before its end, and (clamped clocks) a little after it. */
enum { VIEW_LENGTH_MAX_S = 8 * 86400, VIEW_START_AFTER_END_MAX_S = 86400 };

void question_where(struct buf *sql, const char *environment_id, const struct window *window, enum metric_clock clock,
                    const struct filters *filters)
{
    long long start = (long long)window->start_s * 1000, end = (long long)window->end_s * 1000;
    buf_adds(sql, "environment_id = ");
    store_escape_text(sql, span_of(environment_id));
    if (clock == CLOCK_START) {
        buf_addf(sql, " AND view_start >= %lld AND view_start < %lld", start, end);
        start -= (long long)VIEW_START_AFTER_END_MAX_S * 1000;
        end += (long long)VIEW_LENGTH_MAX_S * 1000;
    }
    buf_addf(sql, " AND view_end >= %lld AND view_end < %lld", start, end);
    if (filters) filters_sql(filters, sql);
}

double question_level(const struct metric *m, enum measure measure)
{
    return measure == MEASURE_MEDIAN ? 0.5 : m->better == BETTER_LOWER ? 0.95 : 0.05;
}

void question_aggregate(struct buf *sql, const struct store *store, const struct metric *m, enum measure measure)
{
    if (m->kind == METRIC_VIEWERS) {
        buf_adds(sql, "toFloat64(uniqExact(v))");
        return;
    }
    switch (measure) {
    case MEASURE_COUNT: buf_adds(sql, "toFloat64(count())"); return;
    case MEASURE_SUM: buf_adds(sql, "toFloat64(sum(v))"); return;
    case MEASURE_AVG:
        buf_adds(sql, m->kind == METRIC_RATIO ? "toFloat64(sum(a) / sum(b))" : "toFloat64(avg(v))");
        return;
    case MEASURE_MEDIAN:
    case MEASURE_95TH: store_percentile(sql, store, question_level(m, measure), "v"); return;
    }
}

const char *viewer_sql(const struct store *store, const struct metric *m)
{
    return store_dialect(store).viewer_key ? "viewer_key" : m->a;
}

bool question_keeps_values(const struct question *question)
{
    return question->measure == MEASURE_MEDIAN || question->measure == MEASURE_95TH ||
           question->metric->kind == METRIC_VIEWERS;
}

bool question_needs_ratio(const struct question *question)
{
    return question->metric->kind == METRIC_RATIO && question->measure == MEASURE_AVG;
}

void question_from_sql(struct buf *sql, const struct store *store, const struct question *question, const char *extra,
                       const char *extra_where)
{
    const struct metric *m = question->metric;
    struct buf columns, where;
    buf_init(&columns, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    if (m->kind == METRIC_VIEWERS) buf_addf(&columns, "assumeNotNull(%s) AS v", viewer_sql(store, m));
    else if (m->kind == METRIC_RATIO) buf_addf(&columns, "assumeNotNull(toFloat64(%s) / %s) AS v", m->a, m->b);
    else buf_addf(&columns, "assumeNotNull(%s) AS v", m->a); /* its own type: sorting integers is faster */
    if (question_needs_ratio(question))
        buf_addf(&columns, ", assumeNotNull(%s) AS a, assumeNotNull(%s) AS b", m->a, m->b);
    buf_addf(&columns, ", toInt64(ifNull(watch_time, 0)) AS w, ifNull(view_playing_time, 0) AS p%s", extra);
    question_where(&where, question->environment_id, &question->window, m->clock, question->filters);
    if (strcmp(m->population, "1") != 0) buf_addf(&where, " AND %s", m->population);
    if (m->kind == METRIC_RATIO) buf_addf(&where, " AND ifNull(%s, 0) > 0", m->b);
    const char *known = m->kind == METRIC_VIEWERS ? viewer_sql(store, m) : m->a;
    buf_addf(&where, " AND isNotNull(%s)%s", known, extra_where);
    store_views_from(sql, store, columns.ptr, buf_span(&where));
    if (columns.failed || where.failed) sql->failed = true;
    buf_free(&columns);
    buf_free(&where);
}

int question_time_left_ms(const struct query *q)
{
    if (q->until.v == 0) return 0;
    int64_t left_ms = (q->until.v - mono_now().v) / 1000;
    return left_ms > 1 ? (int)left_ms : 1;
}

enum err question_run(struct query *q, struct buf *sql, struct buf *out)
{
    struct store_limits limits = {.most_rows = true, .timeout_ms = question_time_left_ms(q)};
    enum err e =
        sql->failed ? ERR_FULL : store_select_as(q->store, buf_span(sql), &limits, "RowBinary", out, &q->error);
    buf_free(sql);
    return e;
}

struct answer question_answer(const struct question *question, int64_t views, double value)
{
    bool counts =
        question->measure == MEASURE_COUNT || question->measure == MEASURE_SUM || metric_counts_views(question->metric);
    struct answer a = {.views = views, .has_value = views > 0 || counts, .value = views > 0 ? value : 0};
    if (!isfinite(a.value)) a.has_value = false;
    return a;
}

static void question_aggregates_sql(struct buf *sql, const struct store *store, const struct question *question)
{
    buf_adds(sql, "toInt64(count()), ");
    question_aggregate(sql, store, question->metric, question->measure);
}

struct answer question_read(struct bytes *rows, const struct question *question, bool times)
{
    int64_t views = rb_i64(rows);
    struct answer a = question_answer(question, views, rb_f64(rows));
    if (times) a.watch_ms = rb_i64(rows), a.playing_ms = rb_i64(rows);
    return a;
}

void query_overall_sql(struct buf *sql, const struct store *store, const struct question *question)
{
    buf_adds(sql, "SELECT ");
    question_aggregates_sql(sql, store, question);
    buf_adds(sql, ", toInt64(sum(w)), toInt64(sum(p)) FROM ");
    question_from_sql(sql, store, question, "", "");
}

enum err query_overall(struct query *q, const struct question *question, struct answer *out)
{
    struct buf sql, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    query_overall_sql(&sql, q->store, question);
    enum err e = question_run(q, &sql, &rows);
    if (e == ERR_NONE) {
        struct bytes in = bytes_of(buf_span(&rows));
        *out = question_read(&in, question, true);
        if (!in.ok) e = ERR_CORRUPT;
    }
    buf_free(&rows);
    return e;
}

void query_timeseries_sql(struct buf *sql, const struct store *store, const struct question *question, int64_t step_s)
{
    buf_addf(sql, "SELECT toInt64(intDiv(t, %lld)) AS k, ", (long long)step_s * 1000);
    question_aggregates_sql(sql, store, question);
    buf_adds(sql, " FROM ");
    question_from_sql(sql, store, question,
                      question->metric->clock == CLOCK_START ? ", view_start AS t" : ", view_end AS t", "");
    buf_adds(sql, " GROUP BY k");
}

enum err query_timeseries(struct query *q, const struct question *question, int64_t step_s, struct bucket **out,
                          size_t *count)
{
    int64_t first = window_first_bucket_s(&question->window, step_s), n = window_buckets(&question->window, step_s);
    struct bucket *buckets = arena_alloc(q->arena, (size_t)n * sizeof *buckets);
    if (buckets == NULL) return ERR_FULL;
    for (int64_t i = 0; i < n; i++)
        buckets[i] = (struct bucket){.start_s = first + i * step_s, .answer = question_answer(question, 0, 0)};
    struct buf sql, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    query_timeseries_sql(&sql, q->store, question, step_s);
    enum err e = question_run(q, &sql, &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    while (e == ERR_NONE && bytes_left(&in)) {
        int64_t at = rb_i64(&in) - first / step_s;
        struct answer a = question_read(&in, question, false);
        if (!in.ok) e = ERR_CORRUPT;
        else if (at >= 0 && at < n) buckets[at].answer = a;
    }
    buf_free(&rows);
    *out = buckets;
    *count = (size_t)n;
    return e;
}

void dimension_text_sql(struct buf *sql, const struct dimension *d, const char *g)
{
    switch (d->type) {
    case DIMENSION_TEXT: buf_addf(sql, "CAST(%s AS Nullable(String))", g); return;
    case DIMENSION_NUMBER:
    case DIMENSION_FPS: buf_addf(sql, "CAST(toString(%s) AS Nullable(String))", g); return;
    case DIMENSION_BOOL:
    case DIMENSION_NBOOL:
        buf_addf(sql, "CAST(if(isNull(%s), NULL, if(%s = 1, 'true', 'false')) AS Nullable(String))", g, g);
        return;
    case DIMENSION_TRACE:
        buf_addf(sql, "CAST(concat('[', arrayStringConcat(%s, ','), ']') AS Nullable(String))", g);
        return;
    }
}

void dimension_group_sql(struct buf *sql, const struct store *store, const struct dimension *d)
{
    bool plain = d->type != DIMENSION_TEXT || store_dialect(store).groups_coded;
    buf_addf(sql, plain ? "%s" : "CAST(%s AS Nullable(String))", d->column);
}
