/* SPDX-License-Identifier: Apache-2.0
 * The truth's rules on worked examples whose numbers were calculated elsewhere. */
#include "sim/truth.h"

#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

enum { FACTS_MAX = 64, PAIRS_MAX = 16 };
#define T0 1795408567266 /* view_start of the examples */

struct view {
    struct sim_fact facts[FACTS_MAX];
    struct sim_pair pairs[FACTS_MAX][PAIRS_MAX];
    size_t count;
};

static void with(struct view *v, enum sim_field field, struct sim_value value)
{
    struct sim_fact *f = &v->facts[v->count - 1];
    assert_true(f->pair_count < PAIRS_MAX);
    v->pairs[v->count - 1][f->pair_count++] = (struct sim_pair){(uint16_t)field, value};
}

/* The next event, at_ms after T0. */
static void event(struct view *v, enum sim_kind kind, int64_t at_ms)
{
    assert_true(v->count < FACTS_MAX);
    v->facts[v->count] = (struct sim_fact){.kind = kind, .seq = (uint32_t)v->count + 1, .pairs = v->pairs[v->count]};
    v->count++;
    with(v, SF_viewer_time, sim_int(T0 + at_ms));
}

static void playing_ms(struct view *v, enum sim_kind kind, int64_t at_ms, int64_t cumulative_ms)
{
    event(v, kind, at_ms);
    with(v, SF_view_playing_time_ms_cumulative, sim_int(cumulative_ms));
}

static void begin(struct view *v)
{
    *v = (struct view){0};
    event(v, SE_viewstart, 1);
    with(v, SF_view_start, sim_int(T0));
}

static void watch(struct view *v, int64_t ms)
{
    with(v, SF_view_watch_time, sim_int(ms));
}

static struct sim_truth fold(const struct view *v)
{
    struct sim_truth t;
    assert_true(sim_truth_fold(v->facts, v->count, &t));
    return t;
}

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) < 5e-7)) fail_msg("%.9g is not %.9g", a, b);
}

static void test_stalls(void **state)
{
    (void)state;
    struct view v;
    begin(&v);
    playing_ms(&v, SE_playing, 274, 0);
    with(&v, SF_view_time_to_first_frame, sim_int(274));
    playing_ms(&v, SE_waiting, 8068, 7799);
    playing_ms(&v, SE_rebufferstart, 8068, 8807);
    playing_ms(&v, SE_playing, 14741, 8807);
    playing_ms(&v, SE_rebufferend, 14750, 8807);
    playing_ms(&v, SE_waiting, 18742, 12808);
    playing_ms(&v, SE_rebufferstart, 18742, 13817);
    playing_ms(&v, SE_rebufferend, 25753, 13817);
    playing_ms(&v, SE_hb, 35757, 23819);
    playing_ms(&v, SE_waiting, 37729, 25797);
    playing_ms(&v, SE_rebufferstart, 37728, 26819);
    playing_ms(&v, SE_rebufferend, 40784, 26819);
    playing_ms(&v, SE_viewend, 46850, 30828);
    watch(&v, 44846);
    with(&v, SF_view_rebuffer_count, sim_int(3));
    with(&v, SF_view_rebuffer_duration, sim_int(16749));
    with(&v, SF_view_max_upscale_percentage, sim_int(0));
    with(&v, SF_view_total_upscaling, sim_int(0));
    with(&v, SF_view_total_content_playback_time, sim_int(27628));
    struct sim_truth t = fold(&v);
    assert_near(t.view_playing_time, 27789);
    assert_near(t.view_end_ms - t.view_start_ms, 46850);
    assert_near(t.startup_score, 0.966884);
    assert_near(t.rebuffering_score, 0.289289);
    assert_near(t.quality_score, 1);
    assert_near(t.score, 0.649362);
    assert_near(t.rebuffer_percentage, 16749.0 / 44846);
    assert_false(t.dropped);
}

static void test_playing_without_counter(void **state)
{
    (void)state;
    struct view v;
    begin(&v);
    event(&v, SE_playing, 300);
    with(&v, SF_view_time_to_first_frame, sim_int(300));
    event(&v, SE_viewend, 10000);
    watch(&v, 10000);
    with(&v, SF_view_rebuffer_count, sim_int(1));
    with(&v, SF_view_rebuffer_duration, sim_int(700));
    with(&v, SF_view_seek_count, sim_int(1));
    struct sim_truth t = fold(&v);
    assert_near(t.view_playing_time, 9000);
    assert_near(t.seek_duration, 0); /* counted once, never timed */
}

static void ad(struct view *v, enum sim_kind kind, int64_t at_ms, int64_t playing, int64_t ads)
{
    playing_ms(v, kind, at_ms, playing);
    if (ads) with(v, SF_ad_playing_time_ms_cumulative, sim_int(ads));
}

/* A preroll pod and a midroll whose second ad fails, as recorded from a browser. */
static void test_ads(void **state)
{
    (void)state;
    struct view v;
    begin(&v);
    ad(&v, SE_adbreakstart, 5, 0, 0);
    ad(&v, SE_adplay, 20, 0, 0);
    with(&v, SF_view_preroll_played, sim_bool(true));
    with(&v, SF_view_startup_preroll_request_time, sim_int(20));
    with(&v, SF_view_preroll_request_count, sim_int(1));
    ad(&v, SE_adplaying, 426, 0, 0);
    with(&v, SF_view_time_to_first_frame, sim_int(426));
    with(&v, SF_view_startup_preroll_load_time, sim_int(406));
    ad(&v, SE_adpause, 2450, 2024, 2024);
    ad(&v, SE_adplay, 3156, 2024, 2024);
    ad(&v, SE_adplaying, 3161, 2024, 2024);
    ad(&v, SE_adended, 5174, 4037, 4037);
    ad(&v, SE_adplay, 5185, 4037, 4037);
    ad(&v, SE_adplaying, 5492, 4037, 4037);
    ad(&v, SE_adended, 6701, 5246, 5246);
    ad(&v, SE_adbreakend, 6705, 5246, 5246);
    ad(&v, SE_play, 6711, 5246, 5246);
    ad(&v, SE_playing, 6712, 5246, 5246);
    ad(&v, SE_pause, 11721, 10255, 5246);
    ad(&v, SE_adbreakstart, 11725, 10255, 5246);
    ad(&v, SE_adplay, 11941, 10255, 5246);
    ad(&v, SE_adplaying, 12197, 10255, 5246);
    ad(&v, SE_adended, 15207, 13265, 8256);
    ad(&v, SE_adplay, 15212, 13265, 8256);
    ad(&v, SE_aderror, 15215, 13265, 8256);
    ad(&v, SE_adbreakend, 15220, 13265, 8256);
    ad(&v, SE_playing, 15226, 13265, 8256);
    ad(&v, SE_viewend, 18235, 16274, 8256);
    struct sim_truth t = fold(&v);
    assert_near(t.ad_attempts, 4), assert_near(t.ad_impressions, 3), assert_near(t.ad_breaks, 2);
    assert_near(t.ad_errors, 1), assert_near(t.ad_startup_errors, 1), assert_near(t.ad_break_errors, 1);
    assert_near(t.ad_exits, 0);
    assert_near(t.ad_error_percentage, 0.25), assert_near(t.ad_break_error_percentage, 0.5);
    assert_near(t.view_playing_time, 16274), assert_near(t.view_content_playing_time, 8018);
    assert_near(t.view_content_startup_time, 12);
    assert_near(t.ad_preroll_startup_time, 406), assert_near(t.preroll_request_time, 20);
    assert_near(t.requests_for_first_preroll, 1);
}

static void test_ad_exit_and_carried_over(void **state)
{
    (void)state;
    struct view v = {0};
    event(&v, SE_viewstart, 0); /* a second view of its player: the ad counter was not reset */
    with(&v, SF_ad_playing_time_ms_cumulative, sim_int(5000));
    event(&v, SE_adbreakstart, 10);
    event(&v, SE_adplay, 20);
    playing_ms(&v, SE_viewend, 900, 0);
    with(&v, SF_ad_playing_time_ms_cumulative, sim_int(5000));
    watch(&v, 880);
    struct sim_truth t = fold(&v);
    assert_near(t.ad_exits, 1), assert_near(t.ad_exit_percentage, 1), assert_near(t.ad_playing_time, 0);
    assert_true(t.exit_before_start && t.has_ad);
    assert_near(t.view_start_ms, T0); /* no view_start was sent: the viewstart's own time */
}

static void request(struct view *v, int64_t start, int64_t first, int64_t end, int64_t bytes)
{
    event(v, SE_requestcompleted, end);
    with(v, SF_request_start, sim_int(T0 + start));
    if (first >= 0) with(v, SF_request_response_start, sim_int(T0 + first));
    with(v, SF_request_response_end, sim_int(T0 + end));
    with(v, SF_request_bytes_loaded, sim_int(bytes));
}

static void test_requests(void **state)
{
    (void)state;
    struct view v;
    begin(&v);
    request(&v, 0, 40, 240, 1250000);
    with(&v, SF_view_request_count, sim_int(11)); /* the player's own counter decides nothing */
    struct sim_truth t = fold(&v);
    assert_near(t.request_throughput, 50000000), assert_near(t.request_latency, 40);
    assert_near(t.request_latency_max, 40);
    request(&v, 300, 300, 300, 1000);  /* took no time: not counted */
    request(&v, 300, -1, 500, 1250000); /* first byte unknown: all of it is transfer, and no latency */
    t = fold(&v);
    assert_near(t.request_throughput, 50000000), assert_near(t.request_latency, 20);
    begin(&v);
    t = fold(&v);
    assert_true(isnan(t.request_throughput) && isnan(t.request_latency) && isnan(t.request_latency_max));
}

static void rendition(struct view *v, int64_t at_ms, int64_t playing, int64_t bitrate)
{
    playing_ms(v, SE_renditionchange, at_ms, playing);
    if (bitrate) with(v, SF_video_source_bitrate, sim_int(bitrate));
}

static void test_renditions(void **state)
{
    (void)state;
    struct view v;
    begin(&v);
    rendition(&v, 5, 0, 0);          /* the dummy after viewstart */
    rendition(&v, 100, 0, 1000000);  /* the first known one is no change */
    playing_ms(&v, SE_playing, 110, 0);
    rendition(&v, 1110, 1000, 3000000);
    rendition(&v, 4110, 4000, 3000000); /* the same again */
    rendition(&v, 5110, 5000, 500000);
    rendition(&v, 7110, 7000, 1000000);
    playing_ms(&v, SE_viewend, 8110, 8000);
    struct sim_truth t = fold(&v);
    assert_near(t.rendition_changes, 3), assert_near(t.rendition_ups, 2), assert_near(t.rendition_downs, 1);
    assert_near(t.weighted_average_bitrate, (1e6 * 1000 + 3e6 * 4000 + 5e5 * 2000 + 1e6 * 1000) / 8000);
    assert_int_equal(t.bitrate.first.v.i, 1000000);
    assert_int_equal(t.bitrate.last.v.i, 1000000);
    begin(&v);
    event(&v, SE_playing, 100);
    t = fold(&v);
    assert_true(isnan(t.rendition_changes) && isnan(t.weighted_average_bitrate));
}

struct outcome {
    bool failure, startup, business, exit;
    double success; /* NAN: null */
};

static void assert_outcome(const struct view *v, struct outcome want)
{
    struct sim_truth t = fold(v);
    assert_int_equal(t.playback_failure, want.failure);
    assert_int_equal(t.startup_failure, want.startup);
    assert_int_equal(t.business_exception, want.business);
    assert_int_equal(t.exit_before_start, want.exit);
    if (isnan(want.success)) {
        assert_true(isnan(t.playback_score) && isnan(t.score));
        return;
    }
    assert_near(t.playback_score, want.success);
    if (want.success < 1) assert_near(t.score, want.success);
}

static void failing(struct view *v, int64_t at_ms, int64_t code, const char *message, const char *severity,
                    bool business)
{
    event(v, SE_error, at_ms);
    if (code) with(v, SF_player_error_code, sim_int(code));
    if (message) with(v, SF_player_error_message, sim_text(message));
    if (severity) with(v, SF_player_error_severity, sim_text(severity));
    if (business) with(v, SF_player_error_business_exception, sim_bool(true));
}

static void first_frame(struct view *v, int64_t at_ms)
{
    event(v, SE_playing, at_ms);
    with(v, SF_view_time_to_first_frame, sim_int(at_ms));
    watch(v, at_ms);
}

static void test_outcomes(void **state)
{
    (void)state;
    const double none = (double)NAN;
    struct view v;
    begin(&v), first_frame(&v, 300), event(&v, SE_viewend, 9000); /* a */
    assert_outcome(&v, (struct outcome){.success = 1});
    begin(&v), event(&v, SE_viewend, 800), watch(&v, 800); /* b */
    assert_outcome(&v, (struct outcome){.exit = true, .success = none});
    begin(&v), event(&v, SE_viewend, 3000), watch(&v, 3000); /* c */
    assert_outcome(&v, (struct outcome){.exit = true, .success = 0.5});
    begin(&v), failing(&v, 2000, 4, NULL, "fatal", false), event(&v, SE_viewend, 5000); /* d */
    assert_outcome(&v, (struct outcome){.failure = true, .startup = true, .success = 0});
    begin(&v), first_frame(&v, 300), failing(&v, 30000, 402, NULL, NULL, true); /* e */
    assert_outcome(&v, (struct outcome){.business = true, .success = 1});
    begin(&v), failing(&v, 3000, 402, NULL, NULL, true), event(&v, SE_viewend, 3100), watch(&v, 3000); /* f */
    assert_outcome(&v, (struct outcome){.business = true, .exit = true, .success = 0.5});
    begin(&v), failing(&v, 100, 2, NULL, NULL, false), first_frame(&v, 700); /* g */
    assert_outcome(&v, (struct outcome){.failure = true, .success = 0});
    begin(&v), first_frame(&v, 10); /* h */
    failing(&v, 2520, 1001, "soft problem", "warning", false);
    failing(&v, 4000, 402, "subscription expired", "fatal", true);
    failing(&v, 6500, 7, "boom", NULL, false), failing(&v, 6501, 7, "boom", NULL, false);
    failing(&v, 8000, 0, NULL, NULL, false);
    assert_outcome(&v, (struct outcome){.failure = true, .business = true, .success = 0});
    struct sim_truth t = fold(&v);
    assert_int_equal(t.error_code.v.i, 7);
    assert_string_equal(t.error_message.v.text, "boom");
    assert_true(t.content_failure && !t.ad_failure);
}

static void test_scores(void **state)
{
    (void)state;
    double startup = sim_truth_startup_score(400), smooth = sim_truth_rebuffering_score(1, 3000, 60000);
    double quality = sim_truth_quality_score(0.25, 15000, 60000);
    assert_near(startup, 0.952381), assert_near(smooth, 0.750479), assert_near(quality, 0.920811);
    assert_near(sim_truth_overall(1, startup, smooth, quality), 0.862512);
    const double none = (double)NAN;
    assert_near(sim_truth_overall(1, none, 1, none), 1); /* one sub-score alone */
    assert_near(sim_truth_overall(1, none, none, none), 1);
    assert_near(sim_truth_overall(0.5, none, none, none), 0.5);
    assert_near(sim_truth_overall(0, startup, smooth, quality), 0);
    assert_true(isnan(sim_truth_overall(none, startup, smooth, quality)));
    assert_near(sim_truth_startup_score(8000), 0.5);
}

static void test_what_counts(void **state)
{
    (void)state;
    struct view v = {0};
    struct sim_truth t;
    event(&v, SE_networkchange, 0), event(&v, SE_playerready, 10), event(&v, SE_viewend, 20);
    assert_false(sim_truth_fold(v.facts, v.count, &t)); /* play was never pressed */
    failing(&v, 30, 4, NULL, "warning", false);
    assert_false(sim_truth_fold(v.facts, v.count, &t)); /* and the end was before that */
    v = (struct view){0};
    event(&v, SE_loadstart, 0), failing(&v, 30, 4, "MEDIA_ERR_SRC_NOT_SUPPORTED", NULL, false);
    t = fold(&v); /* a failed load is one view */
    assert_true(t.startup_failure && !t.watched && t.dropped && isnan(t.time_to_first_frame));
    assert_near(t.view_start_ms, T0 + 30);
    v = (struct view){0};
    event(&v, SE_hb, 5), with(&v, SF_view_start, sim_int(T0));
    t = fold(&v); /* the start is lost, but a later record tells of it */
    assert_near(t.view_start_ms, T0);
}

static void test_killed_and_late(void **state)
{
    (void)state;
    struct view v;
    begin(&v);
    playing_ms(&v, SE_playing, 29, 0);
    with(&v, SF_view_time_to_first_frame, sim_int(29)), watch(&v, 29);
    struct sim_truth t = fold(&v);
    assert_true(t.dropped && t.watched);
    assert_near(t.view_end_ms, T0 + 29), assert_near(t.view_playing_time, 0), assert_near(t.watch_time, 29);
    event(&v, SE_viewend, 29 + 3600001); /* more than an hour late: not the end of watching */
    t = fold(&v);
    assert_true(t.long_resume && !t.dropped);
    assert_near(t.view_end_ms, T0 + 29);
    event(&v, SE_playing, 5000000); /* nothing counts after the end */
    assert_int_equal(fold(&v).events, 3);
}

static void test_live_and_cdn(void **state)
{
    (void)state;
    struct view v;
    begin(&v);
    with(&v, SF_video_source_is_live, sim_bool(true)), with(&v, SF_video_cdn, sim_text("cdn-a"));
    static const char *const names[] = {"CDN-A", "cdn-b", "cdn-c", "cdn-a"};
    for (int i = 0; i < 4; i++) {
        event(&v, SE_cdnchange, 1000 * (i + 1));
        with(&v, SF_video_cdn, sim_text(names[i]));
        with(&v, SF_player_program_time, sim_int(T0 + 1000 * (i + 1) - (i == 3 ? 400000 : 6000 + i)));
    }
    event(&v, SE_pause, 6000);
    with(&v, SF_player_is_paused, sim_bool(true)), with(&v, SF_player_program_time, sim_int(T0));
    struct sim_truth t = fold(&v);
    assert_int_equal(t.cdn_count, 4);
    assert_string_equal(t.cdns[0].v.text, "cdn-a");
    assert_string_equal(t.cdns[3].v.text, "cdn-a");
    assert_near(t.live_stream_latency, 6001); /* neither the absurd one nor the paused one */
}

/* Playing time by what was on when it passed: the time up to an event is that of the state before it. */
static void test_times(void **state)
{
    (void)state;
    struct view v;
    begin(&v);
    with(&v, SF_player_playback_mode, sim_text("standard"));
    playing_ms(&v, SE_renditionchange, 10, 0);
    with(&v, SF_video_source_bitrate, sim_int(1000000));
    with(&v, SF_video_source_codec, sim_text("avc1"));
    playing_ms(&v, SE_playing, 20, 0);
    playing_ms(&v, SE_renditionchange, 1020, 1000);
    with(&v, SF_video_source_bitrate, sim_int(2000000));
    with(&v, SF_video_source_fps, sim_int(30));
    playing_ms(&v, SE_playbackmodechange, 1520, 1500);
    with(&v, SF_player_playback_mode, sim_text("pip"));
    with(&v, SF_ad_type, sim_text("midroll"));
    playing_ms(&v, SE_adended, 2220, 2200); /* 700 more, 300 of them of the ad */
    with(&v, SF_ad_playing_time_ms_cumulative, sim_int(300));
    playing_ms(&v, SE_renditionchange, 2320, 2300);
    with(&v, SF_video_source_bitrate, sim_int(1000000));
    with(&v, SF_video_source_fps, sim_text("")); /* as in the beginning */
    playing_ms(&v, SE_viewend, 2620, 2600);
    struct sim_truth t = fold(&v);
    assert_int_equal(t.rendition_count, 2);
    assert_near(t.renditions[0].bitrate, 1000000);
    assert_near(t.renditions[0].ms, 1000 + 300);
    assert_true(isnan(t.renditions[0].fps));
    assert_near(t.renditions[1].fps, 30);
    assert_near(t.renditions[1].ms, 500 + 400 + 100);
    assert_string_equal(t.renditions[1].codec.v.text, "avc1");
    assert_int_equal(t.mode_count, 2);
    assert_near(t.modes[0].ms, 1500);
    assert_near(t.modes[1].ms, 1100);
    assert_int_equal(t.ad_type_count, 1);
    assert_string_equal(t.ad_types[0].name.v.text, "midroll");
    assert_near(t.ad_types[0].ms, 300);
}

/* What the end says of the playhead before it is not believed, and its ranges are not either. */
static void test_foreign_end(void **state)
{
    (void)state;
    for (int back = 0; back < 2; back++) {
        struct view v;
        begin(&v), first_frame(&v, 400);
        event(&v, SE_hb, 4000);
        with(&v, SF_player_playhead_time, sim_int(3000));
        with(&v, SF_video_playback_range, sim_text("[\"0:3000\"]"));
        event(&v, SE_viewend, 5000);
        with(&v, SF_player_playhead_time, sim_int(back ? 2999 : 3000));
        with(&v, SF_video_playback_range, sim_text("[]"));
        struct sim_truth t = fold(&v);
        assert_string_equal(t.last[SF_video_playback_range].v.text, back ? "[\"0:3000\"]" : "[]");
        assert_int_equal(t.last[SF_player_playhead_time].v.i, 3000);
    }
}

/* The line itself: valid JSON, and the shape that tests read. */
static void test_line(void **state)
{
    (void)state;
    struct view v;
    begin(&v), first_frame(&v, 400), failing(&v, 900, 4, "a \"b\"", NULL, false);
    with(&v, SF_video_cdn, sim_text("cdn-a"));
    with(&v, SF_video_playback_range, sim_text("[\"0:400\",\"900:900\",\"700:800\"]"));
    struct sim_truth t = fold(&v);
    struct sim_session s = {.skew_ms = 3600000, .user_agent = "UA", .country = "DE", .os = "Linux", .view_count = 1};
    memcpy(s.views[0].id, "0-1", 4);
    const struct sim_truth_extra extra = {.beacons = 3, .lost = 1};
    struct buf line;
    buf_init(&line, 100000);
    sim_truth_write(&line, &s, 0, &t, &extra);
    assert_int_equal(line.ptr[line.len - 1], '\n');
    struct json_parser *p = json_parser_new();
    struct json_doc doc;
    assert_true(json_parse(p, buf_span(&line), 10000, &doc, NULL));
    const struct json_node *root = doc.nodes;
    assert_int_equal(json_get(&doc, root, "view_start_ms")->v.i, T0 - 3600000); /* the true time */
    assert_true(json_is(json_get(&doc, root, "skewed"), JSON_TRUE));
    assert_true(span_is(json_string(json_get(&doc, root, "player_error_code")), "4"));
    assert_int_equal(json_get(&doc, root, "time_to_first_frame")->v.i, 400);
    assert_true(json_is(json_get(&doc, root, "buffering_duration"), JSON_INT));
    assert_true(json_is(json_get(&doc, root, "page_load_time"), JSON_NULL));
    assert_int_equal(json_get(&doc, root, "video_cdn_trace")->count, 1);
    assert_non_null(strstr(line.ptr, "\"ranges\":[[0,400],[700,800]]"));
    assert_non_null(strstr(line.ptr, "\"playback_failure_error_type_id\":[\"4\",\"a \\\"b\\\"\"]"));
    assert_true(json_is(json_get(&doc, root, "ad_playback_failure_error_type_id"), JSON_NULL));
    assert_int_equal(json_get(&doc, root, "error_last_seen")->v.i, T0 + 900 - 3600000);
    assert_int_equal(json_get(&doc, root, "errors")->count, 1);
    assert_null(json_get(&doc, root, "timeline")); /* nobody said what arrived */
    assert_null(json_get(&doc, root, "live_stream_latency"));      /* not determined under a corrected clock */
    assert_null(json_get(&doc, root, "viewer_application_name"));  /* nothing certain is known */
    assert_int_equal(json_get(&doc, json_get(&doc, root, "faults"), "lost")->v.i, 1);
    json_parser_free(p);
    buf_free(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stalls),      cmocka_unit_test(test_playing_without_counter),
        cmocka_unit_test(test_ads),         cmocka_unit_test(test_ad_exit_and_carried_over),
        cmocka_unit_test(test_requests),    cmocka_unit_test(test_renditions),
        cmocka_unit_test(test_outcomes),    cmocka_unit_test(test_scores),
        cmocka_unit_test(test_what_counts), cmocka_unit_test(test_killed_and_late),
        cmocka_unit_test(test_live_and_cdn), cmocka_unit_test(test_times), cmocka_unit_test(test_foreign_end), cmocka_unit_test(test_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
