/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <errno.h>
#include <limits.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WATCH_MS = 200, ARG_BYTES = 320 };

struct slot {
    struct chdb_handle **conn; /* NULL when it could not be opened again */
    struct buf session;        /* what makes up its session; meaningless unless known */
    bool known;
    bool busy;
    int client_fd; /* -1: nobody to watch */
};

struct pool {
    pthread_mutex_t mutex; /* of everything but the handles of busy slots */
    pthread_cond_t freed;
    pthread_cond_t watch;
    pthread_t watcher;
    bool stopping;
    bool cancel_all;
    size_t busy;
    size_t waiting;
    struct pool_options options;
    char path_arg[PATH_MAX + sizeof "--path="];
    struct chdb_handle *
        *control; /* keeps ClickHouse up while slots are reopened; kills statements */
    struct slot *slots;
};

/* ---- connections ---- */

static struct chdb_handle **connect_with(char **args, int count)
{
    return chdb_connect(count, args);
}

/* The one that boots ClickHouse takes the server's settings. Its caches are made for big machines
 * (the mark cache alone 5 GB), so they get a share of what the engine may use. */
static struct chdb_handle **connect_control(struct pool *p)
{
    char program[] = "firstframe-engine";
    char memory[ARG_BYTES];
    char marks[ARG_BYTES];
    char indexes[ARG_BYTES];
    uint64_t bytes = p->options.memory_bytes_max;
    snprintf(memory, sizeof memory, "--max_server_memory_usage=%" PRIu64, bytes);
    snprintf(marks, sizeof marks, "--mark_cache_size=%" PRIu64, bytes / 8);
    snprintf(indexes, sizeof indexes, "--primary_index_cache_size=%" PRIu64, bytes / 16);
    char *args[] = {program, p->path_arg, memory, marks, indexes, NULL};
    return connect_with(args, (int)COUNT(args) - 1);
}

static void slot_comment(char *out, size_t size, size_t slot)
{
    snprintf(out, size, "firstframe-slot-%zu", slot);
}

static struct chdb_handle **connect_slot(struct pool *p, size_t slot)
{
    char program[] = "firstframe-engine";
    char name[64];
    char comment[ARG_BYTES];
    slot_comment(name, sizeof name, slot);
    snprintf(comment, sizeof comment, "--log_comment=%s", name);
    char *args[] = {program, p->path_arg, comment, NULL};
    return connect_with(args, (int)COUNT(args) - 1);
}

/* Runs a statement without a result. The error, if any, is added to `error`. */
static bool run(struct chdb_handle *handle, struct span sql, struct buf *error)
{
    struct chdb_result *result =
        chdb_query_with_params_n(handle, sql.ptr, sql.len, "Null", 4, NULL, NULL, NULL, NULL, 0);
    const char *text = result == NULL ? "Code: 1001. DB::Exception: No result. (STD_EXCEPTION)"
                                      : chdb_result_error(result);
    if (text != NULL && error != NULL) {
        buf_add_text(error, text);
    }
    bool ok = text == NULL;
    chdb_destroy_query_result(result);
    return ok;
}

/* ---- the watcher ---- */

static bool client_gone(int fd)
{
    /* A peer that only shut its sending side still waits for the answer: POLLHUP means both. */
    struct pollfd pfd = {.fd = fd, .events = 0};
    return fd >= 0 && poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLERR)) != 0;
}

static void kill_slot(struct pool *p, size_t slot)
{
    char name[64];
    char sql[ARG_BYTES];
    slot_comment(name, sizeof name, slot);
    snprintf(sql, sizeof sql, "KILL QUERY WHERE Settings['log_comment'] = '%s' ASYNC", name);
    (void)run(*p->control, span_of(sql), NULL);
}

static void deadline_after(struct timespec *ts, int ms)
{
    clock_gettime(CLOCK_MONOTONIC, ts);
    ts->tv_sec += ms / 1000;
    ts->tv_nsec += (long)(ms % 1000) * 1000000L;
    if (ts->tv_nsec >= 1000000000L) {
        ts->tv_sec++;
        ts->tv_nsec -= 1000000000L;
    }
}

/* The mutex is held while a statement is killed, so that the slot cannot meanwhile have been given
 * to the next request, whose statement would be the one to die. A kill takes a few milliseconds. */
static void *watch_run(void *arg)
{
    struct pool *p = arg;
    pthread_mutex_lock(&p->mutex);
    while (!p->stopping) {
        if (p->busy == 0) {
            pthread_cond_wait(&p->watch, &p->mutex);
            continue;
        }
        struct timespec until;
        deadline_after(&until, WATCH_MS);
        pthread_cond_timedwait(&p->watch, &p->mutex, &until);
        for (size_t i = 0; i < p->options.connections; i++) {
            if (p->slots[i].busy && (p->cancel_all || client_gone(p->slots[i].client_fd))) {
                kill_slot(p, i);
            }
        }
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* ---- life ---- */

static void close_all(struct pool *p)
{
    for (size_t i = 0; i < p->options.connections; i++) {
        if (p->slots[i].conn != NULL) {
            chdb_close_conn(p->slots[i].conn);
        }
        buf_fini(&p->slots[i].session);
    }
    if (p->control != NULL) {
        chdb_close_conn(p->control);
    }
}

static bool open_all(struct pool *p)
{
    p->control = connect_control(p);
    if (p->control == NULL) {
        return false;
    }
    for (size_t i = 0; i < p->options.connections; i++) {
        struct slot *s = &p->slots[i];
        s->client_fd = -1;
        buf_init(&s->session, 1024 * 1024);
        s->conn = connect_slot(p, i);
        buf_add_text(&s->session, ";"); /* what session_text makes of no wishes */
        s->known = true;
        if (s->conn == NULL) {
            return false;
        }
    }
    return run(*p->control, span_of("SELECT 1"), NULL);
}

static void pool_free(struct pool *p)
{
    free(p->slots);
    free(p);
}

struct pool *pool_open(const struct pool_options *options, const char **why)
{
    *why = "out of memory";
    struct pool *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    p->options = *options;
    p->slots = calloc(options->connections, sizeof *p->slots);
    if (p->slots == NULL) {
        pool_free(p);
        return NULL;
    }
    snprintf(p->path_arg, sizeof p->path_arg, "--path=%s", options->data_path);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->freed, &attr);
    pthread_cond_init(&p->watch, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&p->mutex, NULL);
    *why = "ClickHouse cannot open the data directory";
    if (!open_all(p) || pthread_create(&p->watcher, NULL, watch_run, p) != 0) {
        close_all(p);
        pool_free(p);
        return NULL;
    }
    *why = NULL;
    return p;
}

void pool_close(struct pool *p)
{
    pthread_mutex_lock(&p->mutex);
    p->stopping = true;
    pthread_cond_broadcast(&p->watch);
    pthread_mutex_unlock(&p->mutex);
    pthread_join(p->watcher, NULL);
    close_all(p);
    pthread_cond_destroy(&p->freed);
    pthread_cond_destroy(&p->watch);
    pthread_mutex_destroy(&p->mutex);
    pool_free(p);
}

/* ---- loans ---- */

static void session_text(const struct session *want, struct buf *out)
{
    if (want->database.len > 0) {
        buf_add_text(out, "USE ");
        buf_add_quoted(out, '`', want->database);
    }
    buf_add_text(out, ";");
    buf_add(out, want->settings.ptr, want->settings.len);
}

static bool slot_has(const struct slot *s, const struct buf *session)
{
    return s->known && s->conn != NULL && s->session.len == session->len &&
           memcmp(s->session.data, session->data, session->len) == 0;
}

/* A free slot, one that has the session already if there is one; the count when all are busy. */
static size_t pick(const struct pool *p, const struct buf *session)
{
    size_t found = p->options.connections;
    for (size_t i = 0; i < p->options.connections; i++) {
        if (p->slots[i].busy) {
            continue;
        }
        if (slot_has(&p->slots[i], session)) {
            return i;
        }
        found = i;
    }
    return found;
}

/* Gives the slot a new connection with that session. The slot is busy and so ours. */
static enum pool_answer reopen(struct pool *p, size_t slot, const struct session *want,
                               struct buf *session, struct buf *error)
{
    struct slot *s = &p->slots[slot];
    s->known = false;
    if (s->conn != NULL) {
        chdb_close_conn(s->conn);
    }
    s->conn = connect_slot(p, slot);
    if (s->conn == NULL) {
        return POOL_BROKEN;
    }
    if (want->database.len > 0) {
        struct span use = {.ptr = session->data, .len = session->len - want->settings.len - 1};
        if (!run(*s->conn, use, error)) {
            return POOL_REFUSED;
        }
    }
    if (want->settings.len > 0 && !run(*s->conn, want->settings, error)) {
        return POOL_REFUSED;
    }
    buf_fini(&s->session);
    s->session = *session;
    *session = (struct buf){.max = 0};
    s->known = true;
    return POOL_OK;
}

/* Waits, with the mutex held, until a slot is free. */
static bool wait_for_slot(struct pool *p, const struct buf *session, size_t *slot)
{
    *slot = pick(p, session);
    if (*slot < p->options.connections) {
        return true;
    }
    if (p->waiting >= p->options.waiting_max) {
        return false;
    }
    struct timespec until;
    deadline_after(&until, p->options.wait_ms_max);
    p->waiting++;
    int rc = 0;
    while (*slot == p->options.connections && rc == 0 && !p->cancel_all) {
        rc = pthread_cond_timedwait(&p->freed, &p->mutex, &until);
        *slot = pick(p, session);
    }
    p->waiting--;
    return *slot < p->options.connections;
}

enum pool_answer pool_take(struct pool *p, const struct session *want, int client_fd,
                           struct lease *out, struct buf *error)
{
    struct buf session;
    buf_init(&session, 1024 * 1024);
    session_text(want, &session);
    if (session.full) {
        buf_fini(&session);
        return POOL_BROKEN;
    }
    size_t slot = 0;
    pthread_mutex_lock(&p->mutex);
    bool got = wait_for_slot(p, &session, &slot);
    if (got) {
        p->slots[slot].busy = true;
        p->slots[slot].client_fd = client_fd;
        p->busy++;
        pthread_cond_signal(&p->watch);
    }
    pthread_mutex_unlock(&p->mutex);
    enum pool_answer answer = got ? POOL_OK : POOL_FULL;
    if (got && !slot_has(&p->slots[slot], &session)) {
        answer = reopen(p, slot, want, &session, error);
    }
    buf_fini(&session);
    *out = (struct lease){.slot = slot};
    if (answer == POOL_OK) {
        out->handle = *p->slots[slot].conn;
    } else if (got) {
        pool_give(p, out, false);
    }
    return answer;
}

void pool_give(struct pool *p, struct lease *lease, bool reusable)
{
    struct slot *s = &p->slots[lease->slot];
    if (!reusable && s->conn != NULL) {
        chdb_close_conn(s->conn); /* now: what a failed statement left behind goes with it */
        s->conn = NULL;
    }
    pthread_mutex_lock(&p->mutex);
    s->known = s->known && reusable;
    s->busy = false;
    s->client_fd = -1;
    p->busy--;
    lease->handle = NULL;
    pthread_cond_signal(&p->freed);
    pthread_mutex_unlock(&p->mutex);
}

void pool_cancel_all(struct pool *p)
{
    pthread_mutex_lock(&p->mutex);
    p->cancel_all = true;
    pthread_cond_broadcast(&p->freed);
    pthread_cond_broadcast(&p->watch);
    pthread_mutex_unlock(&p->mutex);
}
