/* SPDX-License-Identifier: Apache-2.0 */
#include "posts.h"

static void test_event_names(void **state)
{
    (void)state;
    for (unsigned e = 1; e < EVENT_COUNT; e++) {
        const char *text = event_name_text((enum event_name)e);
        assert_true(text[0] != 0);
        assert_int_equal(event_name_of(span_of(text)), e);
        assert_int_equal(event_name_of(span_upto(span_of(text), strlen(text) - 1)) == e, false);
    }
    static const char *const unknown[] = {"", "Play", "plays", "zzz", "a", "viewstart ", "fragmentchange"};
    for (size_t i = 0; i < COUNT(unknown); i++) assert_int_equal(event_name_of(span_of(unknown[i])), EVENT_OTHER);
    assert_string_equal(event_name_text(EVENT_OTHER), "");
}

static void test_fields(void **state)
{
    (void)state;
    assert_string_equal(field_facts(FIELD_video_title)->name, "video_title");
    assert_int_equal(field_facts(FIELD_video_title)->type, FIELD_TEXT);
    assert_int_equal(field_facts(FIELD_session_id)->merge, FIELD_FIRST);
    assert_int_equal(field_facts(FIELD_view_has_ad)->merge, FIELD_ONCE);
    for (unsigned f = 1; f < FIELD_COUNT; f++) {
        assert_int_equal(field_named(span_of(field_facts((enum field)f)->name)), f); /* no name twice */
        assert_true(field_facts((enum field)f)->meaning[0] != 0);
    }
}

/* The track fields are forgotten by range. */
static void test_track_fields_lie_together(void **state)
{
    (void)state;
    for (unsigned f = FIELD_player_audio_track_enabled; f <= FIELD_player_audio_track_bitrate; f++)
        assert_true(span_starts(span_of(field_facts((enum field)f)->name), SPAN("player_audio_track_")));
    for (unsigned f = FIELD_player_text_track_enabled; f <= FIELD_player_text_track_bitrate; f++)
        assert_true(span_starts(span_of(field_facts((enum field)f)->name), SPAN("player_text_track_")));
}

static void test_columns(void **state)
{
    (void)state;
    assert_string_equal(row_column_facts(ROW_watch_time)->name, "watch_time");
    assert_int_equal(row_column_facts(ROW_watch_time)->kind, ROW_KIND_I32);
    assert_int_equal(row_column_facts(ROW_watch_time)->offset, offsetof(struct view_row, watch_time));
}

static void test_error_ids(void **state)
{
    (void)state;
    int32_t id = error_type_id(SPAN("4"), SPAN("MEDIA_ERR"));
    assert_true(id > 0);
    assert_int_equal(id, error_type_id(SPAN("4"), SPAN("MEDIA_ERR")));
    assert_int_not_equal(id, error_type_id(SPAN("4M"), SPAN("EDIA_ERR")));
    assert_int_not_equal(id, error_type_id(SPAN("4"), (struct span){NULL, 0}));
    assert_int_not_equal(error_type_id(SPAN("4"), SPAN("")), error_type_id(SPAN(""), SPAN("4")));
    assert_true(error_type_id(SPAN(""), SPAN("")) > 0);
    assert_int_equal(error_type_id(SPAN("7"), SPAN("boom")), 1463589582); /* stored: must never change */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_names), cmocka_unit_test(test_fields),
        cmocka_unit_test(test_track_fields_lie_together), cmocka_unit_test(test_columns),
        cmocka_unit_test(test_error_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
