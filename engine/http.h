/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTTP/1.1 connection, served by one thread with blocking calls: requests come in by
 * http-parser, bodies are pulled in pieces, answers go out whole or in chunks. Every wait has an
 * end and every part of a request a maximum. Not thread-safe; the owner of a connection is its
 * thread. */
#ifndef ENGINE_HTTP_H
#define ENGINE_HTTP_H

#include <http_parser.h>
#include <stdbool.h>
#include <stdint.h>

#include "text.h"

enum {
    HTTP_URL_BYTES_MAX =
        2 * 1024 * 1024, /* a statement in it is at most 1 MB, percent-encoded it grows */
    HTTP_HEADER_BYTES_MAX = 64 * 1024,
    HTTP_INPUT_BYTES = 64 * 1024,
    HTTP_IDLE_MS = 120 * 1000, /* between requests; longer than libcurl keeps an idle connection */
    HTTP_HEAD_MS = 15 * 1000,  /* from the first byte of a request to the end of its headers */
    HTTP_BODY_MS = 60 * 1000,  /* without a byte of the body */
    HTTP_SEND_MS = 60 * 1000,  /* without the client taking a byte */
    HTTP_DRAIN_BYTES_MAX = 4 * 1024 * 1024,
};

enum http_read {
    HTTP_READ_OK,
    HTTP_READ_CLOSED, /* the peer went away or was silent for too long: nobody to answer */
    HTTP_READ_BAD,    /* not HTTP: answer 400 */
    HTTP_READ_LARGE,  /* URL or headers over the maximum: answer 431 */
};

struct http_conn {
    int fd;
    http_parser parser;
    struct buf url;
    struct buf headers; /* name, 0, value, 0, … */
    struct buf body;    /* decoded bytes of the last input */
    bool in_value;
    bool head_done;
    bool message_done;
    bool keep_alive;
    bool expects_continue;
    bool close_ends; /* HTTP/1.0: the end of a streamed answer is the end of the connection */
    size_t in_at;
    size_t in_len;
    char in[HTTP_INPUT_BYTES];
};

struct http_answer {
    int status;
    const char *type;
    const char *headers; /* more header lines, each ending in CRLF; may be "" */
    struct span body;
};

/* Takes the socket over. */
void http_open(struct http_conn *c, int fd);
void http_close(struct http_conn *c);

/* The next request up to the end of its headers. */
enum http_read http_read_head(struct http_conn *c) MUST_USE;

/* Value of a header, empty when there is none. */
struct span http_header(const struct http_conn *c, const char *name);

/* The next piece of the body, borrowed until the next call; empty at its end. */
enum http_read http_read_body(struct http_conn *c, struct span *out) MUST_USE;

/* A failed send clears keep_alive; the functions one calls again and again also answer false then.
 * http_answer reads what is left of a small body first; when too much is left, the answer closes
 * the connection. */
void http_answer(struct http_conn *c, const struct http_answer *a);
bool http_stream_begin(struct http_conn *c, const struct http_answer *a) MUST_USE;
bool http_stream_add(struct http_conn *c, struct span bytes) MUST_USE;
void http_stream_end(struct http_conn *c);

/* Ends a streamed answer so that the client sees that it is not complete. */
void http_stream_break(struct http_conn *c, struct span last_words);

/* Closing with unread input would throw the answer away: waits a moment for the peer to read and
 * close. */
void http_linger(struct http_conn *c);

#endif
