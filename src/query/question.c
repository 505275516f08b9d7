/* SPDX-License-Identifier: Apache-2.0
 * Questions to SQL and back. The shape is always
 *   SELECT <aggregates> FROM (SELECT <v, a, b, w, p, t, g> FROM <views of the question>) [GROUP BY ...]
 * with v the view's value, w and p its watch and playing time, t its clock and g its dimension value. */
#include "query/question.h"

#include "store/dialect.h"
#include "store/escape.h"
#include "store/read.h"
#include "store/result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SQL_BYTES_MAX = 4 * 1024 * 1024, ROWS_BYTES_MAX = 256 * 1024 * 1024, SEGMENTS_MAX = 2000000 };
/* Insights leave out segments of fewer than this part of the views that the metric counts. */
enum { SEGMENT_PART = 100000 };
/* Dimensions that insights groups by in one scan, when every one keeps the values of its percentiles while it runs, and
 * when only sums. */
enum { SETS_A_SCAN = 24, SETS_A_SCAN_OF_SUMS = UINT8_MAX };
/* The store makes blocks as small as a megabyte, which for so many columns is so few rows that handling the blocks
 * takes a quarter of the time. */
#define INSIGHTS_SETTINGS " SETTINGS preferred_block_size_bytes = 268435456"
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

static void percentile_sql(struct buf *sql, const struct store *store, double q)
{
    store_percentile(sql, store, q, "v");
}

void question_aggregate(struct buf *sql, const struct store *store, const struct metric *m, enum measure measure)
{
    double q = measure == MEASURE_MEDIAN ? 0.5 : m->better == BETTER_LOWER ? 0.95 : 0.05;
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
    case MEASURE_95TH: percentile_sql(sql, store, q); return;
    }
}

const char *viewer_sql(const struct store *store, const struct metric *m)
{
    return store_dialect(store).viewer_key ? "viewer_key" : m->a;
}

static bool aggregate_needs_ratio(const struct question *question)
{
    return question->metric->kind == METRIC_RATIO && question->measure == MEASURE_AVG;
}

/* "(SELECT ... FROM views of the question)". extra: more inner columns, beginning with ", ", or "". */
static void inner_sql(struct buf *sql, const struct store *store, const struct question *question, const char *extra,
                      const char *extra_where)
{
    const struct metric *m = question->metric;
    struct buf columns, where;
    buf_init(&columns, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    if (m->kind == METRIC_VIEWERS) buf_addf(&columns, "assumeNotNull(%s) AS v", viewer_sql(store, m));
    else if (m->kind == METRIC_RATIO) buf_addf(&columns, "assumeNotNull(toFloat64(%s) / %s) AS v", m->a, m->b);
    else buf_addf(&columns, "assumeNotNull(%s) AS v", m->a); /* its own type: sorting integers is faster */
    if (aggregate_needs_ratio(question))
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

/* Runs the statement; the rows are in out, which the caller frees. */
static enum err run(struct query *q, struct buf *sql, struct buf *out)
{
    static const struct store_limits limits = {.most_rows = true};
    enum err e =
        sql->failed ? ERR_FULL : store_select_as(q->store, buf_span(sql), &limits, "RowBinary", out, &q->error);
    buf_free(sql);
    return e;
}

static struct answer answer_of(const struct question *question, int64_t views, double value)
{
    bool counts =
        question->measure == MEASURE_COUNT || question->measure == MEASURE_SUM || metric_counts_views(question->metric);
    struct answer a = {.views = views, .has_value = views > 0 || counts, .value = views > 0 ? value : 0};
    if (!isfinite(a.value)) a.has_value = false;
    return a;
}

static void aggregates_sql(struct buf *sql, const struct store *store, const struct question *question)
{
    buf_adds(sql, "toInt64(count()), ");
    question_aggregate(sql, store, question->metric, question->measure);
}

static struct answer read_answer(struct bytes *rows, const struct question *question, bool times)
{
    int64_t views = rb_i64(rows);
    struct answer a = answer_of(question, views, rb_f64(rows));
    if (times) a.watch_ms = rb_i64(rows), a.playing_ms = rb_i64(rows);
    return a;
}

void query_overall_sql(struct buf *sql, const struct store *store, const struct question *question)
{
    buf_adds(sql, "SELECT ");
    aggregates_sql(sql, store, question);
    buf_adds(sql, ", toInt64(sum(w)), toInt64(sum(p)) FROM ");
    inner_sql(sql, store, question, "", "");
}

enum err query_overall(struct query *q, const struct question *question, struct answer *out)
{
    struct buf sql, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    query_overall_sql(&sql, q->store, question);
    enum err e = run(q, &sql, &rows);
    if (e == ERR_NONE) {
        struct bytes in = bytes_of(buf_span(&rows));
        *out = read_answer(&in, question, true);
        if (!in.ok) e = ERR_CORRUPT;
    }
    buf_free(&rows);
    return e;
}

void query_timeseries_sql(struct buf *sql, const struct store *store, const struct question *question, int64_t step_s)
{
    buf_addf(sql, "SELECT toInt64(intDiv(t, %lld)) AS k, ", (long long)step_s * 1000);
    aggregates_sql(sql, store, question);
    buf_adds(sql, " FROM ");
    inner_sql(sql, store, question, question->metric->clock == CLOCK_START ? ", view_start AS t" : ", view_end AS t",
              "");
    buf_adds(sql, " GROUP BY k");
}

enum err query_timeseries(struct query *q, const struct question *question, int64_t step_s, struct bucket **out,
                          size_t *count)
{
    int64_t first = window_first_bucket_s(&question->window, step_s), n = window_buckets(&question->window, step_s);
    struct bucket *buckets = arena_alloc(q->arena, (size_t)n * sizeof *buckets);
    if (buckets == NULL) return ERR_FULL;
    for (int64_t i = 0; i < n; i++)
        buckets[i] = (struct bucket){.start_s = first + i * step_s, .answer = answer_of(question, 0, 0)};
    struct buf sql, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    query_timeseries_sql(&sql, q->store, question, step_s);
    enum err e = run(q, &sql, &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    while (e == ERR_NONE && bytes_left(&in)) {
        int64_t at = rb_i64(&in) - first / step_s;
        struct answer a = read_answer(&in, question, false);
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

/* "SELECT toUInt8(kind), <field>, n, value, watch, playing FROM (...GROUP BY g)"; kind UINT8_MAX is the overall row. */
static void segments_sql(struct buf *sql, const struct store *store, const struct question *question,
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
    inner_sql(sql, store, question, extra.ptr, not_null.ptr ? not_null.ptr : "");
    buf_addf(sql, " GROUP BY g%s)", modifier);
    buf_free(&extra);
    buf_free(&not_null);
}

static void overall_sql(struct buf *sql, const struct store *store, const struct question *question)
{
    buf_addf(sql,
             "SELECT toUInt8(%u), CAST(NULL AS Nullable(String)), n, value, watch, playing FROM (SELECT "
             "toInt64(count()) AS n, ",
             (unsigned)UINT8_MAX);
    question_aggregate(sql, store, question->metric, question->measure);
    buf_adds(sql, " AS value, toInt64(sum(w)) AS watch, toInt64(sum(p)) AS playing FROM ");
    inner_sql(sql, store, question, "", "");
    buf_adds(sql, ")");
}

/* Segments and the rows that their fields point into: they may be more than the arena of a request holds, which gets
 * both to keep in the end. */
struct segment_list {
    struct segment *items;
    size_t n, room;
};

static struct segment *segment_add(struct segment_list *list)
{
    if (list->n == SEGMENTS_MAX) return NULL;
    if (list->n == list->room) {
        list->room = list->room ? list->room * 2 : 64;
        list->items = realloc(list->items, list->room * sizeof *list->items);
        BUG_IF(list->items == NULL);
    }
    return &list->items[list->n++];
}

static void segments_keep(struct arena *arena, struct segment_list *list, struct buf *rows)
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
    *overall = answer_of(question, 0, 0);
    while (bytes_left(&in)) {
        unsigned kind = bytes_u8(&in);
        struct span field = rb_nullable_text(&in);
        struct answer answer = read_answer(&in, question, true);
        if (!in.ok) return ERR_CORRUPT;
        if (kind == UINT8_MAX) {
            *overall = answer;
            continue;
        }
        struct segment *s = segment_add(list);
        if (s == NULL) return ERR_FULL;
        *s = (struct segment){.answer = answer, .dimension = by[kind], .field = field};
    }
    segments_rank(question, overall, list->items, list->n);
    return ERR_NONE;
}

static enum err segments_run(struct query *q, const struct question *question, struct buf *sql,
                             const struct dimension *const *by, struct segment **out, size_t *count,
                             struct answer *overall)
{
    struct buf rows;
    buf_init(&rows, ROWS_BYTES_MAX);
    struct segment_list list = {0};
    enum err e = run(q, sql, &rows);
    if (e == ERR_NONE) e = segments_read(question, buf_span(&rows), by, &list, overall);
    segments_keep(q->arena, &list, &rows);
    *out = list.items;
    *count = list.n;
    return e;
}

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
    *overall = at < *n ? rows[at].answer : answer_of(question, 0, 0);
    if (at == *n) return;
    rows[at] = rows[*n - 1];
    --*n;
}

enum err query_breakdown(struct query *q, const struct question *question, const struct dimension *by,
                         struct segment **out, size_t *count, struct answer *overall)
{
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    query_breakdown_sql(&sql, q->store, question, by);
    enum err e = segments_run(q, question, &sql, &by, out, count, overall);
    if (e != ERR_NONE) return e;
    rollup_take(question, by, *out, count, overall);
    segments_rank(question, overall, *out, *count);
    return e;
}

/* The segments of n dimensions from one scan; kinds count from first, and the first scan has the answer over all views
 * as well. Null's segment comes too. */
static void sets_sql(struct buf *sql, const struct store *store, const struct question *question,
                     const struct dimension *const *by, unsigned first, unsigned n)
{
    struct buf extra;
    char column[24];
    buf_init(&extra, SQL_BYTES_MAX);
    for (unsigned i = 0; i < n; i++) buf_addf(&extra, ", %s AS g%u", by[i]->column, i);
    buf_adds(sql, "SELECT kind, multiIf(");
    for (unsigned i = 0; i < n; i++) {
        buf_addf(sql, "kind = %u, ", first + i);
        (void)snprintf(column, sizeof column, "g%u", i);
        dimension_text_sql(sql, by[i], column);
        buf_adds(sql, ", ");
    }
    buf_adds(sql, "CAST(NULL AS Nullable(String))), n, value, watch, playing FROM (SELECT toUInt8(multiIf(");
    for (unsigned i = 0; i < n; i++) buf_addf(sql, "grouping(g%u) = 0, %u, ", i, first + i);
    buf_addf(sql, "%u)) AS kind, ", (unsigned)UINT8_MAX);
    for (unsigned i = 0; i < n; i++) buf_addf(sql, "g%u, ", i);
    buf_adds(sql, "toInt64(count()) AS n, ");
    question_aggregate(sql, store, question->metric, question->measure);
    buf_adds(sql, " AS value, toInt64(sum(w)) AS watch, toInt64(sum(p)) AS playing FROM ");
    inner_sql(sql, store, question, extra.ptr, "");
    buf_adds(sql, " GROUP BY GROUPING SETS (");
    for (unsigned i = 0; i < n; i++) buf_addf(sql, "%s(g%u)", i ? ", " : "", i);
    buf_addf(sql, "%s) HAVING count() * %d >= (SELECT count() FROM ", first == 0 ? ", ()" : "", SEGMENT_PART);
    inner_sql(sql, store, question, "", "");
    buf_adds(sql, "))");
    buf_free(&extra);
}

/* Segments of null are not looked at (rule 91), nor those of too few views. */
static void segments_drop(struct segment *list, size_t *count, int64_t all_views)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++)
        if (list[i].field.ptr && list[i].answer.views * SEGMENT_PART >= all_views) list[kept++] = list[i];
    *count = kept;
}

enum err query_insights(struct query *q, const struct question *question, struct segment **out, size_t *count)
{
    const struct dimension *by[UINT8_MAX];
    unsigned n = 0;
    struct buf sql;
    bool sets = store_dialect(q->store).grouping_sets;
    buf_init(&sql, SQL_BYTES_MAX);
    for (size_t i = 0; i < dimension_count(); i++) {
        const struct dimension *d = dimension_at(i);
        if (!d->insights) continue;
        BUG_IF(n == UINT8_MAX);
        by[n++] = d;
    }
    bool sums = question->measure != MEASURE_MEDIAN && question->measure != MEASURE_95TH &&
                question->metric->kind != METRIC_VIEWERS;
    unsigned scan = !sets ? 1 : sums ? SETS_A_SCAN_OF_SUMS : SETS_A_SCAN;
    for (unsigned i = 0; i < n; i += scan) {
        unsigned left = n - i;
        if (sets) sets_sql(&sql, q->store, question, by + i, i, left < scan ? left : scan);
        else segments_sql(&sql, q->store, question, by[i], i, true, "");
        if (!sets || left > scan) buf_adds(&sql, " UNION ALL ");
    }
    if (!sets) overall_sql(&sql, q->store, question);
    buf_adds(&sql, INSIGHTS_SETTINGS);
    struct answer overall = answer_of(question, 0, 0);
    enum err e = segments_run(q, question, &sql, by, out, count, &overall);
    if (e != ERR_NONE) return e;
    segments_drop(*out, count, overall.views);
    segments_rank(question, &overall, *out, *count);
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
    enum err e = run(q, &sql, &rows);
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
