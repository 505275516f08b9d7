/* SPDX-License-Identifier: Apache-2.0
 * Two strict readers of a request's framing that run before http-parser on the same bytes. The library is built
 * lenient in Debian: it takes bare LFs, folded headers and "5\rX" as a chunk size, which other servers on the way may
 * read differently (request smuggling). What these readers do not accept never reaches it. Pure: no I/O, no memory. */
#ifndef FF_HTTP_FRAMING_H
#define FF_HTTP_FRAMING_H

#include "base/base.h"

enum http_scan { HTTP_SCAN_MORE, HTTP_SCAN_END, HTTP_SCAN_BAD };

/* The request line and the headers, up to and with the empty line. Start from zeroes. */
struct http_head_scan {
    size_t bytes, lines; /* so far; lines that began, the request line among them */
    bool in_line;        /* bytes of the present line were seen */
    bool last_cr;        /* the last byte was CR */
    bool cr_first;       /* and it was the first of its line: only LF may follow */
};
/* *used: how many of the bytes belong to the head. BAD: a bare LF or CR, a folded line. */
enum http_scan http_head_scan(struct http_head_scan *s, const char *bytes, size_t len, size_t *used);

/* A chunked body, with its trailers. Start from zeroes. */
struct http_chunk_scan {
    int state;
    unsigned digits;
    uint64_t left;        /* of the present chunk's data */
    size_t trailer_bytes; /* and of extensions: whatever is neither data nor a size */
};
enum http_scan http_chunk_scan(struct http_chunk_scan *s, const char *bytes, size_t len, size_t *used);

#endif
