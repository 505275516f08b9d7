/* SPDX-License-Identifier: Apache-2.0
 * Whole bodies only, as they are in memory anyway. What comes out is bounded by out->max, so a small body cannot
 * become a large one. */
#include "http/server.h"

#include <limits.h>
#include <zlib.h>

enum { INFLATE_STEP_BYTES = 16 * 1024, WINDOW_AUTO = 15 + 32, WINDOW_RAW = -15, WINDOW_GZIP = 15 + 16 };

/* One member. *left: what follows it. */
static bool inflate_member(z_stream *z, struct span in, struct buf *out, size_t *left)
{
    /* zlib's next_in is not const, yet never written through. */
    z->next_in = (Bytef *)(uintptr_t)in.ptr;
    z->avail_in = (uInt)in.len;
    size_t step = in.len * 4 > INFLATE_STEP_BYTES ? in.len * 4 : INFLATE_STEP_BYTES;
    for (;;) {
        size_t free_bytes = out->max - out->len;
        /* With no room left one more byte shows whether the stream ends here or would go on. */
        char beyond[1];
        size_t room = free_bytes < step ? free_bytes : step;
        if (room > UINT_MAX) room = UINT_MAX;
        z->next_out = (Bytef *)(room > 0 ? buf_room(out, room) : beyond);
        if (z->next_out == NULL) return false;
        z->avail_out = room > 0 ? (uInt)room : 1;
        uInt offered = z->avail_out;
        int rc = inflate(z, Z_NO_FLUSH);
        size_t made = offered - z->avail_out;
        if (room == 0 && made > 0) return false;
        if (room > 0) buf_claim(out, made);
        *left = z->avail_in;
        if (rc == Z_STREAM_END) return true;
        if (rc != Z_OK) return false;
        if (z->avail_in == 0 && z->avail_out > 0) return false; /* cut short */
    }
}

static bool inflate_window(struct span in, struct buf *out, int window)
{
    z_stream z = {.next_in = NULL};
    if (inflateInit2(&z, window) != Z_OK) return false;
    bool ok = false;
    size_t left = in.len;
    do {
        struct span rest = span_from(in, in.len - left);
        ok = inflate_member(&z, rest, out, &left);
        /* gzip files may follow one another, as "cat a.gz b.gz" makes them; nothing else may come after. */
    } while (ok && left > 0 && window == WINDOW_AUTO && inflateReset2(&z, WINDOW_GZIP) == Z_OK);
    (void)inflateEnd(&z);
    return ok && left == 0;
}

bool http_inflate(struct span in, struct buf *out)
{
    if (in.len == 0 || in.len > UINT_MAX) return false;
    size_t before = out->len;
    if (inflate_window(in, out, WINDOW_AUTO)) return true;
    /* "deflate" means zlib's format, yet some clients send the bare one. A gzip or zlib head is not a bare stream. */
    unsigned first = (unsigned char)in.ptr[0];
    bool headed = first == 0x1f ||
                  ((first & 0x0f) == Z_DEFLATED && in.len > 1 && (first << 8 | (unsigned char)in.ptr[1]) % 31 == 0);
    if (headed || out->failed) return false;
    out->len = before;
    return inflate_window(in, out, WINDOW_RAW);
}

bool http_deflate(struct span in, struct buf *out)
{
    if (in.len > UINT_MAX / 2) return false;
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.ptr, .avail_in = (uInt)in.len};
    if (deflateInit2(&z, 6, Z_DEFLATED, WINDOW_GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK) return false;
    size_t bound = deflateBound(&z, (uLong)in.len), room = out->max - out->len;
    if (room > bound) room = bound;
    bool ok = false;
    z.next_out = (Bytef *)buf_room(out, room);
    if (z.next_out != NULL) {
        z.avail_out = (uInt)room;
        ok = deflate(&z, Z_FINISH) == Z_STREAM_END;
        if (ok) buf_claim(out, room - z.avail_out);
    }
    (void)deflateEnd(&z);
    return ok;
}
