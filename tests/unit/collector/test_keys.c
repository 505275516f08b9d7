/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/drop.h"
#include "collector/formats/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "captures.h"

static struct mux_keys *keys;

static unsigned find(const char *key)
{
    return mux_key_find(keys, span_of(key));
}

static void assert_decodes(const char *key, const char *name)
{
    char out[256];
    size_t len = mux_key_decode(span_of(key), out, sizeof out);
    assert_int_equal(len, strlen(name));
    assert_string_equal(out, name);
}

static void assert_encodes(const char *name, const char *key)
{
    char out[256];
    size_t len = mux_key_encode(span_of(name), out, sizeof out);
    assert_int_equal(len, strlen(key));
    assert_string_equal(out, key);
}

static void test_every_field(void **state)
{
    (void)state;
    for (unsigned f = FIELD_none + 1; f < FIELD_COUNT; f++) {
        const char *name = field_facts((enum field)f)->name;
        char key[128];
        assert_true(mux_key_encode(span_of(name), key, sizeof key) > 0);
        assert_decodes(key, name);
        if (find(key) != f) fail_msg("%s -> %s is not found", name, key);
    }
}

/* Pairs that the SDK itself made, and all others of the recordings. */
static void seen(const char *path)
{
    struct buf file = file_read(path);
    struct span rest = buf_span(&file), line;
    unsigned pairs = 0;
    while (line_next(&rest, &line)) {
        if (line.len == 0 || line.ptr[0] == '#') continue;
        struct span key = tab_next(&line), name = line;
        unsigned expected = FIELD_none;
        if (span_is(name, "event")) expected = MUX_FIELD_EVENT;
        for (unsigned f = FIELD_none + 1; f < FIELD_COUNT; f++)
            if (span_is(name, field_facts((enum field)f)->name)) expected = f;
        if (span_is(name, "custom_1_2")) expected = FIELD_custom_12; /* the one pair that cannot be told apart */
        if (mux_key_find(keys, key) != expected) fail_msg("%.*s is not %.*s", SPAN_ARG(key), SPAN_ARG(name));
        pairs++;
    }
    assert_true(pairs > 140);
    buf_free(&file);
}

static void test_seen(void **state)
{
    (void)state;
    seen("tests/captures/keys.tsv");
    seen("tests/unit/collector/seen_keys.tsv");
}

static void test_spelling(void **state)
{
    (void)state;
    static const struct { const char *name, *key; } both[] = {
        {"view_sequence_number", "xsqno"}, {"custom_12", "c12"}, {"custom_07", "c07"}, {"viewer_user_id", "uusid"}, {"foo", "foo_"},
        {"foo_id", "foo_id"}, {"foo_bar", "foo__bar_"}, {"video_foo", "v_foo_"}, {"video_foo_id", "v_foo_id"},
        {"video_id_foo", "vid_foo_"}, {"vid_id", "vid_id"}, {"e", "e_"}, {"viewer_device_orientation", "udv_orientation_"},
        {"view_dropped_frames_count", "xdp_frames_co"}, {"asset_id", "asset_id"}, {"live_stream_id", "live_smid"},
    };
    for (size_t i = 0; i < COUNT(both); i++) {
        assert_encodes(both[i].name, both[i].key);
        assert_decodes(both[i].key, both[i].name);
    }
    assert_encodes("video__id", "vid");
    assert_encodes("custom_1_2", "c12");
    assert_decodes("_beaconCollectionDomain_", "beaconCollectionDomain"); /* Roku */
    assert_decodes("", "");
    assert_decodes("x?", "x?");
    assert_decodes("v_open", "v_open"); /* not a literal without its end; "v" is no first word with the tail "open" */
    char small[4];
    assert_int_equal(mux_key_encode(SPAN("view_id_id_id"), small, sizeof small), 0);
    assert_int_equal(mux_key_decode(SPAN("xid"), small, sizeof small), 0);
}

static void test_other_spellings(void **state)
{
    (void)state;
    static const struct { const char *key; unsigned field; } rows[] = {
        {"e", MUX_FIELD_EVENT}, {"xrqfbco", FIELD_view_request_failed_count}, {"xrqfaco", FIELD_view_request_failed_count},
        {"xrqcbco", FIELD_view_request_canceled_count}, {"xadplco", FIELD_view_ad_played_count},
        {"xadvwco", FIELD_view_ad_view_count}, {"xadvwwati", FIELD_view_ad_view_watch_time},
        {"vsohonm", FIELD_video_source_hostname}, {"vsohn", FIELD_video_source_hostname}, {"xdvor", FIELD_view_device_origin},
        {"xtitopl", FIELD_view_time_to_preroll}, {"xpevd", FIELD_view_percentage_viewed}, {"pioerda", FIELD_player_error_data},
        {"xdp_frames_co", FIELD_view_dropped_frame_count}, {"udv_orientation_", FIELD_viewer_device_orientation},
        {"v_title_", FIELD_video_title}, {"v_source_ur", FIELD_video_source_url}, {"ppbmp_data_", FIELD_player_playback_mode_data},
        {"_asset_id", FIELD_asset_id}, {"property_ke", FIELD_env_key}, {"user_id", FIELD_viewer_user_id},
        {"video_title", FIELD_none}, {"viewer_user_id", FIELD_none}, /* a customer's own keys: they do not decode */
        {"c21", FIELD_none}, {"c07", FIELD_none}, {"zzz__unknown_", FIELD_none}, {"", FIELD_none}, {"_", FIELD_none},
        {"__", FIELD_none}, {"vid_", FIELD_none}, {"E", FIELD_none}, {"xsqn", FIELD_none}, {"xsqnoo", FIELD_none},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (find(rows[i].key) != rows[i].field) fail_msg("%s: %u", rows[i].key, find(rows[i].key));
    char longest[4096];
    memset(longest, 'x', sizeof longest);
    assert_int_equal(mux_key_find(keys, span_make(longest, sizeof longest)), FIELD_none);
    memset(longest, 'a', MUX_KEY_BYTES_MAX);
    for (size_t i = 0; i + 1 < MUX_KEY_BYTES_MAX; i += 2) memcpy(longest + i, "un", 2);
    assert_int_equal(mux_key_find(keys, span_make(longest, MUX_KEY_BYTES_MAX)), FIELD_none);
}

/* docs/beacons.md has every field with its key, every other spelling and every reason. */
static void test_page(void **state)
{
    (void)state;
    struct buf page = file_read("docs/beacons.md");
    char row[256], key[128];
    for (unsigned f = FIELD_none + 1; f < FIELD_COUNT; f++) {
        const struct field_facts *facts = field_facts((enum field)f);
        assert_true(mux_key_encode(span_of(facts->name), key, sizeof key) > 0);
        (void)snprintf(row, sizeof row, "| `%s` | `%s` |", facts->name, key);
        if (strstr(page.ptr, row) == NULL) fail_msg("docs/beacons.md lacks %s", row);
        if (strstr(page.ptr, facts->meaning) == NULL) fail_msg("docs/beacons.md lacks \"%s\"", facts->meaning);
    }
    for (unsigned d = DROP_NONE + 1; d < DROP_COUNT; d++) {
        (void)snprintf(row, sizeof row, "| `%s` |", drop_name((enum drop)d));
        if (strstr(page.ptr, row) == NULL || strstr(page.ptr, drop_help((enum drop)d)) == NULL) fail_msg("docs lack %s", row);
        assert_int_equal(drop_from_name(drop_name((enum drop)d)), d);
    }
    assert_int_equal(drop_from_name("none of these"), DROP_other);
    buf_free(&page);
}

int main(void)
{
    keys = mux_keys_new();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field), cmocka_unit_test(test_seen), cmocka_unit_test(test_spelling),
        cmocka_unit_test(test_other_spellings), cmocka_unit_test(test_page),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mux_keys_free(keys);
    return failed;
}
