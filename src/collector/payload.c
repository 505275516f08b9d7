/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/payload.h"

enum { FLAG_BACKFILL = 1, FLAG_STRIP_QUERY = 2 };

/* The viewer's texts, in their order in the payload. */
#define VIEWER_TEXTS(TEXT)                                                                                             \
    TEXT(country)                                                                                                      \
    TEXT(country_name)                                                                                                 \
    TEXT(continent)                                                                                                    \
    TEXT(region) TEXT(city) TEXT(asn_name) TEXT(address) TEXT(user_agent) TEXT(browser) TEXT(browser_version)          \
        TEXT(engine) TEXT(os) TEXT(os_version) TEXT(device_category) TEXT(device_manufacturer) TEXT(device_model)      \
            TEXT(device_name)

static void put_text(struct buf *out, struct span s)
{
    char *room = s.len < 128 ? buf_room(out, s.len + 1) : NULL; /* most: a length of one byte */
    if (room == NULL) {
        buf_add_varint(out, s.len);
        buf_add_span(out, s);
        return;
    }
    room[0] = (char)s.len;
    if (s.len) memcpy(room + 1, s.ptr, s.len);
    buf_claim(out, s.len + 1);
}

static struct span get_text(struct bytes *in)
{
    uint64_t len = bytes_varint(in);
    if (len > bytes_left(in)) {
        in->ok = false;
        return SPAN("");
    }
    return bytes_span(in, (size_t)len);
}

static uint64_t bits_of(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static void put_viewer(struct buf *out, const struct viewer_facts *v)
{
#define TEXT(name) put_text(out, v->name);
    VIEWER_TEXTS(TEXT)
#undef TEXT
    buf_add_u8(out, v->has_location);
    buf_add_u64(out, bits_of(v->latitude));
    buf_add_u64(out, bits_of(v->longitude));
    buf_add_u32(out, v->asn);
}

static void get_viewer(struct bytes *in, struct viewer_facts *v)
{
#define TEXT(name) v->name = get_text(in);
    VIEWER_TEXTS(TEXT)
#undef TEXT
    v->has_location = bytes_u8(in) != 0;
    v->latitude = double_of(bytes_u64(in));
    v->longitude = double_of(bytes_u64(in));
    v->asn = bytes_u32(in);
}

void payload_encode(struct buf *out, const struct payload *p)
{
    buf_add_u8(out, PAYLOAD_VERSION);
    buf_add_u8(out, p->format);
    put_text(out, p->body);
    BUG_IF(p->env_count > FORMAT_ENVS_MAX);
    buf_add_u64(out, (uint64_t)p->received_ms);
    put_viewer(out, &p->viewer);
    buf_add_varint(out, p->env_count);
    for (uint32_t i = 0; i < p->env_count; i++) {
        const struct beacon_env *env = &p->envs[i].env;
        put_text(out, p->envs[i].key);
        put_text(out, span_of(env->id));
        buf_add_u64(out, (uint64_t)env->property_id);
        buf_add_u8(out, (uint8_t)((env->backfill ? FLAG_BACKFILL : 0) | (env->strip_query ? FLAG_STRIP_QUERY : 0)));
    }
    buf_add_varint(out, p->refused_count);
    uint32_t next = 0;
    for (uint32_t i = 0; i < p->refused_count; i++) {
        BUG_IF(p->refused[i] < next);
        buf_add_varint(out, p->refused[i] - next);
        next = p->refused[i] + 1;
    }
    put_text(out, p->env_key);
    buf_add_varint(out, p->limits.events);
    buf_add_varint(out, p->limits.keys);
}

static void get_envs(struct bytes *in, struct payload *out)
{
    uint64_t count = bytes_varint(in);
    if (count > FORMAT_ENVS_MAX) in->ok = false;
    for (uint64_t i = 0; i < count && in->ok; i++) {
        struct payload_env *env = &out->envs[i];
        *env = (struct payload_env){.key = get_text(in)};
        struct span id = get_text(in);
        if (id.len >= sizeof env->env.id) {
            in->ok = false;
            return;
        }
        if (id.len) memcpy(env->env.id, id.ptr, id.len);
        env->env.property_id = (int64_t)bytes_u64(in);
        uint8_t flags = bytes_u8(in);
        env->env.backfill = flags & FLAG_BACKFILL;
        env->env.strip_query = flags & FLAG_STRIP_QUERY;
        out->env_count++;
    }
}

static void get_refused(struct bytes *in, struct arena *arena, struct payload *out)
{
    uint64_t count = bytes_varint(in);
    if (count > PAYLOAD_REFUSED_MAX) in->ok = false;
    if (!in->ok || count == 0) return;
    uint32_t *refused = arena_alloc(arena, count * sizeof *refused);
    if (refused == NULL) {
        in->ok = false;
        return;
    }
    uint64_t next = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t step = bytes_varint(in);
        if (step >= FORMAT_EVENTS_MAX || next + step >= FORMAT_EVENTS_MAX) in->ok = false;
        if (!in->ok) return;
        refused[i] = (uint32_t)(next + step);
        next = refused[i] + 1;
    }
    out->refused = refused;
    out->refused_count = (uint32_t)count;
}

/* What version 1 did not have. */
static void get_more(struct bytes *in, struct payload *out)
{
    out->env_key = get_text(in);
    uint64_t events = bytes_varint(in), keys = bytes_varint(in);
    if (events > FORMAT_EVENTS_MAX || keys > FORMAT_KEYS_MAX) in->ok = false;
    if (!in->ok) return;
    out->limits.events = (uint32_t)events;
    out->limits.keys = (uint32_t)keys;
}

bool payload_read(struct span bytes, struct arena *arena, struct payload *out)
{
    *out = (struct payload){0};
    struct bytes in = bytes_of(bytes);
    uint8_t version = bytes_u8(&in);
    if (version < 1 || version > PAYLOAD_VERSION) return false;
    out->format = bytes_u8(&in);
    out->body = get_text(&in);
    out->received_ms = (int64_t)bytes_u64(&in);
    get_viewer(&in, &out->viewer);
    if (in.ok) get_envs(&in, out);
    if (in.ok) get_refused(&in, arena, out);
    if (in.ok && version >= 2) get_more(&in, out);
    return in.ok && bytes_left(&in) == 0;
}

enum drop payload_judge(void *ctx, struct span env_key, struct beacon_env *out)
{
    const struct payload *p = ctx;
    for (uint32_t i = 0; i < p->env_count; i++) {
        if (!span_eq(p->envs[i].key, env_key)) continue;
        *out = p->envs[i].env;
        return DROP_NONE;
    }
    return DROP_unknown_env;
}

bool collector_payload_decode(const struct formats *formats, struct span bytes, struct json_parser *json,
                              struct arena *arena, struct beacon *out)
{
    struct payload p;
    struct span copy = arena_copy(arena, bytes);
    json_parser_depth(json, JSON_DEPTH_MAX); /* what was taken then is taken now */
    if (copy.ptr == NULL || !payload_read(copy, arena, &p)) return false;
    struct format_input in = {
        .body = p.body,
        .received_ms = p.received_ms,
        .json = json,
        .arena = arena,
        .limits = p.limits,
        .env_key = p.env_key,
        .judge = payload_judge,
        .judge_ctx = &p,
        .refused = p.refused,
        .refused_count = p.refused_count,
    };
    struct format_output decoded;
    if (format_decode(formats, p.format, &in, &decoded) != DROP_NONE) return false;
    *out = decoded.beacon;
    out->viewer = p.viewer;
    return true;
}
