/* SPDX-License-Identifier: Apache-2.0
 * The steps of a beacon, in one array: each looks at the request or what earlier steps made of it, and says DROP_NONE
 * to go on. What the last step hands over is answered by whoever took it; everything else is answered here. */
#include "collector/collector.h"

#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "collector/quota.h"
#include "collector/recent.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    POST_MAGIC = 0x464F5354,
    POST_BLOCK_BYTES = 6 * 1024, /* what a usual post needs */
    POST_ARENA_MAX = 2 * COLLECTOR_BODY_BYTES_MAX + 16 * 1024 * 1024,
    POST_KEEP_BYTES = 64 * 1024, /* a larger arena is given back instead of reused */
    POSTS_FREE_MAX = 4096,
    PAYLOAD_BYTES_MAX = COLLECTOR_BODY_BYTES_MAX + 64 * 1024,
    SCRATCH_KEEP_BYTES = 256 * 1024,
    SCRATCH_SLOTS = 64,
    RECENT_BYTES_DEFAULT = 32 * 1024 * 1024,
    ANSWER_CHUNK = 256,
    ENV_KEY_BYTES_MAX = 64,
    USER_AGENT_BYTES_MAX = 1024,
    HEADER_LIST_MAX = 1024,
};

struct scratch { /* one thread's working memory while it handles a request */
    struct json_parser *json;
    struct buf inflated, payload;
    uint32_t refused[FORMAT_EVENTS_MAX];
};

struct collector {
    struct collector_options options;
    struct formats *formats;
    struct quotas *quotas;
    struct recent *recent;
    struct drop_counters drops;
    collector_append *append;
    void *append_ctx;
    _Atomic(struct scratch *) scratch[SCRATCH_SLOTS]; /* those nobody uses; more than that are freed */
    pthread_mutex_t lock;
    struct collector_post *free_posts;
    uint32_t free_count;
};

/* -- scratch and posts -- */

static struct scratch *scratch_take(struct collector *c)
{
    for (size_t i = 0; i < SCRATCH_SLOTS; i++) {
        if (atomic_load_explicit(&c->scratch[i], memory_order_relaxed) == NULL) continue;
        struct scratch *s = atomic_exchange_explicit(&c->scratch[i], NULL, memory_order_acquire);
        if (s) return s;
    }
    struct scratch *s = calloc(1, sizeof *s);
    BUG_IF(s == NULL);
    s->json = json_parser_new();
    buf_init(&s->inflated, c->options.body_bytes_max);
    buf_init(&s->payload, PAYLOAD_BYTES_MAX);
    return s;
}

static void scratch_free(struct scratch *s)
{
    json_parser_free(s->json);
    buf_free(&s->inflated);
    buf_free(&s->payload);
    free(s);
}

static void scratch_give(struct collector *c, struct scratch *s)
{
    buf_clear(&s->inflated);
    buf_clear(&s->payload);
    if (s->inflated.cap > SCRATCH_KEEP_BYTES) buf_free(&s->inflated);
    if (s->payload.cap > SCRATCH_KEEP_BYTES) buf_free(&s->payload);
    for (size_t i = 0; i < SCRATCH_SLOTS; i++) {
        struct scratch *none = NULL;
        if (atomic_load_explicit(&c->scratch[i], memory_order_relaxed)) continue;
        if (atomic_compare_exchange_strong_explicit(&c->scratch[i], &none, s, memory_order_release,
                                                    memory_order_relaxed))
            return;
    }
    scratch_free(s);
}

static struct collector_post *post_take(struct collector *c)
{
    pthread_mutex_lock(&c->lock);
    struct collector_post *post = c->free_posts;
    if (post) {
        c->free_posts = post->next;
        c->free_count--;
    }
    pthread_mutex_unlock(&c->lock);
    if (post == NULL) {
        post = malloc(sizeof *post);
        BUG_IF(post == NULL);
        arena_init_blocks(&post->arena, POST_ARENA_MAX, POST_BLOCK_BYTES);
    }
    struct arena arena = post->arena;
    *post = (struct collector_post){.magic = POST_MAGIC, .arena = arena, .owner = c};
    atomic_store_explicit(&post->refs, 1, memory_order_relaxed);
    return post;
}

void collector_post_retain(struct collector_post *post)
{
    BUG_IF(post->magic != POST_MAGIC);
    atomic_fetch_add_explicit(&post->refs, 1, memory_order_relaxed);
}

void collector_post_release(struct collector_post *post)
{
    BUG_IF(post->magic != POST_MAGIC);
    if (atomic_fetch_sub_explicit(&post->refs, 1, memory_order_acq_rel) != 1) return;
    struct collector *c = post->owner;
    post->magic = 0;
    if (post->arena.used > POST_KEEP_BYTES) arena_free(&post->arena);
    else arena_reset(&post->arena);
    pthread_mutex_lock(&c->lock);
    bool keep = c->free_count < POSTS_FREE_MAX;
    if (keep) {
        post->next = c->free_posts;
        c->free_posts = post;
        c->free_count++;
    }
    pthread_mutex_unlock(&c->lock);
    if (keep) return;
    arena_free(&post->arena);
    free(post);
}

size_t collector_post_bytes(const struct collector_post *post)
{
    size_t used = post->arena.used > POST_BLOCK_BYTES ? post->arena.used : POST_BLOCK_BYTES;
    return sizeof *post + used;
}

/* -- answers -- */

/* Browsers hide an answer without this from the SDK, which then sends again. */
#define ALLOW_ORIGIN                                                                                                   \
    {                                                                                                                  \
        SPAN("Access-Control-Allow-Origin"), SPAN("*")                                                                 \
    }

static const struct http_header ok_headers[] = {ALLOW_ORIGIN};
static const struct http_header busy_headers[] = {ALLOW_ORIGIN, {SPAN("Retry-After"), SPAN("5")}};
static const struct http_header method_headers[] = {ALLOW_ORIGIN, {SPAN("Allow"), SPAN("POST, OPTIONS")}};
#define ALLOW_HEADERS SPAN("content-type, content-encoding, x-litix-env-key, x-litix-shard-id")
static const struct http_reply reply_ok = {.status = 200, .headers = ok_headers, .header_count = COUNT(ok_headers)};
static const struct http_reply reply_busy = {
    .status = 503, .headers = busy_headers, .header_count = COUNT(busy_headers)};
static const struct http_reply reply_method = {
    .status = 405, .headers = method_headers, .header_count = COUNT(method_headers)};

/* A list of header names and nothing else. */
static bool is_header_list(struct span s)
{
    static const char others[] = "-_.!#$%&'*+^`|~, ";
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!plain && (c == 0 || strchr(others, c) == NULL)) return false;
    }
    return s.len > 0 && s.len <= HEADER_LIST_MAX;
}

/* A beacon may carry whatever headers its sender likes: a proxy's, a tracer's. A preflight that leaves one out stops it
 * in the browser. */
static void answer_preflight(struct http_request *r)
{
    struct span wanted = span_trim(http_header(r, "Access-Control-Request-Headers"));
    const struct http_header headers[] = {
        ALLOW_ORIGIN,
        {SPAN("Access-Control-Allow-Methods"), SPAN("POST, OPTIONS")},
        {SPAN("Access-Control-Allow-Headers"), is_header_list(wanted) ? wanted : ALLOW_HEADERS},
        {SPAN("Access-Control-Max-Age"), SPAN("86400")},
        {SPAN("Access-Control-Allow-Private-Network"), SPAN("true")},
        {SPAN("Vary"), SPAN("Access-Control-Request-Headers")},
    };
    http_reply(r, &(struct http_reply){.status = 204, .headers = headers, .header_count = COUNT(headers)});
}

void collector_posts_answer(struct collector *c, struct collector_post *const *posts, size_t n, bool durable)
{
    (void)c;
    struct http_ticket tickets[ANSWER_CHUNK];
    const struct http_reply *reply = durable ? &reply_ok : &reply_busy;
    size_t waiting = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        BUG_IF(posts[i]->magic != POST_MAGIC);
        if (posts[i]->ticket.request == NULL) continue;
        tickets[waiting++] = posts[i]->ticket;
        posts[i]->ticket.request = NULL;
        all++;
        if (waiting < ANSWER_CHUNK) continue;
        http_finish_many(tickets, waiting, reply);
        waiting = 0;
    }
    if (waiting) http_finish_many(tickets, waiting, reply);
    counter_add(durable ? COUNTER_beacon_requests_total : COUNTER_beacon_unavailable_total, (int64_t)all);
}

/* -- the steps -- */

struct intake { /* one request on its way through */
    struct collector *c;
    struct http_request *r; /* NULL once it was deferred */
    int64_t received_ms;
    size_t sent_bytes;
    struct scratch *scratch;
    struct collector_post *post;
    struct span body; /* inflated; in the post's arena from the decode step on */
    struct span env_key;
    struct format_output decoded;
    const char *detail; /* a constant sentence on a refusal, or NULL */
    uint8_t format;
    bool dnt, wants_backfill;
    bool keep_address;
    struct judgement judgements[FORMAT_ENVS_MAX];
    struct collector_env envs[FORMAT_ENVS_MAX]; /* of the accepted ones, in the beacon's order */
    uint32_t judgement_count, accepted_count, refused_count;
};

static enum drop step_size(struct intake *in)
{
    if (in->r->body_cut) return DROP_too_large;
    in->body = in->r->body;
    return in->body.len > in->c->options.body_bytes_max ? DROP_too_large : DROP_NONE;
}

static enum drop step_format(struct intake *in)
{
    struct format_hints hints = {http_header(in->r, "Content-Type"), in->r->path, in->r->query};
    in->format = format_find(in->c->formats, &hints);
    return in->format ? DROP_NONE : DROP_not_ours;
}

static enum drop step_address(struct intake *in)
{
    struct span address = span_make(in->r->client.bytes, sizeof in->r->client.bytes);
    if (!in->r->client.is_v4) address.len = 8; /* one household has a /64 */
    return quota_address(in->c->quotas, address, in->received_ms) ? DROP_NONE : DROP_address_rate;
}

static enum drop step_inflate(struct intake *in)
{
    struct span how = span_trim(http_header(in->r, "Content-Encoding"));
    /* A gzip file that nobody called one: no text begins like this. */
    if (how.len == 0 && span_starts(in->body, SPAN("\x1F\x8B"))) how = SPAN("gzip");
    if (how.len == 0 || span_eq_nocase(how, SPAN("identity"))) return DROP_NONE;
    if (!span_eq_nocase(how, SPAN("gzip")) && !span_eq_nocase(how, SPAN("x-gzip")) &&
        !span_eq_nocase(how, SPAN("deflate")))
        return DROP_bad_encoding;
    const struct buf *out = &in->scratch->inflated;
    if (!http_inflate(in->body, &in->scratch->inflated))
        return out->failed || out->len >= out->max ? DROP_too_large : DROP_bad_encoding;
    in->body = buf_span(&in->scratch->inflated);
    return DROP_NONE;
}

static struct judgement *judgement_of(struct intake *in, struct span key)
{
    for (uint32_t i = 0; i < in->judgement_count; i++)
        if (span_eq(in->judgements[i].key, key)) return &in->judgements[i];
    if (in->judgement_count == FORMAT_ENVS_MAX) return NULL;
    struct judgement *j = &in->judgements[in->judgement_count++];
    *j = (struct judgement){.key = key};
    return j;
}

/* format_input.judge of a live request. */
static enum drop intake_judge(void *ctx, struct span env_key, struct beacon_env *out)
{
    struct intake *in = ctx;
    struct collector_env env;
    struct judgement *j = judgement_of(in, env_key);
    if (j == NULL) return DROP_too_many_envs;
    if (j->verdict != DROP_NONE) return j->verdict;
    if (!in->c->options.env_find(in->c->options.env_ctx, env_key, &env)) return j->verdict = DROP_unknown_env;
    memcpy(j->env.id, env.id, sizeof j->env.id);
    j->env.property_id = env.property_id;
    j->env.backfill = in->wants_backfill && env.allow_backfill;
    j->env.strip_query = env.strip_query;
    if (env.disabled) return j->verdict = DROP_disabled_env;
    if (env.honour_dnt && in->dnt) return j->verdict = DROP_dnt;
    in->keep_address = in->keep_address && env.keep_addresses;
    in->envs[in->accepted_count++] = env;
    *out = j->env;
    return DROP_NONE;
}

static bool header_is_one(const struct http_request *r, const char *name)
{
    return span_eq(span_trim(http_header(r, name)), SPAN("1"));
}

/* The SDKs for Android and iOS say the key in a header too. Only what can be a key is taken from there. */
static struct span env_key_header(const struct intake *in)
{
    struct span key = span_trim(http_header(in->r, "x-litix-env-key"));
    if (key.len > ENV_KEY_BYTES_MAX) return SPAN("");
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        bool ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
        if (!ok) return SPAN("");
    }
    return arena_copy(&in->post->arena, key);
}

static enum drop step_decode(struct intake *in)
{
    in->dnt = header_is_one(in->r, "DNT") || header_is_one(in->r, "Sec-GPC");
    in->wants_backfill = header_is_one(in->r, "X-Firstframe-Backfill");
    in->keep_address = in->c->options.keep_addresses;
    in->body = arena_copy(&in->post->arena, in->body);
    if (in->body.ptr == NULL) return DROP_too_large;
    in->env_key = env_key_header(in);
    json_parser_depth(in->scratch->json, in->c->options.depth_max);
    struct format_input input = {
        .body = in->body,
        .received_ms = in->received_ms,
        .json = in->scratch->json,
        .arena = &in->post->arena,
        .limits = in->c->options.limits,
        .env_key = in->env_key,
        .judge = intake_judge,
        .judge_ctx = in,
    };
    enum drop why = format_decode(in->c->formats, in->format, &input, &in->decoded);
    in->detail = in->decoded.why;
    if (why != DROP_NONE) return why;
    for (unsigned d = DROP_NONE + 1; d < DROP_COUNT; d++)
        if (in->decoded.tally.dropped[d]) drop_count(&in->c->drops, (enum drop)d, in->decoded.tally.dropped[d]);
    if (in->decoded.tally.unknown_keys) counter_add(COUNTER_beacon_unknown_keys_total, in->decoded.tally.unknown_keys);
    in->post->beacon = in->decoded.beacon;
    return DROP_NONE;
}

/* Takes the events out that are over their environment's quota. */
static void quota_filter(struct intake *in, const bool *env_over)
{
    struct beacon *b = &in->post->beacon;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->event_count; i++) {
        const struct beacon_event *e = &b->events[i];
        const struct collector_env *env = &in->envs[e->env];
        if (!env_over[e->env] &&
            quota_view(in->c->quotas, env->id, env->views_per_minute_max, e->view_id, b->received_ms))
            b->events[kept++] = *e;
        else in->scratch->refused[in->refused_count++] = in->decoded.index[i];
    }
    b->event_count = kept;
}

static enum drop step_quota(struct intake *in)
{
    struct beacon *b = &in->post->beacon;
    bool limited = false, env_over[FORMAT_ENVS_MAX] = {false};
    for (uint16_t i = 0; i < b->env_count; i++) {
        const struct collector_env *env = &in->envs[i];
        if (env->views_per_minute_max || env->events_per_second_max) limited = true;
        if (env->events_per_second_max == 0) continue;
        uint32_t events = 0;
        for (uint32_t e = 0; e < b->event_count; e++) events += b->events[e].env == i;
        env_over[i] = !quota_events(in->c->quotas, env->id, env->events_per_second_max, events, b->received_ms);
    }
    if (!limited) return DROP_NONE;
    quota_filter(in, env_over);
    if (in->refused_count) drop_count(&in->c->drops, DROP_over_quota, in->refused_count);
    return DROP_NONE;
}

/* Headers may hold any bytes; everything that is stored is UTF-8. */
static struct span enrich_agent(struct intake *in)
{
    struct span sent = span_upto(http_header(in->r, "User-Agent"), USER_AGENT_BYTES_MAX);
    char *copy = arena_alloc(&in->post->arena, sent.len);
    if (copy == NULL) return SPAN("");
    for (size_t i = 0; i < sent.len; i++) copy[i] = sent.ptr[i] >= ' ' && sent.ptr[i] < 0x7F ? sent.ptr[i] : '?';
    return span_make(copy, sent.len);
}

static enum drop step_enrich(struct intake *in)
{
    struct viewer_facts *v = &in->post->beacon.viewer;
    struct arena *arena = &in->post->arena;
    v->user_agent = enrich_agent(in);
    if (in->post->beacon.event_count == 0) return DROP_NONE;
    if (in->c->options.enrich) enrich_look(in->c->options.enrich, &in->r->client, v->user_agent, arena, v);
    if (!in->keep_address) return DROP_NONE;
    char text[48];
    http_address_print_truncated(&in->r->client, text);
    v->address = arena_copy(arena, span_of(text));
    return DROP_NONE;
}

static void journal_payload(struct intake *in)
{
    const struct beacon *b = &in->post->beacon;
    struct payload p = {
        .format = in->format,
        .body = in->body,
        .received_ms = b->received_ms,
        .viewer = b->viewer,
        .refused = in->scratch->refused,
        .refused_count = in->refused_count,
        .env_key = in->env_key,
        .limits = in->c->options.limits,
    };
    for (uint32_t i = 0; i < in->judgement_count; i++)
        if (in->judgements[i].verdict == DROP_NONE)
            p.envs[p.env_count++] = (struct payload_env){in->judgements[i].key, in->judgements[i].env};
    payload_encode(&in->scratch->payload, &p);
}

/* From here on the request is answered by whoever has the post. */
static enum drop step_journal(struct intake *in)
{
    struct collector_post *post = in->post;
    uint32_t events = post->beacon.event_count;
    if (events == 0) return DROP_NONE;
    journal_payload(in);
    if (in->scratch->payload.failed) return DROP_too_large;
    post->ticket = http_defer(in->r);
    in->r = NULL; /* once append has it, it may be answered and gone at any moment */
    enum err e = in->c->append(in->c->append_ctx, post, buf_span(&in->scratch->payload));
    if (e == ERR_NONE) {
        in->post = NULL;
        counter_add(COUNTER_beacon_events_total, events);
        return DROP_NONE;
    }
    return DROP_unavailable;
}

static const struct step {
    const char *name;
    enum drop (*run)(struct intake *in);
} steps[] = {
    {"size", step_size},     {"format", step_format}, {"address", step_address}, {"inflate", step_inflate},
    {"decode", step_decode}, {"quota", step_quota},   {"enrich", step_enrich},   {"journal", step_journal},
};

/* Into the recent-beacons view, of each environment that the POST names, or of none. */
static void intake_remember(struct intake *in, enum drop why, const struct beacon *beacon)
{
    struct span body = in->body;
    struct recent_post post = {
        .received_ms = in->received_ms,
        .format = in->format,
        .problem = why,
        .detail = in->detail,
        .body = body,
        .body_bytes = body.len ? body.len : in->sent_bytes,
        .viewer = &beacon->viewer,
        .judgements = in->judgements,
        .judgement_count = in->judgement_count,
        .refused = in->scratch->refused,
        .refused_count = in->refused_count,
        .env_key = in->env_key,
        .limits = in->c->options.limits,
    };
    for (uint32_t i = 0; i < beacon->event_count; i++) post.begins = post.begins || beacon->events[i].sequence == 1;
    bool none = in->judgement_count == 0, dnt = false;
    for (uint32_t i = 0; i < in->judgement_count; i++) dnt = dnt || in->judgements[i].verdict == DROP_dnt;
    if (dnt) { /* who does not want to be tracked is not shown either */
        post.body = SPAN("");
        post.viewer = NULL;
        post.judgements = NULL;
        post.judgement_count = 0;
        post.env_key = SPAN("");
        if (why == DROP_NONE) post.problem = DROP_dnt;
    }
    for (uint32_t i = 0; i < in->judgement_count; i++) {
        const char *id = in->judgements[i].env.id;
        uint32_t before = 0;
        while (before < i && strcmp(in->judgements[before].env.id, id) != 0) before++;
        if (before < i) continue;
        recent_add(in->c->recent, id, &post);
    }
    if (none) recent_add(in->c->recent, "", &post);
}

static void intake_run(struct intake *in)
{
    enum drop why = DROP_NONE;
    const struct step *at = steps;
    struct collector_post *post = in->post;
    collector_post_retain(post); /* for the recent-beacons view below */
    for (; at < steps + COUNT(steps) && why == DROP_NONE; at++) why = at->run(in);
    bool handed_over = in->post == NULL;
    if (why != DROP_NONE) {
        drop_count(&in->c->drops, why, 1);
        LOG_DBG("beacon_refused", "step=%s reason=%s", at[-1].name, drop_name(why));
    }
    intake_remember(in, why, &post->beacon);
    if (why == DROP_unavailable) {
        collector_posts_answer(in->c, &post, 1, false);
    } else if (!handed_over) {
        counter_add(COUNTER_beacon_requests_total, 1);
        http_reply(in->r, &reply_ok);
    }
    collector_post_release(post);
    if (!handed_over) collector_post_release(post);
}

void collector_handle(struct collector *c, struct http_request *r)
{
    BUG_IF(c->append == NULL);
    if (r->method == HTTP_M_OPTIONS) {
        answer_preflight(r);
        return;
    }
    if (r->method != HTTP_M_POST) {
        http_reply(r, &reply_method);
        return;
    }
    if (r->crowded) {
        drop_count(&c->drops, DROP_address_connections, 1);
        counter_add(COUNTER_beacon_requests_total, 1);
        http_reply(r, &reply_ok);
        return;
    }
    struct intake in;
    memset(&in, 0, offsetof(struct intake, judgements));
    in.judgement_count = in.accepted_count = in.refused_count = 0;
    in.c = c;
    in.r = r;
    in.received_ms = r->received_wall_ms;
    in.sent_bytes = r->body.len;
    in.scratch = scratch_take(c);
    in.post = post_take(c);
    struct scratch *scratch = in.scratch;
    intake_run(&in);
    scratch_give(c, scratch);
}

/* -- the rest -- */

struct collector_post *collector_post_replay(struct collector *c, struct span payload)
{
    struct collector_post *post = post_take(c);
    struct scratch *scratch = scratch_take(c);
    bool ok = collector_payload_decode(c->formats, payload, scratch->json, &post->arena, &post->beacon);
    scratch_give(c, scratch);
    if (!ok) {
        collector_post_release(post);
        return NULL;
    }
    const struct beacon *b = &post->beacon;
    for (uint32_t i = 0; i < b->event_count; i++) {
        const struct beacon_event *e = &b->events[i];
        bool again = i && e[-1].env == e->env && span_eq(e[-1].view_id, e->view_id);
        if (!again) quota_view_known(c->quotas, b->envs[e->env].id, e->view_id, b->received_ms);
    }
    return post;
}

void collector_view_known(struct collector *c, const char *environment_id, struct span view_id)
{
    quota_view_known(c->quotas, environment_id, view_id, wall_now_ms());
}

void collector_dropped(struct collector *c, const char *environment_id, const char *why, uint32_t events)
{
    if (events == 0) return;
    drop_count(&c->drops, drop_from_name(why), events);
    recent_refused_later(c->recent, environment_id, drop_from_name(why), events, wall_now_ms());
}

void collector_print(struct collector *c, struct buf *out)
{
    drop_print(&c->drops, out);
}

size_t collector_recent_json(struct collector *c, const char *environment_id, const struct collector_recent_ask *ask,
                             struct jw *out)
{
    return recent_json(c->recent, c->formats, environment_id, ask, out);
}

void collector_refused_later_json(struct collector *c, const char *environment_id, struct jw *out)
{
    recent_refused_later_json(c->recent, environment_id, out);
}

void collector_connect(struct collector *c, collector_append *append, void *ctx)
{
    c->append = append;
    c->append_ctx = ctx;
}

static void collector_defaults(struct collector_options *o)
{
    if (o->body_bytes_max == 0) o->body_bytes_max = COLLECTOR_BODY_BYTES_DEFAULT;
    if (o->depth_max == 0) o->depth_max = JSON_DEPTH_DEFAULT;
    if (o->limits.keys == 0) o->limits.keys = FORMAT_KEYS_DEFAULT;
    BUG_IF(o->body_bytes_max > COLLECTOR_BODY_BYTES_MAX || o->depth_max > JSON_DEPTH_MAX);
    BUG_IF(o->limits.keys > FORMAT_KEYS_MAX || o->limits.events > FORMAT_EVENTS_MAX);
}

struct collector *collector_new(const struct collector_options *options)
{
    BUG_IF(options->env_find == NULL);
    struct collector *c = calloc(1, sizeof *c);
    BUG_IF(c == NULL);
    c->options = *options;
    collector_defaults(&c->options);
    c->formats = formats_new();
    c->quotas = quotas_new(options->address_requests_per_second_max);
    c->recent = recent_new(options->recent_bytes_max ? options->recent_bytes_max : RECENT_BYTES_DEFAULT);
    BUG_IF(pthread_mutex_init(&c->lock, NULL) != 0);
    return c;
}

void collector_free(struct collector *c)
{
    if (c == NULL) return;
    for (size_t i = 0; i < SCRATCH_SLOTS; i++)
        if (c->scratch[i]) scratch_free(c->scratch[i]);
    while (c->free_posts) {
        struct collector_post *next = c->free_posts->next;
        arena_free(&c->free_posts->arena);
        free(c->free_posts);
        c->free_posts = next;
    }
    pthread_mutex_destroy(&c->lock);
    recent_free(c->recent);
    quotas_free(c->quotas);
    formats_free(c->formats);
    free(c);
}
