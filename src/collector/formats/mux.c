/* SPDX-License-Identifier: Apache-2.0
 * The body is {"metadata":{"transmission_timestamp":ms,"rtt_ms":ms},"events":[{short keys}, ...]}. Roku leaves metadata
 * out. A bare array of events, or one bare event, is taken as well: that is what people type when they try things out.
 * Values may come in their own type or as text, whatever the SDK. */
#include "collector/formats/mux.h"

#include <math.h>

/* -- values -- */

/* An integer of 0..max, rounded half up, from a number or a text. */
static bool read_integer(const struct json_node *n, int64_t max, int64_t *out)
{
    double d;
    int64_t i;
    if (n->type == JSON_INT) {
        i = n->v.i;
    } else if (n->type == JSON_STRING && span_to_i64(span_trim(n->v.s), &i)) {
        /* i is read */
    } else {
        if (n->type == JSON_DOUBLE) d = n->v.d;
        else if (n->type != JSON_STRING || !span_to_double(span_trim(n->v.s), &d)) return false;
        if (!(d >= 0) || d >= 9223372036854775808.0) return false;
        i = (int64_t)(d < 4503599627370496.0 ? floor(d + 0.5) : d); /* from 2^52 on there are no fractions */
    }
    if (i < 0 || i > max) return false;
    *out = i;
    return true;
}

static bool read_number(const struct json_node *n, double *out)
{
    double d;
    if (json_is_number(n)) d = json_number(n);
    else if (n->type != JSON_STRING || !span_to_double(span_trim(n->v.s), &d)) return false;
    if (!(d >= 0) || !isfinite(d)) return false;
    *out = d == 0 ? 0 : d; /* no minus zero */
    return true;
}

static bool read_bool(const struct json_node *n, int64_t *out)
{
    if (n->type == JSON_STRING) {
        struct span s = span_trim(n->v.s);
        *out = span_eq(s, SPAN("true")) || span_eq(s, SPAN("1"));
        return *out || span_eq(s, SPAN("false")) || span_eq(s, SPAN("0"));
    }
    *out = n->type == JSON_TRUE || (json_is_number(n) && json_number(n) == 1);
    return *out || n->type == JSON_FALSE || (json_is_number(n) && json_number(n) == 0);
}

/* Text as it is; anything else as its JSON text. Absent: null. */
static bool read_text(const struct json_node *n, size_t max, struct span *out)
{
    if (n->type == JSON_NULL) return false;
    *out = span_cut_utf8(n->type == JSON_STRING ? n->v.s : n->raw, max);
    return true;
}

bool mux_value(enum field field, const struct json_node *n, struct beacon_value *out)
{
    out->field = (uint16_t)field;
    enum field_type type = field_facts(field)->type;
    int64_t most = field_type_facts(type)->most;
    switch (type) {
    case FIELD_TEXT:
    case FIELD_URL:
    case FIELD_CONTEXT:
    case FIELD_JSON:
    case FIELD_RANGES: return read_text(n, (size_t)most, &out->v.s);
    case FIELD_MS:
    case FIELD_COUNTER:
    case FIELD_SIZE:
    case FIELD_BITRATE:
    case FIELD_TIME: return read_integer(n, most, &out->v.i);
    case FIELD_NUMBER: return read_number(n, &out->v.d);
    case FIELD_BOOL: return read_bool(n, &out->v.i);
    }
    return false;
}

static bool type_is_text(enum field_type type)
{
    return type == FIELD_TEXT || type == FIELD_URL || type == FIELD_CONTEXT || type == FIELD_JSON ||
           type == FIELD_RANGES;
}

/* For the recent-beacons view. */
static const char *type_wants(enum field_type type)
{
    switch (type) {
    case FIELD_MS:
    case FIELD_COUNTER:
    case FIELD_SIZE:
    case FIELD_BITRATE: return "wants a number from 0 to 2147483647";
    case FIELD_TIME:
    case FIELD_NUMBER: return "wants a number from 0 on";
    case FIELD_BOOL: return "wants true or false";
    case FIELD_TEXT:
    case FIELD_URL:
    case FIELD_CONTEXT:
    case FIELD_JSON:
    case FIELD_RANGES: break;
    }
    return "wants text";
}

/* -- one POST -- */

struct judged { /* an accepted environment key */
    struct span key;
    uint16_t env;
};

struct mux { /* the work on one POST */
    const struct mux_keys *keys;
    const struct format_input *in;
    struct format_output *out;
    const struct json_doc *doc;
    const char *body;         /* where the root value begins in the body ... */
    const char *root;         /* ... and in the parser's memory */
    uint32_t *index;          /* out->index while it is written */
    uint32_t refused_at;      /* next of in->refused */
    int64_t newest_viewer_ms; /* INT64_MIN: none */
    uint32_t keys_max;        /* of an event */
    struct judged judged[FORMAT_ENVS_MAX];
    struct span last_key; /* the environment key of the event before, and what became of it */
    enum drop last_verdict;
    uint16_t last_env;
    bool full; /* the arena is */
};

struct mux_event { /* the work on one event; reused for all events of a POST */
    struct beacon_value values[FIELD_COUNT];
    uint32_t count;
    uint32_t serial, seen[FIELD_COUNT]; /* seen[f] == serial: at place[f] */
    uint16_t place[FIELD_COUNT];
    struct span name, env_key;
};

/* Text from the parser's memory, which the next body overwrites, to memory that lives as long as the beacon. */
static struct span text_keep(struct mux *m, const struct json_node *n, struct span s)
{
    if (s.len == 0) return SPAN("");
    if (n->type != JSON_STRING || s.ptr == n->raw.ptr + 1) return span_make(m->body + (s.ptr - m->root), s.len);
    struct span copy = arena_copy(m->in->arena, s);
    if (copy.ptr == NULL) m->full = true;
    return copy;
}

/* Ranges that were cut lose the last, incomplete one and are closed again. */
static struct span ranges_close(struct mux *m, struct span s)
{
    size_t len = s.len;
    while (len > 1 && s.ptr[len - 1] != ',') len--;
    if (len <= 1) return s;
    char *copy = arena_alloc(m->in->arena, len);
    if (copy == NULL) {
        m->full = true;
        return SPAN("");
    }
    memcpy(copy, s.ptr, len);
    copy[len - 1] = ']';
    return span_make(copy, len);
}

static void event_ignored(const struct mux *m, struct span key, const char *why)
{
    if (m->in->notes) m->in->notes->ignored(m->in->notes->ctx, key, why);
}

static void event_member(struct mux *m, struct mux_event *e, const struct json_node *key, const struct json_node *value)
{
    unsigned field = mux_key_find(m->keys, key->v.s);
    if (field == MUX_FIELD_EVENT) {
        if (read_text(value, FORMAT_EVENT_NAME_MAX, &e->name)) e->name = text_keep(m, value, e->name);
        return;
    }
    if (field == FIELD_none) {
        m->out->tally.unknown_keys++;
        event_ignored(m, key->v.s, "unknown key");
        return;
    }
    struct beacon_value v;
    enum field_type type = field_facts((enum field)field)->type;
    if (!mux_value((enum field)field, value, &v)) {
        if (value->type != JSON_NULL) event_ignored(m, key->v.s, type_wants(type));
        return;
    }
    if (field == FIELD_env_key) e->env_key = v.v.s;
    if (type_is_text(type)) {
        bool cut = v.v.s.len < (value->type == JSON_STRING ? value->v.s : value->raw).len;
        v.v.s = text_keep(m, value, v.v.s);
        if (cut) event_ignored(m, key->v.s, "too long: it is cut");
        if (cut && type == FIELD_RANGES) v.v.s = ranges_close(m, v.v.s);
    }
    if (e->seen[field] == e->serial) { /* twice, or under two names: the last one counts */
        e->values[e->place[field]] = v;
        return;
    }
    e->seen[field] = e->serial;
    e->place[field] = (uint16_t)e->count;
    e->values[e->count++] = v;
}

static const struct beacon_value *event_value(const struct mux_event *e, enum field field)
{
    return e->seen[field] == e->serial ? &e->values[e->place[field]] : NULL;
}

static void event_read(struct mux *m, struct mux_event *e, const struct json_node *object)
{
    e->serial++;
    e->count = 0;
    e->name = e->env_key = SPAN("");
    const struct json_node *key = json_first(object);
    for (uint32_t i = 0; i < object->count && i < m->keys_max; i++) {
        event_member(m, e, key, key + 1);
        key = json_next(m->doc, key + 1);
    }
    if (e->env_key.len == 0) e->env_key = m->in->env_key;
    const struct beacon_value *time = event_value(e, FIELD_viewer_time);
    if (time && time->v.i > m->newest_viewer_ms) m->newest_viewer_ms = time->v.i;
}

/* The environment of an event, made known to the beacon when it is new. */
static enum drop event_env(struct mux *m, const struct mux_event *e, uint16_t *env)
{
    struct beacon *b = &m->out->beacon;
    if (e->env_key.len == 0) return DROP_no_env_key;
    if (m->last_key.len == 0 || !span_eq(e->env_key, m->last_key)) {
        m->last_key = e->env_key;
        uint16_t at = 0;
        while (at < b->env_count && !span_eq(m->judged[at].key, e->env_key)) at++;
        m->last_verdict = DROP_NONE;
        m->last_env = at;
        if (at == b->env_count) {
            struct beacon_env judged;
            m->last_verdict = m->in->judge(m->in->judge_ctx, e->env_key, &judged);
            if (m->last_verdict == DROP_NONE && at == FORMAT_ENVS_MAX) m->last_verdict = DROP_too_many_envs;
            if (m->last_verdict == DROP_NONE) {
                b->envs[at] = judged;
                m->judged[at] = (struct judged){e->env_key, at};
                b->env_count++;
            }
        }
    }
    *env = m->last_env;
    return m->last_verdict;
}

static enum drop event_identity(const struct mux_event *e, struct beacon_event *out)
{
    const struct beacon_value *id = event_value(e, FIELD_view_id);
    if (id) out->view_id = id->v.s;
    const struct beacon_value *sequence = event_value(e, FIELD_view_sequence_number);
    if (sequence == NULL) sequence = event_value(e, FIELD_player_sequence_number);
    if (sequence) out->sequence = (uint32_t)sequence->v.i;
    const struct beacon_value *time = event_value(e, FIELD_viewer_time);
    out->viewer_time_ms = time ? time->v.i : INT64_MIN;
    if (out->view_id.len == 0 || out->view_id.len > FIELD_MOST_view_id) return DROP_no_view_id;
    return sequence ? DROP_NONE : DROP_no_sequence;
}

static void event_strip_queries(struct mux_event *e)
{
    for (uint32_t i = 0; i < e->count; i++) {
        struct beacon_value *v = &e->values[i];
        if (field_facts((enum field)v->field)->type != FIELD_URL) continue;
        ptrdiff_t query = span_find(v->v.s, '?');
        if (query >= 0) v->v.s.len = (size_t)query;
    }
}

static void event_keep(struct mux *m, const struct mux_event *e, uint32_t index, struct beacon_event *event)
{
    struct beacon *b = &m->out->beacon;
    struct beacon_value *values = arena_alloc(m->in->arena, e->count * sizeof *values);
    if (values == NULL) {
        m->full = true;
        return;
    }
    memcpy(values, e->values, e->count * sizeof *values);
    event->values = values;
    m->index[b->event_count] = index;
    b->events[b->event_count++] = *event;
}

static void event_take(struct mux *m, struct mux_event *e, uint32_t index, const struct json_node *node)
{
    struct beacon_event event = {.view_id = SPAN("")};
    enum drop why = DROP_not_an_event;
    e->env_key = SPAN("");
    if (json_is(node, JSON_OBJECT)) {
        event_read(m, e, node);
        why = event_env(m, e, &event.env);
        enum drop identity = event_identity(e, &event);
        if (why == DROP_NONE) {
            why = node->count > m->keys_max ? DROP_too_many_keys : identity;
            if (m->out->beacon.envs[event.env].strip_query) event_strip_queries(e);
        }
        event.name = (uint16_t)event_name_of(e->name);
        event.name_text = e->name;
        event.values = e->values;
        event.value_count = e->count;
    }
    if (m->refused_at < m->in->refused_count && m->in->refused[m->refused_at] == index) {
        m->refused_at++;
        if (why == DROP_NONE) why = DROP_over_quota;
    }
    if (m->in->notes) m->in->notes->event(m->in->notes->ctx, index, &event, e->env_key, why);
    if (why != DROP_NONE) m->out->tally.dropped[why]++;
    else event_keep(m, e, index, &event);
}

/* The list of events, wherever it is; count and the first of them. */
static bool body_events(const struct json_doc *doc, uint32_t *count, const struct json_node **first)
{
    const struct json_node *root = doc->nodes, *events = root;
    if (json_is(root, JSON_OBJECT)) {
        events = json_get(doc, root, "events");
        if (events == NULL && json_get(doc, root, "e")) events = root;
    }
    if (json_is(events, JSON_ARRAY)) {
        *count = events->count;
        *first = json_first(events);
    } else if (json_is(events, JSON_OBJECT)) {
        *count = 1;
        *first = events;
    } else {
        *count = 0;
    }
    return *count > 0;
}

static void body_times(struct mux *m)
{
    struct beacon *b = &m->out->beacon;
    const struct json_node *metadata = json_get(m->doc, m->doc->nodes, "metadata");
    const struct json_node *sent = json_get(m->doc, metadata, "transmission_timestamp");
    const struct json_node *rtt = json_get(m->doc, metadata, "rtt_ms");
    b->received_ms = m->in->received_ms;
    if (sent == NULL || !read_integer(sent, INT64_MAX, &b->transmission_ms)) b->transmission_ms = INT64_MIN;
    if (rtt == NULL || !read_integer(rtt, INT32_MAX, &b->rtt_ms)) b->rtt_ms = 0;
    int64_t since = m->newest_viewer_ms;
    if (b->transmission_ms != INT64_MIN && __builtin_add_overflow(b->transmission_ms, b->rtt_ms / 2, &since))
        since = INT64_MAX;
    b->clock_offset_ms = since == INT64_MIN ? 0 : b->received_ms - since;
}

static enum drop body_refused(const char *why)
{
    if (why && strcmp(why, JSON_WHY_DEEP) == 0) return DROP_too_deep;
    return why && strcmp(why, JSON_WHY_MANY) == 0 ? DROP_too_many_values : DROP_not_json;
}

static uint32_t limit_of(uint32_t wanted, uint32_t max)
{
    return wanted && wanted < max ? wanted : max;
}

enum drop mux_decode(const struct mux_keys *keys, const struct format_input *in, struct format_output *out)
{
    struct json_doc doc;
    struct mux m = {.keys = keys, .in = in, .out = out, .doc = &doc, .newest_viewer_ms = INT64_MIN};
    m.keys_max = limit_of(in->limits.keys, FORMAT_KEYS_MAX);
    uint32_t values_max = limit_of(in->limits.values, FORMAT_NODES_MAX);
    /* Some writers of text put a byte order mark first. */
    struct span text = span_from(in->body, span_starts(in->body, SPAN("\xEF\xBB\xBF")) ? 3 : 0);
    if (!json_parse(in->json, text, values_max, &doc, &out->why)) return body_refused(out->why);
    uint32_t count;
    const struct json_node *node;
    if (!body_events(&doc, &count, &node)) return DROP_no_events;
    size_t blanks = 0;
    while (in->body.ptr[blanks] != doc.nodes->raw.ptr[0]) blanks++;
    m.body = in->body.ptr + blanks;
    m.root = doc.nodes->raw.ptr;

    out->tally.events = count;
    uint32_t taken = limit_of(count, limit_of(in->limits.events, FORMAT_EVENTS_MAX));
    if (count > taken) out->tally.dropped[DROP_too_many_events] = count - taken;
    struct beacon *b = &out->beacon;
    uint32_t envs = taken < FORMAT_ENVS_MAX ? taken : FORMAT_ENVS_MAX;
    b->envs = arena_alloc(in->arena, envs * sizeof *b->envs);
    b->events = arena_alloc(in->arena, taken * sizeof *b->events);
    out->index = m.index = arena_alloc(in->arena, taken * sizeof *m.index);
    if (b->envs == NULL || b->events == NULL || m.index == NULL) return DROP_too_large;

    struct mux_event event;
    event.serial = 0;
    memset(event.seen, 0, sizeof event.seen);
    for (uint32_t i = 0; i < taken && !m.full; i++, node = json_next(&doc, node)) event_take(&m, &event, i, node);
    if (m.full) return DROP_too_large;
    body_times(&m);
    return DROP_NONE;
}
