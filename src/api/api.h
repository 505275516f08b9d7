/* SPDX-License-Identifier: Apache-2.0
 * The HTTP API: routes.def says what there is, who may use it and which function answers.
 *
 * Threads: api_handle is called on a loop thread; it finds the route, then hands the call to a pool thread, where the
 * credential is checked and the handler runs (handlers may block on the store or SQLite). Sign-in and everything else
 * that hashes passwords runs in a pool of its own of two threads with a short queue, so that an attack on passwords
 * cannot hold up questions. A full queue is 503 with Retry-After. */
#ifndef FF_API_API_H
#define FF_API_API_H

#include "accounts/accounts.h"
#include "accounts/principal.h"
#include "base/hash.h"
#include "base/json.h"
#include "http/server.h"

struct api;
struct store_error;
struct collector;
struct watching;
struct pipeline;
struct store;

struct api_options {
    struct accounts *accounts;
    struct store *store;
    struct collector *collector;
    struct watching *watching;        /* who watches now; NULL: nobody is counted */
    unsigned query_threads;           /* 1..64 */
    const char *public_url;           /* without a slash at its end; copied */
    const char *data_dir;             /* copied */
    unsigned rate_limit;              /* requests a second for each token; 0: no limit */
    const char *smtp_url, *smtp_from; /* NULL: no mail is sent; copied */
};
struct api *api_new(const struct api_options *options) MUST_USE;
/* Before the first request: when the address is known only after binding. */
void api_set_public_url(struct api *a, const char *public_url);
/* The code that the set-up of a fresh server asks for, to be printed where only its operator reads. */
const char *api_setup_code(const struct api *a);
/* Finishes the calls under way. */
void api_free(struct api *a);
/* Takes a request whose path begins with a reserved segment of the API (see api_owns). Answers it, at once or later. */
void api_handle(struct api *a, struct http_request *r);
/* Paths the API answers, also with 404. */
bool api_owns(struct span path);

enum { API_ARGUMENTS_MAX = 4 };

/* One request on its way through a handler. Everything it points at lives until the answer is sent. */
struct api_call {
    struct api *api;
    struct accounts *accounts;
    struct store *store;
    struct collector *collector;
    struct watching *watching;
    const char *public_url, *data_dir;
    struct http_request *request;
    struct arena *arena;
    struct principal principal;
    char environment_id[ACCOUNTS_ID_MAX + 1]; /* "" on OPEN and PERSON routes without an environment */
    struct env_facts environment;             /* of environment_id */
    struct span arguments[API_ARGUMENTS_MAX]; /* of the path pattern, in order, decoded */
    int64_t now_ms;                           /* one reading of the clock for the whole call */
    /* The answer. A handler writes a body through `json` and may set the status; api_fail replaces both. */
    int status;               /* 200 unless changed; 204 sends no body */
    const char *content_type; /* NULL: JSON. A constant */
    struct buf body;
    struct jw json; /* writes into body */
    int file;       /* > 0: open, is sent instead of body and closed then: file_bytes of content that file_tag tells */
    size_t file_bytes;
    uint64_t file_tag;
    struct http_header extra[4];
    size_t extra_count;
    size_t moving_from, moving_to; /* the bytes of body that tell the time of asking alone; to 0: there are none */
    bool failed;
    bool keeps; /* the answer goes into the cache under kept_as, of this generation: see ask_cached */
    struct hash128 kept_as;
    uint64_t generation;
    struct json_parser *parser; /* of api_body_json; freed with the call */
};
typedef void api_handler(struct api_call *call);

/* Errors: body {"error":{"type","messages":[...]}}. Types follow the status: 400 invalid_parameters, 401 unauthorized,
 * 403 forbidden, 404 not_found, 405 method_not_allowed, 413 payload_too_large, 429 too_many_requests, 503
 * service_unavailable (with Retry-After). bad_request (400): unreadable JSON. */
void api_fail(struct api_call *c, int status, const char *message, ...) PRINTF_LIKE(3, 4);
void api_fail_bad_request(struct api_call *c, const char *message, ...) PRINTF_LIKE(2, 3);
/* 429, with Retry-After. */
void api_fail_wait(struct api_call *c, unsigned seconds, const char *message);
/* The store did not answer (503), the question was too large for it (400), or it refused (500 with a log line). */
void api_fail_store(struct api_call *c, enum err e, const struct store_error *error);
/* From an accounts outcome: 400, 401, 403, 404, 429 or 503 with its sentence. */
void api_fail_accounts(struct api_call *c, enum accounts_error e);

/* Who acts, for administrative functions and the audit log; borrows from the call. */
struct actor api_actor(struct api_call *c);

/* Header to add to the answer; value is copied into the call's arena. */
void api_header(struct api_call *c, const char *name, const char *value);

/* Query parameters, decoded ('+' is a blank), in order. A name matches with and without a trailing "[]". */
struct api_params {
    struct span *values;
    size_t count;
};
struct api_params api_params(struct api_call *c, const char *name);
/* The last value of the name, trimmed of nothing; {NULL,0} when absent or empty. */
struct span api_param(struct api_call *c, const char *name);
/* limit, and page, by the common rules (absent or < 1: default; above max: max; not an integer: false and the call has
 * failed with 400). */
bool api_limit(struct api_call *c, uint32_t limit_default, uint32_t limit_max, uint32_t *limit) MUST_USE;
bool api_paging(struct api_call *c, uint32_t limit_default, uint32_t limit_max, uint32_t *limit,
                uint32_t *page) MUST_USE;
/* order_direction: asc or desc, or what it is when absent; false and failed (400) otherwise. */
bool api_descending(struct api_call *c, bool otherwise, bool *descending) MUST_USE;
/* The request's body as JSON; NULL and failed (400) when it is not an object. Valid until the call ends. */
const struct json_node *api_body_json(struct api_call *c, struct json_doc *doc) MUST_USE;

/* Envelope pieces: "timeframe":[start,end], inclusive end, and "total_row_count". */
void api_timeframe(struct api_call *c, int64_t start_s, int64_t end_s_exclusive);
/* The last 24 hours, where no time can be asked for. It is no part of what the answer's ETag stands for. */
void api_timeframe_now(struct api_call *c);
void api_total(struct api_call *c, int64_t rows);

#define ROUTE(method, path, access, pool, handler, tag, summary) api_handler handler;
#include "api/routes.def"
#undef ROUTE

#endif
