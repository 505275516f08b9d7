/* SPDX-License-Identifier: Apache-2.0
 * Who watches what: when a view is live, by which ids, and whom it counts for. */
#include "live/watching.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { T = 1000000, VALUES_MAX = 8 };

/* One beacon of one event. pairs: field, text, ..., FIELD_none. */
static void send(struct watching *w, int64_t at_ms, const char *env, const char *view, enum event_name name, ...)
{
    struct beacon_value values[VALUES_MAX];
    uint32_t n = 0;
    va_list args;
    va_start(args, name);
    for (enum field f; (f = (enum field)va_arg(args, int)) != FIELD_none; n++) {
        const char *text = va_arg(args, const char *);
        values[n] = (struct beacon_value){.field = (uint16_t)f};
        if (field_facts(f)->type == FIELD_BOOL) values[n].v.i = text[0] == 't';
        else values[n].v.s = span_of(text);
    }
    va_end(args);
    struct beacon_env e = {.backfill = env[0] == '!'};
    snprintf(e.id, sizeof e.id, "%s", env);
    struct beacon_event event = {.view_id = span_of(view), .name = (uint16_t)name, .values = values, .value_count = n};
    struct beacon b = {.received_ms = at_ms, .envs = &e, .env_count = 1, .events = &event, .event_count = 1};
    watching_beacon(w, &b);
}

static void assert_count(struct watching *w, int64_t at_ms, enum watching_by by, const char *id, int views, int viewers)
{
    struct watching_count c = watching_count(w, "env", by, span_of(id), at_ms);
    assert_int_equal(c.views, views);
    assert_int_equal(c.viewers, viewers);
}

static void test_life(void **state)
{
    (void)state;
    struct watching *w = watching_new(100);
    send(w, T, "env", "a", EVENT_playerready, FIELD_video_id, "v", FIELD_none);
    assert_count(w, T, WATCHING_VIDEO_ID, "v", 0, 0); /* nothing started it */
    send(w, T, "env", "a", EVENT_viewstart, FIELD_none);
    assert_count(w, T, WATCHING_VIDEO_ID, "v", 1, 1);
    assert_count(w, T, WATCHING_VIDEO_ID, "other", 0, 0);
    assert_count(w, T, WATCHING_ASSET_ID, "v", 0, 0);
    assert_int_equal(watching_count(w, "env2", WATCHING_VIDEO_ID, SPAN("v"), T).views, 0);
    assert_count(w, T + 59999, WATCHING_VIDEO_ID, "v", 1, 1);
    assert_count(w, T + 60000, WATCHING_VIDEO_ID, "v", 0, 0);
    send(w, T + 61000, "env", "a", EVENT_hb, FIELD_none); /* silent for long, and there again: nothing of it is forgotten yet */
    send(w, T + 62000, "env", "a", EVENT_error, FIELD_player_error_severity, "warning", FIELD_none);
    send(w, T + 62000, "env", "a", EVENT_error, FIELD_player_error_business_exception, "true", FIELD_none);
    send(w, T + 62000, "env", "b", EVENT_viewstart, FIELD_video_id, "v", FIELD_none);
    assert_true(watching_count(w, "env", WATCHING_VIDEO_ID, SPAN("v"), T + 62000).views >= 1);
    send(w, T + 63000, "env", "b", EVENT_error, FIELD_none);
    struct watching_count before = watching_count(w, "env", WATCHING_VIDEO_ID, SPAN("v"), T + 63000);
    send(w, T + 64000, "env", "b", EVENT_playing, FIELD_none);
    assert_int_equal(watching_count(w, "env", WATCHING_VIDEO_ID, SPAN("v"), T + 64000).views, before.views + 1);
    send(w, T + 65000, "env", "b", EVENT_viewend, FIELD_none);
    assert_int_equal(watching_count(w, "env", WATCHING_VIDEO_ID, SPAN("v"), T + 65000).views, before.views);
    watching_free(w);
}

static void test_ids_and_viewers(void **state)
{
    (void)state;
    struct watching *w = watching_new(100);
    static const char *const urls[] = {"https://stream.mux.com/pb1.m3u8?token=x", "https://STREAM.mux.com/pb1/high.mp4",
                                       "https://example.com/pb1.m3u8", "pb1"};
    for (size_t i = 0; i < COUNT(urls); i++) {
        char view[8];
        snprintf(view, sizeof view, "u%zu", i);
        send(w, T, "env", view, EVENT_viewstart, FIELD_video_source_url, urls[i], FIELD_asset_id, "as", FIELD_live_stream_id,
             "ls", FIELD_mux_viewer_id, i < 2 ? "m1" : "m2", FIELD_none);
    }
    assert_count(w, T, WATCHING_PLAYBACK_ID, "pb1", 2, 1);
    assert_count(w, T, WATCHING_ASSET_ID, "as", 4, 2);
    assert_count(w, T, WATCHING_LIVE_STREAM_ID, "ls", 4, 2);
    send(w, T, "env", "u0", EVENT_hb, FIELD_playback_id, "said", FIELD_viewer_user_id, "person", FIELD_none);
    send(w, T, "env", "u0", EVENT_hb, FIELD_video_source_url, urls[0], FIELD_none);
    assert_count(w, T, WATCHING_PLAYBACK_ID, "said", 1, 1); /* what is said wins over the address */
    assert_count(w, T, WATCHING_ASSET_ID, "as", 4, 3);
    send(w, T, "env", "n1", EVENT_viewstart, FIELD_asset_id, "as", FIELD_none); /* nobody twice are two */
    send(w, T, "env", "n2", EVENT_viewstart, FIELD_asset_id, "as", FIELD_none);
    assert_count(w, T, WATCHING_ASSET_ID, "as", 6, 5);
    send(w, T, "env", "n1", EVENT_hb, FIELD_asset_id, "", FIELD_none); /* unset */
    assert_count(w, T, WATCHING_ASSET_ID, "as", 5, 4);
    send(w, T, "!env", "old", EVENT_viewstart, FIELD_asset_id, "as", FIELD_none); /* backfilled */
    assert_int_equal(watching_count(w, "!env", WATCHING_ASSET_ID, SPAN("as"), T).views, 0);
    watching_free(w);
}

/* Many come and go in a disorderly way; a plain list knows who is left. */
static void test_many(void **state)
{
    (void)state;
    enum { VIEWS = 5000, STEPS = 200000 };
    static bool there[VIEWS];
    struct watching *w = watching_new(VIEWS);
    uint64_t random = 88172645463325252u;
    size_t left = 0;
    for (int i = 0; i < STEPS; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        size_t n = random % VIEWS;
        char view[16];
        snprintf(view, sizeof view, "view-%zu", n);
        bool ends = random >> 40 & 1;
        send(w, T, "env", view, ends ? EVENT_viewend : EVENT_viewstart, FIELD_video_id, "v", FIELD_none);
        left += (size_t)(!ends && !there[n]) - (size_t)(ends && there[n]);
        there[n] = !ends;
    }
    assert_count(w, T, WATCHING_VIDEO_ID, "v", (int)left, (int)left);
    assert_int_equal(watching_views(w), left);
    for (int i = 0; i < VIEWS * 2; i++) send(w, T + 60000, "env", "one", EVENT_hb, FIELD_none); /* the silent are swept out */
    assert_int_equal(watching_views(w), 1);
    watching_free(w);
}

static void test_bound(void **state)
{
    (void)state;
    struct watching *w = watching_new(2);
    send(w, T, "env", "a", EVENT_viewstart, FIELD_video_id, "v", FIELD_none);
    send(w, T, "env", "b", EVENT_viewstart, FIELD_video_id, "v", FIELD_none);
    send(w, T, "env", "c", EVENT_viewstart, FIELD_video_id, "v", FIELD_none);
    assert_count(w, T, WATCHING_VIDEO_ID, "v", 2, 2);
    send(w, T, "env", "a", EVENT_viewend, FIELD_none);
    send(w, T, "env", "c", EVENT_viewstart, FIELD_video_id, "v", FIELD_none);
    assert_count(w, T, WATCHING_VIDEO_ID, "v", 2, 2);
    watching_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_life), cmocka_unit_test(test_ids_and_viewers),
                                       cmocka_unit_test(test_many), cmocka_unit_test(test_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
