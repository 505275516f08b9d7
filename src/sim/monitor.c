/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/monitor.h"

#include <stdarg.h>
#include <stdio.h>

enum { HEARTBEAT_MS = 10000, SESSION_MS = 25 * 60 * 1000 };

void monitor_open(struct sim_monitor *m, struct sim_session *s, const struct sim_keys *keys, struct rng *rng,
                  int64_t now_ms)
{
    *m = (struct sim_monitor){.session = s, .rng = rng, .now_ms = now_ms, .rate = 1};
    sim_encoder_init(&m->encoder, keys);
    m->queue_at = s->event_count;
    m->tick_ms = now_ms + SIM_TICK_MS;
    m->talked_ms = now_ms;
    m->throughput_min = INFINITY;
}

const char *monitor_text(struct sim_monitor *m, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    BUG_IF(len < 0 || (size_t)len >= sizeof text);
    struct span copy = arena_copy(&m->session->arena, span_make(text, (size_t)len));
    BUG_IF(copy.ptr == NULL);
    return copy.ptr;
}

/* What a new video clears: everything named view_* and video_*, and the counters behind them. */
static void view_clear(struct sim_monitor *m)
{
    for (unsigned f = 0; f < SIM_FIELDS; f++) {
        struct span name = span_of(sim_field_name(f));
        if (span_starts(name, SPAN("view_")) || span_starts(name, SPAN("video_"))) m->state[f] = sim_text(NULL);
    }
    m->started = m->frozen = m->hidden = m->scaled = false;
    m->seq = 0;
    m->watch_ms = m->playing_ms = m->content_ms = m->playhead_ms = m->playhead_max_ms = 0;
    m->stall_ms = m->stall_count = m->seek_ms = m->seek_count = m->seek_max_ms = 0;
    m->scaled_ms = m->scaled_from_ms = 0;
    m->upscaled = m->downscaled = m->upscale_max = m->downscale_max = 0;
    m->ranges = 0;
    m->latency_max_ms = 0;
    m->throughput_min = INFINITY;
}

void monitor_view(struct sim_monitor *m, const char *view_id, bool wanted)
{
    struct sim_session *s = m->session;
    BUG_IF(s->view_count >= SIM_SESSION_VIEWS);
    view_clear(m);
    m->view = s->view_count++;
    struct sim_view *view = &s->views[m->view];
    view->wanted = wanted;
    (void)snprintf(view->id, sizeof view->id, "%s", view_id);
    monitor_set(m, SF_view_id, sim_text(view->id));
    monitor_set(m, SF_view_max_playhead_position, sim_int(0));
    monitor_set(m, SF_view_dropped_frame_count, sim_int(0));
}

/* Puts events queue_at..end into one or more POSTs that leave at at_ms. */
static void post_add(struct sim_monitor *m, int64_t at_ms, uint32_t end, bool unload)
{
    struct sim_session *s = m->session;
    for (uint32_t at = m->queue_at; at < end;) {
        uint32_t count = end - at < SIM_POST_EVENTS_MAX ? end - at : SIM_POST_EVENTS_MAX;
        struct sim_post post = {.event_at = at, .event_count = count, .at_ms = at_ms, .unload = unload};
        for (uint32_t i = at; i < at + count; i++)
            if (s->events[i].kind == SE_viewend) post.viewend = true;
        s->posts = sim_grow(s->posts, &s->post_cap, s->post_count + 1, sizeof *s->posts);
        s->posts[s->post_count++] = post;
        at += count;
    }
    m->queue_at = end;
    m->tick_ms = at_ms + SIM_TICK_MS;
}

void monitor_flush(struct sim_monitor *m, bool all)
{
    struct sim_session *s = m->session;
    while (m->tick_ms <= m->now_ms) {
        if (m->queue_at < s->event_count) post_add(m, m->tick_ms, s->event_count, false);
        else m->tick_ms += SIM_TICK_MS;
    }
    if (all && m->queue_at < s->event_count) post_add(m, m->tick_ms, s->event_count, false);
}

static void set_ranges(struct sim_monitor *m)
{
    const bool known = m->state[SF_video_playback_range].type != SIM_UNSET;
    if (known && m->ranges && m->playhead_ms == m->range_ms[m->ranges - 1][1]) return;
    if (m->ranges) m->range_ms[m->ranges - 1][1] = m->playhead_ms;
    struct buf text;
    buf_init(&text, 4096);
    buf_addc(&text, '[');
    const char *comma = "";
    for (unsigned i = 0; i < m->ranges; i++) {
        if (m->range_ms[i][1] <= m->range_ms[i][0]) continue;
        buf_addf(&text, "%s\"%lld:%lld\"", comma, (long long)m->range_ms[i][0], (long long)m->range_ms[i][1]);
        comma = ",";
    }
    buf_addc(&text, ']');
    monitor_set(m, SF_video_playback_range, sim_text(monitor_text(m, "%s", text.ptr)));
    buf_free(&text);
}

/* The fields that follow from the counters, for an event dated viewer_ms. */
static void set_counters(struct sim_monitor *m, int64_t viewer_ms)
{
    if (!m->old_core) monitor_set(m, SF_view_playing_time_ms_cumulative, sim_int(m->playing_ms));
    if (m->ad_playing_ms) monitor_set(m, SF_ad_playing_time_ms_cumulative, sim_int(m->ad_playing_ms));
    monitor_set(m, SF_player_playhead_time, sim_int(m->playhead_ms));
    if (m->cookies) monitor_set(m, SF_session_expires, sim_time(viewer_ms + SESSION_MS));
    if (!m->started) return;
    monitor_set(m, SF_view_watch_time, sim_int(m->watch_ms));
    if (m->content_ms) monitor_set(m, SF_view_content_playback_time, sim_int(m->content_ms));
    if (m->playhead_ms > m->playhead_max_ms) m->playhead_max_ms = m->playhead_ms;
    monitor_set(m, SF_view_max_playhead_position, sim_int(m->playhead_max_ms));
    if (m->playing_ms || m->ranges == 0) {
        if (m->ranges == 0) m->range_ms[m->ranges][0] = 0, m->range_ms[m->ranges][1] = 0, m->ranges = 1;
        set_ranges(m);
    }
    if (m->stall_count && m->watch_ms) {
        monitor_set(m, SF_view_rebuffer_count, sim_int(m->stall_count));
        monitor_set(m, SF_view_rebuffer_duration, sim_int(m->stall_ms));
        monitor_set(m, SF_view_rebuffer_frequency, sim_double((double)m->stall_count / (double)m->watch_ms));
        monitor_set(m, SF_view_rebuffer_percentage, sim_double((double)m->stall_ms / (double)m->watch_ms));
    }
    if (m->live && !m->paused) {
        monitor_set(m, SF_player_program_time, sim_int(m->now_ms - m->live_latency_ms));
        monitor_set(m, SF_player_manifest_newest_program_time, sim_int(m->now_ms - m->live_latency_ms / 3));
    }
}

static void emit(struct sim_monitor *m, enum sim_kind kind, int64_t viewer_ms, bool thrown_away)
{
    monitor_flush(m, false);
    m->seq++;
    m->player_seq++;
    set_counters(m, viewer_ms);
    monitor_set(m, SF_event, sim_text(sim_kind_name(kind)));
    monitor_set(m, SF_viewer_time, sim_time(viewer_ms));
    monitor_set(m, SF_view_sequence_number, sim_int(m->seq));
    monitor_set(m, SF_player_sequence_number, sim_int(m->player_seq));
    monitor_set(m, SF_player_is_paused, sim_bool(m->paused));
    struct sim_event event = {.kind = (uint8_t)kind, .view = (uint8_t)m->view, .seq = m->seq, .at_ms = m->now_ms};
    sim_encode(&m->encoder, m->session, m->state, event, thrown_away);
    if (!(sim_kind_flags(kind) & E_REQUEST) && kind != SE_cdnchange) m->talked_ms = m->now_ms;
    for (unsigned f = 0; f < SIM_FIELDS; f++)
        if (m->encoder.keys->flags[f] & F_ONCE) m->state[f] = sim_text(NULL);
}

void monitor_emit_at(struct sim_monitor *m, enum sim_kind kind, int64_t viewer_ms)
{
    /* A fatal error leaves at once, a warning waits for the timer. */
    const struct sim_value severity = m->state[SF_player_error_severity];
    const bool warning = severity.type == SIM_TEXT && span_is(span_make(severity.v.text, severity.len), "warning");
    emit(m, kind, viewer_ms, false);
    if (kind == SE_play || kind == SE_playing || kind == SE_adplay || kind == SE_adplaying) m->frozen = false;
    if (kind == SE_error || kind == SE_aderror) m->frozen = true;
    bool now = (sim_kind_flags(kind) & E_FLUSH) || (kind == SE_error && !warning);
    if (now && kind != SE_viewend) post_add(m, m->now_ms, m->session->event_count, false);
}

void monitor_emit(struct sim_monitor *m, enum sim_kind kind)
{
    monitor_emit_at(m, kind, m->now_ms);
}

static void advance(struct sim_monitor *m, enum sim_mode mode, int64_t ms)
{
    m->now_ms += ms;
    if (m->live && mode != MODE_PLAYING) m->live_latency_ms += ms; /* the picture stands, the programme goes on */
    if (mode == MODE_PLAYING) m->playhead_ms += (int64_t)floor((double)ms * m->rate + 0.5);
    if (mode == MODE_STALLED) m->stall_ms += ms;
    if (m->frozen || mode == MODE_IDLE || mode == MODE_PAUSED) return;
    m->watch_ms += ms;
    if (mode == MODE_PLAYING || mode == MODE_UNNOTICED || mode == MODE_AD) m->playing_ms += ms;
    if (mode == MODE_PLAYING || mode == MODE_AD) m->content_ms += ms;
    if (mode == MODE_AD) m->ad_playing_ms += ms;
}

void monitor_wait(struct sim_monitor *m, enum sim_mode mode, int64_t ms)
{
    const bool beats = mode != MODE_IDLE && mode != MODE_PAUSED && mode != MODE_UNNOTICED;
    while (ms > 0) {
        int64_t beat_ms = m->talked_ms + HEARTBEAT_MS;
        if (!beats || beat_ms - m->now_ms > ms) {
            advance(m, mode, ms);
            break;
        }
        int64_t step = beat_ms > m->now_ms ? beat_ms - m->now_ms : 0;
        advance(m, mode, step);
        ms -= step;
        monitor_sample(m);
        /* A hidden tab's heartbeat is thrown away when it is the only queued event. */
        monitor_flush(m, false);
        const bool alone = m->queue_at == m->session->event_count;
        emit(m, SE_hb, m->now_ms, m->hidden && alone);
        if (m->hidden && !alone) post_add(m, m->now_ms, m->session->event_count, false);
    }
    monitor_flush(m, false);
}

void monitor_jump(struct sim_monitor *m, int64_t playhead_ms)
{
    monitor_sample(m);
    if (m->ranges) m->range_ms[m->ranges - 1][1] = m->playhead_ms;
    if (m->ranges < SIM_RANGES_MAX) m->ranges++;
    m->playhead_ms = m->scaled_from_ms = playhead_ms;
    m->range_ms[m->ranges - 1][0] = m->range_ms[m->ranges - 1][1] = playhead_ms;
    monitor_set(m, SF_video_playback_range, sim_text(NULL));
}

void monitor_sample(struct sim_monitor *m)
{
    if (!m->started) return;
    const struct sim_value sw = m->state[SF_video_source_width], sh = m->state[SF_video_source_height];
    const struct sim_value pw = m->state[SF_player_width], ph = m->state[SF_player_height];
    int64_t progress = m->playhead_ms - m->scaled_from_ms;
    m->scaled_from_ms = m->playhead_ms;
    if (sw.type != SIM_INT || sh.type != SIM_INT || sw.v.i <= 0 || sh.v.i <= 0) return;
    if (progress < 0) progress = 0;
    double by_width = (double)pw.v.i / (double)sw.v.i, by_height = (double)ph.v.i / (double)sh.v.i;
    double scale = by_width < by_height ? by_width : by_height;
    double up = scale > 1 ? scale - 1 : 0, down = scale < 1 ? 1 - scale : 0;
    m->scaled_ms += progress;
    m->upscaled += up * (double)progress;
    m->downscaled += down * (double)progress;
    if (up > m->upscale_max) m->upscale_max = up;
    if (down > m->downscale_max) m->downscale_max = down;
    monitor_set(m, SF_view_total_content_playback_time, sim_int(m->scaled_ms));
    monitor_set(m, SF_view_total_upscaling, sim_double(m->upscaled));
    monitor_set(m, SF_view_total_downscaling, sim_double(m->downscaled));
    monitor_set(m, SF_view_max_upscale_percentage, sim_double(m->upscale_max));
    monitor_set(m, SF_view_max_downscale_percentage, sim_double(m->downscale_max));
}

void monitor_start(struct sim_monitor *m)
{
    m->started = true;
    struct sim_value views = m->state[SF_player_view_count];
    monitor_set(m, SF_player_view_count, sim_int(views.type == SIM_INT ? views.v.i + 1 : 1));
    monitor_set(m, SF_view_start, sim_time(m->now_ms));
    if (!m->old_core) {
        monitor_set(m, SF_player_playback_mode, sim_text("standard"));
        monitor_set(m, SF_player_playback_mode_data, sim_text("{}"));
        monitor_wait(m, MODE_STARTING, 1);
        monitor_emit(m, SE_playbackmodechange);
    }
    monitor_emit(m, SE_viewstart);
    monitor_wait(m, MODE_STARTING, 5);
    monitor_emit(m, SE_renditionchange);
}

void monitor_pause(struct sim_monitor *m, bool paused)
{
    m->paused = paused;
    if (paused) monitor_sample(m);
    monitor_emit(m, paused ? SE_pause : SE_play);
}

void monitor_request(struct sim_monitor *m, int64_t bytes, int64_t first_byte_ms, int64_t transfer_ms)
{
    int64_t start_ms = m->now_ms - first_byte_ms - transfer_ms;
    monitor_set(m, SF_request_start, sim_time(start_ms));
    monitor_set(m, SF_request_response_start, sim_time(start_ms + first_byte_ms));
    monitor_set(m, SF_request_response_end, sim_time(m->now_ms));
    monitor_set(m, SF_request_bytes_loaded, sim_int(bytes));
    m->requests++;
    monitor_set(m, SF_view_request_count, sim_int(m->requests));
    if (bytes > 0 && transfer_ms > 0) {
        double throughput = (double)bytes * 8000.0 / (double)transfer_ms;
        m->bytes_sum += (double)bytes;
        m->transfer_sum_ms += (double)transfer_ms;
        m->latency_count++;
        m->latency_sum_ms += first_byte_ms;
        if (throughput < m->throughput_min) m->throughput_min = throughput;
        if (first_byte_ms > m->latency_max_ms) m->latency_max_ms = first_byte_ms;
        monitor_set(m, SF_view_min_request_throughput, sim_double(m->throughput_min));
        monitor_set(m, SF_view_average_request_throughput, sim_double(m->bytes_sum * 8000.0 / m->transfer_sum_ms));
        monitor_set(m, SF_view_max_request_latency, sim_int(m->latency_max_ms));
        monitor_set(m, SF_view_average_request_latency,
                    sim_double((double)m->latency_sum_ms / (double)m->latency_count));
    }
    if (m->cdn_next) monitor_cdn(m, m->cdn_next);
    m->cdn_next = NULL;
    monitor_emit(m, SE_requestcompleted);
}

void monitor_cdn(struct sim_monitor *m, const char *cdn)
{
    struct sim_value before = m->state[SF_video_cdn];
    if (before.type == SIM_TEXT && span_eq_nocase(span_make(before.v.text, before.len), span_of(cdn))) return;
    monitor_set(m, SF_video_previous_cdn, before);
    monitor_set(m, SF_video_cdn, sim_text(cdn));
    monitor_emit(m, SE_cdnchange);
}

void monitor_end(struct sim_monitor *m, bool unload)
{
    monitor_sample(m);
    monitor_emit(m, SE_viewend);
    uint32_t first = m->queue_at, end = m->session->event_count;
    post_add(m, m->now_ms, end, unload);
    if (unload) { /* the queue is not emptied by sendBeacon: fetch delivers the same batch once more */
        m->queue_at = first;
        post_add(m, m->now_ms + 2, end, false);
    }
}
