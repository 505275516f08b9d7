/* SPDX-License-Identifier: Apache-2.0
 * ClickHouse's HTTP interface, spoken by libcurl: to a server over TCP, or to the embedded engine over its Unix socket.
 * It knows HTTP and errors, not versions and tables: callers want store.h.
 * Thread-safe: each call takes a libcurl handle from a bounded pool, and blocks until its answer is whole.
 * User and password of the URL travel in headers only and are never logged. */
#ifndef FF_STORE_CLIENT_H
#define FF_STORE_CLIENT_H

#include <stdatomic.h>

#include "base/buf.h"

enum { STORE_ERROR_TEXT_BYTES = 1024, STORE_SETTINGS_MAX = 24 };
/* Codes of ClickHouse: TIMEOUT_EXCEEDED, MEMORY_LIMIT_EXCEEDED. */
enum { STORE_CODE_TIMEOUT = 159, STORE_CODE_MEMORY = 241 };

/* What went wrong. kind:
 *   ERR_REFUSED      the store answered with an error: status and code say which
 *   ERR_UNAVAILABLE  no connection, a lost connection, or HTTP 503
 *   ERR_TIMEOUT      no whole answer in time, or the store gave up by its own clock
 *   ERR_FULL         the answer is larger than the caller's bound, or all handles are in use for too long
 *   ERR_CLOSED       the client is stopping */
struct store_error {
    enum err kind;
    int status;                        /* HTTP; 0: no answer */
    int code;                          /* ClickHouse's; 0: none */
    bool unsent;                       /* certain that the store did not see the statement */
    char text[STORE_ERROR_TEXT_BYTES]; /* one line, as the store wrote it (it may quote the statement); never
                                          credentials */
};

/* name is ours; value is sent percent-encoded. */
struct store_setting {
    const char *name;
    const char *value;
};
struct store_settings {
    struct store_setting items[STORE_SETTINGS_MAX];
    size_t count;
    const atomic_bool *abandon; /* NULL, or: once it is true, the call ends with ERR_CLOSED (within about a second) */
    bool streamed; /* for store_query_to: pieces come while the statement runs, and what goes wrong after the first is
                      ERR_UNAVAILABLE, whatever it was */
};
void store_settings_add(struct store_settings *s, const char *name, const char *value); /* keeps the pointers */

struct store_client_options {
    const char *url;         /* http[s]://[USER:PASSWORD@]HOST[:PORT][/PATH]; NULL: socket_path */
    const char *socket_path; /* any length: longer ones than a socket address takes are reached through the directory */
    unsigned handles_max;    /* requests at once; 0: 16 */
    int connect_ms;          /* 0: 3,000 */
};

struct store_client;
/* NULL: why says what is wrong with the URL or the path. Does not connect. */
struct store_client *store_client_new(const struct store_client_options *options, char why[256]) MUST_USE;
/* Aborts what is under way; every later call answers ERR_CLOSED. */
void store_client_stop(struct store_client *c);
void store_client_free(struct store_client *c); /* nothing may be under way */

/* Runs the statement (sent in the body) and appends its result to out, whose maximum bounds it (out may be NULL when
 * there is no result). format: of the result, as default_format. error may not be NULL. */
enum err store_query(struct store_client *c, struct span sql, const struct store_settings *settings, const char *format,
                     int timeout_ms, struct buf *out, struct store_error *error) MUST_USE;
/* The same, with the result given to sink in pieces; false of sink ends it with ERR_CLOSED. The pieces are good only if
 * the call returns ERR_NONE. */
typedef bool store_sink(void *ctx, struct span piece);
enum err store_query_to(struct store_client *c, struct span sql, const struct store_settings *settings,
                        const char *format, int timeout_ms, store_sink *sink, void *ctx,
                        struct store_error *error) MUST_USE;
/* sql is the INSERT with its FORMAT, sent in the URL; data is the body. Never sent twice by itself: on ERR_TIMEOUT and
 * ERR_UNAVAILABLE without error->unsent the outcome is unknown. */
enum err store_insert(struct store_client *c, struct span sql, const struct store_settings *settings, struct span data,
                      int timeout_ms, struct store_error *error) MUST_USE;
/* GET /ping. */
enum err store_ping(struct store_client *c, int timeout_ms, struct store_error *error) MUST_USE;

#endif
