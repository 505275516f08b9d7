/* SPDX-License-Identifier: Apache-2.0
 * The inside of a view, for view.c, view_codec.c, view_save.c and fold.c only.
 *
 * Events lie one after the other in `data`, in order of arrival, and are never changed but for their post number:
 *
 *   varint  bytes of the rest (padded, so that it can be written afterwards)
 *   u16     post: index into posts, where the receive times are
 *   u8      enum event_name; EVENT_OTHER is followed by the name as text
 *   varint  zigzag(sequence - sequence of the event before in data; 0 before the first)
 *   varint  0: no viewer_time; else 1 + zigzag(viewer_time - the last one known before)
 *   values  varint field, then by type:
 *           integers  varint; TIME: v << 1, or zigzag(v - viewer_time) << 1 | 1 where that is shorter
 *           NUMBER    varint v << 1 when it is a small whole number, else varint 1 and 8 bytes
 *           BOOL      one byte
 *           texts     varint code: 0 len bytes               a text of its own, not to be found again
 *                                  1 len bytes               a text of its own that gets the next text number
 *                                  2 len bytes               the new anchor of this kind of text
 *                                  3 prefix len bytes        prefix bytes of the anchor, then these; 2 and 3: once an
 *                                                             event
 *                                  4 + n                     text number n
 *
 * Text numbers index `texts`: a text lies in the shard's view_strings (handle) or in data (offset | TEXT_IN_DATA), and
 * `slots` finds it by hash. Anchored texts are those that change with nearly every event but begin alike (segment
 * URLs, playback ranges). Fields that fields.def sends nowhere, and those of the event's head, are not kept. */
#ifndef FF_VIEWS_VIEW_PRIVATE_H
#define FF_VIEWS_VIEW_PRIVATE_H

#include "views/strings.h"
#include "views/view.h"

enum {
    VIEW_BYTES_MAX = 4 << 20, /* of one view's data and shared texts; beyond: VIEW_FULL */
    VIEW_END_BYTES = 128 << 10, /* of them, kept for the viewend */
    VIEW_EVENT_VALUES_MAX = 1024,
    VIEW_TEXTS_MAX = 28672, /* what 32,768 slots hold well */
    VIEW_ANCHORS = 2,
    VIEW_EXPANDED_MAX = 64 << 20, /* bytes of anchors that reading all events repeats; an event repeats less than: */
    VIEW_EXPANDED_EVENT = 32 << 10,
};
#define TEXT_IN_DATA 0x80000000u
#define SEQUENCE_NONE UINT32_MAX

enum view_repeat {
    REPEATS_AMONG_VIEWS, /* texts; every other type */
    REPEATS_IN_VIEW,     /* texts that repeat within the view alone */
    REPEATS_HARDLY,      /* texts that hardly ever come again */
    REPEATS_BEGINNING,   /* + anchor number */
};

/* struct viewer_facts with handles instead of texts. */
#define VIEWER_TEXTS(X)                                                                                                \
    X(country)                                                                                                         \
    X(country_name)                                                                                                    \
    X(continent) X(region) X(city) X(asn_name) X(address) X(user_agent) X(browser) X(browser_version) X(engine) X(os)  \
        X(os_version) X(device_category) X(device_manufacturer) X(device_model) X(device_name)
struct view_viewer {
#define X(name) uint32_t name;
    VIEWER_TEXTS(X)
#undef X
    uint32_t asn;
    int16_t latitude_tenths, longitude_tenths;
    bool has_location;
};

struct view_run {
    uint32_t low, high; /* sequences low..high are there */
};

struct view {
    struct view_strings *strings;
    struct hash128 id;
    char environment_id[24];
    int64_t property_id;
    int64_t first_receipt_ms, last_receipt_ms;
    int64_t newest_event_ms; /* INT64_MIN: no event had a time */
    int64_t clock_offset_ms; /* the smallest of the posts */
    uint32_t event_count;
    uint32_t start_sequence, end_sequence; /* lowest that starts, lowest viewend; SEQUENCE_NONE */
    uint32_t viewer_sequence;              /* the event whose post gave `viewer` */
    int64_t viewer_receipt_ms;
    struct view_viewer viewer;
    bool backfilled;
    uint8_t view_id_len;

    uint8_t *data;
    uint32_t data_len, data_cap;
    uint32_t shared_bytes; /* of texts taken from strings, counted against VIEW_BYTES_MAX */
    uint32_t expanded;     /* bytes of anchors repeated so far */
    uint32_t last_sequence;
    int64_t last_time_ms; /* 0 before the first */
    struct {
        uint32_t offset, len;
    } anchors[VIEW_ANCHORS];

    int64_t *posts;
    uint16_t post_count, post_cap;
    uint16_t text_count, text_cap, slot_count;
    uint32_t *texts;
    uint32_t *slots; /* hash bits << 16 | text number + 1; 0 is free */
    uint32_t run_count, run_cap;
    struct view_run *runs; /* ascending, apart; points at run_one while one is enough */
    struct view_run run_one;
    char view_id[];
};

/* view_codec.c */
/* Adds the event to data. false: over VIEW_BYTES_MAX, nothing changed. */
bool view_data_add(struct view *v, const struct beacon_event *e, uint16_t post, bool strip_query) MUST_USE;
struct span view_text(const struct view *v, uint32_t number);
void view_texts_index(struct view *v); /* makes slots anew from texts */

struct view_reader {
    const struct view *v;
    struct bytes in;
    uint32_t sequence;
    int64_t time_ms;
    struct span anchors[VIEW_ANCHORS];
    size_t expanded; /* bytes of anchors repeated so far */
};
struct view_record {
    uint32_t sequence;
    uint16_t name, post;
    size_t post_offset;    /* of its two bytes in data */
    struct span name_text; /* empty unless EVENT_OTHER */
    int64_t viewer_time_ms;
    struct bytes values;
};
void view_reader_init(struct view_reader *r, const struct view *v);
/* false at the end, and with r->in.ok false at bytes that are no record. */
bool view_reader_next(struct view_reader *r, struct view_record *out) MUST_USE;
/* false at the end of the record, and with record->values.ok false at bytes that are no value. Must be called to the
 * end before the next record. Texts point into the view, or into arena where they had to be put together. */
bool view_reader_value(struct view_reader *r, struct view_record *record, struct arena *arena,
                       struct beacon_value *out) MUST_USE;

#endif
