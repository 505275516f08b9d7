/* SPDX-License-Identifier: Apache-2.0
 * One row a view: watch time, playing time, the metric's value (of a ratio both parts, of viewers their key), and a
 * column of codes for every dimension or two. */
#include "query/scan.h"

#include "base/queue.h"
#include "store/escape.h"
#include "store/native.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* What a question may take while it counts percentiles or viewers. It asks for as many dimensions at once as fit in;
 * where fewer than so many do, it is left to the store, and so to the store's bound. */
#define COUNTED_BYTES_MAX ((size_t)512 * 1024 * 1024)
enum { COUNTED_AT_ONCE_MIN = 8, BLOCK_BYTES_MAX = 64 * 1024 * 1024 };
static_assert(LEXICON_WORDS_MAX + TALLY_WORD <= TALLY_CODES_MAX, "every word has a code");

size_t scan_codes(const struct counted *c, const struct dimension *d)
{
    return TALLY_WORD + (has_words(d) ? words_of(c, d)->n : 2);
}

bool scan_pairs(const struct counted *c, const struct dimension *d)
{
    return d->type != DIMENSION_NUMBER && scan_codes(c, d) <= TALLY_PAIR_CODES;
}

static enum tally_codes codes_of(const struct counted *c, const struct dimension *d)
{
    if (d->type == DIMENSION_NUMBER) return TALLY_NUMBERS;
    return scan_codes(c, d) > UINT8_MAX + 1 ? TALLY_U16 : TALLY_U8;
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

/* Which dimensions share a column. */
static void scan_plan(struct scan *s)
{
    const struct counted *c = s->counted;
    const struct dimension *const *by = c->by + s->first;
    if (s->whole) s->codes[s->columns++] = TALLY_U8;
    for (unsigned i = 0; i < s->n; i++) {
        bool pair = i + 1 < s->n && scan_pairs(c, by[i]) && scan_pairs(c, by[i + 1]);
        s->places[i] = (struct place){s->columns, 0};
        if (pair) s->places[++i] = (struct place){s->columns, 1};
        s->codes[s->columns++] = pair ? TALLY_PAIR : codes_of(c, by[i]);
    }
}

/* The types of the columns in their order; those before the codes are counted in *fixed. */
static unsigned scan_types(const struct scan *s, const char **types, unsigned *fixed)
{
    static const char *const type_names[] = {
        [TALLY_PAIR] = "UInt8", [TALLY_U8] = "UInt8", [TALLY_U16] = "UInt16", [TALLY_NUMBERS] = "Int64"};
    const struct question *question = s->counted->question;
    unsigned n = 0;
    types[n++] = "Int64", types[n++] = "Int64";
    types[n++] = question->metric->kind == METRIC_VIEWERS ? "UInt64" : "Float64";
    if (question_needs_ratio(question)) types[n++] = "Float64";
    *fixed = n;
    BUG_IF(n + s->columns > NATIVE_COLUMNS_MAX);
    for (unsigned i = 0; i < s->columns; i++) types[n++] = type_names[s->codes[i]];
    return n;
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
    buf_adds(sql, INSIGHTS_SETTINGS);
    if (extra.failed) sql->failed = true;
    buf_free(&extra);
}

static enum tally_want want_of(const struct question *question)
{
    if (question->metric->kind == METRIC_VIEWERS) return TALLY_DISTINCT;
    return question_keeps_values(question) ? TALLY_PERCENTILE : TALLY_SUMS;
}

unsigned scan_width(const struct counted *c, unsigned first)
{
    size_t alone = tally_bytes_a_view(want_of(c->question)), fit = COUNTED_BYTES_MAX / (size_t)c->views;
    if (alone == 0) return c->n - first;
    size_t halves = alone * 2; /* of bytes */
    unsigned n = first;
    for (; n < c->n; n++) {
        enum tally_codes codes = codes_of(c, c->by[n]);
        halves += scan_pairs(c, c->by[n]) ? 1 : codes == TALLY_U8 ? 2 : 4;
        if (halves > fit * 2) break;
    }
    return n == c->n || n - first >= COUNTED_AT_ONCE_MIN ? n - first : 0;
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

/* Two statements bring the earlier and the later half of the views, each to a thread of its own; a third counts, so
 * that nobody waits for another. */
enum { STREAMS = 2, BLOCKS = 3 * STREAMS };
struct block {
    struct buf bytes;
    size_t rows;
    struct span columns[NATIVE_COLUMNS_MAX];
};
struct stream {
    struct counting *counting;
    bool later;
    struct block *filling;
    size_t filling_needs; /* bytes */
    enum err e;
    struct store_error error;
};
struct counting {
    const struct scan *scan;
    unsigned fixed, columns;               /* without codes, and of all */
    const char *types[NATIVE_COLUMNS_MAX]; /* of all */
    struct stream streams[STREAMS];
    struct block blocks[BLOCKS];
    struct queue *full, *empty; /* of blocks */
    atomic_bool failed;         /* a stream, or the counting: the others need not go on */
    bool miscounted;            /* the counting thread's until it has ended */
};

static bool block_count(const struct counting *k, const struct block *b)
{
    const struct question *question = k->scan->counted->question;
    struct tally_block t = {
        .rows = b->rows, .watch_ms = b->columns[0], .playing_ms = b->columns[1], .columns = b->columns + k->fixed};
    if (question->metric->kind == METRIC_VIEWERS) t.key = b->columns[2];
    else t.value = b->columns[2];
    if (question_needs_ratio(question)) t.base = b->columns[3];
    return tally_add(k->scan->tally, &t);
}

static void *blocks_count(void *ctx)
{
    struct counting *k = ctx;
    for (;;) {
        struct block *b = queue_pop(k->full, -1);
        if (b == NULL) return NULL;
        if (!k->miscounted) k->miscounted = !block_count(k, b);
        if (k->miscounted) atomic_store(&k->failed, true);
        buf_clear(&b->bytes);
        BUG_IF(!queue_try_push(k->empty, b));
    }
}

/* The block that is filled begins with one that is whole: it goes to be counted, and what follows it into the next. */
static enum err block_end(struct stream *s, struct span rest)
{
    struct block *next = queue_pop(s->counting->empty, -1), *whole = s->filling;
    BUG_IF(next == NULL);
    buf_add_span(&next->bytes, rest);
    s->filling = next;
    s->filling_needs = 0;
    BUG_IF(!queue_try_push(s->counting->full, whole));
    return next->bytes.failed ? ERR_FULL : ERR_NONE;
}

static enum err blocks_take(struct stream *s)
{
    unsigned count = s->counting->columns;
    while (s->filling->bytes.len && s->filling->bytes.len >= s->filling_needs) {
        struct block *b = s->filling;
        struct span left = buf_span(&b->bytes);
        enum native_read read =
            store_native_read(&left, s->counting->types, count, b->columns, &b->rows, &s->filling_needs);
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
    if (atomic_load(&s->counting->failed)) s->e = ERR_CLOSED;
    else s->e = s->filling->bytes.failed ? ERR_FULL : blocks_take(s);
    return s->e == ERR_NONE;
}

static void *stream_run(void *ctx)
{
    struct stream *s = ctx;
    struct store_limits limits = {
        .most_rows = true, .streamed = true, .timeout_ms = question_time_left_ms(s->counting->scan->counted->q)};
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    scan_sql(&sql, s->counting->scan, s->later);
    enum err e = sql.failed ? ERR_FULL
                            : store_select_to(s->counting->scan->counted->q->store, buf_span(&sql), &limits, "Native",
                                              piece_take, s, &s->error);
    if (s->e == ERR_NONE) s->e = e;
    if (s->e == ERR_NONE && s->filling->bytes.len) s->e = ERR_CORRUPT;
    if (s->e != ERR_NONE) atomic_store(&s->counting->failed, true);
    buf_free(&sql);
    return NULL;
}

/* Both halves at once, or, where there is no further thread, one after the other. */
static void streams_run(struct counting *k)
{
    pthread_t later;
    bool two = pthread_create(&later, NULL, stream_run, &k->streams[1]) == 0;
    (void)stream_run(&k->streams[0]);
    if (two) (void)pthread_join(later, NULL);
    else (void)stream_run(&k->streams[1]);
}

static enum err counting_run(struct counting *k)
{
    pthread_t counter;
    enum err e = ERR_NONE;
    if (pthread_create(&counter, NULL, blocks_count, k) != 0) return ERR_FULL;
    streams_run(k);
    queue_close(k->full);
    (void)pthread_join(counter, NULL);
    /* ERR_CLOSED may only say that the other one failed. */
    for (unsigned i = 0; i < STREAMS; i++) {
        if (k->streams[i].e == ERR_NONE || (e != ERR_NONE && e != ERR_CLOSED)) continue;
        e = k->streams[i].e;
        k->scan->counted->q->error = k->streams[i].error;
    }
    return k->miscounted ? ERR_CORRUPT : e;
}

enum err scan_run(struct scan *s)
{
    scan_plan(s);
    s->tally = scan_tally(s);
    struct counting *k = calloc(1, sizeof *k);
    BUG_IF(k == NULL);
    k->scan = s;
    k->columns = scan_types(s, k->types, &k->fixed);
    k->full = queue_new(BLOCKS);
    k->empty = queue_new(BLOCKS);
    for (unsigned i = 0; i < BLOCKS; i++) {
        buf_init(&k->blocks[i].bytes, BLOCK_BYTES_MAX);
        if (i >= STREAMS) BUG_IF(!queue_try_push(k->empty, &k->blocks[i]));
    }
    for (unsigned i = 0; i < STREAMS; i++)
        k->streams[i] = (struct stream){.counting = k, .later = i > 0, .filling = &k->blocks[i]};
    enum err e = counting_run(k);
    if (e == ERR_NONE) tally_finish(s->tally);
    for (unsigned i = 0; i < BLOCKS; i++) buf_free(&k->blocks[i].bytes);
    queue_free(k->full);
    queue_free(k->empty);
    free(k);
    return e;
}
