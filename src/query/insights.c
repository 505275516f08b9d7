/* SPDX-License-Identifier: Apache-2.0
 * Insights: the segments of every dimension that is looked at, together. A store elsewhere groups by all of them in one
 * statement. The embedded one sends the profiles of the views, which scan.c asks for and tally.c counts; dimensions of
 * a profile that has more combinations of values than can be counted are left to the store after all
 * (docs/decisions/014). */
#include "query/scan.h"

#include "base/counters.h"
#include "query/vast.h"
#include "store/dialect.h"
#include "store/read.h"
#include "store/result.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Segments of fewer than this part of the views that the metric counts are left out. */
enum { SEGMENT_PART = 100000 };
/* Dimensions that the store groups by in one scan, when every one keeps the values of its percentiles while it runs,
 * and when only sums. */
enum { SETS_A_SCAN = 24, SETS_A_SCAN_OF_SUMS = UINT8_MAX };
enum { INSIGHTS_MS = 30000 };

/* -- grouped by the store -- */

/* ", <dimension> AS g0, ..." */
static void groups_sql(struct buf *columns, const struct dimension *const *by, unsigned n)
{
    for (unsigned i = 0; i < n; i++) buf_addf(columns, ", %s AS g%u", by[i]->column, i);
}

/* "SELECT kind, field<outer> FROM (SELECT kind, ...<inner> FROM <from> GROUP BY GROUPING SETS (one a dimension<set>)
 * <having>)"; kinds count from first; from has the columns of groups_sql. */
struct sets {
    const char *outer, *inner, *from, *set, *having;
};
static void sets_sql(struct buf *sql, const struct dimension *const *by, unsigned first, unsigned n,
                     const struct sets *s)
{
    char column[24];
    buf_adds(sql, "SELECT kind, multiIf(");
    for (unsigned i = 0; i < n; i++) {
        buf_addf(sql, "kind = %u, ", first + i);
        (void)snprintf(column, sizeof column, "g%u", i);
        dimension_text_sql(sql, by[i], column);
        buf_adds(sql, ", ");
    }
    buf_addf(sql, "CAST(NULL AS Nullable(String)))%s FROM (SELECT toUInt8(multiIf(", s->outer);
    for (unsigned i = 0; i < n; i++) buf_addf(sql, "grouping(g%u) = 0, %u, ", i, first + i);
    buf_addf(sql, "%u)) AS kind", (unsigned)UINT8_MAX);
    for (unsigned i = 0; i < n; i++) buf_addf(sql, ", g%u", i);
    buf_addf(sql, "%s FROM %s GROUP BY GROUPING SETS (", s->inner, s->from);
    for (unsigned i = 0; i < n; i++) buf_addf(sql, "%s(g%u)", i ? ", " : "", i);
    buf_addf(sql, "%s)%s)", s->set, s->having);
}

/* Segments of at least the part of views; < 0: they are not known, and the answer over all is asked for too. */
static void having_sql(struct buf *sql, const struct store *store, const struct question *question, int64_t views)
{
    buf_addf(sql, " HAVING count() * %d >= ", SEGMENT_PART);
    if (views < 0) {
        buf_adds(sql, "(SELECT count() FROM ");
        question_from_sql(sql, store, question, "", "");
        buf_addc(sql, ')');
    } else {
        buf_addf(sql, "%" PRId64, views);
    }
}

static void grouped_sql(struct buf *sql, const struct store *store, const struct question *question,
                        const struct dimension *const *by, unsigned n, int64_t views)
{
    struct buf inner;
    buf_init(&inner, SQL_BYTES_MAX);
    buf_adds(&inner, ", toInt64(count()) AS n, ");
    question_aggregate(&inner, store, question->metric, question->measure);
    buf_adds(&inner, " AS value, toInt64(sum(w)) AS watch, toInt64(sum(p)) AS playing");
    unsigned most = question_keeps_values(question) ? SETS_A_SCAN : SETS_A_SCAN_OF_SUMS;
    for (unsigned i = 0, scan; i < n; i += scan) {
        struct buf columns, from, having;
        buf_init(&columns, SQL_BYTES_MAX), buf_init(&from, SQL_BYTES_MAX), buf_init(&having, SQL_BYTES_MAX);
        scan = n - i < most ? n - i : most;
        groups_sql(&columns, by + i, scan);
        question_from_sql(&from, store, question, columns.ptr, "");
        having_sql(&having, store, question, views);
        struct sets s = {.outer = ", n, value, watch, playing",
                         .inner = inner.ptr,
                         .from = from.ptr,
                         .set = i == 0 && views < 0 ? ", ()" : "",
                         .having = having.ptr};
        if (i) buf_adds(sql, " UNION ALL ");
        sets_sql(sql, by + i, i, scan, &s);
        if (columns.failed || from.failed || having.failed) sql->failed = true;
        buf_free(&columns), buf_free(&from), buf_free(&having);
    }
    buf_free(&inner);
}

/* Stores that know no grouping sets scan once for each dimension. */
static void grouped_apart_sql(struct buf *sql, const struct store *store, const struct question *question,
                              const struct dimension *const *by, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        segments_sql(sql, store, question, by[i], i, true, "");
        buf_adds(sql, " UNION ALL ");
    }
    segments_overall_sql(sql, store, question);
}

/* -- counted here -- */

static struct answer cell_answer(const struct question *question, const struct tally_cell *cell)
{
    double value = cell->value;
    if (question->metric->kind != METRIC_VIEWERS && question->measure == MEASURE_COUNT) value = (double)cell->views;
    if (question->metric->kind != METRIC_VIEWERS && question->measure == MEASURE_AVG)
        value /= question_needs_ratio(question) ? cell->base : (double)cell->views;
    struct answer a = question_answer(question, cell->views, value);
    a.watch_ms = cell->watch_ms;
    a.playing_ms = cell->playing_ms;
    return a;
}

/* What stands for a value in an answer. */
static struct span value_text(const struct dimension *d, struct span value, char **texts)
{
    if (d->type == DIMENSION_BOOL || d->type == DIMENSION_NBOOL)
        return span_is(value, "0") ? SPAN("false") : SPAN("true");
    char *to = *texts;
    if (value.len) memcpy(to, value.ptr, value.len);
    *texts += value.len + 1;
    return (struct span){to, value.len};
}

/* Appends the segments of a dimension. */
static enum err part_take(const struct scan *s, unsigned i, size_t column, int64_t views, struct segment_list *list)
{
    const struct dimension *d = s->profiles[i].parts[column].dimension;
    const struct codebook *values = s->profiles[i].parts[column].values;
    const struct tally_cell *cells = tally_cells(s->tally, i, column);
    size_t bytes = 1, n = codebook_count(values);
    for (size_t v = 0; v < n; v++) bytes += codebook_text(values, v).len + 1;
    char *texts = malloc(bytes);
    BUG_IF(texts == NULL);
    arena_keep(s->q->arena, texts);
    for (size_t v = 0; v < n; v++) {
        if (cells[v + 1].views * SEGMENT_PART < views) continue;
        struct segment *segment = segment_add(list);
        if (segment == NULL) return ERR_FULL;
        *segment = (struct segment){.answer = cell_answer(s->question, &cells[v + 1]),
                                    .dimension = d,
                                    .field = value_text(d, codebook_text(values, v), &texts)};
    }
    return ERR_NONE;
}

/* The number of the profile that has the dimension, and its column there. false: none has it. */
static bool profile_of(const struct dimension *d, unsigned *profile, size_t *column)
{
    for (unsigned i = 0; i < store_profile_count(); i++) {
        for (size_t k = 0; k < store_profile_at(i)->count; k++) {
            if (strcmp(store_profile_at(i)->columns[k], d->plain) != 0) continue;
            *profile = i;
            *column = k;
            return true;
        }
    }
    return false;
}

static unsigned insights_dimensions(const struct dimension **by)
{
    unsigned n = 0;
    for (size_t i = 0; i < dimension_count(); i++) {
        if (!dimension_at(i)->insights) continue;
        BUG_IF(n == UINT8_MAX);
        by[n++] = dimension_at(i);
    }
    return n;
}

/* A question that is counted. */
struct counted {
    struct query *q;
    const struct question *question;
    const struct dimension *by[UINT8_MAX]; /* all that are looked at */
    unsigned by_count;
    int64_t views;                        /* about; 0: not asked for yet */
    unsigned profiles[SCAN_PROFILES_MAX]; /* that are counted, by number */
    unsigned n;
    uint32_t vast; /* those that are left to the store, a bit each */
    bool whole;    /* the answer over all views is there */
};

/* The scan of so many profiles from first on. */
static void scan_plan(const struct counted *c, struct scan *s, unsigned first, unsigned width)
{
    *s = (struct scan){.q = c->q, .question = c->question, .n = width};
    for (unsigned i = 0; i < width; i++) s->profiles[i].profile = store_profile_at(c->profiles[first + i]);
    for (unsigned i = 0, profile; i < c->by_count; i++) {
        size_t column;
        if (!profile_of(c->by[i], &profile, &column)) continue;
        for (unsigned k = 0; k < width; k++)
            if (c->profiles[first + k] == profile) s->profiles[k].parts[column].dimension = c->by[i];
    }
}

static enum err scan_take(struct counted *c, const struct scan *s, struct segment_list *list, struct answer *overall)
{
    enum err e = ERR_NONE;
    if (!c->whole) *overall = cell_answer(c->question, scan_whole(s));
    c->whole = true;
    for (unsigned i = 0; i < s->n; i++)
        for (size_t k = 0; e == ERR_NONE && k < s->profiles[i].profile->count; k++)
            if (s->profiles[i].parts[k].dimension) e = part_take(s, i, k, overall->views, list);
    return e;
}

/* Profiles of the scan that turned out to be vast are counted no more. false: there are none. */
static bool drop_vast(struct counted *c, const struct scan *s, unsigned first)
{
    unsigned kept = first;
    for (unsigned i = first; i < c->n; i++) {
        if (i - first < s->n && s->profiles[i - first].vast) c->vast |= UINT32_C(1) << c->profiles[i];
        else c->profiles[kept++] = c->profiles[i];
    }
    bool any = kept < c->n;
    c->n = kept;
    return any;
}

/* How many views there are, whether the metric counts them or not. */
static enum err views_count(struct query *q, const struct question *question, int64_t *views)
{
    struct buf sql, rows, where;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    question_where(&where, question->environment_id, &question->window, question->metric->clock, question->filters);
    buf_adds(&sql, "SELECT toInt64(count()) FROM ");
    store_views_from(&sql, q->store, "view_end", buf_span(&where));
    if (where.failed) sql.failed = true;
    buf_free(&where);
    enum err e = question_run(q, &sql, &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    if (e == ERR_NONE) *views = rb_i64(&in);
    if (e == ERR_NONE && !in.ok) e = ERR_CORRUPT;
    buf_free(&rows);
    return e;
}

static enum err profiles_count(struct counted *c, struct segment_list *list, struct answer *overall)
{
    enum err e = ERR_NONE;
    for (unsigned first = 0, width; e == ERR_NONE && first < c->n;) {
        struct scan s;
        width = scan_width(c->question, c->views, c->n - first);
        if (width == 0) return ERR_FULL;
        scan_plan(c, &s, first, width);
        e = scan_run(&s);
        if (e == ERR_NONE) e = scan_take(c, &s, list, overall), first += width;
        else if (e == ERR_FULL && drop_vast(c, &s, first)) e = ERR_NONE;
        else if (s.many_views && c->views == 0) e = views_count(c->q, c->question, &c->views);
        scan_free(&s);
    }
    return e;
}

/* -- insights -- */

/* Segments of n dimensions by the store. views: see having_sql. */
static enum err segments_group(struct query *q, const struct question *question, const struct dimension *const *by,
                               unsigned n, int64_t views, struct segment_list *list, struct buf *rows,
                               struct answer *overall)
{
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    if (store_dialect(q->store).grouping_sets) grouped_sql(&sql, q->store, question, by, n, views);
    else grouped_apart_sql(&sql, q->store, question, by, n);
    buf_adds(&sql, INSIGHTS_SETTINGS);
    return segments_run(q, question, &sql, by, list, rows, overall);
}

/* Those dimensions that are in no profile that was counted. */
static enum err left_group(const struct counted *c, struct segment_list *list, struct buf *rows, struct answer *overall)
{
    const struct dimension *left[UINT8_MAX];
    unsigned n = 0;
    for (unsigned i = 0, profile; i < c->by_count; i++) {
        size_t column;
        bool counted = profile_of(c->by[i], &profile, &column) && !(c->vast >> profile & 1);
        if (!counted) left[n++] = c->by[i];
    }
    if (n == 0 || overall->views == 0) return ERR_NONE;
    return segments_group(c->q, c->question, left, n, overall->views, list, rows, overall);
}

static enum err segments_both(struct counted *c, struct segment_list *list, struct buf *rows, struct answer *overall)
{
    const char *environment_id = c->question->environment_id;
    int64_t now_ms = mono_now().v / 1000;
    uint32_t before = c->vast = vast_of(c->q->vast, environment_id, now_ms);
    BUG_IF(store_profile_count() > SCAN_PROFILES_MAX);
    for (unsigned i = 0; i < store_profile_count(); i++)
        if (!(c->vast >> i & 1)) c->profiles[c->n++] = i;
    enum err e = profiles_count(c, list, overall);
    if (c->vast != before) vast_note(c->q->vast, environment_id, c->vast, now_ms);
    if (e == ERR_NONE && !c->whole) e = ERR_FULL; /* nothing could be counted */
    return e == ERR_NONE ? left_group(c, list, rows, overall) : e;
}

/* false: the store is to group instead, as when another question is being counted, or when this one cannot be. */
static bool segments_counted(struct counted *c, struct segment_list *list, struct buf *rows, struct answer *overall,
                             enum err *e)
{
    bool keeps = question_keeps_values(c->question);
    if (keeps && !vast_turn_take(c->q->vast)) return false;
    *e = segments_both(c, list, rows, overall);
    if (keeps) vast_turn_give(c->q->vast);
    if (*e == ERR_NONE) counter_add(COUNTER_insights_counted_total, 1);
    return *e == ERR_NONE || *e == ERR_CLOSED || *e == ERR_TIMEOUT;
}

static enum err segments_find(struct query *q, const struct question *question, struct segment_list *list,
                              struct buf *rows, struct answer *overall)
{
    struct counted c = {.q = q, .question = question};
    enum err e;
    c.by_count = insights_dimensions(c.by);
    if (store_dialect(q->store).profiles && q->vast) {
        if (segments_counted(&c, list, rows, overall, &e)) return e;
        list->n = 0;
        buf_clear(rows);
        *overall = question_answer(question, 0, 0);
    }
    return segments_group(q, question, c.by, c.by_count, -1, list, rows, overall);
}

/* Segments of null are not looked at (rule 91), nor those of too few views. */
static void segments_drop(struct segment_list *list, int64_t all_views)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].field.ptr && list->items[i].answer.views * SEGMENT_PART >= all_views)
            list->items[kept++] = list->items[i];
    list->n = kept;
}

enum err query_insights(struct query *q, const struct question *question, struct segment **out, size_t *count)
{
    struct segment_list list = {0};
    struct buf rows;
    struct answer overall = question_answer(question, 0, 0);
    buf_init(&rows, ROWS_BYTES_MAX);
    q->until.v = mono_now().v + (int64_t)INSIGHTS_MS * 1000;
    enum err e = segments_find(q, question, &list, &rows, &overall);
    if (e == ERR_NONE) {
        segments_drop(&list, overall.views);
        segments_rank(question, &overall, list.items, list.n);
    }
    segments_keep(q->arena, &list, &rows);
    *out = list.items;
    *count = list.n;
    return e;
}
