/* SPDX-License-Identifier: Apache-2.0
 * Replies: their bytes, and their way from other threads to the loop that owns the connection. A reply is built by
 * whoever answers; only its date is filled in by the loop. */
#include "http/internal.h"

#include "base/counters.h"
#include "base/json.h"

#include <stdlib.h>
#include <unistd.h>

#define REPLY_DATE "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
enum { REPLY_DATE_AT = sizeof "Date: " - 1 };

static const char *reason_of(int status)
{
    switch (status) {
#define XX(number, name, text)                                                                                         \
    case number: return #text;
        HTTP_STATUS_MAP(XX)
#undef XX
    default: return "Unknown";
    }
}

static void add_number(struct buf *out, uint64_t v)
{
    char digits[20];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    buf_add(out, digits + at, sizeof digits - at);
}

/* A line break in a value would let it write headers of its own. */
static void add_value(struct buf *out, struct span value)
{
    size_t from = out->len;
    buf_add_span(out, value);
    for (size_t i = from; i < out->len; i++) {
        char c = out->ptr[i];
        if (c == '\r' || c == '\n' || c == 0) out->ptr[i] = ' ';
    }
}

static void add_header(struct buf *out, struct span name, struct span value)
{
    add_value(out, name);
    buf_add(out, ": ", 2);
    add_value(out, value);
    buf_add(out, "\r\n", 2);
}

static void reply_build_head(struct http_exchange *e, const struct http_reply *reply, bool has_length)
{
    struct buf *out = &e->out;
    buf_adds(out, "HTTP/1.1 ");
    add_number(out, (uint64_t)reply->status);
    buf_addc(out, ' ');
    buf_adds(out, reason_of(reply->status));
    buf_add(out, "\r\n", 2);
    e->date_at = out->len + REPLY_DATE_AT;
    buf_add(out, REPLY_DATE, sizeof REPLY_DATE - 1);
    if (reply->content_type) add_header(out, SPAN("Content-Type"), span_of(reply->content_type));
    if (has_length) {
        buf_adds(out, "Content-Length: ");
        add_number(out, reply->body.len);
        buf_add(out, "\r\n", 2);
    }
    if (e->close_after) buf_adds(out, "Connection: close\r\n");
    else if (e->minor_0) buf_adds(out, "Connection: keep-alive\r\n");
    for (size_t i = 0; i < reply->header_count; i++) add_header(out, reply->headers[i].name, reply->headers[i].value);
    buf_add(out, "\r\n", 2);
}

void http_reply_build(struct http_exchange *e, const struct http_reply *reply)
{
    BUG_IF(reply->status < 200 || reply->status > 599);
    bool draining = atomic_load_explicit(&e->loop->draining, memory_order_relaxed);
    e->close_after = reply->close || !e->keep_alive || draining || e->request.crowded;
    bool bodiless = reply->status == 204 || reply->status == 304;
    buf_clear(&e->out);
    reply_build_head(e, reply, !bodiless);
    bool send_body = !bodiless && e->request.method != HTTP_M_HEAD;
    e->owned = reply->body_owned;
    e->file = send_body ? reply->body_file : 0;
    e->file_at = 0;
    e->file_end = e->file > 0 ? reply->body.len : 0;
    if (!send_body && reply->body_file > 0) (void)close(reply->body_file);
    BUG_IF(reply->body_owned && reply->body_file > 0);
    if (send_body && reply->body_owned) e->owned_body = reply->body;
    if (send_body && !reply->body_owned && reply->body_file <= 0) buf_add_span(&e->out, reply->body);
    BUG_IF(e->out.failed);
}

static const char *error_type(int status)
{
    switch (status) {
    case 408: return "request_timeout";
    case 413: return "payload_too_large";
    case 503: return "service_unavailable";
    default: return "bad_request";
    }
}

void http_reply_build_error(struct http_exchange *e, int status, const char *why)
{
    struct buf body;
    struct jw w;
    buf_init(&body, 4096);
    jw_init(&w, &body);
    jw_object(&w);
    jw_key(&w, "error");
    jw_object(&w);
    jw_key(&w, "type");
    jw_text(&w, error_type(status));
    jw_key(&w, "messages");
    jw_array(&w);
    jw_text(&w, why);
    jw_array_end(&w);
    jw_object_end(&w);
    jw_object_end(&w);
    struct http_header retry = {SPAN("Retry-After"), SPAN("5")};
    http_reply_build(e, &(struct http_reply){.status = status,
                                             .content_type = "application/json",
                                             .headers = &retry,
                                             .header_count = status == 503,
                                             .body = buf_span(&body),
                                             .close = true});
    buf_free(&body);
}

void http_reply(struct http_request *r, const struct http_reply *reply)
{
    struct http_exchange *e = http_exchange_of(r);
    struct http_connection *c = e->connection;
    BUG_IF(e->deferred);
    BUG_IF(c == NULL || c->phase != HTTP_P_HANDLING);
    http_reply_build(e, reply);
    http_send(c);
}

struct http_ticket http_defer(struct http_request *r)
{
    struct http_exchange *e = http_exchange_of(r);
    BUG_IF(e->deferred);
    BUG_IF(e->connection == NULL || e->connection->phase != HTTP_P_HANDLING);
    e->deferred = true;
    e->loop->tickets++;
    return (struct http_ticket){r};
}

/* A list of answered exchanges of one loop. */
struct chain {
    struct http_loop *loop;
    struct http_exchange *first, *last;
    size_t count;
};

static void chain_add(struct chain *chain, struct http_exchange *e)
{
    e->next = NULL;
    if (chain->last) chain->last->next = e;
    else chain->first = e;
    chain->last = e;
    chain->count++;
}

static void chain_send(struct chain *chain)
{
    struct http_loop *loop = chain->loop;
    (void)pthread_mutex_lock(&loop->lock);
    if (loop->dead) {
        for (struct http_exchange *e = chain->first, *next; e; e = next) {
            next = e->next;
            http_exchange_free(e);
        }
        http_loop_drop(loop, chain->count);
        return;
    }
    bool was_empty = loop->finished == NULL;
    if (was_empty) loop->finished = chain->first;
    else loop->finished_last->next = chain->first;
    loop->finished_last = chain->last;
    /* Under the lock, so that the loop cannot close the handle in between. */
    if (was_empty) (void)uv_async_send(&loop->wake);
    (void)pthread_mutex_unlock(&loop->lock);
}

static struct http_exchange *ticket_exchange(struct http_ticket ticket)
{
    struct http_exchange *e = http_exchange_of(ticket.request);
    BUG_IF(e->finished);
    e->finished = true;
    return e;
}

void http_finish(struct http_ticket ticket, const struct http_reply *reply)
{
    struct http_exchange *e = ticket_exchange(ticket);
    struct chain chain = {.loop = e->loop};
    http_reply_build(e, reply);
    chain_add(&chain, e);
    chain_send(&chain);
}

/* Whether a reply built for one would be the same bytes for the other. */
static bool reply_same(const struct http_exchange *a, const struct http_exchange *b)
{
    bool heads = a->request.method == HTTP_M_HEAD || b->request.method == HTTP_M_HEAD;
    return !heads && a->keep_alive == b->keep_alive && a->minor_0 == b->minor_0 && a->loop == b->loop;
}

void http_finish_many(const struct http_ticket *tickets, size_t n, const struct http_reply *reply)
{
    struct chain chains[HTTP_LOOPS_MAX] = {{.loop = NULL}};
    size_t count = 0;
    struct http_reply each = *reply;
    each.body_owned = NULL; /* many requests cannot own one body */
    BUG_IF(reply->body_file > 0);
    for (size_t i = 0; i < n; i++) {
        struct http_exchange *e = ticket_exchange(tickets[i]);
        size_t at = 0;
        while (at < count && chains[at].loop != e->loop) at++;
        BUG_IF(at == HTTP_LOOPS_MAX); /* tickets of one server */
        if (at == count) chains[count++].loop = e->loop;
        const struct http_exchange *model = chains[at].last;
        if (model != NULL && reply_same(model, e)) {
            buf_clear(&e->out);
            buf_add_span(&e->out, buf_span(&model->out));
            e->date_at = model->date_at;
            e->close_after = model->close_after;
        } else {
            http_reply_build(e, &each);
        }
        chain_add(&chains[at], e);
    }
    for (size_t i = 0; i < count; i++) chain_send(&chains[i]);
    free(reply->body_owned);
}

void http_reply_take_finished(struct http_loop *loop)
{
    (void)pthread_mutex_lock(&loop->lock);
    struct http_exchange *e = loop->finished;
    loop->finished = loop->finished_last = NULL;
    (void)pthread_mutex_unlock(&loop->lock);
    while (e) {
        struct http_exchange *next = e->next;
        e->next = NULL;
        BUG_IF(!e->deferred);
        BUG_IF(loop->tickets == 0);
        loop->tickets--;
        if (e->connection == NULL) http_exchange_release(e);
        else http_send(e->connection);
        e = next;
    }
}
