/* SPDX-License-Identifier: Apache-2.0
 * The statement is always
 *   SELECT <group>, sum(x_ms) FROM (SELECT <arrays>, <dimension or time> AS g FROM <views>) ARRAY JOIN <arrays> GROUP
 * BY ... with every attribute grouped raw; texts are made, and equal ones put together, here. */
#include "query/subview.h"

#include "base/json.h"
#include "store/escape.h"
#include "store/read.h"
#include "store/result.h"

#include <stdio.h>
#include <stdlib.h>

enum { SQL_BYTES_MAX = 1024 * 1024, ROWS_BYTES_MAX = 128 * 1024 * 1024, TEXT_BYTES_MAX = 16 * 1024 };

static const struct dimension view_dimensions[] = {
#define SUBVIEW_VIEW(id, column, type)                                                                                 \
    {#id, #column, DIMENSION_##type, DIMENSION_UNLISTED, DIMENSION_OWN, false, #column},
#define SUBVIEW_RENDITION(id, array, type, null, suffix)
#define SUBVIEW_MODE(id, array)
#include "query/subview.def"
#undef SUBVIEW_VIEW
#undef SUBVIEW_RENDITION
#undef SUBVIEW_MODE
};

/* Their columns are expressions over the joined arrays' elements, x_<id>. */
static const struct dimension rendition_attributes[] = {
#define SUBVIEW_VIEW(id, column, type)
#define SUBVIEW_RENDITION(id, array, type, null, suffix)                                                               \
    {#id, "nullIf(x_" #id ", " null ")", DIMENSION_##type, DIMENSION_UNLISTED, DIMENSION_OWN, false, NULL},
#define SUBVIEW_MODE(id, array)
#include "query/subview.def"
#undef SUBVIEW_VIEW
#undef SUBVIEW_RENDITION
#undef SUBVIEW_MODE
};
static const struct dimension mode_attributes[] = {
#define SUBVIEW_VIEW(id, column, type)
#define SUBVIEW_RENDITION(id, array, type, null, suffix)
#define SUBVIEW_MODE(id, array)                                                                                        \
    {#id, "nullIf(x_" #id ", '')", DIMENSION_TEXT, DIMENSION_UNLISTED, DIMENSION_OWN, false, NULL},
#include "query/subview.def"
#undef SUBVIEW_VIEW
#undef SUBVIEW_RENDITION
#undef SUBVIEW_MODE
};

#define SUBVIEW_VIEW(id, column, type)
#define SUBVIEW_MODE(id, array)
static const char rendition_arrays[] =
#define SUBVIEW_RENDITION(id, array, type, null, suffix) #array ", "
#include "query/subview.def"
#undef SUBVIEW_RENDITION
    "rendition_playing_time";
static const char rendition_join[] =
#define SUBVIEW_RENDITION(id, array, type, null, suffix) #array " AS x_" #id ", "
#include "query/subview.def"
#undef SUBVIEW_RENDITION
    "rendition_playing_time AS x_ms";
#undef SUBVIEW_VIEW
#undef SUBVIEW_MODE

static const char *const type_names[] = {"rendition", "playback_mode"};

const char *subview_type_name(enum subview_type t)
{
    return type_names[t];
}

bool subview_type_from_name(struct span name, enum subview_type *out)
{
    for (size_t i = 0; i < COUNT(type_names); i++)
        if (span_is(name, type_names[i])) {
            *out = (enum subview_type)i;
            return true;
        }
    return false;
}

size_t subview_view_dimension_count(void)
{
    return COUNT(view_dimensions);
}

const struct dimension *subview_view_dimension_at(size_t i)
{
    return &view_dimensions[i];
}

size_t subview_attribute_count(enum subview_type t)
{
    return t == SUBVIEW_RENDITION ? COUNT(rendition_attributes) : COUNT(mode_attributes);
}

const struct dimension *subview_attribute_at(enum subview_type t, size_t i)
{
    return t == SUBVIEW_RENDITION ? &rendition_attributes[i] : &mode_attributes[i];
}

const struct dimension *subview_dimension_find(enum subview_type t, struct span id)
{
    for (size_t i = 0; i < COUNT(view_dimensions); i++)
        if (span_is(id, view_dimensions[i].id)) return &view_dimensions[i];
    for (size_t i = 0; i < subview_attribute_count(t); i++)
        if (span_is(id, subview_attribute_at(t, i)->id)) return subview_attribute_at(t, i);
    return NULL;
}

bool subview_is_attribute(const struct dimension *d)
{
    return strncmp(d->column, "nullIf(", 7) == 0;
}

/* -- statements -- */

/* " FROM (...) ARRAY JOIN ... WHERE ..."; extra: one more inner column with ", ", or "". */
static void parts_sql(struct buf *sql, struct query *q, const struct subview_question *question, const char *extra,
                      struct span extra_where)
{
    struct buf columns, where;
    bool rendition = question->type == SUBVIEW_RENDITION;
    buf_init(&columns, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    buf_addf(&columns, "%s%s", rendition ? rendition_arrays : "mode_name, mode_playing_time", extra);
    question_where(&where, question->environment_id, &question->window, CLOCK_END, question->filters);
    buf_addf(&where, " AND notEmpty(%s)", rendition ? "rendition_playing_time" : "mode_playing_time");
    buf_add_span(&where, extra_where);
    buf_adds(sql, " FROM ");
    store_views_from(sql, q->store, columns.ptr, buf_span(&where));
    buf_addf(sql, " ARRAY JOIN %s WHERE x_ms > 0",
             rendition ? rendition_join : "mode_name AS x_player_playback_mode, mode_playing_time AS x_ms");
    if (question->part_filters) filters_sql(question->part_filters, sql);
    if (columns.failed || where.failed) sql->failed = true;
    buf_free(&columns);
    buf_free(&where);
}

static enum err ask(struct query *q, struct buf *sql, struct buf *rows)
{
    enum err e = sql->failed ? ERR_FULL : store_select(q->store, buf_span(sql), rows, &q->error);
    buf_free(sql);
    return e;
}

enum err query_subview_overall(struct query *q, const struct subview_question *question, int64_t *playing_ms)
{
    struct buf sql, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_adds(&sql, "SELECT toInt64(sum(x_ms))");
    parts_sql(&sql, q, question, "", SPAN(""));
    enum err e = ask(q, &sql, &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    *playing_ms = rb_i64(&in);
    if (e == ERR_NONE && !in.ok) e = ERR_CORRUPT;
    buf_free(&rows);
    return e;
}

/* Every attribute in order, raw where the set has it and unknown where not, so that rows always read alike. */
static void attributes_sql(struct buf *sql, const struct subview_question *question)
{
    static const char *const unknown[] = {"toInt64(-1)", "toInt64(-1)", "toInt64(-1)", "toFloat64(-1)", "''", "''"};
    for (size_t i = 0; i < subview_attribute_count(question->type); i++) {
        bool grouped = question->type == SUBVIEW_PLAYBACK_MODE || question->group_by >> i & 1;
        if (grouped) buf_addf(sql, ", x_%s", subview_attribute_at(question->type, i)->id);
        else buf_addf(sql, ", %s", unknown[i]);
    }
}

static void grouped_sql(struct buf *sql, const struct subview_question *question)
{
    buf_adds(sql, " GROUP BY g");
    for (size_t i = 0; i < subview_attribute_count(question->type); i++)
        if (question->type == SUBVIEW_PLAYBACK_MODE || question->group_by >> i & 1)
            buf_addf(sql, ", x_%s", subview_attribute_at(question->type, i)->id);
}

/* -- texts -- */

static void number_text(struct buf *out, int64_t v, const char *suffix)
{
    if (v < 0) buf_adds(out, "unknown");
    else buf_addf(out, "%lld%s", (long long)v, suffix);
}

static void bitrate_text(struct buf *out, int64_t bits)
{
    char number[400];
    double mega = (double)((bits + 50000) / 100000) / 10; /* one decimal */
    if (bits < 0) {
        buf_adds(out, "unknown");
    } else if (bits < 1000000) {
        buf_addf(out, "%lldkb", (long long)(bits + 500) / 1000);
    } else {
        size_t len = json_format_double(number, sizeof number, mega, true);
        buf_add(out, number, len);
        buf_adds(out, "Mb");
    }
}

static void fps_text(struct buf *out, double fps)
{
    char number[400];
    if (fps < 0) {
        buf_adds(out, "unknown");
        return;
    }
    size_t len = json_format_double(number, sizeof number, fps, true);
    buf_add(out, number, len);
    buf_adds(out, "fps");
}

static void text_text(struct buf *out, struct span s)
{
    buf_add_span(out, s.len ? s : SPAN("unknown"));
}

void subview_rendition_text(struct buf *out, const struct subview_rendition *r, subview_set set)
{
    bool first = true;
    for (unsigned i = 0; i < COUNT(rendition_attributes); i++) {
        if (!(set >> i & 1)) continue;
        if (!first) buf_adds(out, " / ");
        first = false;
        switch (i) {
        case 0: bitrate_text(out, r->bitrate); break;
        case 1: number_text(out, r->width, "w"); break;
        case 2: number_text(out, r->height, "h"); break;
        case 3: fps_text(out, r->fps); break;
        case 4: text_text(out, r->codec); break;
        default: text_text(out, r->name); break;
        }
    }
}

/* -- rows -- */

static struct subview_row *row_new(struct arena *arena, struct subview_rows *rows, size_t *room)
{
    if (rows->n == *room) {
        size_t more = *room ? *room * 2 : 64;
        struct subview_row *grown = arena_alloc(arena, more * sizeof *grown);
        if (grown == NULL) return NULL;
        if (rows->n) memcpy(grown, rows->items, rows->n * sizeof *grown);
        rows->items = grown;
        *room = more;
    }
    return &rows->items[rows->n++];
}

/* By group, then value: equal ones stand together. */
static int by_group_and_value(const void *x, const void *y)
{
    const struct subview_row *a = x, *b = y;
    if (a->group != b->group) return a->group < b->group ? -1 : 1;
    return span_compare(a->value, b->value);
}

static int most_first(const void *x, const void *y)
{
    const struct subview_row *a = x, *b = y;
    if (a->group != b->group) return a->group < b->group ? -1 : 1;
    if (a->playing_ms != b->playing_ms) return a->playing_ms > b->playing_ms ? -1 : 1;
    return span_compare(a->value, b->value);
}

static void rows_settle(struct subview_rows *rows)
{
    if (rows->n == 0) return;
    qsort(rows->items, rows->n, sizeof *rows->items, by_group_and_value);
    size_t kept = 0;
    for (size_t i = 1; i < rows->n; i++) {
        if (by_group_and_value(&rows->items[kept], &rows->items[i]) == 0)
            rows->items[kept].playing_ms += rows->items[i].playing_ms;
        else rows->items[++kept] = rows->items[i];
    }
    rows->n = kept + 1;
    qsort(rows->items, rows->n, sizeof *rows->items, most_first);
}

static void value_read(struct bytes *in, const struct subview_question *question, struct buf *text)
{
    buf_clear(text);
    if (question->type == SUBVIEW_PLAYBACK_MODE) {
        text_text(text, rb_text(in));
        return;
    }
    struct subview_rendition r = {.bitrate = rb_i64(in)};
    r.width = rb_i64(in);
    r.height = rb_i64(in);
    r.fps = rb_f64(in);
    r.codec = rb_text(in);
    r.name = rb_text(in);
    subview_rendition_text(text, &r, question->group_by);
}

/* Rows of "SELECT g, <attributes>, sum". */
static enum err groups_ask(struct query *q, const struct subview_question *question, const char *group,
                           const char *extra, struct span extra_where, struct subview_rows *out)
{
    struct buf sql, rows, text;
    size_t room = 0;
    *out = (struct subview_rows){NULL, 0};
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_init(&text, TEXT_BYTES_MAX);
    buf_addf(&sql, "SELECT toInt64(%s) AS g", group);
    attributes_sql(&sql, question);
    buf_adds(&sql, ", toInt64(sum(x_ms))");
    parts_sql(&sql, q, question, extra, extra_where);
    grouped_sql(&sql, question);
    enum err e = ask(q, &sql, &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    while (e == ERR_NONE && bytes_left(&in)) {
        int64_t g = rb_i64(&in);
        value_read(&in, question, &text);
        int64_t ms = rb_i64(&in);
        struct subview_row *row = in.ok ? row_new(q->arena, out, &room) : NULL;
        if (row == NULL) {
            e = in.ok ? ERR_FULL : ERR_CORRUPT;
            break;
        }
        *row = (struct subview_row){.value = arena_copy(q->arena, buf_span(&text)), .playing_ms = ms, .group = g};
        if (row->value.ptr == NULL) e = ERR_FULL;
    }
    buf_free(&rows);
    buf_free(&text);
    if (e == ERR_NONE) rows_settle(out);
    return e;
}

enum err query_subview_breakdown(struct query *q, const struct subview_question *question, struct subview_rows *out)
{
    return groups_ask(q, question, "0", "", SPAN(""), out);
}

enum err query_subview_series(struct query *q, const struct subview_question *question, int64_t step_s,
                              struct subview_rows *out)
{
    char group[64];
    (void)snprintf(group, sizeof group, "intDiv(x_t, %lld) * %lld", (long long)step_s * 1000, (long long)step_s);
    return groups_ask(q, question, group, ", view_end AS x_t", SPAN(""), out);
}

/* The value as SQL, for comparing with the dimension as text. */
static void is_value_sql(struct buf *sql, const struct dimension *by, struct span value)
{
    if (value.ptr == NULL) {
        buf_addf(sql, by->type == DIMENSION_BOOL ? "0" : "isNull(%s)", by->column);
        return;
    }
    buf_adds(sql, "ifNull(");
    dimension_text_sql(sql, by, by->column);
    buf_adds(sql, " = ");
    store_escape_text(sql, value);
    buf_adds(sql, ", 0)");
}

enum err query_subview_comparison(struct query *q, const struct subview_question *question, const struct dimension *by,
                                  const struct span *values, size_t value_count, struct subview_rows *out)
{
    struct buf group, where;
    buf_init(&group, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    buf_adds(&group, ", multiIf(");
    buf_adds(&where, " AND (");
    for (size_t i = 0; i < value_count; i++) {
        is_value_sql(&group, by, values[i]);
        buf_addf(&group, ", %zu, ", i);
        if (i) buf_adds(&where, " OR ");
        is_value_sql(&where, by, values[i]);
    }
    buf_addf(&group, "%zu) AS x_g", value_count);
    buf_addc(&where, ')');
    enum err e =
        group.failed || where.failed ? ERR_FULL : groups_ask(q, question, "x_g", group.ptr, buf_span(&where), out);
    buf_free(&group);
    buf_free(&where);
    return e;
}

enum err query_subview_values(struct query *q, const struct subview_question *question, const struct dimension *by,
                              struct subview_rows *out)
{
    struct buf sql, rows, extra;
    size_t room = 0;
    *out = (struct subview_rows){NULL, 0};
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_init(&extra, SQL_BYTES_MAX);
    bool attribute = subview_is_attribute(by);
    if (!attribute) {
        buf_adds(&extra, ", ");
        dimension_group_sql(&extra, q->store, by);
        buf_adds(&extra, " AS x_g");
    }
    buf_adds(&sql, "SELECT ");
    dimension_text_sql(&sql, by, attribute ? by->column : "x_g");
    buf_adds(&sql, " AS g, toInt64(sum(x_ms))");
    parts_sql(&sql, q, question, extra.ptr ? extra.ptr : "", SPAN(""));
    buf_adds(&sql, " GROUP BY g");
    buf_free(&extra);
    enum err e = ask(q, &sql, &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    while (e == ERR_NONE && bytes_left(&in)) {
        struct span value = rb_nullable_text(&in);
        int64_t ms = rb_i64(&in);
        struct subview_row *row = in.ok ? row_new(q->arena, out, &room) : NULL;
        if (row == NULL) {
            e = in.ok ? ERR_FULL : ERR_CORRUPT;
            break;
        }
        *row = (struct subview_row){.playing_ms = ms};
        if (value.ptr) row->value = arena_copy(q->arena, value);
        if (value.ptr && row->value.ptr == NULL) e = ERR_FULL;
    }
    buf_free(&rows);
    return e;
}
