/* SPDX-License-Identifier: Apache-2.0
 * The checkpoint of a table.
 *
 *   u32 magic, u16 version, u16 fields, u64 hash of their names and types, u16 events, u64 hash of their names,
 *   i64 newest receipt, u64 open views, each: varint version, varint shown, i64 ended, then view_save;
 *   u64 tombstones, each: u64 u64 id, u32 final, u32 complete_to;
 *   u32 CRC32C of everything before. Integers little-endian. */
#include <stdlib.h>

#include "views/table_private.h"

enum { CHECKPOINT_MAGIC = 0x56544646, CHECKPOINT_VERSION = 1, CHUNK_BYTES = 64 * 1024, CHUNK_BYTES_MAX = 64 << 20 };

/* Numbers of rows are stored, so the first `count` rows of the tables must be those that were saved. */
static uint64_t fields_hash(unsigned count)
{
    uint64_t h = 0;
    for (unsigned i = 1; i < count; i++) {
        const struct field_facts *facts = field_facts((enum field)i);
        h = hash64(span_of(facts->name), h) + (uint64_t)facts->type;
    }
    return h;
}

static uint64_t events_hash(unsigned count)
{
    uint64_t h = 0;
    for (unsigned i = 1; i < count; i++) h = hash64(span_of(event_name_text((enum event_name)i)), h);
    return h;
}

struct saver {
    struct buf chunk;
    uint32_t crc;
    view_table_sink *sink;
    void *ctx;
    bool good;
};

static void saver_flush(struct saver *s, size_t at_least)
{
    if (!s->good || s->chunk.len < at_least) return;
    s->crc = crc32c(s->crc, s->chunk.ptr, s->chunk.len);
    s->good = !s->chunk.failed && s->sink(s->ctx, buf_span(&s->chunk));
    buf_clear(&s->chunk);
}

bool view_table_save(const struct view_table *t, view_table_sink *sink, void *ctx)
{
    struct saver s = {.sink = sink, .ctx = ctx, .good = true};
    struct buf *out = &s.chunk;
    buf_init(out, CHUNK_BYTES_MAX);
    buf_add_u32(out, CHECKPOINT_MAGIC);
    buf_add_u16(out, CHECKPOINT_VERSION);
    buf_add_u16(out, FIELD_COUNT);
    buf_add_u64(out, fields_hash(FIELD_COUNT));
    buf_add_u16(out, EVENT_COUNT);
    buf_add_u64(out, events_hash(EVENT_COUNT));
    buf_add_u64(out, (uint64_t)t->now_ms);
    buf_add_u64(out, t->open_count);
    for (uint32_t i = 0; i < t->slot_count && s.good; i++) {
        const struct open_view *o = t->slots[i];
        if (o == NULL) continue;
        buf_add_varint(out, o->version);
        buf_add_varint(out, o->shown);
        buf_add_u64(out, (uint64_t)o->ended_ms);
        view_save(o->view, out);
        saver_flush(&s, CHUNK_BYTES);
    }
    buf_add_u64(out, t->tombstone_count);
    for (uint32_t i = 0; i < t->tombstone_slots && s.good; i++) {
        const struct tombstone *stone = &t->tombstones[i];
        if (stone->final_s == 0) continue;
        buf_add_u64(out, stone->id.hi);
        buf_add_u64(out, stone->id.lo);
        buf_add_u32(out, stone->final_s);
        buf_add_u32(out, stone->complete_to);
        saver_flush(&s, CHUNK_BYTES);
    }
    saver_flush(&s, 1);
    uint32_t crc = s.crc;
    buf_add_u32(out, crc);
    saver_flush(&s, 1);
    buf_free(out);
    return s.good;
}

static bool load_head(struct view_table *t, struct bytes *in)
{
    if (bytes_u32(in) != CHECKPOINT_MAGIC || bytes_u16(in) != CHECKPOINT_VERSION) return false;
    unsigned fields = bytes_u16(in);
    if (fields > FIELD_COUNT || bytes_u64(in) != fields_hash(fields)) return false;
    unsigned events = bytes_u16(in);
    if (events > EVENT_COUNT || bytes_u64(in) != events_hash(events)) return false;
    t->now_ms = (int64_t)bytes_u64(in);
    return in->ok;
}

static bool load_view(struct view_table *t, struct bytes *in)
{
    uint64_t version = bytes_varint(in), shown = bytes_varint(in);
    int64_t ended_ms = (int64_t)bytes_u64(in);
    if (!in->ok || version > UINT32_MAX || shown > VIEW_EVENTS_MAX) return false;
    struct view *v = view_load(t->strings, in);
    if (v == NULL) return false;
    uint64_t hash = table_hash(t, view_environment(v), view_key_id(v));
    if (view_environment(v)[0] == 0 || table_find(t, hash, view_environment(v), view_key_id(v))) {
        view_free(v);
        return false;
    }
    struct open_view *o = table_open(t, v, hash);
    o->version = (uint32_t)version;
    o->shown = (uint32_t)shown;
    o->ended_ms = ended_ms;
    o->bytes = (uint32_t)view_bytes(v);
    t->view_bytes += o->bytes;
    table_schedule(t, o);
    return true;
}

static bool load_tombstones(struct view_table *t, struct bytes *in)
{
    uint64_t count = bytes_u64(in);
    for (uint64_t i = 0; i < count && in->ok; i++) {
        struct tombstone stone = {.id.hi = bytes_u64(in)};
        stone.id.lo = bytes_u64(in);
        stone.final_s = bytes_u32(in);
        stone.complete_to = bytes_u32(in);
        if (!in->ok || stone.final_s == 0) return false;
        table_bury(t, &stone);
    }
    return in->ok && bytes_left(in) == 0;
}

static void load_undo(struct view_table *t)
{
    while (t->open_count) table_close(t, t->heap[0]);
    free(t->tombstones);
    t->tombstones = NULL;
    t->tombstone_slots = t->tombstone_count = 0;
    t->now_ms = INT64_MIN;
}

bool view_table_load(struct view_table *t, struct span bytes)
{
    BUG_IF(t->open_count || t->tombstone_count);
    if (bytes.len < sizeof(uint32_t)) return false;
    struct bytes trailer = bytes_of(span_from(bytes, bytes.len - sizeof(uint32_t)));
    struct span body = span_upto(bytes, bytes.len - sizeof(uint32_t));
    if (crc32c(0, body.ptr, body.len) != bytes_u32(&trailer)) return false;
    struct bytes in = bytes_of(body);
    bool good = load_head(t, &in);
    uint64_t views = good ? bytes_u64(&in) : 0;
    for (uint64_t i = 0; i < views && good; i++) good = load_view(t, &in);
    good = good && load_tombstones(t, &in);
    if (!good) load_undo(t);
    return good;
}
