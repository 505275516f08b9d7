/* SPDX-License-Identifier: Apache-2.0 */
#include "api/sweeper.h"

#include "accounts/audit.h"
#include "api/export_files.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/read.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_MS = 2000,
    ALWAYS_MS = 600000,
    STATEMENT_MS = 60000,
    SQL_BYTES_MAX = 1024 * 1024,
    ANSWER_BYTES_MAX = 4 * 1024 * 1024,
    PAGE = 1000,
    DETAILS_BYTES = 128,
};
#define DAY_MS INT64_C(86400000)
/* After a change: for views that were still open, or in the journal, when it came. */
static const int64_t again_after_ms[] = {0, 10000, 60000, 300000};

struct sweeper {
    struct accounts *accounts;
    struct store *store;
    char *exports_dir;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping, kicked; /* lock */
    /* the thread's own */
    uint64_t generation;
    size_t looks; /* of again_after_ms, since the last change */
    int64_t changed_ms, looked_ms;
    int64_t deleting_to_ms; /* rows up to here are being deleted; 0: none */
};

bool sweeper_views(struct store *store, const char *environment_id, int64_t *views)
{
    char where[64];
    struct buf sql, out;
    struct store_error error;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&out, ANSWER_BYTES_MAX);
    (void)snprintf(where, sizeof where, "environment_id = '%s'", environment_id);
    buf_adds(&sql, "SELECT toInt64(count()) FROM ");
    store_views_from(&sql, store, "view_end", span_of(where));
    bool ok = !sql.failed && store_select(store, buf_span(&sql), &out, &error) == ERR_NONE;
    struct bytes in = bytes_of(buf_span(&out));
    *views = ok ? (int64_t)bytes_u64(&in) : 0;
    ok = ok && in.ok;
    buf_free(&sql);
    buf_free(&out);
    return ok;
}

/* -- what is to go -- */

/* One environment and the end of what goes: views that end before it. */
struct doomed {
    char environment_id[ACCOUNTS_ID_MAX + 1];
    char organization_id[ACCOUNTS_ID_MAX + 1];
    int64_t before_ms; /* INT64_MAX: all */
    int64_t rows;      /* found in the store */
};
struct doom {
    struct doomed *items;
    size_t n, room;
    int64_t now_ms;
};

static void doom_add(struct doom *d, const char *environment_id, const char *organization_id, int64_t before_ms)
{
    if (d->n == d->room) {
        d->room = d->room ? d->room * 2 : 64;
        d->items = realloc(d->items, d->room * sizeof *d->items);
        BUG_IF(d->items == NULL);
    }
    struct doomed *one = &d->items[d->n++];
    *one = (struct doomed){.before_ms = before_ms};
    memcpy(one->environment_id, environment_id, strnlen(environment_id, ACCOUNTS_ID_MAX));
    memcpy(one->organization_id, organization_id, strnlen(organization_id, ACCOUNTS_ID_MAX));
}

/* Only ids that were ours go into a statement. */
static bool is_id(const char *s)
{
    size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789");
    return len > 0 && len <= ACCOUNTS_ID_MAX && s[len] == 0;
}

static bool doom_removed(struct sweeper *s, struct doom *d)
{
    struct audit_query q = {.act = SPAN("environment.remove"), .limit = PAGE};
    for (;; q.offset += PAGE) {
        struct audit_row *rows;
        size_t n;
        if (accounts_audit(s->accounts, &q, &rows, &n, NULL) != ACCOUNTS_OK) return false;
        for (size_t i = 0; i < n; i++) {
            struct env_facts still;
            bool gone = is_id(rows[i].target) && !accounts_env_by_id(s->accounts, span_of(rows[i].target), &still);
            if (gone) doom_add(d, rows[i].target, rows[i].organization_id, INT64_MAX);
        }
        free(rows);
        if (n < PAGE) return true;
    }
}

static bool doom_old(const struct env_facts *env, void *arg)
{
    struct doom *d = arg;
    if (env->retention_days == 0) return true;
    int64_t before_ms = (d->now_ms / DAY_MS - env->retention_days) * DAY_MS;
    if (before_ms > 0) doom_add(d, env->environment_id, env->organization_id, before_ms);
    return true;
}

static void condition(struct buf *sql, const struct doomed *one)
{
    buf_addf(sql, "(environment_id = '%s'", one->environment_id);
    if (one->before_ms != INT64_MAX) buf_addf(sql, " AND view_end < %" PRId64, one->before_ms);
    buf_addc(sql, ')');
}

/* -- the store -- */

static bool ask(struct sweeper *s, struct buf *sql, struct buf *out)
{
    struct store_error error;
    enum err e = sql->failed ? ERR_FULL : store_select(s->store, buf_span(sql), out, &error);
    if (e == ERR_REFUSED) LOG_WRN("sweep_refused", "code=%d text=\"%.200s\"", error.code, error.text);
    return e == ERR_NONE;
}

static bool mutating(struct sweeper *s)
{
    struct buf sql, out;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&out, ANSWER_BYTES_MAX);
    buf_adds(&sql,
             "SELECT toUInt64(count()) FROM system.mutations WHERE database = 'firstframe' AND table = 'views' AND "
             "is_done = 0");
    bool ok = ask(s, &sql, &out);
    struct bytes in = bytes_of(buf_span(&out));
    bool busy = !ok || bytes_u64(&in) > 0;
    buf_free(&sql);
    buf_free(&out);
    return busy;
}

/* Rows of each doomed one, so that nothing is rewritten for nothing. */
static bool count(struct sweeper *s, struct doom *d)
{
    struct buf sql, out;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&out, ANSWER_BYTES_MAX);
    buf_adds(&sql, "SELECT toString(environment_id) AS e, toInt64(count()) FROM firstframe.views WHERE ");
    for (size_t i = 0; i < d->n; i++) {
        if (i) buf_adds(&sql, " OR ");
        condition(&sql, &d->items[i]);
    }
    buf_adds(&sql, " GROUP BY e");
    bool ok = ask(s, &sql, &out);
    struct bytes in = bytes_of(buf_span(&out));
    while (ok && bytes_left(&in)) {
        struct span id = bytes_span(&in, bytes_varint(&in));
        int64_t rows = (int64_t)bytes_u64(&in);
        ok = in.ok;
        for (size_t i = 0; ok && i < d->n; i++)
            if (span_is(id, d->items[i].environment_id)) d->items[i].rows = rows;
    }
    buf_free(&sql);
    buf_free(&out);
    return ok;
}

static void audit(struct sweeper *s, const struct doomed *one)
{
    char details[DETAILS_BYTES];
    struct actor who = {.kind = ACTOR_SERVER};
    (void)snprintf(details, sizeof details, "{\"rows\":%" PRId64 ",\"why\":\"%s\"}", one->rows,
                   one->before_ms == INT64_MAX ? "environment removed" : "retention");
    struct span id = span_of(one->environment_id);
    enum accounts_error e = accounts_audit_add(s->accounts, &who, AUDIT_VIEWS_DELETE, span_of(one->organization_id), id,
                                               id, span_of(details));
    if (e != ACCOUNTS_OK) LOG_ERR("sweep_not_audited", "why=%s", accounts_error_name(e));
}

static bool delete_rows(struct sweeper *s, struct doom *d)
{
    struct buf sql;
    struct store_error error;
    size_t n = 0;
    int64_t before_ms = 0;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "ALTER TABLE firstframe.views DELETE WHERE ");
    for (size_t i = 0; i < d->n; i++) {
        if (d->items[i].rows == 0) continue;
        if (n++) buf_adds(&sql, " OR ");
        condition(&sql, &d->items[i]);
        if (d->items[i].before_ms > before_ms) before_ms = d->items[i].before_ms;
    }
    enum err e = n == 0 ? ERR_NONE : store_execute(s->store, buf_span(&sql), STATEMENT_MS, &error);
    if (e != ERR_NONE) LOG_WRN("sweep_failed", "kind=%s code=%d text=\"%.200s\"", err_name(e), error.code, error.text);
    for (size_t i = 0; e == ERR_NONE && i < d->n; i++) {
        const struct doomed *one = &d->items[i];
        if (one->rows == 0) continue;
        LOG_INF("views_deleted", "environment=%s rows=%" PRId64, one->environment_id, one->rows);
        audit(s, one);
    }
    if (e == ERR_NONE && n) {
        int64_t to_ms = before_ms == INT64_MAX ? d->now_ms + DAY_MS : before_ms;
        if (to_ms > s->deleting_to_ms) s->deleting_to_ms = to_ms;
    }
    buf_free(&sql);
    return e == ERR_NONE;
}

static void delete_exports(struct sweeper *s, const struct doom *d)
{
    for (size_t i = 0; i < d->n; i++) {
        char path[EXPORT_PATH_MAX];
        const struct doomed *one = &d->items[i];
        int len = snprintf(path, sizeof path, "%s/%s", s->exports_dir, one->environment_id);
        if (one->before_ms != INT64_MAX || len >= (int)sizeof path || access(path, F_OK) != 0) continue;
        int64_t *days;
        size_t n = export_days_there(s->exports_dir, one->environment_id, &days);
        for (size_t day = 0; day < n; day++) export_remove(s->exports_dir, one->environment_id, days[day]);
        free(days);
        export_clean(s->exports_dir, one->environment_id);
        (void)rmdir(path); /* what is left in it is not ours */
    }
}

/* The store deletes in its own time: what was answered before it had is not to be answered again. */
static void deletion_look(struct sweeper *s)
{
    if (s->deleting_to_ms == 0 || !store_ready(s->store) || mutating(s)) return;
    store_changed(s->store, 0, s->deleting_to_ms);
    s->deleting_to_ms = 0;
}

/* true: done; false: try again soon. */
static bool sweep(struct sweeper *s)
{
    struct doom d = {.now_ms = wall_now_ms()};
    bool ok = doom_removed(s, &d);
    accounts_env_each(s->accounts, doom_old, &d);
    delete_exports(s, &d);
    if (ok && d.n) ok = !mutating(s) && count(s, &d) && delete_rows(s, &d);
    free(d.items);
    return ok;
}

/* -- the thread -- */

static bool pause_or_end(struct sweeper *s, bool *kicked)
{
    struct timespec until;
    BUG_IF(clock_gettime(CLOCK_MONOTONIC, &until) != 0);
    until.tv_sec += LOOK_MS / 1000;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping && !s->kicked)
        if (pthread_cond_timedwait(&s->wake, &s->lock, &until) != 0) break;
    *kicked = s->kicked;
    s->kicked = false;
    bool go_on = !s->stopping;
    pthread_mutex_unlock(&s->lock);
    return go_on;
}

static void *sweeper_run(void *arg)
{
    struct sweeper *s = arg;
    bool kicked;
    while (pause_or_end(s, &kicked)) {
        deletion_look(s);
        uint64_t generation = accounts_generation(s->accounts);
        int64_t now_ms = mono_now().v / 1000;
        if (kicked || generation != s->generation) s->generation = generation, s->changed_ms = now_ms, s->looks = 0;
        bool due = s->looks < COUNT(again_after_ms) ? now_ms - s->changed_ms >= again_after_ms[s->looks]
                                                    : now_ms - s->looked_ms >= ALWAYS_MS;
        if (!due || !store_ready(s->store) || !sweep(s)) continue;
        s->looked_ms = now_ms;
        if (s->looks < COUNT(again_after_ms)) s->looks++;
    }
    return NULL;
}

struct sweeper *sweeper_new(struct accounts *accounts, struct store *store, const char *data_dir)
{
    struct sweeper *s = calloc(1, sizeof *s);
    BUG_IF(s == NULL);
    s->accounts = accounts;
    s->store = store;
    s->exports_dir = malloc(EXPORT_PATH_MAX);
    BUG_IF(s->exports_dir == NULL);
    (void)snprintf(s->exports_dir, EXPORT_PATH_MAX, "%s/exports", data_dir);
    pthread_condattr_t attributes;
    BUG_IF(pthread_condattr_init(&attributes) != 0);
    BUG_IF(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0);
    BUG_IF(pthread_mutex_init(&s->lock, NULL) != 0 || pthread_cond_init(&s->wake, &attributes) != 0);
    pthread_condattr_destroy(&attributes);
    BUG_IF(pthread_create(&s->thread, NULL, sweeper_run, s) != 0);
    return s;
}

void sweeper_kick(struct sweeper *s)
{
    pthread_mutex_lock(&s->lock);
    s->kicked = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

void sweeper_free(struct sweeper *s)
{
    if (s == NULL) return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    BUG_IF(pthread_join(s->thread, NULL) != 0);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->wake);
    free(s->exports_dir);
    free(s);
}
