/* SPDX-License-Identifier: Apache-2.0
 * Views by the values of a dimension: their scores and ranks, the breakdown, and the values alone. */
#include "query/segments.h"

#include "store/read.h"
#include "store/result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* -- segments: scores and ranks (rules 89, 90) -- */

/* Twelve digits: parallel sums differ in the last ones from run to run, and ties have to stay ties. Whole numbers add
 * up exactly, however they are split. */
static double steady(double v)
{
    if (!(floor(v) < v) && fabs(v) < 0x1p53) return v;
    char text[32];
    (void)snprintf(text, sizeof text, "%.12g", v);
    return strtod(text, NULL);
}

static double segment_score(const struct question *question, const struct answer *overall, const struct answer *segment)
{
    const struct metric *m = question->metric;
    bool lower = m->better == BETTER_LOWER;
    if (!segment->has_value || question->measure == MEASURE_COUNT || m->kind == METRIC_VIEWERS) return 0;
    if (question->measure == MEASURE_SUM) return lower ? 0 - steady(segment->value) : 0;
    if (!overall->has_value) return 0;
    double difference = lower ? overall->value - segment->value : segment->value - overall->value;
    if (fabs(difference) < 1e-12 * fabs(overall->value)) return 0; /* the same value, added up in another order */
    return steady(difference * (double)segment->views);
}

/* Text ascending by bytes, null last. */
static int field_compare(struct span a, struct span b)
{
    if (a.ptr == NULL || b.ptr == NULL) return (a.ptr == NULL) - (b.ptr == NULL);
    return span_compare(a, b);
}

static int segment_worse_first(const void *x, const void *y)
{
    const struct segment *a = x, *b = y;
    if (a->score < b->score || a->score > b->score) return a->score < b->score ? -1 : 1;
    if (a->answer.views != b->answer.views) return a->answer.views > b->answer.views ? -1 : 1;
    if (a->dimension != b->dimension) {
        int order = strcmp(a->dimension->id, b->dimension->id);
        if (order) return order;
    }
    return field_compare(a->field, b->field);
}

void segments_rank(const struct question *question, const struct answer *overall, struct segment *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        s[i].score = segment_score(question, overall, &s[i].answer);
        s[i].order_value = steady(s[i].answer.value);
    }
    if (n) qsort(s, n, sizeof *s, segment_worse_first);
    for (size_t i = 0; i < n; i++) s[i].rank = (int64_t)i + 1;
}

void segments_sql(struct buf *sql, const struct store *store, const struct question *question,
                  const struct dimension *by, unsigned kind, bool skip_null, const char *modifier)
{
    struct buf extra, not_null;
    buf_init(&extra, SQL_BYTES_MAX);
    buf_init(&not_null, SQL_BYTES_MAX);
    buf_adds(&extra, ", ");
    dimension_group_sql(&extra, store, by);
    buf_adds(&extra, " AS g");
    if (skip_null && by->type != DIMENSION_BOOL && by->type != DIMENSION_TRACE)
        buf_addf(&not_null, " AND isNotNull(%s)", by->column);
    buf_addf(sql, "SELECT toUInt8(%u), ", kind);
    dimension_text_sql(sql, by, "g");
    buf_adds(sql, ", n, value, watch, playing FROM (SELECT g, toInt64(count()) AS n, ");
    question_aggregate(sql, store, question->metric, question->measure);
    buf_adds(sql, " AS value, toInt64(sum(w)) AS watch, toInt64(sum(p)) AS playing FROM ");
    question_from_sql(sql, store, question, extra.ptr, not_null.ptr ? not_null.ptr : "");
    buf_addf(sql, " GROUP BY g%s)", modifier);
    buf_free(&extra);
    buf_free(&not_null);
}

void segments_overall_sql(struct buf *sql, const struct store *store, const struct question *question)
{
    buf_addf(sql,
             "SELECT toUInt8(%u), CAST(NULL AS Nullable(String)), n, value, watch, playing FROM (SELECT "
             "toInt64(count()) AS n, ",
             (unsigned)UINT8_MAX);
    question_aggregate(sql, store, question->metric, question->measure);
    buf_adds(sql, " AS value, toInt64(sum(w)) AS watch, toInt64(sum(p)) AS playing FROM ");
    question_from_sql(sql, store, question, "", "");
    buf_adds(sql, ")");
}

struct segment *segment_add(struct segment_list *list)
{
    if (list->n == SEGMENTS_MAX) return NULL;
    if (list->n == list->room) {
        list->room = list->room ? list->room * 2 : 64;
        list->items = realloc(list->items, list->room * sizeof *list->items);
        BUG_IF(list->items == NULL);
    }
    return &list->items[list->n++];
}

void segments_keep(struct arena *arena, struct segment_list *list, struct buf *rows)
{
    size_t len;
    arena_keep(arena, list->items);
    arena_keep(arena, buf_take(rows, &len));
}

/* Reads rows of segments_sql and overall_sql; dimensions by kind. */
static enum err segments_read(const struct question *question, struct span rows, const struct dimension *const *by,
                              struct segment_list *list, struct answer *overall)
{
    struct bytes in = bytes_of(rows);
    while (bytes_left(&in)) {
        unsigned kind = bytes_u8(&in);
        struct span field = rb_nullable_text(&in);
        struct answer answer = question_read(&in, question, true);
        if (!in.ok) return ERR_CORRUPT;
        if (kind == UINT8_MAX) {
            *overall = answer;
            continue;
        }
        struct segment *s = segment_add(list);
        if (s == NULL) return ERR_FULL;
        *s = (struct segment){.answer = answer, .dimension = by[kind], .field = field};
    }
    return ERR_NONE;
}

enum err segments_run(struct query *q, const struct question *question, struct buf *sql,
                      const struct dimension *const *by, struct segment_list *list, struct buf *rows,
                      struct answer *overall)
{
    enum err e = question_run(q, sql, rows);
    return e == ERR_NONE ? segments_read(question, buf_span(rows), by, list, overall) : e;
}

/* -- breakdown -- */

void query_breakdown_sql(struct buf *sql, const struct store *store, const struct question *question,
                         const struct dimension *by)
{
    segments_sql(sql, store, question, by, 0, false, " WITH ROLLUP");
}

/* WITH ROLLUP adds the row of everything, with the default value as its field ("" where a text column is never null):
 * of the rows with that field it is the one with the most views. When the default is a segment of its own and holds
 * every view, both rows say the same. */
static void rollup_take(const struct question *question, const struct dimension *by, struct segment *rows, size_t *n,
                        struct answer *overall)
{
    struct span empty = by->type == DIMENSION_TRACE  ? SPAN("[]")
                        : by->type == DIMENSION_BOOL ? SPAN("false")
                                                     : (struct span){NULL, 0};
    size_t at = *n;
    for (size_t i = 0; i < *n; i++) {
        bool is_default = empty.ptr ? span_eq(rows[i].field, empty) : rows[i].field.len == 0;
        if (is_default && (at == *n || rows[i].answer.views > rows[at].answer.views)) at = i;
    }
    *overall = at < *n ? rows[at].answer : question_answer(question, 0, 0);
    if (at == *n) return;
    rows[at] = rows[*n - 1];
    --*n;
}

enum err query_breakdown(struct query *q, const struct question *question, const struct dimension *by,
                         struct segment **out, size_t *count, struct answer *overall)
{
    struct buf sql, rows;
    struct segment_list list = {0};
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    query_breakdown_sql(&sql, q->store, question, by);
    enum err e = segments_run(q, question, &sql, &by, &list, &rows, overall);
    segments_keep(q->arena, &list, &rows);
    *out = list.items;
    *count = list.n;
    if (e != ERR_NONE) return e;
    rollup_take(question, by, *out, count, overall);
    segments_rank(question, overall, *out, *count);
    return e;
}

/* -- values of a dimension -- */

static int segment_more_views_first(const void *x, const void *y)
{
    const struct segment *a = x, *b = y;
    if (a->answer.views != b->answer.views) return a->answer.views > b->answer.views ? -1 : 1;
    return field_compare(a->field, b->field);
}

enum err query_values(struct query *q, const char *environment_id, const struct window *window,
                      const struct filters *filters, const struct dimension *by, bool elements, struct segment **out,
                      size_t *count)
{
    struct buf sql, rows, columns, where;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_init(&columns, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    dimension_group_sql(&columns, q->store, by);
    buf_adds(&columns, " AS g");
    question_where(&where, environment_id, window, CLOCK_END, filters);
    buf_adds(&sql, "SELECT ");
    if (elements) buf_adds(&sql, "CAST(e AS Nullable(String))");
    else dimension_text_sql(&sql, by, "g");
    buf_addf(&sql, " AS field, toInt64(count()) FROM (SELECT %s FROM ",
             elements ? "arrayJoin(arrayDistinct(g)) AS e" : "g");
    store_views_from(&sql, q->store, columns.ptr, buf_span(&where));
    buf_addf(&sql, ") GROUP BY %s", elements ? "e" : "g");
    buf_free(&columns);
    buf_free(&where);
    struct segment_list list = {0};
    enum err e = question_run(q, &sql, &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    while (e == ERR_NONE && bytes_left(&in)) {
        struct span field = rb_nullable_text(&in);
        int64_t views = rb_i64(&in);
        struct segment *s = in.ok ? segment_add(&list) : NULL;
        if (s == NULL) e = in.ok ? ERR_FULL : ERR_CORRUPT;
        else *s = (struct segment){.answer = {.views = views}, .dimension = by, .field = field};
    }
    segments_keep(q->arena, &list, &rows);
    if (list.n) qsort(list.items, list.n, sizeof *list.items, segment_more_views_first);
    *out = list.items;
    *count = list.n;
    return e;
}
