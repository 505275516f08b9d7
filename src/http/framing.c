/* SPDX-License-Identifier: Apache-2.0 */
#include "http/framing.h"

#include "http/escape.h"

enum http_scan http_head_scan(struct http_head_scan *s, const char *bytes, size_t len, size_t *used)
{
    size_t at = 0;
    enum http_scan result = HTTP_SCAN_MORE;
    while (at < len && result == HTTP_SCAN_MORE) {
        char c = bytes[at];
        if (s->cr_first) {
            result = c == '\n' ? HTTP_SCAN_END : HTTP_SCAN_BAD;
            at++;
            continue;
        }
        if (s->last_cr) {
            if (c != '\n') result = HTTP_SCAN_BAD; /* a CR inside a line, which readers take for different things */
            s->in_line = s->last_cr = false;
            at++;
            continue;
        }
        if (!s->in_line) {
            if (c == '\n' || (s->lines == 0 && c == '\r') || (s->lines > 0 && (c == ' ' || c == '\t'))) {
                result = HTTP_SCAN_BAD;
                break;
            }
            if (c == '\r') {
                s->cr_first = true;
                at++;
                continue;
            }
            s->in_line = true;
            s->lines++;
        }
        const char *cr = memchr(bytes + at, '\r', len - at);
        size_t end = cr ? (size_t)(cr - bytes) : len;
        if (memchr(bytes + at, '\n', end - at)) result = HTTP_SCAN_BAD;
        s->last_cr = cr != NULL;
        at = cr ? end + 1 : len;
    }
    s->bytes += at;
    *used = at;
    return result;
}

enum {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_LINE,
    CHUNK_TRAILER,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF
};

static bool chunk_scan_size(struct http_chunk_scan *s, char c)
{
    int digit = http_hex_value(c);
    if (digit >= 0) {
        s->left = s->left << 4 | (unsigned)digit;
        return ++s->digits <= 15;
    }
    if (s->digits == 0) return false;
    if (c == '\r') {
        s->state = CHUNK_SIZE_LF;
        return true;
    }
    s->state = CHUNK_EXTENSION;
    return c == ';' || c == ' ' || c == '\t';
}

/* One byte that is not chunk data. false: not as it must be. */
static bool chunk_scan_byte(struct http_chunk_scan *s, char c, bool *end)
{
    bool control = (unsigned char)c < 0x20 && c != '\t' && c != '\r';
    switch (s->state) {
    case CHUNK_SIZE: return chunk_scan_size(s, c);
    case CHUNK_EXTENSION:
        s->trailer_bytes++;
        if (c == '\r') s->state = CHUNK_SIZE_LF;
        return !control;
    case CHUNK_SIZE_LF: s->state = s->left > 0 ? CHUNK_DATA : CHUNK_LINE; return c == '\n';
    case CHUNK_DATA_CR: s->state = CHUNK_DATA_LF; return c == '\r';
    case CHUNK_DATA_LF:
        s->state = CHUNK_SIZE;
        s->digits = 0;
        return c == '\n';
    case CHUNK_LINE:
        s->state = c == '\r' ? CHUNK_END_LF : CHUNK_TRAILER;
        s->trailer_bytes++;
        return !control && c != ' ' && c != '\t';
    case CHUNK_TRAILER:
        s->trailer_bytes++;
        if (c == '\r') s->state = CHUNK_TRAILER_LF;
        return !control;
    case CHUNK_TRAILER_LF: s->state = CHUNK_LINE; return c == '\n';
    case CHUNK_END_LF: *end = true; return c == '\n';
    default: return false;
    }
}

enum http_scan http_chunk_scan(struct http_chunk_scan *s, const char *bytes, size_t len, size_t *used)
{
    size_t at = 0;
    bool end = false;
    while (at < len && !end) {
        if (s->state == CHUNK_DATA) {
            size_t take = s->left < len - at ? (size_t)s->left : len - at;
            s->left -= take;
            at += take;
            if (s->left == 0) s->state = CHUNK_DATA_CR;
            continue;
        }
        if (!chunk_scan_byte(s, bytes[at++], &end)) {
            *used = at;
            return HTTP_SCAN_BAD;
        }
    }
    *used = at;
    return end ? HTTP_SCAN_END : HTTP_SCAN_MORE;
}
