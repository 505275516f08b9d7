/* SPDX-License-Identifier: Apache-2.0
 * Insights: the segments of every dimension that is looked at, together. A store elsewhere groups by all of them in one
 * statement. The embedded one sends columns of codes, which scan.c asks for and tally.c counts. What values there are
 * is learned from a part of the views when an environment is asked about first, and a dimension with further values is
 * left to the store after all, whose answer brings them (docs/decisions/014). */
#include "query/scan.h"

#include "base/counters.h"
#include "store/dialect.h"
#include "store/read.h"
#include "store/result.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Segments of fewer than this part of the views that the metric counts are left out. */
enum { SEGMENT_PART = 100000 };
/* Dimensions that the store groups by in one scan, when every one keeps the values of its percentiles while it runs,
 * and when only sums. */
enum { SETS_A_SCAN = 24, SETS_A_SCAN_OF_SUMS = UINT8_MAX };
/* Values are learned from the views of this many short times of the window, about so many views. */
enum { SLICES = 8, SLICED_VIEWS = 100000 };
enum { INSIGHTS_MS = 30000 };

/* How many views there are, whether the metric counts them or not, and a time of about half of them, which no view
 * crosses while it is asked about. */
static enum err views_count(struct query *q, const struct question *question, int64_t *views, int64_t *middle_ms)
{
    struct buf sql, rows, where;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    question_where(&where, question->environment_id, &question->window, question->metric->clock, question->filters);
    buf_adds(&sql, "SELECT toInt64(count()), toInt64(ifNotFinite(avg(toFloat64(view_end)), 0)) FROM ");
    store_views_from(&sql, q->store, "view_end", buf_span(&where));
    if (where.failed) sql.failed = true;
    buf_free(&where);
    enum err e = question_run(q, &sql, &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    if (e == ERR_NONE) *views = rb_i64(&in), *middle_ms = rb_i64(&in);
    if (e == ERR_NONE && !in.ok) e = ERR_CORRUPT;
    int64_t settled_ms = store_settled_ms(q->store);
    if (*middle_ms > settled_ms) *middle_ms = settled_ms;
    buf_free(&rows);
    return e;
}

/* -- grouped by the store -- */

/* What is left to the store. */
struct grouping {
    int64_t views; /* that the metric counts; < 0: not known, and the answer over all views is asked for too */
    struct lexicon *lexicon; /* NULL, or: further values of its dimensions are wanted, however few views have them */
};

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

/* Segments of at least the part of views, of some dimensions all. */
static void having_sql(struct buf *sql, const struct store *store, const struct question *question,
                       const struct dimension *const *by, unsigned n, const struct grouping *g)
{
    buf_addf(sql, " HAVING count() * %d >= ", SEGMENT_PART);
    if (g->views < 0) {
        buf_adds(sql, "(SELECT count() FROM ");
        question_from_sql(sql, store, question, "", "");
        buf_addc(sql, ')');
    } else {
        buf_addf(sql, "%" PRId64, g->views);
    }
    for (unsigned i = 0; g->lexicon && i < n; i++)
        if (has_words(by[i]) && !g->lexicon->words[dimension_number(by[i])].many)
            buf_addf(sql, " OR grouping(g%u) = 0", i);
}

static void grouped_sql(struct buf *sql, const struct store *store, const struct question *question,
                        const struct dimension *const *by, unsigned n, const struct grouping *g)
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
        having_sql(&having, store, question, by + i, scan, g);
        struct sets s = {.outer = ", n, value, watch, playing",
                         .inner = inner.ptr,
                         .from = from.ptr,
                         .set = i == 0 && g->views < 0 ? ", ()" : "",
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

/* -- counted here: the values -- */

static bool countable(const struct counted *c, const struct dimension *d)
{
    if (has_words(d)) return !words_of(c, d)->many;
    return d->type == DIMENSION_NUMBER || d->type == DIMENSION_BOOL || d->type == DIMENSION_NBOOL;
}

/* " AND (view_end ...)": short times of about SLICED_VIEWS views together, spread as the views of where are; nothing
 * where they are few. */
static enum err slices_sql(struct counted *c, struct buf *slices, struct span where)
{
    struct buf sql, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_adds(&sql, "SELECT toInt64(count()), quantiles(");
    for (unsigned i = 0; i < 2 * SLICES; i++) buf_addf(&sql, "%s%g", i ? ", " : "", (i + 0.5) / (2 * SLICES));
    buf_adds(&sql, ")(view_end) FROM ");
    store_views_from(&sql, c->q->store, "view_end", where);
    enum err e = question_run(c->q, &sql, &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    int64_t views = e == ERR_NONE ? rb_i64(&in) : 0;
    size_t n = e == ERR_NONE && views > SLICED_VIEWS ? rb_array(&in, sizeof(double)) : 0;
    /* The times between a quantile and the next, every other of which begins with a slice, have half of the views. */
    double part = views > 0 ? SLICED_VIEWS * 2.0 / (double)views : 1;
    for (size_t i = 0; i + 1 < n && in.ok; i += 2) {
        double from = rb_f64(&in), to = rb_f64(&in);
        if (!in.ok || !isfinite(from) || !isfinite(to)) continue;
        to = from + (to - from) * (part < 1 ? part : 1);
        buf_addf(slices, "%s(view_end >= %" PRId64 " AND view_end <= %" PRId64 ")", slices->len ? " OR " : " AND (",
                 (int64_t)from, (int64_t)to + 1);
    }
    if (slices->len) buf_addc(slices, ')');
    else if (e == ERR_NONE && (!in.ok || views > SLICED_VIEWS)) e = ERR_CORRUPT;
    buf_free(&rows);
    return e;
}

/* "SELECT kind, field" of the values that the views have, whatever the question leaves out: of many views, those of
 * some short times. */
static enum err learning_sql(struct counted *c, struct buf *sql, const struct dimension *const *by, unsigned n)
{
    struct buf columns, where, slices, from;
    buf_init(&columns, SQL_BYTES_MAX), buf_init(&where, SQL_BYTES_MAX);
    buf_init(&slices, SQL_BYTES_MAX), buf_init(&from, SQL_BYTES_MAX);
    question_where(&where, c->question->environment_id, &c->question->window, c->question->metric->clock, NULL);
    enum err e = slices_sql(c, &slices, buf_span(&where));
    if (e == ERR_NONE) {
        buf_add_span(&where, buf_span(&slices));
        buf_adds(&columns, "view_end");
        groups_sql(&columns, by, n);
        store_views_from(&from, c->q->store, columns.ptr, buf_span(&where));
        struct sets s = {.outer = "", .inner = "", .from = from.ptr, .set = "", .having = ""};
        sets_sql(sql, by, 0, n, &s);
        buf_addf(sql, " LIMIT %d BY kind", LEXICON_WORDS_MAX + 1);
        buf_adds(sql, INSIGHTS_SETTINGS);
        if (columns.failed || where.failed || from.failed) sql->failed = true;
    }
    buf_free(&columns), buf_free(&where), buf_free(&slices), buf_free(&from);
    return e;
}

/* Into the lexicon go the values of the dimensions that need them. */
static enum err words_learn(struct counted *c)
{
    const struct dimension *by[UINT8_MAX];
    unsigned n = 0;
    struct buf sql, rows;
    for (unsigned i = 0; i < c->n; i++)
        if (has_words(c->by[i])) by[n++] = c->by[i];
    if (n == 0) return ERR_NONE;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    enum err e = learning_sql(c, &sql, by, n);
    if (e == ERR_NONE) e = question_run(c->q, &sql, &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    while (e == ERR_NONE && bytes_left(&in)) {
        unsigned kind = bytes_u8(&in);
        struct span word = rb_nullable_text(&in);
        if (!in.ok || kind >= n) e = ERR_CORRUPT;
        else if (word.ptr) lexicon_add(c->lexicon, dimension_number(by[kind]), word);
    }
    for (unsigned i = 0; i < n; i++) lexicon_sort(c->lexicon, dimension_number(by[i]));
    c->lexicon->learned = e == ERR_NONE;
    buf_free(&sql);
    buf_free(&rows);
    return e;
}

/* -- counted here: the answers -- */

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

/* false: some views have values that are no words, and those may make up a segment. */
static bool all_known(const struct tally_cell *cells, int64_t views)
{
    int64_t other = cells[TALLY_OTHER].views;
    return other == 0 || other * SEGMENT_PART < views;
}

/* What stands for a code in an answer, written to texts. */
static struct span code_text(const struct scan *s, const struct dimension *d, size_t column, size_t code, char **texts)
{
    char number[24];
    struct span text;
    if (has_words(d)) {
        text = words_of(s->counted, d)->items[code - TALLY_WORD];
    } else if (d->type == DIMENSION_NUMBER) {
        (void)snprintf(number, sizeof number, "%" PRId64, tally_number(s->tally, column, code));
        text = span_of(number);
    } else {
        return code == TALLY_WORD ? SPAN("false") : SPAN("true");
    }
    char *to = *texts;
    if (text.len) memcpy(to, text.ptr, text.len);
    *texts += text.len + 1;
    return (struct span){to, text.len};
}

/* Bytes that code_text may write for all codes of a scan. */
static size_t texts_bytes(const struct scan *s)
{
    size_t bytes = 1;
    for (unsigned i = 0; i < s->n; i++) {
        const struct dimension *d = s->counted->by[s->first + i];
        const struct words *w = words_of(s->counted, d);
        if (d->type == DIMENSION_NUMBER) bytes += (size_t)24 * TALLY_CODES_MAX;
        for (size_t k = 0; has_words(d) && k < w->n; k++) bytes += w->items[k].len + 1;
    }
    return bytes;
}

/* Dimensions that are left to the store. */
struct left {
    const struct dimension *by[UINT8_MAX];
    bool vast[UINT8_MAX]; /* there may be more unknown values than can be kept */
    unsigned n;
};

static void left_add(struct left *left, const struct dimension *d, int64_t unknown_views)
{
    left->vast[left->n] = unknown_views > LEXICON_WORDS_MAX;
    left->by[left->n++] = d;
}

/* Appends the segments of a scan's dimensions, and those dimensions to left that it does not know all values of. */
static enum err scan_take(struct scan *s, int64_t views, struct segment_list *list, struct left *left)
{
    const struct counted *c = s->counted;
    char *texts = malloc(texts_bytes(s));
    BUG_IF(texts == NULL);
    arena_keep(c->q->arena, texts);
    for (unsigned i = 0; i < s->n; i++) {
        const struct dimension *d = c->by[s->first + i];
        struct place at = s->places[i];
        size_t codes;
        const struct tally_cell *cells = tally_cells(s->tally, at.column, at.part, &codes);
        if (!all_known(cells, views)) {
            left_add(left, d, cells[TALLY_OTHER].views);
            continue;
        }
        for (size_t code = TALLY_WORD; code < codes; code++) {
            if (cells[code].views == 0) continue;
            if (d->type != DIMENSION_NUMBER && code >= scan_codes(c, d)) return ERR_CORRUPT;
            struct segment *segment = segment_add(list);
            if (segment == NULL) return ERR_FULL;
            *segment = (struct segment){.answer = cell_answer(c->question, &cells[code]),
                                        .dimension = d,
                                        .field = code_text(s, d, at.column, code, &texts)};
        }
    }
    return ERR_NONE;
}

static enum err segments_count(struct counted *c, const struct dimension *const *by, unsigned n,
                               struct segment_list *list, struct answer *overall, struct left *left)
{
    const struct dimension *here[UINT8_MAX];
    c->by = by;
    c->n = n;
    enum err e = c->lexicon->learned ? ERR_NONE : words_learn(c);
    if (e != ERR_NONE) return e;
    c->by = here;
    c->n = 0;
    for (unsigned i = 0; i < n; i++)
        if (!countable(c, by[i])) left_add(left, by[i], 0);
    for (unsigned i = 0; i < n; i++)
        if (countable(c, by[i]) && scan_pairs(c, by[i])) here[c->n++] = by[i];
    for (unsigned i = 0; i < n; i++)
        if (countable(c, by[i]) && !scan_pairs(c, by[i])) here[c->n++] = by[i];
    for (unsigned first = 0, width; first < c->n; first += width)
        if ((width = scan_width(c, first)) == 0) return ERR_FULL;
    for (unsigned first = 0, width; e == ERR_NONE && first < c->n; first += width) {
        width = scan_width(c, first);
        struct scan s = {.counted = c, .first = first, .n = width, .whole = first == 0};
        e = scan_run(&s);
        if (e == ERR_NONE && s.whole) {
            size_t codes;
            *overall = cell_answer(c->question, &tally_cells(s.tally, 0, 0, &codes)[TALLY_WORD]);
        }
        if (e == ERR_NONE) e = scan_take(&s, overall->views, list, left);
        tally_free(s.tally);
    }
    return e;
}

/* -- insights -- */

/* Segments of n dimensions by the store. */
static enum err segments_group(struct query *q, const struct question *question, const struct dimension *const *by,
                               unsigned n, const struct grouping *g, struct segment_list *list, struct buf *rows,
                               struct answer *overall)
{
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    if (store_dialect(q->store).grouping_sets) grouped_sql(&sql, q->store, question, by, n, g);
    else grouped_apart_sql(&sql, q->store, question, by, n);
    buf_adds(&sql, INSIGHTS_SETTINGS);
    return segments_run(q, question, &sql, by, list, rows, overall);
}

/* The store could not hold the groups, or their answer was too long. */
static bool too_many_groups(const struct query *q, enum err e)
{
    return (e == ERR_FULL && !q->error.unsent) || (e == ERR_REFUSED && q->error.code == STORE_CODE_MEMORY);
}

/* Of dimensions that may have values without end, those of many views only are asked for from now on. false: none are
 * such. */
static bool left_give_up(const struct counted *c, const struct left *left)
{
    bool any = false;
    for (unsigned i = 0; i < left->n; i++) {
        if (!has_words(left->by[i]) || !left->vast[i]) continue;
        lexicon_many(c->lexicon, dimension_number(left->by[i]));
        any = true;
    }
    return any;
}

/* Counted here as far as the values are known; those of the rest are known afterwards. */
static enum err segments_both(struct counted *c, const struct dimension *const *by, unsigned n,
                              struct segment_list *list, struct buf *rows, struct answer *overall)
{
    struct left left = {.n = 0};
    enum err e = segments_count(c, by, n, list, overall, &left);
    if (e != ERR_NONE || left.n == 0) return e;
    size_t at = list->n;
    struct grouping g = {.views = overall->views, .lexicon = c->lexicon};
    e = segments_group(c->q, c->question, left.by, left.n, &g, list, rows, overall);
    if (too_many_groups(c->q, e) && left_give_up(c, &left)) {
        list->n = at;
        buf_clear(rows);
        e = segments_group(c->q, c->question, left.by, left.n, &g, list, rows, overall);
    }
    for (; e == ERR_NONE && at < list->n; at++) {
        const struct segment *s = &list->items[at];
        if (has_words(s->dimension) && s->field.ptr) lexicon_add(c->lexicon, dimension_number(s->dimension), s->field);
    }
    for (unsigned i = 0; i < left.n; i++) lexicon_sort(c->lexicon, dimension_number(left.by[i]));
    return e;
}

/* Columns of codes are worth their way only from a store on this machine. */
static bool counts_here(const struct query *q)
{
    struct store_status status;
    store_status(q->store, &status);
    return status.embedded && store_dialect(q->store).grouping_sets && q->vocabulary;
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

/* false: the store is to group instead, as when another question is being counted, or when this one cannot be. */
static bool segments_counted(struct query *q, const struct question *question, struct segment_list *list,
                             struct buf *rows, struct answer *overall, enum err *e)
{
    const struct dimension *by[UINT8_MAX];
    unsigned n = insights_dimensions(by);
    struct counted c = {.q = q, .question = question};
    *e = views_count(q, question, &c.views, &c.middle_ms);
    if (*e != ERR_NONE || c.views == 0) return true;
    c.lexicon = vocabulary_take(q->vocabulary, question->environment_id, mono_now().v / 1000);
    if (c.lexicon == NULL) return false;
    *e = segments_both(&c, by, n, list, rows, overall);
    vocabulary_give(q->vocabulary);
    if (*e == ERR_NONE) counter_add(COUNTER_insights_counted_total, 1);
    return *e == ERR_NONE || *e == ERR_CLOSED || *e == ERR_TIMEOUT;
}

static enum err segments_find(struct query *q, const struct question *question, struct segment_list *list,
                              struct buf *rows, struct answer *overall)
{
    const struct dimension *by[UINT8_MAX];
    unsigned n = insights_dimensions(by);
    struct grouping g = {.views = -1};
    enum err e;
    if (counts_here(q)) {
        if (segments_counted(q, question, list, rows, overall, &e)) return e;
        list->n = 0;
        buf_clear(rows);
        *overall = question_answer(question, 0, 0);
    }
    return segments_group(q, question, by, n, &g, list, rows, overall);
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
