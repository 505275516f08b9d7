/* SPDX-License-Identifier: Apache-2.0
 * One loop: a thread, its listening sockets, one coarse timer for all deadlines, and the way it ends.
 *
 * The end: draining is set by another thread. The loop then closes its listening sockets at once, idle connections
 * after a moment (requests that were already sent are still read and answered), and the rest when it is answered or the
 * time is over. Tickets that are still out keep the loop's memory alive until they are finished. */
#include "http/internal.h"

#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TICK_MS_MAX = 1000, TICK_MS_MIN = 20, DATE_MS = 500, LISTEN_BACKLOG = 4096 };

const char *http_loop_date(struct http_loop *loop)
{
    uint64_t now = uv_now(&loop->uv);
    if (loop->date[0] != 0 && now - loop->date_ms < DATE_MS) return loop->date;
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_now_ms() / 1000);
    struct tm tm;
    BUG_IF(gmtime_r(&seconds, &tm) == NULL);
    /* Not strftime: its names follow the locale. */
    int len = snprintf(loop->date, sizeof loop->date, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
                       tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    BUG_IF(len != sizeof "Thu, 01 Jan 1970 00:00:00 GMT" - 1);
    loop->date_ms = now;
    return loop->date;
}

static void loop_count_requests(struct http_loop *loop)
{
    if (loop->requests == 0) return;
    counter_add(COUNTER_http_requests_total, (int64_t)loop->requests);
    loop->requests = 0;
}

/* Whoever holds tickets of a dead loop frees them one by one; see http_loop_drop. */
static void loop_die(struct http_loop *loop)
{
    (void)pthread_mutex_lock(&loop->lock);
    struct http_exchange *e = loop->finished;
    loop->finished = loop->finished_last = NULL;
    for (struct http_exchange *next; e; e = next) {
        next = e->next;
        BUG_IF(e->connection != NULL);
        loop->tickets--;
        http_exchange_free(e);
    }
    loop->dead = true;
    loop->holders = loop->tickets + 1;
    (void)pthread_mutex_unlock(&loop->lock);
    if (loop->tickets > 0) LOG_WRN("http_tickets_left", "count=%zu", loop->tickets);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->tick, NULL);
}

static void loop_drain_begin(struct http_loop *loop)
{
    loop->drain_began_ms = uv_now(&loop->uv);
    for (unsigned i = 0; i < loop->listener_count; i++) uv_close((uv_handle_t *)&loop->listeners[i], NULL);
}

static void loop_drain(struct http_loop *loop, uint64_t now)
{
    uint64_t passed = now - loop->drain_began_ms;
    loop->drain_ticks++; /* counted, not timed: between two ticks every socket was looked at */
    bool over = passed >= (uint64_t)loop->server->drain_ms;
    for (struct http_connection *c = loop->connections, *next; c; c = next) {
        next = c->next;
        bool idle = c->phase == HTTP_P_IDLE || c->phase == HTTP_P_START || c->phase == HTTP_P_LINGER;
        if (over || (idle && loop->drain_ticks > HTTP_DRAIN_GRACE_TICKS)) http_connection_close(c);
    }
    if (loop->connection_count > 0) return;
    if (loop->tickets > 0 && !over) return;
    if (!uv_is_closing((uv_handle_t *)&loop->wake)) loop_die(loop);
}

static void on_tick(uv_timer_t *timer)
{
    struct http_loop *loop = timer->data;
    uint64_t now = uv_now(&loop->uv);
    loop_count_requests(loop);
    http_exchange_trim(loop);
    for (struct http_connection *c = loop->connections, *next; c; c = next) {
        next = c->next;
        if (now >= c->deadline_ms) http_connection_tick(c, now);
    }
    if (loop->drain_began_ms) loop_drain(loop, now);
}

static void on_wake(uv_async_t *wake)
{
    struct http_loop *loop = wake->data;
    http_reply_take_finished(loop);
    if (!atomic_load(&loop->draining) || loop->drain_began_ms) return;
    loop_drain_begin(loop);
    (void)uv_timer_start(&loop->tick, on_tick, HTTP_DRAIN_TICK_MS, HTTP_DRAIN_TICK_MS);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct http_loop *loop = listener->data;
    if (status < 0) {
        LOG_WRN("http_accept_failed", "error=%s", uv_err_name(status));
        return;
    }
    http_connection_accept(loop, listener);
}

struct http_loop *http_loop_new(struct http_server *s, unsigned index)
{
    struct http_loop *loop = calloc(1, sizeof *loop);
    BUG_IF(loop == NULL);
    loop->server = s;
    loop->index = index;
    BUG_IF(pthread_mutex_init(&loop->lock, NULL) != 0);
    BUG_IF(uv_loop_init(&loop->uv) != 0);
    BUG_IF(uv_async_init(&loop->uv, &loop->wake, on_wake) != 0);
    BUG_IF(uv_timer_init(&loop->uv, &loop->tick) != 0);
    loop->wake.data = loop->tick.data = loop;
    atomic_init(&loop->draining, false);
    const struct http_limits *l = &s->limits;
    int timeouts[] = {l->header_timeout_ms, l->body_timeout_ms, l->idle_timeout_ms, l->write_timeout_ms};
    loop->tick_ms = TICK_MS_MAX;
    for (size_t i = 0; i < COUNT(timeouts); i++)
        if ((uint64_t)timeouts[i] / 4 < loop->tick_ms) loop->tick_ms = (uint64_t)timeouts[i] / 4;
    if (loop->tick_ms < TICK_MS_MIN) loop->tick_ms = TICK_MS_MIN;
    BUG_IF(uv_timer_start(&loop->tick, on_tick, loop->tick_ms, loop->tick_ms) != 0);
    return loop;
}

bool http_loop_listen(struct http_loop *loop, int fd, char why[256])
{
    BUG_IF(loop->listener_count == COUNT(loop->listeners));
    uv_tcp_t *listener = &loop->listeners[loop->listener_count];
    BUG_IF(uv_tcp_init(&loop->uv, listener) != 0);
    loop->listener_count++;
    listener->data = loop;
    int rc = uv_tcp_open(listener, fd);
    if (rc == 0) rc = uv_listen((uv_stream_t *)listener, LISTEN_BACKLOG, on_connection);
    if (rc != 0) (void)snprintf(why, 256, "Cannot listen: %s", uv_strerror(rc));
    return rc == 0;
}

static void *loop_main(void *arg)
{
    struct http_loop *loop = arg;
    (void)pthread_setname_np(pthread_self(), "http");
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    loop_count_requests(loop);
    return NULL;
}

bool http_loop_start(struct http_loop *loop, char why[256])
{
    /* Signals belong to the thread that waits for them, and writing to a closed socket is an error code, not SIGPIPE.
     */
    sigset_t all, before;
    (void)sigfillset(&all);
    /* But for faults: a blocked one would end the process without a trace. */
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF};
    for (size_t i = 0; i < COUNT(faults); i++) (void)sigdelset(&all, faults[i]);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&loop->thread, NULL, loop_main, loop);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    loop->started = rc == 0;
    if (rc != 0) (void)snprintf(why, 256, "Cannot start a thread: %s", strerror(rc));
    return loop->started;
}

void http_loop_drain(struct http_loop *loop)
{
    atomic_store(&loop->draining, true);
    (void)pthread_mutex_lock(&loop->lock);
    if (!loop->dead) (void)uv_async_send(&loop->wake);
    (void)pthread_mutex_unlock(&loop->lock);
}

void http_loop_join(struct http_loop *loop)
{
    if (loop->started) (void)pthread_join(loop->thread, NULL);
    else (void)uv_run(&loop->uv, UV_RUN_DEFAULT); /* on this thread, until drained: nothing ever came */
    BUG_IF(uv_loop_close(&loop->uv) != 0);
    while (loop->free_exchanges) {
        struct http_exchange *next = loop->free_exchanges->next;
        http_exchange_free(loop->free_exchanges);
        loop->free_exchanges = next;
    }
    while (loop->free_connections) {
        struct http_connection *next = loop->free_connections->next;
        free(loop->free_connections);
        loop->free_connections = next;
    }
    (void)pthread_mutex_lock(&loop->lock);
    http_loop_drop(loop, 1);
}

void http_loop_drop(struct http_loop *loop, size_t n)
{
    BUG_IF(!loop->dead);
    BUG_IF(loop->holders < n);
    loop->holders -= n;
    bool last = loop->holders == 0;
    (void)pthread_mutex_unlock(&loop->lock);
    if (!last) return;
    (void)pthread_mutex_destroy(&loop->lock);
    free(loop);
}
