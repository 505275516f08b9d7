/* SPDX-License-Identifier: Apache-2.0
 * A query string's timeframe[], filters[] and metric_filters[]: whatever is accepted becomes a condition from which no
 * text escapes, and a window that makes sense. The input is the elements, one a line; the first byte of a line chooses. */
#include "query/filter.h"
#include "query/window.h"
#include "bare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ELEMENTS_MAX = 64, NOW_S = 1795412417 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_make(data, size), lists[3][ELEMENTS_MAX];
    size_t n[3] = {0, 0, 0};
    while (rest.len) {
        ptrdiff_t end = span_find(rest, '\n');
        struct span line = end < 0 ? rest : span_upto(rest, (size_t)end);
        rest = end < 0 ? (struct span){NULL, 0} : span_from(rest, (size_t)end + 1);
        if (line.len == 0) continue;
        unsigned which = line.ptr[0] == 't' ? 0 : line.ptr[0] == 'm' ? 1 : 2;
        if (n[which] < ELEMENTS_MAX) lists[which][n[which]++] = span_from(line, 1);
    }
    struct window w;
    if (window_parse(lists[0], n[0], NOW_S, &w) == NULL) {
        int64_t start = w.start_s, end = w.end_s;
        window_snap(&w);
        require(w.start_s <= start && w.end_s >= end && w.start_s < w.end_s);
        require(w.start_s % w.step_s == 0 && w.end_s % w.step_s == 0 && window_buckets(&w, w.step_s) >= 1);
    }
    struct arena arena;
    struct filters f;
    struct buf sql;
    arena_init(&arena, 16 << 20);
    buf_init(&sql, 16 << 20);
    if (filters_parse(lists[2], n[2], lists[1], n[1], &arena, &f) == NULL) {
        filters_sql(&f, &sql);
        require(!sql.failed);
        check_statement(&sql);
    }
    buf_free(&sql);
    arena_free(&arena);
    return 0;
}
