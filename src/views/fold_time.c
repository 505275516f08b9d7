/* SPDX-License-Identifier: Apache-2.0
 * Points in time and durations: start and end of the view, startup, playing, watching, stalls, seeks, live latency.
 * Rules 9 to 11, 14, 20 to 22, 27, 28, 30, 39, 46. */
#include "views/fold.h"

enum { LONG_RESUME_MS = 3600000, LONG_REBUFFERING_MS = 300000, LATENCY_MS_MAX = 300000 };

static struct fold_time event_time(const struct fold_event *e)
{
    return (struct fold_time){e->viewer_time_ms, e->receipt_ms, e->viewer_time_ms != INT64_MIN};
}

static void keep_first(struct fold_time *t, struct fold_time now)
{
    if (!t->known) *t = now;
}

static void keep_newest(struct fold_time *t, struct fold_time now)
{
    if (now.known && (!t->known || now.ms > t->ms)) *t = now;
}

static void time_begin(struct fold *f)
{
    f->clock.before_time_ms = INT64_MIN;
    const struct fold_event *first = f->events;
    if (first->sequence != 1) return;
    const struct beacon_value *base = fold_own(first, FIELD_ad_playing_time_ms_cumulative);
    if (base) f->clock.ad_base_ms = f->clock.ad_before_ms = base->v.i;
}

/* The client counts on until it notices a stall, and then dates the rebufferstart back: what it counted meanwhile was
 * no playing (rule 21). */
static void step_played(struct fold *f, const struct fold_event *e)
{
    struct fold_clock *c = &f->clock;
    int64_t played = c->played_ms, ad = c->ad_before_ms;
    if (fold_int(f, FIELD_view_playing_time_ms_cumulative, &played)) c->has_played = true;
    (void)fold_int(f, FIELD_ad_playing_time_ms_cumulative, &ad);
    f->addend_ms = played > c->played_ms ? played - c->played_ms : 0;
    f->ad_addend_ms = ad > c->ad_before_ms ? ad - c->ad_before_ms : 0;
    if (e->name == EVENT_rebufferstart && e->viewer_time_ms != INT64_MIN && c->before_time_ms != INT64_MIN) {
        int64_t passed = fold_minus(e->viewer_time_ms, c->before_time_ms);
        if (passed < 0) passed = 0;
        if (f->addend_ms > passed) f->addend_ms = passed;
    }
    if (f->ad_addend_ms > f->addend_ms) f->ad_addend_ms = f->addend_ms;
    c->played_ms = played;
    c->ad_before_ms = ad;
    c->playing_time_ms += f->addend_ms;
    if (e->viewer_time_ms != INT64_MIN) c->before_time_ms = e->viewer_time_ms;
}

static void step_content_start(struct fold *f, const struct fold_event *e)
{
    struct fold_clock *c = &f->clock;
    if (e->name == EVENT_playing || e->name == EVENT_adplaying) c->playing_seen = true;
    if (c->first_playing.known) return;
    struct fold_time now = event_time(e);
    if (e->name == EVENT_playing) {
        c->adplaying_first = c->first_adplaying.known;
        c->first_playing = now;
        return;
    }
    if (e->name == EVENT_adplaying) keep_first(&c->first_adplaying, now);
    if (e->name == EVENT_adplaying || e->name == EVENT_adplay) keep_first(&c->ad_first, now);
    if (e->name == EVENT_adbreakstart) keep_first(&c->break_start, now);
    if (e->name == EVENT_adbreakend && now.known) c->break_end = now;
    if (fold_is_ad_event(e->name) && now.known) c->ad_last = now;
}

static void step_latency(struct fold *f, const struct fold_event *e)
{
    const struct beacon_value *program = fold_own(e, FIELD_player_program_time);
    if (program == NULL || e->viewer_time_ms == INT64_MIN || fold_true(f, FIELD_player_is_paused)) return;
    bool live = f->known[FIELD_video_source_is_live] ? fold_true(f, FIELD_video_source_is_live)
                                                     : span_is(fold_text(f, FIELD_video_stream_type), "live");
    int64_t latency = fold_minus(fold_correct(f, e->viewer_time_ms, e->receipt_ms), program->v.i);
    if (!live || latency < 0 || latency > LATENCY_MS_MAX) return;
    f->clock.latency_sum += (double)latency;
    f->clock.latency_count++;
}

static void time_step(struct fold *f, const struct fold_event *e)
{
    struct fold_clock *c = &f->clock;
    struct fold_time now = event_time(e);
    const struct beacon_value *start = fold_own(e, FIELD_view_start);
    if (start) keep_first(&c->start_field, (struct fold_time){start->v.i, e->receipt_ms, true});
    if (e->name == EVENT_viewstart) keep_first(&c->start_viewstart, now);
    if (e->name == EVENT_play || e->name == EVENT_adbreakstart) keep_first(&c->start_play, now);
    if (e->name == EVENT_error && !fold_is_warning(fold_own_text(e, FIELD_player_error_severity)))
        keep_first(&c->start_error, now);
    keep_newest(e->name == EVENT_viewend ? &c->newest_viewend : &c->newest, now);
    step_played(f, e);
    step_content_start(f, e);
    step_latency(f, e);
}

/* Client clock, as sent. */
static struct fold_time view_start_of(const struct fold *f)
{
    const struct fold_clock *c = &f->clock;
    const struct fold_time *const order[] = {&c->start_field, &c->start_viewstart, &c->start_play,
                                             &c->start_error, &c->newest,          &c->newest_viewend};
    for (size_t i = 0; i < COUNT(order); i++) {
        if (order[i]->known) return *order[i];
    }
    /* Not one time in the whole view: its receipt is all there is, in the client's clock as below. */
    int64_t receipt = f->v->first_receipt_ms;
    return (struct fold_time){fold_minus(receipt, f->offset_ms), receipt, true};
}

static void finish_ends(struct fold *f)
{
    const struct fold_clock *c = &f->clock;
    struct view_row *row = f->row;
    struct fold_time start = view_start_of(f), end = c->newest;
    bool late = end.known && c->newest_viewend.known && fold_minus(c->newest_viewend.ms, end.ms) > LONG_RESUME_MS;
    if (!late) keep_newest(&end, c->newest_viewend);
    if (!end.known) end = start;
    row->view_start_ms = fold_correct(f, start.ms, start.receipt_ms);
    row->view_end_ms = fold_correct(f, end.ms, end.receipt_ms);
    row->long_resume = late;
    bool ended = f->events[f->event_count - 1].name == EVENT_viewend;
    if (ended || f->final) row->view_dropped = (struct opt_i64){!ended, true};
}

static struct opt_i64 content_startup(const struct fold *f)
{
    const struct fold_clock *c = &f->clock;
    if (!c->first_playing.known) return (struct opt_i64){0, false};
    if (!c->adplaying_first) return f->row->video_startup_time;
    struct fold_time from = c->break_start.known ? c->break_start : c->ad_first;
    struct fold_time to = c->break_end.known ? c->break_end : c->ad_last;
    int64_t ads = from.known && to.known ? fold_minus(to.ms, from.ms) : 0;
    /* A clock that was set back during the ads is in both differences, and so cancels out. */
    int64_t startup = fold_minus(fold_minus(c->first_playing.ms, view_start_of(f).ms), ads);
    return opt_int32(startup > 0 ? startup : 0);
}

static void finish_startup(struct fold *f)
{
    struct view_row *row = f->row;
    row->video_startup_time = fold_int32(f, FIELD_view_time_to_first_frame);
    row->player_startup_time = fold_int32(f, FIELD_player_startup_time);
    row->page_load_time = fold_int32(f, FIELD_page_load_time);
    row->aggregate_startup_time = fold_int32(f, FIELD_view_aggregate_startup_time);
    if (!row->aggregate_startup_time.set && row->page_load_time.set && row->player_startup_time.set &&
        row->video_startup_time.set)
        row->aggregate_startup_time =
            opt_int32(row->page_load_time.v + row->player_startup_time.v + row->video_startup_time.v);
    row->view_content_startup_time = content_startup(f);
}

static void finish_played(struct fold *f)
{
    const struct fold_clock *c = &f->clock;
    struct view_row *row = f->row;
    row->watch_time = fold_int32(f, FIELD_view_watch_time);
    row->rebuffer_count = fold_int32(f, FIELD_view_rebuffer_count);
    row->rebuffer_duration = fold_int32(f, FIELD_view_rebuffer_duration);
    row->view_seek_count = fold_int32(f, FIELD_view_seek_count);
    row->view_seek_duration = fold_int32(f, FIELD_view_seek_duration);
    if (!row->view_seek_duration.set && row->view_seek_count.v >= 1) row->view_seek_duration = opt_int32(0);

    f->watched = row->watched = row->video_startup_time.set || c->playing_seen || c->playing_time_ms > 0;
    int64_t playing = c->playing_time_ms;
    if (!c->has_played) {
        playing = row->watch_time.v - row->video_startup_time.v - row->rebuffer_duration.v - row->view_seek_duration.v;
        if (!f->watched || playing < 0) playing = 0;
    }
    row->view_playing_time = opt_int64(playing);
    int64_t ad;
    if (fold_int(f, FIELD_ad_playing_time_ms_cumulative, &ad))
        row->ad_playing_time = opt_int64(ad > c->ad_base_ms ? ad - c->ad_base_ms : 0);
    row->view_content_playing_time = opt_int64(playing > row->ad_playing_time.v ? playing - row->ad_playing_time.v : 0);
    if (!f->watched) row->rebuffer_count = row->rebuffer_duration = (struct opt_i64){0, false};
    if (f->watched) row->rebuffer_count.set = row->rebuffer_duration.set = true; /* never sent: 0 */
    row->long_rebuffering = row->rebuffer_duration.v > LONG_REBUFFERING_MS;
}

static void time_finish(struct fold *f)
{
    finish_ends(f);
    finish_startup(f);
    finish_played(f);
    const struct fold_clock *c = &f->clock;
    if (c->latency_count) f->row->live_stream_latency = opt_rounded(c->latency_sum / c->latency_count, INT32_MAX);
}

const struct fold_pass fold_pass_time = {time_begin, time_step, time_finish};
