/* SPDX-License-Identifier: Apache-2.0
 * One loop around curl_multi. An actor is a session under way; those waiting for their next POST lie in a heap by the
 * time it is due; a slot is a connection's worth of transfer. */
#include "sim/send.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

enum { RETRY_MS_MIN = 50, RETRY_MS_MAX = 5000, FIRST_PATIENCE_MS = 15000, PROGRESS_MS = 250, DRAIN_MS = 5000 };

struct actor {
    struct sim_session session;
    struct sim_plan plan;
    uint32_t at; /* position in plan.order */
    bool *arrived;
    uint8_t *acks;
    uint32_t post_cap;
    int64_t due_ms, retry_ms;      /* wall time; pause after the next failure */
    int64_t rtt_ms;                /* of the previous attempt, -1 before the first */
    struct curl_slist *headers[2]; /* by post.unload */
    uint64_t number;
    struct actor *next_free, *next_active, *prev_active;
};

struct slot {
    CURL *curl;
    struct buf body;
    struct actor *actor;
    int64_t began_us;
    unsigned next_free;
};

struct sender {
    const struct sim_send_options *o;
    const struct sim_feed *feed;
    struct sim_send_stats *stats;
    CURLM *multi;
    struct slot *slots;
    unsigned slot_free; /* index of the first free one, or connections */
    struct actor **heap;
    uint32_t heap_count, heap_cap;
    struct actor *active, *spare;
    uint64_t active_count, begun, in_flight;
    bool feed_dry, stopping;
    int64_t start_ms, success_ms, progress_ms, stop_ms;
    enum err err;
    char *why;
    size_t why_cap;
};

static bool sooner(const struct actor *a, const struct actor *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->number < b->number;
}

static void heap_push(struct sender *s, struct actor *a)
{
    s->heap = sim_grow(s->heap, &s->heap_cap, s->heap_count + 1, sizeof(struct actor *));
    uint32_t i = s->heap_count++;
    for (; i > 0 && sooner(a, s->heap[(i - 1) / 2]); i = (i - 1) / 2) s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = a;
}

static struct actor *heap_pop(struct sender *s)
{
    struct actor *top = s->heap[0], *last = s->heap[--s->heap_count];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= s->heap_count) break;
        if (child + 1 < s->heap_count && sooner(s->heap[child + 1], s->heap[child])) child++;
        if (!sooner(s->heap[child], last)) break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = last;
    return top;
}

static struct actor *actor_take(struct sender *s)
{
    struct actor *a = s->spare;
    if (a) s->spare = a->next_free;
    else {
        a = calloc(1, sizeof *a);
        BUG_IF(a == NULL);
        sim_session_init(&a->session);
        sim_plan_init(&a->plan);
    }
    return a;
}

static void actor_give_back(struct sender *s, struct actor *a)
{
    for (int i = 0; i < 2; i++) {
        curl_slist_free_all(a->headers[i]);
        a->headers[i] = NULL;
    }
    a->next_free = s->spare;
    s->spare = a;
}

static void actor_free(struct actor *a)
{
    sim_session_free(&a->session);
    sim_plan_free(&a->plan);
    free(a->arrived);
    free(a->acks);
    for (int i = 0; i < 2; i++) curl_slist_free_all(a->headers[i]);
    free(a);
}

static int64_t actor_due(const struct sender *s, const struct actor *a, int64_t now_ms)
{
    int64_t at_ms = a->session.posts[a->plan.order[a->at]].at_ms;
    return s->o->live && at_ms > now_ms ? at_ms : now_ms;
}

static void actor_done(struct sender *s, struct actor *a)
{
    for (uint32_t p = 0; p < a->session.post_count; p++) {
        s->stats->lost += a->plan.lost[p];
        s->stats->reordered += a->plan.moved[p];
        s->stats->duplicated += a->plan.copies[p] > 1;
    }
    s->stats->sessions++;
    s->feed->done(s->feed->ctx, &a->session, &a->plan, a->arrived, a->acks);
    if (a->prev_active) a->prev_active->next_active = a->next_active;
    else s->active = a->next_active;
    if (a->next_active) a->next_active->prev_active = a->prev_active;
    s->active_count--;
    actor_give_back(s, a);
}

static struct curl_slist *header_add(struct curl_slist *list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(list, text);
    BUG_IF(longer == NULL);
    return longer;
}

static void actor_headers(struct sender *s, struct actor *a)
{
    char line[128];
    for (int unload = 0; unload < 2; unload++) {
        struct curl_slist *list =
            header_add(NULL, unload ? "Content-Type: text/plain;charset=UTF-8" : "Content-Type: text/plain");
        (void)snprintf(line, sizeof line, "X-Forwarded-For: %s", a->session.address);
        list = header_add(list, line);
        list = header_add(list, "Origin: https://www.example.com");
        list = header_add(list, "Expect:");
        if (s->o->backfill) list = header_add(list, "X-Firstframe-Backfill: 1");
        a->headers[unload] = list;
    }
}

/* Begins one session. false: the feed is dry. */
static bool actor_begin(struct sender *s, int64_t now_ms)
{
    struct actor *a = actor_take(s);
    if (!s->feed->next(s->feed->ctx, &a->session, &a->plan, now_ms)) {
        s->feed_dry = true;
        actor_give_back(s, a);
        return false;
    }
    uint32_t posts = a->session.post_count, cap = a->post_cap;
    a->arrived = sim_grow(a->arrived, &cap, posts + 1, sizeof *a->arrived);
    cap = a->post_cap;
    a->acks = sim_grow(a->acks, &cap, posts + 1, sizeof *a->acks);
    a->post_cap = cap;
    memset(a->arrived, 0, (posts + 1) * sizeof *a->arrived);
    memset(a->acks, 0, posts + 1);
    a->at = 0;
    a->rtt_ms = -1;
    a->retry_ms = RETRY_MS_MIN;
    a->number = s->begun++;
    a->prev_active = NULL;
    a->next_active = s->active;
    if (s->active) s->active->prev_active = a;
    s->active = a;
    s->active_count++;
    if (a->plan.count == 0) { /* every POST of it is lost */
        actor_done(s, a);
        return true;
    }
    actor_headers(s, a);
    a->due_ms = actor_due(s, a, now_ms);
    heap_push(s, a);
    return true;
}

static size_t discard(char *bytes, size_t size, size_t count, void *ctx)
{
    (void)bytes;
    (void)ctx;
    return size * count;
}

static void body_make(struct sender *s, struct slot *slot, const struct sim_post *post)
{
    const struct actor *a = slot->actor;
    const struct sim_session *session = &a->session;
    const int64_t sent_ms = (s->o->backfill ? post->at_ms : wall_now_ms()) + session->skew_ms;
    buf_clear(&slot->body);
    buf_addf(&slot->body, "{\"metadata\":{\"transmission_timestamp\":%lld", (long long)sent_ms);
    if (a->rtt_ms >= 0) buf_addf(&slot->body, ",\"rtt_ms\":%lld", (long long)a->rtt_ms);
    buf_adds(&slot->body, "},\"events\":[");
    const struct sim_event *first = &session->events[post->event_at];
    const struct sim_event *last = &session->events[post->event_at + post->event_count - 1];
    buf_add(&slot->body, session->json.ptr + first->json_at, last->json_at + last->json_len - first->json_at);
    buf_adds(&slot->body, "]}");
    BUG_IF(slot->body.failed);
}

static void transfer_begin(struct sender *s, struct actor *a)
{
    unsigned i = s->slot_free;
    struct slot *slot = &s->slots[i];
    s->slot_free = slot->next_free;
    slot->actor = a;
    const struct sim_post *post = &a->session.posts[a->plan.order[a->at]];
    body_make(s, slot, post);
    (void)curl_easy_setopt(slot->curl, CURLOPT_HTTPHEADER, a->headers[post->unload]);
    (void)curl_easy_setopt(slot->curl, CURLOPT_USERAGENT, a->session.user_agent);
    (void)curl_easy_setopt(slot->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)slot->body.len);
    (void)curl_easy_setopt(slot->curl, CURLOPT_POSTFIELDS, slot->body.ptr);
    slot->began_us = mono_now().v;
    s->in_flight++;
    CURLMcode code = curl_multi_add_handle(s->multi, slot->curl);
    BUG_IF(code != CURLM_OK);
}

static void give_up(struct sender *s, enum err err, const char *reason)
{
    if (s->err != ERR_NONE) return;
    s->err = err;
    s->stopping = true;
    (void)snprintf(s->why, s->why_cap, "%s", reason);
}

static bool worth_repeating(CURLcode code, long status)
{
    if (code != CURLE_OK)
        return code != CURLE_URL_MALFORMAT && code != CURLE_UNSUPPORTED_PROTOCOL &&
               code != CURLE_PEER_FAILED_VERIFICATION;
    return status >= 500 || status == 429 || status == 408;
}

static void transfer_failed(struct sender *s, struct actor *a, CURLcode code, long status, int64_t now_ms)
{
    char reason[256];
    if (code != CURLE_OK)
        (void)snprintf(reason, sizeof reason, "%s does not answer: %s", s->o->url, curl_easy_strerror(code));
    else (void)snprintf(reason, sizeof reason, "%s answered a beacon with status %ld", s->o->url, status);
    if (!worth_repeating(code, status)) {
        give_up(s, ERR_REFUSED, reason);
        return;
    }
    s->stats->retries++;
    int64_t patience_ms = s->stats->posts ? s->o->patience_ms : FIRST_PATIENCE_MS;
    if (patience_ms > s->o->patience_ms) patience_ms = s->o->patience_ms;
    if (now_ms - s->success_ms > patience_ms) give_up(s, ERR_UNAVAILABLE, reason);
    a->due_ms = now_ms + a->retry_ms;
    a->retry_ms = a->retry_ms * 2 < RETRY_MS_MAX ? a->retry_ms * 2 : RETRY_MS_MAX;
    heap_push(s, a);
}

static void transfer_end(struct sender *s, CURL *curl, CURLcode code)
{
    void *tag = NULL;
    long status = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_PRIVATE, &tag);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    struct slot *slot = tag;
    struct actor *a = slot->actor;
    (void)curl_multi_remove_handle(s->multi, curl);
    slot->actor = NULL;
    slot->next_free = s->slot_free;
    s->slot_free = (unsigned)(slot - s->slots);
    s->in_flight--;
    const int64_t now_ms = wall_now_ms();
    a->rtt_ms = (mono_now().v - slot->began_us) / 1000;
    if (code != CURLE_OK || status < 200 || status > 299) {
        transfer_failed(s, a, code, status, now_ms);
        return;
    }
    s->success_ms = now_ms;
    s->stats->posts++;
    s->stats->bytes += slot->body.len;
    uint32_t post = a->plan.order[a->at];
    a->arrived[post] = true;
    if (a->acks[post] < UINT8_MAX) a->acks[post]++;
    a->retry_ms = RETRY_MS_MIN;
    if (++a->at == a->plan.count) {
        actor_done(s, a);
        return;
    }
    a->due_ms = actor_due(s, a, now_ms);
    heap_push(s, a);
}

/* When the next session may begin; INT64_MAX when none will. */
static int64_t next_begin_ms(const struct sender *s)
{
    const uint64_t most = s->o->live ? SIM_LIVE_SESSIONS_MAX : s->o->connections;
    if (s->feed_dry || s->stopping || s->active_count >= most) return INT64_MAX;
    return s->o->rate > 0 ? s->start_ms + (int64_t)((double)s->begun * 1000.0 / s->o->rate) : s->start_ms;
}

static void work_due(struct sender *s)
{
    int64_t now_ms = wall_now_ms();
    while (next_begin_ms(s) <= now_ms)
        if (!actor_begin(s, now_ms)) break;
    while (!s->stopping && s->slot_free < s->o->connections && s->heap_count && s->heap[0]->due_ms <= now_ms)
        transfer_begin(s, heap_pop(s));
}

static int poll_ms(const struct sender *s)
{
    int64_t until_ms = next_begin_ms(s), now_ms = wall_now_ms();
    if (!s->stopping && s->heap_count && s->slot_free < s->o->connections && s->heap[0]->due_ms < until_ms)
        until_ms = s->heap[0]->due_ms;
    if (until_ms <= now_ms) return 0;
    return until_ms - now_ms < PROGRESS_MS ? (int)(until_ms - now_ms) : PROGRESS_MS;
}

static void collect_ended(struct sender *s)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(s->multi, &left)) != NULL;)
        if (m->msg == CURLMSG_DONE) transfer_end(s, m->easy_handle, m->data.result);
}

static bool finished(const struct sender *s)
{
    if (s->stopping) return s->in_flight == 0 || wall_now_ms() - s->stop_ms > DRAIN_MS;
    return s->feed_dry && s->active_count == 0;
}

static void run(struct sender *s)
{
    while (!finished(s)) {
        work_due(s);
        int running;
        CURLMcode code = curl_multi_perform(s->multi, &running);
        BUG_IF(code != CURLM_OK);
        collect_ended(s);
        int64_t now_ms = wall_now_ms();
        if (now_ms - s->progress_ms >= PROGRESS_MS) {
            s->progress_ms = now_ms;
            s->feed->progress(s->feed->ctx, s->stats);
        }
        if (finished(s)) break;
        struct curl_waitfd stop = {.fd = s->o->stop_fd, .events = CURL_WAIT_POLLIN};
        const bool watches = s->o->stop_fd >= 0 && !s->stopping;
        code = curl_multi_poll(s->multi, watches ? &stop : NULL, watches ? 1 : 0, poll_ms(s), NULL);
        BUG_IF(code != CURLM_OK);
        if (watches && stop.revents) s->stopping = s->stats->stopped = true;
        if (s->stopping && s->stop_ms == 0) s->stop_ms = wall_now_ms();
    }
}

static void slots_open(struct sender *s)
{
    s->slots = calloc(s->o->connections, sizeof *s->slots);
    BUG_IF(s->slots == NULL);
    for (unsigned i = 0; i < s->o->connections; i++) {
        struct slot *slot = &s->slots[i];
        buf_init(&slot->body, SIM_SESSION_BYTES_MAX);
        slot->next_free = i + 1;
        slot->curl = curl_easy_init();
        BUG_IF(slot->curl == NULL);
        (void)curl_easy_setopt(slot->curl, CURLOPT_URL, s->o->url);
        (void)curl_easy_setopt(slot->curl, CURLOPT_PRIVATE, slot);
        (void)curl_easy_setopt(slot->curl, CURLOPT_WRITEFUNCTION, discard);
        (void)curl_easy_setopt(slot->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        (void)curl_easy_setopt(slot->curl, CURLOPT_NOSIGNAL, 1L);
        (void)curl_easy_setopt(slot->curl, CURLOPT_TIMEOUT_MS, 30000L);
        (void)curl_easy_setopt(slot->curl, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
    }
    (void)curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, (long)s->o->connections);
}

static void sender_close(struct sender *s)
{
    for (unsigned i = 0; i < s->o->connections; i++) {
        (void)curl_multi_remove_handle(s->multi, s->slots[i].curl);
        curl_easy_cleanup(s->slots[i].curl);
        buf_free(&s->slots[i].body);
    }
    free(s->slots);
    (void)curl_multi_cleanup(s->multi);
    while (s->spare) {
        struct actor *a = s->spare;
        s->spare = a->next_free;
        actor_free(a);
    }
    free(s->heap);
}

enum err sim_send(const struct sim_send_options *o, const struct sim_feed *feed, struct sim_send_stats *stats,
                  char *why, size_t why_cap)
{
    BUG_IF(o->connections == 0 || o->connections > SIM_CONNECTIONS_MAX);
    *stats = (struct sim_send_stats){0};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void)snprintf(why, why_cap, "libcurl does not start");
        return ERR_UNAVAILABLE;
    }
    struct sender s = {.o = o, .feed = feed, .stats = stats, .why = why, .why_cap = why_cap};
    s.multi = curl_multi_init();
    BUG_IF(s.multi == NULL);
    s.start_ms = s.success_ms = wall_now_ms();
    slots_open(&s);
    run(&s);
    while (s.active) actor_done(&s, s.active); /* stopped: what has arrived so far is what the server knows */
    feed->progress(feed->ctx, stats);
    sender_close(&s);
    curl_global_cleanup();
    return s.err;
}
