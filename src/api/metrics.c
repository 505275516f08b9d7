/* SPDX-License-Identifier: Apache-2.0
 * GET /data/v1/metrics/...: overall, timeseries, breakdown, insights. The comparison is in comparison.c. */
#include "api/ask.h"

#include "base/clock.h"

#include <math.h>
#include <stdlib.h>

enum { INSIGHTS_ROWS_MAX = 100, BREAKDOWN_LIMIT = 25, BREAKDOWN_LIMIT_MAX = 1000 };

void api_metrics_overall(struct api_call *c)
{
    struct filters filters;
    struct question question;
    if (!ask_question(c, &filters, &question)) return;
    if (ask_cached(c, &question.window, question.metric->clock, 0)) return;
    struct query q = ask_query(c);
    struct answer a;
    enum err e = query_overall(&q, &question, &a);
    if (e != ERR_NONE) {
        api_fail_store(c, e, &q.error);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    jw_key(&c->json, "value"), ask_print_value(&c->json, &a);
    jw_key(&c->json, "total_watch_time"), jw_int(&c->json, a.watch_ms);
    jw_key(&c->json, "total_playing_time"), jw_int(&c->json, a.playing_ms);
    jw_key(&c->json, "total_views"), jw_int(&c->json, a.views);
    jw_key(&c->json, "global_value"), jw_null(&c->json);
    jw_object_end(&c->json);
    ask_print_meta(&c->json, question.metric, 0);
    api_timeframe(c, question.window.start_s, question.window.end_s);
    api_total(c, 1);
    jw_object_end(&c->json);
}

static bool timeseries_step(struct api_call *c, const struct window *w, int64_t *step_s)
{
    struct span group_by = api_param(c, "group_by");
    *step_s = w->step_s;
    if (group_by.len && !granularity_step(group_by, step_s)) {
        api_fail(c, 400, "group_by has to be minute, ten_minutes, hour or day.");
        return false;
    }
    if (window_buckets(w, *step_s) <= WINDOW_BUCKETS_MAX) return true;
    api_fail(c, 400, "That would be more than %d points; take a coarser group_by or a shorter timeframe[].",
             WINDOW_BUCKETS_MAX);
    return false;
}

void api_metrics_timeseries(struct api_call *c)
{
    struct filters filters;
    struct question question;
    int64_t step_s;
    bool descending;
    if (!ask_question(c, &filters, &question) || !timeseries_step(c, &question.window, &step_s) ||
        !api_descending(c, false, &descending))
        return;
    if (ask_cached(c, &question.window, question.metric->clock, 0)) return;
    struct query q = ask_query(c);
    struct bucket *buckets;
    size_t n;
    enum err e = query_timeseries(&q, &question, step_s, &buckets, &n);
    if (e != ERR_NONE) {
        api_fail_store(c, e, &q.error);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = 0; i < n; i++) {
        const struct bucket *b = &buckets[descending ? n - 1 - i : i];
        char when[32];
        iso_seconds(when, b->start_s * 1000);
        jw_array(&c->json);
        jw_text(&c->json, when), ask_print_value(&c->json, &b->answer), jw_int(&c->json, b->answer.views);
        jw_array_end(&c->json);
    }
    jw_array_end(&c->json);
    ask_print_meta(&c->json, question.metric, step_s);
    api_timeframe(c, question.window.start_s, question.window.end_s);
    api_total(c, (int64_t)n);
    jw_object_end(&c->json);
}

/* -- breakdown -- */

enum order { ORDER_IMPACT, ORDER_VALUE, ORDER_VIEWS, ORDER_FIELD };
static const char *const order_names[] = {"negative_impact", "value", "views", "field", NULL};

struct ordering {
    enum order by;
    bool descending;
};

/* Null values last in either direction; ties by views desc, then field asc. */
static int segment_compare(const void *x, const void *y, void *ctx)
{
    const struct segment *a = x, *b = y;
    const struct ordering *o = ctx;
    int order = 0;
    switch (o->by) {
    case ORDER_IMPACT: order = a->rank > b->rank ? -1 : a->rank < b->rank; break; /* desc: rank 1 first */
    case ORDER_VALUE:
        if (a->answer.has_value != b->answer.has_value) return a->answer.has_value ? -1 : 1;
        order = a->answer.has_value ? (a->order_value > b->order_value) - (a->order_value < b->order_value) : 0;
        break;
    case ORDER_VIEWS: order = (a->answer.views > b->answer.views) - (a->answer.views < b->answer.views); break;
    case ORDER_FIELD:
        if (a->field.ptr == NULL || b->field.ptr == NULL) return (a->field.ptr == NULL) - (b->field.ptr == NULL);
        order = span_compare(a->field, b->field);
        break;
    }
    if (order) return o->descending ? -order : order;
    if (a->answer.views != b->answer.views) return a->answer.views > b->answer.views ? -1 : 1;
    if (a->field.ptr == NULL || b->field.ptr == NULL) return (a->field.ptr == NULL) - (b->field.ptr == NULL);
    return span_compare(a->field, b->field);
}

static bool breakdown_dimension(struct api_call *c, const struct dimension **by)
{
    struct span id = api_param(c, "group_by");
    *by = dimension_find(id.len ? id : SPAN("country"));
    if (*by == NULL) api_fail(c, 400, "group_by has to be a dimension; GET /data/v1/dimensions lists them.");
    return *by != NULL;
}

void api_metrics_breakdown(struct api_call *c)
{
    struct filters filters;
    struct question question;
    const struct dimension *by;
    uint32_t limit, page;
    if (!ask_question(c, &filters, &question) || !breakdown_dimension(c, &by) ||
        !api_paging(c, BREAKDOWN_LIMIT, BREAKDOWN_LIMIT_MAX, &limit, &page))
        return;
    int order = ask_order_by(c, order_names, ORDER_IMPACT);
    struct ordering ordering = {.by = order < 0 ? ORDER_IMPACT : (enum order)order};
    if (order < 0 || !api_descending(c, ordering.by != ORDER_FIELD, &ordering.descending)) return;
    if (ask_cached(c, &question.window, question.metric->clock, 0)) return;
    struct query q = ask_query(c);
    struct segment *rows;
    size_t n;
    struct answer overall;
    enum err e = query_breakdown(&q, &question, by, &rows, &n, &overall);
    if (e != ERR_NONE) {
        api_fail_store(c, e, &q.error);
        return;
    }
    if (n) qsort_r(rows, n, sizeof *rows, segment_compare, &ordering);
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = (size_t)(page - 1) * limit, end = i + limit; i < n && i < end; i++) {
        jw_object(&c->json);
        jw_key(&c->json, "field"), ask_print_text(&c->json, rows[i].field);
        jw_key(&c->json, "value"), ask_print_value(&c->json, &rows[i].answer);
        jw_key(&c->json, "views"), jw_int(&c->json, rows[i].answer.views);
        jw_key(&c->json, "negative_impact"), jw_int(&c->json, rows[i].rank);
        jw_key(&c->json, "total_watch_time"), jw_int(&c->json, rows[i].answer.watch_ms);
        jw_key(&c->json, "total_playing_time"), jw_int(&c->json, rows[i].answer.playing_ms);
        jw_object_end(&c->json);
    }
    jw_array_end(&c->json);
    ask_print_meta(&c->json, question.metric, 0);
    api_timeframe(c, question.window.start_s, question.window.end_s);
    api_total(c, (int64_t)n);
    jw_object_end(&c->json);
}

/* -- insights -- */

void api_metrics_insights(struct api_call *c)
{
    struct filters filters;
    struct question question;
    bool descending; /* accepted, of no effect */
    if (!ask_question(c, &filters, &question) || !api_descending(c, false, &descending)) return;
    if (ask_cached(c, &question.window, question.metric->clock, 0)) return;
    struct query q = ask_query(c);
    struct segment *rows;
    size_t n;
    enum err e = query_insights(&q, &question, &rows, &n);
    if (e != ERR_NONE) {
        api_fail_store(c, e, &q.error);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = 0; i < n && i < INSIGHTS_ROWS_MAX; i++) {
        jw_object(&c->json);
        jw_key(&c->json, "filter_column"), jw_text(&c->json, rows[i].dimension->id);
        jw_key(&c->json, "filter_value"), ask_print_text(&c->json, rows[i].field);
        jw_key(&c->json, "metric"), ask_print_value(&c->json, &rows[i].answer);
        jw_key(&c->json, "negative_impact_score"), jw_double(&c->json, rows[i].score);
        jw_key(&c->json, "total_views"), jw_int(&c->json, rows[i].answer.views);
        jw_key(&c->json, "total_watch_time"), jw_int(&c->json, rows[i].answer.watch_ms);
        jw_key(&c->json, "total_playing_time"), jw_int(&c->json, rows[i].answer.playing_ms);
        jw_object_end(&c->json);
    }
    jw_array_end(&c->json);
    ask_print_meta(&c->json, question.metric, 0);
    api_timeframe(c, question.window.start_s, question.window.end_s);
    api_total(c, (int64_t)n);
    jw_object_end(&c->json);
}
