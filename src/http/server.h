/* SPDX-License-Identifier: Apache-2.0
 * Our HTTP/1.1 server on libuv and http-parser: N loops, each a thread with its own listening sockets (SO_REUSEPORT).
 *
 * A request is handed to the one handler, on the loop thread that owns the connection, when it is complete (headers
 * and body). The handler either answers at once (http_reply) or takes a ticket (http_defer) and any thread answers
 * later. The request's memory (path, headers, body, arena) stays valid until it is answered; after a deferred request's
 * connection died it stays valid all the same, and the answer is dropped. Requests of one connection are answered in
 * order; the next one is not parsed before the present one is answered (pipelining is serialised, reads are paused).
 *
 * Limits refuse with 4xx and close the connection: see struct http_limits. What http-parser lets through and we refuse:
 * space before the colon, no or two Host headers on HTTP/1.1, versions other than 1.0 and 1.1, too many headers, NUL,
 * bare LFs, folded headers, Transfer-Encodings besides "chunked", sloppy chunk framing, CONNECT. */
#ifndef FF_HTTP_SERVER_H
#define FF_HTTP_SERVER_H

#include "base/arena.h"
#include "base/buf.h"

enum http_method {
    HTTP_M_GET,
    HTTP_M_HEAD,
    HTTP_M_POST,
    HTTP_M_PUT,
    HTTP_M_PATCH,
    HTTP_M_DELETE,
    HTTP_M_OPTIONS,
    HTTP_M_OTHER
};

struct http_address {  /* the client, after PROXY / Forwarded where the peer is trusted */
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
    bool is_v4;
    uint16_t port;
};

struct http_header {
    struct span name, value;
};

struct http_request {
    enum http_method method;
    struct span method_text;
    struct span target;                /* as sent */
    struct span path;                  /* before '?', percent-decoded once; a path that decodes to a NUL is refused */
    struct span query;                 /* after '?', not decoded */
    const struct http_header *headers; /* in order; names as sent */
    size_t header_count;
    struct span body; /* Content-Encoding gzip is NOT undone: see http_inflate */
    bool body_cut;    /* the body was longer than limits.body_bytes_keep: it was read and thrown away, body is empty */
    bool crowded;     /* its address has too many connections: it wants an answer and no work. A body is thrown away as
                         above, and the connection is closed after the answer */
    struct http_address client;
    bool tls;                 /* also when a trusted proxy says that its client came by https */
    int64_t received_wall_ms; /* when the last byte arrived */
    struct arena *arena;      /* for the handler; freed with the request */
    void *user;               /* the handler's own */
    struct http_connection *connection;
};

/* First header of that name (any case), or {NULL,0}. */
struct span http_header(const struct http_request *r, const char *name);

struct http_reply {
    int status;
    const char *content_type;          /* NULL: none */
    const struct http_header *headers; /* more headers; copied */
    size_t header_count;
    struct span body; /* copied, unless body_owned or body_file */
    char *body_owned; /* malloc'ed; freed by the server after sending; then body points into it */
    int body_file; /* > 0: an open file whose first body.len bytes are the body (body.ptr is not looked at, body_owned
                      NULL). They are read as they are sent; a file that cannot be read ends the connection. Closed
                      by the server; open, it counts as a connection: 503 instead, where there are too many */
    bool close;    /* close the connection afterwards */
};

/* On the loop thread, from inside the handler, exactly once unless http_defer was called. */
void http_reply(struct http_request *r, const struct http_reply *reply);

/* A promise to answer r later, from any thread. */
struct http_ticket {
    struct http_request *request;
};
struct http_ticket http_defer(struct http_request *r) MUST_USE;
/* Any thread, exactly once a ticket; headers and content_type are copied before it returns. */
void http_finish(struct http_ticket ticket, const struct http_reply *reply);
/* The same small reply, no file, to many tickets, waking each loop once: for the journal's group commit. */
void http_finish_many(const struct http_ticket *tickets, size_t n, const struct http_reply *reply);

typedef void http_handler(void *ctx, struct http_request *r);

enum { HTTP_CROWD = 2 };
struct http_limits {
    size_t header_bytes_max;            /* request line and headers together, at most 80 KiB; default 32 KiB -> 431 */
    size_t headers_max;                 /* default 100 -> 431 */
    size_t body_bytes_keep;             /* bodies up to this are kept; default 4 MiB */
    size_t body_bytes_max;              /* longer ones up to this are read and dropped (body_cut); default 16 MiB;
                                           beyond 413 and close */
    size_t connections_max;             /* a server, and files being sent; default 10,000: further ones are closed at
                                           once */
    size_t connections_per_address_max; /* default 2,000; 0 = no limit; IPv6 by /64; not for trusted proxies. Further
                                           ones get one (crowded) request answered; beyond HTTP_CROWD times as many
                                           they are closed at once */
    size_t memory_bytes_max;            /* all request bodies in memory; default 512 MiB -> 503 and close */
    int header_timeout_ms;              /* from the first byte of a request to its last header; default 10 s -> 408 */
    int body_timeout_ms;                /* whole body; default 60 s -> 408 */
    int idle_timeout_ms;                /* between requests; default 75 s, closed silently */
    int write_timeout_ms;               /* a client that reads nothing for this long; default 60 s */
};
struct http_limits http_limits_default(void);

struct http_config {
    const char *listen;  /* "ADDR:PORT"; port 0 picks one; "[::1]:8600" for IPv6 */
    bool also_loopback6; /* listen on ::1 with the same port too, quietly skipped where there is no IPv6 */
    unsigned loops;      /* threads; 0 = number of processors, at most 16 */
    struct http_limits limits;
    const char *tls_cert, *tls_key; /* PEM files; both NULL: plain http */
    const char *trusted_proxies;    /* "10.0.0.0/8, ::1": peers whose Forwarded / X-Forwarded-For are believed (the
                                       latter when both are there); NULL none */
    bool proxy_protocol;            /* trusted peers must begin with a PROXY v1/v2 header */
    http_handler *handler;
    void *ctx;
};

/* Whether a text can stand for http_config.listen. false: a sentence in why (size 256). */
bool http_listen_valid(const char *listen, char *why) MUST_USE;
/* Whether a server could bind there now, as the two fields of http_config say. false: a sentence in why (size 256). */
bool http_listen_free(const char *listen, bool also_loopback6, char *why) MUST_USE;

struct http_server;
/* Binds and starts the loops. NULL with a sentence in why (size 256): address in use, bad certificate, ... */
struct http_server *http_server_start(const struct http_config *config, char *why) MUST_USE;
/* The port that is bound (the same for all loops). */
uint16_t http_server_port(const struct http_server *s);
/* Reads the TLS files again; the old ones stay when they are bad. */
bool http_server_reload_tls(struct http_server *s, char *why) MUST_USE;
/* Stops accepting, lets requests under way finish (new ones on open connections get Connection: close), up to
 * drain_ms, then closes everything and joins the threads. Tickets must be finished by their holders meanwhile. */
void http_server_stop(struct http_server *s, int drain_ms);

/* Undoes Content-Encoding gzip/deflate into the request's arena or a malloc'ed buffer of at most max bytes.
 * false: not valid, or larger. out must be buf_init'ed by the caller. */
bool http_inflate(struct span in, struct buf *out) MUST_USE;
/* Gzips (level 6). */
bool http_deflate(struct span in, struct buf *out) MUST_USE;

/* Percent-decoding with '+' as blank, into arena. {NULL,0} when the arena is full; bad escapes are kept as they are. */
struct span http_query_decode(struct span text, struct arena *arena) MUST_USE;
/* Walks "a=b&c=d": false at the end. name and value are not decoded. */
bool http_query_next(struct span *rest, struct span *name, struct span *value);

/* "203.0.113.7" or "2001:db8::1". out holds at least 46 bytes. */
void http_address_print(const struct http_address *a, char out[48]);
/* The first 24 (IPv4) or 48 (IPv6) bits only, as text "203.0.113.0" / "2001:db8:1::". */
void http_address_print_truncated(const struct http_address *a, char out[48]);

#endif
