/* SPDX-License-Identifier: Apache-2.0
 * A journal record's payload: one POST with everything that was decided at its receipt, so that a replay decides
 * nothing again and gives the same beacon.
 *
 * Layout, little-endian; text is a varint length and its bytes, varints are LEB128:
 *   u8   version, now 2
 *   u8   format (formats/format.c)
 *   text body, inflated
 *   u64  receive time, ms since the epoch
 *   the viewer: texts country, country_name, continent, region, city, asn_name, address (truncated), user_agent,
 *        browser, browser_version, engine, os, os_version, device_category, device_manufacturer, device_model,
 *        device_name; u8 has_location; u64 latitude, u64 longitude (bits of the doubles); u32 asn
 *   varint number of environments; each: text env key, text id, u64 property id, u8 flags (1 backfill, 2 strip queries)
 *   varint number of refused events; each: varint place in the body minus the place after the one before
 *   from version 2: text env key of events that name none; varint limit of events, varint limit of keys of an event
 * Nothing follows. An environment key that is not in the list was refused. */
#ifndef FF_COLLECTOR_PAYLOAD_H
#define FF_COLLECTOR_PAYLOAD_H

#include "collector/formats/format.h"

enum { PAYLOAD_VERSION = 2, PAYLOAD_REFUSED_MAX = FORMAT_EVENTS_MAX };
struct payload_env {
    struct span key;
    struct beacon_env env;
};
struct payload {
    uint8_t format;
    struct span body;
    int64_t received_ms;
    struct viewer_facts viewer;
    struct payload_env envs[FORMAT_ENVS_MAX];
    uint32_t env_count;
    const uint32_t *refused;
    uint32_t refused_count;
    struct span env_key;         /* format_input.env_key */
    struct format_limits limits; /* but values: what is over it has no payload */
};

/* Appends. */
void payload_encode(struct buf *out, const struct payload *p);

/* Spans of out point into bytes; refused is in arena. false: not what payload_encode writes. */
bool payload_read(struct span bytes, struct arena *arena, struct payload *out) MUST_USE;

/* The replay: the same beacon that was made at receipt. Everything it points at is in the arena (the bytes are copied
 * there first). Pure; any thread, with a parser and an arena of its own.
 * false: not a payload, or the arena is full. */
bool collector_payload_decode(const struct formats *formats, struct span bytes, struct json_parser *json,
                              struct arena *arena, struct beacon *out) MUST_USE;
/* The judge of a replay: ctx is the struct payload. */
enum drop payload_judge(void *ctx, struct span env_key, struct beacon_env *out);

#endif
