/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/recent.h"

#include "base/clock.h"
#include "base/hash.h"
#include "collector/payload.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    RING_BUCKETS = 1024,
    JUDGEMENTS_MAX = FORMAT_ENVS_MAX,
    SHOWN_TEXT_BYTES = 2048,
    SHOWN_KEY_BYTES = 128,
    DECODE_BYTES_MAX = 4 << 20,
    VICTIM_STEPS_MAX = 1000,
};

/* One kept POST: a payload (payload.h) made of all its keys, accepted or not, and what became of them. */
struct entry {
    _Atomic uint32_t refs;
    struct ring *ring;
    struct list *list;
    struct entry *newer, *older;         /* in its list */
    struct entry *newer_all, *older_all; /* among all */
    size_t bytes;
    uint64_t order; /* of arrival, among all */
    int64_t received_ms;
    size_t body_bytes;
    enum drop problem;
    const char *detail;
    uint32_t judgement_count;
    enum drop verdicts[JUDGEMENTS_MAX];
    struct span payload;
    char text[];
};

struct later { /* events of one reason that were refused after the acknowledgement */
    int64_t events, last_ms;
};

struct list {
    struct entry *newest, *oldest;
    uint32_t count;
    size_t bytes;
    int64_t second; /* and how many came in it */
    uint32_t in_second;
};

enum { LIST_BEGINS, LIST_OTHERS, LISTS };

struct ring {          /* an environment */
    struct ring *next; /* in its bucket */
    char id[24];
    struct list lists[LISTS];
    struct later later[DROP_COUNT];
};

struct recent {
    pthread_mutex_t lock;
    struct ring *buckets[RING_BUCKETS];
    struct entry *newest, *oldest;
    size_t bytes, bytes_max;
    uint64_t added;
};

struct recent *recent_new(size_t bytes_max)
{
    struct recent *r = calloc(1, sizeof *r);
    BUG_IF(r == NULL);
    BUG_IF(pthread_mutex_init(&r->lock, NULL) != 0);
    r->bytes_max = bytes_max;
    return r;
}

static void entry_release(struct entry *e)
{
    if (atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1) free(e);
}

/* Under the lock. The oldest of its list. */
static void entry_evict(struct recent *r, struct entry *e)
{
    struct list *list = e->list;
    BUG_IF(list->oldest != e);
    list->oldest = e->newer;
    if (e->newer) e->newer->older = NULL;
    else list->newest = NULL;
    list->count--;
    list->bytes -= e->bytes;
    if (e->newer_all) e->newer_all->older_all = e->older_all;
    else r->newest = e->older_all;
    if (e->older_all) e->older_all->newer_all = e->newer_all;
    else r->oldest = e->newer_all;
    r->bytes -= e->bytes;
    entry_release(e);
}

void recent_free(struct recent *r)
{
    if (r == NULL) return;
    while (r->oldest) entry_evict(r, r->oldest);
    for (size_t i = 0; i < RING_BUCKETS; i++) {
        while (r->buckets[i]) {
            struct ring *next = r->buckets[i]->next;
            free(r->buckets[i]);
            r->buckets[i] = next;
        }
    }
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* Under the lock. Environments come from the accounts, so that their number is bounded there. */
static struct ring *ring_find(struct recent *r, const char *id, bool make)
{
    struct ring **at = &r->buckets[hash64(span_of(id), 0) % RING_BUCKETS];
    for (; *at; at = &(*at)->next)
        if (strcmp((*at)->id, id) == 0) return *at;
    if (!make) return NULL;
    struct ring *ring = calloc(1, sizeof *ring);
    BUG_IF(ring == NULL);
    size_t len = strlen(id);
    BUG_IF(len >= sizeof ring->id);
    memcpy(ring->id, id, len);
    return *at = ring;
}

/* Whether there is room in this second. */
static bool list_admits(struct list *list, int64_t now_ms)
{
    if (now_ms / 1000 != list->second) {
        list->second = now_ms / 1000;
        list->in_second = 0;
    }
    return list->in_second++ < RECENT_PER_SECOND;
}

static bool ring_has_many(const struct ring *ring)
{
    return ring->lists[LIST_BEGINS].count + ring->lists[LIST_OTHERS].count > RECENT_POSTS_MAX;
}

/* Under the lock. Whose place a new one of the ring takes when there is no room for all: first its own ring's, so that
 * a busy environment leaves the others theirs. */
static struct entry *recent_victim(const struct recent *r, const struct ring *ring)
{
    const struct list *begins = &ring->lists[LIST_BEGINS], *others = &ring->lists[LIST_OTHERS];
    if (ring_has_many(ring)) return begins->bytes > others->bytes ? begins->oldest : others->oldest;
    struct entry *e = r->oldest;
    for (int steps = 0; e && steps < VICTIM_STEPS_MAX; e = e->newer_all, steps++)
        if (ring_has_many(e->ring)) return e;
    return r->oldest;
}

static struct entry *entry_new(const struct recent_post *post)
{
    uint32_t keys = post->judgement_count < JUDGEMENTS_MAX ? post->judgement_count : JUDGEMENTS_MAX;
    struct payload p = {
        .format = post->format,
        .body = post->body.len <= RECENT_BODY_BYTES_MAX ? post->body : SPAN(""),
        .received_ms = post->received_ms,
        .env_count = keys,
        .refused = post->refused,
        .refused_count = post->refused_count,
        .env_key = post->env_key,
        .limits = post->limits,
    };
    if (post->viewer) {
        p.viewer = *post->viewer;
        p.viewer.address = SPAN("");
        p.viewer.user_agent = span_cut_utf8(p.viewer.user_agent, 512);
    }
    for (uint32_t i = 0; i < keys; i++)
        p.envs[i] = (struct payload_env){post->judgements[i].key, post->judgements[i].env};
    struct buf text;
    buf_init(&text, 2 * RECENT_BODY_BYTES_MAX + JUDGEMENTS_MAX * 2 * (size_t)field_type_facts(FIELD_TEXT)->most);
    payload_encode(&text, &p);
    struct entry *e = text.failed ? NULL : malloc(sizeof *e + text.len);
    if (e) {
        *e = (struct entry){.refs = 1,
                            .bytes = sizeof *e + text.len,
                            .received_ms = post->received_ms,
                            .body_bytes = post->body_bytes,
                            .problem = post->problem,
                            .detail = post->detail,
                            .judgement_count = keys};
        for (uint32_t i = 0; i < keys; i++) e->verdicts[i] = post->judgements[i].verdict;
        memcpy(e->text, text.ptr, text.len);
        e->payload = span_make(e->text, text.len);
    }
    buf_free(&text);
    return e;
}

static void entry_link(struct recent *r, struct ring *ring, struct list *list, struct entry *e)
{
    e->ring = ring;
    e->list = list;
    e->order = ++r->added;
    e->older = list->newest;
    if (list->newest) list->newest->newer = e;
    else list->oldest = e;
    list->newest = e;
    list->count++;
    list->bytes += e->bytes;
    e->older_all = r->newest;
    if (r->newest) r->newest->newer_all = e;
    else r->oldest = e;
    r->newest = e;
    r->bytes += e->bytes;
}

void recent_add(struct recent *r, const char *environment_id, const struct recent_post *post)
{
    pthread_mutex_lock(&r->lock);
    struct ring *ring = ring_find(r, environment_id, true);
    struct list *list = &ring->lists[post->begins ? LIST_BEGINS : LIST_OTHERS];
    bool admitted = list_admits(list, post->received_ms);
    pthread_mutex_unlock(&r->lock);
    struct entry *e = admitted ? entry_new(post) : NULL;
    if (e == NULL) return;
    pthread_mutex_lock(&r->lock);
    entry_link(r, ring, list, e);
    while (list->count > RECENT_KEPT_MAX || list->bytes > r->bytes_max / 4) entry_evict(r, list->oldest);
    while (r->bytes > r->bytes_max) entry_evict(r, recent_victim(r, ring));
    pthread_mutex_unlock(&r->lock);
}

void recent_refused_later(struct recent *r, const char *environment_id, enum drop why, uint32_t events, int64_t now_ms)
{
    pthread_mutex_lock(&r->lock);
    struct later *later = &ring_find(r, environment_id, true)->later[why];
    later->events += events;
    later->last_ms = now_ms;
    pthread_mutex_unlock(&r->lock);
}

/* -- showing -- */

struct showing {
    const struct entry *entry;
    const struct payload *payload;
    const char *environment_id;
    struct jw *out;
    struct buf ignored; /* the "ignored" list of the event that comes next */
    struct jw ignored_out;
};

struct reading { /* what decoding needs */
    const struct formats *formats;
    struct json_parser *json;
    struct arena arena;
};

static void jw_known(struct jw *out, const char *key, struct span s)
{
    jw_key(out, key);
    if (s.len) jw_string(out, s);
    else jw_null(out);
}

static void show_ignored(void *ctx, struct span key, const char *why)
{
    struct showing *s = ctx;
    struct jw *w = &s->ignored_out;
    jw_object(w);
    jw_key(w, "key");
    jw_string(w, span_cut_utf8(key, SHOWN_KEY_BYTES));
    jw_key(w, "why");
    jw_text(w, why);
    jw_object_end(w);
}

static void show_ignored_begin(struct showing *s)
{
    buf_clear(&s->ignored);
    jw_init(&s->ignored_out, &s->ignored);
    jw_array(&s->ignored_out);
}

static void show_value(struct jw *out, const struct beacon_value *v)
{
    const struct field_facts *facts = field_facts((enum field)v->field);
    jw_key(out, facts->name);
    switch (facts->type) {
    case FIELD_MS:
    case FIELD_COUNTER:
    case FIELD_SIZE:
    case FIELD_BITRATE:
    case FIELD_TIME: jw_int(out, v->v.i); return;
    case FIELD_BOOL: jw_bool(out, v->v.i != 0); return;
    case FIELD_NUMBER: jw_double(out, v->v.d); return;
    case FIELD_TEXT:
    case FIELD_URL:
    case FIELD_CONTEXT:
    case FIELD_JSON:
    case FIELD_RANGES: jw_string(out, span_cut_utf8(v->v.s, SHOWN_TEXT_BYTES)); return;
    }
}

/* Whether an event belongs to the environment that is looked at, as far as one can tell. */
static bool show_belongs(const struct showing *s, struct span env_key)
{
    if (env_key.len == 0) return true;
    for (uint32_t i = 0; i < s->payload->env_count; i++)
        if (span_eq(s->payload->envs[i].key, env_key))
            return strcmp(s->payload->envs[i].env.id, s->environment_id) == 0;
    return s->environment_id[0] == 0;
}

static void show_event(void *ctx, uint32_t index, const struct beacon_event *event, struct span env_key, enum drop why)
{
    struct showing *s = ctx;
    (void)index;
    if (show_belongs(s, env_key)) {
        struct jw *out = s->out;
        jw_object(out);
        jw_known(out, "event", event->name_text);
        jw_known(out, "view_id", event->view_id);
        jw_key(out, "view_sequence_number");
        jw_int(out, event->sequence);
        jw_key(out, "viewer_time");
        if (event->viewer_time_ms == INT64_MIN) jw_null(out);
        else jw_int(out, event->viewer_time_ms);
        jw_key(out, "refused");
        jw_text(out, why == DROP_NONE ? NULL : drop_name(why));
        jw_key(out, "help");
        jw_text(out, why == DROP_NONE ? NULL : drop_help(why));
        jw_key(out, "fields");
        jw_object(out);
        for (uint32_t i = 0; i < event->value_count; i++) show_value(out, &event->values[i]);
        jw_object_end(out);
        jw_array_end(&s->ignored_out);
        jw_key(out, "ignored");
        jw_raw(out, s->ignored.failed ? SPAN("[]") : buf_span(&s->ignored));
        jw_object_end(out);
    }
    show_ignored_begin(s);
}

static enum drop show_judge(void *ctx, struct span env_key, struct beacon_env *out)
{
    const struct showing *s = ctx;
    for (uint32_t i = 0; i < s->payload->env_count; i++) {
        if (!span_eq(s->payload->envs[i].key, env_key)) continue;
        *out = s->payload->envs[i].env;
        return s->entry->verdicts[i];
    }
    return DROP_unknown_env;
}

static enum drop decode_entry(struct showing *s, struct reading *reading, const struct format_notes *notes,
                              struct format_output *decoded)
{
    struct format_input in = {
        .body = s->payload->body,
        .received_ms = s->payload->received_ms,
        .json = reading->json,
        .arena = &reading->arena,
        .limits = s->payload->limits,
        .env_key = s->payload->env_key,
        .judge = show_judge,
        .judge_ctx = s,
        .refused = s->payload->refused,
        .refused_count = s->payload->refused_count,
        .notes = notes,
    };
    return format_decode(reading->formats, s->payload->format, &in, decoded);
}

static void show_events(struct showing *s, struct reading *reading, int64_t *clock_offset_ms, enum drop *problem)
{
    struct format_notes notes = {.ctx = s, .ignored = show_ignored, .event = show_event};
    struct format_output decoded;
    show_ignored_begin(s);
    *problem = decode_entry(s, reading, &notes, &decoded);
    *clock_offset_ms = decoded.beacon.clock_offset_ms;
}

static void show_problem(struct jw *out, const struct entry *e, enum drop why)
{
    jw_key(out, "problem");
    if (why == DROP_NONE) {
        jw_null(out);
        return;
    }
    jw_object(out);
    jw_key(out, "reason");
    jw_text(out, drop_name(why));
    jw_key(out, "help");
    jw_text(out, drop_help(why));
    jw_key(out, "detail");
    jw_text(out, e->detail);
    jw_object_end(out);
}

static void show_entry(struct showing *s, struct reading *reading)
{
    const struct entry *e = s->entry;
    const struct viewer_facts *v = &s->payload->viewer;
    struct jw *out = s->out;
    char when[32];
    iso_millis(when, e->received_ms);
    jw_object(out);
    jw_key(out, "received_at");
    jw_text(out, when);
    jw_key(out, "format");
    jw_text(out, format_name(s->payload->format));
    jw_key(out, "bytes");
    jw_int(out, (int64_t)e->body_bytes);
    jw_key(out, "backfill");
    jw_bool(out, s->payload->env_count && s->payload->envs[0].env.backfill);
    jw_known(out, "user_agent", v->user_agent);
    jw_known(out, "browser", v->browser);
    jw_known(out, "operating_system", v->os);
    jw_known(out, "device_category", v->device_category);
    jw_known(out, "country", v->country);
    show_problem(out, e, e->problem);
    jw_key(out, "events_shown");
    bool shown = e->problem == DROP_NONE && s->payload->body.len;
    jw_bool(out, shown);
    jw_key(out, "events");
    jw_array(out);
    int64_t offset = 0;
    enum drop problem = DROP_NONE;
    if (shown) show_events(s, reading, &offset, &problem);
    jw_array_end(out);
    jw_key(out, "clock_offset_ms");
    if (shown && problem == DROP_NONE) jw_int(out, offset);
    else jw_null(out);
    jw_object_end(out);
}

/* -- choosing -- */

struct choosing {
    struct showing *s;
    const struct collector_recent_ask *ask;
    struct hash128 public_id;
    bool by_public_id;
    bool view_found, video_found;
};

static void choose_ignored(void *ctx, struct span key, const char *why)
{
    (void)ctx;
    (void)key;
    (void)why;
}

static void choose_event(void *ctx, uint32_t index, const struct beacon_event *event, struct span env_key,
                         enum drop why)
{
    struct choosing *x = ctx;
    (void)index;
    (void)why;
    if (!show_belongs(x->s, env_key)) return;
    if (span_eq(event->view_id, x->ask->view_id)) x->view_found = true;
    if (x->by_public_id && !x->view_found)
        x->view_found = hash128_eq(hash128_sha256(span_of(x->s->environment_id), event->view_id), x->public_id);
    for (uint32_t i = 0; i < event->value_count; i++)
        if (event->values[i].field == FIELD_video_id && span_eq(event->values[i].v.s, x->ask->video_id))
            x->video_found = true;
}

/* Without decoding: a text that JSON wrote without escapes stands in the body as it is. */
static bool body_may_hold(struct span body, struct span text)
{
    return text.len == 0 || span_find_span(body, text) >= 0 || span_find(body, '\\') >= 0;
}

static bool entry_chosen(struct choosing *x, struct reading *reading)
{
    const struct collector_recent_ask *ask = x->ask;
    struct span body = x->s->payload->body;
    if (ask->view_id.len == 0 && ask->video_id.len == 0) return true;
    if (x->s->entry->problem != DROP_NONE || body.len == 0) return false;
    if (!body_may_hold(body, ask->video_id) || !(x->by_public_id || body_may_hold(body, ask->view_id))) return false;
    struct format_notes notes = {.ctx = x, .ignored = choose_ignored, .event = choose_event};
    struct format_output decoded;
    x->view_found = ask->view_id.len == 0;
    x->video_found = ask->video_id.len == 0;
    return decode_entry(x->s, reading, &notes, &decoded) == DROP_NONE && x->view_found && x->video_found;
}

/* A reference to each of the ring's entries, newest first, up to max. */
static size_t entries_take(struct recent *r, const char *environment_id, struct entry **entries, size_t max)
{
    size_t n = 0;
    pthread_mutex_lock(&r->lock);
    const struct ring *ring = ring_find(r, environment_id, false);
    struct entry *begins = ring ? ring->lists[LIST_BEGINS].newest : NULL;
    struct entry *others = ring ? ring->lists[LIST_OTHERS].newest : NULL;
    while ((begins || others) && n < max) {
        bool begin = begins && (others == NULL || begins->order > others->order);
        struct entry *e = begin ? begins : others;
        if (begin) begins = e->older;
        else others = e->older;
        atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
        entries[n++] = e;
    }
    pthread_mutex_unlock(&r->lock);
    return n;
}

size_t recent_json(struct recent *r, const struct formats *formats, const char *environment_id,
                   const struct collector_recent_ask *ask, struct jw *out)
{
    bool all = ask->view_id.len == 0 && ask->video_id.len == 0;
    size_t max = LISTS * RECENT_KEPT_MAX;
    if (all && ask->limit < max) max = ask->limit;
    struct entry **entries = malloc(max * sizeof *entries + 1);
    BUG_IF(entries == NULL);
    size_t n = entries_take(r, environment_id, entries, max), shown = 0;
    struct reading reading = {.formats = formats, .json = json_parser_new()};
    json_parser_depth(reading.json, JSON_DEPTH_MAX);
    arena_init(&reading.arena, DECODE_BYTES_MAX);
    struct showing s = {.environment_id = environment_id, .out = out};
    struct choosing x = {.s = &s, .ask = ask};
    x.by_public_id = hash128_from_hex(ask->view_id, &x.public_id);
    buf_init(&s.ignored, RECENT_BODY_BYTES_MAX * 4);
    jw_array(out);
    for (size_t i = 0; i < n; i++) {
        struct payload payload;
        arena_reset(&reading.arena);
        s.entry = entries[i];
        s.payload = &payload;
        BUG_IF(!payload_read(entries[i]->payload, &reading.arena, &payload));
        if (shown < ask->limit && entry_chosen(&x, &reading)) {
            show_entry(&s, &reading);
            shown++;
        }
        entry_release(entries[i]);
    }
    jw_array_end(out);
    buf_free(&s.ignored);
    arena_free(&reading.arena);
    json_parser_free(reading.json);
    free(entries);
    return shown;
}

void recent_refused_later_json(struct recent *r, const char *environment_id, struct jw *out)
{
    struct later later[DROP_COUNT] = {{0}};
    pthread_mutex_lock(&r->lock);
    const struct ring *ring = ring_find(r, environment_id, false);
    if (ring) memcpy(later, ring->later, sizeof later);
    pthread_mutex_unlock(&r->lock);
    jw_array(out);
    for (unsigned d = DROP_NONE + 1; d < DROP_COUNT; d++) {
        if (later[d].events == 0) continue;
        char when[32];
        iso_millis(when, later[d].last_ms);
        jw_object(out);
        jw_key(out, "reason");
        jw_text(out, drop_name((enum drop)d));
        jw_key(out, "help");
        jw_text(out, drop_help((enum drop)d));
        jw_key(out, "events");
        jw_int(out, later[d].events);
        jw_key(out, "last_at");
        jw_text(out, when);
        jw_object_end(out);
    }
    jw_array_end(out);
}
