/* SPDX-License-Identifier: Apache-2.0 */
#include "query/filter.h"

#include "store/escape.h"

#include <stdarg.h>
#include <stdio.h>

enum { FILTERS_MAX = 256, SENTENCE_MAX = 512 };

/* A sentence in the arena. */
static const char *refuse(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
static const char *refuse(struct arena *arena, const char *format, ...)
{
    char text[SENTENCE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct span copy = arena_copy(arena, span_of(text));
    return copy.ptr ? copy.ptr : "The filters are too many.";
}

/* "[a,b]" to its elements. */
static const char *parse_list(struct span text, struct arena *arena, struct filter *out)
{
    if (text.len < 2 || text.ptr[text.len - 1] != ']')
        return refuse(arena, "The list of filter %s has no closing bracket.", out->dimension->id);
    struct span inside = span_upto(span_from(text, 1), text.len - 2);
    if (inside.len == 0) {
        out->op = out->op == FILTER_IS ? FILTER_EMPTY : FILTER_NOT_EMPTY;
        return NULL;
    }
    size_t n = 1;
    for (size_t i = 0; i < inside.len; i++) n += inside.ptr[i] == ',';
    struct span *items = arena_alloc(arena, n * sizeof *items);
    if (items == NULL) return "The filters are too many.";
    for (size_t i = 0; i < n; i++) {
        ptrdiff_t comma = span_find(inside, ',');
        items[i] = comma < 0 ? inside : span_upto(inside, (size_t)comma);
        inside = comma < 0 ? inside : span_from(inside, (size_t)comma + 1);
    }
    out->list = items;
    out->list_count = n;
    return NULL;
}

static const char *parse_trace(struct span value, struct arena *arena, struct filter *out)
{
    const char *id = out->dimension->id;
    bool bracket = value.len && value.ptr[0] == '[';
    if (out->op == FILTER_HAS || out->op == FILTER_HAS_NOT) {
        if (bracket) return refuse(arena, "Filter %s: a list in brackets cannot follow + or -.", id);
        if (value.len == 0) return refuse(arena, "Filter %s: + and - need a value.", id);
        out->value = value;
        return NULL;
    }
    if (value.len == 0 || span_is(value, "__empty__")) {
        out->op = out->op == FILTER_IS ? FILTER_EMPTY : FILTER_NOT_EMPTY;
        return NULL;
    }
    if (!bracket) return refuse(arena, "%s is a trace: use +%s:value, -%s:value or %s:[a,b].", id, id, id, id);
    return parse_list(value, arena, out);
}

const char *filter_value_check(const struct dimension *d, struct span value, struct arena *arena)
{
    double number;
    switch (d->type) {
    case DIMENSION_BOOL:
    case DIMENSION_NBOOL:
        if (span_is(value, "true") || span_is(value, "false")) return NULL;
        return refuse(arena, "%s takes true or false.", d->id);
    case DIMENSION_NUMBER:
    case DIMENSION_FPS:
        if (span_to_double(value, &number)) return NULL;
        return refuse(arena, "%s takes a number.", d->id);
    case DIMENSION_TEXT:
    case DIMENSION_TRACE: return NULL;
    }
    return NULL;
}

static const char *parse_scalar(struct span value, struct arena *arena, struct filter *out)
{
    const char *id = out->dimension->id;
    if (out->op == FILTER_HAS || out->op == FILTER_HAS_NOT)
        return refuse(arena, "Filter %s: + and - are for traces only.", id);
    if (value.len == 0 || span_is(value, "__empty__")) {
        out->op = out->op == FILTER_IS ? FILTER_EMPTY : FILTER_NOT_EMPTY;
        return NULL;
    }
    out->value = value;
    return filter_value_check(out->dimension, value, arena);
}

const char *filter_parse(struct span element, struct arena *arena, struct filter *out, bool *ignored)
{
    return filter_parse_with(dimension_find, element, arena, out, ignored);
}

const char *filter_parse_with(dimension_lookup *find, struct span element, struct arena *arena, struct filter *out,
                              bool *ignored)
{
    *ignored = element.len == 0;
    if (*ignored) return NULL;
    *out = (struct filter){.op = FILTER_IS};
    char first = element.ptr[0];
    if (first == '!') out->op = FILTER_IS_NOT;
    else if (first == '+' || first == ' ') out->op = FILTER_HAS;
    else if (first == '-') out->op = FILTER_HAS_NOT;
    struct span rest = out->op == FILTER_IS ? element : span_from(element, 1);
    ptrdiff_t colon = span_find(rest, ':');
    if (colon < 0)
        return refuse(arena, "A filter is written dimension:value; \"%.*s\" is not.",
                      (int)(element.len < 100 ? element.len : 100), element.ptr);
    struct span id = span_upto(rest, (size_t)colon);
    out->dimension = find(id);
    if (out->dimension == NULL)
        return refuse(arena, "There is no dimension \"%.*s\" to filter by.", (int)(id.len < 100 ? id.len : 100),
                      id.ptr);
    struct span value = span_from(rest, (size_t)colon + 1);
    return out->dimension->type == DIMENSION_TRACE ? parse_trace(value, arena, out) : parse_scalar(value, arena, out);
}

/* Takes the digits at the front of s; how many there were. */
static size_t digits_take(struct span *s)
{
    size_t n = 0;
    while (n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9') n++;
    *s = span_from(*s, n);
    return n;
}

static bool char_take(struct span *s, const char *any_of)
{
    if (s->len == 0 || s->ptr[0] == 0 || strchr(any_of, s->ptr[0]) == NULL) return false;
    *s = span_from(*s, 1);
    return true;
}

/* As JSON writes numbers: no sign but -, no leading zeros, digits on both sides of the point. */
static bool is_json_number(struct span s)
{
    (void)char_take(&s, "-");
    bool zero = s.len && s.ptr[0] == '0';
    size_t whole = digits_take(&s);
    if (whole == 0 || (zero && whole > 1)) return false;
    if (char_take(&s, ".") && digits_take(&s) == 0) return false;
    if (!char_take(&s, "eE")) return s.len == 0;
    (void)char_take(&s, "+-");
    return digits_take(&s) > 0 && s.len == 0;
}

const char *metric_filter_parse(struct span element, struct arena *arena, struct metric_filter *out)
{
    static const struct {
        const char *written, *sql;
    } operators[] = {{">=", ">="}, {"<=", "<="}, {"!=", "!="}, {"==", "="}, {">", ">"}, {"<", "<"}, {"=", "="}};
    size_t at = 0;
    while (at < element.len && strchr("<>=!", element.ptr[at]) == NULL) at++;
    struct span id = span_upto(element, at), rest = span_from(element, at);
    out->metric = metric_find(id);
    if (out->metric == NULL)
        return refuse(arena, "There is no metric \"%.*s\" to filter by.", (int)(id.len < 100 ? id.len : 100), id.ptr);
    if (!out->metric->filterable) return refuse(arena, "%s cannot be used in metric_filters[].", out->metric->id);
    for (size_t i = 0; i < COUNT(operators); i++) {
        if (!span_starts(rest, span_of(operators[i].written))) continue;
        out->op = operators[i].sql;
        struct span number = span_from(rest, strlen(operators[i].written));
        if (is_json_number(number) && span_to_double(number, &out->number)) return NULL;
        break;
    }
    return refuse(arena, "A metric filter is written metric>=number (also <=, >, <, =, !=).");
}

const char *filters_parse(const struct span *elements, size_t n, const struct span *metric_elements, size_t metric_n,
                          struct arena *arena, struct filters *out)
{
    *out = (struct filters){0};
    if (n > FILTERS_MAX || metric_n > FILTERS_MAX) return "At most 256 filters may be given.";
    out->items = arena_alloc(arena, (n + 2) * sizeof *out->items); /* room for filters_add */
    out->metrics = arena_alloc(arena, (metric_n + 1) * sizeof *out->metrics);
    if (out->items == NULL || out->metrics == NULL) return "The filters are too many.";
    for (size_t i = 0; i < n; i++) {
        const char *bad = filters_add(out, elements[i], arena);
        if (bad) return bad;
    }
    for (size_t i = 0; i < metric_n; i++) {
        if (metric_elements[i].len == 0) continue;
        const char *bad = metric_filter_parse(metric_elements[i], arena, &out->metrics[out->metric_count]);
        if (bad) return bad;
        out->metric_count++;
    }
    return NULL;
}

const char *filters_add(struct filters *f, struct span element, struct arena *arena)
{
    struct filter *grown = arena_alloc(arena, (f->count + 1) * sizeof *grown);
    if (grown == NULL) return "The filters are too many.";
    if (f->count) memcpy(grown, f->items, f->count * sizeof *grown);
    bool ignored;
    const char *bad = filter_parse(element, arena, &grown[f->count], &ignored);
    if (bad || ignored) return bad;
    f->items = grown;
    f->count++;
    return NULL;
}

const char *filters_restrict(struct filters *f, struct span element, struct arena *arena)
{
    size_t before = f->count;
    const char *bad = filters_add(f, element, arena);
    if (bad == NULL && f->count == before) bad = "it is empty.";
    if (bad == NULL) f->items[before].always = true;
    return bad;
}

void filter_sql(const struct filter *f, struct buf *sql)
{
    const char *column = f->dimension->column;
    bool negative = f->op == FILTER_IS_NOT || f->op == FILTER_NOT_EMPTY || f->op == FILTER_HAS_NOT;
    enum dimension_type type = f->dimension->type;
    if (negative) buf_adds(sql, "NOT ");
    if (f->op == FILTER_EMPTY || f->op == FILTER_NOT_EMPTY) {
        if (type == DIMENSION_BOOL) buf_adds(sql, "0");
        else buf_addf(sql, type == DIMENSION_TRACE ? "empty(%s)" : "isNull(%s)", column);
        return;
    }
    if (f->op == FILTER_HAS || f->op == FILTER_HAS_NOT) {
        buf_addf(sql, "has(%s, ", column);
        store_escape_text(sql, f->value);
        buf_addc(sql, ')');
        return;
    }
    buf_addf(sql, "ifNull(%s = ", column);
    if (type == DIMENSION_TRACE) {
        buf_addc(sql, '[');
        for (size_t i = 0; i < f->list_count; i++) {
            if (i) buf_addc(sql, ',');
            store_escape_text(sql, f->list[i]);
        }
        buf_addc(sql, ']');
    } else if (type == DIMENSION_BOOL || type == DIMENSION_NBOOL) {
        buf_adds(sql, span_is(f->value, "true") ? "1" : "0");
    } else if (type == DIMENSION_TEXT) {
        store_escape_text(sql, f->value);
    } else {
        double number = 0;
        BUG_IF(!span_to_double(f->value, &number));
        buf_addf(sql, "%.17g", number);
    }
    buf_adds(sql, ", 0)");
}

/* Positives that are alternatives of each other: scalar values, and exact lists of a trace. */
static bool filter_is_alternative(const struct filter *f)
{
    return !f->always && (f->op == FILTER_IS || f->op == FILTER_EMPTY);
}

void metric_value_sql(const struct metric *m, struct buf *sql)
{
    if (m->kind == METRIC_RATIO)
        buf_addf(sql, "if(ifNull(%s, 0) > 0 AND (%s), toFloat64(%s) / %s, NULL)", m->b, m->population, m->a, m->b);
    else if (strcmp(m->population, "1") == 0) buf_addf(sql, "toFloat64(%s)", m->a);
    else buf_addf(sql, "if(%s, toFloat64(%s), NULL)", m->population, m->a);
}

void filters_sql(const struct filters *f, struct buf *sql)
{
    for (size_t i = 0; i < f->count; i++) {
        if (!filter_is_alternative(&f->items[i])) {
            buf_adds(sql, " AND ");
            filter_sql(&f->items[i], sql);
            continue;
        }
        bool first = true; /* of its dimension */
        for (size_t j = 0; j < i; j++)
            if (f->items[j].dimension == f->items[i].dimension && filter_is_alternative(&f->items[j])) first = false;
        if (!first) continue;
        buf_adds(sql, " AND (");
        for (size_t j = i; j < f->count; j++) {
            if (f->items[j].dimension != f->items[i].dimension || !filter_is_alternative(&f->items[j])) continue;
            if (j > i) buf_adds(sql, " OR ");
            filter_sql(&f->items[j], sql);
        }
        buf_addc(sql, ')');
    }
    for (size_t i = 0; i < f->metric_count; i++) {
        buf_adds(sql, " AND ifNull(");
        metric_value_sql(f->metrics[i].metric, sql);
        buf_addf(sql, " %s %.17g, 0)", f->metrics[i].op, f->metrics[i].number);
    }
}
