/* SPDX-License-Identifier: Apache-2.0
 * The worked examples of the rules for life cycle, clock and folding, and the rules that have no example. */
#include "posts.h"

#define WITH(text, f) for (struct folded *f = folded_of(text); f; folded_free(f), f = NULL)

/* --- what is a view ------------------------------------------------------------------------------------------- */

static void test_failed_load_is_a_view(void **state)
{
    (void)state;
    WITH("@ 1000500\n"
         "1 networkchange 1000000\n2 playerready 1000040; player_startup_time=34\n3 loadstart 1000050\n"
         "4 error 1000100; player_error_code=4; player_error_message=MEDIA_ERR_SRC_NOT_SUPPORTED",
         f)
    {
        assert_true(view_started(f->view));
        assert_int_equal(f->row.view_start_ms, 1000100); /* the fatal error's time */
        assert_true(f->row.playback_failure && f->row.video_startup_failure && !f->row.exit_before_video_start);
        assert_false(f->row.watched);
        assert_null_column(f->row.video_startup_time);
        assert_null_column(f->row.watch_time);
        assert_null_column(f->row.rebuffer_count);
        assert_set(f->row.player_startup_time, 34);
        assert_span(f->row.player_error_code, "4");
        assert_set(f->row.view_playing_time, 0);
    }
}

static void test_no_start_is_no_view(void **state)
{
    (void)state;
    WITH("@ 5000\n1 loadstart 4000\n2 viewend 4100", f) assert_false(view_started(f->view));
    WITH("@ 5000\n1 loadstart 4000\n2 error 4100; "
         "player_error_severity=warning", f) assert_false(view_started(f->view));
    WITH("@ 5000\n1 hb 4000; view_start=3900", f) assert_true(view_started(f->view));
    WITH("@ 5000\n1 adbreakstart 4000", f) assert_true(view_started(f->view));
    /* What starts after the end does not count: the events after a viewend are ignored. */
    WITH("@ 5000\n1 loadstart 4000\n2 viewend 4100\n3 play 4200", f)
    {
        assert_false(view_started(f->view));
        assert_int_equal(view_ignored_count(f->view), 1);
    }
}

static void test_folding_stops_at_first_viewend(void **state)
{
    (void)state;
    WITH("@ 9000\n1 viewstart 1000; video_title=a\n3 viewend 2000; view_watch_time=5\n4 hb 3000; video_title=b\n"
         "5 viewend 4000; view_watch_time=9\n2 play 1001",
         f)
    {
        assert_span(f->row.video_title, "a");
        assert_set(f->row.watch_time, 5);
        assert_int_equal(f->row.event_names.n, 3);
        assert_int_equal(f->row.view_end_ms, 2000);
        assert_int_equal(view_ignored_count(f->view), 2);
        assert_set(f->row.view_dropped, 0);
    }
}

/* --- times ---------------------------------------------------------------------------------------------------- */

static void test_view_start(void **state)
{
    (void)state;
    WITH("@ 9000\n1 play 2000\n2 viewstart 1990; view_start=1980\n3 hb 3000; view_start=1500", f)
        assert_int_equal(f->row.view_start_ms, 1980);
    WITH("@ 9000\n1 error 1000\n2 play 2000\n3 viewstart 2500", f) assert_int_equal(f->row.view_start_ms, 2500);
    WITH("@ 9000\n1 error 1000\n2 play 2000", f) assert_int_equal(f->row.view_start_ms, 2000);
    WITH("@ 9000\n1 error 1000; player_error_severity=warning\n2 error 1500", f)
        assert_int_equal(f->row.view_start_ms, 1500);
}

static void test_view_end_of_a_late_viewend(void **state)
{
    (void)state;
    /* A tab that slept: the viewend comes 61 minutes after everything else. */
    WITH("@ 9000000\n1 viewstart 1000000\n2 pause 1050000\n3 hb 1040000\n4 viewend 4710001", f)
    {
        assert_int_equal(f->row.view_end_ms, 1050000);
        assert_true(f->row.long_resume);
    }
    WITH("@ 9000000\n1 viewstart 1000000\n2 pause 1050000\n4 viewend 4650000", f) /* exactly an hour: still the end */
    {
        assert_int_equal(f->row.view_end_ms, 4650000);
        assert_false(f->row.long_resume);
    }
}

static void test_clock(void **state)
{
    (void)state;
    /* Within 30 s the client's clock is taken as it is; the smallest offset counts, repeated posts included. */
    WITH("@ 1030000 offset=30000\n1 viewstart 1000000\n2 pause 1005000", f)
    {
        assert_int_equal(f->row.view_start_ms, 1000000);
        assert_int_equal(f->row.view_end_ms, 1005000);
    }
    WITH("@ 1100000 offset=90010\n1 viewstart 1000000; view_time_to_first_frame=400\n2 pause 1009990\n"
         "@ 1101000 offset=90000\n2 pause 1009990",
         f)
    {
        assert_int_equal(f->row.view_start_ms, 1090000);
        assert_int_equal(f->row.view_end_ms, 1099990);
        assert_set(f->row.video_startup_time, 400); /* durations are never shifted */
        assert_int_equal(f->row.event_viewer_times.items[1], 1009990);
        assert_int_equal(f->row.event_times.items[1], 1100000); /* first delivery */
    }
    /* A clock two hours ahead. */
    WITH("@ 1000100 offset=-7200000\n1 viewstart 8200000", f) assert_int_equal(f->row.view_start_ms, 1000000);
    /* Never after the receipt. */
    WITH("@ 1000000\n1 viewstart 1000700", f) assert_int_equal(f->row.view_start_ms, 1000000);
    /* A backfill is taken as it is. */
    WITH("@ 900000000 offset=899000000 backfill\n1 viewstart 1000\n2 pause 900000500", f)
    {
        assert_int_equal(f->row.view_start_ms, 1000);
        assert_int_equal(f->row.view_end_ms, 900000500);
        assert_true(view_backfilled(f->view));
    }
}

static void test_tab_kill(void **state)
{
    (void)state;
    const char *text = "@ 1795408729426\n1 viewstart 1795408729361; view_start=1795408729361; "
        "video_stream_type=on-demand\n"
                       "@ 1795408739392\n2 playing 1795408729390; view_time_to_first_frame=29; view_watch_time=29; "
                       "view_playing_time_ms_cumulative=0";
    struct posts *p = posts_of(text);
    struct folded *f = fold_posts(p, false);
    assert_null_column(f->row.view_dropped); /* pending: not decided */
    folded_free(f);
    f = fold_posts(p, true);
    assert_int_equal(f->row.view_end_ms, 1795408729390);
    assert_set(f->row.video_startup_time, 29);
    assert_set(f->row.watch_time, 29);
    assert_set(f->row.view_playing_time, 0);
    assert_true(f->row.watched);
    assert_set(f->row.view_dropped, 1);
    folded_free(f);
    posts_free(p);
}

static void test_midnight(void **state)
{
    (void)state;
    /* 23:50 to 00:10 of 2026-11-23/24, 18 minutes playing. */
    WITH("@ 1795478400000\n1 viewstart 1795477800000; view_start=1795477800000\n"
         "2 playing 1795477801000; view_time_to_first_frame=1000\n"
         "@ 1795479000100\n3 viewend 1795479000000; view_playing_time_ms_cumulative=1080000; view_watch_time=1081000",
         f)
    {
        assert_int_equal(f->row.view_start_ms / 86400000, 20780);
        assert_int_equal(f->row.view_end_ms / 86400000, 20781);
        assert_set(f->row.view_playing_time, 1080000);
    }
}

/* --- playing, rebuffering, seeking ---------------------------------------------------------------------------- */

static void test_playing_time_without_stall_detection(void **state)
{
    (void)state;
    /* The capture "rebuffer": at its stalls P grew by 1,008, 1,009 and 1,022 while time moved 0, 0 and -1. */
    WITH("@ 1795408700000\n1 viewstart 1795408567266; view_start=1795408567266; view_playing_time_ms_cumulative=0\n"
         "18 playing 1795408567540; view_playing_time_ms_cumulative=0; view_watch_time=274; "
         "view_time_to_first_frame=274\n"
         "19 waiting 1795408575334; view_playing_time_ms_cumulative=7799\n"
         "20 rebufferstart 1795408575334; view_playing_time_ms_cumulative=8807; view_rebuffer_count=1\n"
         "23 rebufferend 1795408582016; view_playing_time_ms_cumulative=8807; view_rebuffer_duration=6682\n"
         "24 waiting 1795408586008; view_playing_time_ms_cumulative=12808\n"
         "25 rebufferstart 1795408586008; view_playing_time_ms_cumulative=13817; view_rebuffer_count=2\n"
         "32 waiting 1795408604995; view_playing_time_ms_cumulative=25797\n"
         "33 rebufferstart 1795408604994; view_playing_time_ms_cumulative=26819; view_rebuffer_count=3\n"
         "41 viewend 1795408614116; view_playing_time_ms_cumulative=30828; view_watch_time=44846; "
         "view_rebuffer_duration=16749; view_seek_count=1; view_seek_duration=88; view_max_upscale_percentage=0; "
         "view_total_upscaling=0; view_total_content_playback_time=27628",
         f)
    {
        assert_set(f->row.view_playing_time, 27789);
        assert_set(f->row.rebuffer_count, 3);
        assert_set(f->row.rebuffer_duration, 16749);
        assert_set(f->row.watch_time, 44846);
        assert_near(f->row.startup_time_score, 0.966884);
        assert_near(f->row.rebuffer_score, 0.289289);
        assert_near(f->row.video_quality_score, 1.0);
        assert_near(f->row.viewer_experience_score, 0.649362);
    }
}

static void test_playing_time_of_old_cores(void **state)
{
    (void)state;
    WITH("@ 90000\n1 viewstart 1000\n2 playing 2000; view_time_to_first_frame=1000\n3 viewend 31000; "
         "view_watch_time=30000; view_rebuffer_duration=2000; view_rebuffer_count=1; view_seek_duration=500; "
         "view_seek_count=2",
         f)
        assert_set(f->row.view_playing_time, 26500);
    WITH("@ 90000\n1 viewstart 1000\n2 viewend 9000; view_watch_time=8000", f)
        assert_set(f->row.view_playing_time, 0); /* not watched */
}

static void test_rebuffer_and_seek_nulls(void **state)
{
    (void)state;
    WITH("@ 9000\n1 play 1000\n2 viewend 5000; view_watch_time=900; view_rebuffer_count=0; view_seek_count=1", f)
    {
        assert_null_column(f->row.rebuffer_count);
        assert_null_column(f->row.rebuffer_duration);
        assert_set(f->row.view_seek_duration, 0); /* a seek that never came back */
        assert_true(f->row.exit_before_video_start);
    }
    WITH("@ 9000\n1 play 1000\n2 playing 1100", f)
    {
        assert_set(f->row.rebuffer_count, 0);
        assert_set(f->row.rebuffer_duration, 0);
        assert_null_column(f->row.view_seek_count);
        assert_null_column(f->row.view_seek_duration);
        assert_null_column(f->row.watch_time);
    }
    WITH("@ 9000\n1 play 1000\n2 playing 1100\n3 hb 1200; view_rebuffer_duration=300001", f)
        assert_true(f->row.long_rebuffering);
}

/* --- requests ------------------------------------------------------------------------------------------------- */

static void test_requests(void **state)
{
    (void)state;
    WITH("@ 9000\n1 play 1000\n2 requestcompleted 1200; request_bytes_loaded=1250000; request_start=0; "
         "request_response_start=40; request_response_end=240; view_request_count=11; view_average_request_latency=8",
         f)
    {
        assert_set(f->row.request_throughput, 50000000);
        assert_set(f->row.request_latency, 40);
        assert_set(f->row.max_request_latency, 40);
    }
    /* No first byte; too early a first byte; nothing loaded; no time; a failed one; a viewend's leftovers. */
    WITH("@ 9000\n1 play 1000\n"
         "2 requestcompleted 1200; request_bytes_loaded=1000; request_start=100; request_response_end=200\n"
         "3 requestcompleted 1200; request_bytes_loaded=1000; request_start=100; request_response_start=90; "
         "request_response_end=200\n"
         "4 requestcompleted 1200; request_bytes_loaded=0; request_start=100; request_response_start=190; "
         "request_response_end=200\n"
         "5 requestcompleted 1200; request_bytes_loaded=9; request_start=100; request_response_start=200; "
         "request_response_end=200\n"
         "6 requestfailed 1200; request_bytes_loaded=9; request_start=100; request_response_start=150; "
         "request_response_end=200\n"
         "7 requestcompleted 1200; request_bytes_loaded=2000; request_start=100; request_response_start=103; "
         "request_response_end=203\n"
         "8 viewend 1300; request_bytes_loaded=2000; request_start=100; request_response_start=103; "
         "request_response_end=203",
         f)
    {
        assert_set(f->row.request_throughput, 106667); /* 8000 * 4000 / 300 */
        assert_set(f->row.request_latency, 1);         /* 3 / 3 */
        assert_set(f->row.max_request_latency, 3);
    }
    WITH("@ 9000\n1 play 1000", f) assert_null_column(f->row.request_throughput);
}

/* --- renditions ----------------------------------------------------------------------------------------------- */

static const char renditions[] =
    "@ 90000\n1 viewstart 1000; view_playing_time_ms_cumulative=0; video_source_width=0; video_source_height=0\n"
    "2 renditionchange 1001; video_source_bitrate=400400; video_source_width=426; video_source_height=240; "
    "video_source_fps=30; video_source_codec=avc1.640015; video_source_rendition_name=low; "
    "view_playing_time_ms_cumulative=0\n"
    "3 playing 1500; view_time_to_first_frame=500; player_playback_mode=standard; view_playing_time_ms_cumulative=0\n"
    "4 renditionchange 8000; video_source_bitrate=2710400; video_source_width=1280; video_source_height=720; "
    "video_source_fps=29.97; video_source_codec=avc1.64001f; video_source_rendition_name=high; "
    "view_playing_time_ms_cumulative=6979\n"
    "5 hb 9000; video_source_width=1279; view_playing_time_ms_cumulative=16979\n"
    "6 renditionchange 20000; video_source_bitrate=400400; video_source_width=426; video_source_height=240; "
    "video_source_fps=30; video_source_codec=avc1.640015; video_source_rendition_name=low; "
    "view_playing_time_ms_cumulative=20000\n"
    "7 playbackmodechange 25000; player_playback_mode=fullscreen; view_playing_time_ms_cumulative=25000\n"
    "8 renditionchange 25000; video_source_bitrate=2710400; video_source_width=1280; video_source_height=720; "
    "video_source_fps=29.97; video_source_codec=avc1.64001f; video_source_rendition_name=high; "
    "view_playing_time_ms_cumulative=25000\n"
    "9 renditionchange 25100; video_source_bitrate=2710400; video_source_width=1279; video_source_height=720; "
    "view_playing_time_ms_cumulative=25000\n"
    "10 viewend 28189; video_source_bitrate=2710400; video_source_width=1280; view_playing_time_ms_cumulative=28189";

static void test_renditions(void **state)
{
    (void)state;
    WITH(renditions, f)
    {
        assert_set(f->row.rendition_change_count, 3); /* the first known is none, and the size alone is none */
        assert_set(f->row.rendition_upshift_count, 2);
        assert_set(f->row.rendition_downshift_count, 1);
        assert_near(f->row.weighted_average_bitrate, (11979.0 * 400400 + 16210.0 * 2710400) / 28189);
        assert_set(f->row.video_source_width_initial, 426);
        assert_set(f->row.video_source_width, 1280);
        assert_set(f->row.player_source_height, 720);
        assert_near(f->row.video_source_fps_initial, 30.0);
        assert_near(f->row.video_source_fps, 29.97);
        assert_span(f->row.video_codec_initial, "avc1.640015");
        assert_span(f->row.video_codec, "avc1.64001f");
        /* A rendition is its six attributes: the last change made a third one. */
        assert_int_equal(f->row.rendition_bitrate.n, 3);
        assert_int_equal(f->row.rendition_playing_time.items[0], 11979);
        assert_int_equal(f->row.rendition_playing_time.items[1], 13021);
        assert_int_equal(f->row.rendition_playing_time.items[2], 3189);
        assert_int_equal(f->row.rendition_width.items[2], 1279);
        assert_span(f->row.rendition_name.items[0], "low");
        assert_int_equal(f->row.mode_name.n, 2);
        assert_span(f->row.mode_name.items[1], "fullscreen");
        assert_int_equal(f->row.mode_playing_time.items[0], 25000);
        assert_int_equal(f->row.mode_playing_time.items[1], 3189);
        assert_true(f->row.used_fullscreen);
    }
}

static void test_bitrate_of_the_capture(void **state)
{
    (void)state;
    WITH("@ 90000\n1 viewstart 1000\n2 renditionchange 1000; video_source_bitrate=400400\n3 playing 1000; "
         "view_playing_time_ms_cumulative=0\n"
         "4 renditionchange 13000; video_source_bitrate=2710400; view_playing_time_ms_cumulative=11979\n"
         "5 viewend 29000; view_playing_time_ms_cumulative=28189",
         f)
        assert_true(fabs(f->row.weighted_average_bitrate.v - 1728758.58) < 0.005);
    /* Without P: by the playhead. */
    WITH("@ 90000\n1 play 1000; video_source_bitrate=1000\n2 playing 1100; view_content_playback_time=500\n"
         "3 renditionchange 1200; video_source_bitrate=3000; view_content_playback_time=1000\n4 hb 1300; "
         "view_content_playback_time=2000",
         f)
        assert_near(f->row.weighted_average_bitrate, 2000.0);
    WITH("@ 90000\n1 play 1000; video_source_bitrate=1000", f)
    {
        assert_null_column(f->row.weighted_average_bitrate);
        assert_null_column(f->row.rendition_change_count); /* not watched */
    }
    WITH("@ 90000\n1 play 1000\n2 playing 1001", f) assert_null_column(f->row.rendition_change_count); /* no bitrate */
}

/* --- ads ------------------------------------------------------------------------------------------------------ */

/* The capture "ads-emit" in short: a pod of two pre-rolls, a mid-roll break with one ad and one that fails. */
static const char ads[] =
    "@ 90000\n1 networkchange 900\n"
    "5 adrequest 950; ad_type=preroll; ad_tag_url=https://ads.example.net/tag; view_preroll_requested=true\n"
    "7 playbackmodechange 960; ad_id=AD1; ad_asset_url=https://cdn.ads.example.net/a1.mp4\n"
    "8 viewstart 1000; view_start=1000; ad_id=AD1; ad_type=preroll\n10 adbreakstart 1000\n"
    "11 adplay 1020; ad_id=AD1; view_preroll_played=true; view_preroll_request_count=1; "
    "view_startup_preroll_request_time=20\n"
    "12 adplaying 1426; ad_id=AD1; view_startup_preroll_load_time=406; view_time_to_first_frame=426\n"
    "15 adpause 3000; ad_id=AD1\n16 adplay 3500; ad_id=AD1\n17 adplaying 3510; ad_id=AD1; "
    "view_playing_time_ms_cumulative=2000; ad_playing_time_ms_cumulative=2000\n"
    "19 adended 5000; ad_id=AD1\n20 adplay 5010; ad_id=AD2\n21 adplaying 5100; ad_id=AD2\n"
    "22 adended 7690; ad_id=AD2; view_playing_time_ms_cumulative=5246; ad_playing_time_ms_cumulative=5246\n"
    "23 adbreakend 7700\n24 play 7702\n25 playing 7712\n"
    "26 pause 12000; view_playing_time_ms_cumulative=10000; ad_playing_time_ms_cumulative=5246\n"
    "27 adbreakstart 12001; ad_type=midroll; ad_id=MID\n28 adplay 12010; ad_id=MID\n29 adplaying 12100; ad_id=MID\n"
    "30 adended 15000; ad_id=MID; view_playing_time_ms_cumulative=13010; ad_playing_time_ms_cumulative=8256\n"
    "31 adplay 15010; ad_id=MID2\n32 aderror 15100\n33 adbreakend 15200\n34 play 15210\n35 playing 15220\n"
    "36 viewend 20000; view_playing_time_ms_cumulative=16274; ad_playing_time_ms_cumulative=8256";

static void test_ads(void **state)
{
    (void)state;
    WITH(ads, f)
    {
        assert_true(f->row.view_has_ad);
        assert_set(f->row.ad_attempt_count, 4);
        assert_set(f->row.ad_impression_count, 3);
        assert_set(f->row.ad_break_count, 2);
        assert_set(f->row.ad_error_count, 1);
        assert_set(f->row.ad_startup_error_count, 1);
        assert_set(f->row.ad_break_error_count, 1);
        assert_set(f->row.ad_exit_before_start_count, 0);
        assert_set(f->row.view_content_startup_time, 12); /* 6,712 - 6,700 */
        assert_set(f->row.video_startup_time, 426);
        assert_set(f->row.ad_preroll_startup_time, 406);
        assert_set(f->row.video_startup_preroll_load_time, 406);
        assert_set(f->row.video_startup_preroll_request_time, 20);
        assert_set(f->row.requests_for_first_preroll, 1);
        assert_set(f->row.view_playing_time, 16274);
        assert_set(f->row.ad_playing_time, 8256);
        assert_set(f->row.view_content_playing_time, 8018); /* 16,274 - 8,256 */
        assert_int_equal(f->row.ad_type_name.n, 2);
        assert_span(f->row.ad_type_name.items[0], "preroll");
        assert_int_equal(f->row.ad_type_playing_time.items[0], 5246);
        assert_int_equal(f->row.ad_type_playing_time.items[1], 3010);
    }
}

static void test_ads_state_machine(void **state)
{
    (void)state;
    /* Left while the ad loaded. */
    WITH("@ 9000\n1 adbreakstart 1000\n2 adplay 1010\n3 viewend 3000", f)
    {
        assert_set(f->row.ad_exit_before_start_count, 1);
        assert_set(f->row.ad_attempt_count, 1);
        assert_set(f->row.ad_impression_count, 0);
        assert_null_column(f->row.requests_for_first_preroll); /* no pre-roll played */
    }
    /* A pod without adplay, as IMA sends it; an unfilled request; two errors in one break. */
    WITH("@ 9000\n1 adbreakstart 1000\n2 adplaying 1010\n3 adimpression 1011\n4 adended 1500\n5 adplaying 1510\n"
         "6 adskipped 1800\n"
         "7 aderror 1900\n8 aderror 1950\n9 adbreakend 2000\n10 aderror 2500",
         f)
    {
        assert_set(f->row.ad_attempt_count, 5);
        assert_set(f->row.ad_impression_count, 2);
        assert_set(f->row.ad_error_count, 3);
        assert_set(f->row.ad_startup_error_count, 3);
        assert_set(f->row.ad_break_error_count, 1);
    }
    WITH("@ 9000\n1 play 1000; view_preroll_request_count=2", f)
    {
        assert_false(f->row.view_has_ad);
        assert_null_column(f->row.ad_attempt_count);
        assert_null_column(f->row.requests_for_first_preroll);
        assert_null_column(f->row.ad_playing_time);
    }
    WITH("@ 9000\n1 play 1000; view_has_ad=true", f) assert_set(f->row.ad_attempt_count, 0);
}

static void test_ad_playing_time_of_a_player(void **state)
{
    (void)state;
    /* The counter runs on over the views of a player. */
    WITH("@ 9000\n1 viewstart 1000; ad_playing_time_ms_cumulative=24\n2 hb 2000; "
         "ad_playing_time_ms_cumulative=1024; view_playing_time_ms_cumulative=3000", f)
    {
        assert_set(f->row.ad_playing_time, 1000);
        assert_set(f->row.view_content_playing_time, 2000);
    }
    WITH("@ 9000\n2 hb 2000; view_start=1; ad_playing_time_ms_cumulative=1024; view_playing_time_ms_cumulative=3000", f)
        assert_set(f->row.ad_playing_time, 1024); /* event 1 is missing */
}

static void test_content_startup(void **state)
{
    (void)state;
    WITH("@ 9000\n1 viewstart 1000; view_start=1000\n2 playing 1300; view_time_to_first_frame=280", f)
        assert_set(f->row.view_content_startup_time, 280);
    WITH("@ 9000\n1 viewstart 1000; view_start=1000\n2 adplay 1100\n3 adplaying 1500\n4 adended 4500\n"
         "5 playing 4900", f)
        assert_set(f->row.view_content_startup_time, 500); /* 3,900 - (4,500 - 1,100) */
    WITH("@ 9000\n1 viewstart 1000; view_start=1000\n2 adplaying 1500", f)
        assert_null_column(f->row.view_content_startup_time);
}

/* --- facts ---------------------------------------------------------------------------------------------------- */

static void test_cdn_trace(void **state)
{
    (void)state;
    WITH("@ 9000\n1 play 1000; video_cdn=cdn-a\n2 cdnchange 2000; video_cdn=cdn-b; video_previous_cdn=cdn-a\n"
         "3 hb 2100; video_cdn=CDN-B\n"
         "4 cdnchange 3000; video_cdn=cdn-c\n5 cdnchange 4000; video_cdn=cdn-a\n6 viewend 5000; video_cdn=cdn-a",
         f)
    {
        static const char *const trace[] = {"cdn-a", "cdn-b", "cdn-c", "cdn-a"};
        assert_int_equal(f->row.video_cdn_trace.n, COUNT(trace));
        for (size_t i = 0; i < COUNT(trace); i++) assert_span(f->row.video_cdn_trace.items[i], trace[i]);
        assert_span(f->row.cdn, "cdn-a");
    }
    WITH("@ 9000\n1 play 1000", f) assert_int_equal(f->row.video_cdn_trace.n, 0);
}

static void test_merges(void **state)
{
    (void)state;
    WITH("@ 9000\n1 play 1000; session_id=s1; mux_viewer_id=; video_title=a; custom_1=x; view_preroll_requested=true\n"
         "2 hb 1100; session_id=s2; mux_viewer_id=m1; video_title=b; custom_1=; view_preroll_requested=false; "
         "view_dropped_frame_count=7\n"
         "3 hb 1200; video_source_url=https://a.example/v.mp4?t=1; view_dropped_frame_count=3",
         f)
    {
        assert_span(f->row.session_id, "s1"); /* first */
        assert_span(f->row.mux_viewer_id, "m1"); /* "" is not defined */
        assert_span(f->row.video_title, "b"); /* last */
        assert_int_equal(f->row.custom_1.len, 0); /* "" unsets */
        assert_true(f->row.preroll_requested); /* once */
        assert_set(f->row.view_dropped_frame_count, 3); /* as sent: last, not largest */
        assert_span(f->row.player_source_url, "https://a.example/v.mp4?t=1");
        assert_span(f->row.source_hostname, "a.example");
    }
    WITH("@ 9000 strip\n1 play 1000; video_source_url=https://a.example/v.mp4?t=1; video_title=a?b; "
         "page_url=https://x/?q", f)
    {
        assert_span(f->row.player_source_url, "https://a.example/v.mp4");
        assert_span(f->row.page_url, "https://x/");
        assert_span(f->row.page_hostname, "x");
        assert_span(f->row.video_title, "a?b");
    }
    static const struct { const char *post, *host; } pages[] = {
        {"@ 9000\n1 play 1000; page_url=https://shop.example.com:8443/watch?x=1#y", "shop.example.com:8443"},
        {"@ 9000\n1 play 1000; page_url=http://me@[::1]/", "[::1]"},
        {"@ 9000\n1 play 1000; page_url=file:///home/video.html", ""},
        {"@ 9000\n1 play 1000; page_url=about:blank", ""},
        {"@ 9000\n1 play 1000", ""},
    };
    for (size_t i = 0; i < COUNT(pages); i++) WITH(pages[i].post, f) assert_span(f->row.page_hostname, pages[i].host);
}

static void test_derived_facts(void **state)
{
    (void)state;
    WITH("@ 9000\n1 play 1000; video_source_is_live=true; player_preload_on=none; player_software=HTML5; "
         "video_source_url=https://stream.mux.com/AbC12.m3u8?x; player_text_track_enabled=true; "
         "player_autoplay_on=true\n"
         "2 texttrackchange 1100; player_text_track_language=en",
         f)
    {
        assert_span(f->row.stream_type, "live");
        assert_false(f->row.player_preload);
        assert_true(f->row.player_autoplay);
        assert_span(f->row.player_software, "HTML5");
        assert_span(f->row.playback_id, "AbC12");
        assert_true(f->row.used_captions);
        assert_null_column(f->row.player_remote_played);
    }
    WITH("@ 9000\n1 play 1000; video_source_duration=30000; player_preload_on=metadata; player_software=a; "
         "player_software_name=b; "
         "playback_id=own; player_playback_mode=pip",
         f)
    {
        assert_span(f->row.stream_type, "on-demand");
        assert_true(f->row.player_preload);
        assert_span(f->row.player_software, "b");
        assert_span(f->row.playback_id, "own");
        assert_true(f->row.used_pip);
    }
    WITH("@ 9000\n1 play 1000; video_stream_type=live; video_source_is_live=false", f)
        assert_span(f->row.stream_type, "live");
    WITH("@ 9000\n1 play 1000", f) assert_int_equal(f->row.stream_type.len, 0);
}

static void test_viewer(void **state)
{
    (void)state;
    /* The post that first delivered the lowest sequence number decides, whatever came earlier or later. */
    WITH("@ 2000 country=FR agent=Firefox\n2 play 1000\n@ 4000 country=US agent=Safari\n1 viewstart 990\n"
         "@ 3000 country=DE agent=Chrome\n1 viewstart 990",
         f)
    {
        assert_span(f->row.country, "DE");
        assert_span(f->row.browser, "Chrome");
        assert_int_equal(f->row.event_times.items[0], 3000); /* viewstart: its earliest copy */
        assert_int_equal(f->row.inserted_ms, 2000);
        assert_int_equal(f->row.updated_ms, 4000);
    }
    WITH("@ 2000 agent=Firefox\n1 play 1000; viewer_application_name=App\n2 hb 1100; "
         "mux_viewer_application_name=Mine", f)
        assert_span(f->row.browser, "Mine");
    WITH("@ 2000 agent=Firefox\n1 play 1000; viewer_application_name=App", f) assert_span(f->row.browser, "App");
}

static void test_ranges(void **state)
{
    (void)state;
    WITH("@ 9000\n1 play 1000; player_playhead_time=100; "
         "video_playback_range=[\"0:4000\",\"5000:7000\",\"9:3\",\"4:4\",\"-5:9\"]", f)
    {
        assert_int_equal(f->row.range_start.n, 2);
        assert_int_equal(f->row.range_start.items[1], 5000);
        assert_int_equal(f->row.range_end.items[1], 7000);
    }
    /* A viewend that was read from the next source. */
    WITH("@ 9000\n1 play 1000; player_playhead_time=4934; video_playback_range=[\"0:4934\"]\n"
         "2 viewend 6000; player_playhead_time=0; video_playback_range=[\"4934:0\"]",
         f)
    {
        assert_int_equal(f->row.range_end.n, 1);
        assert_int_equal(f->row.range_end.items[0], 4934);
        assert_int_equal(f->row.event_playback_times.items[1], 4934);
    }
    WITH("@ 9000\n1 play 1000; video_playback_range=[]", f) assert_int_equal(f->row.range_start.n, 0);
    WITH("@ 9000\n1 play 1000; video_playback_range=rubbish 1 2:", f) assert_int_equal(f->row.range_start.n, 0);
}

static void test_live_latency(void **state)
{
    (void)state;
    WITH("@ 100000\n1 play 50000; video_source_is_live=true; player_is_paused=false; player_program_time=43000\n"
         "2 hb 60000; player_program_time=53999\n3 pause 61000; player_is_paused=true; player_program_time=1000\n"
         "4 hb 62000; player_is_paused=false\n5 hb 80000; player_program_time=80001",
         f)
        assert_set(f->row.live_stream_latency, 6501); /* (7,000 + 6,001) / 2, up; not the paused and the future one */
    WITH("@ 100000\n1 play 50000; video_source_is_live=false; player_program_time=43000", f)
        assert_null_column(f->row.live_stream_latency);
}

static void test_aggregate_startup(void **state)
{
    (void)state;
    WITH("@ 9000\n1 play 1000; player_startup_time=101; page_load_time=52; view_time_to_first_frame=274", f)
        assert_set(f->row.aggregate_startup_time, 427);
    WITH("@ 9000\n1 play 1000; player_startup_time=101; page_load_time=52; view_time_to_first_frame=274; "
         "view_aggregate_startup_time=213", f)
        assert_set(f->row.aggregate_startup_time, 213);
    WITH("@ 9000\n1 play 1000; player_startup_time=101; view_time_to_first_frame=274", f)
        assert_null_column(f->row.aggregate_startup_time);
}

/* --- errors and outcomes -------------------------------------------------------------------------------------- */

static void check_outcome(const char *text, bool failure, bool startup, bool business, bool exit, double success)
{
    WITH(text, f)
    {
        assert_int_equal(f->row.playback_failure, failure);
        assert_int_equal(f->row.video_startup_failure, startup);
        assert_int_equal(f->row.playback_business_exception, business);
        assert_int_equal(f->row.exit_before_video_start, exit);
        assert_int_equal(f->row.playback_success_score.set, success >= 0);
        if (success >= 0) assert_near(f->row.playback_success_score, success);
        assert_int_equal(f->row.viewer_experience_score.set, success >= 0);
        assert_int_equal(f->row.watched + f->row.video_startup_failure + f->row.exit_before_video_start, 1);
        if (success >= 0 && success < 1) assert_near(f->row.viewer_experience_score, success);
        assert_int_equal(f->row.ad_playback_failure + f->row.content_playback_failure, f->row.playback_failure);
    }
}

static void test_outcomes(void **state)
{
    (void)state;
    check_outcome("@ 90000\n1 play 1000\n2 playing 1200; view_time_to_first_frame=200; view_watch_time=200\n"
                  "3 viewend 31000; view_watch_time=30000",
                  false, false, false, false, 1);
    check_outcome("@ 90000\n1 play 1000\n2 viewend 1800; view_watch_time=800", false, false, false, true, -1);
    check_outcome("@ 90000\n1 play 1000\n2 viewend 4000; view_watch_time=3000", false, false, false, true, 0.5);
    check_outcome("@ 90000\n1 play 1000\n2 viewend 4000", false, false, false, true, 0.5); /* wait by the clock */
    check_outcome("@ 90000\n1 play 1000\n2 error 3000; player_error_code=4\n"
                  "3 viewend 3100", true, true, false, false, 0);
    check_outcome("@ 90000\n1 play 1000\n2 playing 1100; view_time_to_first_frame=100\n3 error 31000; "
                  "player_error_code=402; "
                  "player_error_business_exception=true\n4 viewend 32000; view_watch_time=30000",
                  false, false, true, false, 1);
    check_outcome("@ 90000\n1 play 1000\n2 error 4000; player_error_code=402; "
                  "player_error_business_exception=true\n3 viewend 4001; view_watch_time=3000",
                  false, false, true, true, 0.5);
    check_outcome("@ 90000\n1 error 900; player_error_code=2\n2 play 1000\n3 playing 1200; "
                  "view_time_to_first_frame=200\n4 viewend 9000; view_watch_time=8000",
                  true, false, false, false, 0);
}

static const char errors[] =
    "@ 90000\n1 play 1000\n2 playing 1200; view_time_to_first_frame=200\n"
    "3 error 2000; player_error_code=1001; player_error_message=soft problem; player_error_severity=warning; "
    "player_error_context=ctx line 1\n"
    "4 error 3000; player_error_code=402; player_error_message=expired; player_error_severity=fatal; "
    "player_error_business_exception=true\n"
    "5 error 4000; player_error_code=7; player_error_message=boom\n6 error 4003; player_error_code=7; "
    "player_error_message=boom\n7 error 5000\n"
    "8 viewend 9000; view_watch_time=8000";

static void test_errors(void **state)
{
    (void)state;
    WITH(errors, f)
    {
        assert_true(f->row.playback_failure && f->row.playback_business_exception && f->row.content_playback_failure);
        assert_span(f->row.player_error_code, "7");
        assert_span(f->row.player_error_message, "boom");
        assert_int_equal(f->row.player_error_context.len, 0);
        assert_int_equal(f->row.error_last_seen.v, 4000);
        int32_t boom = error_type_id(SPAN("7"), SPAN("boom"));
        assert_set(f->row.error_type_id, boom);
        assert_set(f->row.playback_failure_error_type_id, boom);
        assert_set(f->row.playback_business_exception_error_type_id, error_type_id(SPAN("402"), SPAN("expired")));
        assert_null_column(f->row.video_startup_business_exception_error_type_id);
        assert_null_column(f->row.ad_playback_failure_error_type_id);
        assert_int_equal(f->row.error_ids.n, 5);
        assert_int_equal(f->row.error_fatal.items[0], 0);
        assert_int_equal(f->row.error_business.items[1], 1);
        assert_int_equal(f->row.error_codes.items[4].len, 0); /* nothing is inherited */
        assert_span(f->row.error_contexts.items[0], "ctx line 1");
        assert_near(f->row.viewer_experience_score, 0.0);
    }
}

static struct view_error_rule rule_of(void *ctx, const char *environment_id, struct span code)
{
    assert_string_equal(environment_id, "env-1");
    (void)ctx;
    if (span_is(code, "7")) return (struct view_error_rule){.severity_known = true, .fatal = false};
    if (span_is(code, "1001"))
        return (struct view_error_rule){
            .severity_known = true, .fatal = true, .business_known = true, .business = true};
    return (struct view_error_rule){.business = true}; /* nothing known: as sent */
}

static void test_categorised_errors(void **state)
{
    (void)state;
    WITH(errors, f)
    {
        view_fold(f->view, true, rule_of, NULL, &f->arena, &f->row);
        assert_true(f->row.playback_failure); /* the empty error is left */
        assert_int_equal(f->row.player_error_code.len, 0);
        assert_set(f->row.playback_business_exception_error_type_id, error_type_id(SPAN("1001"), SPAN("soft problem")));
        assert_int_equal(f->row.error_fatal.items[2], 1); /* as sent */
    }
}

static void test_error_in_ad(void **state)
{
    (void)state;
    WITH("@ 9000\n1 adbreakstart 1000\n2 adplaying 1100\n3 error 2000; player_error_code=3\n4 adbreakend 2100\n"
         "5 error 2200", f)
    {
        assert_true(f->row.ad_playback_failure && !f->row.content_playback_failure);
        assert_set(f->row.ad_playback_failure_error_type_id, error_type_id(SPAN("3"), SPAN("")));
        assert_int_equal(f->row.error_in_ad.items[0], 1);
        assert_int_equal(f->row.error_in_ad.items[1], 0);
    }
}

/* --- timeline ------------------------------------------------------------------------------------------------- */

static void test_timeline(void **state)
{
    (void)state;
    WITH("@ 9000\n1 viewstart 1000; player_playhead_time=5\n3 rebufferstart 1500; player_playhead_time=50\n"
         "2 waiting 1600\n"
         "4 somethingnew 1600\n5 hb -\n"
         "@ 9500\n6 error 1700; player_error_code=2; player_error_message=a \"b\"; "
         "player_error_business_exception=false",
         f)
    {
        static const struct {
            const char *name;
            int64_t sequence, viewer, receipt, playhead;
            const char *details;
        } want[] = {
            {"viewstart", 1, 1000, 9000, 5, "{}"},        {"rebufferstart", 3, 1500, 9000, 50, "{}"},
            {"waiting", 2, 1600, 9000, 5, "{}"},          {"somethingnew", 4, 1600, 9000, 50, "{}"},
            {"hb", 5, 1600, 9000, 50, "{}"},
            {"error", 6, 1700, 9500, 50,
             "{\"player_error_code\":\"2\",\"player_error_message\":\"a \\\"b\\\"\","
             "\"player_error_business_exception\":false}"},
        };
        assert_int_equal(f->row.event_names.n, COUNT(want));
        for (size_t i = 0; i < COUNT(want); i++) {
            assert_span(f->row.event_names.items[i], want[i].name);
            assert_int_equal(f->row.event_sequences.items[i], want[i].sequence);
            assert_int_equal(f->row.event_viewer_times.items[i], want[i].viewer);
            assert_int_equal(f->row.event_times.items[i], want[i].receipt);
            assert_int_equal(f->row.event_playback_times.items[i], want[i].playhead);
            assert_span(f->row.event_details.items[i], want[i].details);
        }
    }
}

static void test_details(void **state)
{
    (void)state;
    WITH("@ 9000\n1 playerready 1000; player_startup_time=101; video_title=t\n"
         "2 requestcompleted 1001; request_type=media; request_url=http://h/a.ts; request_media_duration=3.5; "
         "request_bytes_loaded=9\n"
         "3 requestcompleted 1002; request_type=manifest; request_url=http://h/a.ts; request_media_duration=3.5; "
         "request_bytes_loaded=7\n"
         "4 requestfailed 1003; request_type=manifest; request_url=http://h/b.m3u8; request_error=x; "
         "request_error_code=404\n"
         "5 requestcompleted 1004; request_type=media; request_error=x\n"
         "6 texttrackchange 1005; player_text_track_enabled=true; player_text_track_language=en\n"
         "7 texttrackchange 1006; player_text_track_enabled=false\n"
         "8 cdnchange 1007; video_cdn=b; video_previous_cdn=a; request_url=http://h/z\n"
         "9 networkchange 1008; viewer_connection_type=wifi; viewer_connection_low_data_mode=false\n"
         "10 networkchange 1009; viewer_connection_type=cellular\n"
         "11 adrequest 1010; ad_type=preroll\n12 playbackmodechange 1011; ad_id=A; player_playback_mode=pip\n"
         "13 adbreakstart 1012\n14 adplay 1013; ad_id=A\n15 adplaying 1014\n16 adbreakend 1015\n"
         "17 adbreakstart 1016\n18 hb 1017; request_url=http://h/c",
         f)
    {
        static const char *const want[] = {
            "{\"player_startup_time\":101}",
            "{\"request_type\":\"media\",\"request_url\":\"http://h/a.ts\","
            "\"request_bytes_loaded\":9,\"request_media_duration\":3.5}",
            "{\"request_type\":\"manifest\",\"request_bytes_loaded\":7}",
            "{\"request_type\":\"manifest\",\"request_url\":\"http://h/b.m3u8\","
            "\"request_error\":\"x\",\"request_error_code\":\"404\"}",
            "{\"request_type\":\"media\"}",
            "{\"player_text_track_enabled\":true,\"player_text_track_language\":\"en\"}",
            "{\"player_text_track_enabled\":false}",
            "{\"video_cdn\":\"b\",\"video_previous_cdn\":\"a\"}",
            "{\"viewer_connection_type\":\"wifi\",\"viewer_connection_low_data_mode\":false}",
            "{\"viewer_connection_type\":\"cellular\",\"viewer_connection_low_data_mode\":false}",
            "{\"ad_type\":\"preroll\"}",
            "{\"player_playback_mode\":\"pip\"}",
            "{\"ad_id\":\"A\",\"ad_type\":\"preroll\"}",
            "{\"ad_id\":\"A\",\"ad_type\":\"preroll\"}",
            "{\"ad_type\":\"preroll\"}",
            "{\"ad_type\":\"preroll\"}",
            "{\"ad_type\":\"preroll\"}",
            "{}",
        };
        assert_int_equal(f->row.event_details.n, COUNT(want));
        for (size_t i = 0; i < COUNT(want); i++) assert_span(f->row.event_details.items[i], want[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_load_is_a_view),
        cmocka_unit_test(test_no_start_is_no_view),
        cmocka_unit_test(test_folding_stops_at_first_viewend),
        cmocka_unit_test(test_view_start),
        cmocka_unit_test(test_view_end_of_a_late_viewend),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_tab_kill),
        cmocka_unit_test(test_midnight),
        cmocka_unit_test(test_playing_time_without_stall_detection),
        cmocka_unit_test(test_playing_time_of_old_cores),
        cmocka_unit_test(test_rebuffer_and_seek_nulls),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_renditions),
        cmocka_unit_test(test_bitrate_of_the_capture),
        cmocka_unit_test(test_ads),
        cmocka_unit_test(test_ads_state_machine),
        cmocka_unit_test(test_ad_playing_time_of_a_player),
        cmocka_unit_test(test_content_startup),
        cmocka_unit_test(test_cdn_trace),
        cmocka_unit_test(test_merges),
        cmocka_unit_test(test_derived_facts),
        cmocka_unit_test(test_viewer),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_live_latency),
        cmocka_unit_test(test_aggregate_startup),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_categorised_errors),
        cmocka_unit_test(test_error_in_ad),
        cmocka_unit_test(test_timeline),
        cmocka_unit_test(test_details),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
