/* SPDX-License-Identifier: Apache-2.0
 *
 * A fixed number of chdb connections, each running one statement at a time.
 *
 * A connection has a session: a current database and settings. ClickHouse's HTTP interface has none
 * that outlives a request, so a connection whose session is not the one wanted is closed and opened
 * again (about 0.2 ms), which also works for readonly, that cannot be unset. Requests that repeat
 * the same session, as a store client's do, find their connection as they left it.
 *
 * A thread watches the sockets of those who wait: when a client is gone, its statement is killed.
 * It finds it by the connection's log_comment. All functions may be called from any thread. */
#ifndef ENGINE_POOL_H
#define ENGINE_POOL_H

#include "chdb.h"
#include "text.h"

struct pool;

struct pool_options {
    size_t connections;
    size_t waiting_max; /* requests that may wait for a connection; more are turned away */
    int wait_ms_max;
    const char *data_path;
    uint64_t memory_bytes_max;
};

/* What a request wants its connection to be. Both are borrowed for the call. */
struct session {
    struct span database; /* empty: the default one */
    struct span settings; /* a SET statement or empty */
};

/* A connection on loan. */
struct lease {
    struct chdb_handle *handle;
    size_t slot;
};

enum pool_answer {
    POOL_OK,
    POOL_FULL,    /* all connections are busy and so is the queue */
    POOL_REFUSED, /* ClickHouse refused the session; its words are in `error` */
    POOL_BROKEN,  /* no connection to be had */
};

/* Boots ClickHouse. NULL when it cannot, with the reason, a constant, in *why. */
struct pool *pool_open(const struct pool_options *options, const char **why) MUST_USE;

/* Closes every connection, which ends ClickHouse. No lease may be out. */
void pool_close(struct pool *p);

/* Waits for a connection. `client_fd` is the socket to watch until pool_give; -1 for none. */
enum pool_answer pool_take(struct pool *p, const struct session *want, int client_fd,
                           struct lease *out, struct buf *error) MUST_USE;

/* `reusable` is false when the statement may have changed the session or ended halfway. */
void pool_give(struct pool *p, struct lease *lease, bool reusable);

/* From now on every running statement is killed, again and again until the pool is closed. */
void pool_cancel_all(struct pool *p);

#endif
