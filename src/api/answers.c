/* SPDX-License-Identifier: Apache-2.0
 * A table of chains and a list by use, under one lock; entries are flat allocations. */
#include "api/answers.h"

#include <pthread.h>
#include <stdlib.h>

enum { CHAINS = 4096, ENTRY_SHARE_MAX = 16 }; /* one entry holds at most this part of the whole */

struct entry {
    struct entry *chain;         /* next in its chain */
    struct entry *newer, *older; /* by use */
    struct hash128 key;
    uint64_t generation;
    size_t len;
    char answer[];
};

struct answers {
    pthread_mutex_t lock;
    size_t bytes, bytes_max;
    struct entry *newest, *oldest;
    struct entry *chains[CHAINS];
};

static void lock(struct answers *c)
{
    BUG_IF(pthread_mutex_lock(&c->lock) != 0);
}

static void unlock(struct answers *c)
{
    BUG_IF(pthread_mutex_unlock(&c->lock) != 0);
}

static struct entry **chain_of(struct answers *c, struct hash128 key)
{
    return &c->chains[key.lo % CHAINS];
}

static size_t entry_bytes(const struct entry *e)
{
    return sizeof *e + e->len;
}

static void use_unlink(struct answers *c, struct entry *e)
{
    if (e->newer) e->newer->older = e->older;
    else c->newest = e->older;
    if (e->older) e->older->newer = e->newer;
    else c->oldest = e->newer;
}

static void use_first(struct answers *c, struct entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    if (c->newest) c->newest->newer = e;
    else c->oldest = e;
    c->newest = e;
}

static struct entry *find(struct answers *c, struct hash128 key)
{
    struct entry *e = *chain_of(c, key);
    while (e && !hash128_eq(e->key, key)) e = e->chain;
    return e;
}

static void drop(struct answers *c, struct entry *e)
{
    struct entry **at = chain_of(c, e->key);
    while (*at != e) at = &(*at)->chain;
    *at = e->chain;
    use_unlink(c, e);
    c->bytes -= entry_bytes(e);
    free(e);
}

struct answers *answers_new(size_t bytes_max)
{
    struct answers *c = calloc(1, sizeof *c);
    BUG_IF(c == NULL);
    c->bytes_max = bytes_max;
    BUG_IF(pthread_mutex_init(&c->lock, NULL) != 0);
    return c;
}

void answers_free(struct answers *c)
{
    if (c == NULL) return;
    while (c->oldest) drop(c, c->oldest);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

bool answers_get(struct answers *c, struct hash128 key, uint64_t generation, struct buf *out)
{
    lock(c);
    struct entry *e = find(c, key);
    bool fits = e && e->generation == generation;
    if (fits) {
        use_unlink(c, e);
        use_first(c, e);
        buf_add(out, e->answer, e->len);
    } else if (e) {
        drop(c, e);
    }
    unlock(c);
    return fits;
}

void answers_put(struct answers *c, struct hash128 key, uint64_t generation, struct span answer)
{
    if (answer.len > c->bytes_max / ENTRY_SHARE_MAX) return;
    struct entry *e = malloc(sizeof *e + answer.len);
    BUG_IF(e == NULL);
    *e = (struct entry){.key = key, .generation = generation, .len = answer.len};
    memcpy(e->answer, answer.ptr, answer.len);
    lock(c);
    struct entry *old = find(c, key);
    if (old) drop(c, old);
    e->chain = *chain_of(c, key);
    *chain_of(c, key) = e;
    use_first(c, e);
    c->bytes += entry_bytes(e);
    while (c->bytes > c->bytes_max) drop(c, c->oldest);
    unlock(c);
}
