/* SPDX-License-Identifier: Apache-2.0 */
#include "views/score.h"

#include <math.h>

#include "views/fold.h"

enum { WAIT_MS_MIN = 1000 };

static struct opt_f64 score_success(const struct score_facts *s)
{
    if (s->failed) return opt_double(0);
    if (s->watched) return opt_double(1);
    return s->wait_ms < WAIT_MS_MIN ? (struct opt_f64){0, false} : opt_double(0.5);
}

static struct opt_f64 score_startup(const struct score_facts *s)
{
    if (!s->startup_ms.set) return (struct opt_f64){0, false};
    return opt_double(8 / (8 + (double)s->startup_ms.v / 1000));
}

static struct opt_f64 score_smoothness(const struct score_facts *s)
{
    if (!s->watched || !s->watch_ms.set || s->watch_ms.v <= 0) return (struct opt_f64){0, false};
    double half = (double)s->rebuffer_count.v / 2;
    double share = (double)s->rebuffer_ms.v / (double)s->watch_ms.v;
    if (share > 1) share = 1;
    return opt_double((1 / sqrt(1 + half * half) + exp(-10 * share)) / 2);
}

static struct opt_f64 score_quality(const struct score_facts *s)
{
    if (!s->watched || !s->upscale_max.set || !s->upscale_total.set || !s->content_ms.set || s->content_ms.v <= 0)
        return (struct opt_f64){0, false};
    double average = s->upscale_total.v / (double)s->content_ms.v;
    return opt_double(exp(-0.33 * (0.15 * s->upscale_max.v + 0.85 * average)));
}

struct opt_f64 view_score_overall(const struct view_scores *s)
{
    if (!s->success.set || s->success.v <= 0) return s->success;
    const struct {
        struct opt_f64 a, b;
        double weight_a;
    } trades[] = {{s->smoothness, s->quality, 0.62}, {s->smoothness, s->startup, 0.54}, {s->startup, s->quality, 0.58}};
    double sum = 0;
    int count = 0;
    for (size_t i = 0; i < COUNT(trades); i++) {
        if (!trades[i].a.set || !trades[i].b.set) continue;
        sum += pow(trades[i].a.v, trades[i].weight_a) * pow(trades[i].b.v, 1 - trades[i].weight_a);
        count++;
    }
    if (count) return opt_double(s->success.v * (sum / count));
    const struct opt_f64 *const alone[] = {&s->smoothness, &s->startup, &s->quality};
    for (size_t i = 0; i < COUNT(alone); i++) {
        if (alone[i]->set) return opt_double(s->success.v * alone[i]->v);
    }
    return s->success;
}

struct view_scores view_score(const struct score_facts *facts)
{
    struct view_scores s = {.success = score_success(facts),
                            .startup = score_startup(facts),
                            .smoothness = score_smoothness(facts),
                            .quality = score_quality(facts)};
    s.overall = view_score_overall(&s);
    return s;
}

static void scores_finish(struct fold *f)
{
    struct view_row *row = f->row;
    struct score_facts facts = {
        .failed = row->playback_failure,
        .watched = row->watched,
        .wait_ms = row->watch_time.set ? row->watch_time.v : fold_minus(row->view_end_ms, row->view_start_ms),
        .startup_ms = row->video_startup_time,
        .rebuffer_count = row->rebuffer_count,
        .rebuffer_ms = row->rebuffer_duration,
        .watch_ms = row->watch_time,
        .content_ms = row->view_total_content_playback_time,
        .upscale_max = row->max_upscale_percentage,
        .upscale_total = row->view_total_upscaling,
    };
    struct view_scores s = view_score(&facts);
    row->viewer_experience_score = s.overall;
    row->playback_success_score = s.success;
    row->startup_time_score = s.startup;
    row->rebuffer_score = s.smoothness;
    row->video_quality_score = s.quality;
    row->score_model = opt_int32(VIEW_SCORE_MODEL);
}

const struct fold_pass fold_pass_scores = {NULL, NULL, scores_finish};
