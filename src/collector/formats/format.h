/* SPDX-License-Identifier: Apache-2.0
 * Beacon formats: each decodes the body of one POST into a struct beacon. The table in format.c says which format a
 * request is in.
 *
 * Decoding is pure: body, receive time and judgements in, beacon out. What was judged at receipt (whose environment key
 * it is, which events a quota refused) comes through the input, so that a replay, which answers from the journal, gives
 * the same beacon.
 *
 * Text of the beacon points into the body where it can and into the arena where it was escaped; so the body must live
 * as long as the beacon.
 * Threads: struct formats is made once and read by all; the rest belongs to the caller. */
#ifndef FF_COLLECTOR_FORMATS_FORMAT_H
#define FF_COLLECTOR_FORMATS_FORMAT_H

#include "base/json.h"
#include "collector/drop.h"
#include "views/beacon.h"

enum {
    FORMAT_EVENTS_MAX = 3600,  /* of one POST; what the SDK's own queue holds */
    FORMAT_ENVS_MAX = 16,      /* different environment keys of one POST that are accepted */
    FORMAT_NODES_MAX = 400000, /* JSON values and keys of one POST */
    FORMAT_KEYS_DEFAULT = 1000,
    FORMAT_KEYS_MAX = 100000, /* of one event */
    FORMAT_EVENT_NAME_MAX = 64,
};

struct format_tally { /* what was kept out */
    uint32_t events;  /* of the body, all */
    uint32_t unknown_keys;
    uint32_t dropped[DROP_COUNT]; /* events by reason */
};

/* What an operator may narrow. Whatever is over events or keys depends on them, so a replay must have the same ones;
 * over values a POST is refused as a whole. 0: the maximum above. */
struct format_limits {
    uint32_t values; /* JSON values and keys of one POST */
    uint32_t events; /* of one POST */
    uint32_t keys;   /* of one event */
};

/* What happens to events and keys, for the recent-beacons view; never on the usual way. */
struct format_notes {
    void *ctx;
    void (*ignored)(void *ctx, struct span key, const char *why); /* of the event that comes next */
    /* index: place in the body, from 0. event: as far as it was understood; valid during the call. why DROP_NONE: it
     * was kept. */
    void (*event)(void *ctx, uint32_t index, const struct beacon_event *event, struct span env_key, enum drop why);
};

struct format_input {
    struct span body;
    int64_t received_ms;
    struct json_parser *json;
    struct arena *arena;
    struct format_limits limits;
    struct span env_key; /* of events that name none, or empty: what the request said beside its body */
    /* Whose key it is; why not, otherwise. Called once for each different key that follows another. */
    enum drop (*judge)(void *ctx, struct span env_key, struct beacon_env *out);
    void *judge_ctx;
    const uint32_t *refused; /* places of events that were refused at receipt, ascending */
    uint32_t refused_count;
    const struct format_notes *notes; /* NULL: none */
};

struct format_output {
    struct beacon beacon;  /* all but viewer */
    const uint32_t *index; /* place in the body of each event of the beacon */
    struct format_tally tally;
    const char *why; /* a sentence for the recent-beacons view when the whole body was refused */
};

struct formats;
struct formats *formats_new(void);
void formats_free(struct formats *f);

/* What a POST shows before its body is read. */
struct format_hints {
    struct span content_type, path, query;
};
/* A number above 0 that never changes (it is written to the journal), or 0: no format takes it. */
uint8_t format_find(const struct formats *f, const struct format_hints *hints);
const char *format_name(uint8_t format); /* "mux"; NULL when there is no such number */
/* DROP_NONE: out is filled in (perhaps without events). Otherwise the whole body is unusable. */
enum drop format_decode(const struct formats *f, uint8_t format, const struct format_input *in,
                        struct format_output *out) MUST_USE;

#endif
