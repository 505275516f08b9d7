/* SPDX-License-Identifier: Apache-2.0
 * Who watches one piece of content, by the views the store knows and that have not ended. Resolutions 115. */
#ifndef FF_QUERY_COUNTS_H
#define FF_QUERY_COUNTS_H

#include "query/question.h"

/* Pending views whose newest version ended at since_ms or later and whose column equals id; viewers: their distinct
 * viewer keys, each view without a key counting one. */
enum err query_counts(struct query *q, const char *environment_id, const struct dimension *of, struct span id,
                      int64_t since_ms, int64_t *views, int64_t *viewers) MUST_USE;

#endif
