/* SPDX-License-Identifier: Apache-2.0
 * Reads the recordings of tests/captures for the tests of this folder. */
#ifndef FF_TESTS_CAPTURES_H
#define FF_TESTS_CAPTURES_H

#include "base/buf.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

static const char *const capture_names[] = {
    "ads-emit",     "autoplay",      "bfcache",           "cdn-change",  "dash-basic",  "destroy-after-end", "device-sleep",
    "error-404-mp4", "error-custom", "error-decode-mp4",  "gap-11min",   "heartbeat-35s", "hidden-and-navigate", "hls-basic",
    "keys-odd",     "modes-network", "mp4-basic",         "no-play",     "privacy-disablecookies", "privacy-dnt", "rebuffer",
    "retry-500",    "retry-nocors",  "sampling",          "slow-server", "tab-kill",    "videochange",
};

/* A whole file under the source directory, unpacked if it is compressed; aborts when it cannot be read. */
static inline struct buf file_read(const char *path)
{
    char full[1024];
    (void)snprintf(full, sizeof full, "%s/%s", FF_SOURCE_DIR, path);
    gzFile f = gzopen(full, "rb");
    if (f == NULL) {
        fprintf(stderr, "cannot open %s\n", full);
        abort();
    }
    struct buf b;
    buf_init(&b, 64 << 20);
    char chunk[65536];
    for (int n; (n = gzread(f, chunk, sizeof chunk)) > 0;) buf_add(&b, chunk, (size_t)n);
    (void)gzclose(f);
    return b;
}

/* The next line of rest without its end; false at the end. */
static inline bool line_next(struct span *rest, struct span *line)
{
    if (rest->len == 0) return false;
    ptrdiff_t end = span_find(*rest, '\n');
    *line = end < 0 ? *rest : span_upto(*rest, (size_t)end);
    *rest = span_from(*rest, line->len + 1);
    return true;
}

/* The field of a tab-separated line, and what follows. */
static inline struct span tab_next(struct span *line)
{
    ptrdiff_t end = span_find(*line, '\t');
    struct span field = end < 0 ? *line : span_upto(*line, (size_t)end);
    *line = end < 0 ? span_make(line->ptr + line->len, 0) : span_from(*line, (size_t)end + 1);
    return field;
}

static inline struct buf capture_read(const char *name, const char *suffix)
{
    char path[256];
    (void)snprintf(path, sizeof path, "tests/captures/%s%s", name, suffix);
    return file_read(path);
}

#endif
