/* SPDX-License-Identifier: Apache-2.0
 * What the simulator passes between its parts: fields, values, events, POSTs and one session.
 *
 * A session is one person with one player on one page: usually one view, sometimes two (a programme change), sometimes
 * an extra page on which nobody pressed play. It is made whole, as a list of events with what each of them carries and
 * a list of POSTs that each name a run of events; sending and the truth file read it and change nothing.
 * All times in events are the true ones, in ms since the epoch; a wrong client clock is added when they are encoded. */
#ifndef FF_SIM_MODEL_H
#define FF_SIM_MODEL_H

#include "base/arena.h"
#include "base/buf.h"

enum sim_field_flag {
    F_ALWAYS = 1,
    F_URL = 2,
    F_REQUEST = 4,
    F_SOURCE = 8,
    F_MODE = 16,
    F_AUDIO = 32,
    F_TEXT = 64,
    F_ADIDS = 128,
    F_ONCE = 256,
};
enum sim_event_flag {
    E_FULL = 1,
    E_FLUSH = 2,
    E_REQUEST = F_REQUEST, /* the groups have the same bits as the fields they repeat */
    E_SOURCE = F_SOURCE,
    E_MODE = F_MODE,
    E_AUDIO = F_AUDIO,
    E_TEXT = F_TEXT,
    E_ADIDS = F_ADIDS,
};

enum sim_field {
#define FIELD(name, flags) SF_##name,
#include "sim/fields.def"
#undef FIELD
    SIM_FIELDS
};

enum sim_kind {
#define EVENT(name, flags) SE_##name,
#include "sim/events.def"
#undef EVENT
    SIM_KINDS
};

/* TIME is an integer on the wire, with the client clock's error added. RAW is JSON text, taken as it is. */
enum sim_type { SIM_UNSET, SIM_NULL, SIM_BOOL, SIM_INT, SIM_TIME, SIM_DOUBLE, SIM_TEXT, SIM_RAW };

struct sim_value {
    uint8_t type; /* enum sim_type */
    uint32_t len; /* of text */
    union {
        int64_t i; /* also 0/1 of a BOOL */
        double d;
        const char *text; /* constant, or in the session's arena */
    } v;
};

/* One field on the wire of one event. */
struct sim_pair {
    uint16_t field;
    struct sim_value value;
};

struct sim_event {
    uint8_t kind;     /* enum sim_kind */
    uint8_t view;     /* index into session->views */
    uint32_t seq;     /* view_sequence_number */
    int64_t at_ms;    /* when it was queued; its viewer_time may lie before that */
    uint32_t pair_at; /* session->pairs */
    uint32_t pair_count;
    uint32_t json_at; /* session->json */
    uint32_t json_len;
};

struct sim_post {
    uint32_t event_at, event_count;
    int64_t at_ms;
    bool unload;  /* by sendBeacon: another content type */
    bool viewend; /* holds the end of a view */
};

enum { SIM_SESSION_VIEWS = 3, SIM_SESSION_BYTES_MAX = 64 * 1024 * 1024 };

struct sim_view {
    char id[37];
    bool wanted; /* one of the views asked for; false: a page on which play was never pressed */
};

struct sim_session {
    uint64_t index;    /* of its first view */
    unsigned consumed; /* how many of the views asked for it makes: 1 or 2 */
    unsigned view_count;
    struct sim_view views[SIM_SESSION_VIEWS];
    int64_t skew_ms;          /* client clock minus true time */
    int64_t begin_ms, end_ms; /* first and last event, true time */
    const char *user_agent;
    const char *country;               /* ISO code of the range the address is from */
    const char *browser, *os, *device; /* what the user agent is known to parse to, or NULL */
    char address[40];

    struct arena arena;
    struct buf json; /* the events' JSON, separated by commas */
    struct sim_event *events;
    uint32_t event_count, event_cap;
    struct sim_pair *pairs;
    uint32_t pair_count, pair_cap;
    struct sim_post *posts;
    uint32_t post_count, post_cap;
};

/* Memory only; reset keeps it for the next session. */
void sim_session_init(struct sim_session *s);
void sim_session_reset(struct sim_session *s);
void sim_session_free(struct sim_session *s);

/* Room for need elements of `each` bytes; the moved array. Running out of memory is a bug in the bound. */
void *sim_grow(void *array, uint32_t *cap, uint32_t need, size_t each) MUST_USE;

const char *sim_kind_name(enum sim_kind kind);
unsigned sim_kind_flags(enum sim_kind kind);
const char *sim_field_name(enum sim_field field);
unsigned sim_field_flags(enum sim_field field);

static inline struct sim_value sim_int(int64_t i)
{
    return (struct sim_value){.type = SIM_INT, .v.i = i};
}
static inline struct sim_value sim_time(int64_t ms)
{
    return (struct sim_value){.type = SIM_TIME, .v.i = ms};
}
static inline struct sim_value sim_double(double d)
{
    return (struct sim_value){.type = SIM_DOUBLE, .v.d = d};
}
static inline struct sim_value sim_bool(bool b)
{
    return (struct sim_value){.type = SIM_BOOL, .v.i = b};
}
static inline struct sim_value sim_null(void)
{
    return (struct sim_value){.type = SIM_NULL};
}
/* NULL text: unset. */
static inline struct sim_value sim_text(const char *text)
{
    if (text == NULL) return (struct sim_value){.type = SIM_UNSET};
    return (struct sim_value){.type = SIM_TEXT, .len = (uint32_t)strlen(text), .v.text = text};
}
static inline struct sim_value sim_raw(const char *json)
{
    return (struct sim_value){.type = SIM_RAW, .len = (uint32_t)strlen(json), .v.text = json};
}
bool sim_value_eq(struct sim_value a, struct sim_value b);

#endif
