/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rewriter.h"

#include "accounts/notes.h"
#include "base/clock.h"
#include "base/log.h"
#include "query/recategorise.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum {
    LOOK_MS = 2000,
    PROGRESS_MS = 500,
    ROUNDS_MAX = 5,
    FAILURES_MAX = 5,
    RETRY_MS = 60000,
    ARENA_BYTES_MAX = 16 * 1024 * 1024,
};
#define DAY_MS INT64_C(86400000)
/* After a change: when to look for rows that were on their way to the store with the old outcome. */
static const int64_t again_after_ms[] = {10000, 60000, 300000};

struct entry {
    char environment_id[ACCOUNTS_ID_MAX + 1];
    struct rewrite_status status;
    size_t looks;       /* after the last change, of again_after_ms */
    int64_t look_at_ms; /* 0: only when something changes */
};

struct rewriter {
    struct accounts *accounts;
    struct store *store;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool stopping, kicked;
    uint64_t generation; /* of the accounts, at the last look; the thread's own */
    struct entry *entries;
    size_t n, room;
};

static void lock(struct rewriter *r)
{
    BUG_IF(pthread_mutex_lock(&r->lock) != 0);
}

static void unlock(struct rewriter *r)
{
    BUG_IF(pthread_mutex_unlock(&r->lock) != 0);
}

const char *rewrite_state_name(enum rewrite_state s)
{
    static const char *const names[] = {"waiting", "running", "done", "failed"};
    return names[s];
}

/* Needs the lock. The pointer is good while it is held. */
static struct entry *entry_of(struct rewriter *r, const char *environment_id)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->entries[i].environment_id, environment_id) == 0) return &r->entries[i];
    if (r->n == r->room) {
        size_t room = r->room ? r->room * 2 : 16;
        struct entry *grown = realloc(r->entries, room * sizeof *grown);
        BUG_IF(grown == NULL);
        r->entries = grown;
        r->room = room;
    }
    struct entry *e = &r->entries[r->n++];
    *e = (struct entry){.look_at_ms = 1};
    strncpy(e->environment_id, environment_id, sizeof e->environment_id - 1);
    return e;
}

/* Sleeps until the time, a kick, or the end; true: go on. */
static bool pause_ms(struct rewriter *r, int ms, bool kicks)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) until.tv_nsec -= 1000000000, until.tv_sec++;
    lock(r);
    while (!r->stopping && !(kicks && r->kicked))
        if (pthread_cond_timedwait(&r->changed, &r->lock, &until) != 0) break;
    if (kicks) r->kicked = false;
    bool go_on = !r->stopping;
    unlock(r);
    return go_on;
}

/* -- one environment -- */

struct work {
    char environment_id[ACCOUNTS_ID_MAX + 1];
    int64_t version;
    struct error_category *categories; /* hold the rules' codes */
    struct error_override *rules;
    size_t n;
};

static bool work_load(struct rewriter *r, struct work *w)
{
    size_t n = 0;
    enum accounts_error e =
        accounts_error_categories(r->accounts, span_of(w->environment_id), &w->categories, &n, &w->version);
    if (e != ACCOUNTS_OK) return false;
    w->rules = calloc(n + 1, sizeof *w->rules);
    BUG_IF(w->rules == NULL);
    w->n = 0;
    for (size_t i = 0; i < n; i++) {
        const struct error_category *c = &w->categories[i];
        w->rules[w->n++] = (struct error_override){
            .code = span_of(c->code),
            .severity_known = c->severity != ERROR_SEVERITY_AS_SENT,
            .fatal = c->severity == ERROR_SEVERITY_FATAL,
            .business_known = c->business != ERROR_BUSINESS_AS_SENT,
            .business = c->business == ERROR_BUSINESS_YES,
        };
    }
    return true;
}

static void work_free(struct work *w)
{
    free(w->categories);
    free(w->rules);
}

static void show(struct rewriter *r, const struct work *w, enum rewrite_state state, int64_t views, int64_t parts)
{
    lock(r);
    struct rewrite_status *s = &entry_of(r, w->environment_id)->status;
    s->state = state;
    if (views >= 0) s->views = views;
    if (parts > s->parts_total || state != REWRITE_RUNNING) s->parts_total = parts;
    s->parts_left = parts;
    unlock(r);
}

/* Until the store has rewritten everything. */
static enum err wait_rewritten(struct rewriter *r, struct query *q, const struct work *w)
{
    int failures = 0;
    int64_t parts = 1, shown = -1;
    while (parts > 0) {
        const char *why = NULL;
        if (!pause_ms(r, PROGRESS_MS, false)) return ERR_CLOSED;
        arena_reset(q->arena);
        enum err e = query_recategorise_left(q, &parts, &why);
        if (e != ERR_NONE) return e;
        if (why && ++failures == FAILURES_MAX) {
            LOG_ERR("recategorise_failed", "environment=%s why=\"%.300s\"", w->environment_id, why);
            return ERR_REFUSED;
        }
        show(r, w, REWRITE_RUNNING, -1, parts);
        if (parts != shown)
            LOG_INF("recategorising", "environment=%s parts_left=%lld", w->environment_id, (long long)parts);
        shown = parts;
    }
    return ERR_NONE;
}

static enum err rewrite(struct rewriter *r, struct query *q, const struct work *w)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        struct recategorise_rows found;
        enum err e = query_recategorise_rows(q, w->environment_id, w->rules, w->n, &found);
        if (e != ERR_NONE || found.rows == 0) return e;
        LOG_INF("recategorise", "environment=%s views=%lld round=%d", w->environment_id, (long long)found.rows, round);
        show(r, w, REWRITE_RUNNING, found.rows, 0);
        e = query_recategorise_start(q, w->environment_id, w->rules, w->n);
        if (e == ERR_NONE) e = wait_rewritten(r, q, w);
        store_changed(q->store, found.from_ms, found.to_ms);
        if (e != ERR_NONE) return e;
    }
    return ERR_TIMEOUT;
}

/* true: the store follows the rules now. */
static void work_do(struct rewriter *r, struct work *w)
{
    struct arena arena;
    arena_init(&arena, ARENA_BYTES_MAX);
    struct query q = {.store = r->store, .arena = &arena};
    enum err e = rewrite(r, &q, w);
    int64_t now_ms = wall_now_ms();
    if (e != ERR_NONE && e != ERR_CLOSED && e != ERR_UNAVAILABLE)
        LOG_ERR("recategorise_failed", "environment=%s kind=%s why=\"%.300s\"", w->environment_id, err_name(e),
                q.error.text);
    lock(r);
    struct entry *entry = entry_of(r, w->environment_id);
    if (e != ERR_NONE) {
        entry->status.state = e == ERR_UNAVAILABLE || e == ERR_CLOSED ? REWRITE_WAITING : REWRITE_FAILED;
        entry->look_at_ms = now_ms + (e == ERR_UNAVAILABLE ? LOOK_MS : RETRY_MS);
    } else {
        /* Whatever was answered while views changed, be it by an interrupted rewrite that the store went on with, or
         * of views that came in between, is not to be answered again. */
        if (entry->status.state != REWRITE_DONE || entry->status.version != w->version)
            store_changed(r->store, 0, now_ms + DAY_MS);
        if (entry->status.version != w->version) entry->looks = 0;
        entry->status.state = REWRITE_DONE;
        entry->status.version = w->version;
        entry->status.parts_left = 0;
        entry->status.finished_ms = now_ms;
        entry->look_at_ms = entry->looks < COUNT(again_after_ms) ? now_ms + again_after_ms[entry->looks] : 0;
        entry->looks++;
    }
    unlock(r);
    arena_free(&arena);
}

/* -- all of them -- */

struct environments {
    char (*ids)[ACCOUNTS_ID_MAX + 1];
    size_t n, room;
};

static bool environment_note(const struct env_facts *env, void *arg)
{
    struct environments *list = arg;
    if (list->n == list->room) {
        list->room = list->room ? list->room * 2 : 16;
        list->ids = realloc(list->ids, list->room * sizeof *list->ids);
        BUG_IF(list->ids == NULL);
    }
    memcpy(list->ids[list->n++], env->environment_id, sizeof *list->ids);
    return true;
}

/* An environment that never had a category needs no look at its views. */
static void look_at(struct rewriter *r, const char *environment_id, bool fresh)
{
    struct work w = {.version = 0};
    memcpy(w.environment_id, environment_id, sizeof w.environment_id);
    lock(r);
    const struct entry *entry = entry_of(r, environment_id);
    bool due = entry->look_at_ms > 0 && entry->look_at_ms <= wall_now_ms();
    bool failed = entry->status.state == REWRITE_FAILED;
    int64_t version = entry->status.version;
    unlock(r);
    if ((!due && (!fresh || failed)) || !work_load(r, &w)) return;
    if (w.version > 0 && (due || w.version != version)) work_do(r, &w);
    work_free(&w);
}

static void *rewriter_run(void *ctx)
{
    struct rewriter *r = ctx;
    while (pause_ms(r, LOOK_MS, true)) {
        if (!store_ready(r->store)) continue;
        struct environments list = {NULL, 0, 0};
        uint64_t generation = accounts_generation(r->accounts);
        bool fresh = generation != r->generation;
        accounts_env_each(r->accounts, environment_note, &list);
        for (size_t i = 0; i < list.n; i++) look_at(r, list.ids[i], fresh);
        r->generation = generation;
        free(list.ids);
    }
    return NULL;
}

struct rewriter *rewriter_new(struct accounts *accounts, struct store *store)
{
    struct rewriter *r = calloc(1, sizeof *r);
    BUG_IF(r == NULL);
    r->accounts = accounts;
    r->store = store;
    pthread_condattr_t monotonic;
    BUG_IF(pthread_condattr_init(&monotonic) != 0);
    BUG_IF(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0);
    BUG_IF(pthread_mutex_init(&r->lock, NULL) != 0);
    BUG_IF(pthread_cond_init(&r->changed, &monotonic) != 0);
    (void)pthread_condattr_destroy(&monotonic);
    BUG_IF(pthread_create(&r->thread, NULL, rewriter_run, r) != 0);
    return r;
}

void rewriter_free(struct rewriter *r)
{
    if (r == NULL) return;
    lock(r);
    r->stopping = true;
    BUG_IF(pthread_cond_broadcast(&r->changed) != 0);
    unlock(r);
    BUG_IF(pthread_join(r->thread, NULL) != 0);
    (void)pthread_mutex_destroy(&r->lock);
    (void)pthread_cond_destroy(&r->changed);
    free(r->entries);
    free(r);
}

void rewriter_kick(struct rewriter *r)
{
    lock(r);
    r->kicked = true;
    BUG_IF(pthread_cond_broadcast(&r->changed) != 0);
    unlock(r);
}

void rewriter_status(struct rewriter *r, const char *environment_id, int64_t version, struct rewrite_status *out)
{
    lock(r);
    *out = entry_of(r, environment_id)->status;
    unlock(r);
    if (out->state == REWRITE_DONE && out->version != version) out->state = REWRITE_WAITING;
    if (version == 0) out->state = REWRITE_DONE; /* there never was a category */
}
