/* SPDX-License-Identifier: Apache-2.0
 * One batch into the store, once. Runs on the writer's thread without its lock. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/counters.h"
#include "base/log.h"
#include "store/escape.h"
#include "store/native.h"
#include "store/result.h"
#include "store/schema.h"
#include "store/writer_internal.h"

enum {
    ASK_MS = 30000,
    ASK_ROWS_BYTES = 16 * 1024 * 1024,
    ASK_SQL_BYTES = 4 * 1024 * 1024,
    CHECK_IDS_MAX = 2000,  /* of one look-up */
    REFUSED_TRIES_MAX = 3, /* of the same data, before it is cut */
    SETTLE_MS = 1000,      /* a server without deduplication gets to finish what it received */
};

/* A view seen again by a replay has the same end; one that came back after its id was forgotten ends later, but not by
 * more than a view can last with what may be late. */
#define CHECK_AROUND_MS (9 * STORE_DAY_MS)

enum err writer_ask(struct store_writer *w, struct span sql, struct buf *rows, struct store_error *error)
{
    struct store_dialect d = store_dialect(w->store);
    struct store_settings settings = {.abandon = &w->abandon};
    store_dialect_read_settings(&d, &settings);
    buf_clear(rows);
    enum err e = store_query(w->store->client, sql, &settings, "RowBinary", ASK_MS, rows, error);
    if (e == ERR_UNAVAILABLE && error->status == 0) store_suspect(w->store);
    return e;
}

/* The back-off of one batch. */
struct backoff {
    int ms;
};

static bool back_off(struct store_writer *w, struct backoff *b)
{
    int ms = b->ms ? b->ms : w->options.retry_ms_min;
    b->ms = ms * 2 < w->options.retry_ms_max ? ms * 2 : w->options.retry_ms_max;
    return writer_pause(w, ms);
}

/* false: abandoned. */
static bool wait_for_store(struct store_writer *w)
{
    while (!atomic_load(&w->abandon))
        if (store_wait_ready(w->store, 200)) return true;
    return false;
}

/* Asks until there is an answer. false: abandoned. */
static bool ask_until_answered(struct store_writer *w, const struct buf *sql, struct buf *rows)
{
    struct store_error error;
    struct backoff wait = {0};
    BUG_IF(sql->failed);
    while (wait_for_store(w)) {
        enum err e = writer_ask(w, buf_span(sql), rows, &error);
        if (e == ERR_NONE) return true;
        LOG_WRN("store_writer_asks", "kind=%s code=%d text=\"%.200s\"", err_name(e), error.code, error.text);
        if (!back_off(w, &wait)) return false;
    }
    return false;
}

static uint64_t one_number(const struct buf *rows)
{
    struct bytes in = bytes_of(buf_span(rows));
    return rb_u64(&in);
}

/* -- is it there? -- */

/* A server that does not know tokens could still be working on the insert, or have it unread in its socket. */
static bool settle(struct store_writer *w, const struct batch *b, struct buf *rows)
{
    struct store_dialect d = store_dialect(w->store);
    if (d.dedup_token && d.table_dedup) return true;
    struct buf sql;
    buf_init(&sql, ASK_SQL_BYTES);
    buf_addf(&sql, "SELECT toUInt64(count()) FROM system.processes WHERE query_id = '%s'", b->id);
    bool ok;
    do ok = writer_pause(w, SETTLE_MS) && ask_until_answered(w, &sql, rows);
    while (ok && one_number(rows) > 0);
    buf_free(&sql);
    return ok;
}

/* false: abandoned. */
static bool batch_is_there(struct store_writer *w, const struct batch *b, bool *there)
{
    int64_t min_ms, max_ms;
    batch_range(b, &min_ms, &max_ms);
    struct buf sql, rows;
    buf_init(&sql, ASK_SQL_BYTES);
    buf_init(&rows, ASK_ROWS_BYTES);
    buf_addf(&sql,
             "SELECT toUInt64(count()) FROM firstframe.views WHERE final = %d AND view_end >= %" PRId64
             " AND view_end <= %" PRId64 " AND batch_id = '%s'",
             b->final, min_ms, max_ms, b->id);
    bool ok = settle(w, b, &rows) && ask_until_answered(w, &sql, &rows);
    *there = ok && one_number(&rows) > 0;
    buf_free(&sql);
    buf_free(&rows);
    return ok;
}

/* -- rows that may be there already -- */

static int row_by_key(const void *x, const void *y)
{
    const struct batch_row *a = *(const struct batch_row *const *)x, *b = *(const struct batch_row *const *)y;
    if (a->id.hi != b->id.hi) return a->id.hi < b->id.hi ? -1 : 1;
    if (a->id.lo != b->id.lo) return a->id.lo < b->id.lo ? -1 : 1;
    return (a->version > b->version) - (a->version < b->version);
}

/* A final view is known by its id, a pending row by its id and version. */
static bool row_is(const struct batch_row *r, bool final, struct hash128 id, uint32_t version)
{
    return hash128_eq(r->id, id) && (final || r->version == version);
}

static void check_sql(struct buf *sql, const struct batch *b, const struct batch_row *const *rows, size_t n)
{
    int64_t min_ms, max_ms;
    bool named = false;
    for (size_t i = 0; i < n; i++) named = named || rows[i]->named;
    batch_range(b, &min_ms, &max_ms);
    buf_addf(sql, "SELECT id_hi, id_lo, version FROM firstframe.views WHERE final = %d", b->final);
    if (!named)
        buf_addf(sql, " AND view_end >= %" PRId64 " AND view_end <= %" PRId64, min_ms - CHECK_AROUND_MS,
                 max_ms + CHECK_AROUND_MS);
    buf_adds(sql, " AND id_lo IN (");
    for (size_t i = 0; i < n; i++) buf_addf(sql, "%s%" PRIu64, i ? "," : "", rows[i]->id.lo);
    buf_addc(sql, ')');
}

/* rows: n of the batch, in row_by_key order. */
static void check_mark(const struct batch *b, const struct batch_row *const *rows, size_t n, const struct buf *found,
                       bool *keep)
{
    struct bytes in = bytes_of(buf_span(found));
    while (in.ok && bytes_left(&in)) {
        struct hash128 id = {.hi = rb_u64(&in)};
        id.lo = rb_u64(&in);
        uint32_t version = rb_u32(&in);
        size_t low = 0, high = n;
        while (low < high) { /* the first of that id */
            size_t mid = low + (high - low) / 2;
            struct hash128 m = rows[mid]->id;
            if (m.hi < id.hi || (m.hi == id.hi && m.lo < id.lo)) low = mid + 1;
            else high = mid;
        }
        for (; low < n && hash128_eq(rows[low]->id, id); low++)
            if (row_is(rows[low], b->final, id, version)) keep[rows[low] - b->rows] = false;
    }
    BUG_IF(!in.ok);
}

/* Takes the rows out that are stored. false: abandoned. */
static bool leave_out_known(struct store_writer *w, struct batch *b)
{
    const struct batch_row **checked = malloc(b->n * sizeof *checked);
    bool *keep = malloc(b->n * sizeof *keep);
    BUG_IF(checked == NULL || keep == NULL);
    size_t n = 0, before = b->n;
    for (size_t i = 0; i < b->n; i++) {
        keep[i] = true;
        if (b->rows[i].check) checked[n++] = &b->rows[i];
    }
    qsort(checked, n, sizeof *checked, row_by_key);
    bool ok = true;
    for (size_t at = 0; at < n && ok; at += CHECK_IDS_MAX) {
        size_t part = n - at < CHECK_IDS_MAX ? n - at : CHECK_IDS_MAX;
        struct buf sql, found;
        buf_init(&sql, ASK_SQL_BYTES);
        buf_init(&found, ASK_ROWS_BYTES);
        check_sql(&sql, b, checked + at, part);
        ok = ask_until_answered(w, &sql, &found);
        if (ok) check_mark(b, checked + at, part, &found, keep);
        buf_free(&sql);
        buf_free(&found);
    }
    if (ok) batch_filter(b, keep);
    free(checked);
    free(keep);
    size_t known = before - b->n;
    if (known == 0) return ok;
    counter_add(COUNTER_store_rows_known_total, (int64_t)known);
    BUG_IF(pthread_mutex_lock(&w->lock) != 0);
    w->totals.rows_known += known;
    BUG_IF(pthread_mutex_unlock(&w->lock) != 0);
    return ok;
}

/* -- sending -- */

/* ClickHouse's codes for data that cannot be taken, whatever the state of the store. */
static bool fault_is_in_data(const struct store_error *error)
{
    static const int codes[] = {
        6,   /* CANNOT_PARSE_TEXT */
        26,  /* CANNOT_PARSE_QUOTED_STRING */
        27,  /* CANNOT_PARSE_INPUT_ASSERTION_FAILED */
        32,  /* ATTEMPT_TO_READ_AFTER_EOF */
        33,  /* CANNOT_READ_ALL_DATA */
        69,  /* ARGUMENT_OUT_OF_BOUND */
        72,  /* CANNOT_PARSE_NUMBER */
        117, /* INCORRECT_DATA */
        128, /* TOO_LARGE_ARRAY_SIZE */
        131, /* TOO_LARGE_STRING_SIZE */
        321, /* VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE */
        349, /* CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN */
        469, /* VIOLATED_CONSTRAINT */
    };
    if (error->kind != ERR_REFUSED) return false;
    if (error->status == 413) return true; /* too large for a proxy: smaller ones may pass */
    for (size_t i = 0; i < COUNT(codes); i++)
        if (error->code == codes[i]) return true;
    return false;
}

/* Pending rows of before will not count any more. */
static bool replaces_pending(const struct batch *b)
{
    for (size_t i = 0; i < b->n && b->final; i++)
        if (b->rows[i].had_pending) return true;
    return !b->final;
}

static enum err insert(struct store_writer *w, const struct batch *b, struct store_error *error)
{
    struct store_dialect d = store_dialect(w->store);
    struct store_settings settings = {.abandon = &w->abandon};
    store_dialect_insert_settings(&d, b->id, &settings);
    store_settings_add(&settings, "query_id", b->id);
    struct buf sql, block;
    buf_init(&sql, ASK_SQL_BYTES);
    buf_init(&block, SIZE_MAX / 4);
    store_schema_insert_sql(&sql, d.native_casts ? "Native" : "RowBinary");
    if (d.native_casts) store_native_encode(&block, b);
    BUG_IF(sql.failed || block.failed);
    struct span data = buf_span(d.native_casts ? &block : &b->bytes);
    bool held = replaces_pending(b) && store_gate_close(w->store, &d);
    enum err e = store_insert(w->store->client, buf_span(&sql), &settings, data, w->options.insert_ms, error);
    store_gate_leave(w->store, held);
    buf_free(&sql);
    buf_free(&block);
    if (e == ERR_UNAVAILABLE && error->status == 0) store_suspect(w->store);
    return e;
}

static void note_stored(struct store_writer *w, const struct batch *b)
{
    int64_t min_ms, max_ms;
    batch_range(b, &min_ms, &max_ms);
    w->proved = true;
    store_changed(w->store, min_ms, max_ms);
    counter_add(COUNTER_store_batches_total, 1);
    counter_add(COUNTER_store_rows_total, (int64_t)b->n);
    BUG_IF(pthread_mutex_lock(&w->lock) != 0);
    w->totals.rows_stored += b->n;
    BUG_IF(pthread_mutex_unlock(&w->lock) != 0);
}

static void give_up(struct store_writer *w, const struct batch *b, const struct store_error *error)
{
    char id[33];
    hash128_hex(id, b->rows[0].id);
    LOG_ERR("store_row_refused", "id=%s version=%u code=%d text=\"%.300s\"", id, b->rows[0].version, error->code,
            error->text);
    counter_add(COUNTER_store_rows_refused_total, 1);
    BUG_IF(pthread_mutex_lock(&w->lock) != 0);
    w->totals.rows_refused++;
    BUG_IF(pthread_mutex_unlock(&w->lock) != 0);
}

enum sent { SENT_STORED, SENT_REFUSED, SENT_ABANDONED };

/* Until it is there, or was refused for its data several times. */
static enum sent send_whole(struct store_writer *w, const struct batch *b, struct store_error *error)
{
    struct backoff wait = {0};
    for (int refused = 0; wait_for_store(w);) {
        if (insert(w, b, error) == ERR_NONE) return SENT_STORED;
        LOG_WRN("store_insert_failed", "batch=%s rows=%zu kind=%s status=%d code=%d text=\"%.200s\"", b->id, b->n,
                err_name(error->kind), error->status, error->code, error->text);
        if (fault_is_in_data(error)) {
            if (++refused >= REFUSED_TRIES_MAX) return SENT_REFUSED;
        } else if (!error->unsent) {
            bool there;
            if (!batch_is_there(w, b, &there)) return SENT_ABANDONED;
            if (there) return SENT_STORED;
        }
        counter_add(COUNTER_store_batch_retries_total, 1);
        if (!back_off(w, &wait)) return SENT_ABANDONED;
    }
    return SENT_ABANDONED;
}

/* The batch, cut in halves as long as it is refused. A single row that is refused is given up if this writer has stored
 * something; else it goes to the deferred ones, since the fault may lie in the table. Takes b over. */
static bool send_take(struct store_writer *w, struct batch *b, struct batch **deferred)
{
    struct store_error error = {0};
    enum sent sent = send_whole(w, b, &error);
    bool ok = sent != SENT_ABANDONED;
    if (sent == SENT_STORED) {
        note_stored(w, b);
    } else if (sent == SENT_REFUSED && b->n > 1) {
        ok =
            send_take(w, batch_part(b, 0, b->n / 2), deferred) && send_take(w, batch_part(b, b->n / 2, b->n), deferred);
    } else if (sent == SENT_REFUSED && w->proved) {
        give_up(w, b, &error);
    } else if (sent == SENT_REFUSED) {
        b->next = *deferred;
        *deferred = b;
        return true;
    }
    batch_free(b);
    return ok;
}

static void free_all(struct batch *list)
{
    while (list) {
        struct batch *b = list;
        list = b->next;
        batch_free(b);
    }
}

bool writer_send_take(struct store_writer *w, struct batch *b)
{
    bool known = !batch_checks(b) || leave_out_known(w, b);
    if (!known || b->n == 0) {
        batch_free(b);
        return known;
    }
    if (!b->final) {
        int64_t min_ms, max_ms;
        batch_range(b, &min_ms, &max_ms);
        store_pending_note(w->store, min_ms);
    }
    struct batch *todo = b, *deferred = NULL;
    struct backoff wait = {0};
    bool ok = true;
    while (ok && todo) {
        while (ok && todo) {
            struct batch *next = todo->next;
            todo->next = NULL;
            ok = send_take(w, todo, &deferred);
            todo = next;
        }
        if (ok && deferred && !w->proved) ok = back_off(w, &wait);
        if (todo == NULL) {
            todo = deferred;
            deferred = NULL;
        }
    }
    free_all(todo);
    free_all(deferred);
    return ok;
}
