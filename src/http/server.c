/* SPDX-License-Identifier: Apache-2.0
 * Configuration, listening sockets, and the loops' start and end. */
#include "http/server.h"

#include "http/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORT_TRIES = 16 };

struct http_limits http_limits_default(void)
{
    return (struct http_limits){
        .header_bytes_max = 32 * 1024,
        .headers_max = 100,
        .body_bytes_keep = 4 * 1024 * 1024,
        .body_bytes_max = 16 * 1024 * 1024,
        .connections_max = 10000,
        .connections_per_address_max = 2000,
        .memory_bytes_max = 512u * 1024 * 1024,
        .header_timeout_ms = 10 * 1000,
        .body_timeout_ms = 60 * 1000,
        .idle_timeout_ms = 75 * 1000,
        .write_timeout_ms = 60 * 1000,
    };
}

static bool limits_check(const struct http_limits *l, char *why)
{
    bool ok = l->header_bytes_max >= 64 && l->header_bytes_max <= HTTP_MAX_HEADER_SIZE && l->headers_max > 0 &&
              l->headers_max <= 10000 && l->body_bytes_keep <= l->body_bytes_max && l->connections_max > 0 &&
              l->header_timeout_ms > 0 && l->body_timeout_ms > 0 && l->idle_timeout_ms > 0 && l->write_timeout_ms > 0;
    if (!ok)
        (void)snprintf(why, 256, "The HTTP limits are not in their ranges (headers: at most %d bytes)",
                       HTTP_MAX_HEADER_SIZE);
    return ok;
}

/* "ADDR:PORT", "[v6]:PORT", "localhost:PORT" */
static bool listen_parse(const char *text, struct sockaddr_storage *out, char *why)
{
    const char *colon = text ? strrchr(text, ':') : NULL;
    int64_t port = -1;
    struct http_address a;
    bool ok = colon != NULL && span_to_i64(span_of(colon + 1), &port) && port >= 0 && port <= 65535;
    struct span host = ok ? span_make(text, (size_t)(colon - text)) : SPAN("");
    bool bracketed = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (bracketed) host = span_make(host.ptr + 1, host.len - 2);
    if (span_is(host, "localhost")) host = SPAN("127.0.0.1");
    ok = ok && http_address_parse(host, &a) && a.is_v4 == !bracketed;
    if (!ok) {
        (void)snprintf(why, 256,
                       "\"%.64s\" is not an address to listen on, such as 127.0.0.1:8600 or [::1]:8600 (ports up to "
                       "65535)",
                       text ? text : "");
        return false;
    }
    memset(out, 0, sizeof *out);
    if (a.is_v4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        memcpy(&in.sin_addr, a.bytes + 12, 4);
        memcpy(out, &in, sizeof in);
    } else {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        memcpy(&in6.sin6_addr, a.bytes, 16);
        memcpy(out, &in6, sizeof in6);
    }
    return true;
}

static uint16_t address_port(const struct sockaddr_storage *a)
{
    struct http_address plain;
    http_address_from((const struct sockaddr *)a, &plain);
    return plain.port;
}

/* A bound socket, or -1 with errno. Only the first one of an address asks for it alone: with SO_REUSEPORT from the
 * start, a second server of the same user would share our port and get half of the requests. */
static int socket_bind(const struct sockaddr_storage *a, bool first)
{
    int on = 1, off = 0;
    bool v6 = a->ss_family == AF_INET6;
    socklen_t len = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(a->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    bool ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
    if (v6) ok = ok && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0;
    if (!first) ok = ok && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
    ok = ok && bind(fd, (const struct sockaddr *)a, len) == 0;
    if (first) ok = ok && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
    if (ok) return fd;
    int error = errno;
    (void)close(fd);
    errno = error;
    return -1;
}

static bool bind_failed(const struct sockaddr_storage *a, char *why)
{
    int error = errno;
    struct http_address plain;
    char text[48];
    http_address_from((const struct sockaddr *)a, &plain);
    http_address_print(&plain, text);
    (void)snprintf(why, 256, "Cannot listen on %s port %u: %s", text, (unsigned)plain.port, strerror(error));
    return false;
}

/* The sockets of the first loop: main address, and ::1 or -1. Port 0 in *a is replaced by the one that was found. */
static bool bind_first(struct sockaddr_storage *a, struct sockaddr_storage *loopback, bool want_loopback, int fds[2],
                       char *why)
{
    bool any_port = address_port(a) == 0;
    for (int tries = 0; tries < PORT_TRIES; tries++) {
        struct sockaddr_storage bound = *a;
        socklen_t len = sizeof bound;
        fds[1] = -1;
        fds[0] = socket_bind(a, true);
        if (fds[0] < 0) return bind_failed(a, why);
        if (getsockname(fds[0], (struct sockaddr *)&bound, &len) != 0) break;
        struct sockaddr_in6 in6 = {
            .sin6_family = AF_INET6, .sin6_port = htons(address_port(&bound)), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        memset(loopback, 0, sizeof *loopback);
        memcpy(loopback, &in6, sizeof in6);
        bool taken = false;
        if (want_loopback) {
            fds[1] = socket_bind(loopback, true);
            taken = fds[1] < 0 && errno == EADDRINUSE; /* anything else: no IPv6 here */
        }
        if (!taken) {
            *a = bound;
            return true;
        }
        if (!any_port) (void)bind_failed(loopback, why);
        (void)close(fds[0]);
        if (!any_port) return false;
    }
    (void)snprintf(why, 256, "No port is free both on 127.0.0.1 and on ::1");
    return false;
}

bool http_listen_valid(const char *listen, char *why)
{
    struct sockaddr_storage a;
    return listen_parse(listen, &a, why);
}

bool http_listen_free(const char *listen, bool also_loopback6, char *why)
{
    struct sockaddr_storage a, loopback;
    int fds[2];
    if (!listen_parse(listen, &a, why)) return false;
    if (!bind_first(&a, &loopback, also_loopback6 && a.ss_family == AF_INET, fds, why)) return false;
    (void)close(fds[0]);
    if (fds[1] >= 0) (void)close(fds[1]);
    return true;
}

static bool server_listen(struct http_server *s, char *why)
{
    struct sockaddr_storage a, loopback;
    int fds[2];
    if (!listen_parse(s->config.listen, &a, why)) return false;
    bool want_loopback = s->config.also_loopback6 && a.ss_family == AF_INET;
    if (!bind_first(&a, &loopback, want_loopback, fds, why)) return false;
    s->port = address_port(&a);
    bool have_loopback = fds[1] >= 0, ok = true;
    for (unsigned i = 0; i < s->loop_count && ok; i++) {
        if (i > 0) {
            fds[0] = socket_bind(&a, false);
            if (fds[0] < 0) return bind_failed(&a, why);
            fds[1] = have_loopback ? socket_bind(&loopback, false) : -1;
        }
        /* The loop owns what it was given, even when it fails. */
        ok = http_loop_listen(s->loops[i], fds[0], why);
        if (fds[1] >= 0) ok = http_loop_listen(s->loops[i], fds[1], why) && ok;
    }
    return ok;
}

static void server_free(struct http_server *s)
{
    for (unsigned i = 0; i < s->loop_count; i++) http_loop_drain(s->loops[i]);
    for (unsigned i = 0; i < s->loop_count; i++) http_loop_join(s->loops[i]);
    http_peers_free(s->peers);
    SSL_CTX_free(s->tls);
    free(s->tls_cert);
    free(s->tls_key);
    (void)pthread_mutex_destroy(&s->tls_lock);
    free(s);
}

static char *copy_text(const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    BUG_IF(text != NULL && copy == NULL);
    return copy;
}

static bool server_prepare(struct http_server *s, char *why)
{
    const struct http_config *config = &s->config;
    if (!limits_check(&s->limits, why) || !http_networks_parse(&s->trusted, config->trusted_proxies, why)) return false;
    if (config->proxy_protocol && s->trusted.count == 0) {
        (void)snprintf(why, 256, "The PROXY protocol needs a list of trusted proxies");
        return false;
    }
    if ((config->tls_cert == NULL) != (config->tls_key == NULL)) {
        (void)snprintf(why, 256, "TLS needs both a certificate and a key");
        return false;
    }
    s->tls_cert = copy_text(config->tls_cert);
    s->tls_key = copy_text(config->tls_key);
    if (s->tls_cert) s->tls = http_tls_load(s->tls_cert, s->tls_key, why);
    return s->tls_cert == NULL || s->tls != NULL;
}

struct http_server *http_server_start(const struct http_config *config, char *why)
{
    BUG_IF(config->handler == NULL);
    struct http_server *s = calloc(1, sizeof *s);
    BUG_IF(s == NULL);
    s->config = *config;
    s->limits = config->limits;
    s->peers = http_peers_new();
    atomic_init(&s->connections, 0);
    atomic_init(&s->memory_bytes, 0);
    BUG_IF(pthread_mutex_init(&s->tls_lock, NULL) != 0);
    bool ok = server_prepare(s, why);
    unsigned loops = config->loops ? config->loops : uv_available_parallelism();
    if (loops > HTTP_LOOPS_MAX) loops = HTTP_LOOPS_MAX;
    for (; ok && s->loop_count < loops; s->loop_count++) s->loops[s->loop_count] = http_loop_new(s, s->loop_count);
    ok = ok && server_listen(s, why);
    /* Borrowed texts, not used after this. */
    s->config.listen = s->config.tls_cert = s->config.tls_key = s->config.trusted_proxies = NULL;
    for (unsigned i = 0; ok && i < s->loop_count; i++) ok = http_loop_start(s->loops[i], why);
    if (ok) return s;
    server_free(s);
    return NULL;
}

uint16_t http_server_port(const struct http_server *s)
{
    return s->port;
}

bool http_server_reload_tls(struct http_server *s, char *why)
{
    if (s->tls_cert == NULL) {
        (void)snprintf(why, 256, "This server speaks plain http");
        return false;
    }
    SSL_CTX *fresh = http_tls_load(s->tls_cert, s->tls_key, why);
    if (fresh == NULL) return false;
    (void)pthread_mutex_lock(&s->tls_lock);
    SSL_CTX *old = s->tls;
    s->tls = fresh;
    (void)pthread_mutex_unlock(&s->tls_lock);
    SSL_CTX_free(old); /* connections hold references of their own */
    return true;
}

void http_server_stop(struct http_server *s, int drain_ms)
{
    if (s == NULL) return;
    s->drain_ms = drain_ms > 0 ? drain_ms : 0;
    server_free(s);
}
