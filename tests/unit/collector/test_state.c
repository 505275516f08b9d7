/* SPDX-License-Identifier: Apache-2.0
 * The rebuilt state of every recorded event against the SDK's own full record at that event (tests/captures/all.state.jsonl,
 * from its debug log). What the record knows and the server keeps must be there with the same value, and nothing else.
 *
 * Known differences, each allowed here by its rule alone:
 *   first values    player_startup_time and page_load_time are forgotten by the SDK after playerready, the server keeps them
 *   own fields      request_*, ad_*, player_error_* belong to their event; the SDK's record keeps leftovers of the former
 *   lost events     what changed in an event that the SDK never sent is unknown until it is sent again
 *   next source     playhead and ranges of a viewend whose playhead went back are not taken
 *   key collisions  the keys of "keys-odd" that two names share */
#include "captures.h"

#include "collector/formats/format.h"
#include "collector/formats/mux.h"
#include "views/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { VIEWS_MAX = 256, PLAYERS_MAX = 256, ARENA_BYTES_MAX = 256 << 20 };

/* A value of each field, or none. */
struct record {
    struct beacon_value value[FIELD_COUNT];
    bool known[FIELD_COUNT];
};
struct recorded_view {
    struct span capture, id;
    struct view *view;
    bool sent[4096];             /* by sequence */
    bool unknown[FIELD_COUNT];   /* changed in an event that was never sent */
    struct record first;         /* the first value that the SDK's record had */
};
struct player {
    struct span id;
    struct record record;
};

static struct recorded_view views[VIEWS_MAX];
static struct player players[PLAYERS_MAX];
static size_t view_count, player_count, compared, own_compared;
static struct view_strings *strings;
static struct arena arena, state_arena;
static struct formats *formats;
static struct mux_keys *keys;

static enum drop judge(void *ctx, struct span env_key, struct beacon_env *out)
{
    (void)ctx, (void)env_key;
    *out = (struct beacon_env){.id = "env", .property_id = 1, .backfill = true};
    return DROP_NONE;
}

static struct recorded_view *view_find(struct span capture, struct span id)
{
    for (size_t i = 0; i < view_count; i++)
        if (span_eq(views[i].capture, capture) && span_eq(views[i].id, id)) return &views[i];
    return NULL;
}

static void take_post(struct span capture, struct span body, struct json_parser *json)
{
    struct format_output out = {.why = NULL};
    struct format_input in = {.body = arena_copy(&arena, body), .received_ms = 1795500000000, .json = json,
                              .arena = &arena, .judge = judge};
    if (format_decode(formats, 1, &in, &out) != DROP_NONE) return;
    for (uint32_t i = 0; i < out.beacon.event_count; i++) {
        const struct beacon_event *e = &out.beacon.events[i];
        struct recorded_view *v = view_find(capture, e->view_id);
        if (v == NULL) {
            assert_in_range(view_count, 0, VIEWS_MAX - 1);
            v = &views[view_count++];
            *v = (struct recorded_view){.capture = capture, .id = e->view_id, .view = view_new(strings, &out.beacon, e)};
        }
        assert_in_range(e->sequence, 0, COUNT(v->sent) - 1);
        v->sent[e->sequence] = true;
        assert_int_not_equal(view_apply(v->view, &out.beacon, e), VIEW_FULL);
    }
}

static void take_capture(struct span name, const char *suffix)
{
    struct json_parser *lines = json_parser_new(), *bodies = json_parser_new();
    struct json_doc doc;
    struct buf file = capture_read(name.ptr, suffix);
    struct span rest = buf_span(&file), line;
    while (line_next(&rest, &line)) {
        assert_true(json_parse(lines, line, 100000, &doc, NULL));
        take_post(name, json_string(json_get(&doc, doc.nodes, "body")), bodies);
    }
    buf_free(&file);
    json_parser_free(lines);
    json_parser_free(bodies);
}

static struct player *player_of(struct span id)
{
    for (size_t i = 0; i < player_count; i++)
        if (span_eq(players[i].id, id)) return &players[i];
    assert_in_range(player_count, 0, PLAYERS_MAX - 1);
    players[player_count].id = arena_copy(&arena, id);
    return &players[player_count++];
}

static unsigned field_of(struct span name)
{
    char key[256], text[256];
    (void)snprintf(text, sizeof text, "%.*s", SPAN_ARG(name));
    size_t len = mux_key_encode(span_of(text), key, sizeof key);
    unsigned field = mux_key_find(keys, span_make(key, len));
    return field < FIELD_COUNT && view_keeps((enum field)field) ? field : FIELD_none;
}

static bool is_text(unsigned field)
{
    enum field_type type = field_facts((enum field)field)->type;
    return type == FIELD_TEXT || type == FIELD_URL || type == FIELD_CONTEXT || type == FIELD_JSON || type == FIELD_RANGES;
}

static bool same_value(const struct beacon_value *a, const struct beacon_value *b)
{
    if (is_text(a->field)) return span_eq(a->v.s, b->v.s);
    return a->v.i == b->v.i; /* the same bits: both were read from the same text */
}

static void record_set(struct record *r, const struct json_node *name, const struct json_node *node)
{
    unsigned field = field_of(name->v.s);
    struct beacon_value value;
    if (field == FIELD_none) return;
    r->known[field] = mux_value((enum field)field, node, &value);
    if (r->known[field] && is_text(field)) value.v.s = arena_copy(&arena, value.v.s);
    if (r->known[field] && is_text(field) && value.v.s.len == 0) r->known[field] = false; /* "" is unset */
    r->value[field] = value;
}

static void fail_value(const struct recorded_view *v, int64_t sequence, unsigned field, const char *what)
{
    fail_msg("%.*s, view %.*s, event %d: %s %s", SPAN_ARG(v->capture), SPAN_ARG(v->id), (int)sequence,
             field_facts((enum field)field)->name, what);
}

static void rebuilt_take(void *ctx, const struct beacon_value *value)
{
    struct record *r = ctx;
    r->value[value->field] = *value;
    r->known[value->field] = !is_text(value->field) || value->v.s.len > 0;
}

static bool next_source(const struct recorded_view *v, int64_t sequence, const struct record *record)
{
    struct record before = {.known = {false}};
    view_state(v->view, (uint32_t)sequence - 1, &state_arena, rebuilt_take, &before);
    unsigned head = FIELD_player_playhead_time;
    return before.known[head] && record->known[head] && record->value[head].v.i < before.value[head].v.i;
}

/* The event's own fields: those of its kind all, others may be left over in the SDK's record only. */
static void check_own(const struct recorded_view *v, int64_t sequence, unsigned field, struct span event,
                      const struct record *sdk, const struct record *state)
{
    struct span name = span_of(field_facts((enum field)field)->name);
    bool all = (span_starts(name, SPAN("player_error_")) && span_is(event, "error")) ||
               (span_starts(name, SPAN("request_")) && span_starts(event, SPAN("request")));
    if (all && sdk->known[field] && !state->known[field]) fail_value(v, sequence, field, "is missing");
    if (!state->known[field]) return;
    own_compared++;
    if (!sdk->known[field] || !same_value(&sdk->value[field], &state->value[field]))
        fail_value(v, sequence, field, "is not the SDK's");
}

static void check_event(struct recorded_view *v, int64_t sequence, struct span event, const struct record *sdk)
{
    struct record state = {.known = {false}};
    arena_reset(&state_arena);
    view_state(v->view, (uint32_t)sequence, &state_arena, rebuilt_take, &state);
    bool foreign = span_is(event, "viewend") && next_source(v, sequence, sdk);
    for (unsigned field = 1; field < FIELD_COUNT; field++) {
        if (!view_keeps((enum field)field)) continue;
        if (foreign && (field == FIELD_player_playhead_time || field == FIELD_video_playback_range)) continue;
        enum field_merge merge = field_facts((enum field)field)->merge;
        if (sdk->known[field] && !v->first.known[field]) {
            v->first.known[field] = true;
            v->first.value[field] = sdk->value[field];
        }
        if (v->unknown[field]) continue;
        const struct record *want = merge == FIELD_FIRST ? &v->first : sdk;
        if (merge == FIELD_EVENT) {
            check_own(v, sequence, field, event, sdk, &state);
            continue;
        }
        if (want->known[field] != state.known[field]) fail_value(v, sequence, field, want->known[field] ? "is missing" : "is too much");
        if (!want->known[field]) continue;
        compared++;
        if (!same_value(&want->value[field], &state.value[field])) fail_value(v, sequence, field, "is not the SDK's");
    }
}

/* [capture, player, view, sequence, event, {changed: value}, [gone]] */
static void take_state(const struct json_doc *doc)
{
    const struct json_node *n[7] = {json_first(doc->nodes)};
    for (size_t i = 1; i < COUNT(n); i++) n[i] = json_next(doc, n[i - 1]);
    struct player *player = player_of(n[1]->v.s);
    struct recorded_view *v = view_find(n[0]->v.s, n[2]->v.s);
    bool odd = span_is(n[0]->v.s, "keys-odd"), sent = v && v->sent[n[3]->v.i];
    const struct json_node *member = json_first(n[5]);
    for (uint32_t i = 0; i < n[5]->count; i++, member = json_next(doc, member + 1)) {
        unsigned field = field_of(member->v.s);
        record_set(&player->record, member, member + 1);
        if (v && field != FIELD_none) v->unknown[field] = !sent || (odd && v->unknown[field]);
        if (odd && v && (span_starts(member->v.s, SPAN("custom_1")) || span_starts(member->v.s, SPAN("video_")))) v->unknown[field] = true;
    }
    const struct json_node *gone = json_first(n[6]);
    for (uint32_t i = 0; i < n[6]->count; i++, gone = json_next(doc, gone))
        player->record.known[field_of(gone->v.s)] = false;
    if (sent) check_event(v, n[3]->v.i, n[4]->v.s, &player->record);
}

static void test_states(void **state)
{
    (void)state;
    struct buf file = file_read("tests/captures/all.state.jsonl");
    struct json_parser *json = json_parser_new();
    struct span rest = buf_span(&file), line;
    struct json_doc doc;
    size_t events = 0;
    for (; line_next(&rest, &line); events++) {
        assert_true(json_parse(json, line, 100000, &doc, NULL));
        take_state(&doc);
    }
    printf("%zu events, %zu values of the state and %zu of events compared\n", events, compared, own_compared);
    assert_true(events > 500 && compared > 20000 && own_compared > 1000);
    json_parser_free(json);
    buf_free(&file);
}

int main(void)
{
    arena_init(&arena, ARENA_BYTES_MAX);
    arena_init(&state_arena, ARENA_BYTES_MAX);
    formats = formats_new();
    keys = mux_keys_new();
    strings = view_strings_new();
    for (size_t i = 0; i < COUNT(capture_names); i++) take_capture(span_of(capture_names[i]), ".jsonl");
    take_capture(SPAN("status-codes"), ".jsonl.gz");
    take_capture(SPAN("url-forms"), ".jsonl.gz");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_states)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < view_count; i++) view_free(views[i].view);
    view_strings_free(strings);
    mux_keys_free(keys);
    formats_free(formats);
    arena_free(&arena);
    arena_free(&state_arena);
    return failed;
}
