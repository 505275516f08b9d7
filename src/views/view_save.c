/* SPDX-License-Identifier: Apache-2.0
 * A view as bytes, for the checkpoint, and back. Texts of the shard are written out, so that the bytes stand alone.
 * What can be computed from the events is computed at loading; what is read is checked whole, record by record, so
 * that bytes which view_save did not write are refused or at least do no harm.
 *
 *   u8 version, environment_id[24], i64 property, varint+bytes view_id, i64 first and last receipt, i64 clock offset,
 *   u32 start and end sequence, u8 backfilled, u32 and i64 event and receipt that gave the viewer, viewer (texts as
 *   varint+bytes, u32 asn, u8 has_location, u16 u16 tenths of degrees), varint posts and each i64, varint texts and
 *   each varint 1 + offset in data, or varint 0 and varint+bytes; varint+bytes data. Integers little-endian. */
#include <stdlib.h>

#include "views/view_private.h"

enum { SAVE_VERSION = 1 };

static void save_text(struct buf *out, struct span text)
{
    buf_add_varint(out, text.len);
    buf_add_span(out, text);
}

void view_save(const struct view *v, struct buf *out)
{
    buf_add_u8(out, SAVE_VERSION);
    buf_add(out, v->environment_id, sizeof v->environment_id);
    buf_add_u64(out, (uint64_t)v->property_id);
    save_text(out, view_key_id(v));
    buf_add_u64(out, (uint64_t)v->first_receipt_ms);
    buf_add_u64(out, (uint64_t)v->last_receipt_ms);
    buf_add_u64(out, (uint64_t)v->clock_offset_ms);
    buf_add_u32(out, v->start_sequence);
    buf_add_u32(out, v->end_sequence);
    buf_add_u8(out, v->backfilled);
    buf_add_u32(out, v->viewer_sequence);
    buf_add_u64(out, (uint64_t)v->viewer_receipt_ms);
#define X(name) save_text(out, view_strings_text(v->strings, v->viewer.name));
    VIEWER_TEXTS(X)
#undef X
    buf_add_u32(out, v->viewer.asn);
    buf_add_u8(out, v->viewer.has_location);
    buf_add_u16(out, (uint16_t)v->viewer.latitude_tenths);
    buf_add_u16(out, (uint16_t)v->viewer.longitude_tenths);
    buf_add_varint(out, v->post_count);
    for (uint16_t i = 0; i < v->post_count; i++) buf_add_u64(out, (uint64_t)v->posts[i]);
    buf_add_varint(out, v->text_count);
    for (uint16_t i = 0; i < v->text_count; i++) {
        if (v->texts[i] & TEXT_IN_DATA) {
            buf_add_varint(out, 1 + (uint64_t)(v->texts[i] & ~TEXT_IN_DATA));
        } else {
            buf_add_varint(out, 0);
            save_text(out, view_text(v, i));
        }
    }
    save_text(out, (struct span){(const char *)v->data, v->data_len});
}

static struct span load_text(struct bytes *in)
{
    return bytes_span(in, (size_t)bytes_varint(in));
}

static struct view *load_head(struct view_strings *strings, struct bytes *in)
{
    uint8_t version = bytes_u8(in);
    struct span environment = bytes_span(in, sizeof((struct view *)NULL)->environment_id);
    int64_t property_id = (int64_t)bytes_u64(in);
    struct span view_id = load_text(in);
    if (!in->ok || version != SAVE_VERSION || view_id.len == 0 || view_id.len > FIELD_MOST_view_id) return NULL;
    if (environment.ptr[environment.len - 1] != 0) return NULL;
    struct beacon_env env = {.property_id = property_id};
    memcpy(env.id, environment.ptr, sizeof env.id);
    struct beacon b = {.envs = &env, .env_count = 1};
    struct beacon_event e = {.view_id = view_id};
    return view_new(strings, &b, &e);
}

static void load_viewer(struct view *v, struct bytes *in)
{
#define X(name) v->viewer.name = view_strings_take(v->strings, load_text(in));
    VIEWER_TEXTS(X)
#undef X
    v->viewer.asn = bytes_u32(in);
    v->viewer.has_location = bytes_u8(in) != 0;
    v->viewer.latitude_tenths = (int16_t)bytes_u16(in);
    v->viewer.longitude_tenths = (int16_t)bytes_u16(in);
}

static bool load_posts(struct view *v, struct bytes *in)
{
    uint64_t count = bytes_varint(in);
    if (!in->ok || count > UINT16_MAX || count * sizeof *v->posts > bytes_left(in)) return false;
    v->posts = malloc((count + 1) * sizeof *v->posts);
    BUG_IF(v->posts == NULL);
    for (; v->post_count < count; v->post_count++) v->posts[v->post_count] = (int64_t)bytes_u64(in);
    v->post_cap = v->post_count;
    return true;
}

static bool load_texts(struct view *v, struct bytes *in)
{
    uint64_t count = bytes_varint(in);
    if (!in->ok || count > VIEW_TEXTS_MAX || count > bytes_left(in)) return false;
    v->texts = malloc((count + 1) * sizeof *v->texts);
    BUG_IF(v->texts == NULL);
    v->text_cap = (uint16_t)count;
    while (v->text_count < count && in->ok) {
        uint64_t where = bytes_varint(in);
        if (where > VIEW_BYTES_MAX) return false;
        if (where) {
            v->texts[v->text_count++] = (uint32_t)(where - 1) | TEXT_IN_DATA;
            continue;
        }
        struct span text = load_text(in);
        v->texts[v->text_count++] = view_strings_take(v->strings, text);
        v->shared_bytes += (uint32_t)text.len;
    }
    return in->ok;
}

static bool load_data(struct view *v, struct bytes *in)
{
    struct span data = load_text(in);
    if (!in->ok || data.len > VIEW_BYTES_MAX) return false;
    v->data = malloc(data.len + 1);
    BUG_IF(v->data == NULL);
    if (data.len) memcpy(v->data, data.ptr, data.len);
    v->data_len = v->data_cap = (uint32_t)data.len;
    for (uint16_t i = 0; i < v->text_count; i++) {
        if (v->texts[i] & TEXT_IN_DATA && (v->texts[i] & ~TEXT_IN_DATA) >= v->data_len) return false;
    }
    return true;
}

static int sequence_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool load_runs(struct view *v, uint32_t *sequences)
{
    qsort(sequences, v->event_count, sizeof *sequences, sequence_order);
    uint32_t runs = 1;
    for (uint32_t i = 1; i < v->event_count; i++) {
        if (sequences[i] == sequences[i - 1]) return false;
        if (sequences[i] != sequences[i - 1] + 1) runs++;
    }
    if (runs > 1) {
        v->runs = malloc(runs * sizeof *v->runs);
        BUG_IF(v->runs == NULL);
        v->run_cap = runs;
    }
    for (uint32_t i = 0; i < v->event_count; i++) {
        if (i && sequences[i] == sequences[i - 1] + 1) v->runs[v->run_count - 1].high = sequences[i];
        else v->runs[v->run_count++] = (struct view_run){sequences[i], sequences[i]};
    }
    return true;
}

/* Reads every record and value once: what is refused here cannot trouble a fold. */
static bool load_events(struct view *v)
{
    uint32_t sequences[VIEW_EVENTS_MAX];
    struct view_reader r;
    struct view_record record;
    struct beacon_value value;
    view_reader_init(&r, v);
    while (view_reader_next(&r, &record)) {
        if (v->event_count == VIEW_EVENTS_MAX) return false;
        sequences[v->event_count++] = record.sequence;
        if (record.viewer_time_ms > v->newest_event_ms) v->newest_event_ms = record.viewer_time_ms;
        uint32_t values = 0;
        while (view_reader_value(&r, &record, NULL, &value)) values++;
        if (!record.values.ok || values > VIEW_EVENT_VALUES_MAX) return false;
    }
    if (!r.in.ok || v->event_count == 0 || r.expanded > VIEW_EXPANDED_MAX) return false;
    v->last_sequence = r.sequence;
    v->last_time_ms = r.time_ms;
    v->expanded = (uint32_t)r.expanded;
    for (unsigned i = 0; i < VIEW_ANCHORS; i++) {
        if (r.anchors[i].len == 0) continue;
        v->anchors[i].offset = (uint32_t)(r.anchors[i].ptr - (const char *)v->data);
        v->anchors[i].len = (uint32_t)r.anchors[i].len;
    }
    return load_runs(v, sequences);
}

static bool sequence_known(const struct view *v, uint32_t sequence)
{
    for (uint32_t i = 0; i < v->run_count; i++) {
        if (sequence >= v->runs[i].low && sequence <= v->runs[i].high) return true;
    }
    return sequence == SEQUENCE_NONE;
}

struct view *view_load(struct view_strings *strings, struct bytes *in)
{
    struct view *v = load_head(strings, in);
    if (v == NULL) return NULL;
    v->first_receipt_ms = (int64_t)bytes_u64(in);
    v->last_receipt_ms = (int64_t)bytes_u64(in);
    v->clock_offset_ms = (int64_t)bytes_u64(in);
    v->start_sequence = bytes_u32(in);
    v->end_sequence = bytes_u32(in);
    v->backfilled = bytes_u8(in) != 0;
    v->viewer_sequence = bytes_u32(in);
    v->viewer_receipt_ms = (int64_t)bytes_u64(in);
    load_viewer(v, in);
    bool good = in->ok && load_posts(v, in) && load_texts(v, in) && load_data(v, in) && load_events(v);
    if (!good || !sequence_known(v, v->start_sequence) || !sequence_known(v, v->end_sequence)) {
        view_free(v);
        return NULL;
    }
    view_texts_index(v);
    return v;
}
