/* SPDX-License-Identifier: Apache-2.0
 * All metrics for one population: the rows of comparison.def, in two statements (views that ended in the window, views
 * that started in it). */
#ifndef FF_QUERY_COMPARISON_H
#define FF_QUERY_COMPARISON_H

#include "query/question.h"

struct comparison_row {
    const char *label, *shown;
    const struct metric *metric;
    enum measure measure;
    bool block; /* a top row; the items of a block follow it */
    bool names_measure;
    struct answer answer; /* value only */
};
struct comparison {
    struct comparison_row *rows;
    size_t count;
    int64_t watch_ms, ended_views, started_views, unique_viewers, playing_ms;
};
enum err query_comparison(struct query *q, const char *environment_id, const struct window *window,
                          const struct filters *filters, struct comparison *out) MUST_USE;

#endif
