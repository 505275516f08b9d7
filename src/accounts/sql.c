/* SPDX-License-Identifier: Apache-2.0 */
#include "accounts/sql.h"

#include "accounts/store.h"
#include "base/log.h"

#include <stdlib.h>

static void sql_failed(struct accounts *a, int rc, const char *text)
{
    enum accounts_error e = (rc & 0xff) == SQLITE_BUSY ? ACCOUNTS_BUSY : ACCOUNTS_STORE_FAILED;
    /* The statement holds no values: they are all bound. */
    LOG_ERR("accounts_sql_failed", "code=%d reason=\"%s\" statement=\"%.60s\"", rc, sqlite3_errmsg(a->db), text);
    if (a->tx_failure == ACCOUNTS_OK) a->tx_failure = e;
}

static int sql_bind(sqlite3_stmt *statement, const struct arg *args, size_t count)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i < count && rc == SQLITE_OK; i++) {
        int at = (int)i + 1;
        const char *ptr = args[i].s.ptr != NULL ? args[i].s.ptr : "";
        switch (args[i].kind) {
        case ARG_NULL: rc = sqlite3_bind_null(statement, at); break;
        case ARG_INT: rc = sqlite3_bind_int64(statement, at, args[i].i); break;
        case ARG_TEXT:
            rc = sqlite3_bind_text64(statement, at, ptr, args[i].s.len, SQLITE_TRANSIENT, SQLITE_UTF8);
            break;
        case ARG_BLOB: rc = sqlite3_bind_blob64(statement, at, ptr, args[i].s.len, SQLITE_TRANSIENT); break;
        }
    }
    return rc;
}

struct rows rows_open(struct accounts *a, const char *text, const struct arg *args, size_t count)
{
    struct rows r = {.a = a, .statement = NULL};
    int rc = sqlite3_prepare_v2(a->db, text, -1, &r.statement, NULL);
    if (rc == SQLITE_OK) {
        BUG_IF(sqlite3_bind_parameter_count(r.statement) != (int)count);
        rc = sql_bind(r.statement, args, count);
    }
    if (rc != SQLITE_OK) {
        sql_failed(a, rc, text);
        sqlite3_finalize(r.statement);
        r.statement = NULL;
    }
    return r;
}

bool rows_next(struct rows *r)
{
    if (r->statement == NULL) return false;
    int rc = sqlite3_step(r->statement);
    if (rc == SQLITE_ROW) return true;
    if (rc != SQLITE_DONE) sql_failed(r->a, rc, sqlite3_sql(r->statement));
    sqlite3_finalize(r->statement);
    r->statement = NULL;
    return false;
}

void rows_close(struct rows *r)
{
    sqlite3_finalize(r->statement);
    r->statement = NULL;
}

int64_t sql_run(struct accounts *a, const char *text, const struct arg *args, size_t count)
{
    struct rows r = rows_open(a, text, args, count);
    if (r.statement == NULL) return -1;
    while (rows_next(&r)) {
    }
    return a->tx_failure == ACCOUNTS_OK ? sqlite3_changes64(a->db) : -1;
}

int64_t sql_int(struct accounts *a, int64_t missing, const char *text, const struct arg *args, size_t count)
{
    struct rows r = rows_open(a, text, args, count);
    int64_t v = missing;
    if (rows_next(&r) && !row_null(&r, 0)) v = row_int(&r, 0);
    rows_close(&r);
    return v;
}

int64_t sql_last_id(struct accounts *a)
{
    return sqlite3_last_insert_rowid(a->db);
}

int64_t row_int(const struct rows *r, int column)
{
    return sqlite3_column_int64(r->statement, column);
}

bool row_null(const struct rows *r, int column)
{
    return sqlite3_column_type(r->statement, column) == SQLITE_NULL;
}

struct span row_span(const struct rows *r, int column)
{
    const void *ptr = sqlite3_column_blob(r->statement, column);
    int len = sqlite3_column_bytes(r->statement, column);
    return span_make(ptr, ptr != NULL && len > 0 ? (size_t)len : 0);
}

void row_text(const struct rows *r, int column, char *out, size_t cap)
{
    text_copy(out, cap, row_span(r, column));
}

void text_copy(char *out, size_t cap, struct span s)
{
    size_t len = s.len < cap - 1 ? s.len : cap - 1;
    if (len > 0) memcpy(out, s.ptr, len);
    out[len] = 0;
}

static enum accounts_error lock_and_begin(struct accounts *a, const char *begin)
{
    BUG_IF(a->magic != ACCOUNTS_MAGIC);
    pthread_mutex_lock(&a->lock);
    a->tx_failure = ACCOUNTS_OK;
    if (begin != NULL) (void)sql_run(a, begin, NO_ARGS);
    return a->tx_failure;
}

enum accounts_error tx_begin(struct accounts *a)
{
    enum accounts_error e = lock_and_begin(a, "BEGIN IMMEDIATE");
    if (e != ACCOUNTS_OK) pthread_mutex_unlock(&a->lock);
    return e;
}

static enum accounts_error tx_finish(struct accounts *a, enum accounts_error e, bool loud)
{
    if (a->tx_failure != ACCOUNTS_OK) e = a->tx_failure;
    if (e == ACCOUNTS_OK) {
        (void)sql_run(a, "COMMIT", NO_ARGS);
        e = a->tx_failure;
    }
    if (e != ACCOUNTS_OK) {
        /* Some failures have rolled back by themselves already. */
        if (sqlite3_get_autocommit(a->db) == 0) (void)sql_run(a, "ROLLBACK", NO_ARGS);
    } else if (loud) {
        atomic_fetch_add(&a->generation, 1);
        a->tx_failure = ACCOUNTS_OK;
        a->snapshot_stale = !snapshot_reload(a);
    }
    pthread_mutex_unlock(&a->lock);
    return e;
}

enum accounts_error tx_end(struct accounts *a, enum accounts_error e)
{
    return tx_finish(a, e, true);
}

enum accounts_error tx_end_quiet(struct accounts *a, enum accounts_error e)
{
    return tx_finish(a, e, false);
}

void read_begin(struct accounts *a)
{
    BUG_IF(lock_and_begin(a, NULL) != ACCOUNTS_OK);
}

enum accounts_error read_end(struct accounts *a, enum accounts_error e)
{
    if (a->tx_failure != ACCOUNTS_OK) e = a->tx_failure;
    pthread_mutex_unlock(&a->lock);
    return e;
}

void *list_add(struct list *l)
{
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? 16 : l->cap * 2;
        char *items = reallocarray(l->items, cap, l->size);
        BUG_IF(items == NULL); /* every list is bounded by its table's limit */
        l->items = items;
        l->cap = cap;
    }
    char *item = l->items + l->count++ * l->size;
    memset(item, 0, l->size);
    return item;
}

enum accounts_error list_give(struct list *l, enum accounts_error e, void *out, size_t *count)
{
    if (e != ACCOUNTS_OK) {
        free(l->items);
        *l = (struct list){.size = l->size};
    }
    memcpy(out, &l->items, sizeof l->items);
    *count = l->count;
    *l = (struct list){.size = l->size};
    return e;
}
