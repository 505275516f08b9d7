/* SPDX-License-Identifier: Apache-2.0
 * GET /data/v1/metrics/comparison. */
#include "query/comparison.h"

#include "api/ask.h"

#include <stdio.h>

/* dimension and value, both or neither, are one more filter. */
static bool segment_filter(struct api_call *c, struct filters *filters)
{
    struct span dimension = api_param(c, "dimension"), text = api_param(c, "value");
    if (dimension.len == 0 && text.len == 0) return true;
    if (dimension.len == 0 || text.len == 0) {
        api_fail(c, 400, "dimension and value belong together; the value __empty__ means none.");
        return false;
    }
    if (dimension_find(dimension) == NULL) { /* the id alone, without an operator in front */
        api_fail(c, 400, "There is no dimension \"%.*s\" to compare.", (int)(dimension.len < 100 ? dimension.len : 100),
                 dimension.ptr);
        return false;
    }
    size_t len = dimension.len + 1 + text.len;
    char *element = arena_alloc(c->arena, len + 1);
    if (element == NULL) {
        api_fail(c, 400, "value is too long.");
        return false;
    }
    (void)snprintf(element, len + 1, "%.*s:", SPAN_ARG(dimension)); /* a known id: no NUL ends it early */
    memcpy(element + dimension.len + 1, text.ptr, text.len);
    const char *bad = filters_add(filters, span_make(element, len), c->arena);
    if (bad) api_fail(c, 400, "%s", bad);
    return bad == NULL;
}

static void print_totals(struct jw *w, const struct comparison *all)
{
    jw_object(w);
    jw_key(w, "name"), jw_text(w, "totals");
    jw_key(w, "watch_time"), jw_int(w, all->watch_ms);
    jw_key(w, "view_count"), jw_int(w, all->ended_views);
    jw_key(w, "started_views"), jw_int(w, all->started_views);
    jw_key(w, "ended_views"), jw_int(w, all->ended_views);
    jw_key(w, "unique_viewers"), jw_int(w, all->unique_viewers);
    jw_key(w, "total_playing_time"), jw_int(w, all->playing_ms);
    jw_object_end(w);
}

static void print_row(struct jw *w, const struct comparison_row *row)
{
    jw_key(w, "name"), jw_text(w, row->label);
    jw_key(w, "metric"), jw_text(w, row->shown);
    jw_key(w, "type"), jw_text(w, metric_unit_name(row->metric->unit));
    jw_key(w, "value"), ask_print_value(w, &row->answer);
    if (row->names_measure) jw_key(w, "measurement"), jw_text(w, measure_name(row->measure));
}

static void print_blocks(struct jw *w, const struct comparison *all)
{
    for (size_t i = 0; i < all->count;) {
        jw_object(w);
        print_row(w, &all->rows[i++]);
        if (i < all->count && !all->rows[i].block) {
            jw_key(w, "items"), jw_array(w);
            for (; i < all->count && !all->rows[i].block; i++) {
                jw_object(w);
                print_row(w, &all->rows[i]);
                jw_object_end(w);
            }
            jw_array_end(w);
        }
        jw_object_end(w);
    }
}

void api_metrics_comparison(struct api_call *c)
{
    struct window window;
    struct filters filters;
    if (!ask_window(c, &window) || !ask_filters(c, true, &filters) || !segment_filter(c, &filters)) return;
    if (ask_cached(c, &window, CLOCK_START, 0)) return;
    struct query q = ask_query(c);
    struct comparison all;
    enum err e = query_comparison(&q, c->environment_id, &window, &filters, &all);
    if (e != ERR_NONE) {
        api_fail_store(c, e, &q.error);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    print_totals(&c->json, &all);
    print_blocks(&c->json, &all);
    jw_array_end(&c->json);
    api_timeframe(c, window.start_s, window.end_s);
    api_total(c, 1);
    jw_object_end(&c->json);
}
