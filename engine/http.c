/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- what the parser reports ---- */

static int on_url(http_parser *p, const char *at, size_t len)
{
    struct http_conn *c = p->data;
    buf_add(&c->url, at, len);
    return 0;
}

static int on_header_field(http_parser *p, const char *at, size_t len)
{
    struct http_conn *c = p->data;
    if (c->head_done) {
        return 0; /* a trailer: of no use, and headers are borrowed by now */
    }
    if (c->in_value) {
        buf_add(&c->headers, "", 1);
        c->in_value = false;
    }
    buf_add(&c->headers, at, len);
    return 0;
}

static int on_header_value(http_parser *p, const char *at, size_t len)
{
    struct http_conn *c = p->data;
    if (c->head_done) {
        return 0;
    }
    if (!c->in_value) {
        buf_add(&c->headers, "", 1);
        c->in_value = true;
    }
    buf_add(&c->headers, at, len);
    return 0;
}

/* The parser stops here, so that the request can be looked at before its body is read, and again
 * after the message, so that it leaves the next request alone until this one is answered. */
static int on_headers_complete(http_parser *p)
{
    struct http_conn *c = p->data;
    if (c->in_value) {
        buf_add(&c->headers, "", 1);
        c->in_value = false;
    }
    c->head_done = true;
    http_parser_pause(p, 1);
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t len)
{
    struct http_conn *c = p->data;
    buf_add(&c->body, at, len);
    return 0;
}

static int on_message_complete(http_parser *p)
{
    struct http_conn *c = p->data;
    c->message_done = true;
    http_parser_pause(p, 1);
    return 0;
}

static const http_parser_settings parser_calls = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* ---- reading ---- */

void http_open(struct http_conn *c, int fd)
{
    c->fd = fd;
    c->in_at = 0;
    c->in_len = 0;
    c->keep_alive = true;
    c->close_ends = false;
    buf_init(&c->url, HTTP_URL_BYTES_MAX);
    buf_init(&c->headers, HTTP_HEADER_BYTES_MAX);
    buf_init(&c->body, HTTP_INPUT_BYTES);
    http_parser_init(&c->parser, HTTP_REQUEST);
    c->parser.data = c;
    struct timeval tv = {.tv_sec = HTTP_SEND_MS / 1000};
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
}

void http_close(struct http_conn *c)
{
    buf_fini(&c->url);
    buf_fini(&c->headers);
    buf_fini(&c->body);
    close(c->fd);
    c->fd = -1;
}

/* Fills the input when it is used up. False when the peer is gone or the time is over. */
static bool fill(struct http_conn *c, int64_t deadline_ms)
{
    while (c->in_at == c->in_len) {
        int64_t left = deadline_ms - now_ms();
        struct pollfd pfd = {.fd = c->fd, .events = POLLIN};
        int ready = left <= 0 ? 0 : poll(&pfd, 1, (int)left);
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready <= 0) {
            return false;
        }
        ssize_t n = recv(c->fd, c->in, sizeof c->in, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        c->in_at = 0;
        c->in_len = (size_t)n;
    }
    return true;
}

static enum http_read parse(struct http_conn *c)
{
    c->in_at +=
        http_parser_execute(&c->parser, &parser_calls, c->in + c->in_at, c->in_len - c->in_at);
    enum http_errno wrong = HTTP_PARSER_ERRNO(&c->parser);
    if (wrong == HPE_PAUSED) {
        http_parser_pause(&c->parser, 0);
    }
    if (c->url.full || c->headers.full || wrong == HPE_HEADER_OVERFLOW) {
        return HTTP_READ_LARGE;
    }
    return (wrong == HPE_OK || wrong == HPE_PAUSED) && !c->parser.upgrade ? HTTP_READ_OK
                                                                          : HTTP_READ_BAD;
}

enum http_read http_read_head(struct http_conn *c)
{
    buf_reset(&c->url);
    buf_reset(&c->headers);
    buf_reset(&c->body);
    c->in_value = false;
    c->head_done = false;
    c->message_done = false;
    if (!fill(c, now_ms() + HTTP_IDLE_MS)) {
        return HTTP_READ_CLOSED;
    }
    int64_t deadline_ms = now_ms() + HTTP_HEAD_MS;
    while (!c->head_done) {
        if (!fill(c, deadline_ms)) {
            return HTTP_READ_CLOSED;
        }
        enum http_read got = parse(c);
        if (got != HTTP_READ_OK) {
            return got;
        }
    }
    c->keep_alive = http_should_keep_alive(&c->parser) != 0;
    c->close_ends =
        c->parser.http_major < 1 || (c->parser.http_major == 1 && c->parser.http_minor < 1);
    c->expects_continue = !c->close_ends && span_is(http_header(c, "Expect"), "100-continue");
    return HTTP_READ_OK;
}

struct span http_header(const struct http_conn *c, const char *name)
{
    const char *at = c->headers.data;
    const char *end = at == NULL ? NULL : at + c->headers.len;
    while (at != end) {
        const char *value = at + strlen(at) + 1;
        if (strcasecmp(at, name) == 0) {
            return span_of(value);
        }
        at = value + strlen(value) + 1;
    }
    return (struct span){.ptr = "", .len = 0};
}

static bool send_all(struct http_conn *c, struct iovec *iov, size_t count)
{
    while (count > 0) {
        struct msghdr msg = {.msg_iov = iov, .msg_iovlen = count};
        ssize_t n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        size_t sent = (size_t)n;
        while (count > 0 && sent >= iov->iov_len) {
            sent -= iov->iov_len;
            iov++;
            count--;
        }
        if (count > 0) {
            iov->iov_base = (char *)iov->iov_base + sent;
            iov->iov_len -= sent;
        }
    }
    return true;
}

static struct iovec part(const char *bytes, size_t len)
{
    return (struct iovec){.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
}

static bool send_text(struct http_conn *c, const char *text)
{
    struct iovec iov = part(text, strlen(text));
    return send_all(c, &iov, 1);
}

enum http_read http_read_body(struct http_conn *c, struct span *out)
{
    *out = (struct span){.ptr = "", .len = 0};
    if (c->expects_continue) {
        c->expects_continue = false;
        if (!send_text(c, "HTTP/1.1 100 Continue\r\n\r\n")) {
            return HTTP_READ_CLOSED;
        }
    }
    buf_reset(&c->body);
    while (!c->message_done && c->body.len == 0) {
        if (!fill(c, now_ms() + HTTP_BODY_MS)) {
            c->keep_alive = false;
            return HTTP_READ_CLOSED;
        }
        enum http_read got = parse(c);
        if (got != HTTP_READ_OK || c->body.full) {
            c->keep_alive = false;
            return HTTP_READ_BAD;
        }
    }
    *out = buf_span(&c->body);
    return HTTP_READ_OK;
}

/* ---- answering ---- */

/* Reads the rest of a body that nobody wants, so that the connection can go on. A client that waits
 * for a 100 never sends it. */
static void drain(struct http_conn *c)
{
    size_t drained = 0;
    while (c->keep_alive && !c->message_done) {
        struct span piece;
        if (c->expects_continue || drained > HTTP_DRAIN_BYTES_MAX ||
            http_read_body(c, &piece) != HTTP_READ_OK) {
            c->keep_alive = false;
            return;
        }
        drained += piece.len;
    }
}

static const char *reason(int status)
{
    switch (status) {
#define XX(num, name, string)                                                                      \
    case num:                                                                                      \
        return #string;
        HTTP_STATUS_MAP(XX)
#undef XX
    default:
        return "Unknown";
    }
}

static int head_text(const struct http_conn *c, const struct http_answer *a, const char *framing,
                     char *out, size_t size)
{
    int n = snprintf(out, size,
                     "HTTP/1.1 %d %s\r\n"
                     "Content-Type: %s\r\n"
                     "Connection: %s\r\n"
                     "X-ClickHouse-Server-Display-Name: firstframe-engine\r\n"
                     "%s%s\r\n",
                     a->status, reason(a->status), a->type, c->keep_alive ? "keep-alive" : "close",
                     a->headers, framing);
    return n < 0 || (size_t)n >= size ? -1 : n;
}

void http_answer(struct http_conn *c, const struct http_answer *a)
{
    drain(c);
    char framing[64];
    char head[4096];
    snprintf(framing, sizeof framing, "Content-Length: %zu\r\n", a->body.len);
    int n = head_text(c, a, framing, head, sizeof head);
    if (n < 0) {
        c->keep_alive = false;
        return;
    }
    bool bodiless = c->parser.method == HTTP_HEAD;
    struct iovec iov[] = {part(head, (size_t)n), part(a->body.ptr, bodiless ? 0 : a->body.len)};
    if (!send_all(c, iov, COUNT(iov))) {
        c->keep_alive = false;
    }
}

bool http_stream_begin(struct http_conn *c, const struct http_answer *a)
{
    char head[4096];
    c->keep_alive = c->keep_alive && !c->close_ends;
    int n =
        head_text(c, a, c->close_ends ? "" : "Transfer-Encoding: chunked\r\n", head, sizeof head);
    if (n < 0) {
        c->keep_alive = false;
        return false;
    }
    struct iovec iov = part(head, (size_t)n);
    return send_all(c, &iov, 1) && http_stream_add(c, a->body);
}

bool http_stream_add(struct http_conn *c, struct span bytes)
{
    if (bytes.len == 0) {
        return true;
    }
    char size[32];
    int n = snprintf(size, sizeof size, "%zx\r\n", bytes.len);
    struct iovec iov[] = {part(size, (size_t)n), part(bytes.ptr, bytes.len), part("\r\n", 2)};
    return c->close_ends ? send_all(c, iov + 1, 1) : send_all(c, iov, COUNT(iov));
}

void http_stream_end(struct http_conn *c)
{
    if (!c->close_ends && !send_text(c, "0\r\n\r\n")) {
        c->keep_alive = false;
    }
}

void http_stream_break(struct http_conn *c, struct span last_words)
{
    bool told = http_stream_add(c, last_words);
    (void)told; /* or not: the missing last chunk says enough */
    c->keep_alive = false;
}

void http_linger(struct http_conn *c)
{
    if (c->message_done && c->in_at == c->in_len) {
        return;
    }
    (void)shutdown(c->fd, SHUT_WR);
    int64_t deadline_ms = now_ms() + 2000;
    do {
        c->in_at = c->in_len;
    } while (fill(c, deadline_ms));
}
