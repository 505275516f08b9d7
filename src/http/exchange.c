/* SPDX-License-Identifier: Apache-2.0
 * The memory of one request and its reply, reused within its loop. */
#include "http/internal.h"

#include <stdlib.h>
#include <unistd.h>

struct http_exchange *http_exchange_of(struct http_request *r)
{
    struct http_exchange *e = (struct http_exchange *)r;
    BUG_IF(e == NULL || e->magic != HTTP_EXCHANGE_MAGIC);
    return e;
}

static struct http_exchange *exchange_new(struct http_loop *loop)
{
    const struct http_limits *limits = &loop->server->limits;
    struct http_exchange *e = malloc(sizeof *e + limits->header_bytes_max);
    BUG_IF(e == NULL);
    memset(e, 0, sizeof *e);
    e->headers = calloc(limits->headers_max, sizeof *e->headers);
    BUG_IF(e->headers == NULL);
    e->magic = HTTP_EXCHANGE_MAGIC;
    e->loop = loop;
    arena_init(&e->arena, HTTP_ARENA_BYTES_MAX);
    buf_init(&e->out, SIZE_MAX / 4);
    return e;
}

struct http_exchange *http_exchange_take(struct http_connection *c)
{
    struct http_loop *loop = c->loop;
    struct http_exchange *e = loop->free_exchanges;
    if (e != NULL) {
        loop->free_exchanges = e->next;
        loop->free_exchange_count--;
        if (loop->free_exchange_count < loop->free_exchange_low) loop->free_exchange_low = loop->free_exchange_count;
    } else {
        e = exchange_new(loop);
    }
    e->request = (struct http_request){
        .arena = &e->arena, .connection = c, .headers = e->headers, .client = c->client, .crowded = c->crowded};
    e->connection = c;
    e->next = NULL;
    e->deferred = e->finished = e->head_done = e->complete = e->keep_alive = e->minor_0 = e->expect_continue = false;
    e->close_after = e->chunked = false;
    e->header_count = e->value_count = e->text_len = e->body_len = 0;
    e->body_seen = 0;
    e->owned_body = (struct span){NULL, 0};
    c->exchange = e;
    c->sent = 0;
    return e;
}

void http_exchange_body_drop(struct http_exchange *e)
{
    if (e->body_cap == 0) return;
    (void)atomic_fetch_sub_explicit(&e->loop->server->memory_bytes, e->body_cap, memory_order_relaxed);
    free(e->body);
    e->body = NULL;
    e->body_cap = 0;
}

void http_exchange_body_free(struct http_exchange *e)
{
    free(e->owned);
    e->owned = NULL;
    if (e->file > 0) (void)close(e->file);
    if (e->file_counted) (void)atomic_fetch_sub_explicit(&e->loop->server->connections, 1, memory_order_relaxed);
    e->file = 0;
    e->file_counted = false;
}

void http_exchange_free(struct http_exchange *e)
{
    arena_free(&e->arena);
    buf_free(&e->out);
    free(e->body);
    http_exchange_body_free(e);
    free(e->headers);
    e->magic = 0;
    free(e);
}

void http_exchange_release(struct http_exchange *e)
{
    struct http_loop *loop = e->loop;
    if (e->connection != NULL) e->connection->exchange = NULL;
    e->connection = NULL;
    http_exchange_body_free(e);
    if (e->body_cap > HTTP_BODY_KEPT_BYTES) http_exchange_body_drop(e);
    arena_reset(&e->arena);
    if (e->arena.end - e->arena.at > HTTP_OUT_KEPT_BYTES) arena_free(&e->arena);
    buf_clear(&e->out);
    if (e->out.cap > HTTP_OUT_KEPT_BYTES) buf_free(&e->out);
    e->next = loop->free_exchanges;
    loop->free_exchanges = e;
    loop->free_exchange_count++;
}

/* Answers leave in groups, so that all requests under way may become free at once and be needed again a moment later: a
 * fixed number would free and allocate the rest with each group. Half of what was idle goes with each tick. */
void http_exchange_trim(struct http_loop *loop)
{
    for (size_t n = (loop->free_exchange_low + 1) / 2; n > 0; n--) {
        struct http_exchange *e = loop->free_exchanges;
        loop->free_exchanges = e->next;
        loop->free_exchange_count--;
        http_exchange_body_drop(e);
        http_exchange_free(e);
    }
    loop->free_exchange_low = loop->free_exchange_count;
}

bool http_exchange_body_room(struct http_exchange *e, size_t len)
{
    size_t need = e->body_len + len;
    if (need <= e->body_cap) return true;
    size_t cap = e->body_cap < 2048 ? 2048 : e->body_cap;
    while (cap < need) cap *= 2;
    struct http_server *s = e->loop->server;
    size_t more = cap - e->body_cap;
    size_t before = atomic_fetch_add_explicit(&s->memory_bytes, more, memory_order_relaxed);
    if (before + more > s->limits.memory_bytes_max) {
        (void)atomic_fetch_sub_explicit(&s->memory_bytes, more, memory_order_relaxed);
        return false;
    }
    char *grown = realloc(e->body, cap);
    BUG_IF(grown == NULL);
    e->body = grown;
    e->body_cap = cap;
    return true;
}
