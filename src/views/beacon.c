/* SPDX-License-Identifier: Apache-2.0
 * The facts of fields and the names of events, from their .def tables. Constant tables only. */
#include "views/beacon.h"

#include "views/row.h"

#define COLUMN(c) .column = ROW_##c, .into = "", .kept = true
#define COLUMN_AND(c, x) .column = ROW_##c, .into = (x), .kept = true
#define INTO(x) .column = ROW_none, .into = (x), .kept = true
#define HEAD(x) .column = ROW_none, .into = (x), .kept = false
#define NOWHERE .column = ROW_none, .into = "", .kept = false
static const struct field_facts facts[FIELD_COUNT] = {
    [FIELD_none] = {"", FIELD_TEXT, FIELD_EVENT, NOWHERE, .most = 0, .meaning = ""},
#define FIELD_TYPE(name, most, text)
#define FIELD(name, type, most_, merge, target, meaning_)                                                              \
    [FIELD_##name] = {#name, FIELD_##type, FIELD_##merge, target, .most = (most_), .meaning = (meaning_)},
#include "views/fields.def"
#undef FIELD
#undef FIELD_TYPE
};
#undef COLUMN
#undef COLUMN_AND
#undef INTO
#undef HEAD
#undef NOWHERE

static const struct field_type_facts type_facts[] = {
#define FIELD_TYPE(name, most, text) {most, text},
#define FIELD(name, type, most, merge, target, meaning)
#include "views/fields.def"
#undef FIELD
#undef FIELD_TYPE
};

const struct field_type_facts *field_type_facts(enum field_type type)
{
    BUG_IF((unsigned)type >= COUNT(type_facts));
    return &type_facts[type];
}

const struct field_facts *field_facts(enum field f)
{
    BUG_IF((unsigned)f >= FIELD_COUNT);
    return &facts[f];
}

static const struct span event_texts[EVENT_COUNT] = {
    [EVENT_OTHER] = {"", 0},
#define EVENT(name) [EVENT_##name] = {#name, sizeof #name - 1},
#include "views/events.def"
#undef EVENT
};

/* The events in order of their text, for the binary search. The assertion below fails when a row of events.def is
 * missing here; the unit test looks every name up. */
static const uint8_t by_text[] = {
    EVENT_adbreakend,
    EVENT_adbreakstart,
    EVENT_adclicked,
    EVENT_adended,
    EVENT_aderror,
    EVENT_adfirstquartile,
    EVENT_adimpression,
    EVENT_admidpoint,
    EVENT_adpause,
    EVENT_adplay,
    EVENT_adplaying,
    EVENT_adrequest,
    EVENT_adresponse,
    EVENT_adskipped,
    EVENT_adthirdquartile,
    EVENT_audiotrackchange,
    EVENT_cdnchange,
    EVENT_devicesleep,
    EVENT_devicewake,
    EVENT_ended,
    EVENT_error,
    EVENT_eventrateexceeded,
    EVENT_hb,
    EVENT_loadstart,
    EVENT_networkchange,
    EVENT_orientationchange,
    EVENT_pause,
    EVENT_play,
    EVENT_playbackmodechange,
    EVENT_playerready,
    EVENT_playing,
    EVENT_programchange,
    EVENT_ratechange,
    EVENT_rebufferend,
    EVENT_rebufferstart,
    EVENT_renditionchange,
    EVENT_requestcanceled,
    EVENT_requestcompleted,
    EVENT_requestfailed,
    EVENT_seeked,
    EVENT_seeking,
    EVENT_stalled,
    EVENT_texttrackchange,
    EVENT_timeupdate,
    EVENT_videochange,
    EVENT_viewend,
    EVENT_viewinit,
    EVENT_viewstart,
    EVENT_waiting,
};
_Static_assert(COUNT(by_text) == EVENT_COUNT - 1, "every event of events.def is in by_text");

enum event_name event_name_of(struct span text)
{
    size_t low = 0, high = COUNT(by_text);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = span_compare(text, event_texts[by_text[middle]]);
        if (order == 0) return (enum event_name)by_text[middle];
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return EVENT_OTHER;
}

const char *event_name_text(enum event_name e)
{
    BUG_IF((unsigned)e >= EVENT_COUNT);
    return event_texts[e].ptr;
}
