/* SPDX-License-Identifier: Apache-2.0
 * Insights: the segments of every dimension that is looked at, together. A store elsewhere groups by all of them in one
 * statement. The embedded one sends columns of codes, and tally.c counts. What values there are is learned from a part
 * of the views when an environment is asked about first, and a dimension with further values is left to the store after
 * all, whose answer brings them (docs/decisions/014). */
#include "query/segments.h"
#include "query/tally.h"
#include "query/vocabulary.h"

#include "base/counters.h"
#include "base/queue.h"
#include "store/dialect.h"
#include "store/escape.h"
#include "store/native.h"
#include "store/read.h"
#include "store/result.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Segments of fewer than this part of the views that the metric counts are left out. */
enum { SEGMENT_PART = 100000 };
/* Dimensions that the store groups by in one scan, when every one keeps the values of its percentiles while it runs,
 * and when only sums. */
enum { SETS_A_SCAN = 24, SETS_A_SCAN_OF_SUMS = UINT8_MAX };
/* What a question may take while it counts percentiles or viewers. It asks for as many dimensions at once as fit in;
 * where fewer than so many do, it is left to the store, and so to the store's bound. */
#define COUNTED_BYTES_MAX ((size_t)512 * 1024 * 1024)
enum { COUNTED_AT_ONCE_MIN = 8 };
static_assert(LEXICON_WORDS_MAX + TALLY_WORD <= TALLY_CODES_MAX, "every word has a code");
/* Values are learned from the views of this many short times of the window, about so many views. */
enum { SLICES = 8, SLICED_VIEWS = 100000 };
enum { BLOCK_BYTES_MAX = 64 * 1024 * 1024, INSIGHTS_MS = 30000 };
/* The store makes blocks as small as a megabyte, which for so many columns is so few rows that handling the blocks
 * takes a quarter of the time. */
#define INSIGHTS_SETTINGS " SETTINGS preferred_block_size_bytes = 268435456"

static void settings_sql(struct buf *sql)
{
    buf_adds(sql, INSIGHTS_SETTINGS);
}

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

static bool keeps_values(const struct question *question)
{
    return question->measure == MEASURE_MEDIAN || question->measure == MEASURE_95TH ||
           question->metric->kind == METRIC_VIEWERS;
}

static size_t number_of(const struct dimension *d)
{
    return (size_t)(d - dimension_at(0));
}

static bool has_words(const struct dimension *d)
{
    return d->type == DIMENSION_TEXT;
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
        if (has_words(by[i]) && !g->lexicon->words[number_of(by[i])].many) buf_addf(sql, " OR grouping(g%u) = 0", i);
}

static void grouped_sql(struct buf *sql, const struct store *store, const struct question *question,
                        const struct dimension *const *by, unsigned n, const struct grouping *g)
{
    struct buf inner;
    buf_init(&inner, SQL_BYTES_MAX);
    buf_adds(&inner, ", toInt64(count()) AS n, ");
    question_aggregate(&inner, store, question->metric, question->measure);
    buf_adds(&inner, " AS value, toInt64(sum(w)) AS watch, toInt64(sum(p)) AS playing");
    unsigned most = keeps_values(question) ? SETS_A_SCAN : SETS_A_SCAN_OF_SUMS;
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

struct counted {
    struct query *q;
    const struct question *question;
    int64_t views, middle_ms;
    const struct dimension *const *by;
    unsigned n;
    struct lexicon *lexicon;
};

static const struct words *words_of(const struct counted *c, const struct dimension *d)
{
    return &c->lexicon->words[number_of(d)];
}

static bool countable(const struct counted *c, const struct dimension *d)
{
    if (has_words(d)) return !words_of(c, d)->many;
    return d->type == DIMENSION_NUMBER || d->type == DIMENSION_BOOL || d->type == DIMENSION_NBOOL;
}

/* " AND (view_end ...)": short times of about SLICED_VIEWS views together, spread as the views of where are. */
static enum err slices_sql(struct counted *c, struct buf *slices, struct span where)
{
    struct buf sql, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_adds(&sql, "SELECT quantiles(");
    for (unsigned i = 0; i < 2 * SLICES; i++) buf_addf(&sql, "%s%g", i ? ", " : "", (i + 0.5) / (2 * SLICES));
    buf_adds(&sql, ")(view_end) FROM ");
    store_views_from(&sql, c->q->store, "view_end", where);
    enum err e = question_run(c->q, &sql, &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    size_t n = e == ERR_NONE ? rb_array(&in, sizeof(double)) : 0;
    double part =
        SLICED_VIEWS * 2.0 / (double)c->views; /* of the time between two quantiles, which half the views are in */
    for (size_t i = 0; i + 1 < n && in.ok; i += 2) {
        double from = rb_f64(&in), to = rb_f64(&in);
        if (!in.ok || !isfinite(from) || !isfinite(to)) continue;
        to = from + (to - from) * (part < 1 ? part : 1);
        buf_addf(slices, "%s(view_end >= %" PRId64 " AND view_end <= %" PRId64 ")", slices->len ? " OR " : " AND (",
                 (int64_t)from, (int64_t)to + 1);
    }
    if (e == ERR_NONE && (!in.ok || slices->len == 0)) e = ERR_CORRUPT;
    buf_addc(slices, ')');
    buf_free(&rows);
    return e;
}

/* "SELECT kind, field" of the values that the views have, whatever the question leaves out: of many views, those of
 * some short times. */
static enum err words_sql_of(struct counted *c, struct buf *sql, const struct dimension *const *by, unsigned n)
{
    struct buf columns, where, slices, from;
    buf_init(&columns, SQL_BYTES_MAX), buf_init(&where, SQL_BYTES_MAX);
    buf_init(&slices, SQL_BYTES_MAX), buf_init(&from, SQL_BYTES_MAX);
    question_where(&where, c->question->environment_id, &c->question->window, c->question->metric->clock, NULL);
    enum err e = c->views > SLICED_VIEWS ? slices_sql(c, &slices, buf_span(&where)) : ERR_NONE;
    if (e == ERR_NONE) {
        buf_add_span(&where, buf_span(&slices));
        buf_adds(&columns, "view_end");
        groups_sql(&columns, by, n);
        store_views_from(&from, c->q->store, columns.ptr, buf_span(&where));
        struct sets s = {.outer = "", .inner = "", .from = from.ptr, .set = "", .having = ""};
        sets_sql(sql, by, 0, n, &s);
        buf_addf(sql, " LIMIT %d BY kind", LEXICON_WORDS_MAX + 1);
        settings_sql(sql);
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
    enum err e = words_sql_of(c, &sql, by, n);
    if (e == ERR_NONE) e = question_run(c->q, &sql, &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    while (e == ERR_NONE && bytes_left(&in)) {
        unsigned kind = bytes_u8(&in);
        struct span word = rb_nullable_text(&in);
        if (!in.ok || kind >= n) e = ERR_CORRUPT;
        else if (word.ptr) lexicon_add(c->lexicon, number_of(by[kind]), word);
    }
    for (unsigned i = 0; i < n; i++) lexicon_sort(c->lexicon, number_of(by[i]));
    c->lexicon->learned = e == ERR_NONE;
    buf_free(&sql);
    buf_free(&rows);
    return e;
}

/* -- counted here: the scans -- */

/* Some of the dimensions, from columns watch, playing, value[, base], codes... of the views. Two statements bring the
 * earlier and the later half, each to a thread of its own; a third counts, so that nobody waits for another. */
enum { STREAMS = 2, BLOCKS = 3 * STREAMS };
struct block {
    struct buf bytes;
    size_t rows;
    struct span columns[NATIVE_COLUMNS_MAX];
};
struct stream {
    struct scan *scan;
    bool later;
    struct block *filling;
    size_t filling_needs; /* bytes */
    enum err e;
    struct store_error error;
};
struct scan {
    const struct counted *counted;
    unsigned first, n;
    bool whole; /* the first column of codes is the same for every view */
    struct place {
        unsigned column, part;
    } places[UINT8_MAX];     /* of the dimensions */
    unsigned fixed, columns; /* without codes, and of codes */
    enum tally_codes codes[UINT8_MAX];
    const char *types[NATIVE_COLUMNS_MAX]; /* of both */
    struct tally *tally;
    struct stream streams[STREAMS];
    struct block blocks[BLOCKS];
    struct queue *full, *empty; /* of blocks */
    bool miscounted;            /* the counting thread's until it has ended */
};

static size_t code_count(const struct counted *c, const struct dimension *d)
{
    return TALLY_WORD + (has_words(d) ? words_of(c, d)->n : 2);
}

static bool fits_a_pair(const struct counted *c, const struct dimension *d)
{
    return d->type != DIMENSION_NUMBER && code_count(c, d) <= TALLY_PAIR_CODES;
}

static enum tally_codes codes_of(const struct counted *c, const struct dimension *d)
{
    if (d->type == DIMENSION_NUMBER) return TALLY_NUMBERS;
    return code_count(c, d) > UINT8_MAX + 1 ? TALLY_U16 : TALLY_U8;
}

/* The store turns a column of low cardinality by its dictionary, so that this costs next to nothing for a view. */
static void words_sql(struct buf *sql, const struct counted *c, const struct dimension *d, unsigned shift)
{
    const struct words *w = words_of(c, d);
    const char *type = codes_of(c, d) == TALLY_U16 ? "UInt16" : "UInt8";
    buf_addf(sql, "CAST(transform(%s, [NULL", d->column);
    for (size_t i = 0; i < w->n; i++) {
        buf_addc(sql, ',');
        store_escape_text(sql, w->items[i]);
    }
    if (w->n == 0) buf_adds(sql, ",''");
    buf_addf(sql, "], CAST([%d", TALLY_NONE);
    for (size_t i = 0; i < w->n; i++) buf_addf(sql, ",%zu", (i + TALLY_WORD) << shift);
    if (w->n == 0) buf_addf(sql, ",%d", TALLY_OTHER << shift);
    buf_addf(sql, "] AS Array(%s)), to%s(%d)) AS %s)", type, type, TALLY_OTHER << shift, type);
}

/* The codes, their bits moved up by shift. */
static void codes_sql(struct buf *sql, const struct counted *c, const struct dimension *d, unsigned shift)
{
    int no = TALLY_WORD << shift, yes = (TALLY_WORD + 1) << shift;
    switch (d->type) {
    case DIMENSION_BOOL: buf_addf(sql, "toUInt8(if(%s = 1, %d, %d))", d->column, yes, no); return;
    case DIMENSION_NBOOL:
        buf_addf(sql, "toUInt8(multiIf(isNull(%s), %d, %s = 1, %d, %d))", d->column, TALLY_NONE, d->column, yes, no);
        return;
    case DIMENSION_NUMBER: buf_addf(sql, "ifNull(toInt64(%s), toInt64('%" PRId64 "'))", d->column, INT64_MIN); return;
    case DIMENSION_TEXT: words_sql(sql, c, d, shift); return;
    case DIMENSION_FPS:
    case DIMENSION_TRACE: break;
    }
    BUG_IF(true); /* not countable */
}

/* Which dimensions share a column, and the types of the columns in their order. */
static void scan_plan(struct scan *s)
{
    static const char *const type_names[] = {
        [TALLY_PAIR] = "UInt8", [TALLY_U8] = "UInt8", [TALLY_U16] = "UInt16", [TALLY_NUMBERS] = "Int64"};
    const struct counted *c = s->counted;
    const struct dimension *const *by = c->by + s->first;
    unsigned n = 0;
    s->types[n++] = "Int64", s->types[n++] = "Int64";
    s->types[n++] = c->question->metric->kind == METRIC_VIEWERS ? "UInt64" : "Float64";
    if (question_needs_ratio(c->question)) s->types[n++] = "Float64";
    s->fixed = n;
    if (s->whole) s->codes[s->columns++] = TALLY_U8;
    for (unsigned i = 0; i < s->n; i++) {
        bool pair = i + 1 < s->n && fits_a_pair(c, by[i]) && fits_a_pair(c, by[i + 1]);
        s->places[i] = (struct place){s->columns, 0};
        if (pair) s->places[++i] = (struct place){s->columns, 1};
        s->codes[s->columns++] = pair ? TALLY_PAIR : codes_of(c, by[i]);
    }
    BUG_IF(n + s->columns > NATIVE_COLUMNS_MAX);
    for (unsigned i = 0; i < s->columns; i++) s->types[n++] = type_names[s->codes[i]];
}

static void scan_sql(struct buf *sql, const struct scan *s, bool later)
{
    const struct counted *c = s->counted;
    struct buf extra;
    char half[64];
    buf_init(&extra, SQL_BYTES_MAX);
    buf_adds(sql, "SELECT w, toInt64(p), ");
    if (c->question->metric->kind == METRIC_VIEWERS) buf_adds(sql, "toUInt64(v)");
    else buf_adds(sql, question_needs_ratio(c->question) ? "toFloat64(a), toFloat64(b)" : "toFloat64(v)");
    if (s->whole) buf_addf(sql, ", toUInt8(%d)", TALLY_WORD);
    for (unsigned i = 0; i < s->n; i++) {
        unsigned column = s->places[i].column;
        bool pair = s->codes[column] == TALLY_PAIR;
        buf_addf(sql, ", c%u", column);
        buf_adds(&extra, pair ? ", bitOr(" : ", ");
        codes_sql(&extra, c, c->by[s->first + i], 0);
        if (pair) {
            buf_adds(&extra, ", ");
            codes_sql(&extra, c, c->by[s->first + ++i], TALLY_PAIR_BITS);
        }
        buf_addf(&extra, "%s AS c%u", pair ? ")" : "", column);
    }
    buf_adds(sql, " FROM ");
    (void)snprintf(half, sizeof half, " AND view_end %s %" PRId64, later ? ">=" : "<", c->middle_ms);
    question_from_sql(sql, c->q->store, c->question, extra.ptr ? extra.ptr : "", half);
    settings_sql(sql);
    if (extra.failed) sql->failed = true;
    buf_free(&extra);
}

static enum tally_want want_of(const struct question *question)
{
    if (question->metric->kind == METRIC_VIEWERS) return TALLY_DISTINCT;
    return keeps_values(question) ? TALLY_PERCENTILE : TALLY_SUMS;
}

static struct tally *scan_tally(const struct scan *s)
{
    const struct counted *c = s->counted;
    struct tally_options o = {.want = want_of(c->question),
                              .level = question_level(c->question->metric, c->question->measure),
                              .columns = s->codes,
                              .column_count = s->columns,
                              .rows_expected = (size_t)c->views};
    return tally_new(&o);
}

static bool block_count(struct scan *s, const struct block *b)
{
    struct tally_block t = {
        .rows = b->rows, .watch_ms = b->columns[0], .playing_ms = b->columns[1], .columns = b->columns + s->fixed};
    if (s->counted->question->metric->kind == METRIC_VIEWERS) t.key = b->columns[2];
    else t.value = b->columns[2];
    if (question_needs_ratio(s->counted->question)) t.base = b->columns[3];
    return tally_add(s->tally, &t);
}

static void *blocks_count(void *ctx)
{
    struct scan *s = ctx;
    for (;;) {
        struct block *b = queue_pop(s->full, -1);
        if (b == NULL) return NULL;
        if (!s->miscounted) s->miscounted = !block_count(s, b);
        buf_clear(&b->bytes);
        BUG_IF(!queue_try_push(s->empty, b));
    }
}

/* The block that is filled begins with one that is whole: it goes to be counted, and what follows it into the next. */
static enum err block_end(struct stream *s, struct span rest)
{
    struct block *next = queue_pop(s->scan->empty, -1), *whole = s->filling;
    BUG_IF(next == NULL);
    buf_add_span(&next->bytes, rest);
    s->filling = next;
    s->filling_needs = 0;
    BUG_IF(!queue_try_push(s->scan->full, whole));
    return next->bytes.failed ? ERR_FULL : ERR_NONE;
}

static enum err blocks_take(struct stream *s)
{
    unsigned count = s->scan->fixed + s->scan->columns;
    while (s->filling->bytes.len && s->filling->bytes.len >= s->filling_needs) {
        struct block *b = s->filling;
        struct span left = buf_span(&b->bytes);
        enum native_read read =
            store_native_read(&left, s->scan->types, count, b->columns, &b->rows, &s->filling_needs);
        if (read == NATIVE_SHORT) return ERR_NONE;
        enum err e = read == NATIVE_WRONG ? ERR_CORRUPT : block_end(s, left);
        if (e != ERR_NONE) return e;
    }
    return ERR_NONE;
}

static bool piece_take(void *ctx, struct span piece)
{
    struct stream *s = ctx;
    buf_add_span(&s->filling->bytes, piece);
    s->e = s->filling->bytes.failed ? ERR_FULL : blocks_take(s);
    return s->e == ERR_NONE;
}

static void *stream_run(void *ctx)
{
    struct stream *s = ctx;
    struct store_limits limits = {
        .most_rows = true, .streamed = true, .timeout_ms = question_time_left_ms(s->scan->counted->q)};
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    scan_sql(&sql, s->scan, s->later);
    enum err e = sql.failed ? ERR_FULL
                            : store_select_to(s->scan->counted->q->store, buf_span(&sql), &limits, "Native", piece_take,
                                              s, &s->error);
    if (s->e == ERR_NONE) s->e = e;
    if (s->e == ERR_NONE && s->filling->bytes.len) s->e = ERR_CORRUPT;
    buf_free(&sql);
    return NULL;
}

/* Both halves at once, or, where there is no further thread, one after the other. */
static void streams_run(struct scan *s)
{
    pthread_t later;
    bool two = pthread_create(&later, NULL, stream_run, &s->streams[1]) == 0;
    (void)stream_run(&s->streams[0]);
    if (two) (void)pthread_join(later, NULL);
    else (void)stream_run(&s->streams[1]);
}

static enum err scan_run(struct scan *s)
{
    pthread_t counting;
    enum err e = ERR_NONE;
    scan_plan(s);
    s->tally = scan_tally(s);
    s->full = queue_new(BLOCKS);
    s->empty = queue_new(BLOCKS);
    for (unsigned i = 0; i < BLOCKS; i++) {
        buf_init(&s->blocks[i].bytes, BLOCK_BYTES_MAX);
        if (i >= STREAMS) BUG_IF(!queue_try_push(s->empty, &s->blocks[i]));
    }
    for (unsigned i = 0; i < STREAMS; i++)
        s->streams[i] = (struct stream){.scan = s, .later = i > 0, .filling = &s->blocks[i]};
    if (pthread_create(&counting, NULL, blocks_count, s) == 0) {
        streams_run(s);
        queue_close(s->full);
        (void)pthread_join(counting, NULL);
    } else {
        e = ERR_FULL;
    }
    for (unsigned i = 0; i < STREAMS && e == ERR_NONE; i++) {
        e = s->streams[i].e;
        if (e != ERR_NONE) s->counted->q->error = s->streams[i].error;
    }
    if (e == ERR_NONE && s->miscounted) e = ERR_CORRUPT;
    if (e == ERR_NONE) tally_finish(s->tally);
    for (unsigned i = 0; i < BLOCKS; i++) buf_free(&s->blocks[i].bytes);
    queue_free(s->full);
    queue_free(s->empty);
    return e;
}

/* Dimensions of a scan from first on: as many as there is memory for; 0: too few. */
static unsigned scan_width(const struct counted *c, unsigned first)
{
    size_t alone = tally_bytes_a_view(want_of(c->question)), fit = COUNTED_BYTES_MAX / (size_t)c->views;
    if (alone == 0) return c->n - first;
    size_t halves = alone * 2; /* of bytes */
    unsigned n = first;
    for (; n < c->n; n++) {
        enum tally_codes codes = codes_of(c, c->by[n]);
        halves += fits_a_pair(c, c->by[n]) ? 1 : codes == TALLY_U8 ? 2 : 4;
        if (halves > fit * 2) break;
    }
    return n == c->n || n - first >= COUNTED_AT_ONCE_MIN ? n - first : 0;
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

/* Appends the segments of a scan's dimensions, and those dimensions to left that it does not know all values of. */
static enum err scan_take(struct scan *s, int64_t views, struct segment_list *list, const struct dimension **left,
                          unsigned *left_count)
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
            left[(*left_count)++] = d;
            continue;
        }
        for (size_t code = TALLY_WORD; code < codes; code++) {
            if (cells[code].views == 0) continue;
            if (d->type != DIMENSION_NUMBER && code >= code_count(c, d)) return ERR_CORRUPT;
            struct segment *segment = segment_add(list);
            if (segment == NULL) return ERR_FULL;
            *segment = (struct segment){.answer = cell_answer(c->question, &cells[code]),
                                        .dimension = d,
                                        .field = code_text(s, d, at.column, code, &texts)};
        }
    }
    return ERR_NONE;
}

/* Of the n dimensions those are left that the store has to group by. */
static enum err segments_count(struct counted *c, const struct dimension **by, unsigned *n, struct segment_list *list,
                               struct answer *overall)
{
    const struct dimension *here[UINT8_MAX], *left[UINT8_MAX];
    unsigned left_count = 0;
    c->by = by;
    c->n = *n;
    enum err e = c->lexicon->learned ? ERR_NONE : words_learn(c);
    if (e != ERR_NONE) return e;
    c->by = here;
    c->n = 0;
    for (unsigned i = 0; i < *n; i++)
        if (!countable(c, by[i])) left[left_count++] = by[i];
    for (unsigned i = 0; i < *n; i++)
        if (countable(c, by[i]) && fits_a_pair(c, by[i])) here[c->n++] = by[i];
    for (unsigned i = 0; i < *n; i++)
        if (countable(c, by[i]) && !fits_a_pair(c, by[i])) here[c->n++] = by[i];
    for (unsigned first = 0, width; e == ERR_NONE && first < c->n; first += width) {
        width = scan_width(c, first);
        if (width == 0) return ERR_FULL;
        struct scan s = {.counted = c, .first = first, .n = width, .whole = first == 0};
        e = scan_run(&s);
        if (e == ERR_NONE && s.whole) {
            size_t codes;
            *overall = cell_answer(c->question, &tally_cells(s.tally, 0, 0, &codes)[TALLY_WORD]);
        }
        if (e == ERR_NONE) e = scan_take(&s, overall->views, list, left, &left_count);
        tally_free(s.tally);
    }
    memcpy(by, left, left_count * sizeof *left);
    *n = left_count;
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
    settings_sql(&sql);
    return segments_run(q, question, &sql, by, list, rows, overall);
}

/* Counted here as far as the values are known; those of the rest are known afterwards. */
static enum err segments_both(struct counted *c, const struct dimension **by, unsigned n, struct segment_list *list,
                              struct buf *rows, struct answer *overall)
{
    enum err e = segments_count(c, by, &n, list, overall);
    if (e != ERR_NONE || n == 0) return e;
    size_t at = list->n;
    struct grouping g = {.views = overall->views, .lexicon = c->lexicon};
    e = segments_group(c->q, c->question, by, n, &g, list, rows, overall);
    for (; e == ERR_NONE && at < list->n; at++) {
        const struct segment *s = &list->items[at];
        if (has_words(s->dimension) && s->field.ptr) lexicon_add(c->lexicon, number_of(s->dimension), s->field);
    }
    for (unsigned i = 0; i < n; i++) lexicon_sort(c->lexicon, number_of(by[i]));
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
