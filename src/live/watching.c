/* SPDX-License-Identifier: Apache-2.0
 * The entries lie close together, so that counting is a scan; a table of places finds one by the hash of its key. Texts
 * are kept as hashes with a seed of this process. An entry that goes makes room for the last one. */
#include "live/watching.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdlib.h>

enum { SLOTS_MIN = 1024, SWEEP = 2, NO_ENTRY = 0, KEY_BYTES_MAX = 192 };

struct entry {
    uint64_t key, environment;       /* hashes */
    uint64_t of[WATCHING_BYS];       /* of the ids; 0: none */
    uint64_t user, sdk;              /* of the viewer's ids; 0: none */
    int64_t seen_ms;                 /* receipt of its last beacon */
    uint32_t slot;                   /* where its place is */
    bool started, failed, by_source; /* by_source: the playback id comes from the source's address */
};

struct watching {
    pthread_mutex_t lock;
    uint64_t seed;
    size_t views_max;
    struct entry *entries;
    size_t n, room, sweep_at;
    uint32_t *slots; /* entry + 1; open addressing */
    size_t slot_count;
};

static void lock(struct watching *w)
{
    BUG_IF(pthread_mutex_lock(&w->lock) != 0);
}

static void unlock(struct watching *w)
{
    BUG_IF(pthread_mutex_unlock(&w->lock) != 0);
}

/* Never 0. */
static uint64_t text_hash(const struct watching *w, struct span s)
{
    uint64_t h = hash64(s, w->seed);
    return h ? h : 1;
}

static uint64_t key_of(uint64_t environment, struct span view_id)
{
    uint64_t h = hash64(view_id, environment);
    return h ? h : 1;
}

struct watching *watching_new(size_t views_max)
{
    struct watching *w = calloc(1, sizeof *w);
    BUG_IF(w == NULL || views_max > UINT32_MAX / 4);
    w->views_max = views_max;
    random_bytes(&w->seed, sizeof w->seed);
    w->slot_count = SLOTS_MIN;
    w->slots = calloc(w->slot_count, sizeof *w->slots);
    BUG_IF(w->slots == NULL || pthread_mutex_init(&w->lock, NULL) != 0);
    return w;
}

void watching_free(struct watching *w)
{
    if (w == NULL) return;
    (void)pthread_mutex_destroy(&w->lock);
    free(w->entries);
    free(w->slots);
    free(w);
}

/* -- the table -- */

static size_t slot_next(const struct watching *w, size_t slot)
{
    return (slot + 1) & (w->slot_count - 1);
}

/* The slot of the key, or the free one where it belongs. */
static size_t slot_find(const struct watching *w, uint64_t key)
{
    size_t slot = key & (w->slot_count - 1);
    while (w->slots[slot] != NO_ENTRY && w->entries[w->slots[slot] - 1].key != key) slot = slot_next(w, slot);
    return slot;
}

static void slot_set(struct watching *w, size_t slot, size_t entry)
{
    w->slots[slot] = (uint32_t)entry + 1;
    w->entries[entry].slot = (uint32_t)slot;
}

static void slots_grow(struct watching *w)
{
    free(w->slots);
    w->slot_count *= 2;
    w->slots = calloc(w->slot_count, sizeof *w->slots);
    BUG_IF(w->slots == NULL);
    for (size_t i = 0; i < w->n; i++) slot_set(w, slot_find(w, w->entries[i].key), i);
}

static struct entry *entry_add(struct watching *w, uint64_t key, uint64_t environment)
{
    if (w->n == w->views_max) return NULL;
    if (w->n == w->room) {
        w->room = w->room ? w->room * 2 : SLOTS_MIN / 2;
        w->entries = realloc(w->entries, w->room * sizeof *w->entries);
        BUG_IF(w->entries == NULL);
    }
    if ((w->n + 1) * 2 > w->slot_count) slots_grow(w);
    w->entries[w->n] = (struct entry){.key = key, .environment = environment};
    slot_set(w, slot_find(w, key), w->n);
    return &w->entries[w->n++];
}

/* Frees the slot and closes the gap in the run of slots behind it. */
static void slot_clear(struct watching *w, size_t gap)
{
    size_t at = gap;
    w->slots[gap] = NO_ENTRY;
    while (w->slots[at = slot_next(w, at)] != NO_ENTRY) {
        size_t entry = w->slots[at] - 1, home = w->entries[entry].key & (w->slot_count - 1);
        bool stays = gap <= at ? gap < home && home <= at : gap < home || home <= at;
        if (stays) continue;
        slot_set(w, gap, entry);
        w->slots[at] = NO_ENTRY;
        gap = at;
    }
}

static void entry_remove(struct watching *w, size_t at)
{
    slot_clear(w, w->entries[at].slot);
    size_t last = --w->n;
    if (at == last) return;
    w->entries[at] = w->entries[last];
    slot_set(w, w->entries[at].slot, at);
}

/* A few at each event, so that those that went silent do not pile up. */
static void sweep(struct watching *w, int64_t now_ms)
{
    for (int i = 0; i < SWEEP && w->n; i++) {
        if (w->sweep_at >= w->n) w->sweep_at = 0;
        if (now_ms - w->entries[w->sweep_at].seen_ms >= WATCHING_GONE_MS) entry_remove(w, w->sweep_at);
        else w->sweep_at++;
    }
}

/* -- beacons -- */

/* The first path segment, without extension, of a source on stream.mux.com; empty for any other. */
static struct span playback_id_of(struct span url)
{
    ptrdiff_t scheme = span_find_span(url, SPAN("://"));
    struct span host = scheme < 0 ? (struct span){NULL, 0} : span_from(url, (size_t)scheme + 3);
    ptrdiff_t slash = span_find(host, '/');
    if (slash < 0 || !span_eq_nocase(span_upto(host, (size_t)slash), SPAN("stream.mux.com")))
        return (struct span){NULL, 0};
    struct span id = span_from(host, (size_t)slash + 1);
    size_t end = 0;
    while (end < id.len && memchr("/.?#", id.ptr[end], 4) == NULL) end++;
    return span_upto(id, end);
}

static void source_note(struct watching *w, struct entry *e, struct span url)
{
    if (e->of[WATCHING_PLAYBACK_ID] && !e->by_source) return;
    struct span id = playback_id_of(url);
    e->of[WATCHING_PLAYBACK_ID] = id.len ? text_hash(w, id) : 0;
    e->by_source = true;
}

static void text_note(struct watching *w, uint64_t *to, struct span text)
{
    *to = text.len ? text_hash(w, text) : 0;
}

static void values_note(struct watching *w, struct entry *e, const struct beacon_event *event)
{
    bool fatal = event->name == EVENT_error, business = false;
    for (uint32_t i = 0; i < event->value_count; i++) {
        const struct beacon_value *v = &event->values[i];
        switch (v->field) {
        case FIELD_video_id: text_note(w, &e->of[WATCHING_VIDEO_ID], v->v.s); break;
        case FIELD_asset_id: text_note(w, &e->of[WATCHING_ASSET_ID], v->v.s); break;
        case FIELD_live_stream_id: text_note(w, &e->of[WATCHING_LIVE_STREAM_ID], v->v.s); break;
        case FIELD_playback_id:
            text_note(w, &e->of[WATCHING_PLAYBACK_ID], v->v.s);
            e->by_source = false;
            break;
        case FIELD_video_source_url:
        case FIELD_player_source_url: source_note(w, e, v->v.s); break;
        case FIELD_viewer_user_id: text_note(w, &e->user, v->v.s); break;
        case FIELD_mux_viewer_id:
            if (e->sdk == 0) text_note(w, &e->sdk, v->v.s);
            break;
        case FIELD_view_start: e->started = true; break;
        case FIELD_player_error_severity: fatal = fatal && !span_eq_nocase(v->v.s, SPAN("warning")); break;
        case FIELD_player_error_business_exception: business = v->v.i != 0; break;
        default: break;
        }
    }
    if (fatal && !business) e->started = e->failed = true;
}

static void event_note(struct watching *w, const struct beacon *b, const struct beacon_event *event,
                       uint64_t environment, uint64_t key)
{
    size_t slot = slot_find(w, key);
    if (event->name == EVENT_viewend) {
        if (w->slots[slot] != NO_ENTRY) entry_remove(w, w->slots[slot] - 1);
        return;
    }
    struct entry *e = w->slots[slot] != NO_ENTRY ? &w->entries[w->slots[slot] - 1] : entry_add(w, key, environment);
    if (e == NULL) return;
    e->seen_ms = b->received_ms;
    if (event->name == EVENT_play || event->name == EVENT_playing) e->failed = false;
    if (event->name == EVENT_viewstart || event->name == EVENT_play || event->name == EVENT_adbreakstart)
        e->started = true;
    values_note(w, e, event);
}

void watching_beacon(struct watching *w, const struct beacon *b)
{
    const struct beacon_event *before = NULL; /* a beacon is mostly of one view: its hashes are made once */
    uint64_t environment = 0, key = 0;
    lock(w);
    for (uint32_t i = 0; i < b->event_count; i++) {
        const struct beacon_event *event = &b->events[i];
        sweep(w, b->received_ms);
        if (b->envs[event->env].backfill) continue;
        if (before == NULL || before->env != event->env || !span_eq(before->view_id, event->view_id)) {
            environment = text_hash(w, span_of(b->envs[event->env].id));
            key = key_of(environment, event->view_id);
        }
        event_note(w, b, event, environment, key);
        before = event;
    }
    unlock(w);
}

/* -- counting -- */

static int number_compare(const void *x, const void *y)
{
    const uint64_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

/* Sorts keys; how many differ. */
static int64_t distinct(uint64_t *keys, size_t n)
{
    int64_t found = 0;
    if (n) qsort(keys, n, sizeof *keys, number_compare);
    for (size_t i = 0; i < n; i++) found += i == 0 || keys[i] != keys[i - 1];
    return found;
}

struct watching_count watching_count(struct watching *w, const char *environment_id, enum watching_by by,
                                     struct span id, int64_t now_ms)
{
    struct watching_count out = {0, 0};
    size_t n = 0, room = 0;
    uint64_t *keys = NULL, environment = text_hash(w, span_of(environment_id)), wanted = text_hash(w, id);
    lock(w);
    for (size_t i = 0; i < w->n; i++) {
        const struct entry *e = &w->entries[i];
        bool live = e->started && !e->failed && now_ms - e->seen_ms < WATCHING_GONE_MS;
        if (!live || e->environment != environment || e->of[by] != wanted) continue;
        if (n == room) {
            room = room ? room * 2 : 64;
            keys = realloc(keys, room * sizeof *keys);
            BUG_IF(keys == NULL);
        }
        out.views++;
        keys[n++] = e->user ? e->user : e->sdk ? e->sdk : e->key;
    }
    unlock(w);
    out.viewers = distinct(keys, n);
    free(keys);
    return out;
}

size_t watching_views(struct watching *w)
{
    lock(w);
    size_t n = w->n;
    unlock(w);
    return n;
}
