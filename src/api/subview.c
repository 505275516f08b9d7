/* SPDX-License-Identifier: Apache-2.0
 * GET /data/v1/subview-metrics/... : playing time by rendition or playback mode. */
#include "query/subview.h"

#include "api/ask.h"
#include "base/clock.h"

#include <stdlib.h>

enum {
    BREAKDOWN_LIMIT = 25,
    BREAKDOWN_LIMIT_MAX = 100,
    VALUES_LIMIT_MAX = 250,
    VALUE_LIMIT = 10,
    VALUE_LIMIT_MAX = 100,
    COMPARED_MAX = 4,
    COMPLETE_AFTER_S = 3600,
};

static bool subview_type(struct api_call *c, struct span name, enum subview_type *out)
{
    if (subview_type_from_name(name, out)) return true;
    api_fail(c, 404, "A subview type is rendition or playback_mode.");
    return false;
}

static const struct dimension *find_rendition(struct span id)
{
    return subview_dimension_find(SUBVIEW_RENDITION, id);
}

static const struct dimension *find_mode(struct span id)
{
    return subview_dimension_find(SUBVIEW_PLAYBACK_MODE, id);
}

/* Everything that the endpoints share. The filters live in the call's arena. */
struct subview_call {
    struct subview_question question;
    struct filters of_view, of_part;
};

static bool subview_filters(struct api_call *c, struct subview_call *s)
{
    struct api_params given = api_params(c, "filters");
    s->of_view = s->of_part = (struct filters){0};
    s->of_view.items = arena_alloc(c->arena, (given.count + 1) * sizeof *s->of_view.items);
    s->of_part.items = arena_alloc(c->arena, (given.count + 1) * sizeof *s->of_part.items);
    if (s->of_view.items == NULL || s->of_part.items == NULL) {
        api_fail(c, 400, "The filters are too many.");
        return false;
    }
    dimension_lookup *find = s->question.type == SUBVIEW_RENDITION ? find_rendition : find_mode;
    for (size_t i = 0; i < given.count; i++) {
        struct filter f;
        bool ignored;
        const char *bad = filter_parse_with(find, given.values[i], c->arena, &f, &ignored);
        if (bad) {
            api_fail(c, 400, "%s", bad);
            return false;
        }
        struct filters *to = !ignored && subview_is_attribute(f.dimension) ? &s->of_part : &s->of_view;
        if (!ignored) to->items[to->count++] = f;
    }
    s->question.filters = &s->of_view;
    s->question.part_filters = &s->of_part;
    return ask_token_filter(c, &s->of_view);
}

static bool subview_group_by(struct api_call *c, struct subview_question *question)
{
    struct api_params given = api_params(c, "group_by");
    subview_set all = (1u << subview_attribute_count(question->type)) - 1, set = 0;
    for (size_t i = 0; i < given.count; i++) {
        if (given.values[i].len == 0) continue;
        if (question->type != SUBVIEW_RENDITION) {
            api_fail(c, 400, "group_by[] is for renditions only.");
            return false;
        }
        unsigned at = 0;
        while (at < subview_attribute_count(question->type) &&
               !span_is(given.values[i], subview_attribute_at(question->type, at)->id))
            at++;
        if (at == subview_attribute_count(question->type)) {
            api_fail(c, 400,
                     "group_by[] takes video_source_bitrate, _width, _height, _fps, _codec and _rendition_name.");
            return false;
        }
        set |= 1u << at;
    }
    question->group_by = set ? set : all;
    return true;
}

/* Series tell complete buckets from others by the hour. */
static bool subview_cached(struct api_call *c, const struct subview_call *s)
{
    return ask_cached(c, &s->question.window, CLOCK_END, (uint64_t)(c->now_ms / 3600000));
}

/* Metric and type of the path, window and filters. false: failed, or answered. */
static bool subview_begin(struct api_call *c, struct subview_call *s)
{
    s->question = (struct subview_question){.environment_id = c->environment_id};
    if (!span_is(c->arguments[0], "playing_time")) {
        api_fail(c, 404, "The only subview metric is playing_time.");
        return false;
    }
    return subview_type(c, c->arguments[1], &s->question.type) && ask_window(c, &s->question.window) &&
           subview_filters(c, s) && !subview_cached(c, s);
}

static void meta_begin(struct api_call *c, enum subview_type type)
{
    jw_key(&c->json, "meta"), jw_object(&c->json);
    jw_key(&c->json, "subview_type"), jw_text(&c->json, subview_type_name(type));
    jw_key(&c->json, "metric"), jw_text(&c->json, "playing_time");
    jw_key(&c->json, "unit"), jw_text(&c->json, "ms");
}

static void meta_group_by(struct api_call *c, const struct subview_question *question)
{
    jw_key(&c->json, "group_by"), jw_array(&c->json);
    for (size_t i = 0; i < subview_attribute_count(question->type); i++)
        if (question->group_by >> i & 1) jw_text(&c->json, subview_attribute_at(question->type, i)->id);
    jw_array_end(&c->json);
}

static void print_row(struct jw *w, struct span value, int64_t playing_ms)
{
    jw_object(w);
    jw_key(w, "breakdown_value"), jw_string(w, value);
    jw_key(w, "metric_value"), jw_int(w, playing_ms);
    jw_object_end(w);
}

/* "values" of one group, which begins at *at: the first limit rows, the rest as one row. */
static void print_group(struct jw *w, const struct subview_rows *rows, size_t *at, int64_t group, uint32_t limit)
{
    int64_t other = 0;
    jw_key(w, "values"), jw_array(w);
    for (uint32_t n = 0; *at < rows->n && rows->items[*at].group == group; ++*at) {
        if (n++ < limit) print_row(w, rows->items[*at].value, rows->items[*at].playing_ms);
        else other += rows->items[*at].playing_ms;
    }
    if (other) print_row(w, SPAN("other"), other);
    jw_array_end(w);
}

void api_subview_overall(struct api_call *c)
{
    struct subview_call s;
    int64_t playing_ms;
    if (!subview_begin(c, &s)) return;
    struct query q = ask_query(c);
    enum err e = query_subview_overall(&q, &s.question, &playing_ms);
    if (e != ERR_NONE) {
        api_fail_store(c, e, &q.error);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    jw_key(&c->json, "metric_value"), jw_int(&c->json, playing_ms);
    jw_object_end(&c->json);
    meta_begin(c, s.question.type);
    jw_object_end(&c->json);
    api_timeframe(c, s.question.window.start_s, s.question.window.end_s);
    jw_key(&c->json, "total_row_count"), jw_null(&c->json);
    jw_object_end(&c->json);
}

void api_subview_breakdown(struct api_call *c)
{
    struct subview_call s;
    struct subview_rows rows;
    uint32_t limit, page;
    if (!subview_begin(c, &s) || !subview_group_by(c, &s.question) ||
        !api_paging(c, BREAKDOWN_LIMIT, BREAKDOWN_LIMIT_MAX, &limit, &page))
        return;
    struct query q = ask_query(c);
    enum err e = query_subview_breakdown(&q, &s.question, &rows);
    if (e != ERR_NONE) {
        api_fail_store(c, e, &q.error);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = (size_t)(page - 1) * limit, end = i + limit; i < rows.n && i < end; i++)
        print_row(&c->json, rows.items[i].value, rows.items[i].playing_ms);
    jw_array_end(&c->json);
    meta_begin(c, s.question.type);
    meta_group_by(c, &s.question);
    jw_object_end(&c->json);
    api_timeframe(c, s.question.window.start_s, s.question.window.end_s);
    api_total(c, (int64_t)rows.n);
    jw_object_end(&c->json);
}

static bool value_limit(struct api_call *c, uint32_t *out)
{
    struct span text = api_param(c, "breakdown_value_limit");
    int64_t v = VALUE_LIMIT;
    if (text.len && !span_to_i64(text, &v)) {
        api_fail(c, 400, "breakdown_value_limit has to be a whole number.");
        return false;
    }
    *out = v < 1 ? VALUE_LIMIT : v > VALUE_LIMIT_MAX ? VALUE_LIMIT_MAX : (uint32_t)v;
    return true;
}

/* values[]: as of group_by[], empty elements are absent ones. */
static bool compared_texts(struct api_call *c, struct api_params *values)
{
    struct api_params given = api_params(c, "values");
    *values = (struct api_params){given.values, 0};
    for (size_t i = 0; i < given.count; i++)
        if (given.values[i].len) values->values[values->count++] = given.values[i];
    if (values->count >= 1 && values->count <= COMPARED_MAX) return true;
    api_fail(c, 400, "values[] has to hold 1 to %d values.", COMPARED_MAX);
    return false;
}

/* dimension and values[]; "__empty__" becomes ptr NULL in compared. */
static bool compared_values(struct api_call *c, const struct dimension **by, struct api_params *values,
                            struct span compared[COMPARED_MAX])
{
    struct span id = api_param(c, "dimension");
    *by = NULL;
    for (size_t i = 0; i < subview_view_dimension_count(); i++)
        if (span_is(id, subview_view_dimension_at(i)->id)) *by = subview_view_dimension_at(i);
    if (*by == NULL) {
        api_fail(c, 400, "dimension has to be one of the view dimensions of GET .../dimensions.");
        return false;
    }
    if (!compared_texts(c, values)) return false;
    for (size_t i = 0; i < values->count; i++) {
        bool none = span_is(values->values[i], "__empty__");
        const char *bad = none ? NULL : filter_value_check(*by, values->values[i], c->arena);
        if (bad) {
            api_fail(c, 400, "%s", bad);
            return false;
        }
        compared[i] = none ? (struct span){NULL, 0} : values->values[i];
        for (size_t j = 0; j < i; j++)
            if (span_eq(values->values[i], values->values[j])) {
                api_fail(c, 400, "values[] holds one value twice.");
                return false;
            }
    }
    return true;
}

void api_subview_comparison(struct api_call *c)
{
    struct subview_call s;
    struct subview_rows rows;
    const struct dimension *by;
    struct api_params values;
    struct span compared[COMPARED_MAX];
    uint32_t limit;
    if (!subview_begin(c, &s) || !subview_group_by(c, &s.question) || !value_limit(c, &limit) ||
        !compared_values(c, &by, &values, compared))
        return;
    struct query q = ask_query(c);
    enum err e = query_subview_comparison(&q, &s.question, by, compared, values.count, &rows);
    if (e != ERR_NONE) {
        api_fail_store(c, e, &q.error);
        return;
    }
    size_t at = 0;
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = 0; i < values.count; i++) {
        jw_object(&c->json);
        jw_key(&c->json, "dimension_value"), jw_string(&c->json, values.values[i]);
        print_group(&c->json, &rows, &at, (int64_t)i, limit);
        jw_object_end(&c->json);
    }
    jw_array_end(&c->json);
    meta_begin(c, s.question.type);
    jw_key(&c->json, "dimension"), jw_text(&c->json, by->id);
    meta_group_by(c, &s.question);
    jw_object_end(&c->json);
    api_timeframe(c, s.question.window.start_s, s.question.window.end_s);
    api_total(c, (int64_t)values.count);
    jw_object_end(&c->json);
}

static bool series_step(struct api_call *c, const struct window *w, int64_t *step_s)
{
    struct span name = api_param(c, "time_granularity");
    *step_s = 3600;
    if (name.len && (!granularity_step(name, step_s) || *step_s < 3600)) {
        api_fail(c, 400, "time_granularity has to be hour or day.");
        return false;
    }
    if (window_buckets(w, *step_s) <= WINDOW_BUCKETS_MAX) return true;
    api_fail(c, 400, "That would be more than %d points; take days or a shorter timeframe[].", WINDOW_BUCKETS_MAX);
    return false;
}

/* Buckets that have ended; returns how many, and the end of the last complete one (0: none). */
static int64_t print_series(struct api_call *c, const struct window *w, const struct subview_rows *rows, int64_t step_s,
                            uint32_t limit, int64_t *complete_through_s)
{
    char when[32];
    size_t at = 0;
    int64_t now_s = c->now_ms / 1000, first = window_first_bucket_s(w, step_s), n = 0;
    *complete_through_s = 0;
    for (int64_t i = 0; i < window_buckets(w, step_s); i++) {
        int64_t start = first + i * step_s, end = start + step_s;
        if (end > now_s) break;
        bool complete = end <= now_s - COMPLETE_AFTER_S;
        if (complete) *complete_through_s = end;
        iso_seconds(when, start * 1000);
        jw_object(&c->json);
        jw_key(&c->json, "date"), jw_text(&c->json, when);
        jw_key(&c->json, "status"), jw_text(&c->json, complete ? "complete" : "partial");
        print_group(&c->json, rows, &at, start, limit);
        jw_object_end(&c->json);
        n++;
    }
    return n;
}

void api_subview_series(struct api_call *c)
{
    struct subview_call s;
    struct subview_rows rows;
    uint32_t limit;
    int64_t step_s, complete_s;
    if (!subview_begin(c, &s) || !subview_group_by(c, &s.question) || !value_limit(c, &limit) ||
        !series_step(c, &s.question.window, &step_s))
        return;
    struct query q = ask_query(c);
    enum err e = query_subview_series(&q, &s.question, step_s, &rows);
    if (e != ERR_NONE) {
        api_fail_store(c, e, &q.error);
        return;
    }
    char when[32];
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    int64_t n = print_series(c, &s.question.window, &rows, step_s, limit, &complete_s);
    jw_array_end(&c->json);
    iso_seconds(when, complete_s * 1000);
    meta_begin(c, s.question.type);
    jw_key(&c->json, "time_granularity"), jw_text(&c->json, granularity_name(step_s));
    meta_group_by(c, &s.question);
    jw_key(&c->json, "complete_through"), jw_text(&c->json, complete_s ? when : NULL);
    jw_object_end(&c->json);
    api_timeframe(c, s.question.window.start_s, s.question.window.end_s);
    api_total(c, n);
    jw_object_end(&c->json);
}

/* -- dimensions -- */

void api_subview_dimensions(struct api_call *c)
{
    enum subview_type type;
    if (!subview_type(c, c->arguments[0], &type)) return;
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    jw_key(&c->json, "view"), jw_array(&c->json);
    for (size_t i = 0; i < subview_view_dimension_count(); i++) jw_text(&c->json, subview_view_dimension_at(i)->id);
    jw_array_end(&c->json);
    jw_key(&c->json, "subview"), jw_array(&c->json);
    for (size_t i = 0; i < subview_attribute_count(type); i++) jw_text(&c->json, subview_attribute_at(type, i)->id);
    jw_array_end(&c->json);
    jw_object_end(&c->json);
    jw_key(&c->json, "total_row_count"), jw_null(&c->json);
    jw_object_end(&c->json);
}

struct values_order {
    bool by_value, descending;
};

static struct span value_text(const struct subview_row *row)
{
    return row->value.ptr ? row->value : SPAN("__empty__");
}

static int values_compare(const void *x, const void *y, void *ctx)
{
    const struct subview_row *a = x, *b = y;
    const struct values_order *o = ctx;
    if (!o->by_value && a->playing_ms != b->playing_ms) {
        bool more = a->playing_ms > b->playing_ms;
        return more == o->descending ? -1 : 1;
    }
    if (a->value.ptr == NULL || b->value.ptr == NULL) return (a->value.ptr == NULL) - (b->value.ptr == NULL);
    int order = span_compare(a->value, b->value);
    return o->by_value && o->descending ? -order : order;
}

static bool contains_nocase(struct span text, struct span part)
{
    for (size_t i = 0; i + part.len <= text.len; i++)
        if (span_eq_nocase(span_upto(span_from(text, i), part.len), part)) return true;
    return part.len == 0;
}

/* Keeps the rows that hold the text. */
static size_t values_match(struct subview_rows *rows, struct span part)
{
    size_t kept = 0;
    for (size_t i = 0; i < rows->n; i++)
        if (contains_nocase(value_text(&rows->items[i]), part)) rows->items[kept++] = rows->items[i];
    return kept;
}

static bool values_order(struct api_call *c, struct values_order *out)
{
    struct span by = api_param(c, "order_by");
    out->by_value = span_is(by, "value");
    if (by.len && !out->by_value && !span_is(by, "playing_time")) {
        api_fail(c, 400, "order_by has to be playing_time or value.");
        return false;
    }
    return api_descending(c, true, &out->descending);
}

void api_subview_values(struct api_call *c)
{
    struct subview_call s = {.question = {.environment_id = c->environment_id}};
    struct subview_rows rows = {NULL, 0};
    struct values_order order;
    uint32_t limit, page;
    if (!subview_type(c, c->arguments[0], &s.question.type) || !ask_window(c, &s.question.window) ||
        !subview_filters(c, &s) || !api_paging(c, BREAKDOWN_LIMIT, VALUES_LIMIT_MAX, &limit, &page) ||
        !values_order(c, &order) || subview_cached(c, &s))
        return;
    const struct dimension *by = subview_dimension_find(s.question.type, c->arguments[1]);
    struct query q = ask_query(c);
    enum err e = by ? query_subview_values(&q, &s.question, by, &rows) : ERR_NONE;
    if (e != ERR_NONE) {
        api_fail_store(c, e, &q.error);
        return;
    }
    rows.n = values_match(&rows, api_param(c, "query"));
    if (rows.n) qsort_r(rows.items, rows.n, sizeof *rows.items, values_compare, &order);
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = (size_t)(page - 1) * limit, end = i + limit; i < rows.n && i < end; i++) {
        jw_object(&c->json);
        jw_key(&c->json, "value"), jw_string(&c->json, value_text(&rows.items[i]));
        jw_key(&c->json, "playing_time"), jw_int(&c->json, rows.items[i].playing_ms);
        jw_object_end(&c->json);
    }
    jw_array_end(&c->json);
    meta_begin(c, s.question.type);
    jw_key(&c->json, "dimension_name"), jw_string(&c->json, c->arguments[1]);
    jw_object_end(&c->json);
    api_timeframe(c, s.question.window.start_s, s.question.window.end_s);
    api_total(c, (int64_t)rows.n);
    jw_object_end(&c->json);
}
