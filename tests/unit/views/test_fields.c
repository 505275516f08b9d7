/* SPDX-License-Identifier: Apache-2.0
 * Where fields.def says that a field goes, it goes. A view that has everything is folded without and with the field. */
#include "posts.h"

#include "base/json.h"

static const char *const events[] = {
    "viewstart",  "play",       "adbreakstart",       "adplay",        "adplaying",        "adended",        "adbreakend",
    "playing",    "hb",         "renditionchange",    "hb",            "playbackmodechange", "cdnchange",    "networkchange",
    "audiotrackchange", "texttrackchange", "playerready", "orientationchange", "requestcompleted", "requestfailed",
    "requestcanceled", "error", "viewend",
};

/* What the events have besides; # is the number of the event. */
static const char *const context[] = {
    "video_source_is_live=true", "player_program_time=9990000", "view_playing_time_ms_cumulative=1#000",
    "ad_playing_time_ms_cumulative=1#00", "view_content_playback_time=1#000", "video_source_bitrate=1000#",
    "request_start=1000", "request_response_start=1100", "request_response_end=1500", "request_bytes_loaded=1000",
    "player_startup_time=1", "page_load_time=2", "view_time_to_first_frame=3", "view_preroll_played=true",
};

/* Fields that need another value than their type's, or a view without some of the events and context. */
static const struct special { const char *field, *value, *without; } specials[] = {
    {"player_program_time", "9990000", ""},
    {"player_playback_mode", "pip", ""}, /* fullscreen at odd events */
    {"player_source_url", "https://stream.mux.com/abc.m3u8", ""},
    {"video_source_url", "https://stream.mux.com/abc.m3u8", ""},
    {"page_url", "https://www.example.com/watch", ""},
    {"video_stream_type", "live", "video_source_is_live"},
    {"video_source_duration", NULL, "video_source_is_live"},
    {"view_content_playback_time", NULL, "view_playing_time_ms_cumulative"},
    {"view_time_to_first_frame", NULL, "view_playing_time_ms_cumulative playing adplaying"},
    {"view_has_ad", NULL, "adbreakstart adplay adplaying adended adbreakend"},
    {"request_start", "1000", ""},
    {"request_response_start", "1100", ""},
    {"player_error_severity", "warning", ""},
    {"video_playback_range", "[\"0:4000\"]", ""},
};

static struct special special_of(const char *field)
{
    for (size_t i = 0; i < COUNT(specials); i++)
        if (strcmp(specials[i].field, field) == 0) return specials[i];
    return (struct special){field, NULL, ""};
}

static bool has_word(const char *words, struct span word)
{
    for (struct span rest = span_of(words); rest.len;)
        if (span_eq(cut(&rest, ' '), word)) return true;
    return false;
}

static void add_numbered(struct buf *out, const char *text, size_t number)
{
    for (; *text; text++) {
        if (*text == '#') buf_addf(out, "%02zu", number);
        else buf_addc(out, *text);
    }
}

static const char *type_value(enum field_type type)
{
    switch (type) {
    case FIELD_TEXT: case FIELD_URL: case FIELD_CONTEXT: case FIELD_JSON: case FIELD_RANGES: return "some text";
    case FIELD_MS: case FIELD_COUNTER: case FIELD_SIZE: case FIELD_BITRATE: case FIELD_TIME: return "4#0000";
    case FIELD_NUMBER: return "0.5";
    case FIELD_BOOL: return "true";
    }
    return "";
}

/* The row of the view as JSON, with or without the field. */
static struct buf row_of(const struct field_facts *facts, bool with)
{
    const struct special special = special_of(facts->name);
    struct buf text, out;
    buf_init(&text, 1 << 20);
    buf_init(&out, 1 << 20);
    buf_adds(&text, "@ 11000000\n");
    for (size_t e = 0; e < COUNT(events); e++) {
        if (has_word(special.without, span_of(events[e]))) continue;
        buf_addf(&text, "%zu %s %zu", e + 1, events[e], 10000000 + e * 1000);
        for (size_t c = 0; c < COUNT(context); c++) {
            struct span rest = span_of(context[c]), name = cut(&rest, '=');
            if (span_is(name, facts->name) || has_word(special.without, name)) continue;
            buf_adds(&text, "; ");
            add_numbered(&text, context[c], e + 1);
        }
        if (with) buf_addf(&text, "; %s=", facts->name);
        const char *value = special.value ? special.value : type_value(facts->type);
        if (with) add_numbered(&text, e % 2 && strcmp(value, "pip") == 0 ? "fullscreen" : value, e + 1);
        buf_addc(&text, '\n');
    }
    buf_addc(&text, 0);
    struct folded *f = folded_of(text.ptr);
    view_row_write(&f->row, &out);
    folded_free(f);
    buf_free(&text);
    return out;
}

static void check_changes(const struct field_facts *facts, const struct json_doc docs[2], struct span column)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%.*s", SPAN_ARG(column));
    const struct json_node *without = json_get(&docs[0], docs[0].nodes, name), *with = json_get(&docs[1], docs[1].nodes, name);
    if (without == NULL) fail_msg("%s goes to %s, which is no column", facts->name, name);
    else if (facts->kept && span_eq(without->raw, with->raw)) fail_msg("%s does not change %s", facts->name, name);
}

static void test_goes_where_it_says(void **state)
{
    (void)state;
    struct json_parser *parsers[2] = {json_parser_new(), json_parser_new()};
    for (unsigned f = FIELD_none + 1; f < FIELD_COUNT; f++) {
        const struct field_facts *facts = field_facts((enum field)f);
        struct buf rows[2];
        struct json_doc docs[2];
        for (int i = 0; i < 2; i++) {
            rows[i] = row_of(facts, i == 1);
            assert_true(json_parse(parsers[i], buf_span(&rows[i]), 100000, &docs[i], NULL));
        }
        if (!facts->kept && !span_eq(buf_span(&rows[0]), buf_span(&rows[1]))) fail_msg("%s changes the view", facts->name);
        if (facts->column != ROW_none)
            check_changes(facts, docs, span_of(row_column_facts((enum row_column)facts->column)->name));
        for (struct span into = span_of(facts->into); into.len;) check_changes(facts, docs, cut(&into, ' '));
        for (int i = 0; i < 2; i++) buf_free(&rows[i]);
    }
    for (int i = 0; i < 2; i++) json_parser_free(parsers[i]);
}

/* A kept field has a target; a maximum of a field's own is within its type's. */
static void test_rows(void **state)
{
    (void)state;
    for (unsigned f = FIELD_none + 1; f < FIELD_COUNT; f++) {
        const struct field_facts *facts = field_facts((enum field)f);
        if (facts->kept && facts->column == ROW_none && facts->into[0] == 0) fail_msg("%s goes nowhere", facts->name);
        int64_t most = field_type_facts(facts->type)->most;
        if (facts->most && most && facts->most >= most) fail_msg("%s has no maximum of its own", facts->name);
        assert_int_equal(view_keeps((enum field)f), facts->kept);
    }
    assert_int_equal(field_type_facts(FIELD_TEXT)->most, 1024);
    assert_int_equal(field_type_facts(FIELD_RANGES)->most, 8192);
    assert_int_equal(field_type_facts(FIELD_BITRATE)->most, INT32_MAX);
    assert_int_equal(field_facts(FIELD_env_key)->merge, FIELD_FIRST);
    assert_false(view_keeps(FIELD_none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_goes_where_it_says), cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
