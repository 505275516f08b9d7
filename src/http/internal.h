/* SPDX-License-Identifier: Apache-2.0
 * What the files of src/http share; nobody else includes this.
 *
 * server (configuration, sockets, threads) owns loops; a loop owns its connections; a connection borrows an exchange
 * (request and reply, with all their memory) from its loop's free list for as long as one request lasts, so that an
 * idle connection costs little and a busy one allocates nothing.
 *
 * Threads: everything of a loop belongs to the loop's thread, but for `finished` (behind `lock`: answers from other
 * threads) and the atomics. A deferred exchange belongs to the ticket's holder, except `connection` and `next`. */
#ifndef FF_HTTP_INTERNAL_H
#define FF_HTTP_INTERNAL_H

/* The library and our contract both have an enum of this name. */
#define http_method http_parser_method
#include <http_parser.h>
#undef http_method

#include "http/address.h"
#include "http/framing.h"
#include "http/server.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

enum {
    HTTP_LOOPS_MAX = 16,
    HTTP_READ_BYTES = 64 * 1024,      /* one read */
    HTTP_PLAIN_BYTES = 16 * 1024,     /* one TLS record */
    HTTP_FREE_MAX = 256,              /* connections kept for reuse by a loop */
    HTTP_BODY_KEPT_BYTES = 16 * 1024, /* a larger body buffer is given back after its request */
    HTTP_OUT_KEPT_BYTES = 64 * 1024,
    HTTP_ARENA_BYTES_MAX = 64 * 1024 * 1024,
    HTTP_LINGER_MS = 2000, /* after an error reply: reading on, so that the client gets to see it */
    HTTP_DRAIN_TICK_MS = 20,
    HTTP_DRAIN_GRACE_TICKS = 5, /* idle connections are closed so long after a stop began */
    HTTP_EXCHANGE_MAGIC = 0x48747865,
    HTTP_CONNECTION_MAGIC = 0x4874636e,
};

struct http_exchange {
    struct http_request request; /* first: a request is its exchange */
    uint32_t magic;
    struct http_loop *loop;
    struct http_connection *connection; /* NULL once it died; loop thread only */
    struct http_exchange *next;         /* in the free list, or among the finished */
    bool deferred;                      /* loop thread */
    bool finished;                      /* whoever finishes */
    bool head_done, complete, keep_alive, minor_0, expect_continue, chunked;
    size_t header_count, value_count; /* header lines begun, and those whose value began */
    size_t text_len;
    struct arena arena;
    char *body;
    size_t body_len, body_cap;
    uint64_t body_seen; /* dropped bytes too */
    struct buf out;     /* the reply's head and, unless it is owned or a file, its body; then pieces of the file */
    size_t date_at;     /* where in out the date goes */
    char *owned;
    struct span owned_body;
    int file; /* 0: none; what is left of it, [file_at, file_end), goes into out piece by piece */
    size_t file_at, file_end;
    bool file_counted; /* among the server's connections */
    bool close_after;
    struct http_header *headers; /* limits.headers_max of them, in this allocation */
    char text[];                 /* the request's head as it came, limits.header_bytes_max */
};

enum http_phase {
    HTTP_P_START,    /* PROXY header and TLS handshake */
    HTTP_P_IDLE,     /* between requests */
    HTTP_P_HEAD,     /* the head of a request is arriving */
    HTTP_P_BODY,     /* its body is */
    HTTP_P_HANDLING, /* the handler has it */
    HTTP_P_WRITING,  /* the reply is on its way */
    HTTP_P_LINGER,   /* answered for good; what still comes is dropped */
    HTTP_P_CLOSED,   /* uv_close was called */
};

struct http_connection {
    uv_tcp_t tcp; /* first: a handle is its connection */
    uint32_t magic;
    enum http_phase phase;
    struct http_loop *loop;
    struct http_connection *prev, *next;
    uint64_t deadline_ms; /* of the loop's clock; UINT64_MAX: none */
    bool reading, eof, feeding, writing;
    bool linger;      /* after the reply: the client may still be sending */
    bool wants_proxy; /* a PROXY header must come first */
    bool peer_counted;
    bool crowded; /* over its address's limit: one request is answered, without work */
    bool trusted; /* client is in trusted_proxies */
    bool handshaken;
    http_parser parser;
    struct http_head_scan head;
    struct http_chunk_scan chunks;
    struct http_exchange *exchange;
    struct http_address client; /* the socket's peer, or the one that PROXY told */
    int refuse_status;          /* of a request that the layer itself refuses */
    const char *refuse_why;
    struct buf proxy;   /* a PROXY header that is still arriving */
    struct buf pending; /* bytes of later requests, while one is under way */
    size_t pending_at;
    uv_write_t write;
    size_t sent;        /* of out and owned_body together */
    size_t queue_bytes; /* of the write under way, when last looked at */
    SSL *ssl;           /* NULL: plain */
    struct buf cipher;  /* TLS records being written */
    size_t cipher_at;
};

struct http_loop {
    uv_loop_t uv;
    pthread_t thread;
    bool started;
    unsigned index;
    struct http_server *server;
    uv_tcp_t listeners[2];
    unsigned listener_count;
    uv_async_t wake;
    uv_timer_t tick;
    uint64_t tick_ms;
    struct http_connection *connections;
    size_t connection_count;
    size_t tickets; /* deferred and not yet taken from `finished` */
    struct http_exchange *free_exchanges;
    size_t free_exchange_count;
    size_t free_exchange_low; /* the smallest count since the last tick: so many were not needed */
    struct http_connection *free_connections;
    size_t free_connection_count;
    uint64_t requests;       /* not yet added to the counter */
    uint64_t drain_began_ms; /* 0: not draining, as far as the loop noticed */
    unsigned drain_ticks;
    char date[32];
    uint64_t date_ms; /* of the loop's clock */
    char read[HTTP_READ_BYTES], plain[HTTP_PLAIN_BYTES];

    pthread_mutex_t lock;
    struct http_exchange *finished, *finished_last;
    bool dead;      /* the thread is gone: whoever finishes frees its exchange, and the last holder the loop */
    size_t holders; /* once dead: tickets and the server */
    atomic_bool draining;
};

struct http_server {
    struct http_config config;
    struct http_limits limits;
    struct http_networks trusted;
    struct http_peers *peers;
    uint16_t port;
    unsigned loop_count;
    struct http_loop *loops[HTTP_LOOPS_MAX];
    atomic_size_t connections; /* and files being sent */
    atomic_size_t memory_bytes;
    int drain_ms; /* written before the loops' draining */
    pthread_mutex_t tls_lock;
    SSL_CTX *tls; /* NULL: plain http */
    char *tls_cert, *tls_key;
};

/* connection.c */
void http_connection_accept(struct http_loop *loop, uv_stream_t *listener);
void http_connection_close(struct http_connection *c);
/* Plain bytes for the parser; what cannot be taken now is kept in pending, and reading stops. */
void http_connection_feed(struct http_connection *c, const char *bytes, size_t len);
/* The peer will send no more. */
void http_connection_ended(struct http_connection *c);
/* Answers with the layer's own error and closes. */
void http_connection_refuse(struct http_connection *c, int status, const char *why);
void http_connection_resume(struct http_connection *c);
/* Acts on a deadline that has passed. */
void http_connection_tick(struct http_connection *c, uint64_t now_ms);
/* Whether bytes from the client are wanted now. */
bool http_connection_takes(const struct http_connection *c);
void http_connection_phase(struct http_connection *c, enum http_phase phase, int timeout_ms);

/* It waits for a request. */
void http_connection_idle(struct http_connection *c);

/* send.c */
/* The exchange's reply is ready in out: write it. */
void http_send(struct http_connection *c);
/* A few bytes outside a reply (100 Continue): dropped when the socket is full. */
void http_send_interim(struct http_connection *c, struct span text);
/* Writes TLS records that wait; false: still under way, or the connection was closed. */
bool http_send_cipher(struct http_connection *c);

/* exchange.c */
struct http_exchange *http_exchange_take(struct http_connection *c);
void http_exchange_release(struct http_exchange *e);
void http_exchange_free(struct http_exchange *e);
/* Gives back the reply's owned body or file. */
void http_exchange_body_free(struct http_exchange *e);
/* Frees some of those that nobody needed since the last call. */
void http_exchange_trim(struct http_loop *loop);
/* Room for len more body bytes. false: the server's memory bound is reached. */
bool http_exchange_body_room(struct http_exchange *e, size_t len) MUST_USE;
void http_exchange_body_drop(struct http_exchange *e);
struct http_exchange *http_exchange_of(struct http_request *r);

/* parse.c */
enum http_parse { HTTP_PARSE_MORE, HTTP_PARSE_BODY, HTTP_PARSE_DONE, HTTP_PARSE_REFUSED };
void http_parse_begin(struct http_connection *c);
/* Takes bytes up to the end of the head (BODY) or of the request (DONE); *used says how many. REFUSED: see refuse_*. */
enum http_parse http_parse_feed(struct http_connection *c, const char *bytes, size_t len, size_t *used);

/* reply.c */
void http_reply_build(struct http_exchange *e, const struct http_reply *reply);
void http_reply_build_error(struct http_exchange *e, int status, const char *why);
/* Answers from other threads, on the loop's. */
void http_reply_take_finished(struct http_loop *loop);

/* tls.c */
SSL_CTX *http_tls_load(const char *cert, const char *key, char why[256]);
/* Bytes as they came from the socket. */
void http_tls_input(struct http_connection *c, const char *bytes, size_t len);
void http_tls_resume(struct http_connection *c);
/* The whole of text becomes records, to be written by http_send_cipher. false: TLS failed. */
bool http_tls_encrypt(struct http_connection *c, struct span text) MUST_USE;

/* loop.c */
struct http_loop *http_loop_new(struct http_server *s, unsigned index);
bool http_loop_listen(struct http_loop *loop, int fd, char why[256]);
bool http_loop_start(struct http_loop *loop, char why[256]);
void http_loop_drain(struct http_loop *loop);
/* Waits for the thread (if started); frees the loop unless tickets are still held. */
void http_loop_join(struct http_loop *loop);
/* Under lock, once dead: n holders fewer. Unlocks, and frees the loop after the last. */
void http_loop_drop(struct http_loop *loop, size_t n);
const char *http_loop_date(struct http_loop *loop);

#endif
