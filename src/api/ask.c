/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ask.h"

#include "api/answers.h"
#include "api/internal.h"
#include "base/counters.h"

enum { DAY_S = 86400, VIEW_DAYS_MAX = 8, KEY_BYTES_MAX = 1024 * 1024 };

bool ask_window(struct api_call *c, struct window *out)
{
    struct api_params values = api_params(c, "timeframe");
    const char *bad = window_parse(values.values, values.count, c->now_ms / 1000, out);
    if (bad) {
        api_fail(c, 400, "%s", bad);
        return false;
    }
    window_snap(out);
    return true;
}

bool ask_filters(struct api_call *c, bool with_metrics, struct filters *out)
{
    struct api_params plain = api_params(c, "filters"), metrics = {NULL, 0};
    if (with_metrics) metrics = api_params(c, "metric_filters");
    const char *bad = filters_parse(plain.values, plain.count, metrics.values, metrics.count, c->arena, out);
    if (bad) {
        api_fail(c, 400, "%s", bad);
        return false;
    }
    return ask_token_filter(c, out);
}

bool ask_token_filter(struct api_call *c, struct filters *out)
{
    if (c->principal.filter[0] == 0) return true;
    const char *bad = filters_restrict(out, span_of(c->principal.filter), c->arena);
    if (bad) api_fail(c, 403, "The filter of this token cannot be applied: %s", bad);
    return bad == NULL;
}

bool ask_question(struct api_call *c, struct filters *filters, struct question *out)
{
    *out = (struct question){.environment_id = c->environment_id, .filters = filters};
    out->metric = metric_find(c->arguments[0]);
    if (out->metric == NULL) {
        api_fail(c, 404, "There is no metric \"%.*s\".", (int)(c->arguments[0].len < 100 ? c->arguments[0].len : 100),
                 c->arguments[0].ptr);
        return false;
    }
    out->measure = out->metric->measure;
    struct span measurement = api_param(c, "measurement");
    if (measurement.len && !measure_from_name(measurement, &out->measure)) {
        api_fail(c, 400, "measurement has to be 95th, median, avg, count or sum.");
        return false;
    }
    if (!metric_offers(out->metric, out->measure)) {
        api_fail(c, 400, "%s has the measurement count only.", out->metric->id);
        return false;
    }
    return ask_window(c, &out->window) && ask_filters(c, true, filters);
}

/* Everything that the answer depends on, one after the other; lengths in front, so that parts cannot be mistaken. */
static bool cache_key(struct api_call *c, const struct window *w, uint64_t extra, struct hash128 *out)
{
    struct buf text;
    buf_init(&text, KEY_BYTES_MAX);
    ptrdiff_t question = span_find(c->request->target, '?');
    struct span path = question < 0 ? c->request->target : span_upto(c->request->target, (size_t)question);
    const struct span parts[] = {path, c->request->query, c->request->body, span_of(c->principal.filter)};
    for (size_t i = 0; i < COUNT(parts); i++) {
        buf_add_u64(&text, parts[i].len);
        buf_add_span(&text, parts[i]);
    }
    buf_add_u64(&text, (uint64_t)w->start_s);
    buf_add_u64(&text, (uint64_t)w->end_s);
    buf_add_u64(&text, extra);
    *out = hash128_sha256(span_of(c->environment_id), buf_span(&text));
    bool ok = !text.failed;
    buf_free(&text);
    return ok;
}

bool ask_cached(struct api_call *c, const struct window *w, enum metric_clock clock, uint64_t extra)
{
    struct store_status store;
    store_status(c->store, &store);
    /* A store elsewhere may be written by others, whose changes nobody here hears of. */
    if (!store.embedded || !cache_key(c, w, extra, &c->kept_as)) return false;
    /* A pending view may end on another day in its next version, and a view may start days before it ends. */
    int64_t from_s = w->start_s - DAY_S, to_s = w->end_s + (clock == CLOCK_START ? VIEW_DAYS_MAX + 1 : 1) * DAY_S;
    c->generation = store_generation_between(c->store, from_s * 1000, to_s * 1000);
    if (answers_get(api_answers(c->api), c->kept_as, c->generation, &c->body)) {
        counter_add(COUNTER_api_cache_hits_total, 1);
        return true;
    }
    c->keeps = true;
    return false;
}

struct query ask_query(struct api_call *c)
{
    return (struct query){.store = c->store, .arena = c->arena, .vast = api_vast(c->api)};
}

int ask_order_by(struct api_call *c, const char *const *names, int otherwise)
{
    struct span text = api_param(c, "order_by");
    if (text.len == 0) return otherwise;
    for (int i = 0; names[i]; i++)
        if (span_is(text, names[i])) return i;
    api_fail(c, 400, "order_by has to be negative_impact, value, views or field.");
    return -1;
}

void ask_print_value(struct jw *w, const struct answer *a)
{
    if (a->has_value) jw_double(w, a->value);
    else jw_null(w);
}

void ask_print_meta(struct jw *w, const struct metric *m, int64_t step_s)
{
    jw_key(w, "meta"), jw_object(w);
    jw_key(w, "aggregation"), jw_text(w, m->clock == CLOCK_START ? "view_start" : "view_end");
    if (step_s) jw_key(w, "granularity"), jw_text(w, granularity_name(step_s));
    jw_object_end(w);
}

void ask_print_text(struct jw *w, struct span s)
{
    if (s.ptr) jw_string(w, s);
    else jw_null(w);
}
