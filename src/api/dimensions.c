/* SPDX-License-Identifier: Apache-2.0
 * GET /data/v1/dimensions (and its deprecated name, filters): the list, the values of one, the elements of a trace. */
#include "api/ask.h"

#include <stdlib.h>

enum { VALUES_LIMIT = 25, VALUES_LIMIT_MAX = 1000 };

static void print_list(struct jw *w, enum dimension_list list, const char *key, int64_t *total)
{
    jw_key(w, key), jw_array(w);
    for (size_t i = 0; i < dimension_count(); i++) {
        const struct dimension *d = dimension_at(i);
        if (d->list != list) continue;
        jw_text(w, d->id);
        ++*total;
    }
    jw_array_end(w);
}

void api_dimensions_list(struct api_call *c)
{
    int64_t total = 0;
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    print_list(&c->json, DIMENSION_BASIC, "basic", &total);
    print_list(&c->json, DIMENSION_ADVANCED, "advanced", &total);
    jw_object_end(&c->json);
    api_timeframe_now(c);
    api_total(c, total);
    jw_object_end(&c->json);
}

struct values_order {
    bool by_field, descending;
};

/* Values ascending within equal counts in both directions; null last. */
static int values_compare(const void *x, const void *y, void *ctx)
{
    const struct segment *a = x, *b = y;
    const struct values_order *o = ctx;
    if (!o->by_field && a->answer.views != b->answer.views) {
        bool more = a->answer.views > b->answer.views;
        return more == o->descending ? -1 : 1;
    }
    if (a->field.ptr == NULL || b->field.ptr == NULL) return (a->field.ptr == NULL) - (b->field.ptr == NULL);
    int order = span_compare(a->field, b->field);
    return o->by_field && o->descending ? -order : order;
}

static void answer_values(struct api_call *c, const struct dimension *by, bool elements, bool with_metrics)
{
    static const char *const names[] = {"negative_impact", "value", "views", "field", NULL};
    struct window window;
    struct filters filters;
    uint32_t limit, page;
    bool descending;
    if (!ask_window(c, &window) || !ask_filters(c, with_metrics, &filters) ||
        !api_paging(c, VALUES_LIMIT, VALUES_LIMIT_MAX, &limit, &page))
        return;
    int order = ask_order_by(c, names, 2);
    if (order < 0 || !api_descending(c, order != 3, &descending)) return;
    if (ask_cached(c, &window, CLOCK_END, 0)) return;
    struct segment *rows = NULL;
    size_t n = 0;
    struct query q = ask_query(c);
    enum err e = by ? query_values(&q, c->environment_id, &window, &filters, by, elements, &rows, &n) : ERR_NONE;
    if (e != ERR_NONE) {
        api_fail_store(c, e, &q.error);
        return;
    }
    struct values_order by_what = {.by_field = order == 3, .descending = descending};
    if (n) qsort_r(rows, n, sizeof *rows, values_compare, &by_what);
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = (size_t)(page - 1) * limit, end = i + limit; i < n && i < end; i++) {
        jw_object(&c->json);
        jw_key(&c->json, "value"), ask_print_text(&c->json, rows[i].field);
        jw_key(&c->json, "total_count"), jw_int(&c->json, rows[i].answer.views);
        jw_object_end(&c->json);
    }
    jw_array_end(&c->json);
    api_timeframe(c, window.start_s, window.end_s);
    api_total(c, (int64_t)n);
    jw_object_end(&c->json);
}

void api_dimensions_values(struct api_call *c)
{
    answer_values(c, dimension_find(c->arguments[0]), false, true);
}

/* The old name takes no metric_filters[]. */
void api_filters_values(struct api_call *c)
{
    answer_values(c, dimension_find(c->arguments[0]), false, false);
}

void api_dimensions_elements(struct api_call *c)
{
    const struct dimension *by = dimension_find(c->arguments[0]);
    if (by && by->type != DIMENSION_TRACE) {
        api_fail(c, 400, "%s is not a trace dimension and has no elements.", by->id);
        return;
    }
    answer_values(c, by, true, true);
}
