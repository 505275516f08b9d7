/* SPDX-License-Identifier: Apache-2.0
 * A request's way: loop thread (route) -> pool thread (credential, handler) -> answer. */
#include "api/answers.h"
#include "api/exporter.h"
#include "api/internal.h"
#include "api/limits.h"
#include "api/mail.h"
#include "api/rewriter.h"
#include "api/setup.h"
#include "api/sweeper.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/pool.h"
#include "query/tables.h"
#include "query/vast.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    ANSWER_BYTES_MAX = 256 * 1024 * 1024,
    CACHE_BYTES_MAX = 64 * 1024 * 1024,
    WAITING_MAX = 1000,
    HASHING_THREADS = 2,
    HASHING_WAITING_MAX = 16,
    ETAG_MAX = 24
};

struct api {
    struct api_options options;
    char *public_url, *data_dir;
    struct pool *questions, *hashing;
    struct rewriter *rewriter;
    struct exporter *exporter;
    struct answers *answers;
    struct vast *vast;
    struct sweeper *sweeper;
    struct mail *mail;
    struct setup *setup;
    struct limits *limits;
};

struct api_job {
    struct api_call call;
    const struct route *route;
    struct http_ticket ticket;
};

static const char *const api_segments[] = {"data", "system",   "api",     "video", "counts",
                                           "v1",   "sessions", "session", "docs",  "openapi.json"};

bool api_owns(struct span path)
{
    struct span rest = span_from(path, 1);
    ptrdiff_t slash = span_find(rest, '/');
    struct span first = slash < 0 ? rest : span_upto(rest, (size_t)slash);
    for (size_t i = 0; i < COUNT(api_segments); i++)
        if (span_is(first, api_segments[i])) return true;
    return span_is(first, "metrics") && slash > 0; /* /metrics alone is for Prometheus */
}

static void cors_headers(struct api_call *c)
{
    struct span origin = http_header(c->request, "Origin");
    if (origin.len == 0 || origin.len > 256) return;
    if (!accounts_origin_allowed(c->accounts, span_of(c->environment_id), origin)) return;
    struct span copy = arena_copy(c->arena, origin);
    if (copy.ptr == NULL) return;
    api_header(c, "Access-Control-Allow-Origin", copy.ptr);
    api_header(c, "Vary", "Origin");
}

/* Same body as the client has: 304. Only for successful reads. A timeframe that moves with the clock is left out, else
 * nothing would ever be the same; without it the bytes are not all told, so such a tag is a weak one. */
static bool not_modified(struct api_call *c, char etag[ETAG_MAX])
{
    if (c->status != 200 || (c->request->method != HTTP_M_GET && c->request->method != HTTP_M_HEAD)) return false;
    struct span body = buf_span(&c->body);
    uint64_t hash = c->file > 0 ? c->file_tag : hash64(c->moving_to ? span_upto(body, c->moving_from) : body, 0);
    if (c->moving_to) hash = hash64(span_from(body, c->moving_to), hash);
    const char *weak = c->moving_to ? "W/" : "";
    (void)snprintf(etag, ETAG_MAX, "%s\"%016llx\"", weak, (unsigned long long)hash);
    struct span known = http_header(c->request, "If-None-Match"), opaque = span_of(etag + strlen(weak));
    /* Compared weakly (RFC 9110, 13.1.2): by what stands between the quotes. */
    return known.len && (span_is(known, "*") || span_find_span(known, opaque) >= 0);
}

static const char *content_type(const struct api_call *c)
{
    return c->content_type && !c->failed ? c->content_type : "application/json; charset=utf-8";
}

static void call_answer(struct api_job *job)
{
    struct api_call *c = &job->call;
    char etag[ETAG_MAX] = "";
    if (c->body.failed) {
        c->failed = false;
        c->body.failed = false;
        api_fail(c, 500, "The answer is too large.");
    }
    if (c->keeps && !c->failed && c->status == 200)
        answers_put(c->api->answers, c->kept_as, c->generation, buf_span(&c->body));
    if (c->environment_id[0]) cors_headers(c);
    if (not_modified(c, etag)) {
        c->status = 304;
        buf_clear(&c->body);
    }
    struct http_header headers[8];
    size_t n = 0;
    for (; n < c->extra_count; n++) headers[n] = c->extra[n];
    headers[n++] = (struct http_header){SPAN("Cache-Control"), SPAN("private, no-cache")};
    if (etag[0]) headers[n++] = (struct http_header){SPAN("ETag"), span_of(etag)};
    bool body = c->status != 204 && c->status != 304, file = body && c->file > 0;
    size_t len = 0;
    char *text = body && !file ? buf_take(&c->body, &len) : NULL;
    if (c->file > 0 && !file) (void)close(c->file);
    struct http_reply reply = {.status = c->status,
                               .headers = headers,
                               .header_count = n,
                               .content_type = body ? content_type(c) : NULL,
                               .body = {text, file ? c->file_bytes : len},
                               .body_owned = text,
                               .body_file = file ? c->file : 0};
    buf_free(&c->body);
    json_parser_free(c->parser);
    struct http_ticket ticket = job->ticket;
    job->call.principal = (struct principal){0};
    http_finish(ticket, &reply); /* the request, and with it the job, may be gone from here on */
}

static void call_run(void *ctx, void *item)
{
    (void)ctx;
    struct api_job *job = item;
    job->call.now_ms = wall_now_ms();
    if (api_authorize(&job->call, job->route) && api_params_fit(&job->call)) job->route->handler(&job->call);
    call_answer(job);
}

struct api *api_new(const struct api_options *options)
{
    struct api *a = calloc(1, sizeof *a);
    BUG_IF(a == NULL);
    a->options = *options;
    a->public_url = strdup(options->public_url);
    a->data_dir = strdup(options->data_dir);
    BUG_IF(a->public_url == NULL || a->data_dir == NULL);
    a->questions = pool_new(options->query_threads, WAITING_MAX, call_run, a);
    a->hashing = pool_new(HASHING_THREADS, HASHING_WAITING_MAX, call_run, a);
    a->answers = answers_new(CACHE_BYTES_MAX);
    a->vast = vast_new();
    a->rewriter = rewriter_new(options->accounts, options->store);
    struct exporter_options exports = {.accounts = options->accounts, .store = options->store, .data_dir = a->data_dir};
    a->exporter = exporter_new(&exports);
    a->sweeper = sweeper_new(options->accounts, options->store, a->data_dir);
    struct mail_options mail = {
        .accounts = options->accounts, .smtp_url = options->smtp_url, .from = options->smtp_from};
    a->mail = mail_new(&mail);
    a->setup = setup_new();
    a->limits = limits_new(options->rate_limit);
    return a;
}

struct vast *api_vast(struct api *a)
{
    return a->vast;
}

struct answers *api_answers(struct api *a)
{
    return a->answers;
}

struct sweeper *api_sweeper(struct api *a)
{
    return a->sweeper;
}

struct mail *api_mail(struct api *a)
{
    return a->mail;
}

struct setup *api_setup(struct api *a)
{
    return a->setup;
}

const char *api_setup_code(const struct api *a)
{
    return setup_code(a->setup);
}

struct limits *api_limits(struct api *a)
{
    return a->limits;
}

struct exporter *api_exporter(struct api *a)
{
    return a->exporter;
}

struct rewriter *api_rewriter(struct api *a)
{
    return a->rewriter;
}

void api_set_public_url(struct api *a, const char *public_url)
{
    free(a->public_url);
    a->public_url = strdup(public_url);
    BUG_IF(a->public_url == NULL);
}

void api_free(struct api *a)
{
    if (a == NULL) return;
    pool_stop(a->questions);
    pool_stop(a->hashing);
    rewriter_free(a->rewriter);
    exporter_free(a->exporter);
    answers_free(a->answers);
    vast_free(a->vast);
    sweeper_free(a->sweeper);
    mail_free(a->mail);
    setup_free(a->setup);
    limits_free(a->limits);
    free(a->public_url);
    free(a->data_dir);
    free(a);
}

static struct api_job *job_new(struct api *a, struct http_request *r)
{
    struct api_job *job = arena_alloc(r->arena, sizeof *job);
    if (job == NULL) return NULL;
    *job = (struct api_job){.call = {.api = a,
                                     .accounts = a->options.accounts,
                                     .store = a->options.store,
                                     .collector = a->options.collector,
                                     .watching = a->options.watching,
                                     .public_url = a->public_url,
                                     .data_dir = a->data_dir,
                                     .request = r,
                                     .arena = r->arena,
                                     .status = 200}};
    buf_init(&job->call.body, ANSWER_BYTES_MAX);
    jw_init(&job->call.json, &job->call.body);
    return job;
}

static void preflight_answer(struct api *a, struct http_request *r)
{
    struct span origin = http_header(r, "Origin");
    bool any = span_is(r->path, "/counts"); /* its token is in the address */
    bool allowed = any || (origin.len && accounts_origin_allowed(a->options.accounts, (struct span){NULL, 0}, origin));
    if (any) origin = SPAN("*");
    struct http_header headers[] = {
        {SPAN("Access-Control-Allow-Origin"), origin},
        {SPAN("Access-Control-Allow-Methods"), SPAN("GET, POST, PATCH, DELETE")},
        {SPAN("Access-Control-Allow-Headers"), SPAN("authorization, beta-auth-token, content-type, x-environment-id")},
        {SPAN("Access-Control-Max-Age"), SPAN("600")},
        {SPAN("Vary"), SPAN("Origin")},
    };
    http_reply(r,
               &(struct http_reply){.status = 204, .headers = headers, .header_count = allowed ? COUNT(headers) : 0});
}

/* Answers a call that failed on the loop thread. */
static void answer_failed(struct api_job *job)
{
    struct http_reply reply = {.status = job->call.status,
                               .content_type = "application/json; charset=utf-8",
                               .headers = job->call.extra,
                               .header_count = job->call.extra_count,
                               .body = buf_span(&job->call.body)};
    http_reply(job->call.request, &reply);
    buf_free(&job->call.body);
    json_parser_free(job->call.parser);
}

static void answer_now(struct api_job *job, int status, const char *message)
{
    api_fail(&job->call, status, "%s", message);
    answer_failed(job);
}

/* A 405 has to name the methods that the path does have (RFC 9110, 15.5.6). */
static void answer_other_method(struct api_job *job, struct span raw_path)
{
    static const struct {
        enum http_method method;
        const char *names;
    } methods[] = {{HTTP_M_GET, "GET, HEAD"},
                   {HTTP_M_POST, "POST"},
                   {HTTP_M_PUT, "PUT"},
                   {HTTP_M_PATCH, "PATCH"},
                   {HTTP_M_DELETE, "DELETE"}};
    const struct route *route;
    struct span arguments[API_ARGUMENTS_MAX];
    char allow[64] = "OPTIONS";
    size_t len = strlen(allow);
    for (size_t i = 0; i < COUNT(methods); i++)
        if (route_find(methods[i].method, raw_path, job->call.arena, &route, arguments) == ROUTE_FOUND)
            len += (size_t)snprintf(allow + len, sizeof allow - len, ", %s", methods[i].names);
    BUG_IF(len >= sizeof allow);
    api_header(&job->call, "Allow", allow);
    answer_now(job, 405, "This path exists, but not with this method.");
}

void api_handle(struct api *a, struct http_request *r)
{
    if (r->method == HTTP_M_OPTIONS) {
        preflight_answer(a, r);
        return;
    }
    struct api_job *job = job_new(a, r);
    if (job == NULL) {
        http_reply(r, &(struct http_reply){.status = 503});
        return;
    }
    ptrdiff_t question = span_find(r->target, '?');
    struct span raw_path = question < 0 ? r->target : span_upto(r->target, (size_t)question);
    switch (route_find(r->method, raw_path, r->arena, &job->route, job->call.arguments)) {
    case ROUTE_UNKNOWN: answer_now(job, 404, "There is nothing here."); return;
    case ROUTE_OTHER_METHOD: answer_other_method(job, raw_path); return;
    case ROUTE_FOUND: break;
    }
    if (job->route->handler == api_session_create && !api_sign_in_admit(&job->call)) {
        answer_failed(job);
        return;
    }
    struct pool *pool = job->route->hashes ? a->hashing : a->questions;
    job->ticket = http_defer(r);
    if (pool_submit(pool, job)) return;
    api_fail(&job->call, 503, "Too many requests wait already. Try again shortly.");
    call_answer(job);
}
