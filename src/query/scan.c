/* SPDX-License-Identifier: Apache-2.0
 * One row a view: watch time, playing time, the metric's value (of a ratio both parts, of viewers their key), and the
 * profiles, whose texts come once a block. */
#include "query/scan.h"

#include "base/queue.h"
#include "store/native.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* What a question may take while it counts percentiles or viewers. It asks for as many profiles at once as fit in;
 * where fewer than so many do, it is left to the store, and so to the store's bound. */
#define COUNTED_BYTES_MAX ((size_t)512 * 1024 * 1024)
enum { COUNTED_AT_ONCE_MIN = 3, BLOCK_BYTES_MAX = 256 * 1024 * 1024 };
static_assert((int)CODEBOOK_CODES_MAX <= (int)TALLY_CODES_MAX, "every text has a code");

static enum tally_want want_of(const struct question *question)
{
    if (question->metric->kind == METRIC_VIEWERS) return TALLY_DISTINCT;
    return question_keeps_values(question) ? TALLY_PERCENTILE : TALLY_SUMS;
}

unsigned scan_width(const struct question *question, int64_t views, unsigned profiles)
{
    enum tally_want want = want_of(question);
    unsigned at_once = profiles;
    while (at_once && (size_t)views * tally_bytes_a_view(want, at_once) > COUNTED_BYTES_MAX / 10 * 9) at_once--;
    return at_once == profiles || at_once >= COUNTED_AT_ONCE_MIN ? at_once : 0;
}

/* The types of the columns in their order; those before the profiles are counted in *fixed. */
static unsigned scan_types(const struct scan *s, const char **types, unsigned *fixed)
{
    unsigned n = 0;
    types[n++] = "Int64", types[n++] = "Int64";
    types[n++] = s->question->metric->kind == METRIC_VIEWERS ? "UInt64" : "Float64";
    if (question_needs_ratio(s->question)) types[n++] = "Float64";
    *fixed = n;
    BUG_IF(n + s->n > NATIVE_COLUMNS_MAX);
    for (unsigned i = 0; i < s->n; i++) types[n++] = "LowCardinality(String)";
    return n;
}

static void scan_sql(struct buf *sql, const struct scan *s)
{
    struct buf extra;
    buf_init(&extra, SQL_BYTES_MAX);
    buf_adds(sql, "SELECT w, toInt64(p), ");
    if (s->question->metric->kind == METRIC_VIEWERS) buf_adds(sql, "toUInt64(v)");
    else buf_adds(sql, question_needs_ratio(s->question) ? "toFloat64(a), toFloat64(b)" : "toFloat64(v)");
    for (unsigned i = 0; i < s->n; i++) buf_addf(&extra, ", %s", s->profiles[i].profile->name);
    buf_addf(sql, "%s FROM ", extra.ptr);
    question_from_sql(sql, s->q->store, s->question, extra.ptr, "");
    buf_adds(sql, INSIGHTS_SETTINGS);
    if (extra.failed) sql->failed = true;
    buf_free(&extra);
}

/* -- blocks -- */

/* One thread takes blocks from the store, another counts them. */
enum { BLOCKS = 4 };
struct block {
    struct buf bytes;
    size_t rows;
    struct native_column columns[NATIVE_COLUMNS_MAX];
};
struct counting {
    struct scan *scan;
    unsigned fixed, columns;               /* without profiles, and of all */
    const char *types[NATIVE_COLUMNS_MAX]; /* of all */
    struct block blocks[BLOCKS], *filling;
    size_t filling_needs;       /* bytes */
    struct queue *full, *empty; /* of blocks */
    enum err e;                 /* of taking them */
    enum err counted;           /* of counting them; that thread's until it has ended */
    atomic_bool failed;         /* to count: there is no need to go on */
};

/* What the profile's texts in the block are, as codes. */
static bool block_codes(struct scan_profile *p, const struct native_column *column, struct tally_codes *out)
{
    struct span keys = column->keys;
    if (column->key_count > p->codes_room) {
        p->codes_room = column->key_count * 2;
        free(p->codes);
        p->codes = malloc(p->codes_room * sizeof *p->codes);
        BUG_IF(p->codes == NULL);
    }
    for (size_t i = 0; i < column->key_count; i++)
        if (!codebook_code(p->texts, store_native_key(&keys), &p->codes[i])) return false;
    *out = (struct tally_codes){
        .codes = p->codes, .count = column->key_count, .places = column->values, .width = column->width};
    return true;
}

static enum err block_count(struct counting *k, const struct block *b)
{
    struct scan *s = k->scan;
    struct tally_codes codes[SCAN_PROFILES_MAX];
    if (b->rows == 0) return ERR_NONE;
    for (unsigned i = 0; i < s->n; i++) {
        s->profiles[i].vast = !block_codes(&s->profiles[i], &b->columns[k->fixed + i], &codes[i]);
        if (s->profiles[i].vast) return ERR_FULL;
    }
    struct tally_block t = {
        .rows = b->rows, .watch_ms = b->columns[0].values, .playing_ms = b->columns[1].values, .columns = codes};
    if (s->question->metric->kind == METRIC_VIEWERS) t.key = b->columns[2].values;
    else t.value = b->columns[2].values;
    if (question_needs_ratio(s->question)) t.base = b->columns[3].values;
    enum err e = tally_add(s->tally, &t);
    s->many_views = e == ERR_FULL;
    return e;
}

static void *blocks_count(void *ctx)
{
    struct counting *k = ctx;
    for (;;) {
        struct block *b = queue_pop(k->full, -1);
        if (b == NULL) return NULL;
        if (k->counted == ERR_NONE) k->counted = block_count(k, b);
        if (k->counted != ERR_NONE) atomic_store(&k->failed, true);
        buf_clear(&b->bytes);
        BUG_IF(!queue_try_push(k->empty, b));
    }
}

/* The block that is filled begins with one that is whole: it goes to be counted, and what follows it into the next. */
static enum err block_end(struct counting *k, struct span rest)
{
    struct block *next = queue_pop(k->empty, -1), *whole = k->filling;
    BUG_IF(next == NULL);
    buf_add_span(&next->bytes, rest);
    k->filling = next;
    k->filling_needs = 0;
    BUG_IF(!queue_try_push(k->full, whole));
    return next->bytes.failed ? ERR_FULL : ERR_NONE;
}

static enum err blocks_take(struct counting *k)
{
    while (k->filling->bytes.len && k->filling->bytes.len >= k->filling_needs) {
        struct block *b = k->filling;
        struct span left = buf_span(&b->bytes);
        enum native_read read = store_native_read(&left, k->types, k->columns, b->columns, &b->rows, &k->filling_needs);
        if (read == NATIVE_SHORT) return ERR_NONE;
        enum err e = read == NATIVE_WRONG ? ERR_CORRUPT : block_end(k, left);
        if (e != ERR_NONE) return e;
    }
    return ERR_NONE;
}

static bool piece_take(void *ctx, struct span piece)
{
    struct counting *k = ctx;
    buf_add_span(&k->filling->bytes, piece);
    if (atomic_load(&k->failed)) k->e = ERR_CLOSED;
    else k->e = k->filling->bytes.failed ? ERR_FULL : blocks_take(k);
    return k->e == ERR_NONE;
}

static void blocks_ask(struct counting *k)
{
    struct query *q = k->scan->q;
    struct store_limits limits = {.most_rows = true, .streamed = true, .timeout_ms = question_time_left_ms(q)};
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    scan_sql(&sql, k->scan);
    enum err e =
        sql.failed ? ERR_FULL : store_select_to(q->store, buf_span(&sql), &limits, "Native", piece_take, k, &q->error);
    if (k->e == ERR_NONE) k->e = e;
    if (k->e == ERR_NONE && k->filling->bytes.len) k->e = ERR_CORRUPT;
    buf_free(&sql);
}

static enum err counting_run(struct counting *k)
{
    pthread_t counter;
    if (pthread_create(&counter, NULL, blocks_count, k) != 0) return ERR_FULL;
    blocks_ask(k);
    queue_close(k->full);
    (void)pthread_join(counter, NULL);
    return k->counted != ERR_NONE ? k->counted : k->e;
}

/* -- what the texts say -- */

/* The numbers of the values of the profile's columns, by the codes of its texts. */
static void parts_number(struct scan_profile *p)
{
    size_t texts = codebook_count(p->texts), room = 0;
    for (size_t code = 0; code < texts; code++) {
        size_t len = codebook_text(p->texts, code).len;
        if (len > room) room = len;
    }
    char *value_room = malloc(room + 1);
    BUG_IF(value_room == NULL);
    for (size_t i = 0; i < p->profile->count; i++) {
        p->parts[i].values = codebook_new();
        p->parts[i].numbers = calloc(texts + 1, sizeof *p->parts[i].numbers);
        BUG_IF(p->parts[i].numbers == NULL);
    }
    for (size_t code = 0; code < texts; code++) {
        struct span text = codebook_text(p->texts, code);
        for (size_t i = 0; i < p->profile->count; i++) {
            uint16_t number;
            const struct dimension *d = p->parts[i].dimension;
            struct span value = store_profile_value(&text, value_room);
            if (value.ptr == NULL && d && d->type == DIMENSION_BOOL) value = SPAN("0");
            if (value.ptr == NULL || d == NULL) continue;
            BUG_IF(!codebook_code(p->parts[i].values, value, &number)); /* there are no more values than texts */
            p->parts[i].numbers[code] = (uint16_t)(number + 1);
        }
    }
    free(value_room);
}

static void parts_finish(struct scan *s)
{
    struct tally_parts parts[SCAN_PROFILES_MAX];
    struct tally_part items[SCAN_PROFILES_MAX][PROFILE_COLUMNS_MAX + 1];
    size_t first_codes = tally_codes(s->tally, 0);
    s->whole = malloc((first_codes + 1) * sizeof *s->whole);
    BUG_IF(s->whole == NULL);
    for (size_t i = 0; i < first_codes; i++) s->whole[i] = 1;
    for (unsigned i = 0; i < s->n; i++) {
        struct scan_profile *p = &s->profiles[i];
        parts_number(p);
        parts[i] = (struct tally_parts){items[i], p->profile->count};
        for (size_t k = 0; k < p->profile->count; k++)
            items[i][k] = (struct tally_part){p->parts[k].numbers, codebook_count(p->parts[k].values) + 1};
        if (i == 0) items[i][parts[i].n++] = (struct tally_part){s->whole, 2};
    }
    tally_finish(s->tally, parts);
}

const struct tally_cell *scan_whole(const struct scan *s)
{
    return &tally_cells(s->tally, 0, s->profiles[0].profile->count)[1];
}

enum err scan_run(struct scan *s)
{
    struct tally_options o = {.want = want_of(s->question),
                              .level = question_level(s->question->metric, s->question->measure),
                              .column_count = s->n,
                              .bytes_max = COUNTED_BYTES_MAX};
    struct counting *k = calloc(1, sizeof *k);
    BUG_IF(k == NULL || s->n == 0);
    s->tally = tally_new(&o);
    for (unsigned i = 0; i < s->n; i++) s->profiles[i].texts = codebook_new();
    k->scan = s;
    k->columns = scan_types(s, k->types, &k->fixed);
    k->full = queue_new(BLOCKS);
    k->empty = queue_new(BLOCKS);
    for (unsigned i = 0; i < BLOCKS; i++) {
        buf_init(&k->blocks[i].bytes, BLOCK_BYTES_MAX);
        if (i) BUG_IF(!queue_try_push(k->empty, &k->blocks[i]));
    }
    k->filling = &k->blocks[0];
    enum err e = counting_run(k);
    if (e == ERR_NONE) parts_finish(s);
    for (unsigned i = 0; i < BLOCKS; i++) buf_free(&k->blocks[i].bytes);
    queue_free(k->full);
    queue_free(k->empty);
    free(k);
    return e;
}

void scan_free(struct scan *s)
{
    tally_free(s->tally);
    free(s->whole);
    for (unsigned i = 0; i < s->n; i++) {
        struct scan_profile *p = &s->profiles[i];
        codebook_free(p->texts);
        free(p->codes);
        for (size_t k = 0; k < p->profile->count; k++) codebook_free(p->parts[k].values), free(p->parts[k].numbers);
    }
}
