/* SPDX-License-Identifier: Apache-2.0
 * For the tests of src/http: a server whose handler tells back what it got (or keeps a ticket), and a client made of a
 * raw socket. Every wait has the same generous deadline; nothing here measures time. */
#ifndef FF_TESTS_HTTP_RIG_H
#define FF_TESTS_HTTP_RIG_H

#include "http/server.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RIG_WAIT_MS = 30000, RIG_TICKETS_MAX = 4096 };

struct rig {
    struct http_server *server;
    pthread_mutex_t lock;
    struct http_ticket tickets[RIG_TICKETS_MAX]; /* of requests to /defer */
    size_t ticket_count;
    size_t handled;
    char listen[32];
};

static inline void rig_describe(struct http_request *r, struct buf *out)
{
    char client[48];
    http_address_print(&r->client, client);
    buf_addf(out, "%.*s path=%.*s query=%.*s body=%zu cut=%d headers=%zu client=%s:%u tls=%d", SPAN_ARG(r->method_text),
             SPAN_ARG(r->path), SPAN_ARG(r->query), r->body.len, r->body_cut, r->header_count, client,
             (unsigned)r->client.port, r->tls);
    struct span shown = span_upto(r->body, 100);
    buf_addf(out, " text=%.*s", SPAN_ARG(shown));
}

/* Of a large body at each place: none of its steps, which are powers of two, looks like another. */
static inline char rig_byte(size_t at)
{
    return (char)('a' + at % 23);
}

/* /file: the bytes in a file; /short: all but the last of them. Else 0. */
static inline int rig_file(const struct http_request *r, const char *bytes, size_t size)
{
    bool is_short = span_is(r->path, "/short");
    if (!is_short && !span_is(r->path, "/file")) return 0;
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size - is_short, f), size - is_short);
    assert_int_equal(fflush(f), 0);
    int fd = dup(fileno(f));
    (void)fclose(f);
    return fd;
}

/* /defer keeps a ticket; /file?N and /short?N see rig_file; /big?N answers N bytes; /owned?N the same from malloc'ed
 * memory; all else is described. */
static inline void rig_handler(void *ctx, struct http_request *r)
{
    struct rig *rig = ctx;
    bool defer = span_starts(r->path, SPAN("/defer"));
    (void)pthread_mutex_lock(&rig->lock);
    rig->handled++;
    if (defer) {
        assert_true(rig->ticket_count < RIG_TICKETS_MAX);
        rig->tickets[rig->ticket_count++] = http_defer(r);
    }
    (void)pthread_mutex_unlock(&rig->lock);
    if (defer) return;
    int64_t size = 0;
    if (span_to_i64(r->query, &size) && size > 0) {
        bool owned = span_is(r->path, "/owned");
        char *bytes = malloc((size_t)size);
        for (size_t at = 0; at < (size_t)size; at++) bytes[at] = rig_byte(at);
        struct http_reply reply = {.status = 200,
                                   .body = span_make(bytes, (size_t)size),
                                   .body_owned = owned ? bytes : NULL,
                                   .body_file = rig_file(r, bytes, (size_t)size)};
        http_reply(r, &reply);
        if (!owned) free(bytes);
        return;
    }
    if (span_is(r->path, "/empty")) {
        http_reply(r, &(struct http_reply){.status = 204});
        return;
    }
    struct buf out;
    buf_init(&out, 65536);
    rig_describe(r, &out);
    if (r->crowded) buf_adds(&out, " crowded");
    struct http_header extra = {SPAN("X-Extra"), SPAN("a\r\nInjected: b")};
    http_reply(r, &(struct http_reply){.status = 200,
                                       .content_type = "text/plain",
                                       .headers = &extra,
                                       .header_count = 1,
                                       .body = buf_span(&out),
                                       .close = span_is(r->path, "/close")});
    buf_free(&out);
}

static inline struct http_config rig_config(struct rig *rig)
{
    *rig = (struct rig){.server = NULL};
    assert_int_equal(pthread_mutex_init(&rig->lock, NULL), 0);
    return (struct http_config){
        .listen = "127.0.0.1:0", .loops = 1, .limits = http_limits_default(), .handler = rig_handler, .ctx = rig};
}

static inline void rig_start(struct rig *rig, const struct http_config *config)
{
    char why[256] = "";
    rig->server = http_server_start(config, why);
    if (rig->server == NULL) fail_msg("%s", why);
}

static inline void rig_stop(struct rig *rig)
{
    http_server_stop(rig->server, 5000);
    (void)pthread_mutex_destroy(&rig->lock);
}

static inline size_t rig_ticket_count(struct rig *rig)
{
    (void)pthread_mutex_lock(&rig->lock);
    size_t n = rig->ticket_count;
    (void)pthread_mutex_unlock(&rig->lock);
    return n;
}

static inline void rig_wait_tickets(struct rig *rig, size_t n)
{
    for (int i = 0; i < RIG_WAIT_MS && rig_ticket_count(rig) < n; i++) (void)usleep(1000);
    assert_int_equal(rig_ticket_count(rig), n);
}

/* Connects from the loopback address 127.0.0.last. */
static inline int rig_connect_from(const struct rig *rig, unsigned last)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000u | last)};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(http_server_port(rig->server))};
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    struct timeval wait = {.tv_sec = RIG_WAIT_MS / 1000};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait), 0);
    return fd;
}

static inline int rig_connect(const struct rig *rig)
{
    return rig_connect_from(rig, 1);
}

/* false: the server closed meanwhile, which a refusing server may. */
static inline bool rig_send(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes = span_from(bytes, (size_t)n);
    }
    return true;
}

struct rig_reply {
    int status; /* 0: closed without an answer */
    struct buf bytes;
    struct span head, body;
};

static inline void rig_reply_free(struct rig_reply *r)
{
    buf_free(&r->bytes);
}

static inline struct span rig_reply_header(const struct rig_reply *r, const char *name)
{
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "\r\n%s: ", name);
    ptrdiff_t at = span_find_span(r->head, span_of(wanted));
    if (at < 0) return (struct span){NULL, 0};
    struct span rest = span_from(r->head, (size_t)at + strlen(wanted));
    return span_upto(rest, (size_t)span_find(rest, '\r'));
}

/* Reads one reply, byte by byte up to its body, so that a following one stays in the socket. */
static inline struct rig_reply rig_receive(int fd, bool has_body)
{
    struct rig_reply r = {.status = 0};
    buf_init(&r.bytes, 64 * 1024 * 1024);
    char c;
    while (span_find_span(buf_span(&r.bytes), SPAN("\r\n\r\n")) < 0) {
        ssize_t n = recv(fd, &c, 1, 0);
        if (n < 0 && errno != ECONNRESET) fail_msg("no reply: %s", strerror(errno));
        if (n <= 0) return r;
        buf_addc(&r.bytes, c);
    }
    size_t head = r.bytes.len;
    r.head = buf_span(&r.bytes);
    struct span length = rig_reply_header(&r, "Content-Length");
    int64_t want = 0;
    if (has_body && length.ptr) assert_true(span_to_i64(length, &want));
    while (r.bytes.len < head + (size_t)want) {
        size_t left = head + (size_t)want - r.bytes.len;
        char *room = buf_room(&r.bytes, left);
        ssize_t n = recv(fd, room, left, 0);
        assert_true(n > 0);
        buf_claim(&r.bytes, (size_t)n);
    }
    int64_t status = 0;
    assert_true(span_to_i64(span_make(r.bytes.ptr + 9, 3), &status));
    r.status = (int)status;
    r.head = span_make(r.bytes.ptr, head);
    r.body = span_from(buf_span(&r.bytes), head);
    return r;
}

/* The server closes, sending nothing more. */
static inline void rig_expect_closed(int fd)
{
    char c;
    ssize_t n = recv(fd, &c, 1, 0);
    if (n > 0) fail_msg("%s", "bytes came where the connection should be closed");
    if (n < 0) assert_int_equal(errno, ECONNRESET);
    (void)close(fd);
}

static inline bool span_has(struct span text, const char *part)
{
    return span_find_span(text, span_of(part)) >= 0;
}

/* One exchange on an open connection; the reply's body must hold part. */
static inline void rig_expect(int fd, const char *request, int status, const char *part)
{
    assert_true(rig_send(fd, span_of(request)));
    struct rig_reply r = rig_receive(fd, true);
    assert_int_equal(r.status, status);
    if (!span_has(r.body, part)) fail_msg("\"%.*s\" does not have \"%s\"", SPAN_ARG(r.body), part);
    rig_reply_free(&r);
}

/* Waits until the server has nothing more to say for a moment; true when bytes are there. */
static inline bool rig_readable(int fd, int wait_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, wait_ms) > 0;
}

#endif
