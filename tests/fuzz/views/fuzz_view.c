/* SPDX-License-Identifier: Apache-2.0
 * Events made of arbitrary bytes: added, folded (timeline, ranges and all), saved, loaded and folded again. Both rows must
 * be the same. Then the input itself as a saved view.
 *
 * Input: for each event 4 bytes (name, sequence, time, number of values), then for each value a field and a length byte
 * and that many bytes, read by the field's type. */
#include <math.h>
#include <stdlib.h>

#include "views/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROW_BYTES_MAX = 64 << 20, FOLD_BYTES_MAX = 256 << 20, VALUES_MAX = 64 };

static struct beacon_value read_value(struct bytes *in)
{
    struct beacon_value value = {.field = (uint16_t)(1 + bytes_u16(in) % (FIELD_COUNT - 1))};
    struct span text = bytes_span(in, bytes_u8(in));
    uint64_t bits = 0;
    if (text.len) memcpy(&bits, text.ptr, text.len < sizeof bits ? text.len : sizeof bits);
    switch (field_facts((enum field)value.field)->type) {
    case FIELD_TEXT:
    case FIELD_URL:
    case FIELD_CONTEXT:
    case FIELD_JSON:
    case FIELD_RANGES: value.v.s = text; break;
    case FIELD_BOOL: value.v.i = bits & 1; break;
    case FIELD_TIME: value.v.i = (int64_t)(bits & INT64_MAX); break;
    case FIELD_NUMBER:
        memcpy(&value.v.d, &bits, sizeof value.v.d);
        if (!isfinite(value.v.d) || value.v.d < 0) value.v.d = (double)(bits >> 12);
        break;
    case FIELD_MS:
    case FIELD_COUNTER:
    case FIELD_SIZE:
    case FIELD_BITRATE: value.v.i = (int64_t)(bits & INT32_MAX); break;
    }
    return value;
}

static void add_events(struct view_strings *strings, struct view **view, struct bytes *in)
{
    struct beacon_env env = {.id = "env"};
    struct beacon b = {.envs = &env, .env_count = 1, .received_ms = 1000000};
    while (in->ok && bytes_left(in)) {
        struct beacon_value values[VALUES_MAX];
        struct beacon_event e = {.view_id = SPAN("v"), .values = values};
        e.name = bytes_u8(in) % EVENT_COUNT;
        e.name_text = SPAN("other");
        e.sequence = bytes_u8(in);
        uint8_t time = bytes_u8(in), count = bytes_u8(in);
        e.viewer_time_ms = time == 255 ? INT64_MIN : 990000 + 50 * (int64_t)time;
        for (; count % VALUES_MAX > e.value_count && in->ok; e.value_count++) values[e.value_count] = read_value(in);
        b.received_ms += (int64_t)time - 100;
        b.clock_offset_ms = time * (int64_t)time * 10 - 60000;
        env.strip_query = time & 1;
        if (!in->ok) return;
        if (*view == NULL) *view = view_new(strings, &b, &e);
        (void)!view_apply(*view, &b, &e);
    }
}

static void write_row(const struct view *v, struct buf *out)
{
    struct arena arena;
    struct view_row row;
    arena_init(&arena, FOLD_BYTES_MAX);
    buf_init(out, ROW_BYTES_MAX);
    view_fold(v, true, NULL, NULL, &arena, &row);
    view_row_write(&row, out);
    arena_free(&arena);
}

static void load_and_compare(struct view_strings *strings, const struct view *v)
{
    struct buf saved, a, b;
    buf_init(&saved, ROW_BYTES_MAX);
    view_save(v, &saved);
    struct bytes in = bytes_of(buf_span(&saved));
    struct view *again = view_load(strings, &in);
    BUG_IF(again == NULL || bytes_left(&in) != 0);
    write_row(v, &a);
    write_row(again, &b);
    BUG_IF(!span_eq(buf_span(&a), buf_span(&b)));
    buf_free(&saved), buf_free(&a), buf_free(&b);
    view_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view_strings *strings = view_strings_new();
    struct view *v = NULL;
    struct bytes in = bytes_of(span_make(data, size));
    add_events(strings, &v, &in);
    if (v && view_event_count(v)) load_and_compare(strings, v);
    view_free(v);
    in = bytes_of(span_make(data, size));
    v = view_load(strings, &in);
    if (v) {
        struct buf row;
        write_row(v, &row);
        buf_free(&row);
    }
    view_free(v);
    view_strings_free(strings);
    return 0;
}
