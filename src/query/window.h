/* SPDX-License-Identifier: Apache-2.0
 * Time windows: the timeframe[] parameter, its snapping, and buckets. Rules 68 to 73. */
#ifndef FF_QUERY_WINDOW_H
#define FF_QUERY_WINDOW_H

#include "base/base.h"

enum { WINDOW_BUCKETS_MAX = 45000, WINDOW_DAYS_MAX = 3660 };

struct window {
    int64_t start_s, end_s; /* Unix seconds, end exclusive */
    int64_t step_s;         /* default bucket: 60, 600, 3600 or 86400 */
};

/* The values of timeframe[], decoded; none: the last 24 hours. Not snapped. NULL, or the sentence that refuses. */
const char *window_parse(const struct span *values, size_t n, int64_t now_s, struct window *out) MUST_USE;
/* Floors the start and ceils the end to the step that the length asks for. */
void window_snap(struct window *w);
/* The default granularity's step of a window as it is. */
int64_t window_step(const struct window *w);

/* minute, ten_minutes, hour, day. */
bool granularity_step(struct span name, int64_t *step_s) MUST_USE;
const char *granularity_name(int64_t step_s);
/* Start of the first bucket, and how many there are. */
int64_t window_first_bucket_s(const struct window *w, int64_t step_s);
int64_t window_buckets(const struct window *w, int64_t step_s);

#endif
