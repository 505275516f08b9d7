/* SPDX-License-Identifier: Apache-2.0
 * The truth file: one JSON object a line. Keys are those of the API's view detail, in its units; scores, percentages,
 * playing time and the like, which the API writes as text, are numbers here. docs/simulate.md describes the file. */
#include "sim/truth.h"

#include "base/clock.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

struct text_row {
    const char *key;
    enum sim_field field;
};
static const struct text_row texts[] = {
    {"view_session_id", SF_view_session_id},
    {"player_instance_id", SF_player_instance_id},
    {"viewer_user_id", SF_viewer_user_id},
    {"sub_property_id", SF_sub_property_id},
    {"mux_embed", SF_mux_embed},
    {"mux_embed_version", SF_mux_embed_version},
    {"video_id", SF_video_id},
    {"video_title", SF_video_title},
    {"video_series", SF_video_series},
    {"video_content_type", SF_video_content_type},
    {"video_language", SF_video_language_code},
    {"video_producer", SF_video_producer},
    {"video_encoding_variant", SF_video_encoding_variant},
    {"video_variant_id", SF_video_variant_id},
    {"video_variant_name", SF_video_variant_name},
    {"video_creator_id", SF_video_creator_id},
    {"video_affiliate", SF_video_affiliate},
    {"video_brand", SF_video_brand},
    {"view_cdn_edge_pop", SF_view_cdn_edge_pop},
    {"view_cdn_origin", SF_view_cdn_origin},
    {"asset_id", SF_asset_id},
    {"view_drm_type", SF_view_drm_type},
    {"view_drm_level", SF_view_drm_level},
    {"experiment_name", SF_experiment_name},
    {"player_name", SF_player_name},
    {"player_version", SF_player_version},
    {"player_software_version", SF_player_software_version},
    {"player_mux_plugin_name", SF_player_mux_plugin_name},
    {"player_mux_plugin_version", SF_player_mux_plugin_version},
    {"player_language", SF_player_language_code},
    {"player_poster", SF_video_poster_url},
    {"player_source_host_name", SF_video_source_hostname},
    {"player_source_url", SF_video_source_url},
    {"player_source_type", SF_video_source_mime_type},
    {"page_url", SF_page_url},
    {"page_type", SF_page_type},
    {"client_application_name", SF_view_client_application_name},
    {"client_application_version", SF_view_client_application_version},
    {"viewer_connection_type", SF_viewer_connection_type},
    {"viewer_plan", SF_viewer_plan},
    {"viewer_plan_status", SF_viewer_plan_status},
    {"viewer_plan_category", SF_viewer_plan_category},
    {"custom_1", SF_custom_1},
    {"custom_2", SF_custom_2},
    {"custom_3", SF_custom_3},
    {"custom_4", SF_custom_4},
    {"custom_5", SF_custom_5},
    {"custom_6", SF_custom_6},
    {"custom_7", SF_custom_7},
    {"custom_8", SF_custom_8},
    {"custom_9", SF_custom_9},
    {"custom_10", SF_custom_10},
    {"custom_11", SF_custom_11},
    {"custom_12", SF_custom_12},
    {"custom_13", SF_custom_13},
    {"custom_14", SF_custom_14},
    {"custom_15", SF_custom_15},
    {"custom_16", SF_custom_16},
    {"custom_17", SF_custom_17},
    {"custom_18", SF_custom_18},
    {"custom_19", SF_custom_19},
    {"custom_20", SF_custom_20},
    {"player_playback_mode", SF_player_playback_mode},
    {"player_playback_mode_data", SF_player_playback_mode_data},
    {"preroll_ad_tag_hostname", SF_view_preroll_ad_tag_hostname},
    {"preroll_ad_asset_hostname", SF_view_preroll_ad_asset_hostname},
};

/* Numbers that are stored as the client sent them. */
static const struct text_row numbers[] = {
    {"video_duration", SF_video_duration},       {"player_height", SF_player_height},
    {"player_width", SF_player_width},           {"player_source_duration", SF_video_source_duration},
    {"player_view_count", SF_player_view_count}, {"view_dropped_frame_count", SF_view_dropped_frame_count},
    {"mux_sample_rate", SF_mux_sample_rate},
};

struct number_row {
    const char *key;
    size_t at;
};
#define ROW(key, member)                                                                                               \
    {                                                                                                                  \
        key, offsetof(struct sim_truth, member)                                                                        \
    }
static const struct number_row computed[] = {
    ROW("watch_time", watch_time),
    ROW("time_to_first_frame", time_to_first_frame),
    ROW("player_startup_time", player_startup_time),
    ROW("player_load_time", player_startup_time),
    ROW("page_load_time", page_load_time),
    ROW("aggregate_startup_time", aggregate_startup_time),
    ROW("view_content_startup_time", view_content_startup_time),
    ROW("ad_preroll_startup_time", ad_preroll_startup_time),
    ROW("video_startup_preroll_request_time", preroll_request_time),
    ROW("video_startup_preroll_load_time", preroll_load_time),
    ROW("requests_for_first_preroll", requests_for_first_preroll),
    ROW("buffering_count", buffering_count),
    ROW("buffering_duration", buffering_duration),
    ROW("buffering_rate", buffering_rate),
    ROW("rebuffer_percentage", rebuffer_percentage),
    ROW("view_seek_count", seek_count),
    ROW("view_seek_duration", seek_duration),
    ROW("view_total_content_playback_time", content_playback_time),
    ROW("view_total_upscaling", upscaling),
    ROW("view_total_downscaling", downscaling),
    ROW("view_max_upscale_percentage", max_upscale),
    ROW("view_max_downscale_percentage", max_downscale),
    ROW("view_max_playhead_position", max_playhead),
    ROW("weighted_average_bitrate", weighted_average_bitrate),
    ROW("view_average_request_throughput", request_throughput),
    ROW("view_average_request_latency", request_latency),
    ROW("view_max_request_latency", request_latency_max),
    ROW("ad_attempt_count", ad_attempts),
    ROW("ad_break_count", ad_breaks),
    ROW("ad_impression_count", ad_impressions),
    ROW("ad_error_count", ad_errors),
    ROW("ad_error_percentage", ad_error_percentage),
    ROW("ad_break_error_count", ad_break_errors),
    ROW("ad_break_error_percentage", ad_break_error_percentage),
    ROW("ad_startup_error_count", ad_startup_errors),
    ROW("ad_startup_error_percentage", ad_startup_error_percentage),
    ROW("ad_exit_before_start_count", ad_exits),
    ROW("ad_exit_before_start_percentage", ad_exit_percentage),
    ROW("viewer_experience_score", score),
    ROW("playback_score", playback_score),
    ROW("startup_score", startup_score),
    ROW("rebuffering_score", rebuffering_score),
    ROW("quality_score", quality_score),
};
static const struct number_row flags[] = {
    ROW("watched", watched),
    ROW("view_dropped", dropped),
    ROW("view_has_ad", has_ad),
    ROW("long_rebuffering", long_rebuffering),
    ROW("long_resume", long_resume),
    ROW("playback_failure", playback_failure),
    ROW("video_startup_failure", startup_failure),
    ROW("playback_business_exception", business_exception),
    ROW("video_startup_business_exception", startup_business_exception),
    ROW("exit_before_video_start", exit_before_start),
    ROW("ad_playback_failure", ad_failure),
    ROW("content_playback_failure", content_failure),
    ROW("used_fullscreen", used_fullscreen),
    ROW("used_pip", used_pip),
    ROW("used_captions", used_captions),
    ROW("preroll_requested", preroll_requested),
    ROW("preroll_played", preroll_played),
};
static const struct number_row extents[] = {
    ROW("video_source_bitrate", bitrate),
    ROW("video_source_fps", fps),
    ROW("video_source_height", height),
    ROW("video_source_width", width),
    ROW("video_codec", video_codec),
    ROW("audio_codec", audio_codec),
    ROW("video_dynamic_range_type", dynamic_range),
};
#undef ROW

static const void *member(const struct sim_truth *t, size_t at)
{
    return (const char *)t + at;
}

static void add_value(struct jw *w, struct sim_value v)
{
    switch ((enum sim_type)v.type) {
    case SIM_UNSET:
    case SIM_NULL: jw_null(w); break;
    case SIM_BOOL: jw_bool(w, v.v.i != 0); break;
    case SIM_INT:
    case SIM_TIME: jw_int(w, v.v.i); break;
    case SIM_DOUBLE: jw_double(w, v.v.d); break;
    case SIM_TEXT:
    case SIM_RAW: jw_string(w, span_make(v.v.text, v.len)); break;
    }
}

static void write_value(struct jw *w, const char *key, struct sim_value v)
{
    jw_key(w, key);
    add_value(w, v);
}

static void write_text(struct jw *w, const char *key, struct span text)
{
    jw_key(w, key);
    jw_string(w, text);
}

/* Text that the API never gives as null: "" when it is not known. */
static void write_always(struct jw *w, const char *key, struct sim_value v)
{
    write_text(w, key, v.type == SIM_TEXT ? span_make(v.v.text, v.len) : SPAN(""));
}

/* As text, the way the API gives an error's code. */
static void add_code(struct jw *w, struct sim_value v)
{
    char text[32];
    if (v.type == SIM_INT) jw_string(w, span_make(text, json_format_double(text, sizeof text, (double)v.v.i, true)));
    else add_value(w, v);
}

static void write_times(struct jw *w, const struct sim_session *s, const struct sim_truth *t, bool as_sent)
{
    const double shift = as_sent ? 0 : (double)s->skew_ms;
    const int64_t start_ms = (int64_t)(t->view_start_ms - shift), end_ms = (int64_t)(t->view_end_ms - shift);
    char iso[32];
    iso_seconds(iso, start_ms);
    write_text(w, "view_start", span_of(iso));
    iso_seconds(iso, end_ms);
    write_text(w, "view_end", span_of(iso));
    jw_key(w, "view_start_ms");
    jw_int(w, start_ms);
    jw_key(w, "view_end_ms");
    jw_int(w, end_ms);
    jw_key(w, "skewed");
    jw_bool(w, s->skew_ms != 0);
}

static void write_player(struct jw *w, const struct sim_truth *t)
{
    const struct sim_value preload = t->last[SF_player_preload_on], autoplay = t->last[SF_player_autoplay_on];
    const bool preloads = preload.type == SIM_TEXT && !span_is(span_make(preload.v.text, preload.len), "none");
    jw_key(w, "player_autoplay");
    jw_bool(w, autoplay.type == SIM_BOOL && autoplay.v.i);
    jw_key(w, "player_preload");
    jw_bool(w, preloads);
    const struct sim_value shifts = t->last[SF_view_time_shift_enabled];
    jw_key(w, "time_shift_enabled");
    jw_bool(w, shifts.type == SIM_BOOL && shifts.v.i);
    write_value(w, "player_remote_played", t->last[SF_player_remote_played]);
    const struct sim_value name = t->last[SF_player_software_name];
    write_value(w, "player_software", name.type == SIM_UNSET ? t->last[SF_player_software] : name);
    write_value(w, "player_source_height", t->height.last);
    write_value(w, "player_source_width", t->width.last);
    char key[64];
    for (size_t i = 0; i < COUNT(extents); i++) {
        const struct sim_span_of_values *e = member(t, extents[i].at);
        write_value(w, extents[i].key, e->last);
        struct span base = span_of(extents[i].key);
        memcpy(key, base.ptr, base.len);
        memcpy(key + base.len, "_initial", sizeof "_initial");
        write_value(w, key, e->first);
    }
}

/* Explicit, else from the live flag, else on-demand for anything with a duration. */
static void write_stream_type(struct jw *w, const struct sim_truth *t)
{
    const struct sim_value live = t->last[SF_video_source_is_live];
    struct sim_value type = t->last[SF_video_stream_type];
    if (type.type == SIM_UNSET && live.type == SIM_BOOL) type = sim_text(live.v.i ? "live" : "on-demand");
    if (type.type == SIM_UNSET && t->last[SF_video_source_duration].type == SIM_INT) type = sim_text("on-demand");
    write_value(w, "video_stream_type", type);
}

/* The first path segment of a source on that one host, without its extension. */
static void write_playback_id(struct jw *w, const struct sim_truth *t)
{
    const struct span start = SPAN("https://stream.mux.com/");
    const struct sim_value url = t->last[SF_video_source_url];
    struct span text = url.type == SIM_TEXT ? span_make(url.v.text, url.len) : SPAN("");
    if (!span_starts(text, start)) {
        write_value(w, "playback_id", sim_text(NULL));
        return;
    }
    struct span id = span_from(text, start.len);
    ptrdiff_t dot = span_find(id, '.');
    write_text(w, "playback_id", dot < 0 ? id : span_upto(id, (size_t)dot));
}

static void write_cdn(struct jw *w, const struct sim_truth *t)
{
    write_value(w, "cdn", t->last[SF_video_cdn]);
    jw_key(w, "video_cdn_trace");
    jw_array(w);
    for (unsigned i = 0; i < t->cdn_count; i++) jw_string(w, span_make(t->cdns[i].v.text, t->cdns[i].len));
    jw_array_end(w);
}

static void write_number(struct jw *w, const char *key, double v)
{
    jw_key(w, key);
    jw_double(w, v);
}

/* An error's id is the server's choice: it stands as the code and message that it must be the id of. */
static void write_error_id(struct jw *w, const char *key, const struct sim_truth_error *e)
{
    jw_key(w, key);
    if (e == NULL) {
        jw_null(w);
        return;
    }
    jw_array(w);
    add_code(w, e->code);
    add_value(w, e->message);
    jw_array_end(w);
}

/* [code, message, context, time, fatal, business exception, in an ad break] of each error in order. */
static void write_error_list(struct jw *w, const struct sim_truth *t, double shift_ms)
{
    jw_key(w, "errors");
    jw_array(w);
    for (unsigned i = 0; i < t->error_count; i++) {
        const struct sim_truth_error *e = &t->errors[i];
        jw_array(w);
        add_code(w, e->code);
        add_value(w, e->message);
        add_value(w, e->context);
        jw_int(w, (int64_t)(e->at_ms - shift_ms));
        jw_bool(w, e->fatal);
        jw_bool(w, e->business);
        jw_bool(w, e->in_ad);
        jw_array_end(w);
    }
    jw_array_end(w);
}

static void write_errors(struct jw *w, const struct sim_truth *t, double shift_ms)
{
    const struct sim_truth_error *failure = t->failure_at < 0 ? NULL : &t->errors[t->failure_at];
    const struct sim_truth_error *refusal = t->refusal_at < 0 ? NULL : &t->errors[t->refusal_at];
    const struct sim_truth_error *error = failure ? failure : refusal;
    jw_key(w, "player_error_code");
    add_code(w, t->error_code);
    write_value(w, "player_error_message", t->error_message);
    write_value(w, "player_error_context", t->error_context);
    write_error_id(w, "error_type_id", error);
    write_error_id(w, "playback_failure_error_type_id", failure);
    write_error_id(w, "playback_business_exception_error_type_id", refusal);
    write_error_id(w, "video_startup_business_exception_error_type_id", t->startup_business_exception ? refusal : NULL);
    write_error_id(w, "ad_playback_failure_error_type_id", t->ad_failure ? failure : NULL);
    jw_key(w, "error_last_seen");
    if (error) jw_int(w, (int64_t)(error->at_ms - shift_ms));
    else jw_null(w);
    write_error_list(w, t, shift_ms);
}

/* [start, end] of each stretch that was played, in the order of playing. */
static void write_ranges(struct jw *w, const struct sim_truth *t)
{
    const struct sim_value v = t->last[SF_video_playback_range];
    struct span rest = v.type == SIM_TEXT ? span_make(v.v.text, v.len) : SPAN("");
    jw_key(w, "ranges");
    jw_array(w);
    for (ptrdiff_t quote; (quote = span_find(rest, '"')) >= 0;) {
        long long start = 0, end = 0;
        char text[64];
        rest = span_from(rest, (size_t)quote + 1);
        ptrdiff_t close = span_find(rest, '"');
        BUG_IF(close < 0 || (size_t)close >= sizeof text);
        memcpy(text, rest.ptr, (size_t)close);
        text[close] = 0;
        BUG_IF(sscanf(text, "%lld:%lld", &start, &end) != 2);
        rest = span_from(rest, (size_t)close + 1);
        if (end <= start) continue;
        jw_array(w);
        jw_int(w, start);
        jw_int(w, end);
        jw_array_end(w);
    }
    jw_array_end(w);
}

static void write_named(struct jw *w, const char *key, const struct sim_named_time *times, unsigned count)
{
    jw_key(w, key);
    jw_array(w);
    for (unsigned i = 0; i < count; i++) {
        jw_array(w);
        add_value(w, times[i].name);
        jw_double(w, times[i].ms);
        jw_array_end(w);
    }
    jw_array_end(w);
}

/* Playing time by rendition: [bit/s, width, height, frames/s, codec, name, ms]; by playback mode and by type of ad. */
static void write_shares(struct jw *w, const struct sim_truth *t)
{
    jw_key(w, "renditions");
    jw_array(w);
    for (unsigned i = 0; i < t->rendition_count; i++) {
        const struct sim_rendition_time *r = &t->renditions[i];
        jw_array(w);
        jw_double(w, r->bitrate);
        jw_double(w, r->width);
        jw_double(w, r->height);
        jw_double(w, r->fps);
        add_value(w, r->codec);
        add_value(w, r->name);
        jw_double(w, r->ms);
        jw_array_end(w);
    }
    jw_array_end(w);
    write_named(w, "modes", t->modes, t->mode_count);
    write_named(w, "ad_types", t->ad_types, t->ad_type_count);
}

/* Fields that the beacons which arrived may leave open. */
static void write_unless_unsure(struct jw *w, const struct sim_session *s, const struct sim_truth *t, bool as_sent)
{
    if (!t->unsure_playing) {
        write_number(w, "view_playing_time", t->view_playing_time);
        write_number(w, "view_content_playing_time", t->view_content_playing_time);
    }
    if (!isnan(t->ad_playing_time)) write_number(w, "ad_playing_time", t->ad_playing_time);
    if (!t->unsure_playing) write_shares(w, t);
    write_number(w, "rendition_change_count", t->rendition_changes);
    write_number(w, "rendition_upshift_count", t->rendition_ups);
    write_number(w, "rendition_downshift_count", t->rendition_downs);
    /* A corrected clock is off by the network's delay, and the latency with it. */
    if (!t->unsure_live_latency && (s->skew_ms == 0 || as_sent))
        write_number(w, "live_stream_latency", t->live_stream_latency);
}

static void write_place(struct jw *w, const struct sim_session *s)
{
    write_text(w, "viewer_user_agent", span_of(s->user_agent));
    if (s->browser) write_text(w, "viewer_application_name", span_of(s->browser));
    if (s->os) write_text(w, "viewer_os_family", span_of(s->os));
    if (s->device) write_text(w, "viewer_device_category", span_of(s->device));
    write_text(w, "simulated_country", span_of(s->country));
}

static void write_extra(struct jw *w, const struct sim_truth *t, const struct sim_truth_extra *extra)
{
    jw_key(w, "beacons_sent");
    jw_int(w, extra->beacons);
    jw_key(w, "events");
    jw_int(w, t->events);
    jw_key(w, "faults");
    jw_object(w);
    jw_key(w, "duplicated");
    jw_int(w, extra->duplicated);
    jw_key(w, "reordered");
    jw_int(w, extra->reordered);
    jw_key(w, "lost");
    jw_int(w, extra->lost);
    jw_object_end(w);
}

struct moment {
    const struct sim_event *event;
    int64_t viewer_ms, playhead_ms;
};

static int moment_order(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;
    if (x->viewer_ms != y->viewer_ms) return x->viewer_ms < y->viewer_ms ? -1 : 1;
    return (x->event->seq > y->event->seq) - (x->event->seq < y->event->seq);
}

static int64_t pair_int(const struct sim_session *s, const struct sim_event *e, enum sim_field field)
{
    uint32_t i = 0;
    while (i < e->pair_count && s->pairs[e->pair_at + i].field != field) i++;
    BUG_IF(i == e->pair_count); /* every event has it */
    return s->pairs[e->pair_at + i].value.v.i;
}

/* What arrived of a view, up to its end, by the player's clock. */
static size_t moments_find(const struct sim_session *s, unsigned view, const bool *arrived, struct moment *out)
{
    bool *here = calloc(s->event_count + 1, sizeof *here);
    size_t count = 0;
    BUG_IF(here == NULL);
    for (uint32_t p = 0; p < s->post_count; p++)
        for (uint32_t i = 0; arrived[p] && i < s->posts[p].event_count; i++) here[s->posts[p].event_at + i] = true;
    for (uint32_t i = 0; i < s->event_count; i++) {
        const struct sim_event *e = &s->events[i];
        if (!here[i] || e->view != view) continue;
        out[count] = (struct moment){e, pair_int(s, e, SF_viewer_time), pair_int(s, e, SF_player_playhead_time)};
        const int64_t before_ms = count ? out[count - 1].playhead_ms : 0;
        if (e->kind == SE_viewend && out[count].playhead_ms < before_ms) out[count].playhead_ms = before_ms;
        count++;
        if (e->kind == SE_viewend) break;
    }
    free(here);
    qsort(out, count, sizeof *out, moment_order);
    return count;
}

/* [name, sequence number, time by the player's clock as sent, playhead] of each event. */
static void write_timeline(struct jw *w, const struct sim_session *s, unsigned view, const bool *arrived)
{
    struct moment *moments = calloc(s->event_count + 1, sizeof *moments);
    BUG_IF(moments == NULL);
    const size_t count = moments_find(s, view, arrived, moments);
    jw_key(w, "timeline");
    jw_array(w);
    for (size_t i = 0; i < count; i++) {
        jw_array(w);
        jw_text(w, sim_kind_name((enum sim_kind)moments[i].event->kind));
        jw_int(w, moments[i].event->seq);
        jw_int(w, moments[i].viewer_ms);
        jw_int(w, moments[i].playhead_ms);
        jw_array_end(w);
    }
    jw_array_end(w);
    free(moments);
}

void sim_truth_write(struct buf *out, const struct sim_session *s, unsigned view, const struct sim_truth *t,
                     const struct sim_truth_extra *extra)
{
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    write_text(&w, "view_id", span_of(s->views[view].id));
    write_times(&w, s, t, extra->times_as_sent);
    write_always(&w, "session_id", t->last[SF_session_id]);
    write_always(&w, "mux_viewer_id", t->last[SF_mux_viewer_id]);
    write_always(&w, "mux_api_version", t->last[SF_mux_api_version]);
    for (size_t i = 0; i < COUNT(texts); i++) write_value(&w, texts[i].key, t->last[texts[i].field]);
    for (size_t i = 0; i < COUNT(numbers); i++) write_value(&w, numbers[i].key, t->last[numbers[i].field]);
    for (size_t i = 0; i < COUNT(computed); i++)
        write_number(&w, computed[i].key, *(const double *)member(t, computed[i].at));
    for (size_t i = 0; i < COUNT(flags); i++) {
        jw_key(&w, flags[i].key);
        jw_bool(&w, *(const bool *)member(t, flags[i].at));
    }
    write_unless_unsure(&w, s, t, extra->times_as_sent);
    write_player(&w, t);
    write_stream_type(&w, t);
    write_playback_id(&w, t);
    write_cdn(&w, t);
    write_errors(&w, t, extra->times_as_sent ? 0 : (double)s->skew_ms);
    write_ranges(&w, t);
    write_place(&w, s);
    write_extra(&w, t, extra);
    if (extra->arrived) write_timeline(&w, s, view, extra->arrived);
    jw_object_end(&w);
    buf_addc(out, '\n');
}
