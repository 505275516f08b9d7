/* SPDX-License-Identifier: Apache-2.0
 * The set of events: order and repetition change nothing, it is saved and loaded whole, and it is small. */
#include "posts.h"
#include "views/strings.h"

/* A view of 40 events in posts that overlap, come late, from a clock that is wrong, from two networks. */
static const char story[] =
    "@ 1795408700100 offset=95020 country=DE agent=Chrome\n"
    "1 networkchange 1795408600000; mux_api_version=2.1; mux_embed=mux-embed; mux_viewer_id=e598713b; "
    "session_id=8f48331d; viewer_user_id=user-42; "
    "video_title=Lab title; video_source_width=0; player_width=800; player_height=450; "
    "ad_playing_time_ms_cumulative=24; mux_sample_rate=0.5; "
    "page_url=https://example.org/watch?v=1; viewer_connection_type=wifi; view_playing_time_ms_cumulative=0; "
    "player_is_paused=true\n"
    "2 playerready 1795408600040; player_startup_time=101; page_load_time=52\n"
    "3 requestcompleted 1795408600060; request_type=manifest; request_start=1795408600040; "
    "request_response_start=1795408600050; "
    "request_response_end=1795408600060; request_bytes_loaded=404; request_url=http://cdn.example/hls/master.m3u8\n"
    "@ 1795408701000 offset=95007 country=DE agent=Chrome\n"
    "4 loadstart 1795408600070\n5 playbackmodechange 1795408600080; player_playback_mode=standard; "
    "player_playback_mode_data={}\n"
    "7 renditionchange 1795408600090; video_source_bitrate=400400; video_source_width=426; "
    "video_source_height=240; video_source_codec=avc1.640015; "
    "video_source_rendition_name=low; video_source_fps=30\n"
    "6 viewstart 1795408600085; view_start=1795408600085; video_title=Lab title; custom_1=c one; "
    "video_source_url=http://cdn.example/hls/master.m3u8; "
    "video_source_duration=60000; video_source_is_live=false; player_is_paused=false; experiment_name=exp-a\n"
    "8 adbreakstart 1795408600100; ad_type=preroll; ad_id=A1\n9 adplay 1795408600110; ad_id=A1; "
    "view_preroll_played=true; view_preroll_request_count=2\n"
    "10 adplaying 1795408600500; ad_id=A1; view_time_to_first_frame=415; view_startup_preroll_load_time=390; "
    "view_watch_time=415\n"
    "@ 1795408702000 offset=95010 country=FR agent=Chrome\n"
    "9 adplay 1795408600110; ad_id=A1; view_preroll_played=true; view_preroll_request_count=2\n"
    "10 adplaying 1795408600500; ad_id=A1; view_time_to_first_frame=415; view_startup_preroll_load_time=390; "
    "view_watch_time=415\n"
    "11 adended 1795408603500; ad_id=A1; view_playing_time_ms_cumulative=3000; "
    "ad_playing_time_ms_cumulative=3024; view_watch_time=3415\n"
    "12 adbreakend 1795408603510\n13 play 1795408603520\n14 playing 1795408603600; player_playhead_time=10; "
    "video_playback_range=[\"0:10\"]\n"
    "15 requestcompleted 1795408604000; request_type=media; request_start=1795408603700; "
    "request_response_start=1795408603740; "
    "request_response_end=1795408603990; request_bytes_loaded=1279904; "
    "request_url=http://cdn.example/hls/vlow_000.ts; request_media_duration=4.5\n"
    "16 requestcompleted 1795408605000; request_type=media; request_start=1795408604700; "
    "request_response_start=1795408604720; "
    "request_response_end=1795408604990; request_bytes_loaded=1279904; "
    "request_url=http://cdn.example/hls/vlow_001.ts; request_media_duration=4\n"
    "17 hb 1795408606000; player_playhead_time=2400; video_playback_range=[\"0:2400\"]; "
    "view_playing_time_ms_cumulative=5400; view_watch_time=5815; "
    "view_max_upscale_percentage=0.25; view_total_upscaling=600; view_total_content_playback_time=2400\n"
    "@ 1795408709000 offset=95100 country=FR agent=Chrome\n"
    "18 cdnchange 1795408607000; video_cdn=cdn-b; video_previous_cdn=cdn-a\n"
    "19 renditionchange 1795408607500; video_source_bitrate=2710400; video_source_width=1280; "
    "video_source_height=720; video_source_codec=avc1.64001f; "
    "video_source_rendition_name=high; video_source_fps=29.97; view_playing_time_ms_cumulative=6900\n"
    "20 waiting 1795408608000; view_playing_time_ms_cumulative=7400\n"
    "21 rebufferstart 1795408608000; view_rebuffer_count=1; view_playing_time_ms_cumulative=8408\n"
    "22 error 1795408608100; player_error_code=1001; player_error_message=soft; player_error_severity=warning\n"
    "23 rebufferend 1795408612000; view_rebuffer_duration=4000\n24 seeking 1795408612500; view_seek_count=1\n"
    "25 seeked 1795408612600; view_seek_duration=100; player_playhead_time=20000; "
    "video_playback_range=[\"0:5000\",\"20000:20001\"]\n"
    "26 fragmentchange 1795408613000\n27 texttrackchange 1795408613100; player_text_track_enabled=true; "
    "player_text_track_language=en\n"
    "28 playbackmodechange 1795408614000; player_playback_mode=fullscreen; player_playback_mode_data={\"a\":1}; "
    "view_playing_time_ms_cumulative=9408\n"
    "@ 1795408715000 offset=95001 country=FR agent=Firefox\n"
    "27 texttrackchange 1795408613100; player_text_track_enabled=true; player_text_track_language=en\n"
    "28 playbackmodechange 1795408614000; player_playback_mode=fullscreen; player_playback_mode_data={\"a\":1}; "
    "view_playing_time_ms_cumulative=9408\n"
    "1 networkchange 1795408600000; mux_api_version=2.1; mux_embed=mux-embed; mux_viewer_id=e598713b; "
    "session_id=8f48331d; viewer_user_id=user-42; "
    "video_title=Lab title; video_source_width=0; player_width=800; player_height=450; "
    "ad_playing_time_ms_cumulative=24; mux_sample_rate=0.5; "
    "page_url=https://example.org/watch?v=1; viewer_connection_type=wifi; view_playing_time_ms_cumulative=0; "
    "player_is_paused=true\n"
    "29 error 1795408616000; player_error_code=7; player_error_message=boom; player_error_context=line\n30 hb -; "
    "video_title=Other title; session_id=later\n"
    "31 adbreakstart 1795408617000; ad_type=midroll\n32 aderror 1795408617500\n33 adbreakend 1795408617600\n"
    "34 play 1795408617700\n"
    "35 playing 1795408617800; view_playing_time_ms_cumulative=11000\n"
    "@ 1795408720000 offset=95003 country=FR agent=Firefox\n"
    "36 hb 1795408620000; custom_1=; view_playing_time_ms_cumulative=13000\n"
    "37 viewend 1795408622000; view_playing_time_ms_cumulative=15000; view_watch_time=21000; "
    "player_playhead_time=0; video_playback_range=[\"9:0\"]\n"
    "38 hb 1795408623000; video_title=after the end\n"
    "@ 1795408720004 offset=95004 country=FR agent=Firefox\n"
    "36 hb 1795408620000; custom_1=; view_playing_time_ms_cumulative=13000\n"
    "37 viewend 1795408622000; view_playing_time_ms_cumulative=15000; view_watch_time=21000; "
    "player_playhead_time=0; video_playback_range=[\"9:0\"]\n";

struct delivery {
    const struct beacon *b;
    const struct beacon_event *e;
};

static size_t deliveries_of(const struct posts *p, struct delivery *out, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        for (uint32_t k = 0; k < p->items[i].event_count; k++) {
            assert_true(n < max);
            out[n++] = (struct delivery){&p->items[i], &p->items[i].events[k]};
        }
    }
    return n;
}

static void row_text(const struct view *v, struct buf *out)
{
    struct arena arena;
    struct view_row row;
    arena_init(&arena, 1 << 26);
    buf_init(out, 1 << 24);
    view_fold(v, true, NULL, NULL, &arena, &row);
    view_row_write(&row, out);
    assert_false(out->failed);
    arena_free(&arena);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void test_order_and_repetition(void **state)
{
    (void)state;
    struct posts *p = posts_of(story);
    struct delivery all[128], shuffled[256];
    size_t n = deliveries_of(p, all, COUNT(all));
    struct view_strings *strings = view_strings_new();
    struct buf want = {0};
    uint64_t seed = 0x9E3779B97F4A7C15u;
    for (int round = 0; round < 3000; round++) {
        size_t m = n;
        memcpy(shuffled, all, n * sizeof *all);
        for (; round && m < n + (size_t)round % 40; m++) shuffled[m] = all[next_random(&seed) % n];
        for (size_t i = m - 1; round && i > 0; i--) {
            size_t k = next_random(&seed) % (i + 1);
            struct delivery swap = shuffled[i];
            shuffled[i] = shuffled[k];
            shuffled[k] = swap;
        }
        struct view *v = view_new(strings, shuffled[0].b, shuffled[0].e);
        for (size_t i = 0; i < m; i++) assert_int_not_equal(view_apply(v, shuffled[i].b, shuffled[i].e), VIEW_FULL);
        assert_int_equal(view_event_count(v), 38);
        assert_false(view_has_gaps(v));
        struct buf got;
        row_text(v, &got);
        if (round == 0) want = got;
        else if (!span_eq(buf_span(&got), buf_span(&want))) fail_msg("round %d:\n%s\n%s", round, got.ptr, want.ptr);
        if (round) buf_free(&got);
        view_free(v);
    }
    assert_int_equal(view_strings_count(strings), 0);
    assert_non_null(strstr(want.ptr, "\"country\":\"DE\""));
    assert_non_null(strstr(want.ptr, "\"video_title\":\"Other title\""));
    assert_non_null(strstr(want.ptr, "\"range_end\":[5000,20001]"));
    assert_non_null(strstr(want.ptr, "\"view_start\":1795408695086"));
    buf_free(&want);
    view_strings_free(strings);
    posts_free(p);
}

static void test_save_and_load(void **state)
{
    (void)state;
    struct posts *p = posts_of(story);
    struct delivery all[128];
    size_t n = deliveries_of(p, all, COUNT(all));
    for (size_t split = 1; split <= n; split++) {
        struct view_strings *strings = view_strings_new(), *others = view_strings_new();
        struct view *v = view_new(strings, all[0].b, all[0].e), *w;
        for (size_t i = 0; i < split; i++) assert_int_not_equal(view_apply(v, all[i].b, all[i].e), VIEW_FULL);
        struct buf saved, again, a, b;
        buf_init(&saved, 1 << 20), buf_init(&again, 1 << 20);
        view_save(v, &saved);
        struct bytes in = bytes_of(buf_span(&saved));
        w = view_load(others, &in);
        assert_non_null(w);
        assert_int_equal(bytes_left(&in), 0);
        view_save(w, &again);
        assert_true(span_eq(buf_span(&saved), buf_span(&again)));
        for (size_t i = split; i < n; i++) {
            enum view_effect effect = view_apply(v, all[i].b, all[i].e);
            assert_int_equal(effect, view_apply(w, all[i].b, all[i].e));
        }
        row_text(v, &a), row_text(w, &b);
        assert_true(span_eq(buf_span(&a), buf_span(&b)));
        assert_true(hash128_eq(view_id(v), view_id(w)));
        assert_int_equal(view_started(v), view_started(w));
        assert_int_equal(view_newest_event_ms(v), view_newest_event_ms(w));
        assert_int_equal(view_last_receipt_ms(v), view_last_receipt_ms(w));
        buf_free(&saved), buf_free(&again), buf_free(&a), buf_free(&b);
        view_free(v), view_free(w);
        view_strings_free(strings), view_strings_free(others);
    }
    posts_free(p);
}

/* Bytes that view_save did not write: refused, or at least harmless (a checkpoint has a checksum over them). */
static void test_load_of_damaged_bytes(void **state)
{
    (void)state;
    struct posts *p = posts_of(story);
    struct folded *f = fold_posts(p, true);
    struct buf saved;
    buf_init(&saved, 1 << 20);
    view_save(f->view, &saved);
    struct view_strings *strings = view_strings_new();
    for (size_t len = 0; len < saved.len; len++) {
        struct bytes in = bytes_of(span_upto(buf_span(&saved), len));
        assert_null(view_load(strings, &in));
    }
    uint64_t seed = 42;
    unsigned refused = 0;
    for (int round = 0; round < 4000; round++) {
        struct buf bad;
        buf_init(&bad, 1 << 20);
        buf_add_span(&bad, buf_span(&saved));
        for (int k = 0; k <= round % 3; k++)
            bad.ptr[next_random(&seed) % bad.len] ^= (char)(1 + next_random(&seed) % 255);
        struct bytes in = bytes_of(buf_span(&bad));
        struct view *v = view_load(strings, &in);
        if (v) {
            struct buf row;
            row_text(v, &row);
            buf_free(&row);
        }
        refused += v == NULL;
        view_free(v);
        buf_free(&bad);
    }
    assert_true(refused > 500);
    assert_int_equal(view_strings_count(strings), 0);
    view_strings_free(strings);
    buf_free(&saved);
    folded_free(f);
    posts_free(p);
}

static void test_set_of_sequences(void **state)
{
    (void)state;
    enum { MANY = VIEW_EVENTS_MAX * 3 / 5 };
    static bool there[2 * MANY];
    uint64_t seed = 7;
    struct beacon_env env = {.id = "env-1"};
    struct beacon b = {.envs = &env, .env_count = 1, .received_ms = 5000};
    struct beacon_event e = {.view_id = SPAN("v"), .name = EVENT_hb, .viewer_time_ms = 1};
    struct view_strings *strings = view_strings_new();
    struct view *v = view_new(strings, &b, &e);
    uint32_t count = 0;
    for (int i = 0; i < 2 * MANY; i++) {
        e.sequence = (uint32_t)(1 + next_random(&seed) % (2 * MANY - 1));
        enum view_effect effect = view_apply(v, &b, &e);
        assert_int_equal(effect, there[e.sequence] ? VIEW_DUPLICATE : VIEW_ADDED);
        count += !there[e.sequence];
        there[e.sequence] = true;
        assert_int_equal(view_event_count(v), count);
    }
    for (uint32_t s = 1; s < 2 * MANY; s++) {
        if (there[s]) continue;
        assert_true(view_has_gaps(v));
        e.sequence = s;
        if (view_event_count(v) == VIEW_EVENTS_MAX - 1) {
            assert_int_equal(view_apply(v, &b, &e), VIEW_FULL);
            continue;
        }
        assert_int_equal(view_apply(v, &b, &e), VIEW_ADDED);
        assert_int_equal(view_apply(v, &b, &e), VIEW_DUPLICATE);
    }
    assert_int_equal(view_event_count(v), VIEW_EVENTS_MAX - 1);
    e.name = EVENT_viewend; /* its place is kept */
    e.sequence = 2 * MANY;
    assert_int_equal(view_apply(v, &b, &e), VIEW_ADDED);
    e.sequence++;
    assert_int_equal(view_apply(v, &b, &e), VIEW_FULL);
    view_free(v);
    view_strings_free(strings);
}

static void test_gaps(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool gaps;
        uint32_t complete_to;
    } cases[] = {
        {"@ 9\n1 play 1\n2 hb 2\n3 viewend 3", false, 3}, {"@ 9\n1 play 1\n3 viewend 3", true, 1},
        {"@ 9\n2 play 1\n3 viewend 3", true, 0},           {"@ 9\n1 play 1\n2 viewend 3\n4 hb 5", false, 2},
        {"@ 9\n1 play 1\n2 hb 3", false, 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct folded *f = folded_of(cases[i].text);
        assert_int_equal(view_has_gaps(f->view), cases[i].gaps);
        assert_int_equal(view_complete_to(f->view), cases[i].complete_to);
        folded_free(f);
    }
}

static void test_too_much_is_refused(void **state)
{
    (void)state;
    enum { LONG = 8192 };
    char *text = malloc(LONG);
    assert_non_null(text);
    struct beacon_value value = {.field = FIELD_player_error_context};
    struct beacon_env env = {.id = "env-1"};
    struct beacon b = {.envs = &env, .env_count = 1, .received_ms = 5000};
    struct beacon_event e = {
        .view_id = SPAN("v"), .name = EVENT_error, .viewer_time_ms = 1, .values = &value, .value_count = 1};
    struct view_strings *strings = view_strings_new();
    struct view *v = view_new(strings, &b, &e);
    uint32_t kept = 0;
    for (uint32_t s = 1; s <= 1000; s++) {
        memset(text, 'x', LONG);
        (void)snprintf(text, 16, "%u", s);
        text[strlen(text)] = 'x';
        value.v.s = (struct span){text, LONG};
        e.sequence = s;
        if (view_apply(v, &b, &e) != VIEW_FULL) kept++;
    }
    assert_in_range(kept, 200, 999); /* by bytes, long before VIEW_EVENTS_MAX */
    assert_true(view_bytes(v) < 6 << 20);
    /* Refused events leave nothing behind, however many there are, and do not disturb what was kept. */
    for (uint32_t s = 2000; s < 72000; s++) {
        b.received_ms = e.sequence = s;
        assert_int_equal(view_apply(v, &b, &e), VIEW_FULL);
    }
    assert_true(view_bytes(v) < 6 << 20);
    e.name = EVENT_viewend; /* there is room for it still */
    e.sequence = 80000;
    assert_int_equal(view_apply(v, &b, &e), VIEW_ADDED);
    struct buf row;
    row_text(v, &row); /* within the arena's bound */
    buf_free(&row);
    view_free(v);
    view_strings_free(strings);
    free(text);
}

/* The budget: 1.5 KB a view and 100 bytes an event, shared texts included. */
static void test_memory(void **state)
{
    (void)state;
    enum { VIEWS = 500 };
    struct posts *p = posts_of(story);
    struct delivery all[128];
    size_t n = deliveries_of(p, all, COUNT(all)), bytes = 0, events = 0;
    struct view_strings *strings = view_strings_new();
    struct view *views[VIEWS];
    for (unsigned i = 0; i < VIEWS; i++) {
        char id[37];
        (void)snprintf(id, sizeof id, "%08x-0000-4000-8000-000000000000", i);
        for (size_t k = 0; k < n; k++) {
            struct beacon_event e = *all[k].e;
            e.view_id = span_of(id);
            if (k == 0) views[i] = view_new(strings, all[k].b, &e);
            assert_int_not_equal(view_apply(views[i], all[k].b, &e), VIEW_FULL);
        }
        bytes += view_bytes(views[i]);
        events += view_event_count(views[i]);
    }
    bytes += view_strings_bytes(strings);
    print_message("%zu bytes a view of %zu events; the budget is %zu\n", bytes / VIEWS, events / VIEWS,
                  1536 + 100 * (events / VIEWS));
    assert_true(bytes <= VIEWS * (size_t)1536 + 100 * events);
    for (unsigned i = 0; i < VIEWS; i++) view_free(views[i]);
    view_strings_free(strings);
    posts_free(p);
}

static void state_line(void *ctx, const struct beacon_value *value)
{
    struct buf *out = ctx;
    const struct field_facts *facts = field_facts((enum field)value->field);
    if (facts->type == FIELD_TEXT) buf_addf(out, "%s=%.*s ", facts->name, SPAN_ARG(value->v.s));
    else if (facts->type != FIELD_NUMBER) buf_addf(out, "%s=%lld ", facts->name, (long long)value->v.i);
}

static void test_state(void **state)
{
    (void)state;
    struct folded *f = folded_of("@ 9000\n1 viewstart 1000; video_title=a; beacon_domain=x; "
        "player_text_track_language=en\n"
                                 "2 error 1100; player_error_code=4; view_watch_time=7\n3 texttrackchange 1200; "
                                     "view_watch_time=9");
    static const char *const want[] = {"", "player_text_track_language=en video_title=a ",
                                       ("view_watch_time=7 player_text_track_language=en "
                                        "player_error_code=4 video_title=a "),
                                       "view_watch_time=9 video_title=a "};
    for (uint32_t s = 0; s < COUNT(want); s++) {
        struct buf out;
        buf_init(&out, 1000);
        view_state(f->view, s, &f->arena, state_line, &out);
        assert_span(buf_span(&out), want[s]);
        buf_free(&out);
    }
    assert_true(view_keeps(FIELD_video_title));
    assert_false(view_keeps(FIELD_beacon_domain));
    folded_free(f);
}

static void test_values_come_back(void **state)
{
    (void)state;
    /* Numbers at the edges of their ranges, texts of every kind of keeping, through data and back. */
    struct folded *f = folded_of(
        "@ 9000\n1 viewstart 0; view_max_playhead_position=9223372036854775807; view_watch_time=2147483647; "
        "view_total_upscaling=3288.0000000000005; view_total_downscaling=4294967296; view_max_upscale_percentage=0; "
        "video_duration=0; player_remote_played=false; request_id=r; session_id=s; video_playback_range=[\"0:1\"]\n"
        "2 hb 9223372036854775807; video_title=\xC3\xA9; video_playback_range=[\"0:123456789\"]\n"
        "3 hb 5; video_playback_range=[\"0:123456999\"]; session_id=s; viewer_user_id=s");
    assert_set(f->row.view_max_playhead_position, INT64_MAX);
    assert_set(f->row.watch_time, INT32_MAX);
    assert_true(f->row.view_total_upscaling.v == 3288.0000000000005);
    assert_true(f->row.view_total_downscaling.v == 4294967296.0);
    assert_set(f->row.video_duration, 0);
    assert_set(f->row.player_remote_played, 0);
    assert_span(f->row.video_title, "\xC3\xA9");
    assert_span(f->row.viewer_user_id, "s");
    assert_int_equal(f->row.range_end.items[0], 123456999);
    assert_int_equal(f->row.view_end_ms, 9000); /* not after its receipt */
    folded_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_repetition), cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_load_of_damaged_bytes), cmocka_unit_test(test_set_of_sequences),
        cmocka_unit_test(test_gaps),                  cmocka_unit_test(test_too_much_is_refused),
        cmocka_unit_test(test_memory),                cmocka_unit_test(test_state),
        cmocka_unit_test(test_values_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
