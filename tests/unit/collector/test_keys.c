/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/drop.h"
#include "collector/formats/keys.h"
#include "views/row.h"

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

static void add_thousands(struct buf *out, int64_t n)
{
    if (n >= 1000) add_thousands(out, n / 1000);
    buf_addf(out, n >= 1000 ? ",%03d" : "%d", (int)(n % 1000));
}

static void add_type(struct buf *out, const struct field_facts *facts)
{
    const struct field_type_facts *type = field_type_facts(facts->type);
    buf_adds(out, type->text);
    if (type->most == 0 || type->most == 1 || type->most >= INT32_MAX) return; /* told above the table */
    buf_adds(out, facts->most ? ", 1 to " : ", ");
    add_thousands(out, facts->most ? facts->most : type->most);
}

static void add_target(struct buf *out, const struct field_facts *facts)
{
    bool column = facts->column != ROW_none;
    struct span into = span_of(facts->into);
    if (column) buf_addf(out, "`%s`", row_column_facts((enum row_column)facts->column)->name);
    else if (into.len == 0) buf_adds(out, "not stored");
    if (into.len) buf_adds(out, column ? "; for " : "for ");
    for (bool first = true; into.len; first = false) {
        ptrdiff_t blank = span_find(into, ' ');
        struct span name = blank < 0 ? into : span_upto(into, (size_t)blank);
        buf_addf(out, "%s`%.*s`", first ? "" : ", ", SPAN_ARG(name));
        into = blank < 0 ? span_upto(into, 0) : span_from(into, (size_t)blank + 1);
    }
}

/* The table of docs/beacons.md as fields.def has it. */
static struct buf fields_table(void)
{
    static const char *const kept[] = {
        [FIELD_LAST] = "last", [FIELD_FIRST] = "first", [FIELD_ONCE] = "once true", [FIELD_EVENT] = "the event"};
    struct buf out;
    buf_init(&out, 1 << 20);
    buf_adds(&out, "| field | key | type | kept | goes to | meaning |\n|---|---|---|---|---|---|\n");
    for (unsigned f = FIELD_none + 1; f < FIELD_COUNT; f++) {
        const struct field_facts *facts = field_facts((enum field)f);
        bool stored = facts->column != ROW_none || facts->into[0];
        char key[128];
        assert_true(mux_key_encode(span_of(facts->name), key, sizeof key) > 0);
        buf_addf(&out, "| `%s` | `%s` | ", facts->name, key);
        add_type(&out, facts);
        buf_addf(&out, " | %s | ", stored ? kept[facts->merge] : "");
        add_target(&out, facts);
        buf_addf(&out, " | %s |\n", facts->meaning);
    }
    return out;
}

/* The table of fields in docs/beacons.md is what fields.def says. FIRSTFRAME_WRITE_DOCS=1 writes it. */
static void test_fields_page(void **state)
{
    (void)state;
    struct buf page = file_read("docs/beacons.md"), table = fields_table();
    ptrdiff_t from = span_find_span(buf_span(&page), SPAN("| field | key |"));
    assert_true(from > 0);
    ptrdiff_t len = span_find_span(span_from(buf_span(&page), (size_t)from), SPAN("\n\n"));
    assert_true(len > 0);
    struct span is = span_upto(span_from(buf_span(&page), (size_t)from), (size_t)len + 1);
    if (getenv("FIRSTFRAME_WRITE_DOCS")) {
        FILE *out = fopen(FF_SOURCE_DIR "/docs/beacons.md", "w");
        assert_non_null(out);
        const struct span parts[] = {span_upto(buf_span(&page), (size_t)from), buf_span(&table),
                                     span_from(buf_span(&page), (size_t)(from + len + 1))};
        for (size_t i = 0; i < COUNT(parts); i++) assert_int_equal(fwrite(parts[i].ptr, 1, parts[i].len, out), parts[i].len);
        assert_int_equal(fclose(out), 0);
    } else if (!span_eq(is, buf_span(&table))) {
        fail_msg("docs/beacons.md is not what fields.def says; run this test with FIRSTFRAME_WRITE_DOCS=1");
    }
    buf_free(&table);
    buf_free(&page);
}

/* docs/beacons.md has every reason. */
static void test_page(void **state)
{
    (void)state;
    struct buf page = file_read("docs/beacons.md");
    char row[256];
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
        cmocka_unit_test(test_other_spellings), cmocka_unit_test(test_page), cmocka_unit_test(test_fields_page),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mux_keys_free(keys);
    return failed;
}
