/* SPDX-License-Identifier: Apache-2.0
 * Reads the query language (docs/decisions/011-query-language.md) into struct pivot. Unknown members are refused. */
#include "query/pivot.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { SENTENCE_MAX = 512, ORDER_MAX = 4, SHOWN_MAX = 80 };

struct reader {
    const struct json_doc *doc;
    struct arena *arena;
    struct pivot *out;
    const char *bad; /* the first sentence that refuses */
    size_t conditions, values;
};

/* Always false. */
static bool refuse(struct reader *r, const char *format, ...) PRINTF_LIKE(2, 3);
static bool refuse(struct reader *r, const char *format, ...)
{
    if (r->bad) return false;
    char text[SENTENCE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct span copy = arena_copy(r->arena, span_of(text));
    r->bad = copy.ptr ? copy.ptr : "The query is too large.";
    return false;
}

static void *take(struct reader *r, size_t bytes)
{
    void *p = arena_alloc(r->arena, bytes + 1);
    if (p == NULL) (void)refuse(r, "The query is too large.");
    return p;
}

/* Cut for a sentence. */
static struct span shown(struct span s)
{
    return span_cut_utf8(s, SHOWN_MAX);
}

/* Every member of the object is one of the names (NULL-terminated), and none twice. */
static bool members_known(struct reader *r, const struct json_node *object, const char *where, const char *const *names)
{
    uint32_t seen = 0;
    const struct json_node *key = json_first(object);
    for (uint32_t i = 0; i < object->count; i++) {
        const struct json_node *value = json_next(r->doc, key);
        size_t at = 0;
        while (names[at] && !span_is(key->v.s, names[at])) at++;
        if (names[at] == NULL) return refuse(r, "%s does not take \"%.*s\".", where, SPAN_ARG(shown(key->v.s)));
        if (seen >> at & 1) return refuse(r, "%s has \"%s\" twice.", where, names[at]);
        seen |= 1u << at;
        key = json_next(r->doc, value);
    }
    return true;
}

static const struct json_node *get(struct reader *r, const struct json_node *object, const char *name)
{
    const struct json_node *n = json_get(r->doc, object, name);
    return json_is(n, JSON_NULL) ? NULL : n;
}

static bool read_metric_id(struct reader *r, const struct json_node *n, const struct metric **out)
{
    if (!json_is(n, JSON_STRING)) return refuse(r, "A metric has to be named by its id.");
    *out = metric_find(n->v.s);
    return *out != NULL || refuse(r, "There is no metric \"%.*s\".", SPAN_ARG(shown(n->v.s)));
}

static bool read_dimension_id(struct reader *r, const struct json_node *n, const struct dimension **out)
{
    if (!json_is(n, JSON_STRING)) return refuse(r, "A dimension has to be named by its id.");
    *out = dimension_find(n->v.s);
    return *out != NULL || refuse(r, "There is no dimension \"%.*s\".", SPAN_ARG(shown(n->v.s)));
}

/* -- metrics -- */

static bool edges_explicit(struct reader *r, const struct json_node *list, double *edges, size_t *count)
{
    if (!json_is(list, JSON_ARRAY) || list->count < 2 || list->count > PIVOT_EDGES_MAX)
        return refuse(r, "edges has to be a list of 2 to %d numbers.", PIVOT_EDGES_MAX);
    const struct json_node *n = json_first(list);
    for (uint32_t i = 0; i < list->count; i++, n = json_next(r->doc, n)) {
        if (!json_is_number(n) || !isfinite(json_number(n)) || (i > 0 && json_number(n) <= edges[i - 1]))
            return refuse(r, "edges has to be numbers, each larger than the one before.");
        edges[i] = json_number(n);
    }
    *count = list->count;
    return true;
}

static bool edges_even(struct reader *r, const struct json_node *histogram, double *edges, size_t *count)
{
    const struct json_node *from = get(r, histogram, "from"), *to = get(r, histogram, "to"),
                           *buckets = get(r, histogram, "buckets");
    if (!json_is_number(from) || !json_is_number(to) || !json_is(buckets, JSON_INT))
        return refuse(r, "histogram takes {\"edges\":[...]} or {\"from\":a,\"to\":b,\"buckets\":n}.");
    double a = json_number(from), b = json_number(to);
    if (buckets->v.i < 1 || buckets->v.i > PIVOT_EDGES_MAX - 1 || !(a < b) || !isfinite(b - a))
        return refuse(r, "histogram: from has to be below to, and buckets 1 to %d.", PIVOT_EDGES_MAX - 1);
    *count = (size_t)buckets->v.i + 1;
    for (size_t i = 0; i < *count; i++) edges[i] = a + (b - a) * (double)i / (double)buckets->v.i;
    edges[*count - 1] = b;
    return true;
}

static bool read_histogram(struct reader *r, const struct json_node *n, struct pivot_metric *m)
{
    static const char *const names[] = {"edges", "from", "to", "buckets", NULL};
    if (!json_is(n, JSON_OBJECT)) return refuse(r, "histogram has to be an object.");
    double *edges = take(r, PIVOT_EDGES_MAX * sizeof *edges);
    if (edges == NULL || !members_known(r, n, "histogram", names)) return false;
    m->kind = PIVOT_HISTOGRAM;
    m->edges = edges;
    const struct json_node *list = get(r, n, "edges");
    if (list && n->count > 1) return refuse(r, "histogram takes edges, or from, to and buckets, not both.");
    return list ? edges_explicit(r, list, edges, &m->edge_count) : edges_even(r, n, edges, &m->edge_count);
}

static bool read_measurement(struct reader *r, const struct json_node *n, struct pivot_metric *m)
{
    m->kind = PIVOT_MEASURE;
    m->measure = m->metric->measure;
    if (n == NULL) return true;
    struct span name = json_string(n);
    if (span_is(name, "stddev")) {
        m->kind = PIVOT_STDDEV;
        return true;
    }
    return measure_from_name(name, &m->measure) ||
           refuse(r, "measurement has to be 95th, median, avg, count, sum or stddev.");
}

static bool read_how(struct reader *r, const struct json_node *object, struct pivot_metric *m)
{
    const struct json_node *measurement = get(r, object, "measurement"), *percentile = get(r, object, "percentile"),
                           *histogram = get(r, object, "histogram");
    if ((measurement != NULL) + (percentile != NULL) + (histogram != NULL) > 1)
        return refuse(r, "A metric takes one of measurement, percentile and histogram.");
    bool ok = true;
    if (histogram) {
        ok = read_histogram(r, histogram, m);
    } else if (percentile) {
        m->kind = PIVOT_PERCENTILE;
        m->percentile = json_number(percentile);
        if (!json_is_number(percentile) || !(m->percentile >= 0 && m->percentile <= 1))
            ok = refuse(r, "percentile has to be a number from 0 to 1.");
    } else {
        ok = read_measurement(r, measurement, m);
    }
    if (!ok) return false;
    if (m->metric->kind == METRIC_VIEWERS && (m->kind != PIVOT_MEASURE || m->measure != MEASURE_COUNT))
        return refuse(r, "%s has the measurement count only.", m->metric->id);
    return true;
}

static bool name_is_plain(struct span s)
{
    if (s.len == 0 || s.len > PIVOT_NAME_MAX) return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i > 0 && c >= '0' && c <= '9')) return false;
    }
    return true;
}

static struct span default_name(struct reader *r, const struct pivot_metric *m)
{
    char text[PIVOT_NAME_MAX * 2], percent[400];
    switch (m->kind) {
    case PIVOT_MEASURE: (void)snprintf(text, sizeof text, "%s_%s", m->metric->id, measure_name(m->measure)); break;
    case PIVOT_STDDEV: (void)snprintf(text, sizeof text, "%s_stddev", m->metric->id); break;
    case PIVOT_HISTOGRAM: (void)snprintf(text, sizeof text, "%s_histogram", m->metric->id); break;
    case PIVOT_PERCENTILE: {
        /* 0.999 is p99_9: whole digits of the percent, without the dust of binary fractions */
        (void)snprintf(percent, sizeof percent, "%.10g", m->percentile * 100);
        for (char *at = percent; *at; at++)
            if (*at == '.') *at = '_';
        (void)snprintf(text, sizeof text, "%s_p%.20s", m->metric->id, percent);
        break;
    }
    }
    struct span copy = arena_copy(r->arena, span_of(text));
    if (copy.ptr == NULL) (void)refuse(r, "The query is too large.");
    return copy;
}

static bool read_metric(struct reader *r, const struct json_node *n)
{
    static const char *const names[] = {"metric", "measurement", "percentile", "histogram", "name", NULL};
    struct pivot_metric *m = &r->out->metrics[r->out->metric_count];
    *m = (struct pivot_metric){.metric = NULL};
    if (!json_is(n, JSON_OBJECT)) return refuse(r, "metrics has to be a list of objects.");
    if (!members_known(r, n, "A metric", names) || !read_metric_id(r, json_get(r->doc, n, "metric"), &m->metric) ||
        !read_how(r, n, m))
        return false;
    const struct json_node *name = get(r, n, "name");
    if (name && !name_is_plain(json_string(name)))
        return refuse(r, "The name of a column has to be a letter or _ and then up to 63 letters, digits and _.");
    m->name = name ? arena_copy(r->arena, name->v.s) : default_name(r, m);
    r->out->metric_count++;
    return m->name.ptr != NULL;
}

static bool read_metrics(struct reader *r, const struct json_node *list)
{
    if (!json_is(list, JSON_ARRAY) || list->count < 1 || list->count > PIVOT_METRICS_MAX)
        return refuse(r, "metrics has to be a list of 1 to %d metrics.", PIVOT_METRICS_MAX);
    const struct json_node *n = json_first(list);
    for (uint32_t i = 0; i < list->count; i++, n = json_next(r->doc, n))
        if (!read_metric(r, n)) return false;
    return true;
}

/* -- dimensions and columns -- */

static bool read_dimensions(struct reader *r, const struct json_node *list)
{
    struct pivot *p = r->out;
    if (list == NULL) return true;
    if (!json_is(list, JSON_ARRAY) || list->count > PIVOT_DIMENSIONS_MAX)
        return refuse(r, "dimensions has to be a list of up to %d ids.", PIVOT_DIMENSIONS_MAX);
    const struct json_node *n = json_first(list);
    for (uint32_t i = 0; i < list->count; i++, n = json_next(r->doc, n)) {
        const struct dimension *d;
        if (!read_dimension_id(r, n, &d)) return false;
        for (size_t k = 0; k < p->dimension_count; k++)
            if (p->dimensions[k] == d) return refuse(r, "dimensions has %s twice.", d->id);
        p->dimensions[p->dimension_count++] = d;
    }
    return true;
}

static bool names_differ(struct reader *r)
{
    const struct pivot *p = r->out;
    for (size_t i = 0; i < p->metric_count; i++) {
        struct span name = p->metrics[i].name;
        bool taken = span_is(name, "time");
        for (size_t k = 0; k < p->dimension_count; k++) taken = taken || span_is(name, p->dimensions[k]->id);
        for (size_t k = 0; k < i; k++) taken = taken || span_eq(name, p->metrics[k].name);
        if (taken) return refuse(r, "Two columns would be called \"%s\"; give one a name.", name.ptr);
    }
    return true;
}

/* -- conditions -- */

/* A text in the arena, for what JSON gives as a number. */
static bool number_value(struct reader *r, const struct json_node *n, struct filter *f)
{
    char text[40];
    if (!json_is_number(n)) return refuse(r, "%s takes a number or null.", f->dimension->id);
    (void)snprintf(text, sizeof text, "%.17g", json_number(n));
    f->value = arena_copy(r->arena, span_of(text));
    return f->value.ptr != NULL || refuse(r, "The query is too large.");
}

static bool trace_value(struct reader *r, const struct json_node *n, struct filter *f)
{
    if (!json_is(n, JSON_ARRAY))
        return refuse(r, "%s is a trace: it takes a list of texts, or null.", f->dimension->id);
    struct span *items = take(r, n->count * sizeof *items);
    if (items == NULL) return false;
    r->values += n->count;
    const struct json_node *one = json_first(n);
    for (uint32_t i = 0; i < n->count; i++, one = json_next(r->doc, one)) {
        if (!json_is(one, JSON_STRING)) return refuse(r, "The list of %s has to hold texts.", f->dimension->id);
        items[i] = one->v.s;
    }
    f->list = items;
    f->list_count = n->count;
    if (n->count == 0) f->op = FILTER_EMPTY;
    return true;
}

/* One "dimension is value". */
static bool read_test(struct reader *r, const struct dimension *d, const struct json_node *n, struct filter *f)
{
    *f = (struct filter){.dimension = d, .op = FILTER_IS};
    r->values++;
    if (n == NULL) return refuse(r, "The condition on %s has no value.", d->id);
    if (json_is(n, JSON_NULL)) {
        f->op = FILTER_EMPTY;
        return true;
    }
    switch (d->type) {
    case DIMENSION_TEXT:
        f->value = json_string(n);
        return json_is(n, JSON_STRING) || refuse(r, "%s takes text or null.", d->id);
    case DIMENSION_NUMBER:
    case DIMENSION_FPS: return number_value(r, n, f);
    case DIMENSION_BOOL:
    case DIMENSION_NBOOL:
        f->value = json_is(n, JSON_TRUE) ? SPAN("true") : SPAN("false");
        return json_is(n, JSON_TRUE) || json_is(n, JSON_FALSE) || refuse(r, "%s takes true, false or null.", d->id);
    case DIMENSION_TRACE: return trace_value(r, n, f);
    }
    return false;
}

static bool read_tests(struct reader *r, const struct dimension *d, const struct json_node *value, bool list,
                       struct condition *out)
{
    if (list && (!json_is(value, JSON_ARRAY) || value->count == 0))
        return refuse(r, "The operators in and not_in take a list of values.");
    size_t n = list ? value->count : 1;
    struct filter *tests = take(r, n * sizeof *tests);
    if (tests == NULL) return false;
    const struct json_node *one = list ? json_first(value) : value;
    for (size_t i = 0; i < n; i++) {
        if (!read_test(r, d, one, &tests[i])) return false;
        if (i + 1 < n) one = json_next(r->doc, one);
    }
    out->tests = tests;
    out->test_count = n;
    return true;
}

static bool read_contains(struct reader *r, const struct dimension *d, const struct json_node *value,
                          struct condition *out)
{
    if (d->type != DIMENSION_TRACE) return refuse(r, "%s is not a trace: contains is for traces.", d->id);
    if (!json_is(value, JSON_STRING) || value->v.s.len == 0) return refuse(r, "contains takes one text.");
    struct filter *test = take(r, sizeof *test);
    if (test == NULL) return false;
    *test = (struct filter){.dimension = d, .op = FILTER_HAS, .value = value->v.s};
    r->values++;
    out->tests = test;
    out->test_count = 1;
    return true;
}

static bool read_leaf(struct reader *r, const struct json_node *n, struct condition *out)
{
    static const char *const names[] = {"dimension", "operator", "value", NULL};
    static const struct {
        const char *name;
        bool negated, list, contains;
    } operators[] = {{"is", false, false, false},      {"is_not", true, false, false},
                     {"in", false, true, false},       {"not_in", true, true, false},
                     {"contains", false, false, true}, {"does_not_contain", true, false, true}};
    const struct dimension *d;
    if (!members_known(r, n, "A condition", names) || !read_dimension_id(r, json_get(r->doc, n, "dimension"), &d))
        return false;
    const struct json_node *op = get(r, n, "operator"), *value = json_get(r->doc, n, "value");
    size_t at = 0;
    while (op && at < COUNT(operators) && !span_is(json_string(op), operators[at].name)) at++;
    if (at == COUNT(operators))
        return refuse(r, "operator has to be is, is_not, in, not_in, contains or does_not_contain.");
    out->kind = CONDITION_TESTS;
    out->negated = operators[at].negated;
    if (operators[at].contains) return read_contains(r, d, value, out);
    return read_tests(r, d, value, operators[at].list, out);
}

static const struct condition *read_condition(struct reader *r, const struct json_node *n, unsigned depth);

static bool read_children(struct reader *r, const struct json_node *list, const char *what, unsigned depth,
                          struct condition *out)
{
    if (!json_is(list, JSON_ARRAY) || list->count == 0) return refuse(r, "%s takes a list of conditions.", what);
    const struct condition **children = take(r, list->count * sizeof *children);
    if (children == NULL) return false;
    const struct json_node *one = json_first(list);
    for (uint32_t i = 0; i < list->count; i++, one = json_next(r->doc, one)) {
        children[i] = read_condition(r, one, depth + 1);
        if (children[i] == NULL) return false;
    }
    out->children = children;
    out->child_count = list->count;
    return true;
}

static bool read_not(struct reader *r, const struct json_node *n, unsigned depth, struct condition *out)
{
    const struct condition **child = take(r, sizeof *child);
    if (child == NULL) return false;
    *child = read_condition(r, n, depth + 1);
    *out = (struct condition){.kind = CONDITION_ALL, .negated = true, .children = child, .child_count = 1};
    return *child != NULL;
}

static const struct condition *read_condition(struct reader *r, const struct json_node *n, unsigned depth)
{
    struct condition *c = take(r, sizeof *c);
    if (c == NULL) return NULL;
    *c = (struct condition){.kind = CONDITION_TESTS};
    bool ok = true;
    if (!json_is(n, JSON_OBJECT)) ok = refuse(r, "A condition has to be an object.");
    else if (depth > PIVOT_DEPTH_MAX) ok = refuse(r, "Conditions may be nested %d deep.", PIVOT_DEPTH_MAX);
    else if (++r->conditions > PIVOT_CONDITIONS_MAX)
        ok = refuse(r, "At most %d conditions may be given.", PIVOT_CONDITIONS_MAX);
    if (!ok) return NULL;
    static const char *const names[] = {"and", "or", "not"};
    const struct json_node *of = NULL;
    size_t at = 0;
    for (; at < COUNT(names) && of == NULL; at++) of = json_get(r->doc, n, names[at]);
    if (of == NULL) {
        ok = read_leaf(r, n, c);
    } else if (n->count != 1) {
        ok = refuse(r, "A condition with \"%s\" takes nothing beside it.", names[at - 1]);
    } else if (at == 3) {
        ok = read_not(r, of, depth, c);
    } else {
        c->kind = at == 1 ? CONDITION_ALL : CONDITION_ANY;
        ok = read_children(r, of, names[at - 1], depth, c);
    }
    if (ok && r->values > PIVOT_VALUES_MAX)
        ok = refuse(r, "All conditions together may hold %d values.", PIVOT_VALUES_MAX);
    return ok ? c : NULL;
}

static bool read_metric_filter(struct reader *r, const struct json_node *n, struct metric_filter *out)
{
    static const char *const names[] = {"metric", "operator", "value", NULL};
    static const struct {
        const char *written, *sql;
    } operators[] = {{">=", ">="}, {"<=", "<="}, {">", ">"}, {"<", "<"}, {"=", "="}, {"==", "="}, {"!=", "!="}};
    if (!json_is(n, JSON_OBJECT)) return refuse(r, "metric_filters has to be a list of objects.");
    if (!members_known(r, n, "A metric filter", names) ||
        !read_metric_id(r, json_get(r->doc, n, "metric"), &out->metric))
        return false;
    if (!out->metric->filterable) return refuse(r, "%s cannot be used in metric_filters.", out->metric->id);
    struct span op = json_string(json_get(r->doc, n, "operator"));
    out->op = NULL;
    for (size_t i = 0; i < COUNT(operators); i++)
        if (span_is(op, operators[i].written)) out->op = operators[i].sql;
    const struct json_node *value = json_get(r->doc, n, "value");
    if (out->op == NULL) return refuse(r, "The operator of a metric filter has to be >=, <=, >, <, = or !=.");
    if (!json_is_number(value)) return refuse(r, "The value of a metric filter has to be a number.");
    out->number = json_number(value);
    return true;
}

static bool read_filters(struct reader *r, const struct json_node *where, const struct json_node *metrics)
{
    if (where) {
        r->out->where = read_condition(r, where, 1);
        if (r->out->where == NULL) return false;
    }
    if (metrics == NULL) return true;
    if (!json_is(metrics, JSON_ARRAY) || metrics->count > PIVOT_CONDITIONS_MAX)
        return refuse(r, "metric_filters has to be a list of up to %d objects.", PIVOT_CONDITIONS_MAX);
    struct metric_filter *list = take(r, metrics->count * sizeof *list);
    if (list == NULL) return false;
    r->out->filters.metrics = list;
    const struct json_node *n = json_first(metrics);
    for (uint32_t i = 0; i < metrics->count; i++, n = json_next(r->doc, n)) {
        if (!read_metric_filter(r, n, &list[i])) return false;
        r->out->filters.metric_count++;
    }
    return true;
}

/* -- window, order, paging -- */

static bool read_timeframe(struct reader *r, const struct json_node *list, int64_t now_s)
{
    struct span values[2];
    size_t n = 0;
    if (list && (!json_is(list, JSON_ARRAY) || list->count > 2))
        return refuse(r, "timeframe has to be a list of one duration or two Unix timestamps.");
    const struct json_node *one = list ? json_first(list) : NULL;
    for (; list && n < list->count; one = json_next(r->doc, one)) {
        if (!json_is(one, JSON_STRING) && !json_is(one, JSON_INT))
            return refuse(r, "timeframe has to be a list of one duration or two Unix timestamps.");
        values[n++] = json_is(one, JSON_STRING) ? one->v.s : one->raw;
    }
    const char *bad = window_parse(values, n, now_s, &r->out->window);
    if (bad) return refuse(r, "%s", bad);
    window_snap(&r->out->window);
    return true;
}

static bool read_bucket(struct reader *r, const struct json_node *n)
{
    if (n == NULL) return true;
    if (!granularity_step(json_string(n), &r->out->step_s))
        return refuse(r, "time_bucket has to be minute, ten_minutes, hour or day.");
    return window_buckets(&r->out->window, r->out->step_s) <= WINDOW_BUCKETS_MAX ||
           refuse(r, "That would be more than %d time buckets; take a coarser one.", WINDOW_BUCKETS_MAX);
}

static bool order_column(struct reader *r, struct span name, struct pivot_order *out)
{
    const struct pivot *p = r->out;
    if (p->step_s && span_is(name, "time")) {
        out->by = PIVOT_BY_TIME;
        return true;
    }
    out->by = PIVOT_BY_DIMENSION;
    for (out->at = 0; out->at < p->dimension_count; out->at++)
        if (span_is(name, p->dimensions[out->at]->id)) return true;
    out->by = PIVOT_BY_METRIC;
    for (out->at = 0; out->at < p->metric_count; out->at++)
        if (span_eq(name, p->metrics[out->at].name))
            return p->metrics[out->at].kind != PIVOT_HISTOGRAM || refuse(r, "A histogram has no order.");
    return refuse(r, "order: there is no column \"%.*s\".", SPAN_ARG(shown(name)));
}

static bool read_order_entry(struct reader *r, const struct json_node *n)
{
    static const char *const names[] = {"by", "direction", NULL};
    struct pivot_order *o = &r->out->order[r->out->order_count];
    if (!json_is(n, JSON_OBJECT)) return refuse(r, "order has to be a list of objects.");
    if (!members_known(r, n, "order", names)) return false;
    const struct json_node *by = json_get(r->doc, n, "by"), *direction = get(r, n, "direction");
    if (!json_is(by, JSON_STRING)) return refuse(r, "order: by has to be the name of a column.");
    o->descending = span_is(json_string(direction), "desc");
    if (direction && !o->descending && !span_is(json_string(direction), "asc"))
        return refuse(r, "direction has to be asc or desc.");
    r->out->order_count++;
    if (!order_column(r, by->v.s, o)) return false;
    if (direction == NULL) o->descending = o->by == PIVOT_BY_METRIC;
    return true;
}

static bool read_order(struct reader *r, const struct json_node *list)
{
    struct pivot *p = r->out;
    if (list == NULL) {
        if (p->step_s) p->order[p->order_count++] = (struct pivot_order){.by = PIVOT_BY_TIME};
        else if (p->metrics[0].kind != PIVOT_HISTOGRAM)
            p->order[p->order_count++] = (struct pivot_order){.by = PIVOT_BY_METRIC, .descending = true};
        return true;
    }
    if (!json_is(list, JSON_ARRAY) || list->count > ORDER_MAX)
        return refuse(r, "order has to be a list of up to %d columns.", ORDER_MAX);
    const struct json_node *n = json_first(list);
    for (uint32_t i = 0; i < list->count; i++, n = json_next(r->doc, n))
        if (!read_order_entry(r, n)) return false;
    return true;
}

static bool read_whole(struct reader *r, const struct json_node *n, const char *name, int64_t most, uint32_t *out)
{
    if (n == NULL) return true;
    if (!json_is(n, JSON_INT) || n->v.i < 1 || n->v.i > most)
        return refuse(r, "%s has to be a whole number from 1 to %lld.", name, (long long)most);
    *out = (uint32_t)n->v.i;
    return true;
}

static bool read_weighted(struct reader *r, const struct json_node *n)
{
    const struct pivot *p = r->out;
    if (n == NULL) return true;
    if (!json_is(n, JSON_TRUE) && !json_is(n, JSON_FALSE)) return refuse(r, "weighted has to be true or false.");
    r->out->weighted = json_is(n, JSON_TRUE);
    for (size_t i = 0; p->weighted && i < p->metric_count; i++) {
        const struct pivot_metric *m = &p->metrics[i];
        bool one_meaning = m->kind == PIVOT_HISTOGRAM ||
                           (m->kind == PIVOT_MEASURE && m->metric->kind != METRIC_VIEWERS &&
                            (m->measure == MEASURE_COUNT || m->measure == MEASURE_SUM || m->measure == MEASURE_AVG));
        if (!one_meaning)
            return refuse(r, "%s cannot be weighted; only count, sum, avg and histograms can.", m->name.ptr);
    }
    return true;
}

const char *pivot_parse(const struct json_doc *doc, const struct json_node *root, int64_t now_s, struct arena *arena,
                        struct pivot *out)
{
    static const char *const names[] = {"metrics",   "dimensions",  "filters", "metric_filters",
                                        "timeframe", "time_bucket", "order",   "limit",
                                        "page",      "weighted",    NULL};
    struct reader r = {.doc = doc, .arena = arena, .out = out};
    *out = (struct pivot){.limit = PIVOT_LIMIT, .page = 1};
    out->filters.items = NULL;
    if (!json_is(root, JSON_OBJECT)) return "The query has to be a JSON object.";
    bool ok = members_known(&r, root, "A query", names) && read_metrics(&r, get(&r, root, "metrics")) &&
              read_dimensions(&r, get(&r, root, "dimensions")) && names_differ(&r) &&
              read_filters(&r, get(&r, root, "filters"), get(&r, root, "metric_filters")) &&
              read_timeframe(&r, get(&r, root, "timeframe"), now_s) && read_bucket(&r, get(&r, root, "time_bucket")) &&
              read_order(&r, get(&r, root, "order")) &&
              read_whole(&r, get(&r, root, "limit"), "limit", PIVOT_LIMIT_MAX, &out->limit) &&
              read_whole(&r, get(&r, root, "page"), "page", UINT32_MAX, &out->page) &&
              read_weighted(&r, get(&r, root, "weighted"));
    return ok ? NULL : r.bad;
}
