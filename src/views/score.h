/* SPDX-License-Identifier: Apache-2.0
 * The five scores, model VIEW_SCORE_MODEL: pure functions of a view's numbers (rules 52 to 56; for users in
 * docs/scores.md). All are fractions 0..1; unset means that the view has no such score. */
#ifndef FF_VIEWS_SCORE_H
#define FF_VIEWS_SCORE_H

#include "views/row.h"

struct view_scores {
    struct opt_f64 overall, success, startup, smoothness, quality;
};

struct score_facts {
    bool failed, watched;
    int64_t wait_ms; /* of a view that was not watched */
    struct opt_i64 startup_ms, rebuffer_count, rebuffer_ms, watch_ms, content_ms;
    struct opt_f64 upscale_max, upscale_total; /* fraction, fraction x ms */
};

struct view_scores view_score(const struct score_facts *facts);
/* The overall score alone, from the other four. */
struct opt_f64 view_score_overall(const struct view_scores *s);

#endif
