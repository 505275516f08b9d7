/* SPDX-License-Identifier: Apache-2.0
 * One open view: the set of its events by sequence number, kept compactly, and the pure fold of that set into a row.
 *
 * Nothing is computed as events arrive. view_apply only adds an event to the set (a sequence number already there is a
 * duplicate and changes nothing but the clock offset), so arrival order and repetition cannot matter; view_fold sorts
 * by sequence and computes every field as rules 1 to 56 (docs/rules.md) say. Pure: no clock, no I/O.
 * Not thread-safe: one shard owns a view for its whole life.
 * Memory: at most 1.5 KB a view plus 100 bytes an event on real traffic (strings are kept once a view, or once a shard
 * for what repeats among views; an event stores only what differs). */
#ifndef FF_VIEWS_VIEW_H
#define FF_VIEWS_VIEW_H

#include "base/buf.h"
#include "views/beacon.h"
#include "views/row.h"

/* The last place, and the last bytes, are kept for a viewend, whose full record has the sums of what was refused
 * before. */
enum { VIEW_EVENTS_MAX = 5000, VIEW_SCORE_MODEL = 1 };

enum view_effect {
    VIEW_ADDED,     /* a new event of the view */
    VIEW_DUPLICATE, /* its sequence number was there */
    VIEW_FULL,      /* over VIEW_EVENTS_MAX: refused */
};

struct view;
struct view_strings; /* text shared by the views of one shard (user agents, geography, dictionaries) */
struct view_strings *view_strings_new(void);
void view_strings_free(struct view_strings *s);

struct view *view_new(struct view_strings *strings, const struct beacon *b, const struct beacon_event *first);
void view_free(struct view *v);
enum view_effect view_apply(struct view *v, const struct beacon *b, const struct beacon_event *e) MUST_USE;

struct hash128 view_id(const struct view *v);
struct span view_key_id(const struct view *v);      /* the id that the SDK gave */
const char *view_environment(const struct view *v); /* environment id */
bool view_started(const struct view *v);            /* an event makes it a view (rule 7) */
bool view_ended(const struct view *v);              /* a viewend is there */
bool view_has_gaps(const struct view *v);           /* sequence numbers are missing below the viewend (or from 1 on) */
bool view_backfilled(const struct view *v);
int64_t view_first_receipt_ms(const struct view *v);
int64_t view_last_receipt_ms(const struct view *v);
int64_t view_newest_event_ms(const struct view *v); /* largest viewer_time, client clock */
size_t view_bytes(const struct view *v);            /* memory it holds, for the bench */
uint32_t view_event_count(const struct view *v);
uint32_t view_lowest_sequence(const struct view *v);
uint32_t view_complete_to(const struct view *v); /* every sequence number from 1 to this is there; 0: 1 is missing */
/* Events above the first viewend, which folding ignores (rule 8). */
uint32_t view_ignored_count(const struct view *v);
/* false: the view does not keep this field, since no column and no event detail needs it. */
bool view_keeps(enum field f);

/* An environment's decision about an error code (dashboard wins over what the SDK sent). */
struct view_error_rule {
    bool severity_known, fatal; /* fatal counts when severity_known */
    bool business_known, business;
};
typedef struct view_error_rule error_category_lookup(void *ctx, const char *environment_id, struct span code);

/* Computes the row; everything it points at is in arena. categorise may be NULL. The caller sets version, final,
 * had_pending and check; `final` also decides view_dropped (rule 14). */
void view_fold(const struct view *v, bool final, error_category_lookup *categorise, void *ctx, struct arena *arena,
               struct view_row *out);

/* For tests and debugging: every kept field that is known after the event of that sequence number (or the last one
 * before it), and the event's own values of fields that belong to their event alone. In order of field numbers. */
typedef void view_state_sink(void *ctx, const struct beacon_value *value);
void view_state(const struct view *v, uint32_t sequence, struct arena *arena, view_state_sink *sink, void *ctx);

/* For the checkpoint: the whole state, and back. view_load answers NULL for bytes that view_save did not write. */
void view_save(const struct view *v, struct buf *out);
struct view *view_load(struct view_strings *strings, struct bytes *in) MUST_USE;

/* The stable positive 31-bit id of (code, message); either may be empty. */
int32_t error_type_id(struct span code, struct span message);

#endif
