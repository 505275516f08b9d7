/* SPDX-License-Identifier: Apache-2.0
 * A thin hand on SQLite for this folder: typed parameters, rows, and transactions under the store's mutex. The first
 * failure of a transaction is remembered and decides its outcome, so that a function can be written straight down.
 * Everything here needs the mutex, which tx_begin and read_begin take and tx_end and read_end give back. */
#ifndef FF_ACCOUNTS_SQL_H
#define FF_ACCOUNTS_SQL_H

#include "accounts/accounts.h"

#include <sqlite3.h>

enum arg_kind { ARG_NULL, ARG_INT, ARG_TEXT, ARG_BLOB };
struct arg {
    enum arg_kind kind;
    int64_t i;
    struct span s;
};
static inline struct arg arg_int(int64_t v)
{
    return (struct arg){.kind = ARG_INT, .i = v};
}
static inline struct arg arg_text(struct span s)
{
    return (struct arg){.kind = ARG_TEXT, .s = s};
}
static inline struct arg arg_cstr(const char *s)
{
    return arg_text(span_of(s));
}
static inline struct arg arg_blob(const void *ptr, size_t len)
{
    return (struct arg){.kind = ARG_BLOB, .s = span_make(ptr, len)};
}
/* 0 and "" as NULL. */
static inline struct arg arg_int_or_null(int64_t v)
{
    return v != 0 ? arg_int(v) : (struct arg){.kind = ARG_NULL};
}
static inline struct arg arg_text_or_null(struct span s)
{
    return s.len > 0 ? arg_text(s) : (struct arg){.kind = ARG_NULL};
}
#define ARGS(...) (const struct arg[]){__VA_ARGS__}, sizeof((const struct arg[]){__VA_ARGS__}) / sizeof(struct arg)
#define NO_ARGS NULL, 0

/* Writes. BUSY or STORE_FAILED: nothing was taken, do not end it. */
enum accounts_error tx_begin(struct accounts *a) MUST_USE;
/* Commits when e is OK and no statement failed, else rolls back. Tells caches and reloads the snapshot. */
enum accounts_error tx_end(struct accounts *a, enum accounts_error e) MUST_USE;
/* The same for what changes nobody's rights and no setting: sessions, last-used times. */
enum accounts_error tx_end_quiet(struct accounts *a, enum accounts_error e) MUST_USE;
/* Reads, without a transaction. */
void read_begin(struct accounts *a);
enum accounts_error read_end(struct accounts *a, enum accounts_error e) MUST_USE;

/* Runs one statement; rows changed, or -1 (remembered). */
int64_t sql_run(struct accounts *a, const char *text, const struct arg *args, size_t count);
/* First column of the first row; missing when there is no row, it is NULL, or the statement failed. */
int64_t sql_int(struct accounts *a, int64_t missing, const char *text, const struct arg *args, size_t count);
int64_t sql_last_id(struct accounts *a);

struct rows {
    struct accounts *a;
    sqlite3_stmt *statement; /* NULL: it could not be prepared; rows_next is then false */
};
struct rows rows_open(struct accounts *a, const char *text, const struct arg *args, size_t count);
bool rows_next(struct rows *r);
void rows_close(struct rows *r);
int64_t row_int(const struct rows *r, int column); /* NULL: 0 */
bool row_null(const struct rows *r, int column);
/* Valid until the next step. */
struct span row_span(const struct rows *r, int column);
/* Copies as much as fits, with a NUL. */
void row_text(const struct rows *r, int column, char *out, size_t cap);

/* A growing array of equal items; free(items) or list_give. */
struct list {
    char *items;
    size_t count, cap, size;
};
void *list_add(struct list *l); /* zeroed; the pointer is valid until the next add */
/* Hands the items to *out on OK, frees them otherwise. Returns e. */
enum accounts_error list_give(struct list *l, enum accounts_error e, void *out, size_t *count);

/* The text with a NUL, cut at cap - 1 bytes. */
void text_copy(char *out, size_t cap, struct span s);

#endif
