/* SPDX-License-Identifier: Apache-2.0
 * Bodies to beacons, and beacons through the journal's payload and back. */
#include "collector/formats/mux.h"
#include "collector/payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "captures.h"

static const int64_t RECEIVED_MS = 1795408567308;

static struct formats *formats;
static struct json_parser *parser, *reader; /* of bodies; of the tests' own files */
static struct arena arena;
static struct format_output decoded;

/* Knows "k1", "k2", "strip" and every key that begins with "lab". */
static enum drop judge(void *ctx, struct span key, struct beacon_env *out)
{
    (void)ctx;
    *out = (struct beacon_env){.property_id = 7, .strip_query = span_is(key, "strip")};
    memcpy(out->id, "envone", 7);
    if (span_is(key, "k2")) memcpy(out->id, "envtwo", 7);
    if (span_is(key, "off")) return DROP_disabled_env;
    bool known = span_is(key, "k1") || span_is(key, "k2") || span_is(key, "strip") || span_starts(key, SPAN("lab")) ||
                 span_starts(key, SPAN("many"));
    return known ? DROP_NONE : DROP_unknown_env;
}

static enum drop decode_refusing(struct span body, const uint32_t *refused, uint32_t refused_count)
{
    arena_reset(&arena);
    struct format_input in = {.body = body, .received_ms = RECEIVED_MS, .json = parser, .arena = &arena, .judge = judge,
                              .refused = refused, .refused_count = refused_count};
    return format_decode(formats, 1, &in, &decoded);
}

static enum drop decode(const char *body)
{
    return decode_refusing(span_of(body), NULL, 0);
}

static const struct beacon_value *value_of(uint32_t event, enum field field)
{
    assert_true(event < decoded.beacon.event_count);
    const struct beacon_event *e = &decoded.beacon.events[event];
    for (uint32_t i = 0; i < e->value_count; i++)
        if (e->values[i].field == field) return &e->values[i];
    return NULL;
}

static void assert_span(struct span s, const char *text)
{
    if (!span_is(s, text)) fail_msg("\"%.*s\" instead of \"%s\"", SPAN_ARG(s), text);
}

/* One event with one more member. */
static const struct beacon_value *member(const char *json, enum field field)
{
    char body[4096];
    (void)snprintf(body, sizeof body, "{\"events\":[{\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":1,\"e\":\"hb\",%s}]}", json);
    assert_int_equal(decode(body), DROP_NONE);
    return value_of(0, field);
}

static void test_integers(void **state)
{
    (void)state;
    static const struct { const char *json; int64_t v; } good[] = {
        {"0", 0}, {"17", 17}, {"2147483647", INT32_MAX}, {"0.5", 1}, {"0.49", 0}, {"2.5", 3}, {"1e3", 1000}, {"-0", 0},
        {"-0.0", 0}, {"\"720 \"", 720}, {"\" 12.5\"", 13}, {"\"1e3\"", 1000}, {"2147483647.4", INT32_MAX},
    };
    static const char *const bad[] = {"null", "-1", "-0.1", "2147483648", "2147483647.5", "true", "\"\"", "\"abc\"", "\"12x\"",
        "\"NaN\"", "\"-3\"", "[1]", "{}", "1e300", "\"1e999\"", "\"0x10\"", "18446744073709551615"};
    for (size_t i = 0; i < COUNT(good); i++) {
        char json[64];
        (void)snprintf(json, sizeof json, "\"xwati\":%s", good[i].json);
        const struct beacon_value *v = member(json, FIELD_view_watch_time);
        if (v == NULL || v->v.i != good[i].v) fail_msg("%s", good[i].json);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        char json[64];
        (void)snprintf(json, sizeof json, "\"xwati\":%s", bad[i]);
        if (member(json, FIELD_view_watch_time)) fail_msg("%s was taken", bad[i]);
    }
    assert_int_equal(member("\"xst\":\"1795408926900\"", FIELD_view_start)->v.i, 1795408926900);
    assert_int_equal(member("\"xst\":9223372036854775807", FIELD_view_start)->v.i, INT64_MAX);
    assert_int_equal(member("\"xst\":4503599627370497.0", FIELD_view_start)->v.i, 4503599627370497);
    assert_null(member("\"xst\":9223372036854775808", FIELD_view_start));
    assert_null(member("\"xst\":-5", FIELD_view_start));
}

static void test_other_types(void **state)
{
    (void)state;
    assert_true(member("\"xtlug\":1242.25", FIELD_view_total_upscaling)->v.d == 1242.25);
    assert_true(member("\"xtlug\":\"0.5\"", FIELD_view_total_upscaling)->v.d == 0.5);
    assert_null(member("\"xtlug\":-0.5", FIELD_view_total_upscaling));
    assert_null(member("\"xtlug\":\"Infinity\"", FIELD_view_total_upscaling));
    static const struct { const char *json; int v; } bools[] = {{"true", 1}, {"false", 0}, {"\"true\"", 1}, {"\"false\"", 0},
        {"1", 1}, {"0", 0}, {"\"1\"", 1}, {"\" 0 \"", 0}, {"2", -1}, {"\"yes\"", -1}, {"\"\"", -1}, {"null", -1}, {"[]", -1}};
    for (size_t i = 0; i < COUNT(bools); i++) {
        char json[64];
        (void)snprintf(json, sizeof json, "\"pispa\":%s", bools[i].json);
        const struct beacon_value *v = member(json, FIELD_player_is_paused);
        if ((v ? (int)v->v.i : -1) != bools[i].v) fail_msg("%s", bools[i].json);
    }
    assert_span(member("\"percd\":4", FIELD_player_error_code)->v.s, "4");
    assert_span(member("\"percd\":1.50", FIELD_player_error_code)->v.s, "1.50");
    assert_span(member("\"ppron\":false", FIELD_player_preload_on)->v.s, "false");
    assert_null(member("\"percd\":null", FIELD_player_error_code));
    assert_span(member("\"vtt\":\"\"", FIELD_video_title)->v.s, "");
    assert_span(member("\"c5\":{\"a\": [1,2]}", FIELD_custom_5)->v.s, "{\"a\": [1,2]}");
    assert_span(member("\"qrphe\":{\"x\":\"\\u00e9\"}", FIELD_request_response_headers)->v.s, "{\"x\":\"\\u00e9\"}");
    assert_span(member("\"vpbrg\":\"[\\\"0:4000\\\"]\"", FIELD_video_playback_range)->v.s, "[\"0:4000\"]");
    assert_span(member("\"vpbrg\":[\"0:4000\"]", FIELD_video_playback_range)->v.s, "[\"0:4000\"]");
    assert_span(member("\"vtt\":\"\\ud83d\"", FIELD_video_title)->v.s, "\xEF\xBF\xBD");
    assert_span(member("\"vtt\":\"a\\ud83d\\ude00\\n\"", FIELD_video_title)->v.s, "a\xF0\x9F\x98\x80\n");
}

/* A body with one long text; length of what is kept of it. */
static size_t kept(const char *key, const char *piece, size_t pieces, enum field field)
{
    struct buf body;
    buf_init(&body, 1 << 20);
    buf_addf(&body, "{\"events\":[{\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":1,\"e\":\"hb\",\"%s\":\"", key);
    for (size_t i = 0; i < pieces; i++) buf_adds(&body, piece);
    buf_adds(&body, "\"}]}");
    assert_int_equal(decode_refusing(buf_span(&body), NULL, 0), DROP_NONE);
    size_t len = value_of(0, field)->v.s.len;
    buf_free(&body);
    return len;
}

static void test_cutting(void **state)
{
    (void)state;
    assert_int_equal(kept("vtt", "x", 1024, FIELD_video_title), 1024);
    assert_int_equal(kept("vtt", "x", 1025, FIELD_video_title), 1024);
    assert_int_equal(kept("vtt", "\xE2\x82\xAC", 1000, FIELD_video_title), 1023);
    assert_int_equal(kept("vtt", "\\u20ac", 1000, FIELD_video_title), 1023);
    assert_int_equal(kept("wur", "x", 5000, FIELD_page_url), 2048);
    assert_int_equal(kept("percz", "x", 120000, FIELD_player_error_context), 8192);
    /* Ranges stay a JSON list: 682 whole ranges of 12 bytes and the brackets. */
    struct buf body;
    buf_init(&body, 1 << 20);
    buf_adds(&body, "{\"events\":[{\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":1,\"vpbrg\":[");
    for (int i = 0; i < 1000; i++) buf_addf(&body, "%s\"%04d:9999\"", i ? "," : "", i);
    buf_adds(&body, "]}]}");
    assert_int_equal(decode_refusing(buf_span(&body), NULL, 0), DROP_NONE);
    struct span ranges = value_of(0, FIELD_video_playback_range)->v.s;
    assert_int_equal(ranges.len, 1 + 682 * 12);
    assert_true(span_ends(ranges, SPAN("\"0681:9999\"]")));
    buf_free(&body);
}

static void test_envelopes(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{\"metadata\":{\"transmission_timestamp\":1},\"events\":[{\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":1,\"e\":\"play\"}]}",
        "{\"events\":[{\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":1,\"e\":\"play\"}]}",
        " \n[ {\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":1,\"e\":\"play\"} ] ",
        "{\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":1,\"e\":\"play\"}",
        "{\"events\":{\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":1,\"e\":\"play\"}}",
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        if (decode(good[i]) != DROP_NONE || decoded.beacon.event_count != 1) fail_msg("%s", good[i]);
        assert_int_equal(decoded.beacon.events[0].name, EVENT_play);
        assert_span(decoded.beacon.events[0].view_id, "v");
    }
    assert_int_equal(decode("{}"), DROP_no_events);
    assert_int_equal(decode("{\"events\":[]}"), DROP_no_events);
    assert_int_equal(decode("{\"events\":7}"), DROP_no_events);
    assert_int_equal(decode("[]"), DROP_no_events);
    assert_int_equal(decode(""), DROP_not_json);
    assert_int_equal(decode("hello"), DROP_not_json);
    assert_int_equal(decode("{\"events\":[{\"ake\":\"k1\"}]"), DROP_not_json);
    assert_int_equal(decode("\"text\""), DROP_not_json);
    assert_non_null(decoded.why);
}

static void test_times(void **state)
{
    (void)state;
    const char *event = "\"events\":[{\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":1,\"uti\":\"1795408567000\"},"
                        "{\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":2,\"uti\":1795408566000}]";
    char body[1024];
    (void)snprintf(body, sizeof body, "{\"metadata\":{\"transmission_timestamp\":1795408567273,\"rtt_ms\":25},%s}", event);
    assert_int_equal(decode(body), DROP_NONE);
    assert_int_equal(decoded.beacon.received_ms, RECEIVED_MS);
    assert_int_equal(decoded.beacon.transmission_ms, 1795408567273);
    assert_int_equal(decoded.beacon.rtt_ms, 25);
    assert_int_equal(decoded.beacon.clock_offset_ms, RECEIVED_MS - 1795408567273 - 12);
    assert_int_equal(decoded.beacon.events[0].viewer_time_ms, 1795408567000);
    (void)snprintf(body, sizeof body, "{%s}", event); /* no metadata: the newest viewer_time */
    assert_int_equal(decode(body), DROP_NONE);
    assert_int_equal(decoded.beacon.transmission_ms, INT64_MIN);
    assert_int_equal(decoded.beacon.clock_offset_ms, RECEIVED_MS - 1795408567000);
    (void)snprintf(body, sizeof body, "{\"metadata\":{\"transmission_timestamp\":\"9223372036854775807\",\"rtt_ms\":9},%s}", event);
    assert_int_equal(decode(body), DROP_NONE);
    assert_int_equal(decoded.beacon.clock_offset_ms, RECEIVED_MS - INT64_MAX);
    (void)snprintf(body, sizeof body, "{\"metadata\":{\"transmission_timestamp\":-4,\"rtt_ms\":-9},%s}", event);
    assert_int_equal(decode(body), DROP_NONE);
    assert_int_equal(decoded.beacon.rtt_ms, 0);
    assert_int_equal(decoded.beacon.clock_offset_ms, RECEIVED_MS - 1795408567000);
    assert_int_equal(decode("{\"events\":[{\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":1}]}"), DROP_NONE);
    assert_int_equal(decoded.beacon.clock_offset_ms, 0);
    assert_int_equal(decoded.beacon.events[0].viewer_time_ms, INT64_MIN);
}

static void test_identity(void **state)
{
    (void)state;
    char id[200], body[4096];
    memset(id, 'i', sizeof id);
    (void)snprintf(body, sizeof body,
        "{\"events\":[{\"ake\":\"k1\",\"xid\":\"v\",\"psqno\":9,\"e\":\"somethingnew\"}," /* the player's number stands in */
        "{\"ake\":\"k1\",\"xid\":\"v\",\"e\":\"play\"},{\"ake\":\"k1\",\"psqno\":1},{\"ake\":\"k1\",\"xid\":\"\",\"xsqno\":1},"
        "{\"ake\":\"k1\",\"xid\":\"%.129s\",\"xsqno\":1},{\"ake\":\"k1\",\"xid\":\"%.128s\",\"xsqno\":\"3\"},"
        "{\"xid\":\"v\",\"xsqno\":1},{\"ake\":\"nobody\",\"xid\":\"v\",\"xsqno\":1},{\"ake\":\"off\",\"xid\":\"v\",\"xsqno\":1},7,"
        "{\"ake\":\"k1\",\"xid\":\"w\",\"xsqno\":4}]}", id, id);
    assert_int_equal(decode(body), DROP_NONE);
    const struct beacon *b = &decoded.beacon;
    assert_int_equal(b->event_count, 3);
    assert_int_equal(b->events[0].sequence, 9);
    assert_int_equal(b->events[0].name, EVENT_OTHER);
    assert_span(b->events[0].name_text, "somethingnew");
    assert_int_equal(b->events[1].view_id.len, 128);
    assert_int_equal(b->events[1].sequence, 3);
    assert_span(b->events[2].name_text, "");
    assert_int_equal(decoded.index[0], 0);
    assert_int_equal(decoded.index[1], 5);
    assert_int_equal(decoded.index[2], 10);
    assert_int_equal(decoded.tally.events, 11);
    assert_int_equal(decoded.tally.dropped[DROP_no_sequence], 1);
    assert_int_equal(decoded.tally.dropped[DROP_no_view_id], 3);
    assert_int_equal(decoded.tally.dropped[DROP_no_env_key], 1);
    assert_int_equal(decoded.tally.dropped[DROP_unknown_env], 1);
    assert_int_equal(decoded.tally.dropped[DROP_disabled_env], 1);
    assert_int_equal(decoded.tally.dropped[DROP_not_an_event], 1);
}

static void test_environments(void **state)
{
    (void)state;
    assert_int_equal(decode("[{\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":1},{\"ake\":\"k2\",\"xid\":\"v\",\"xsqno\":1},"
                            "{\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":2}]"), DROP_NONE);
    assert_int_equal(decoded.beacon.env_count, 2);
    assert_string_equal(decoded.beacon.envs[1].id, "envtwo");
    assert_int_equal(decoded.beacon.events[1].env, 1);
    assert_int_equal(decoded.beacon.events[2].env, 0);
    struct buf body;
    buf_init(&body, 1 << 20);
    for (int i = 0; i < 20; i++) buf_addf(&body, "%c{\"ake\":\"many%d\",\"xid\":\"v\",\"xsqno\":1}", i ? ',' : '[', i);
    buf_addc(&body, ']');
    assert_int_equal(decode_refusing(buf_span(&body), NULL, 0), DROP_NONE);
    assert_int_equal(decoded.beacon.env_count, FORMAT_ENVS_MAX);
    assert_int_equal(decoded.beacon.event_count, FORMAT_ENVS_MAX);
    assert_int_equal(decoded.tally.dropped[DROP_too_many_envs], 4);
    buf_free(&body);
    assert_int_equal(decode("[{\"wur\":\"http://a/b?token=1\",\"ake\":\"strip\",\"xid\":\"v\",\"xsqno\":1,\"vtt\":\"why?\"}]"), DROP_NONE);
    assert_span(value_of(0, FIELD_page_url)->v.s, "http://a/b");
    assert_span(value_of(0, FIELD_video_title)->v.s, "why?");
}

static void test_bounds(void **state)
{
    (void)state;
    struct buf body;
    buf_init(&body, 8 << 20);
    buf_addc(&body, '[');
    for (int i = 1; i <= FORMAT_EVENTS_MAX + 5; i++)
        buf_addf(&body, "%s{\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":%d}", i > 1 ? "," : "", i);
    buf_addc(&body, ']');
    assert_int_equal(decode_refusing(buf_span(&body), NULL, 0), DROP_NONE);
    assert_int_equal(decoded.beacon.event_count, FORMAT_EVENTS_MAX);
    assert_int_equal(decoded.tally.dropped[DROP_too_many_events], 5);
    uint32_t refused[] = {0, 3, 3599};
    assert_int_equal(decode_refusing(buf_span(&body), refused, COUNT(refused)), DROP_NONE);
    assert_int_equal(decoded.beacon.event_count, FORMAT_EVENTS_MAX - 3);
    assert_int_equal(decoded.tally.dropped[DROP_over_quota], 3);
    assert_int_equal(decoded.beacon.events[2].sequence, 5);
    buf_clear(&body);
    buf_adds(&body, "[");
    for (int i = 0; i < FORMAT_NODES_MAX; i++) buf_adds(&body, "1,");
    buf_adds(&body, "1]");
    assert_int_equal(decode_refusing(buf_span(&body), NULL, 0), DROP_too_many_values);
    buf_free(&body);
}

/* What an operator narrowed, and a replay that must come to the same although the limits may have changed since. */
static void test_limits(void **state)
{
    (void)state;
    static const char body[] = "[{\"xid\":\"v\",\"xsqno\":1},{\"xid\":\"v\",\"xsqno\":2,\"vtt\":\"t\",\"vsr\":\"s\",\"c1\":{\"a\":[1]}},"
                               "{\"ake\":\"k2\",\"xid\":\"v\",\"xsqno\":3},{\"ake\":\"k2\",\"xid\":\"v\",\"xsqno\":4}]";
    struct payload p = {.format = 1, .body = SPAN(body), .received_ms = RECEIVED_MS, .env_key = SPAN("k1"),
                        .limits = {.events = 3, .keys = 4}, .env_count = 2};
    p.envs[0] = (struct payload_env){SPAN("k1"), {.id = "envone"}};
    p.envs[1] = (struct payload_env){SPAN("k2"), {.id = "envtwo"}};
    struct format_input in = {.body = p.body, .received_ms = RECEIVED_MS, .json = parser, .arena = &arena, .judge = judge,
                              .limits = p.limits, .env_key = p.env_key};
    arena_reset(&arena);
    assert_int_equal(format_decode(formats, 1, &in, &decoded), DROP_NONE);
    assert_int_equal(decoded.beacon.event_count, 2);
    assert_string_equal(decoded.beacon.envs[decoded.beacon.events[0].env].id, "envone"); /* of the request */
    assert_string_equal(decoded.beacon.envs[decoded.beacon.events[1].env].id, "envtwo"); /* its own */
    assert_int_equal(decoded.tally.dropped[DROP_too_many_keys], 1);
    assert_int_equal(decoded.tally.dropped[DROP_too_many_events], 1);
    struct buf bytes;
    struct beacon again;
    buf_init(&bytes, 1 << 20);
    payload_encode(&bytes, &p);
    arena_reset(&arena);
    json_parser_depth(parser, 2);
    assert_true(collector_payload_decode(formats, buf_span(&bytes), parser, &arena, &again));
    assert_int_equal(again.event_count, 2);
    assert_string_equal(again.envs[again.events[0].env].id, "envone");
    assert_int_equal(again.events[1].sequence, 3);
    buf_free(&bytes);

    json_parser_depth(parser, 3);
    in.limits.keys = 0;
    assert_int_equal(format_decode(formats, 1, &in, &decoded), DROP_too_deep);
    json_parser_depth(parser, JSON_DEPTH_DEFAULT);
    in.limits.values = 20;
    assert_int_equal(format_decode(formats, 1, &in, &decoded), DROP_too_many_values);
}

/* A journal of before: nothing but what version 1 knew. */
static void test_payload_of_version_1(void **state)
{
    (void)state;
    struct payload p = {.format = 1, .body = SPAN("[{\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":1}]"), .received_ms = RECEIVED_MS,
                        .env_count = 1};
    struct buf bytes;
    struct beacon again;
    buf_init(&bytes, 1 << 20);
    p.envs[0] = (struct payload_env){SPAN("k1"), {.id = "envone"}};
    payload_encode(&bytes, &p);
    bytes.ptr[0] = 1;
    arena_reset(&arena);
    assert_false(collector_payload_decode(formats, buf_span(&bytes), parser, &arena, &again)); /* three bytes too many */
    assert_true(collector_payload_decode(formats, span_upto(buf_span(&bytes), bytes.len - 3), parser, &arena, &again));
    assert_int_equal(again.event_count, 1);
    json_parser_depth(parser, JSON_DEPTH_DEFAULT);
    buf_free(&bytes);
}

static void test_twice(void **state)
{
    (void)state;
    assert_span(member("\"vtt\":\"a\",\"vtt\":\"b\"", FIELD_video_title)->v.s, "b");
    assert_int_equal(member("\"xrqfbco\":1,\"xrqfaco\":2", FIELD_view_request_failed_count)->v.i, 2);
    assert_int_equal(decoded.beacon.events[0].value_count, 4); /* env_key, view_id, view_sequence_number and the count */
    assert_int_equal(member("\"xrqfaco\":2,\"xrqfbco\":null", FIELD_view_request_failed_count)->v.i, 2);
}

static void test_dialects(void **state)
{
    (void)state;
    /* Roku: text for times and booleans, no metadata, ranges as a list, its own configuration copied in */
    assert_int_equal(decode("{\"events\":[{\"e\":\"viewstart\",\"ake\":\"k1\",\"xid\":\"r\",\"xsqno\":3,\"psqno\":4,"
        "\"uti\":\"1795408926933\",\"xst\":\"1795408926900\",\"pispa\":\"false\",\"pwd\":\"1920\",\"pht\":\"1080 \",\"pisfs\":\"true\","
        "\"pswnm\":\"RokuSG\",\"uosfm\":\"Roku OS\",\"udvcg\":\"tv\",\"mapve\":\"2.1\",\"pmxpinm\":\"roku-mux\",\"pmxpive\":\"2.8.0\","
        "\"xreco\":0,\"xredu\":0,\"vpbrg\":[\"0:4000\"],\"_beaconCollectionDomain_\":\"beacons.example\"}]}"), DROP_NONE);
    assert_int_equal(decoded.beacon.event_count, 1);
    assert_int_equal(decoded.tally.unknown_keys, 1);
    assert_int_equal(decoded.beacon.events[0].name, EVENT_viewstart);
    assert_int_equal(value_of(0, FIELD_view_start)->v.i, 1795408926900);
    assert_int_equal(value_of(0, FIELD_player_height)->v.i, 1080);
    assert_int_equal(value_of(0, FIELD_player_is_paused)->v.i, 0);
    assert_int_equal(value_of(0, FIELD_player_is_fullscreen)->v.i, 1);
    assert_span(value_of(0, FIELD_viewer_os_family)->v.s, "Roku OS");
    assert_span(value_of(0, FIELD_player_software_name)->v.s, "RokuSG");
    assert_span(value_of(0, FIELD_video_playback_range)->v.s, "[\"0:4000\"]");
    assert_int_equal(decoded.beacon.clock_offset_ms, RECEIVED_MS - 1795408926933);
    /* Android: all text */
    assert_int_equal(decode("{\"events\":[{\"e\":\"hb\",\"ake\":\"k1\",\"xid\":\"a\",\"xsqno\":\"12\",\"uti\":\"1795408926933\","
        "\"pphti\":\"12040\",\"xadplco\":\"2\",\"vsohonm\":\"cdn.example\"}],\"metadata\":{\"rtt_ms\":84,"
        "\"transmission_timestamp\":1795408927001}}"), DROP_NONE);
    assert_int_equal(decoded.beacon.events[0].sequence, 12);
    assert_int_equal(value_of(0, FIELD_player_playhead_time)->v.i, 12040);
    assert_int_equal(value_of(0, FIELD_view_ad_played_count)->v.i, 2);
    assert_span(value_of(0, FIELD_video_source_hostname)->v.s, "cdn.example");
    assert_int_equal(decoded.beacon.clock_offset_ms, RECEIVED_MS - 1795408927001 - 42);
}

/* -- the recordings ------------------------------------------------------------------------------------------------ */

static void assert_same_value(const struct beacon_value *v, const struct json_node *expected, const char *where)
{
    const struct field_facts *facts = field_facts((enum field)v->field);
    bool same = false;
    switch (facts->type) {
    case FIELD_MS: case FIELD_COUNTER: case FIELD_SIZE: case FIELD_BITRATE: case FIELD_TIME:
        same = expected->type == JSON_INT && v->v.i == expected->v.i; break;
    case FIELD_BOOL: same = expected->type == (v->v.i ? JSON_TRUE : JSON_FALSE); break;
    case FIELD_NUMBER: same = json_is_number(expected) && v->v.d == json_number(expected); break;
    case FIELD_TEXT: case FIELD_URL: case FIELD_CONTEXT: case FIELD_JSON: case FIELD_RANGES:
        same = expected->type == JSON_STRING && span_eq(v->v.s, expected->v.s); break;
    }
    if (!same) fail_msg("%s: %s is not %.*s", where, facts->name, SPAN_ARG(expected->raw));
}

/* The decoded event i has exactly the fields of the object. */
static void assert_same_event(uint32_t i, const struct json_doc *doc, const struct json_node *object, const char *where)
{
    const struct beacon_event *e = &decoded.beacon.events[i];
    for (uint32_t v = 0; v < e->value_count; v++) {
        const char *name = field_facts((enum field)e->values[v].field)->name;
        const struct json_node *expected = json_get(doc, object, name);
        if (expected == NULL) fail_msg("%s: %s should be absent", where, name);
        else assert_same_value(&e->values[v], expected, where);
    }
    if (e->value_count != object->count) fail_msg("%s: %u fields instead of %u", where, e->value_count, object->count);
}

static struct span capture_body(struct span line)
{
    struct json_doc doc;
    if (!json_parse(reader, line, 100000, &doc, NULL)) fail_msg("bad line in a recording");
    return json_string(json_get(&doc, doc.nodes, "body"));
}

static void check_long(const char *name)
{
    struct buf capture = capture_read(name, ".jsonl"), expected = capture_read(name, ".long.jsonl");
    struct json_parser *longs = json_parser_new();
    struct span rest = buf_span(&capture), line, rest_long = buf_span(&expected), line_long;
    unsigned events = 0;
    while (line_next(&rest, &line)) {
        struct span body = capture_body(line);
        if (decode_refusing(body, NULL, 0) != DROP_NONE) continue;
        for (uint32_t i = 0; i < decoded.beacon.event_count; i++, events++) {
            struct json_doc doc;
            assert_true(line_next(&rest_long, &line_long));
            assert_true(json_parse(longs, line_long, 10000, &doc, NULL));
            const struct json_node *n = json_first(doc.nodes), *index = n + 1, *event = n + 2, *fields = n + 3;
            char where[128];
            (void)snprintf(where, sizeof where, "%s request %d event %d", name, (int)n->v.i, (int)index->v.i);
            assert_int_equal(decoded.index[i], index->v.i);
            if (!span_eq(decoded.beacon.events[i].name_text, event->v.s)) fail_msg("%s: another event", where);
            assert_same_event(i, &doc, fields, where);
        }
    }
    assert_false(line_next(&rest_long, &line_long));
    assert_true(events > 4);
    json_parser_free(longs);
    buf_free(&capture);
    buf_free(&expected);
}

static void test_recordings_in_long(void **state)
{
    (void)state;
    static const char *const names[] = {"rebuffer", "ads-emit", "error-custom", "cdn-change", "tab-kill", "videochange", "dash-basic"};
    for (size_t i = 0; i < COUNT(names); i++) check_long(names[i]);
}

static void test_recordings_whole(void **state)
{
    (void)state;
    unsigned bodies = 0, events = 0, unknown = 0;
    for (size_t c = 0; c < COUNT(capture_names); c++) {
        struct buf capture = capture_read(capture_names[c], ".jsonl");
        struct span rest = buf_span(&capture), line;
        while (line_next(&rest, &line)) {
            struct span body = capture_body(line);
            if (body.len == 0) continue;
            assert_int_equal(decode_refusing(body, NULL, 0), DROP_NONE);
            assert_int_equal(decoded.beacon.event_count, decoded.tally.events); /* a browser's events are all usable */
            for (uint32_t i = 0; i < decoded.beacon.event_count; i++) {
                const struct beacon_event *e = &decoded.beacon.events[i];
                if (e->name == EVENT_OTHER) fail_msg("%s: event %.*s", capture_names[c], SPAN_ARG(e->name_text));
                assert_true(e->viewer_time_ms > 1790000000000);
                assert_int_equal(e->view_id.len, 36);
            }
            bodies++;
            events += decoded.beacon.event_count;
            unknown += strcmp(capture_names[c], "keys-odd") == 0 ? 0 : decoded.tally.unknown_keys;
        }
        buf_free(&capture);
    }
    assert_true(bodies > 100);
    assert_true(events > 600);
    assert_int_equal(unknown, 6); /* two names that the page of heartbeat-35s made up, three times each */
}

/* -- the payload ---------------------------------------------------------------------------------------------------- */

#define SAME_SPAN(name) assert_true(span_eq(a->name, b->name))
static void assert_same_viewer(const struct viewer_facts *a, const struct viewer_facts *b)
{
    SAME_SPAN(country); SAME_SPAN(country_name); SAME_SPAN(continent); SAME_SPAN(region); SAME_SPAN(city); SAME_SPAN(asn_name);
    SAME_SPAN(address); SAME_SPAN(user_agent); SAME_SPAN(browser); SAME_SPAN(browser_version); SAME_SPAN(engine); SAME_SPAN(os);
    SAME_SPAN(os_version); SAME_SPAN(device_category); SAME_SPAN(device_manufacturer); SAME_SPAN(device_model);
    SAME_SPAN(device_name);
    assert_int_equal(a->asn, b->asn);
    assert_int_equal(a->has_location, b->has_location);
    assert_true(a->latitude == b->latitude);
    assert_true(a->longitude == b->longitude);
}

static void assert_same_beacon(const struct beacon *a, const struct beacon *b)
{
    assert_int_equal(a->received_ms, b->received_ms);
    assert_int_equal(a->transmission_ms, b->transmission_ms);
    assert_int_equal(a->rtt_ms, b->rtt_ms);
    assert_int_equal(a->clock_offset_ms, b->clock_offset_ms);
    assert_same_viewer(&a->viewer, &b->viewer);
    assert_int_equal(a->env_count, b->env_count);
    for (uint16_t i = 0; i < a->env_count; i++) {
        assert_string_equal(a->envs[i].id, b->envs[i].id);
        assert_int_equal(a->envs[i].property_id, b->envs[i].property_id);
        assert_int_equal(a->envs[i].backfill, b->envs[i].backfill);
        assert_int_equal(a->envs[i].strip_query, b->envs[i].strip_query);
    }
    assert_int_equal(a->event_count, b->event_count);
    for (uint32_t i = 0; i < a->event_count; i++) {
        const struct beacon_event *x = &a->events[i], *y = &b->events[i];
        assert_true(span_eq(x->view_id, y->view_id));
        assert_true(span_eq(x->name_text, y->name_text));
        assert_int_equal(x->sequence, y->sequence);
        assert_int_equal(x->name, y->name);
        assert_int_equal(x->env, y->env);
        assert_int_equal(x->viewer_time_ms, y->viewer_time_ms);
        assert_int_equal(x->value_count, y->value_count);
        for (uint32_t v = 0; v < x->value_count; v++) {
            assert_int_equal(x->values[v].field, y->values[v].field);
            enum field_type type = field_facts((enum field)x->values[v].field)->type;
            bool text = type == FIELD_TEXT || type == FIELD_URL || type == FIELD_CONTEXT || type == FIELD_JSON || type == FIELD_RANGES;
            if (text) assert_true(span_eq(x->values[v].v.s, y->values[v].v.s));
            else assert_memory_equal(&x->values[v].v.i, &y->values[v].v.i, sizeof(int64_t));
        }
    }
}

static const struct viewer_facts viewer = {
    .country = {"DE", 2}, .country_name = {"Germany", 7}, .continent = {"EU", 2}, .region = {"Hamburg", 7}, .city = {"Hamburg", 7},
    .has_location = true, .latitude = 53.5, .longitude = 9.9, .asn = 3320, .asn_name = {"Deutsche Telekom AG", 19},
    .address = {"203.0.113.0", 11}, .user_agent = {"Mozilla/5.0", 11}, .browser = {"Chrome", 6}, .os = {"Linux", 5},
    .device_category = {"desktop", 7},
};

/* What was decoded last, through a payload and back. */
static void check_payload(struct span body, const uint32_t *refused, uint32_t refused_count)
{
    static const char *const known[] = {"k1", "k2", "strip", "labenvkey123"};
    struct payload p = {.format = 1, .body = body, .received_ms = RECEIVED_MS, .viewer = viewer, .refused = refused,
                        .refused_count = refused_count};
    for (size_t i = 0; i < COUNT(known); i++) {
        p.envs[p.env_count].key = span_of(known[i]);
        assert_int_equal(judge(NULL, span_of(known[i]), &p.envs[p.env_count++].env), DROP_NONE);
    }
    struct buf bytes;
    buf_init(&bytes, 4 << 20);
    payload_encode(&bytes, &p);
    assert_false(bytes.failed);
    struct arena other;
    arena_init(&other, 8 << 20);
    struct beacon again;
    assert_true(collector_payload_decode(formats, buf_span(&bytes), parser, &other, &again));
    memset(bytes.ptr, 'x', bytes.len); /* nothing may point there */
    decoded.beacon.viewer = viewer;
    assert_same_beacon(&decoded.beacon, &again);
    arena_free(&other);
    buf_free(&bytes);
}

static void test_payload_of_recordings(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT(capture_names); c++) {
        struct buf capture = capture_read(capture_names[c], ".jsonl");
        struct span rest = buf_span(&capture), line;
        while (line_next(&rest, &line)) {
            struct span body = capture_body(line);
            if (body.len == 0) continue;
            assert_int_equal(decode_refusing(body, NULL, 0), DROP_NONE);
            check_payload(body, NULL, 0);
        }
        buf_free(&capture);
    }
}

static void test_payload_of_judgements(void **state)
{
    (void)state;
    struct span body = SPAN("[{\"ake\":\"off\",\"xid\":\"v\",\"xsqno\":1},{\"ake\":\"k2\",\"xid\":\"v\",\"xsqno\":1,\"vtt\":\"\\u00e9\"},"
        "{\"ake\":\"nobody\",\"xid\":\"v\",\"xsqno\":1},{\"ake\":\"strip\",\"xid\":\"v\",\"xsqno\":2,\"wur\":\"a?b\"},"
        "{\"ake\":\"k2\",\"xid\":\"v\",\"xsqno\":3},{\"ake\":\"k2\",\"xid\":\"v\"}]");
    uint32_t refused[] = {1, 4};
    assert_int_equal(decode_refusing(body, refused, 2), DROP_NONE);
    assert_int_equal(decoded.beacon.event_count, 1);
    assert_int_equal(decoded.beacon.env_count, 2);
    check_payload(body, refused, 2);
    assert_int_equal(decode_refusing(body, NULL, 0), DROP_NONE);
    assert_int_equal(decoded.beacon.event_count, 3);
    check_payload(body, NULL, 0);
}

/* Every cut and every changed byte of a payload is refused or read without harm. */
static void test_payload_damaged(void **state)
{
    (void)state;
    uint32_t refused[] = {0};
    struct payload p = {.format = 1, .body = SPAN("[{\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":1},{\"ake\":\"k1\",\"xid\":\"v\",\"xsqno\":2}]"),
                        .viewer = viewer, .env_count = 1, .refused = refused, .refused_count = 1};
    p.envs[0].key = SPAN("k1");
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    payload_encode(&bytes, &p);
    struct arena other;
    arena_init(&other, 8 << 20);
    struct beacon b;
    assert_true(collector_payload_decode(formats, buf_span(&bytes), parser, &other, &b));
    assert_int_equal(b.event_count, 1);
    for (size_t len = 0; len < bytes.len; len++) {
        arena_reset(&other);
        assert_false(collector_payload_decode(formats, span_make(bytes.ptr, len), parser, &other, &b));
    }
    for (size_t at = 0; at < bytes.len; at++) {
        arena_reset(&other);
        bytes.ptr[at] ^= (char)0xA5;
        bool read = collector_payload_decode(formats, buf_span(&bytes), parser, &other, &b);
        if (at < 2) assert_false(read);
        bytes.ptr[at] ^= (char)0xA5;
    }
    buf_addc(&bytes, 0);
    assert_false(collector_payload_decode(formats, buf_span(&bytes), parser, &other, &b));
    arena_free(&other);
    buf_free(&bytes);
}

int main(void)
{
    formats = formats_new();
    parser = json_parser_new();
    reader = json_parser_new();
    arena_init(&arena, 32 << 20);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),    cmocka_unit_test(test_other_types), cmocka_unit_test(test_cutting),
        cmocka_unit_test(test_envelopes),   cmocka_unit_test(test_times),       cmocka_unit_test(test_identity),
        cmocka_unit_test(test_environments), cmocka_unit_test(test_limits), cmocka_unit_test(test_payload_of_version_1), cmocka_unit_test(test_bounds),     cmocka_unit_test(test_twice),
        cmocka_unit_test(test_dialects),    cmocka_unit_test(test_recordings_in_long),
        cmocka_unit_test(test_recordings_whole), cmocka_unit_test(test_payload_of_recordings),
        cmocka_unit_test(test_payload_of_judgements), cmocka_unit_test(test_payload_damaged),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    json_parser_free(parser);
    json_parser_free(reader);
    formats_free(formats);
    return failed;
}
