/* SPDX-License-Identifier: Apache-2.0
 * Events to bytes and back; the layout is in view_private.h. */
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "views/view_private.h"

enum { VARINT_MAX = 10, TEXT_CODES = 4, SLOTS_MIN = 64, PADDED_SHORT = 2, PADDED_LONG = 4, NOT_FOUND = UINT16_MAX };

/* How texts repeat, where not among views. */
static const uint8_t repeats_of[FIELD_COUNT] = {
    [FIELD_player_instance_id] = REPEATS_IN_VIEW,
    [FIELD_mux_viewer_id] = REPEATS_IN_VIEW,
    [FIELD_session_id] = REPEATS_IN_VIEW,
    [FIELD_viewer_user_id] = REPEATS_IN_VIEW,
    [FIELD_view_session_id] = REPEATS_IN_VIEW,
    [FIELD_player_error_message] = REPEATS_IN_VIEW,
    [FIELD_player_error_context] = REPEATS_IN_VIEW,
    [FIELD_player_error_data] = REPEATS_HARDLY,
    [FIELD_view_device_origin] = REPEATS_HARDLY,
    [FIELD_viewer_device_orientation] = REPEATS_HARDLY,
    [FIELD_request_id] = REPEATS_HARDLY,
    [FIELD_request_url] = REPEATS_BEGINNING + 0,
    [FIELD_video_playback_range] = REPEATS_BEGINNING + 1,
};

bool view_keeps(enum field f)
{
    return field_facts(f)->kept;
}

static bool is_text(enum field_type type)
{
    return type == FIELD_TEXT || type == FIELD_URL || type == FIELD_CONTEXT || type == FIELD_JSON ||
           type == FIELD_RANGES;
}

static uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* Differences of arbitrary times: they wrap, and wrap back. */
static int64_t minus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* --- writing -------------------------------------------------------------------------------------------------- */

struct put {
    struct view *v;
    uint8_t *begin, *at;
    uint32_t data_offset;        /* where begin will lie in data */
    bool anchored[VIEW_ANCHORS]; /* once an event: what reading puts together stays within bounds */
};

static void put_varint(struct put *p, uint64_t v)
{
    while (v >= 0x80) {
        *p->at++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p->at++ = (uint8_t)v;
}

static uint32_t put_offset(const struct put *p)
{
    return p->data_offset + (uint32_t)(p->at - p->begin);
}

static void put_bytes(struct put *p, struct span s)
{
    put_varint(p, s.len);
    if (s.len) memcpy(p->at, s.ptr, s.len);
    p->at += s.len;
}

/* A text that this very event brought lies in the put buffer, not yet in data. */
static struct span put_text(const struct put *p, uint32_t number)
{
    uint32_t where = p->v->texts[number];
    if (!(where & TEXT_IN_DATA) || (where & ~TEXT_IN_DATA) < p->data_offset) return view_text(p->v, number);
    const uint8_t *at = p->begin + ((where & ~TEXT_IN_DATA) - p->data_offset);
    struct bytes in = {at, p->at, true};
    uint64_t len = bytes_varint(&in);
    return bytes_span(&in, (size_t)len);
}

struct span view_text(const struct view *v, uint32_t number)
{
    uint32_t where = v->texts[number];
    if (!(where & TEXT_IN_DATA)) return view_strings_text(v->strings, where);
    struct bytes in = {v->data + (where & ~TEXT_IN_DATA), v->data + v->data_len, true};
    uint64_t len = bytes_varint(&in);
    return bytes_span(&in, (size_t)len);
}

static uint32_t slot_home(uint64_t hash, const struct view *v)
{
    return (uint32_t)(hash >> 16) & (v->slot_count - 1u);
}

static void slot_fill(struct view *v, uint64_t hash, uint16_t number)
{
    uint32_t at = slot_home(hash, v);
    while (v->slots[at]) at = (at + 1) & (v->slot_count - 1u);
    v->slots[at] = (uint32_t)(hash & 0xFFFF) << 16 | (uint32_t)(number + 1);
}

/* Twice the slots. The hashes are computed again: four times in the life of a large view. p may be NULL. */
static void slots_make(struct view *v, const struct put *p, uint32_t slot_count)
{
    free(v->slots);
    v->slots = calloc(slot_count, sizeof *v->slots);
    BUG_IF(v->slots == NULL);
    v->slot_count = (uint16_t)slot_count;
    uint64_t seed = view_strings_seed(v->strings);
    for (uint16_t i = 0; i < v->text_count; i++) slot_fill(v, hash64(p ? put_text(p, i) : view_text(v, i), seed), i);
}

void view_texts_index(struct view *v)
{
    uint32_t slot_count = SLOTS_MIN;
    while (slot_count < UINT16_MAX / 2 && v->text_count * 8u > slot_count * 7u) slot_count *= 2;
    slots_make(v, NULL, slot_count);
}

static uint16_t text_find(const struct put *p, struct span text, uint64_t hash)
{
    const struct view *v = p->v;
    if (v->slot_count == 0) return NOT_FOUND;
    for (uint32_t at = slot_home(hash, v); v->slots[at]; at = (at + 1) & (v->slot_count - 1u)) {
        if (v->slots[at] >> 16 != (hash & 0xFFFF)) continue;
        uint16_t number = (uint16_t)((v->slots[at] & 0xFFFF) - 1);
        if (span_eq(put_text(p, number), text)) return number;
    }
    return NOT_FOUND;
}

/* The next text number, or NOT_FOUND when there are too many. */
static uint16_t text_add(const struct put *p, uint64_t hash, uint32_t where)
{
    struct view *v = p->v;
    if (v->text_count == v->text_cap) {
        uint32_t cap = v->text_cap + v->text_cap / 4u + 16u;
        uint32_t *texts = realloc(v->texts, cap * sizeof *texts);
        BUG_IF(texts == NULL);
        v->texts = texts;
        v->text_cap = (uint16_t)cap;
    }
    v->texts[v->text_count++] = where;
    if (v->text_count * 8u > v->slot_count * 7u) slots_make(v, p, v->slot_count ? v->slot_count * 2u : SLOTS_MIN);
    else slot_fill(v, hash, (uint16_t)(v->text_count - 1));
    return (uint16_t)(v->text_count - 1);
}

static bool texts_full(const struct view *v)
{
    return v->text_count >= VIEW_TEXTS_MAX;
}

static void put_anchored(struct put *p, struct span text, unsigned which)
{
    struct view *v = p->v;
    uint32_t len = v->anchors[which].len, same = 0;
    if (p->anchored[which]) {
        put_varint(p, 0);
        put_bytes(p, text);
        return;
    }
    p->anchored[which] = true;
    const uint8_t *anchor = len ? v->data + v->anchors[which].offset : NULL;
    uint32_t most = text.len < len ? (uint32_t)text.len : len;
    while (same < most && anchor[same] == (uint8_t)text.ptr[same]) same++;
    if (same < 4 || same < text.len / 2) {
        put_varint(p, 2);
        put_varint(p, text.len);
        v->anchors[which].offset = put_offset(p);
        v->anchors[which].len = (uint32_t)text.len;
        memcpy(p->at, text.ptr, text.len);
        p->at += text.len;
        return;
    }
    v->expanded += same;
    put_varint(p, 3);
    put_varint(p, same);
    put_bytes(p, span_from(text, same));
}

static void put_text_value(struct put *p, struct span text, enum view_repeat repeats)
{
    struct view *v = p->v;
    if (repeats >= REPEATS_BEGINNING && text.len) {
        put_anchored(p, text, (unsigned)repeats - REPEATS_BEGINNING);
        return;
    }
    uint64_t hash = 0;
    bool alone = text.len == 0 || repeats == REPEATS_HARDLY;
    if (!alone) {
        hash = hash64(text, view_strings_seed(v->strings));
        uint16_t number = text_find(p, text, hash);
        if (number != NOT_FOUND) {
            put_varint(p, TEXT_CODES + (uint64_t)number);
            return;
        }
        alone = texts_full(v);
    }
    if (alone) {
        put_varint(p, 0);
        put_bytes(p, text);
    } else if (repeats == REPEATS_IN_VIEW) {
        put_varint(p, 1);
        uint32_t where = put_offset(p) | TEXT_IN_DATA;
        put_bytes(p, text);
        (void)text_add(p, hash, where);
    } else {
        v->shared_bytes += (uint32_t)text.len;
        put_varint(p, TEXT_CODES + (uint64_t)text_add(p, hash, view_strings_take(v->strings, text)));
    }
}

static void put_time(struct put *p, int64_t v, int64_t viewer_time_ms)
{
    uint64_t away = zigzag(minus(v, viewer_time_ms));
    if (viewer_time_ms != INT64_MIN && away < (uint64_t)v && away < (uint64_t)1 << 60) put_varint(p, away << 1 | 1);
    else put_varint(p, (uint64_t)v << 1);
}

static void put_number(struct put *p, double v)
{
    if (v >= 0 && v < 4e9 && floor(v) == v && !signbit(v)) {
        put_varint(p, (uint64_t)v << 1);
        return;
    }
    put_varint(p, 1);
    memcpy(p->at, &v, sizeof v);
    p->at += sizeof v;
}

static struct span text_stripped(struct span text, enum field_type type, bool strip_query)
{
    if (!strip_query || type != FIELD_URL) return text;
    ptrdiff_t query = span_find(text, '?');
    return query < 0 ? text : span_upto(text, (size_t)query);
}

static void put_value(struct put *p, const struct beacon_value *value, int64_t viewer_time_ms, bool strip_query)
{
    const struct field_facts *facts = field_facts((enum field)value->field);
    if (!facts->kept) return;
    enum view_repeat repeats = (enum view_repeat)repeats_of[value->field];
    enum field_type type = facts->type;
    put_varint(p, value->field);
    switch (type) {
    case FIELD_MS:
    case FIELD_COUNTER:
    case FIELD_SIZE:
    case FIELD_BITRATE: put_varint(p, (uint64_t)value->v.i); break;
    case FIELD_TIME: put_time(p, value->v.i, viewer_time_ms); break;
    case FIELD_NUMBER: put_number(p, value->v.d); break;
    case FIELD_BOOL: *p->at++ = value->v.i != 0; break;
    case FIELD_TEXT:
    case FIELD_URL:
    case FIELD_CONTEXT:
    case FIELD_JSON:
    case FIELD_RANGES: put_text_value(p, text_stripped(value->v.s, type, strip_query), repeats); break;
    }
}

static uint32_t event_values(const struct beacon_event *e)
{
    return e->value_count < VIEW_EVENT_VALUES_MAX ? e->value_count : VIEW_EVENT_VALUES_MAX;
}

/* The most that an event can take. */
static size_t event_bound(const struct beacon_event *e)
{
    size_t bound = PADDED_LONG + 3 + 4 * VARINT_MAX + e->name_text.len;
    for (uint32_t i = 0; i < event_values(e); i++) {
        const struct beacon_value *value = &e->values[i];
        bound += 3 + 2 * VARINT_MAX;
        if (is_text(field_facts((enum field)value->field)->type)) bound += value->v.s.len + VARINT_MAX;
    }
    return bound;
}

static void put_event(struct put *p, const struct beacon_event *e, uint16_t post, bool strip_query)
{
    struct view *v = p->v;
    memcpy(p->at, &post, sizeof post);
    p->at += sizeof post;
    *p->at++ = (uint8_t)e->name;
    if (e->name == EVENT_OTHER) put_text_value(p, e->name_text, REPEATS_AMONG_VIEWS);
    put_varint(p, zigzag((int64_t)e->sequence - (int64_t)v->last_sequence));
    if (e->viewer_time_ms == INT64_MIN) {
        put_varint(p, 0);
    } else {
        put_varint(p, 1 + zigzag(minus(e->viewer_time_ms, v->last_time_ms)));
        v->last_time_ms = e->viewer_time_ms;
    }
    v->last_sequence = e->sequence;
    for (uint32_t i = 0; i < event_values(e); i++) put_value(p, &e->values[i], e->viewer_time_ms, strip_query);
}

static void data_reserve(struct view *v, uint32_t more)
{
    if (v->data_cap - v->data_len >= more) return;
    uint32_t cap = v->data_len + more + v->data_len / 8;
    uint8_t *data = realloc(v->data, cap);
    BUG_IF(data == NULL);
    v->data = data;
    v->data_cap = cap;
}

bool view_data_add(struct view *v, const struct beacon_event *e, uint16_t post, bool strip_query)
{
    size_t bound = event_bound(e);
    size_t most = e->name == EVENT_viewend ? VIEW_BYTES_MAX : VIEW_BYTES_MAX - VIEW_END_BYTES;
    if (bound + v->data_len + v->shared_bytes > most) return false;
    if (v->expanded > VIEW_EXPANDED_MAX - VIEW_EXPANDED_EVENT) return false;
    uint8_t small[2048];
    uint8_t *room = bound <= sizeof small ? small : malloc(bound);
    BUG_IF(room == NULL);
    size_t padded = bound < 1 << 14 ? PADDED_SHORT : PADDED_LONG;
    struct put p = {.v = v, .begin = room, .at = room + padded, .data_offset = v->data_len};
    put_event(&p, e, post, strip_query);
    size_t used = (size_t)(p.at - room);
    BUG_IF(used > bound);
    size_t body = used - padded;
    for (size_t i = 0; i < padded; i++) room[i] = (uint8_t)((body >> 7 * i & 0x7F) | (i + 1 < padded ? 0x80 : 0));
    data_reserve(v, (uint32_t)used);
    memcpy(v->data + v->data_len, room, used);
    v->data_len += (uint32_t)used;
    if (room != small) free(room);
    return true;
}

/* --- reading -------------------------------------------------------------------------------------------------- */

void view_reader_init(struct view_reader *r, const struct view *v)
{
    *r = (struct view_reader){.v = v, .in = {v->data, v->data + v->data_len, true}};
}

/* Texts in records. Bytes that are none turn in->ok false. */
static struct span read_text(struct view_reader *r, struct bytes *in, unsigned anchor, struct arena *arena)
{
    uint64_t code = bytes_varint(in);
    if (code >= TEXT_CODES) {
        if (code - TEXT_CODES < r->v->text_count) return view_text(r->v, (uint32_t)(code - TEXT_CODES));
        in->ok = false;
        return (struct span){"", 0};
    }
    uint64_t prefix = code == 3 ? bytes_varint(in) : 0;
    struct span own = bytes_span(in, (size_t)bytes_varint(in));
    if (code < 2 || !in->ok) return own;
    if (anchor >= VIEW_ANCHORS || prefix > r->anchors[anchor].len) {
        in->ok = false;
        return (struct span){"", 0};
    }
    if (code == 2) return r->anchors[anchor] = own;
    r->expanded += prefix;
    if (arena == NULL) return own; /* only checking */
    char *whole = arena_alloc(arena, prefix + own.len + 1);
    BUG_IF(whole == NULL);
    memcpy(whole, r->anchors[anchor].ptr, prefix);
    memcpy(whole + prefix, own.ptr, own.len);
    return (struct span){whole, prefix + own.len};
}

bool view_reader_next(struct view_reader *r, struct view_record *out)
{
    if (!r->in.ok || bytes_left(&r->in) == 0) return false;
    struct span body = bytes_span(&r->in, (size_t)bytes_varint(&r->in));
    if (!r->in.ok) return false;
    *out = (struct view_record){.values = bytes_of(body), .post_offset = (size_t)(body.ptr - (const char *)r->v->data)};
    struct bytes *in = &out->values;
    out->post = bytes_u16(in);
    out->name = bytes_u8(in);
    if (out->name == EVENT_OTHER) out->name_text = read_text(r, in, VIEW_ANCHORS, NULL);
    int64_t sequence = plus((int64_t)r->sequence, unzigzag(bytes_varint(in)));
    uint64_t time = bytes_varint(in);
    out->viewer_time_ms = time ? r->time_ms = plus(r->time_ms, unzigzag(time - 1)) : INT64_MIN;
    bool known = out->name < EVENT_COUNT && out->post < r->v->post_count;
    if (!in->ok || !known || sequence < 0 || sequence >= SEQUENCE_NONE) {
        r->in.ok = false;
        return false;
    }
    r->sequence = out->sequence = (uint32_t)sequence;
    return true;
}

static unsigned anchor_of(uint16_t field)
{
    return repeats_of[field] >= REPEATS_BEGINNING ? (unsigned)repeats_of[field] - REPEATS_BEGINNING : VIEW_ANCHORS;
}

static int64_t read_time(struct bytes *in, int64_t viewer_time_ms)
{
    uint64_t v = bytes_varint(in);
    int64_t time = v & 1 ? plus(viewer_time_ms, unzigzag(v >> 1)) : (int64_t)(v >> 1);
    if (time < 0) in->ok = false;
    return time < 0 ? 0 : time;
}

static double read_number(struct bytes *in)
{
    uint64_t v = bytes_varint(in);
    if (!(v & 1)) return (double)(v >> 1);
    uint64_t bits = bytes_u64(in);
    double d;
    memcpy(&d, &bits, sizeof d);
    if (!isfinite(d)) in->ok = false;
    return isfinite(d) ? d : 0;
}

bool view_reader_value(struct view_reader *r, struct view_record *record, struct arena *arena, struct beacon_value *out)
{
    struct bytes *in = &record->values;
    if (!in->ok || bytes_left(in) == 0) return false;
    uint64_t field = bytes_varint(in);
    if (field == 0 || field >= FIELD_COUNT || !view_keeps((enum field)field)) {
        in->ok = false;
        return false;
    }
    *out = (struct beacon_value){.field = (uint16_t)field};
    switch (field_facts((enum field)field)->type) {
    case FIELD_MS:
    case FIELD_COUNTER:
    case FIELD_SIZE:
    case FIELD_BITRATE: {
        uint64_t v = bytes_varint(in);
        if (v > INT32_MAX) in->ok = false;
        out->v.i = (int64_t)(v & INT32_MAX);
        break;
    }
    case FIELD_TIME: out->v.i = read_time(in, record->viewer_time_ms); break;
    case FIELD_NUMBER: out->v.d = read_number(in); break;
    case FIELD_BOOL: out->v.i = bytes_u8(in) != 0; break;
    case FIELD_TEXT:
    case FIELD_URL:
    case FIELD_CONTEXT:
    case FIELD_JSON:
    case FIELD_RANGES: out->v.s = read_text(r, in, anchor_of((uint16_t)field), arena); break;
    }
    return in->ok;
}
