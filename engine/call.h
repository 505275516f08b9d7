/* SPDX-License-Identifier: Apache-2.0
 *
 * One request to the engine: read, run, answered. */
#ifndef ENGINE_CALL_H
#define ENGINE_CALL_H

#include "http.h"
#include "pool.h"

enum {
    CALL_STATEMENT_BYTES_MAX = 16 * 1024 * 1024, /* INSERT data has no maximum: it is never kept */
    CALL_HOLD_BYTES = 1024 * 1024, /* of a streamed result, so that a late error gets its status */
    CALL_ERROR_BYTES_MAX = 64 * 1024,
};

/* Answers the request whose head `conn` has just read. Clears conn->keep_alive when the connection
 * cannot be used further. */
void call_serve(struct http_conn *conn, struct pool *pool);

/* Answers with one of the engine's own errors, in ClickHouse's words. */
void call_refuse(struct http_conn *conn, const char *text);

#endif
