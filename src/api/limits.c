/* SPDX-License-Identifier: Apache-2.0 */
#include "api/limits.h"

#include "base/hash.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

enum { SETS = 1024, WAYS = 4 };

struct bucket {
    uint64_t key; /* 0: free */
    int64_t at_us;
    double left;
};
struct limits {
    pthread_mutex_t lock;
    double burst, per_us;
    struct bucket buckets[SETS][WAYS];
};

struct limits *limits_new(unsigned per_second)
{
    if (per_second == 0) return NULL;
    struct limits *l = calloc(1, sizeof *l);
    BUG_IF(l == NULL);
    BUG_IF(pthread_mutex_init(&l->lock, NULL) != 0);
    l->burst = per_second;
    l->per_us = per_second / 1e6;
    return l;
}

void limits_free(struct limits *l)
{
    if (l == NULL) return;
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* Needs the lock. The credential's own bucket, or the place of the fullest of its set, which knows least. */
static struct bucket *bucket_of(struct limits *l, uint64_t key, int64_t now_us)
{
    struct bucket *set = l->buckets[key % SETS], *fullest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        struct bucket *b = &set[i];
        if (b->key == 0) b->left = l->burst + 1; /* before any that is in use */
        else if (now_us > b->at_us) b->left += (double)(now_us - b->at_us) * l->per_us;
        if (b->key && b->left > l->burst) b->left = l->burst;
        b->at_us = now_us;
        if (b->key == key) return b;
        if (b->left > fullest->left) fullest = b;
    }
    *fullest = (struct bucket){.key = key, .at_us = now_us, .left = l->burst};
    return fullest;
}

unsigned limits_take(struct limits *l, struct span credential, int64_t now_us)
{
    if (l == NULL) return 0;
    unsigned wait_s = 0;
    uint64_t key = hash64(credential, 0);
    pthread_mutex_lock(&l->lock);
    struct bucket *b = bucket_of(l, key ? key : 1, now_us);
    if (b->left >= 1) b->left -= 1;
    else wait_s = (unsigned)ceil((1 - b->left) / l->per_us / 1e6);
    pthread_mutex_unlock(&l->lock);
    return wait_s;
}
