/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "call.h"
#include "http.h"

enum { KILL_MS = 5000, HANG_UP_MS = 10000 };

struct client {
    struct server *server;
    struct client *next;
    struct client **link; /* what points at this one */
    bool busy;            /* between the head of a request and the end of its answer */
    struct http_conn conn;
};

struct server {
    pthread_mutex_t mutex;
    pthread_cond_t left; /* a client has gone */
    struct pool *pool;
    struct client *clients;
    size_t count;
    size_t count_max;
    bool stopping;
};

struct server *server_new(struct pool *pool, size_t clients_max)
{
    struct server *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->pool = pool;
    s->count_max = clients_max;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->left, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&s->mutex, NULL);
    return s;
}

void server_free(struct server *s)
{
    pthread_cond_destroy(&s->left);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

/* Marks the client busy or idle; false when the server is stopping. */
static bool client_mark(struct client *cl, bool busy)
{
    pthread_mutex_lock(&cl->server->mutex);
    cl->busy = busy;
    bool go_on = !cl->server->stopping;
    pthread_mutex_unlock(&cl->server->mutex);
    return go_on;
}

static void client_loop(struct client *cl)
{
    struct http_conn *c = &cl->conn;
    while (c->keep_alive) {
        enum http_read got = http_read_head(c);
        if (got == HTTP_READ_CLOSED) {
            return;
        }
        if (got != HTTP_READ_OK) {
            struct http_answer a = {.status = got == HTTP_READ_LARGE ? 431 : 400,
                                    .type = "text/plain; charset=UTF-8",
                                    .headers = "",
                                    .body = span_of(got == HTTP_READ_LARGE
                                                        ? "URL or headers too large.\n"
                                                        : "Not HTTP.\n")};
            c->keep_alive = false;
            http_answer(c, &a);
            break;
        }
        if (!client_mark(cl, true)) {
            c->keep_alive = false;
            call_refuse(c,
                        "Code: 203. DB::Exception: The engine is stopping. (NO_FREE_CONNECTION)");
            break;
        }
        call_serve(c, cl->server->pool);
        if (!client_mark(cl, false)) {
            break;
        }
    }
    http_linger(c);
}

/* Leaves the list before the socket is closed, so that server_stop touches no other's socket. */
static void *client_run(void *arg)
{
    struct client *cl = arg;
    struct server *s = cl->server;
    client_loop(cl);
    pthread_mutex_lock(&s->mutex);
    *cl->link = cl->next;
    if (cl->next != NULL) {
        cl->next->link = cl->link;
    }
    pthread_mutex_unlock(&s->mutex);
    http_close(&cl->conn);
    free(cl);
    pthread_mutex_lock(&s->mutex);
    s->count--;
    pthread_cond_broadcast(&s->left);
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

static void turn_away(int fd)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                 "Connection: close\r\n"
                                 "Retry-After: 1\r\n"
                                 "Content-Length: 0\r\n\r\n";
    (void)send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static bool client_start(struct client *cl)
{
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    /* ClickHouse parses and plans on the calling thread and wants a deep stack. */
    pthread_attr_setstacksize(&attr, (size_t)8 * 1024 * 1024);
    int rc = pthread_create(&thread, &attr, client_run, cl);
    pthread_attr_destroy(&attr);
    return rc == 0;
}

void server_accept(struct server *s, int fd)
{
    pthread_mutex_lock(&s->mutex);
    struct client *cl = s->stopping || s->count >= s->count_max ? NULL : calloc(1, sizeof *cl);
    if (cl == NULL) {
        pthread_mutex_unlock(&s->mutex);
        turn_away(fd);
        return;
    }
    cl->server = s;
    http_open(&cl->conn, fd);
    cl->next = s->clients;
    cl->link = &s->clients;
    if (!client_start(cl)) { /* the thread waits for the mutex before it leaves the list */
        pthread_mutex_unlock(&s->mutex);
        http_close(&cl->conn);
        free(cl);
        return;
    }
    if (cl->next != NULL) {
        cl->next->link = &cl->next;
    }
    s->clients = cl;
    s->count++;
    pthread_mutex_unlock(&s->mutex);
}

static void hang_up(struct server *s, bool idle_only)
{
    for (struct client *cl = s->clients; cl != NULL; cl = cl->next) {
        if (!cl->busy || !idle_only) {
            (void)shutdown(cl->conn.fd, SHUT_RDWR);
        }
    }
}

/* Waits, with the mutex held, until every client is gone. */
static bool wait_empty(struct server *s, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    int rc = 0;
    while (s->count > 0 && rc == 0) {
        rc = pthread_cond_timedwait(&s->left, &s->mutex, &until);
    }
    return s->count == 0;
}

bool server_stop(struct server *s, int grace_ms)
{
    pthread_mutex_lock(&s->mutex);
    s->stopping = true;
    hang_up(s, true);
    bool empty = wait_empty(s, grace_ms);
    if (!empty) {
        pool_cancel_all(s->pool);
        empty = wait_empty(s, KILL_MS);
    }
    if (!empty) {
        hang_up(s, false);
        empty = wait_empty(s, HANG_UP_MS);
    }
    pthread_mutex_unlock(&s->mutex);
    return empty;
}
