/* SPDX-License-Identifier: Apache-2.0
 * A hash table with chains behind one lock: it is touched only when a connection comes or goes. Its size is bounded by
 * the number of connections. */
#include "base/hash.h"
#include "http/address.h"
#include "http/server.h"

#include <pthread.h>
#include <stdlib.h>

enum { PEERS_BUCKETS = 4096 };

struct peer {
    struct peer *next;
    uint8_t bytes[16];
    size_t count;
};

struct http_peers {
    pthread_mutex_t lock;
    uint64_t seed; /* so that nobody can choose addresses that share a chain */
    struct peer *buckets[PEERS_BUCKETS];
};

struct http_peers *http_peers_new(void)
{
    struct http_peers *p = calloc(1, sizeof *p);
    BUG_IF(p == NULL);
    BUG_IF(pthread_mutex_init(&p->lock, NULL) != 0);
    random_bytes(&p->seed, sizeof p->seed);
    return p;
}

void http_peers_free(struct http_peers *p)
{
    if (p == NULL) return;
    for (size_t i = 0; i < PEERS_BUCKETS; i++) {
        while (p->buckets[i]) {
            struct peer *next = p->buckets[i]->next;
            free(p->buckets[i]);
            p->buckets[i] = next;
        }
    }
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

static struct peer **peers_find(struct http_peers *p, const struct http_address *a, uint8_t key[16])
{
    memcpy(key, a->bytes, 16);
    if (!a->is_v4) memset(key + 8, 0, 8);
    struct peer **at = &p->buckets[hash64(span_make(key, 16), p->seed) % PEERS_BUCKETS];
    while (*at && memcmp((*at)->bytes, key, 16) != 0) at = &(*at)->next;
    return at;
}

size_t http_peers_enter(struct http_peers *p, const struct http_address *a, size_t max)
{
    uint8_t key[16];
    (void)pthread_mutex_lock(&p->lock);
    struct peer **at = peers_find(p, a, key);
    if (*at == NULL) {
        struct peer *made = calloc(1, sizeof *made);
        BUG_IF(made == NULL);
        memcpy(made->bytes, key, sizeof key);
        *at = made;
    }
    /* A limit is at least 1, so a peer that was just made is never refused and left behind with 0. */
    size_t count = (*at)->count < max ? ++(*at)->count : 0;
    (void)pthread_mutex_unlock(&p->lock);
    return count;
}

void http_peers_leave(struct http_peers *p, const struct http_address *a)
{
    uint8_t key[16];
    (void)pthread_mutex_lock(&p->lock);
    struct peer **at = peers_find(p, a, key);
    BUG_IF(*at == NULL);
    struct peer *found = *at;
    if (--found->count == 0) {
        *at = found->next;
        free(found);
    }
    (void)pthread_mutex_unlock(&p->lock);
}
