/* SPDX-License-Identifier: Apache-2.0
 * The life of one view: how long it takes to start, what goes wrong, what the viewer touches, and how it ends. The
 * shares are chosen so that a few thousand views show every kind of event and the charts look like a real site's. */
#include "sim/script.h"

enum { MISHAPS_MAX = 40, PLAY_MS_MAX = 40 * 60 * 1000 };

/* What can happen at a point of playing time. */
enum mishap {
    DO_STALL,
    DO_LONG_STALL,
    DO_PAUSE,
    DO_SEEK,
    DO_RENDITION_UP,
    DO_RENDITION_DOWN,
    DO_FULLSCREEN,
    DO_PIP,
    DO_CAPTIONS,
    DO_MIDROLL,
    DO_WARNING,
    DO_ERROR,
    DO_REFUSAL,
    DO_NETWORK,
    DO_HIDE,
    DO_UPDATE,
    DO_CDN,
    DO_SLEEP,
    DO_REQUEST_FAILS,
    DO_REQUEST_CANCELS,
    DO_RATE,
    DO_LONG_GAP,
};
struct plan {
    struct {
        int64_t at_ms;
        enum mishap what;
    } items[MISHAPS_MAX];
    unsigned count;
};

int64_t script_about(struct viewer *v, double median, double sigma, int64_t low, int64_t high)
{
    double value = rng_lognormal(&v->rng, median, sigma);
    if (value < (double)low) return low;
    return value > (double)high ? high : (int64_t)value;
}

static void set_text(struct viewer *v, enum sim_field field, const char *text)
{
    monitor_set(&v->m, field, sim_text(text));
}

static void request_common(struct viewer *v, const char *type, const char *event_type, const char *headers)
{
    set_text(v, SF_request_type, type);
    if (v->player->software_name == NULL) set_text(v, SF_request_event_type, event_type);
    monitor_set(&v->m, SF_request_hostname, v->m.state[SF_video_source_hostname]);
    monitor_set(&v->m, SF_request_response_headers, sim_raw(headers));
    monitor_set(&v->m, SF_request_current_level, sim_int(v->rendition));
}

static void manifest_request(struct viewer *v, const char *event_type)
{
    int64_t first_ms = script_about(v, 38 * v->slowness, 0.5, 3, 2500), transfer_ms = rng_range(&v->rng, 0, 6);
    monitor_wait(&v->m, MODE_IDLE, first_ms + transfer_ms + rng_range(&v->rng, 2, 12));
    request_common(v, "manifest", event_type, "{\"content-type\":\"application/vnd.apple.mpegurl\"}");
    monitor_request(&v->m, rng_range(&v->rng, 400, 2400), first_ms, transfer_ms);
}

void script_fragment(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    const struct sim_rendition *r = &sim_renditions[v->rendition];
    int64_t bytes = (int64_t)((double)r->bitrate / 8000.0 * (double)v->segment_ms * (0.8 + 0.4 * rng_unit(&v->rng)));
    int64_t first_ms = script_about(v, 32 * v->slowness * v->cdn->slowness, 0.6, 2, 4000);
    int64_t transfer_ms = (int64_t)((double)bytes * 8000.0 / v->network_bps * (0.7 + 0.6 * rng_unit(&v->rng))) + 1;
    const char *cdn = m->cdn_next;
    if (v->header_cdn && m->state[SF_video_cdn].type == SIM_UNSET) cdn = m->cdn_next = v->cdn->name;
    set_text(v, SF_request_id, monitor_text(m, "%08llx", (unsigned long long)(rng_next(&v->rng) >> 32)));
    const char *seen = cdn ? cdn : v->cdn->name;
    const char *id = m->state[SF_request_id].v.text;
    const char *named = v->header_cdn ? monitor_text(m, "\"x-cdn\":\"%s\",", seen) : "";
    request_common(v, span_is(span_of(v->player->name), "Classic") ? "video" : "media", "hlsFragLoaded",
                   monitor_text(m, "{\"content-type\":\"video/mp2t\",%s\"x-request-id\":\"%s\"}", named, id));
    monitor_set(m, SF_request_media_duration, sim_double((double)v->segment_ms / 1000.0));
    monitor_set(m, SF_request_video_width, sim_int(r->width));
    monitor_set(m, SF_request_video_height, sim_int(r->height));
    monitor_set(m, SF_request_labeled_bitrate, sim_int(r->bitrate));
    set_text(v, SF_request_url,
             monitor_text(m, "https://%s/%s/%s/%05lld.ts", m->state[SF_video_source_hostname].v.text, v->title->id,
                          r->name, (long long)(m->playhead_ms / v->segment_ms)));
    monitor_request(m, bytes, first_ms, transfer_ms);
}

void script_play(struct viewer *v, int64_t playing_ms)
{
    struct sim_monitor *m = &v->m;
    while (v->player->requests && playing_ms >= v->segment_left_ms) {
        monitor_wait(m, MODE_PLAYING, v->segment_left_ms);
        playing_ms -= v->segment_left_ms;
        v->segment_left_ms = v->segment_ms;
        script_fragment(v);
    }
    monitor_wait(m, MODE_PLAYING, playing_ms);
    v->segment_left_ms -= playing_ms;
}

void script_rendition(struct viewer *v, int rendition)
{
    struct sim_monitor *m = &v->m;
    const struct sim_rendition *r = &sim_renditions[rendition];
    monitor_sample(m);
    v->rendition = rendition;
    const bool dash = span_is(span_of(v->player->extension), "mpd") && !m->old_core;
    if (!m->old_core) {
        monitor_set(m, SF_video_source_width, sim_int(r->width));
        monitor_set(m, SF_video_source_height, sim_int(r->height));
    }
    if (v->player->renditions) {
        monitor_set(m, SF_video_source_bitrate, sim_int(r->bitrate));
        set_text(v, SF_video_source_codec, r->codec);
        if (!dash) monitor_set(m, SF_video_source_fps, r->fps < 30 ? sim_double(r->fps) : sim_int(30));
        if (!dash) set_text(v, SF_video_source_rendition_name, r->name);
    }
    monitor_emit(m, SE_renditionchange);
}

static void set_live(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    const bool live = v->title->duration_ms == 0;
    monitor_set(m, SF_video_source_is_live, sim_bool(live));
    monitor_set(m, SF_video_source_duration, live ? sim_null() : sim_int(v->title->duration_ms));
    m->live = live;
    if (!live) return;
    m->live_latency_ms = script_about(v, 9000, 0.5, 2500, 60000);
    monitor_set(m, SF_video_holdback, sim_int(6000));
    monitor_set(m, SF_video_part_holdback, sim_int(0));
    monitor_set(m, SF_video_target_duration, sim_int(2000));
    monitor_set(m, SF_video_part_target_duration, sim_int(0));
}

void script_ready(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    if (!m->old_core) monitor_emit(m, SE_networkchange);
    monitor_wait(m, MODE_IDLE, script_about(v, 60 * v->slowness, 0.7, 4, 4000));
    int64_t ready_ms = m->now_ms - m->state[SF_player_init_time].v.i;
    monitor_set(m, SF_player_startup_time, sim_int(ready_ms));
    monitor_set(m, SF_page_load_time, sim_int(m->state[SF_player_init_time].v.i - v->page_start_ms));
    monitor_set(m, SF_video_source_duration, sim_null());
    monitor_emit(m, SE_playerready);
    if (v->player->requests) manifest_request(v, "hlsManifestLoaded");
    monitor_wait(m, MODE_IDLE, rng_range(&v->rng, 3, 20));
    if (!m->old_core) monitor_emit(m, SE_loadstart);
    set_live(v);
    if (v->player->requests && v->player->software_name == NULL) {
        monitor_set(m, SF_request_rendition_lists,
                    sim_raw("{\"media\":{\"0\":{\"width\":426,\"height\":240,\"bitrate\":400000},\"1\":{\"width\":1280,"
                            "\"height\":720,\"bitrate\":3800000}}}"));
        manifest_request(v, "hlsLevelLoaded");
    }
    if (!m->old_core) {
        monitor_set(m, SF_player_text_track_enabled, sim_bool(false));
        monitor_emit(m, SE_texttrackchange);
    }
}

static void report_error(struct viewer *v, const struct sim_fault_text *e, const char *severity)
{
    struct sim_monitor *m = &v->m;
    monitor_sample(m);
    monitor_set(m, SF_player_error_code, e->code ? sim_int(e->code) : sim_text(e->code_text));
    set_text(v, SF_player_error_message, e->message);
    set_text(v, SF_player_error_context, e->context);
    set_text(v, SF_player_error_severity, severity);
    if (e->business) monitor_set(m, SF_player_error_business_exception, sim_bool(true));
    monitor_emit(m, SE_error);
}

static const struct sim_fault_text *some_error(struct viewer *v, bool refusal)
{
    if (refusal) return &sim_refusals[rng_range(&v->rng, 0, COUNT(sim_refusals) - 1)];
    return &sim_errors[rng_range(&v->rng, 0, COUNT(sim_errors) - 1)];
}

void script_first_frame(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    if (v->player->renditions && !v->header_cdn && m->state[SF_player_audio_track_enabled].type == SIM_UNSET &&
        !m->old_core) {
        monitor_set(m, SF_player_audio_track_enabled, sim_bool(true));
        set_text(v, SF_player_audio_track_codec, "mp4a.40.2");
        set_text(v, SF_player_audio_track_channels, "stereo");
        set_text(v, SF_player_audio_track_language, v->title->language);
        monitor_emit(m, SE_audiotrackchange);
    }
    script_rendition(v, v->rendition);
    if (m->state[SF_view_time_to_first_frame].type == SIM_UNSET) {
        monitor_set(m, SF_view_time_to_first_frame, sim_int(m->watch_ms));
        if (v->autoplay)
            monitor_set(m, SF_view_aggregate_startup_time,
                        sim_int(m->state[SF_view_start].v.i + m->watch_ms - v->page_start_ms));
    }
    monitor_emit(m, SE_playing);
    v->segment_left_ms = v->segment_ms;
}

/* How the wait for the first frame ends. */
enum start { START_PLAYS, START_FAILS, START_LEAVES };

static enum start startup(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    double luck = rng_unit(&v->rng);
    if (!m->old_core) {
        monitor_wait(m, MODE_STARTING, 4);
        monitor_emit(m, SE_waiting);
    }
    if (luck < 0.026) {
        monitor_wait(m, MODE_STARTING, script_about(v, 2200, 0.9, 80, 60000));
        return START_LEAVES;
    }
    if (luck < 0.044) {
        monitor_wait(m, MODE_STARTING, script_about(v, 2600, 0.6, 200, 30000));
        bool refusal = luck < 0.030;
        report_error(v, some_error(v, refusal), refusal || rng_chance(&v->rng, 0.5) ? "fatal" : NULL);
        if (rng_chance(&v->rng, 0.9)) {
            monitor_wait(m, MODE_IDLE, script_about(v, 5000, 0.8, 300, 60000));
            return START_FAILS;
        }
    }
    int64_t wait_ms = script_about(v, 480 * v->slowness, 0.45, 60, 25000);
    if (v->player->requests) {
        monitor_wait(m, MODE_STARTING, wait_ms / 2);
        script_fragment(v);
        wait_ms -= wait_ms / 2;
        if (rng_chance(&v->rng, 0.12)) { /* the player nudges itself over a gap before the first frame */
            int64_t seek_ms = rng_range(&v->rng, 20, 120);
            monitor_set(m, SF_view_seek_count, sim_int(++m->seek_count));
            monitor_emit(m, SE_seeking);
            monitor_wait(m, MODE_SEEKING, seek_ms);
            m->seek_ms += seek_ms, m->seek_max_ms = seek_ms;
            monitor_set(m, SF_view_seek_duration, sim_int(m->seek_ms));
            monitor_set(m, SF_view_max_seek_time, sim_int(m->seek_max_ms));
            monitor_emit(m, SE_seeked);
        }
    }
    monitor_wait(m, MODE_STARTING, wait_ms);
    return START_PLAYS;
}

static void plan_add(struct viewer *v, struct plan *p, double share, int64_t low_ms, int64_t high_ms, enum mishap what)
{
    if (!rng_chance(&v->rng, share) || p->count >= MISHAPS_MAX || low_ms > high_ms) return;
    int64_t at_ms = rng_range(&v->rng, low_ms, high_ms);
    unsigned i = p->count++;
    for (; i > 0 && p->items[i - 1].at_ms > at_ms; i--) p->items[i] = p->items[i - 1];
    p->items[i].at_ms = at_ms;
    p->items[i].what = what;
}

static void plan_make(struct viewer *v, struct plan *p, int64_t want_ms)
{
    const bool adaptive = v->player->renditions, core = !v->m.old_core, live = v->m.live;
    *p = (struct plan){0};
    for (int64_t at = 0; at < want_ms && p->count < 16; at += 60000) /* minute by minute */
        plan_add(v, p, 0.10 * v->slowness, at + 800, at + 60000 < want_ms ? at + 60000 : want_ms, DO_STALL);
    if (adaptive) {
        plan_add(v, p, 0.55, 3000, want_ms < 12000 ? want_ms : 12000, DO_RENDITION_UP);
        for (int i = 0; i < 3; i++) {
            plan_add(v, p, 0.18, 8000, want_ms, DO_RENDITION_UP);
            plan_add(v, p, 0.15 * v->slowness, 8000, want_ms, DO_RENDITION_DOWN);
        }
    }
    for (int i = 0; i < 3; i++) plan_add(v, p, 0.10, 1500, want_ms, DO_PAUSE);
    for (int i = 0; i < 3 && !live; i++) plan_add(v, p, 0.09, 1500, want_ms, DO_SEEK);
    if (core) {
        plan_add(v, p, v->agent->fullscreen ? 0.22 : 0.06, 1000, want_ms, DO_FULLSCREEN);
        plan_add(v, p, 0.03, 2000, want_ms, DO_PIP);
        plan_add(v, p, 0.12, 1000, want_ms, DO_CAPTIONS);
        plan_add(v, p, 0.04, 2000, want_ms, DO_NETWORK);
    }
    if (v->ads) plan_add(v, p, 0.7, 30000, want_ms, DO_MIDROLL);
    plan_add(v, p, 0.015, 1000, want_ms, DO_WARNING);
    plan_add(v, p, 0.013, 500, want_ms, DO_ERROR);
    plan_add(v, p, 0.004, 500, want_ms, DO_REFUSAL);
    plan_add(v, p, 0.05, 3000, want_ms, DO_HIDE);
    plan_add(v, p, 0.03, 2000, want_ms, DO_UPDATE);
    for (int i = 0; i < 3; i++) plan_add(v, p, 0.035, 3000, want_ms, DO_CDN);
    plan_add(v, p, 0.004, 5000, want_ms, DO_SLEEP);
    if (v->player->requests) {
        plan_add(v, p, 0.05, 3000, want_ms, DO_REQUEST_FAILS);
        plan_add(v, p, 0.03, 3000, want_ms, DO_REQUEST_CANCELS);
    }
    if (!live) plan_add(v, p, 0.03, 4000, want_ms, DO_RATE);
    plan_add(v, p, 0.0015, 5000, want_ms, DO_LONG_STALL);
    if (v->o->long_gaps) plan_add(v, p, 0.0015, 2000, want_ms, DO_LONG_GAP);
}

static void do_stall(struct viewer *v, int64_t stall_ms)
{
    struct sim_monitor *m = &v->m;
    int64_t begin_ms = m->now_ms;
    if (!m->old_core) monitor_emit(m, SE_waiting);
    if (stall_ms < 1000) { /* found late: both events lie in the past */
        monitor_wait(m, MODE_UNNOTICED, stall_ms);
        m->stall_count++;
        monitor_sample(m);
        monitor_emit_at(m, SE_rebufferstart, begin_ms);
        m->stall_ms += stall_ms;
        monitor_emit_at(m, SE_rebufferend, m->now_ms);
        return;
    }
    int64_t notice_ms = 1000 + rng_range(&v->rng, 0, 25);
    monitor_wait(m, MODE_UNNOTICED, notice_ms);
    m->stall_count++;
    monitor_sample(m);
    monitor_emit_at(m, SE_rebufferstart, begin_ms - rng_range(&v->rng, 0, 1));
    m->stall_ms += notice_ms;
    if (stall_ms > notice_ms) monitor_wait(m, MODE_STALLED, stall_ms - notice_ms);
    if (m->stall_ms > 300000) return; /* the player gives up: viewend follows */
    monitor_emit(m, SE_playing);
    monitor_wait(m, MODE_STALLED, rng_range(&v->rng, 4, 12));
    monitor_emit(m, SE_rebufferend);
}

static void do_pause(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    monitor_pause(m, true);
    int64_t wait_ms =
        rng_chance(&v->rng, 0.03) ? rng_range(&v->rng, 620000, 780000) : script_about(v, 9000, 1.2, 300, 240000);
    monitor_wait(m, MODE_PAUSED, wait_ms);
    monitor_pause(m, false);
    monitor_wait(m, MODE_STARTING, rng_range(&v->rng, 3, 40));
    monitor_emit(m, SE_playing);
}

static void do_seek(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    int64_t duration_ms = v->title->duration_ms;
    int64_t target_ms = rng_range(&v->rng, 0, duration_ms > 20000 ? duration_ms - 15000 : duration_ms / 2);
    monitor_set(m, SF_view_seek_count, sim_int(++m->seek_count));
    monitor_sample(m);
    monitor_emit(m, SE_seeking);
    monitor_jump(m, target_ms);
    int64_t seek_ms = script_about(v, 260 * v->slowness, 0.7, 8, 9000);
    monitor_wait(m, MODE_SEEKING, seek_ms);
    m->seek_ms += seek_ms;
    if (seek_ms > m->seek_max_ms) m->seek_max_ms = seek_ms;
    monitor_set(m, SF_view_seek_duration, sim_int(m->seek_ms));
    monitor_set(m, SF_view_max_seek_time, sim_int(m->seek_max_ms));
    monitor_emit(m, SE_seeked);
    monitor_wait(m, MODE_STARTING, rng_range(&v->rng, 2, 9));
    monitor_emit(m, SE_playing);
}

static void do_mode(struct viewer *v, const char *mode, bool fullscreen)
{
    struct sim_monitor *m = &v->m;
    monitor_sample(m);
    set_text(v, SF_player_playback_mode, mode);
    set_text(v, SF_player_playback_mode_data, fullscreen ? "{\"by\":\"button\"}" : "{}");
    monitor_set(m, SF_player_is_fullscreen, sim_bool(fullscreen));
    monitor_set(m, SF_player_width, sim_int(fullscreen ? 1920 : v->agent->width));
    monitor_set(m, SF_player_height, sim_int(fullscreen ? 1080 : v->agent->height));
    monitor_emit(m, SE_playbackmodechange);
}

static void do_captions(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    const bool on = v->captions++ % 2 == 0;
    monitor_set(m, SF_player_text_track_enabled, sim_bool(on));
    set_text(v, SF_player_text_track_type, on ? "subtitles" : NULL);
    set_text(v, SF_player_text_track_language, on ? "en" : NULL);
    set_text(v, SF_player_text_track_name, on ? "English" : NULL);
    monitor_emit(m, SE_texttrackchange);
}

static void do_request_trouble(struct viewer *v, bool failed)
{
    struct sim_monitor *m = &v->m;
    int64_t took_ms = script_about(v, 400, 0.8, 10, 9000);
    request_common(v, "media", failed ? "hlsError" : "hlsFragLoadEmergencyAborted", "{}");
    monitor_set(m, SF_request_start, sim_time(m->now_ms - took_ms));
    monitor_set(m, SF_request_response_start, sim_time(m->now_ms - took_ms / 2));
    monitor_set(m, SF_request_response_end, sim_time(m->now_ms));
    monitor_set(m, SF_view_request_count, sim_int(++m->requests));
    if (failed) {
        set_text(v, SF_request_error, "fragLoadError");
        monitor_set(m, SF_request_error_code, sim_int(rng_chance(&v->rng, 0.5) ? 503 : 404));
        set_text(v, SF_request_error_text, "not delivered");
        monitor_set(m, SF_view_request_failed_count, sim_int(++m->requests_failed));
        monitor_emit(m, SE_requestfailed);
    } else {
        monitor_set(m, SF_view_request_canceled_count, sim_int(++m->requests_canceled));
        monitor_emit(m, SE_requestcanceled);
    }
}

static void do_sleep(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    int64_t begin_ms = m->now_ms;
    monitor_sample(m);
    monitor_wait(m, MODE_IDLE, rng_range(&v->rng, 45000, 660000));
    monitor_emit_at(m, SE_devicesleep, begin_ms);
    monitor_emit(m, SE_devicewake);
}

static bool do_midroll(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    monitor_pause(m, true);
    monitor_wait(m, MODE_STARTING, 4);
    if (!adscript_break(v, "midroll")) return false;
    monitor_pause(m, false);
    monitor_wait(m, MODE_STARTING, rng_range(&v->rng, 1, 30));
    monitor_emit(m, SE_playing);
    return true;
}

static void do_error(struct viewer *v, bool refusal)
{
    report_error(v, some_error(v, refusal), rng_chance(&v->rng, 0.6) ? "fatal" : NULL);
    if (rng_chance(&v->rng, 0.3)) report_error(v, some_error(v, false), NULL); /* a consequence of the first */
}

static void do_update(struct viewer *v)
{
    set_text(v, SF_custom_3, monitor_text(&v->m, "late-%lld", (long long)rng_range(&v->rng, 1, 9)));
    if (v->m.state[SF_custom_4].type != SIM_UNSET) { /* one comes, one goes, and the picture to a television */
        set_text(v, SF_custom_4, "");
        set_text(v, SF_custom_20, "late");
        monitor_set(&v->m, SF_player_remote_played, sim_bool(true));
    }
    monitor_sample(&v->m);
    monitor_emit(&v->m, SE_hb);
}

static void do_hide(struct viewer *v)
{
    v->m.hidden = true;
    script_play(v, rng_range(&v->rng, 12000, 45000));
    v->m.hidden = false;
}

static void do_network(struct viewer *v)
{
    bool cellular = span_is(span_of(v->m.state[SF_viewer_connection_type].v.text), "cellular");
    set_text(v, SF_viewer_connection_type, cellular ? "wifi" : "cellular");
    monitor_emit(&v->m, SE_networkchange);
}

static void do_cdn(struct viewer *v)
{
    const struct sim_cdn *next = &sim_cdns[rng_range(&v->rng, 0, COUNT(sim_cdns) - 1)];
    if (next == v->cdn) return;
    v->cdn = next;
    if (v->header_cdn) v->m.cdn_next = next->name;
    else monitor_cdn(&v->m, next->name);
}

static void do_rate(struct viewer *v)
{
    v->m.rate = v->m.rate > 1 ? 1 : 1.5;
    monitor_emit(&v->m, SE_ratechange);
}

static int clamp_rendition(int r)
{
    return r < 0 ? 0 : r >= SIM_RENDITIONS ? SIM_RENDITIONS - 1 : r;
}

/* false: the view ends here. */
static bool do_mishap(struct viewer *v, enum mishap what)
{
    struct sim_monitor *m = &v->m;
    switch (what) {
    case DO_STALL: do_stall(v, script_about(v, 900 * v->slowness, 0.9, 260, 40000)); break;
    case DO_LONG_STALL: do_stall(v, 300500 - m->stall_ms + rng_range(&v->rng, 0, 500)); return m->stall_ms <= 300000;
    case DO_PAUSE: do_pause(v); break;
    case DO_SEEK: do_seek(v); break;
    case DO_RENDITION_UP:
    case DO_RENDITION_DOWN: {
        int next = clamp_rendition(v->rendition + (what == DO_RENDITION_UP ? 1 : -1));
        if (next != v->rendition || rng_chance(&v->rng, 0.2)) script_rendition(v, next); /* some change nothing */
        break;
    }
    case DO_FULLSCREEN: do_mode(v, "fullscreen", true); break;
    case DO_PIP:
        monitor_set(m, SF_player_pip_enabled, sim_bool(true));
        do_mode(v, "pip", false);
        break;
    case DO_CAPTIONS: do_captions(v); break;
    case DO_MIDROLL: return do_midroll(v);
    case DO_WARNING: {
        static const struct sim_fault_text soft = {1001, NULL, "buffer ran low", "line 1\nline 2", false, 1};
        report_error(v, &soft, "warning");
        break;
    }
    case DO_ERROR:
    case DO_REFUSAL:
        do_error(v, what == DO_REFUSAL);
        if (rng_chance(&v->rng, 0.25)) { /* the player recovers */
            monitor_wait(m, MODE_STARTING, rng_range(&v->rng, 100, 3000));
            monitor_emit(m, SE_playing);
            return true;
        }
        monitor_wait(m, MODE_IDLE, script_about(v, 4000, 0.8, 200, 60000));
        return false;
    case DO_NETWORK: do_network(v); break;
    case DO_HIDE: do_hide(v); break;
    case DO_UPDATE: do_update(v); break;
    case DO_CDN: do_cdn(v); break;
    case DO_SLEEP: do_sleep(v); break;
    case DO_REQUEST_FAILS:
    case DO_REQUEST_CANCELS: do_request_trouble(v, what == DO_REQUEST_FAILS); break;
    case DO_RATE: do_rate(v); break;
    case DO_LONG_GAP:
        monitor_pause(m, true);
        monitor_wait(m, MODE_PAUSED, rng_range(&v->rng, 61 * 60000, 150 * 60000));
        return false;
    }
    return true;
}

/* Plays until the viewer has seen enough, with whatever the plan holds in between. false: ended by a mishap. */
static bool play_on(struct viewer *v, int64_t want_ms)
{
    struct plan plan;
    plan_make(v, &plan, want_ms);
    int64_t played_ms = 0;
    for (unsigned i = 0; i < plan.count; i++) {
        script_play(v, plan.items[i].at_ms - played_ms);
        played_ms = plan.items[i].at_ms;
        if (!do_mishap(v, plan.items[i].what)) return false;
    }
    script_play(v, want_ms - played_ms);
    return true;
}

/* How long this viewer wants to watch, and whether that is to the end of the title. */
static int64_t want(struct viewer *v, bool *to_the_end)
{
    int64_t want_ms = script_about(v, (double)v->o->median_ms, 1.1, 600, PLAY_MS_MAX);
    *to_the_end = v->title->duration_ms && want_ms >= v->title->duration_ms;
    return *to_the_end ? v->title->duration_ms : want_ms;
}

static enum ending leave(struct viewer *v, bool program_follows)
{
    if (program_follows) {
        monitor_end(&v->m, false);
        return END_PROGRAM;
    }
    if (rng_chance(&v->rng, 0.02)) return END_LOST;
    monitor_end(&v->m, rng_chance(&v->rng, 0.7));
    return END_LEFT;
}

static void watch(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    bool to_the_end = false;
    int64_t want_ms = want(v, &to_the_end);
    monitor_set(m, SF_view_dropped_frame_count, sim_int(rng_chance(&v->rng, 0.3) ? rng_range(&v->rng, 1, 40) : 0));
    if (!play_on(v, want_ms) || !to_the_end) return;
    monitor_pause(m, true);
    monitor_emit(m, SE_ended);
    monitor_wait(m, MODE_PAUSED, script_about(v, 3000, 1.0, 50, 30000));
}

enum ending script_view(struct viewer *v, bool program_follows)
{
    struct sim_monitor *m = &v->m;
    if (!program_follows && rng_chance(&v->rng, 0.002)) { /* the source is not there: an error, and never a start */
        report_error(v, &sim_errors[4], NULL);
        return END_LOST;
    }
    if (v->ads) adscript_request(v, "preroll");
    m->paused = v->ads;
    monitor_start(m);
    if (v->ads && !adscript_break(v, "preroll")) return leave(v, program_follows);
    m->paused = false;
    monitor_emit(m, SE_play);
    enum start start = v->ads && m->ad_playing_ms ? START_PLAYS : startup(v);
    if (start == START_PLAYS) {
        if (v->ads && m->ad_playing_ms) monitor_wait(m, MODE_STARTING, rng_range(&v->rng, 1, 60));
        script_first_frame(v);
        watch(v);
    }
    return leave(v, program_follows);
}

void script_program(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    monitor_set(m, SF_view_program_changed, sim_bool(true));
    set_live(v);
    monitor_wait(m, MODE_IDLE, 4);
    m->paused = false;
    monitor_start(m);
    monitor_emit(m, SE_play);
    if (v->player->renditions) script_rendition(v, v->rendition);
    monitor_emit(m, SE_playing);
    v->segment_left_ms = v->segment_ms;
    watch(v);
    (void)leave(v, false);
}
