/* SPDX-License-Identifier: Apache-2.0
 * A connection's life: accepted, read, its requests handed to the handler one after the other, closed. Everything runs
 * on the loop's thread. */
#include "http/internal.h"
#include "http/proxy.h"

#include "base/counters.h"
#include "base/log.h"

#include <stdlib.h>

bool http_connection_takes(const struct http_connection *c)
{
    return c->phase == HTTP_P_IDLE || c->phase == HTTP_P_HEAD || c->phase == HTTP_P_BODY;
}

void http_connection_phase(struct http_connection *c, enum http_phase phase, int timeout_ms)
{
    c->phase = phase;
    c->deadline_ms = timeout_ms > 0 ? uv_now(&c->loop->uv) + (uint64_t)timeout_ms : UINT64_MAX;
}

/* Bytes that wait for their turn count as request memory too. */
static void pending_drop(struct http_connection *c)
{
    if (c->pending.cap == 0) return;
    (void)atomic_fetch_sub_explicit(&c->loop->server->memory_bytes, c->pending.len, memory_order_relaxed);
    buf_free(&c->pending);
    c->pending_at = 0;
}

static void pending_keep(struct http_connection *c, const char *bytes, size_t len)
{
    struct http_server *s = c->loop->server;
    size_t before = atomic_fetch_add_explicit(&s->memory_bytes, len, memory_order_relaxed);
    buf_add(&c->pending, bytes, len);
    BUG_IF(c->pending.failed);
    if (before + len <= s->limits.memory_bytes_max) return;
    /* A request is under way, so no error can be answered in between. */
    counter_add(COUNTER_http_bad_requests_total, 1);
    http_connection_close(c);
}

static void on_closed(uv_handle_t *handle)
{
    struct http_connection *c = (struct http_connection *)handle;
    struct http_loop *loop = c->loop;
    struct http_server *s = loop->server;
    if (c->exchange) http_exchange_release(c->exchange);
    SSL_free(c->ssl);
    buf_free(&c->cipher);
    buf_free(&c->proxy);
    pending_drop(c);
    if (c->peer_counted) http_peers_leave(s->peers, &c->client);
    (void)atomic_fetch_sub_explicit(&s->connections, 1, memory_order_relaxed);
    counter_add(COUNTER_http_connections, -1);
    loop->connection_count--;
    c->magic = 0;
    if (loop->free_connection_count >= HTTP_FREE_MAX) {
        free(c);
        return;
    }
    c->next = loop->free_connections;
    loop->free_connections = c;
    loop->free_connection_count++;
}

void http_connection_close(struct http_connection *c)
{
    if (c->phase == HTTP_P_CLOSED) return;
    struct http_loop *loop = c->loop;
    if (c->prev) c->prev->next = c->next;
    else loop->connections = c->next;
    if (c->next) c->next->prev = c->prev;
    if (c->phase == HTTP_P_HANDLING) {
        /* Its ticket is out: whoever holds it still reads the request, and the answer will be dropped. */
        BUG_IF(!c->exchange->deferred);
        c->exchange->connection = NULL;
        c->exchange = NULL;
    }
    c->phase = HTTP_P_CLOSED;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

void http_connection_ended(struct http_connection *c)
{
    c->eof = true;
    if (c->phase != HTTP_P_HANDLING && c->phase != HTTP_P_WRITING) http_connection_close(c);
}

void http_connection_refuse(struct http_connection *c, int status, const char *why)
{
    counter_add(COUNTER_http_bad_requests_total, 1);
    if (c->exchange == NULL) (void)http_exchange_take(c);
    c->linger = true;
    http_reply_build_error(c->exchange, status, why);
    http_send(c);
}

static void connection_dispatch(struct http_connection *c)
{
    struct http_exchange *e = c->exchange;
    const struct http_config *config = &c->loop->server->config;
    http_connection_phase(c, HTTP_P_HANDLING, 0);
    config->handler(config->ctx, &e->request);
    /* Answered, or promised. */
    BUG_IF(c->phase == HTTP_P_HANDLING && !c->exchange->deferred);
}

/* Parses and dispatches until a request is under way. Returns the bytes used. */
static size_t connection_run(struct http_connection *c, const char *bytes, size_t len)
{
    const struct http_limits *limits = &c->loop->server->limits;
    size_t at = 0;
    while (at < len && http_connection_takes(c)) {
        if (c->phase == HTTP_P_IDLE) {
            if (bytes[at] == '\r' || bytes[at] == '\n') { /* old clients end a body with an extra line end */
                at++;
                continue;
            }
            http_parse_begin(c);
            http_connection_phase(c, HTTP_P_HEAD, limits->header_timeout_ms);
        }
        size_t used = 0;
        enum http_parse result = http_parse_feed(c, bytes + at, len - at, &used);
        at += used;
        switch (result) {
        case HTTP_PARSE_MORE: BUG_IF(at != len); break;
        case HTTP_PARSE_BODY:
            http_connection_phase(c, HTTP_P_BODY, limits->body_timeout_ms);
            if (c->exchange->expect_continue && at == len) http_send_interim(c, SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
            break;
        case HTTP_PARSE_DONE: connection_dispatch(c); break;
        case HTTP_PARSE_REFUSED: http_connection_refuse(c, c->refuse_status, c->refuse_why); return len;
        }
    }
    return at;
}

void http_connection_feed(struct http_connection *c, const char *bytes, size_t len)
{
    BUG_IF(c->feeding);
    c->feeding = true;
    size_t used = connection_run(c, bytes, len);
    c->feeding = false;
    bool wanted = c->phase == HTTP_P_HANDLING || c->phase == HTTP_P_WRITING;
    if (used < len && wanted) pending_keep(c, bytes + used, len - used);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct http_connection *c = (struct http_connection *)handle;
    (void)suggested;
    *buf = uv_buf_init(c->loop->read, sizeof c->loop->read);
}

static void connection_input(struct http_connection *c, const char *bytes, size_t len)
{
    if (c->loop->server->tls) http_tls_input(c, bytes, len);
    else http_connection_feed(c, bytes, len);
}

/* The client's address is known: false when it has far too many connections. One of a few too many has its first
 * request answered, since players send whatever was not answered again, for ever. */
static bool connection_admit(struct http_connection *c)
{
    struct http_server *s = c->loop->server;
    size_t max = s->limits.connections_per_address_max;
    c->trusted = http_networks_have(&s->trusted, &c->client);
    if (c->trusted || max == 0) return true; /* many clients share a proxy */
    size_t count = http_peers_enter(s->peers, &c->client, max * HTTP_CROWD);
    c->peer_counted = count > 0;
    c->crowded = count > max;
    if (count == 0 || c->crowded) counter_add(COUNTER_http_connections_address_refused_total, 1);
    return c->peer_counted;
}

void http_connection_idle(struct http_connection *c)
{
    const struct http_limits *limits = &c->loop->server->limits;
    int idle_ms = limits->idle_timeout_ms;
    if (c->crowded && limits->header_timeout_ms < idle_ms) idle_ms = limits->header_timeout_ms;
    http_connection_phase(c, HTTP_P_IDLE, idle_ms);
}

static void connection_ready(struct http_connection *c)
{
    if (c->loop->server->tls) http_connection_phase(c, HTTP_P_START, c->loop->server->limits.header_timeout_ms);
    else http_connection_idle(c);
}

static void connection_proxy(struct http_connection *c, const char *bytes, size_t len)
{
    size_t before = c->proxy.len, used = 0;
    size_t take = len < HTTP_PROXY_BYTES_MAX - before ? len : HTTP_PROXY_BYTES_MAX - before;
    struct http_address client = c->client;
    bool known = false;
    buf_add(&c->proxy, bytes, take);
    enum http_proxy result = http_proxy_parse(buf_span(&c->proxy), &client, &known, &used);
    if (result == HTTP_PROXY_MORE && c->proxy.len < HTTP_PROXY_BYTES_MAX) return;
    if (result == HTTP_PROXY_OK && known) c->client = client;
    if (result != HTTP_PROXY_OK) counter_add(COUNTER_http_bad_requests_total, 1);
    if (result != HTTP_PROXY_OK || !connection_admit(c)) {
        http_connection_close(c);
        return;
    }
    BUG_IF(used < before);
    c->wants_proxy = false;
    buf_free(&c->proxy);
    connection_ready(c);
    if (used - before < len) connection_input(c, bytes + (used - before), len - (used - before));
}

/* While a request is under way a little is read on, to notice a client that left; more than that waits in the kernel.
 */
static void connection_pause(struct http_connection *c)
{
    if (c->phase != HTTP_P_HANDLING && c->phase != HTTP_P_WRITING) return;
    bool waiting = c->pending.len > c->pending_at;
    if (c->ssl && BIO_ctrl_pending(SSL_get_rbio(c->ssl)) > 0) waiting = true;
    if (!waiting || !c->reading) return;
    (void)uv_read_stop((uv_stream_t *)&c->tcp);
    c->reading = false;
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct http_connection *c = (struct http_connection *)stream;
    BUG_IF(c->magic != HTTP_CONNECTION_MAGIC);
    if (got == 0) return;
    if (got == UV_EOF) {
        c->reading = false;
        http_connection_ended(c);
        return;
    }
    if (got < 0) {
        http_connection_close(c);
        return;
    }
    if (c->phase == HTTP_P_LINGER) return;
    if (c->wants_proxy) connection_proxy(c, buf->base, (size_t)got);
    else connection_input(c, buf->base, (size_t)got);
    connection_pause(c);
}

void http_connection_resume(struct http_connection *c)
{
    if (c->feeding) return;
    while (c->pending_at < c->pending.len && http_connection_takes(c)) {
        c->feeding = true;
        c->pending_at += connection_run(c, c->pending.ptr + c->pending_at, c->pending.len - c->pending_at);
        c->feeding = false;
    }
    if (c->phase == HTTP_P_CLOSED) return;
    if (c->pending_at == c->pending.len) pending_drop(c);
    if (c->handshaken && http_connection_takes(c)) http_tls_resume(c);
    if (c->phase == HTTP_P_CLOSED) return;
    if (c->eof && http_connection_takes(c)) {
        http_connection_close(c); /* nothing more will come */
        return;
    }
    if (c->reading || c->eof || !(http_connection_takes(c) || c->phase == HTTP_P_LINGER)) return;
    c->reading = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) == 0;
    if (!c->reading) http_connection_close(c);
}

void http_connection_tick(struct http_connection *c, uint64_t now_ms)
{
    const struct http_limits *limits = &c->loop->server->limits;
    size_t queue = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
    switch (c->phase) {
    case HTTP_P_HEAD:
    case HTTP_P_BODY:
        if (now_ms < c->deadline_ms) break;
        counter_add(COUNTER_http_timeouts_total, 1);
        http_connection_refuse(c, 408, "The request did not arrive in time");
        break;
    case HTTP_P_WRITING:
        if (now_ms < c->deadline_ms) break;
        if (queue < c->queue_bytes) { /* slow, but reading */
            c->queue_bytes = queue;
            c->deadline_ms = now_ms + (uint64_t)limits->write_timeout_ms;
            break;
        }
        counter_add(COUNTER_http_timeouts_total, 1);
        http_connection_close(c);
        break;
    case HTTP_P_START:
        if (now_ms < c->deadline_ms) break;
        counter_add(COUNTER_http_timeouts_total, 1);
        http_connection_close(c);
        break;
    case HTTP_P_IDLE:
    case HTTP_P_LINGER:
        if (now_ms >= c->deadline_ms) http_connection_close(c);
        break;
    case HTTP_P_HANDLING:
    case HTTP_P_CLOSED: break;
    }
}

static struct http_connection *connection_take(struct http_loop *loop)
{
    struct http_connection *c = loop->free_connections;
    if (c) {
        loop->free_connections = c->next;
        loop->free_connection_count--;
    } else {
        c = malloc(sizeof *c);
        BUG_IF(c == NULL);
    }
    memset(c, 0, sizeof *c);
    c->magic = HTTP_CONNECTION_MAGIC;
    c->loop = loop;
    c->deadline_ms = UINT64_MAX;
    buf_init(&c->proxy, HTTP_PROXY_BYTES_MAX);
    buf_init(&c->pending, HTTP_READ_BYTES);
    buf_init(&c->cipher, SIZE_MAX / 4);
    BUG_IF(uv_tcp_init(&loop->uv, &c->tcp) != 0);
    c->next = loop->connections;
    if (c->next) c->next->prev = c;
    loop->connections = c;
    loop->connection_count++;
    return c;
}

void http_connection_accept(struct http_loop *loop, uv_stream_t *listener)
{
    struct http_server *s = loop->server;
    struct http_connection *c = connection_take(loop);
    size_t before = atomic_fetch_add_explicit(&s->connections, 1, memory_order_relaxed);
    counter_add(COUNTER_http_connections, 1);
    int rc = uv_accept(listener, (uv_stream_t *)&c->tcp);
    if (rc != 0) LOG_WRN("http_accept_failed", "error=%s", uv_err_name(rc));
    struct sockaddr_storage from;
    int from_len = sizeof from;
    bool ok = rc == 0 && before < s->limits.connections_max;
    if (rc == 0 && !ok) counter_add(COUNTER_http_connections_refused_total, 1);
    ok = ok && uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&from, &from_len) == 0;
    if (ok) {
        http_address_from((const struct sockaddr *)&from, &c->client);
        c->wants_proxy = s->config.proxy_protocol && http_networks_have(&s->trusted, &c->client);
        ok = c->wants_proxy || connection_admit(c);
        (void)uv_tcp_nodelay(&c->tcp, 1);
    }
    if (ok) {
        connection_ready(c);
        if (c->wants_proxy) http_connection_phase(c, HTTP_P_START, s->limits.header_timeout_ms);
        c->reading = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) == 0;
        ok = c->reading;
    }
    if (!ok) http_connection_close(c);
}
