/* SPDX-License-Identifier: Apache-2.0
 * Keys and delta suppression, against what mux-embed was seen to send. */
#include "sim/encode.h"

#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

/* Every key seen on the wire of mux-embed 5.19, with its long form; then the oddities of the rule. */
static const struct {
    const char *code, *name;
} seen[] = {
    {"dasur", "ad_asset_url"}, {"dcrid", "ad_creative_id"}, {"did", "ad_id"},
    {"dpntimscv", "ad_playing_time_ms_cumulative"}, {"dtaur", "ad_tag_url"}, {"dty", "ad_type"},
    {"dunid", "ad_universal_id"}, {"bdm", "beacon_domain"}, {"c1", "custom_1"}, {"c10", "custom_10"},
    {"c12", "custom_12"}, {"c2", "custom_2"}, {"c20", "custom_20"}, {"c3", "custom_3"}, {"ake", "env_key"},
    {"e", "event"}, {"fnm", "experiment_name"}, {"mapve", "mux_api_version"}, {"mem", "mux_embed"},
    {"memve", "mux_embed_version"}, {"msano", "mux_sample_number"}, {"msara", "mux_sample_rate"},
    {"mvrid", "mux_viewer_id"}, {"wloti", "page_load_time"}, {"wty", "page_type"}, {"wur", "page_url"},
    {"paotrcj", "player_audio_track_channels"}, {"paotrcc", "player_audio_track_codec"},
    {"paotreb", "player_audio_track_enabled"}, {"paotrla", "player_audio_track_language"},
    {"paotrnm", "player_audio_track_name"}, {"pauon", "player_autoplay_on"},
    {"perbzez", "player_error_business_exception"}, {"percd", "player_error_code"},
    {"percz", "player_error_context"}, {"perme", "player_error_message"}, {"persy", "player_error_severity"},
    {"pht", "player_height"}, {"piiti", "player_init_time"}, {"pinid", "player_instance_id"},
    {"pisfs", "player_is_fullscreen"}, {"pispa", "player_is_paused"}, {"placd", "player_language_code"},
    {"pmfnepgti", "player_manifest_newest_program_time"}, {"pmxpinm", "player_mux_plugin_name"},
    {"pmxpive", "player_mux_plugin_version"}, {"pnm", "player_name"}, {"ppbmp", "player_playback_mode"},
    {"ppbmpda", "player_playback_mode_data"}, {"pphti", "player_playhead_time"},
    {"ppron", "player_preload_on"}, {"ppgti", "player_program_time"}, {"psqno", "player_sequence_number"},
    {"psw", "player_software"}, {"pswnm", "player_software_name"}, {"pswve", "player_software_version"},
    {"psuti", "player_startup_time"}, {"ptetreb", "player_text_track_enabled"},
    {"ptetrla", "player_text_track_language"}, {"ptetrnm", "player_text_track_name"},
    {"ptetrty", "player_text_track_type"}, {"pve", "player_version"}, {"pvwco", "player_view_count"},
    {"pwd", "player_width"}, {"qbyld", "request_bytes_loaded"}, {"qcule", "request_current_level"},
    {"qer", "request_error"}, {"qercd", "request_error_code"}, {"qerte", "request_error_text"},
    {"qeety", "request_event_type"}, {"qhn", "request_hostname"}, {"qid", "request_id"},
    {"qlbbi", "request_labeled_bitrate"}, {"qmddu", "request_media_duration"},
    {"qmdstti", "request_media_start_time"}, {"qrfls", "request_rendition_lists"},
    {"qrpen", "request_response_end"}, {"qrphe", "request_response_headers"},
    {"qrpst", "request_response_start"}, {"qst", "request_start"}, {"qty", "request_type"},
    {"qur", "request_url"}, {"qviht", "request_video_height"}, {"qviwd", "request_video_width"},
    {"sex", "session_expires"}, {"sid", "session_id"}, {"sst", "session_start"},
    {"ypyid", "sub_property_id"}, {"vdn", "video_cdn"}, {"vhb", "video_holdback"}, {"vid", "video_id"},
    {"vpthb", "video_part_holdback"}, {"vpttgdu", "video_part_target_duration"},
    {"vpbrg", "video_playback_range"}, {"vpour", "video_poster_url"}, {"vpvdn", "video_previous_cdn"},
    {"vsr", "video_series"}, {"vsobi", "video_source_bitrate"}, {"vsocc", "video_source_codec"},
    {"vsodu", "video_source_duration"}, {"vsofp", "video_source_fps"}, {"vsoht", "video_source_height"},
    {"vsohn", "video_source_hostname"}, {"vsoisli", "video_source_is_live"},
    {"vsomity", "video_source_mime_type"}, {"vsorfnm", "video_source_rendition_name"},
    {"vsour", "video_source_url"}, {"vsowd", "video_source_width"}, {"vsmty", "video_stream_type"},
    {"vtgdu", "video_target_duration"}, {"vtt", "video_title"}, {"v_unknownword_id", "video_unknownword_id"},
    {"xadckco", "view_ad_clicked_count"}, {"xadpfco", "view_ad_played_count"},
    {"xadrqco", "view_ad_request_count"}, {"xadrqti", "view_ad_request_time"},
    {"xadsdco", "view_ad_skipped_count"}, {"xagsuti", "view_aggregate_startup_time"},
    {"xavrqlt", "view_average_request_latency"}, {"xavrqth", "view_average_request_throughput"},
    {"xctpbti", "view_content_playback_time"}, {"xdpfrco", "view_dropped_frame_count"}, {"xid", "view_id"},
    {"xmadope", "view_max_downscale_percentage"}, {"xmaphps", "view_max_playhead_position"},
    {"xmarqlt", "view_max_request_latency"}, {"xmaskti", "view_max_seek_time"},
    {"xmauppe", "view_max_upscale_percentage"}, {"xmmrqth", "view_min_request_throughput"},
    {"xpntimscv", "view_playing_time_ms_cumulative"}, {"xpladasdm", "view_preroll_ad_asset_domain"},
    {"xpladashn", "view_preroll_ad_asset_hostname"}, {"xpladtadm", "view_preroll_ad_tag_domain"},
    {"xpladtahn", "view_preroll_ad_tag_hostname"}, {"xplloti", "view_preroll_load_time"},
    {"xplpf", "view_preroll_played"}, {"xplrqco", "view_preroll_request_count"},
    {"xplrqti", "view_preroll_request_time"}, {"xplrd", "view_preroll_requested"},
    {"xpgch", "view_program_changed"}, {"xreco", "view_rebuffer_count"}, {"xredu", "view_rebuffer_duration"},
    {"xrefq", "view_rebuffer_frequency"}, {"xrepe", "view_rebuffer_percentage"},
    {"xrqclco", "view_request_canceled_count"}, {"xrqco", "view_request_count"},
    {"xrqfaco", "view_request_failed_count"}, {"xskco", "view_seek_count"}, {"xskdu", "view_seek_duration"},
    {"xsqno", "view_sequence_number"}, {"xseid", "view_session_id"}, {"xst", "view_start"},
    {"xsuplloti", "view_startup_preroll_load_time"}, {"xsuplrqti", "view_startup_preroll_request_time"},
    {"xtitofifr", "view_time_to_first_frame"}, {"xtlctpbti", "view_total_content_playback_time"},
    {"xtldg", "view_total_downscaling"}, {"xtlug", "view_total_upscaling"}, {"xwati", "view_watch_time"},
    {"ucxlwdamp", "viewer_connection_low_data_mode"}, {"ucxty", "viewer_connection_type"},
    {"udvcg", "viewer_device_category"}, {"uti", "viewer_time"}, {"uusid", "viewer_user_id"},
    {"zzz__unknown_", "zzz_unknown"},
    /* oddities: unknown first words, unknown later words, digits, empty words */
    {"foo_", "foo"}, {"foo_id", "foo_id"}, {"foo__bar_", "foo_bar"}, {"v_foo_", "video_foo"},
    {"v_foo_id", "video_foo_id"}, {"vid_foo_", "video_id_foo"}, {"c12", "custom_12"}, {"c07", "custom_07"},
    {"vid", "video__id"}, {"e_", "e"}, {"udv_orientation_", "viewer_device_orientation"},
    {"live_smid", "live_stream_id"}, {"asset_id", "asset_id"},
};

static void test_keys_as_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(seen); i++) {
        char key[SIM_KEY_BYTES];
        assert_int_equal(sim_key_encode(span_of(seen[i].name), key, sizeof key), strlen(seen[i].code));
        assert_string_equal(key, seen[i].code);
    }
    char small[4];
    assert_int_equal(sim_key_encode(SPAN("view_sequence_number"), small, sizeof small), 0);
}

/* The server's direction, written down once more: code to word. */
static const char *word_of(struct span code, bool first)
{
    static const struct {
        const char *code, *word;
        bool first;
    } words[] = {
#define FIRST(code, word) {code, word, true},
#define LATER(code, word) {code, word, false},
#include "sim/words.def"
#undef FIRST
#undef LATER
    };
    for (size_t i = 0; i < COUNT(words); i++)
        if (words[i].first == first && span_is(code, words[i].code)) return words[i].word;
    return NULL;
}

static bool decode_tail(struct span tail, struct buf *out)
{
    while (tail.len) {
        size_t digits = 0;
        while (digits < tail.len && tail.ptr[digits] >= '0' && tail.ptr[digits] <= '9') digits++;
        buf_addc(out, '_');
        if (digits) {
            buf_add(out, tail.ptr, digits);
            tail = span_from(tail, digits);
            continue;
        }
        const char *word = word_of(span_upto(tail, 2), false);
        if (word == NULL) return false;
        buf_adds(out, word);
        tail = span_from(tail, 2);
    }
    return true;
}

static void test_fields_round_trip(void **state)
{
    (void)state;
    struct sim_keys *keys = calloc(1, sizeof *keys);
    sim_keys_init(keys);
    for (unsigned f = 0; f < SIM_FIELDS; f++) {
        struct span code = span_make(keys->text[f] + 1, keys->len[f] - 3u);
        for (unsigned other = 0; other < f; other++) assert_string_not_equal(keys->text[f], keys->text[other]);
        struct buf name;
        buf_init(&name, 256);
        const char *first = word_of(span_upto(code, 1), true);
        buf_adds(&name, first ? first : "");
        if (first && decode_tail(span_from(code, 1), &name))
            assert_string_equal(name.ptr, sim_field_name(f));
        else /* a first word that the dictionary lacks stays as it is */
            assert_true(f == SF_asset_id);
        buf_free(&name);
    }
    free(keys);
}

struct bench {
    struct sim_keys keys;
    struct sim_session session;
    struct sim_encoder encoder;
    struct sim_value state[SIM_FIELDS];
    int64_t now_ms;
    uint32_t seq;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    sim_keys_init(&b->keys);
    sim_session_init(&b->session);
    sim_encoder_init(&b->encoder, &b->keys);
    b->now_ms = 1795408567000;
    b->state[SF_env_key] = sim_text("k1");
    b->state[SF_view_id] = sim_text("v1");
    b->state[SF_video_title] = sim_text("A title");
    b->state[SF_custom_1] = sim_text("one");
    b->state[SF_page_url] = sim_text("https://example.com/");
    b->state[SF_video_source_width] = sim_int(1280);
    b->state[SF_video_source_bitrate] = sim_int(2000000);
    b->state[SF_request_bytes_loaded] = sim_int(10);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    sim_session_free(&b->session);
    free(b);
    return 0;
}

static void send_event(struct bench *b, enum sim_kind kind, int64_t after_ms, bool thrown_away)
{
    b->now_ms += after_ms;
    b->seq++;
    b->state[SF_event] = sim_text(sim_kind_name(kind));
    b->state[SF_viewer_time] = sim_time(b->now_ms);
    b->state[SF_view_sequence_number] = sim_int(b->seq);
    struct sim_event e = {.kind = (uint8_t)kind, .seq = b->seq, .at_ms = b->now_ms};
    sim_encode(&b->encoder, &b->session, b->state, e, thrown_away);
}

/* Whether the newest event carries the field. */
static bool carries(const struct bench *b, enum sim_field field)
{
    const struct sim_event *e = &b->session.events[b->session.event_count - 1];
    for (uint32_t i = 0; i < e->pair_count; i++)
        if (b->session.pairs[e->pair_at + i].field == field) return true;
    return false;
}

static void test_full_then_delta(void **state)
{
    struct bench *b = *state;
    send_event(b, SE_networkchange, 0, false);
    assert_true(carries(b, SF_video_title) && carries(b, SF_custom_1) && carries(b, SF_env_key));
    assert_false(carries(b, SF_custom_2)); /* never defined */
    b->state[SF_custom_1] = sim_text("two");
    send_event(b, SE_hb, 100, false);
    assert_true(carries(b, SF_custom_1));    /* changed */
    assert_true(carries(b, SF_env_key));     /* always there */
    assert_true(carries(b, SF_viewer_time));
    assert_false(carries(b, SF_video_title));
    assert_false(carries(b, SF_page_url));
    send_event(b, SE_hb, 100, false);
    assert_false(carries(b, SF_custom_1));
    b->state[SF_custom_1] = sim_text(NULL); /* what becomes undefined is simply not sent */
    send_event(b, SE_hb, 100, false);
    assert_false(carries(b, SF_custom_1));
}

static void test_full_again(void **state)
{
    struct bench *b = *state;
    send_event(b, SE_networkchange, 0, false);
    send_event(b, SE_viewstart, 10, false);
    assert_true(carries(b, SF_video_title));
    send_event(b, SE_play, SIM_FULL_AFTER_MS - 1, false);
    assert_false(carries(b, SF_video_title));
    send_event(b, SE_pause, SIM_FULL_AFTER_MS, false);
    assert_true(carries(b, SF_video_title));
    send_event(b, SE_viewend, 10, false);
    assert_true(carries(b, SF_video_title));
    send_event(b, SE_networkchange, 10, false); /* the end cleared the memory */
    assert_true(carries(b, SF_video_title));
    send_event(b, SE_hb, 10, false);
    assert_false(carries(b, SF_video_title));
}

static void test_groups_and_once(void **state)
{
    struct bench *b = *state;
    send_event(b, SE_networkchange, 0, false);
    send_event(b, SE_renditionchange, 10, false);
    assert_true(carries(b, SF_video_source_width) && carries(b, SF_video_source_bitrate));
    assert_false(carries(b, SF_request_bytes_loaded));
    send_event(b, SE_requestcompleted, 10, false);
    assert_true(carries(b, SF_request_bytes_loaded));
    assert_false(carries(b, SF_video_source_width));
    b->state[SF_player_startup_time] = sim_int(12);
    send_event(b, SE_playerready, 10, false);
    assert_true(carries(b, SF_player_startup_time));
    send_event(b, SE_playerready, 10, false); /* the same value again is news again */
    assert_true(carries(b, SF_player_startup_time));
}

static void test_thrown_away(void **state)
{
    struct bench *b = *state;
    send_event(b, SE_networkchange, 0, false);
    b->state[SF_custom_1] = sim_text("lost");
    uint32_t before = b->session.event_count;
    send_event(b, SE_hb, 10, true);
    assert_int_equal(b->session.event_count, before);
    send_event(b, SE_play, 10, false);
    assert_false(carries(b, SF_custom_1)); /* the client thinks the server has it */
    assert_int_equal(b->session.events[b->session.event_count - 1].seq, 3);
}

static void test_json(void **state)
{
    struct bench *b = *state;
    b->session.skew_ms = -5000;
    b->state[SF_video_source_duration] = sim_null();
    b->state[SF_player_is_paused] = sim_bool(true);
    b->state[SF_view_total_upscaling] = sim_double(0.375);
    b->state[SF_video_playback_range] = sim_text("[\"0:7\"]");
    b->state[SF_request_response_headers] = sim_raw("{\"x-cdn\":\"a\"}");
    send_event(b, SE_networkchange, 0, false);
    struct json_parser *p = json_parser_new();
    struct json_doc doc;
    assert_true(json_parse(p, buf_span(&b->session.json), 1000, &doc, NULL));
    const struct json_node *root = doc.nodes;
    assert_true(json_is(json_get(&doc, root, "vsodu"), JSON_NULL));
    assert_true(json_is(json_get(&doc, root, "pispa"), JSON_TRUE));
    assert_true(json_number(json_get(&doc, root, "xtlug")) > 0.374);
    assert_int_equal(json_get(&doc, root, "uti")->v.i, b->now_ms - 5000); /* a time of the client's clock */
    assert_int_equal(json_get(&doc, root, "vsowd")->v.i, 1280);
    assert_true(span_is(json_string(json_get(&doc, root, "vpbrg")), "[\"0:7\"]"));
    assert_true(json_is(json_get(&doc, json_get(&doc, root, "qrphe"), "x-cdn"), JSON_STRING));
    ptrdiff_t url = span_find_span(buf_span(&b->session.json), SPAN("\"wur\""));
    ptrdiff_t event = span_find_span(buf_span(&b->session.json), SPAN("\"e\":"));
    assert_true(url > event && event > 0); /* URLs come last */
    json_parser_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_as_seen),
        cmocka_unit_test(test_fields_round_trip),
        cmocka_unit_test_setup_teardown(test_full_then_delta, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_groups_and_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_thrown_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
