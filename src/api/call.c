/* SPDX-License-Identifier: Apache-2.0
 * What handlers use: parameters, bodies, errors, envelope pieces. */
#include "api/internal.h"

#include "base/log.h"
#include "store/client.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    THROTTLED_WAIT_S = 30,
    PARAMS_MAX = 512,
    MESSAGE_BYTES_MAX = 1024,
    BODY_NODES_MAX = 20000,
    SHOWN_WINDOW_S = 86400
};

static const char *error_type(int status)
{
    switch (status) {
    case 400: return "invalid_parameters";
    case 401: return "unauthorized";
    case 403: return "forbidden";
    case 404: return "not_found";
    case 405: return "method_not_allowed";
    case 413: return "payload_too_large";
    case 429: return "too_many_requests";
    case 503: return "service_unavailable";
    default: return "internal_error";
    }
}

static void fail_with(struct api_call *c, int status, const char *type, const char *message)
{
    if (c->failed) return; /* the first reason counts */
    c->failed = true;
    c->status = status;
    buf_clear(&c->body);
    jw_init(&c->json, &c->body);
    jw_object(&c->json);
    jw_key(&c->json, "error"), jw_object(&c->json);
    jw_key(&c->json, "type"), jw_text(&c->json, type);
    jw_key(&c->json, "messages"), jw_array(&c->json), jw_text(&c->json, message), jw_array_end(&c->json);
    jw_object_end(&c->json);
    if (status == 429)
        jw_key(&c->json, "errors"), jw_array(&c->json), jw_text(&c->json, message), jw_array_end(&c->json);
    jw_object_end(&c->json);
    if (status == 503) api_header(c, "Retry-After", "2");
}

void api_fail(struct api_call *c, int status, const char *message, ...)
{
    char text[MESSAGE_BYTES_MAX];
    va_list args;
    va_start(args, message);
    (void)vsnprintf(text, sizeof text, message, args);
    va_end(args);
    fail_with(c, status, error_type(status), text);
}

void api_fail_bad_request(struct api_call *c, const char *message, ...)
{
    char text[MESSAGE_BYTES_MAX];
    va_list args;
    va_start(args, message);
    (void)vsnprintf(text, sizeof text, message, args);
    va_end(args);
    fail_with(c, 400, "bad_request", text);
}

void api_fail_wait(struct api_call *c, unsigned seconds, const char *message)
{
    char text[16];
    if (c->failed) return;
    (void)snprintf(text, sizeof text, "%u", seconds ? seconds : 1);
    api_header(c, "Retry-After", text);
    api_fail(c, 429, "%s", message);
}

void api_fail_store(struct api_call *c, enum err e, const struct store_error *error)
{
    /* ERR_FULL of a statement that went out: its answer is too large. Of one that did not: too many are asked. */
    if (error->code == STORE_CODE_MEMORY || (e == ERR_FULL && !error->unsent)) {
        api_fail(
            c, 400,
            "This needs more memory than a question may use. Ask for a shorter timeframe, with more filters or for "
            "fewer dimensions.");
    } else if (error->code == STORE_CODE_TIMEOUT) {
        api_fail(c, 400,
                 "This does not finish in the time that a question has. Ask for a shorter timeframe, with more filters "
                 "or for fewer dimensions.");
    } else if (error->unsent || e == ERR_UNAVAILABLE || e == ERR_TIMEOUT || e == ERR_CLOSED) {
        api_fail(c, 503, "The store does not answer at the moment. Try again shortly.");
    } else {
        LOG_ERR("store_refused_question", "kind=%s what=\"%.300s\"", err_name(e), error->text);
        api_fail(c, 500, "The store could not answer this question.");
    }
}

void api_fail_accounts(struct api_call *c, enum accounts_error e)
{
    int status = 400;
    if (e == ACCOUNTS_THROTTLED) {
        api_fail_wait(c, THROTTLED_WAIT_S, accounts_error_text(e));
        return;
    }
    if (e == ACCOUNTS_UNAUTHORIZED) status = 401;
    else if (e == ACCOUNTS_NOT_FOUND) status = 404;
    else if (e == ACCOUNTS_ROLE_REFUSED) status = 403;
    else if (e == ACCOUNTS_STORE_FAILED || e == ACCOUNTS_BUSY) status = 503;
    api_fail(c, status, "%s", accounts_error_text(e));
}

struct actor api_actor(struct api_call *c)
{
    char address[48];
    http_address_print(&c->request->client, address);
    return principal_actor(&c->principal, arena_copy(c->arena, span_of(address)));
}

void api_header(struct api_call *c, const char *name, const char *value)
{
    BUG_IF(c->extra_count == COUNT(c->extra));
    struct span copy = arena_copy(c->arena, span_of(value));
    c->extra[c->extra_count++] = (struct http_header){span_of(name), copy};
}

static bool name_matches(struct span encoded, const char *name, struct arena *arena)
{
    struct span decoded = http_query_decode(encoded, arena);
    if (span_ends(decoded, SPAN("[]"))) decoded.len -= 2;
    return span_is(decoded, name);
}

bool api_params_fit(struct api_call *c)
{
    struct span rest = c->request->query, key, value;
    size_t n = 0;
    while (http_query_next(&rest, &key, &value)) n++;
    if (n <= PARAMS_MAX) return true;
    api_fail(c, 400, "A request may have at most %d parameters.", PARAMS_MAX);
    return false;
}

struct api_params api_params(struct api_call *c, const char *name)
{
    struct span found[PARAMS_MAX], rest = c->request->query, key, value;
    size_t n = 0;
    while (http_query_next(&rest, &key, &value))
        if (n < PARAMS_MAX && name_matches(key, name, c->arena)) found[n++] = http_query_decode(value, c->arena);
    struct api_params out = {.count = n};
    if (n == 0) return out;
    out.values = arena_alloc(c->arena, n * sizeof found[0]);
    if (out.values == NULL) return (struct api_params){NULL, 0};
    memcpy(out.values, found, n * sizeof found[0]);
    return out;
}

struct span api_param(struct api_call *c, const char *name)
{
    struct api_params all = api_params(c, name);
    return all.count && all.values[all.count - 1].len ? all.values[all.count - 1] : (struct span){NULL, 0};
}

/* A whole number of any length; beyond int64 the nearest one. */
static bool whole_clamped(struct span text, int64_t *out)
{
    if (span_to_i64(text, out)) return true;
    bool negative = text.len && text.ptr[0] == '-';
    size_t i = negative || (text.len && text.ptr[0] == '+');
    if (i == text.len) return false;
    for (; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
    *out = negative ? INT64_MIN : INT64_MAX;
    return true;
}

static bool whole_number(struct api_call *c, const char *name, uint32_t otherwise, uint32_t *out)
{
    struct span text = api_param(c, name);
    int64_t v;
    *out = otherwise;
    if (text.len == 0) return true;
    if (!whole_clamped(text, &v)) {
        api_fail(c, 400, "%s has to be a whole number.", name);
        return false;
    }
    if (v >= 1) *out = v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
    return true;
}

bool api_limit(struct api_call *c, uint32_t limit_default, uint32_t limit_max, uint32_t *limit)
{
    if (!whole_number(c, "limit", limit_default, limit)) return false;
    if (*limit > limit_max) *limit = limit_max;
    return true;
}

bool api_paging(struct api_call *c, uint32_t limit_default, uint32_t limit_max, uint32_t *limit, uint32_t *page)
{
    return api_limit(c, limit_default, limit_max, limit) && whole_number(c, "page", 1, page);
}

bool api_descending(struct api_call *c, bool otherwise, bool *descending)
{
    struct span text = api_param(c, "order_direction");
    *descending = otherwise;
    if (text.len == 0) return true;
    *descending = span_is(text, "desc");
    if (*descending || span_is(text, "asc")) return true;
    api_fail(c, 400, "order_direction has to be asc or desc.");
    return false;
}

const struct json_node *api_body_json(struct api_call *c, struct json_doc *doc)
{
    const char *why = NULL;
    if (c->request->body_cut) {
        api_fail(c, 413, "The body is too large.");
        return NULL;
    }
    if (c->parser == NULL) c->parser = json_parser_new();
    if (!json_parse(c->parser, c->request->body, BODY_NODES_MAX, doc, &why)) {
        api_fail_bad_request(c, "The body is not readable as JSON: %s.", why);
        return NULL;
    }
    if (json_is(doc->nodes, JSON_OBJECT)) return doc->nodes;
    api_fail_bad_request(c, "The body has to be a JSON object.");
    return NULL;
}

void api_timeframe(struct api_call *c, int64_t start_s, int64_t end_s_exclusive)
{
    jw_key(&c->json, "timeframe"), jw_array(&c->json);
    jw_int(&c->json, start_s), jw_int(&c->json, end_s_exclusive - 1);
    jw_array_end(&c->json);
}

void api_timeframe_now(struct api_call *c)
{
    int64_t now_s = c->now_ms / 1000;
    c->moving_from = c->body.len;
    api_timeframe(c, now_s - SHOWN_WINDOW_S, now_s + 1);
    c->moving_to = c->body.len;
}

void api_total(struct api_call *c, int64_t rows)
{
    jw_key(&c->json, "total_row_count"), jw_int(&c->json, rows);
}
