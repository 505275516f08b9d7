/* SPDX-License-Identifier: Apache-2.0
 * What every beacon format is decoded into, and all that views know of it. Nothing here says which SDK sent it.
 * Everything a beacon points at lives in its arena. */
#ifndef FF_VIEWS_BEACON_H
#define FF_VIEWS_BEACON_H

#include "base/arena.h"
#include "base/base.h"

enum field {
    FIELD_none,
#define FIELD_TYPE(name, most, text)
#define FIELD(name, type, most, merge, target, meaning) FIELD_##name,
#include "views/fields.def"
#undef FIELD
#undef FIELD_TYPE
    FIELD_COUNT
};

enum field_type {
#define FIELD_TYPE(name, most, text) FIELD_##name,
#define FIELD(name, type, most, merge, target, meaning)
#include "views/fields.def"
#undef FIELD
#undef FIELD_TYPE
};
struct field_type_facts {
    int64_t most; /* bytes of a text, the largest number; 0: every number */
    const char *text;
};
const struct field_type_facts *field_type_facts(enum field_type type);

/* FIELD_MOST_view_id; 0 where a field has no maximum of its own. */
enum field_most {
#define FIELD_TYPE(name, most, text)
#define FIELD(name, type, most, merge, target, meaning) FIELD_MOST_##name = (most),
#include "views/fields.def"
#undef FIELD
#undef FIELD_TYPE
};

enum field_merge { FIELD_LAST, FIELD_FIRST, FIELD_ONCE, FIELD_EVENT };

struct field_facts {
    const char *name;
    enum field_type type;
    enum field_merge merge;
    uint16_t column;  /* enum row_column that is the value as it is; ROW_none */
    bool kept;        /* among the values of a view's events */
    uint16_t most;    /* 0: its type's */
    const char *into; /* columns made from it, parted by blanks; "" */
    const char *meaning;
};
const struct field_facts *field_facts(enum field f);

enum event_name {
    EVENT_OTHER,
#define EVENT(name) EVENT_##name,
#include "views/events.def"
#undef EVENT
    EVENT_COUNT
};
/* EVENT_OTHER when unknown. */
enum event_name event_name_of(struct span text);
const char *event_name_text(enum event_name e); /* "" for EVENT_OTHER */

/* A defined value; absent ones (rule 1: null, unparsable, negative, out of range) are not there at all.
 * Text "" is there with len 0: it sets the field back to unset. */
struct beacon_value {
    uint16_t field; /* enum field */
    union {
        int64_t i;     /* MS COUNTER SIZE BITRATE TIME; BOOL as 0 or 1 */
        double d;      /* NUMBER */
        struct span s; /* TEXT URL CONTEXT JSON RANGES: UTF-8, already cut to its maximum */
    } v;
};

struct beacon_event {
    struct span view_id;    /* 1..128 bytes */
    uint32_t sequence;      /* view_sequence_number, else player_sequence_number; the set key of an event in its view */
    uint16_t name;          /* enum event_name */
    uint16_t env;           /* index into beacon.envs */
    struct span name_text;  /* as sent, at most 64 bytes */
    int64_t viewer_time_ms; /* client clock as sent; INT64_MIN when absent */
    const struct beacon_value *values;
    uint32_t value_count;
};

/* Where the viewer is and with what, looked up once at receipt. Empty spans are unknown. */
struct viewer_facts {
    struct span country, country_name, continent, region, city; /* ISO codes and English names */
    bool has_location;
    double latitude, longitude; /* cut to one decimal */
    uint32_t asn;               /* 0 unknown */
    struct span asn_name;
    struct span address;    /* truncated, or empty when addresses are not kept */
    struct span user_agent; /* at most 1,024 bytes */
    struct span browser, browser_version, engine, os, os_version, device_category, device_manufacturer, device_model,
        device_name;
};

struct beacon_env {
    char id[24];         /* environment id, NUL-terminated */
    int64_t property_id; /* its number */
    bool backfill;       /* this request's times are taken as they are */
    bool strip_query;    /* URLs lose their query */
};

struct beacon {              /* one POST */
    int64_t received_ms;     /* server clock */
    int64_t transmission_ms; /* client clock at sending; INT64_MIN when absent */
    int64_t rtt_ms;          /* 0 when absent */
    int64_t clock_offset_ms; /* received - transmission - rtt/2, or received - newest viewer_time without metadata */
    struct viewer_facts viewer;
    struct beacon_env *envs;
    uint16_t env_count;
    struct beacon_event *events; /* in the order sent; only usable ones */
    uint32_t event_count;
};

#endif
