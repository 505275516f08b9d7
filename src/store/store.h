/* SPDX-License-Identifier: Apache-2.0
 * The analytics store as the program sees it: a ClickHouse that is reached over HTTP, whether it is the embedded engine
 * (started and watched here) or a server elsewhere.
 *
 * store_open returns at once. One thread of its own, the keeper, starts the engine, connects, asks for the version,
 * brings the schema up to date, and does so again whenever the store has been away. Until then, and meanwhile, every
 * question is answered ERR_UNAVAILABLE at once (503 with Retry-After for API clients) and the writer waits.
 * All functions are thread-safe. */
#ifndef FF_STORE_STORE_H
#define FF_STORE_STORE_H

#include "store/client.h"

enum { STORE_RESULT_BYTES_MAX = 256 * 1024 * 1024 };

struct store_options {
    const char *url;              /* a ClickHouse server; NULL: the embedded engine */
    const char *engine;           /* embedded: the firstframe-engine program */
    const char *engine_dir;       /* embedded: its directory; made when missing, its parent must be there */
    unsigned engine_threads;      /* statements at once; 0: 4 */
    uint64_t engine_memory_bytes; /* 0: the engine's default, half of the machine */
    int stop_ms;                  /* how long the engine may take to close; 0: 20,000 */
};

struct store;
/* NULL: why says what is wrong with the options. */
struct store *store_open(const struct store_options *options, char why[256]) MUST_USE;
/* Ends what is under way, then the engine (SIGTERM, and it closes its files), then frees. Users must have stopped. */
void store_stop(struct store *s);

enum store_state { STORE_STARTING, STORE_READY, STORE_AWAY };
struct store_status {
    enum store_state state;
    bool embedded;
    char version[32]; /* "" before the first connection */
    char text[512];   /* what is the matter while it is not ready; never credentials */
    uint64_t engine_restarts;
    int engine_pid; /* 0: none runs */
};
bool store_ready(const struct store *s);
void store_status(const struct store *s, struct store_status *out);
/* true: ready. timeout_ms < 0: for ever (or until store_stop). */
bool store_wait_ready(const struct store *s, int timeout_ms);

struct store_limits {
    int timeout_ms;         /* 0: 30,000; the store gives up by itself at that time too */
    uint64_t memory_bytes;  /* of the statement; 0: the store's own limit */
    uint64_t rows_read_max; /* 0: none */
    bool most_rows;         /* the statement uses most of the rows it looks at: all columns are read at once, instead of
                             * those of its conditions first */
    bool streamed;          /* for store_select_to: pieces come while the statement runs, instead of the result being
                             * held by the store until it is whole; any failure after the first is ERR_UNAVAILABLE */
    bool background;        /* nobody waits for it: it stands back, a little at every block, while others run */
};
/* A reading statement (it cannot write: readonly is set), result in RowBinary appended to out. A statement that fails
 * never leaves half a result with ERR_NONE. error may not be NULL; see client.h for the kinds. */
enum err store_select(struct store *s, struct span sql, struct buf *out, struct store_error *error) MUST_USE;
/* limits may be NULL; format: any of ClickHouse's output formats that the connected version has. */
enum err store_select_as(struct store *s, struct span sql, const struct store_limits *limits, const char *format,
                         struct buf *out, struct store_error *error) MUST_USE;
enum err store_select_to(struct store *s, struct span sql, const struct store_limits *limits, const char *format,
                         store_sink *sink, void *ctx, struct store_error *error) MUST_USE;
/* A statement that changes something (ALTER, CREATE, INSERT ... SELECT). The caller bumps store_changed. */
enum err store_execute(struct store *s, struct span sql, int timeout_ms, struct store_error *error) MUST_USE;

/* -- what has changed, for caches and ETags -- */

/* Grows with every batch stored and every store_changed; starts from the wall clock, so that it differs between runs.
 */
uint64_t store_generation(const struct store *s);
/* The newest generation that concerns views whose view_end lies in [from_ms, to_ms), by whole UTC days. */
uint64_t store_generation_between(const struct store *s, int64_t from_ms, int64_t to_ms);
/* Views whose view_end lies in [from_ms, to_ms] were changed, added or removed. */
void store_changed(struct store *s, int64_t from_ms, int64_t to_ms);

#endif
