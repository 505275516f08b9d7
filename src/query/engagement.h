/* SPDX-License-Identifier: Apache-2.0
 * Which parts of a piece of content were watched. Rules 113 and 114. */
#ifndef FF_QUERY_ENGAGEMENT_H
#define FF_QUERY_ENGAGEMENT_H

#include "query/question.h"

enum { HEATMAP_BUCKETS_MIN = 10, HEATMAP_BUCKETS_MAX = 1000 };

struct heatmap {
    int64_t views, duration_ms;
    size_t n;                           /* buckets, of duration_ms / n each; 10 without views */
    uint64_t seen[HEATMAP_BUCKETS_MAX]; /* views that watched the middle of bucket i */
};
/* Views ended in the window whose column of equals id and that have a playback range. */
enum err query_heatmap(struct query *q, const char *environment_id, const struct window *window,
                       const struct filters *filters, const struct dimension *of, struct span id,
                       struct heatmap *out) MUST_USE;
/* The share of views that watched bucket i, 0..1. */
double heatmap_value(const struct heatmap *h, size_t i);

/* One view's ranges onto the map: end exclusive, in ms; ranges without length are left out, parts watched again count
 * once. views grows by one when there is a range. duration_ms and n have to be set. For query_heatmap and tests. */
void heatmap_add(struct heatmap *h, const int64_t *starts, const int64_t *ends, size_t ranges);
/* Sets n from duration_ms. */
void heatmap_size(struct heatmap *h);

struct hotspot {
    int64_t start_ms, end_ms; /* end exclusive */
    double score;             /* mean share */
};
/* Runs of buckets above (cold: below) the mean of all, best (coldest) first; out holds HEATMAP_BUCKETS_MAX. */
size_t heatmap_hotspots(const struct heatmap *h, bool cold, struct hotspot *out);

#endif
