/* SPDX-License-Identifier: Apache-2.0
 * The fold. One pass over the arrived events in sequence order; each rule is a small function that sees the event, the
 * state before it and the sums so far. What needs the whole view is worked out in finish_*. */
#include "sim/truth.h"

#include <stdlib.h>

enum { LONG_RESUME_MS = 3600000, LONG_STALL_MS = 300000, LIVE_LATENCY_MAX_MS = 300000 };

struct fold {
    struct sim_truth *out;
    bool first, counts, ended, played_event, bitrate_seen;
    double viewer_ms, viewer_before_ms; /* of this event and the one before; NAN before the first */
    double latest_ms, viewend_ms;       /* largest of the events that are no viewend; the viewend's */

    double playing_before, playing, ads_before, ads_base, content_before;
    bool playing_known, ads_known;
    double weighed, weight, weighed_content, weight_content; /* with and without a playing time on the wire */
    double addend, addend_content;

    double request_bytes, request_ms, request_count, latency_sum, latency_positive;
    double live_sum, live_count;

    bool attempt_open, attempt_impression, break_open, break_error, attempt_at_end;
    bool in_break;                                                            /* for errors: an ad break is on */
    double break_start_ms, break_end_ms, ad_first_ms, ad_last_ms, content_ms; /* viewer_time; NAN while unknown */
    bool adplaying_before;

    bool failed, refused, error_in_break;
    struct sim_rendition_time rendition;        /* which plays: what was known after the last renditionchange */
    double started_ms, requested_ms, failed_ms; /* viewer_time of first viewstart, play/adbreakstart, fatal error */
};

static bool is_known(double v)
{
    return !isnan(v);
}

static double number(struct sim_value v)
{
    double d = v.type == SIM_INT ? (double)v.v.i : v.type == SIM_DOUBLE ? v.v.d : (double)NAN;
    return d >= 0 ? d : (double)NAN;
}

static double whole(double v)
{
    return floor(v + 0.5);
}

static bool is_true(struct sim_value v)
{
    return v.type == SIM_BOOL && v.v.i;
}

static bool is_text(struct sim_value v, const char *text)
{
    return v.type == SIM_TEXT && span_is(span_make(v.v.text, v.len), text);
}

static struct sim_value on_wire(const struct sim_fact *f, enum sim_field field)
{
    for (uint32_t i = 0; i < f->pair_count; i++)
        if (f->pairs[i].field == field) return f->pairs[i].value;
    return (struct sim_value){0};
}

static double wire_number(const struct sim_fact *f, enum sim_field field)
{
    return number(on_wire(f, field));
}

/* Fields whose first defined value stands; of all others the last one does. */
static bool keeps_first(unsigned field)
{
    static const enum sim_field firsts[] = {SF_session_id,          SF_session_start, SF_mux_viewer_id,
                                            SF_player_instance_id,  SF_env_key,       SF_view_start,
                                            SF_player_startup_time, SF_page_load_time};
    for (size_t i = 0; i < COUNT(firsts); i++)
        if (field == (unsigned)firsts[i]) return true;
    return false;
}

static void extent(struct sim_span_of_values *e, struct sim_value v)
{
    if (v.type == SIM_UNSET || v.type == SIM_NULL || (v.type == SIM_TEXT && v.len == 0)) return;
    if (v.type != SIM_TEXT && !(number(v) > 0)) return;
    if (e->first.type == SIM_UNSET) e->first = v;
    e->last = v;
}

static void fold_fields(struct fold *d, const struct sim_fact *f)
{
    struct sim_truth *out = d->out;
    /* The end may tell the next source's playhead, and its ranges with it. */
    const bool foreign =
        f->kind == SE_viewend && wire_number(f, SF_player_playhead_time) < number(out->last[SF_player_playhead_time]);
    for (uint32_t i = 0; i < f->pair_count; i++) {
        const struct sim_value v = f->pairs[i].value;
        const unsigned field = f->pairs[i].field;
        if (foreign && (field == SF_player_playhead_time || field == SF_video_playback_range)) continue;
        if (v.type == SIM_NULL || v.type == SIM_UNSET) continue;
        if (keeps_first(field) && out->last[field].type != SIM_UNSET) continue;
        out->last[field] = v;
        if (v.type == SIM_TEXT && v.len == 0) out->last[field].type = SIM_UNSET;
    }
    extent(&out->bitrate, on_wire(f, SF_video_source_bitrate));
    extent(&out->fps, on_wire(f, SF_video_source_fps));
    extent(&out->height, on_wire(f, SF_video_source_height));
    extent(&out->width, on_wire(f, SF_video_source_width));
    extent(&out->video_codec, on_wire(f, SF_video_source_codec));
    extent(&out->audio_codec, on_wire(f, SF_player_audio_track_codec));
    extent(&out->dynamic_range, on_wire(f, SF_video_dynamic_range_type));
    out->used_fullscreen |= is_true(on_wire(f, SF_player_is_fullscreen));
    out->used_fullscreen |= is_text(on_wire(f, SF_player_playback_mode), "fullscreen");
    out->used_pip |= is_true(on_wire(f, SF_player_pip_enabled)) || is_text(on_wire(f, SF_player_playback_mode), "pip");
    out->used_captions |= is_true(on_wire(f, SF_player_text_track_enabled));
    out->preroll_requested |= is_true(on_wire(f, SF_view_preroll_requested));
    out->preroll_played |= is_true(on_wire(f, SF_view_preroll_played));
}

static void fold_times(struct fold *d, const struct sim_fact *f)
{
    d->viewer_before_ms = d->viewer_ms;
    d->viewer_ms = wire_number(f, SF_viewer_time);
    if (f->kind == SE_viewend) d->viewend_ms = d->viewer_ms;
    else if (!is_known(d->latest_ms) || d->viewer_ms > d->latest_ms) d->latest_ms = d->viewer_ms;
    if (f->kind == SE_viewstart && !is_known(d->started_ms)) d->started_ms = d->viewer_ms;
    const bool requested = f->kind == SE_play || f->kind == SE_adbreakstart;
    if (requested && !is_known(d->requested_ms)) d->requested_ms = d->viewer_ms;
    if (requested || f->kind == SE_viewstart) d->counts = true;
    if (on_wire(f, SF_view_start).type != SIM_UNSET) d->counts = true;
    if (f->kind == SE_playing || f->kind == SE_adplaying) d->played_event = true;
}

static bool same_number(double a, double b)
{
    return isnan(a) ? isnan(b) : !(a < b) && !(a > b);
}

static void add_rendition_time(struct fold *d, double ms)
{
    struct sim_truth *out = d->out;
    if (!(ms > 0)) return;
    for (unsigned i = 0; i < out->rendition_count; i++) {
        struct sim_rendition_time *r = &out->renditions[i];
        if (!same_number(r->bitrate, d->rendition.bitrate) || !same_number(r->width, d->rendition.width) ||
            !same_number(r->height, d->rendition.height) || !same_number(r->fps, d->rendition.fps) ||
            !sim_value_eq(r->codec, d->rendition.codec) || !sim_value_eq(r->name, d->rendition.name))
            continue;
        r->ms += ms;
        return;
    }
    BUG_IF(out->rendition_count >= COUNT(out->renditions));
    out->renditions[out->rendition_count] = d->rendition;
    out->renditions[out->rendition_count++].ms = ms;
}

static void add_named_time(struct sim_named_time *times, unsigned *count, struct sim_value name, double ms)
{
    if (!(ms > 0)) return;
    for (unsigned i = 0; i < *count; i++) {
        if (!sim_value_eq(times[i].name, name)) continue;
        times[i].ms += ms;
        return;
    }
    BUG_IF(*count >= SIM_NAMED_TIMES_MAX);
    times[(*count)++] = (struct sim_named_time){name, ms};
}

/* What was known before an event: the time since the event before it was played that way. */
struct before {
    double bitrate;
    struct sim_value mode, ad_type;
};

/* Time that passed playing between the event before and this one, without what the client counted before it noticed a
 * stall; and the bitrate it was played at, which is the one known before this event. */
static void fold_playing(struct fold *d, const struct sim_fact *f, const struct before *before)
{
    double playing = wire_number(f, SF_view_playing_time_ms_cumulative);
    double ads = wire_number(f, SF_ad_playing_time_ms_cumulative);
    double content = wire_number(f, SF_view_content_playback_time);
    double addend = 0, ads_addend = 0, content_addend = 0;
    if (is_known(playing)) {
        d->playing_known = true;
        addend = fmax(0, playing - d->playing_before);
        d->playing_before = playing;
        if (f->kind == SE_rebufferstart && addend > 0 && !is_known(d->viewer_before_ms)) d->out->unsure_playing = true;
        if (f->kind == SE_rebufferstart && is_known(d->viewer_before_ms))
            addend = fmin(addend, fmax(0, d->viewer_ms - d->viewer_before_ms));
    }
    if (is_known(ads)) {
        if (f->seq == 1) d->ads_base = d->ads_before = ads;
        d->ads_known = true;
        ads_addend = fmax(0, ads - d->ads_before);
        d->ads_before = ads;
    }
    if (is_known(content)) {
        content_addend = fmax(0, content - d->content_before);
        d->content_before = content;
    }
    d->playing += addend;
    double shown = fmax(0, addend - ads_addend);
    add_rendition_time(d, shown);
    add_named_time(d->out->modes, &d->out->mode_count, before->mode, addend);
    add_named_time(d->out->ad_types, &d->out->ad_type_count, before->ad_type, fmin(ads_addend, addend));
    if (!(before->bitrate > 0)) return;
    d->weighed += shown * before->bitrate;
    d->weight += shown;
    d->weighed_content += content_addend * before->bitrate;
    d->weight_content += content_addend;
}

static double positive(struct sim_value v)
{
    double d = number(v);
    return d > 0 ? d : (double)NAN;
}

static void fold_rendition(struct fold *d, const struct sim_fact *f, double bitrate_before)
{
    const struct sim_value *last = d->out->last;
    double bitrate = wire_number(f, SF_video_source_bitrate);
    if (bitrate > 0) d->bitrate_seen = true;
    if (f->kind == SE_renditionchange)
        d->rendition = (struct sim_rendition_time){.bitrate = positive(last[SF_video_source_bitrate]),
                                                   .width = positive(last[SF_video_source_width]),
                                                   .height = positive(last[SF_video_source_height]),
                                                   .fps = positive(last[SF_video_source_fps]),
                                                   .codec = last[SF_video_source_codec],
                                                   .name = last[SF_video_source_rendition_name]};
    if (f->kind != SE_renditionchange || !(bitrate > 0)) return;
    if (!(bitrate_before > 0)) return;
    struct sim_truth *out = d->out;
    if (bitrate > bitrate_before) out->rendition_ups++;
    if (bitrate < bitrate_before) out->rendition_downs++;
}

static void fold_request(struct fold *d, const struct sim_fact *f)
{
    if (f->kind != SE_requestcompleted) return;
    double start = wire_number(f, SF_request_start), end = wire_number(f, SF_request_response_end);
    double first = wire_number(f, SF_request_response_start), bytes = wire_number(f, SF_request_bytes_loaded);
    if (is_known(first) && is_known(start) && first < start) first = (double)NAN;
    double took = end - (is_known(first) ? first : start);
    if (!(took > 0) || !(bytes > 0)) return;
    d->request_count++;
    d->request_bytes += bytes;
    d->request_ms += took;
    double latency = first - start;
    if (!(latency > 0)) return;
    d->latency_sum += latency;
    d->latency_positive++;
    if (!(d->out->request_latency_max >= latency)) d->out->request_latency_max = latency;
}

static void fold_live(struct fold *d, const struct sim_fact *f)
{
    double program = wire_number(f, SF_player_program_time);
    if (!is_known(program)) return;
    const struct sim_value live = d->out->last[SF_video_source_is_live];
    if (live.type == SIM_UNSET) d->out->unsure_live_latency = true; /* the beacon that said so is lost */
    if (!is_true(live) || is_true(d->out->last[SF_player_is_paused])) return;
    double latency = d->viewer_ms - program;
    if (latency < 0 || latency > LIVE_LATENCY_MAX_MS) return;
    d->live_sum += latency;
    d->live_count++;
}

static void fold_cdn(struct fold *d, const struct sim_fact *f)
{
    struct sim_truth *out = d->out;
    struct sim_value v = on_wire(f, SF_video_cdn);
    if (v.type != SIM_TEXT || v.len == 0) return;
    const struct sim_value *before = out->cdn_count ? &out->cdns[out->cdn_count - 1] : NULL;
    if (before && span_eq_nocase(span_make(before->v.text, before->len), span_make(v.v.text, v.len))) return;
    BUG_IF(out->cdn_count >= COUNT(out->cdns));
    out->cdns[out->cdn_count++] = v;
}

static void ad_attempt(struct fold *d)
{
    if (d->attempt_open) return;
    d->out->ad_attempts++;
    d->attempt_open = true;
    d->attempt_impression = false;
}

static void ad_error(struct fold *d)
{
    struct sim_truth *out = d->out;
    ad_attempt(d);
    out->ad_errors++;
    if (!d->attempt_impression) out->ad_startup_errors++;
    d->attempt_open = false;
    if (d->break_open && !d->break_error) out->ad_break_errors++, d->break_error = true;
}

static void fold_ads(struct fold *d, const struct sim_fact *f)
{
    struct sim_truth *out = d->out;
    switch ((int)f->kind) {
    case SE_adbreakstart:
        out->ad_breaks++;
        d->attempt_open = false;
        d->break_open = true, d->break_error = false;
        break;
    case SE_adplay: ad_attempt(d); break;
    case SE_adplaying:
    case SE_adimpression:
        ad_attempt(d);
        if (!d->attempt_impression) out->ad_impressions++, d->attempt_impression = true;
        break;
    case SE_aderror: ad_error(d); break;
    case SE_adended:
    case SE_adskipped: d->attempt_open = false; break;
    case SE_adbreakend:
    case SE_playing: d->attempt_open = d->break_open = false; break;
    default: return;
    }
    if (f->kind == SE_adbreakstart || f->kind == SE_adplay || f->kind == SE_adplaying || f->kind == SE_adimpression ||
        f->kind == SE_aderror)
        out->has_ad = true;
}

/* What the content's own startup needs to know of the ads before it. */
static void fold_content_start(struct fold *d, const struct sim_fact *f)
{
    if (is_known(d->content_ms)) return;
    if (f->kind == SE_playing) {
        d->content_ms = d->viewer_ms;
        return;
    }
    if (!span_starts(span_of(sim_kind_name(f->kind)), SPAN("ad"))) return;
    d->ad_last_ms = d->viewer_ms;
    if (f->kind == SE_adplaying) d->adplaying_before = true;
    if ((f->kind == SE_adplaying || f->kind == SE_adplay) && !is_known(d->ad_first_ms)) d->ad_first_ms = d->viewer_ms;
    if (f->kind == SE_adbreakstart && !is_known(d->break_start_ms)) d->break_start_ms = d->viewer_ms;
    if (f->kind == SE_adbreakend) d->break_end_ms = d->viewer_ms;
}

static void fold_error(struct fold *d, const struct sim_fact *f)
{
    struct sim_truth *out = d->out;
    if (f->kind == SE_adbreakstart) d->in_break = true;
    if (f->kind == SE_adbreakend || f->kind == SE_playing) d->in_break = false;
    if (f->kind != SE_error) return;
    const bool business = is_true(on_wire(f, SF_player_error_business_exception));
    const bool fatal = !is_text(on_wire(f, SF_player_error_severity), "warning");
    const int at = (int)out->error_count++;
    BUG_IF(out->error_count > COUNT(out->errors));
    out->errors[at] = (struct sim_truth_error){.code = on_wire(f, SF_player_error_code),
                                               .message = on_wire(f, SF_player_error_message),
                                               .context = on_wire(f, SF_player_error_context),
                                               .at_ms = d->viewer_ms,
                                               .fatal = fatal,
                                               .business = business,
                                               .in_ad = d->in_break};
    if (!fatal) return;
    if (!business && out->failure_at < 0) out->failure_at = at;
    if (business && out->refusal_at < 0) out->refusal_at = at;
    d->counts = true;
    if (!is_known(d->failed_ms)) d->failed_ms = d->viewer_ms;
    /* The view's error: its first failure, else its first business exception. */
    if (business ? !d->failed && !d->refused : !d->failed) {
        out->error_code = on_wire(f, SF_player_error_code);
        out->error_message = on_wire(f, SF_player_error_message);
        out->error_context = on_wire(f, SF_player_error_context);
        d->error_in_break = d->in_break;
    }
    d->failed |= !business;
    d->refused |= business;
}

static void fold_one(struct fold *d, const struct sim_fact *f)
{
    const struct sim_value *last = d->out->last;
    const struct before before = {number(last[SF_video_source_bitrate]), last[SF_player_playback_mode],
                                  last[SF_ad_type]};
    fold_times(d, f);
    fold_fields(d, f);
    fold_playing(d, f, &before);
    fold_rendition(d, f, before.bitrate);
    fold_request(d, f);
    fold_live(d, f);
    fold_cdn(d, f);
    fold_ads(d, f);
    fold_content_start(d, f);
    fold_error(d, f);
    d->out->events++;
}

static double last_number(const struct sim_truth *out, enum sim_field field)
{
    return number(out->last[field]);
}

static void finish_times(struct fold *d)
{
    struct sim_truth *out = d->out;
    out->dropped = !is_known(d->viewend_ms);
    out->view_end_ms = d->latest_ms;
    if (is_known(d->viewend_ms)) {
        out->long_resume = is_known(d->latest_ms) && d->viewend_ms - d->latest_ms > LONG_RESUME_MS;
        if (!out->long_resume && !(out->view_end_ms >= d->viewend_ms)) out->view_end_ms = d->viewend_ms;
    }
    out->view_start_ms = last_number(out, SF_view_start);
    if (!is_known(out->view_start_ms)) out->view_start_ms = d->started_ms;
    if (!is_known(out->view_start_ms)) out->view_start_ms = d->requested_ms;
    if (!is_known(out->view_start_ms)) out->view_start_ms = d->failed_ms;
}

static void finish_outcome(struct fold *d)
{
    struct sim_truth *out = d->out;
    out->time_to_first_frame = last_number(out, SF_view_time_to_first_frame);
    out->watched = is_known(out->time_to_first_frame) || d->played_event || d->playing > 0;
    out->playback_failure = d->failed;
    out->startup_failure = d->failed && !out->watched;
    out->business_exception = d->refused;
    out->startup_business_exception = d->refused && !out->watched;
    out->exit_before_start = !out->watched && !d->failed;
    out->ad_failure = d->failed && d->error_in_break;
    out->content_failure = d->failed && !d->error_in_break;
}

static void finish_playing(struct fold *d)
{
    struct sim_truth *out = d->out;
    out->watch_time = last_number(out, SF_view_watch_time);
    out->seek_count = last_number(out, SF_view_seek_count);
    out->seek_duration = last_number(out, SF_view_seek_duration);
    if (!is_known(out->seek_duration) && out->seek_count >= 1) out->seek_duration = 0;
    double count = last_number(out, SF_view_rebuffer_count), duration = last_number(out, SF_view_rebuffer_duration);
    out->buffering_count = !out->watched ? (double)NAN : is_known(count) ? count : 0;
    out->buffering_duration = !out->watched ? (double)NAN : is_known(duration) ? duration : 0;
    out->buffering_rate = out->watch_time > 0 ? out->buffering_count / out->watch_time : (double)NAN;
    out->rebuffer_percentage = out->watch_time > 0 ? out->buffering_duration / out->watch_time : (double)NAN;
    out->long_rebuffering = out->buffering_duration > LONG_STALL_MS;
    out->view_playing_time = d->playing;
    if (!d->playing_known) {
        const double parts[] = {out->time_to_first_frame, out->buffering_duration, out->seek_duration};
        double left = is_known(out->watch_time) ? out->watch_time : 0;
        for (size_t i = 0; i < COUNT(parts); i++)
            if (is_known(parts[i])) left -= parts[i];
        out->view_playing_time = out->watched ? fmax(0, left) : 0;
    }
    out->ad_playing_time = d->ads_known ? d->ads_before - d->ads_base : (double)NAN;
    out->view_content_playing_time = fmax(0, out->view_playing_time - (d->ads_known ? out->ad_playing_time : 0));
    double weight = d->playing_known ? d->weight : d->weight_content;
    double weighed = d->playing_known ? d->weighed : d->weighed_content;
    out->weighted_average_bitrate = weight > 0 ? weighed / weight : (double)NAN;
    out->rendition_changes = out->rendition_ups + out->rendition_downs;
    if (!out->watched || !d->bitrate_seen)
        out->rendition_changes = out->rendition_ups = out->rendition_downs = (double)NAN;
}

static void finish_startup(struct fold *d)
{
    struct sim_truth *out = d->out;
    out->player_startup_time = last_number(out, SF_player_startup_time);
    out->page_load_time = last_number(out, SF_page_load_time);
    out->aggregate_startup_time = last_number(out, SF_view_aggregate_startup_time);
    if (!is_known(out->aggregate_startup_time))
        out->aggregate_startup_time = out->page_load_time + out->player_startup_time + out->time_to_first_frame;
    if (out->preroll_played) {
        out->preroll_request_time = last_number(out, SF_view_startup_preroll_request_time);
        out->preroll_load_time = last_number(out, SF_view_startup_preroll_load_time);
        out->requests_for_first_preroll = last_number(out, SF_view_preroll_request_count);
        out->ad_preroll_startup_time = out->preroll_load_time;
    }
    if (!is_known(d->content_ms)) return;
    if (!d->adplaying_before) {
        out->view_content_startup_time = out->time_to_first_frame;
        return;
    }
    double from = is_known(d->break_start_ms) ? d->break_start_ms : d->ad_first_ms;
    double to = is_known(d->break_end_ms) ? d->break_end_ms : d->ad_last_ms;
    out->view_content_startup_time = fmax(0, d->content_ms - out->view_start_ms - (to - from));
}

static void finish_ads(struct fold *d)
{
    struct sim_truth *out = d->out;
    if (d->attempt_open && !d->attempt_impression) out->ad_exits++;
    if (!out->has_ad) {
        out->ad_attempts = out->ad_breaks = out->ad_impressions = out->ad_errors = (double)NAN;
        out->ad_break_errors = out->ad_startup_errors = out->ad_exits = (double)NAN;
        return;
    }
    if (out->ad_attempts > 0) {
        out->ad_error_percentage = out->ad_errors / out->ad_attempts;
        out->ad_startup_error_percentage = out->ad_startup_errors / out->ad_attempts;
        out->ad_exit_percentage = out->ad_exits / out->ad_attempts;
    }
    if (out->ad_breaks > 0) out->ad_break_error_percentage = out->ad_break_errors / out->ad_breaks;
}

double sim_truth_startup_score(double time_to_first_frame_ms)
{
    return 8 / (8 + time_to_first_frame_ms / 1000);
}

double sim_truth_rebuffering_score(double count, double duration_ms, double watch_ms)
{
    if (!is_known(count) || !is_known(duration_ms) || !(watch_ms > 0)) return (double)NAN;
    double share = fmin(1, duration_ms / watch_ms);
    return (1 / sqrt(1 + (count / 2) * (count / 2)) + exp(-10 * share)) / 2;
}

double sim_truth_quality_score(double max_upscale, double upscaling, double content_ms)
{
    if (!is_known(max_upscale) || !is_known(upscaling) || !(content_ms > 0)) return (double)NAN;
    return exp(-0.33 * (0.15 * max_upscale + 0.85 * upscaling / content_ms));
}

double sim_truth_overall(double success, double startup, double rebuffering, double quality)
{
    if (!is_known(success)) return (double)NAN;
    if (!(success > 0)) return 0;
    const double pairs[] = {
        pow(rebuffering, 0.62) * pow(quality, 0.38),
        pow(rebuffering, 0.54) * pow(startup, 0.46),
        pow(startup, 0.58) * pow(quality, 0.42),
    };
    double sum = 0, count = 0;
    for (size_t i = 0; i < COUNT(pairs); i++)
        if (is_known(pairs[i])) sum += pairs[i], count++;
    if (count > 0) return success * sum / count;
    double single = is_known(rebuffering) ? rebuffering : is_known(startup) ? startup : quality;
    return is_known(single) ? success * single : success;
}

static void finish_scores(struct fold *d)
{
    struct sim_truth *out = d->out;
    out->content_playback_time = last_number(out, SF_view_total_content_playback_time);
    out->upscaling = last_number(out, SF_view_total_upscaling);
    out->downscaling = last_number(out, SF_view_total_downscaling);
    out->max_upscale = last_number(out, SF_view_max_upscale_percentage);
    out->max_downscale = last_number(out, SF_view_max_downscale_percentage);
    out->max_playhead = last_number(out, SF_view_max_playhead_position);
    double wait_ms = is_known(out->watch_time) ? out->watch_time : out->view_end_ms - out->view_start_ms;
    out->playback_score = out->playback_failure ? 0 : out->watched ? 1 : wait_ms < 1000 ? (double)NAN : 0.5;
    out->startup_score = sim_truth_startup_score(out->time_to_first_frame);
    out->rebuffering_score =
        sim_truth_rebuffering_score(out->buffering_count, out->buffering_duration, out->watch_time);
    out->quality_score = !out->watched
                             ? (double)NAN
                             : sim_truth_quality_score(out->max_upscale, out->upscaling, out->content_playback_time);
    out->score = sim_truth_overall(out->playback_score, out->startup_score, out->rebuffering_score, out->quality_score);
}

static void finish_delivery(struct fold *d)
{
    struct sim_truth *out = d->out;
    if (d->request_count > 0) out->request_throughput = whole(8000 * d->request_bytes / d->request_ms);
    if (d->latency_positive > 0) out->request_latency = whole(d->latency_sum / d->request_count);
    if (d->live_count > 0) out->live_stream_latency = whole(d->live_sum / d->live_count);
}

static void truth_clear(struct sim_truth *t)
{
    const double none = (double)NAN;
    *t = (struct sim_truth){.view_content_startup_time = none,
                            .ad_preroll_startup_time = none,
                            .preroll_request_time = none,
                            .preroll_load_time = none,
                            .requests_for_first_preroll = none,
                            .request_throughput = none,
                            .request_latency = none,
                            .request_latency_max = none,
                            .live_stream_latency = none,
                            .ad_error_percentage = none,
                            .ad_break_error_percentage = none,
                            .ad_startup_error_percentage = none,
                            .ad_exit_percentage = none,
                            .failure_at = -1,
                            .refusal_at = -1};
}

bool sim_truth_fold(const struct sim_fact *facts, size_t count, struct sim_truth *out)
{
    const double none = (double)NAN;
    truth_clear(out);
    struct fold d = {.out = out,
                     .viewer_ms = none,
                     .viewer_before_ms = none,
                     .latest_ms = none,
                     .viewend_ms = none,
                     .break_start_ms = none,
                     .break_end_ms = none,
                     .ad_first_ms = none,
                     .ad_last_ms = none,
                     .content_ms = none,
                     .started_ms = none,
                     .requested_ms = none,
                     .failed_ms = none,
                     .rendition = {.bitrate = none, .width = none, .height = none, .fps = none}};
    for (size_t i = 0; i < count; i++) {
        BUG_IF(i > 0 && facts[i].seq <= facts[i - 1].seq);
        fold_one(&d, &facts[i]);
        if (facts[i].kind == SE_viewend) break; /* nothing after the end counts */
    }
    if (!d.counts) return false;
    finish_times(&d);
    finish_outcome(&d);
    finish_playing(&d);
    finish_startup(&d);
    finish_ads(&d);
    finish_scores(&d);
    finish_delivery(&d);
    return true;
}

bool sim_truth_view(const struct sim_session *s, unsigned view, const bool *arrived, struct sim_truth *out)
{
    bool *here = calloc(s->event_count ? s->event_count : 1, sizeof *here);
    struct sim_fact *facts = calloc(s->event_count ? s->event_count : 1, sizeof *facts);
    BUG_IF(here == NULL || facts == NULL);
    for (uint32_t p = 0; p < s->post_count; p++)
        for (uint32_t i = 0; arrived[p] && i < s->posts[p].event_count; i++) here[s->posts[p].event_at + i] = true;
    size_t count = 0;
    for (uint32_t i = 0; i < s->event_count; i++) { /* a session's events are in sequence order within each view */
        const struct sim_event *e = &s->events[i];
        if (!here[i] || e->view != view) continue;
        facts[count++] = (struct sim_fact){
            .kind = (enum sim_kind)e->kind, .seq = e->seq, .pairs = s->pairs + e->pair_at, .pair_count = e->pair_count};
    }
    bool made = sim_truth_fold(facts, count, out);
    free(facts);
    free(here);
    return made;
}
