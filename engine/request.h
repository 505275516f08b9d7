/* SPDX-License-Identifier: Apache-2.0
 *
 * A request line in ClickHouse's HTTP interface: the statement, the session it wants, and the rest
 * of the URL's parameters. Every parameter that is not one of the interface's own is a setting. */
#ifndef ENGINE_REQUEST_H
#define ENGINE_REQUEST_H

#include "text.h"

enum {
    REQUEST_PARAMS_MAX = 128,
    REQUEST_SESSION_BYTES_MAX = 256 * 1024,
};

struct request {
    struct span path;
    struct span query; /* the `query` parameter; empty without one */
    bool has_query;
    struct span database;
    struct span format; /* default_format */
    struct span query_id;
    bool readonly;       /* a `readonly` setting was given */
    bool extremes;       /* asked for: the stream would lose them */
    bool wait_for_end;   /* nothing may be sent before the statement ended */
    struct buf settings; /* "SET a='1', b='2'"; empty without settings */
    size_t params_count; /* of {name:Type} substitutions */
    const char *names[REQUEST_PARAMS_MAX];
    size_t name_lens[REQUEST_PARAMS_MAX];
    const char *values[REQUEST_PARAMS_MAX];
    size_t value_lens[REQUEST_PARAMS_MAX];
};

void request_init(struct request *r);
void request_fini(struct request *r);

/* Takes the URL apart. Decodes in place, so the request borrows from `url` until it is reset.
 * Answers NULL, or ClickHouse's error text for a URL that cannot be used. */
const char *request_read(struct request *r, char *url, size_t len) MUST_USE;

/* A setting that the URL did not name, as the GET method's readonly=2. `name` and `value` are
 * plain. */
void request_set(struct request *r, const char *name, struct span value);

#endif
