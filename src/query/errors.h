/* SPDX-License-Identifier: Apache-2.0
 * Errors by (code, message): the views whose error it is. Rules 44 and 94. */
#ifndef FF_QUERY_ERRORS_H
#define FF_QUERY_ERRORS_H

#include "query/question.h"

struct error_row {
    int64_t id;
    struct span code, message; /* ptr NULL: none */
    int64_t views, last_seen_ms;
};
/* Most views first. all_views: every view ended in the window under the same filters. */
enum err query_errors(struct query *q, const char *environment_id, const struct window *window,
                      const struct filters *filters, struct error_row **out, size_t *count,
                      int64_t *all_views) MUST_USE;
/* Views and last_seen_ms of the error whose id is filled. */
enum err query_error_views(struct query *q, const char *environment_id, const struct window *window,
                           const struct filters *filters, struct error_row *error, int64_t *all_views) MUST_USE;

/* Any error of any view, warnings included, by its id: code and message only. */
enum err query_error_find(struct query *q, const char *environment_id, int64_t id, const struct filters *filters,
                          struct error_row *out, bool *found) MUST_USE;

#endif
