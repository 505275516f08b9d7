/* SPDX-License-Identifier: Apache-2.0
 * Single views: the list of those that ended in a window, and one with everything it has. */
#ifndef FF_QUERY_VIEWROWS_H
#define FF_QUERY_VIEWROWS_H

#include "query/question.h"
#include "views/row.h"

struct view_brief { /* text: ptr NULL is null */
    struct hash128 id;
    int64_t view_start_ms, view_end_ms;
    struct span video_title, browser, operating_system, country, player_error_code, player_error_message;
    struct opt_i64 error_type_id, watch_time;
    struct opt_f64 viewer_experience_score;
    bool playback_failure;
};

struct view_list_question {
    const char *environment_id;
    struct window window;
    const struct filters *filters;
    struct span viewer_id; /* equals viewer_user_id or mux_viewer_id; empty: all */
    enum { ERRORS_ALL, ERRORS_ANY, ERRORS_ONE } errors;
    int64_t error_id;
    bool descending; /* by view_end, ties by id ascending */
    uint32_t limit, page;
};
/* total: before paging. */
enum err query_view_list(struct query *q, const struct view_list_question *question, struct view_brief **out,
                         size_t *count, int64_t *total) MUST_USE;

/* By public id. *found false: no such view in the environment, or the filters exclude it. Array and text members of out
 * live in the query's arena. A null NBOOL has set = false. */
enum err query_view(struct query *q, const char *environment_id, struct hash128 id, const struct filters *filters,
                    struct view_row *out, bool *found) MUST_USE;

#endif
