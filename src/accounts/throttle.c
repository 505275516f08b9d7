/* SPDX-License-Identifier: Apache-2.0
 * Token buckets for failed attempts, per e-mail and per address, in a table of fixed size: a bucket that is pushed out
 * is the fullest of its set, which knows least. Own lock. */
#include "accounts/store.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdlib.h>

enum { SETS = 2048, WAYS = 4 };

struct bucket {
    uint64_t key; /* 0: free */
    int64_t at_ms;
    double left;
};
struct throttle {
    pthread_mutex_t lock;
    double burst, per_ms;
    uint8_t seed[crypto_shorthash_KEYBYTES];
    struct bucket buckets[SETS][WAYS];
};

struct throttle *throttle_new(unsigned burst, unsigned period_s)
{
    struct throttle *t = calloc(1, sizeof *t);
    BUG_IF(t == NULL);
    BUG_IF(burst == 0 || period_s == 0);
    pthread_mutex_init(&t->lock, NULL);
    t->burst = burst;
    t->per_ms = (double)burst / ((double)period_s * 1000);
    randombytes_buf(t->seed, sizeof t->seed);
    return t;
}

void throttle_free(struct throttle *t)
{
    if (t == NULL) return;
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static uint64_t throttle_key(const struct throttle *t, const char *purpose, char kind, struct span s)
{
    char text[32 + ACCOUNTS_EMAIL_MAX];
    size_t len = strlen(purpose);
    BUG_IF(len > 24);
    memcpy(text, purpose, len);
    text[len++] = kind;
    s = span_upto(s, ACCOUNTS_EMAIL_MAX);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        text[len++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    uint64_t key;
    crypto_shorthash((uint8_t *)&key, (const uint8_t *)text, len, t->seed);
    return key != 0 ? key : 1;
}

/* IPv4 whole, IPv6 as /64, in bytes. */
static size_t throttle_address(struct span address, uint8_t out[16])
{
    char text[INET6_ADDRSTRLEN + 1];
    if (address.len == 0 || address.len >= sizeof text) return 0;
    text_copy(text, sizeof text, address);
    if (inet_pton(AF_INET, text, out) == 1) return 4;
    if (inet_pton(AF_INET6, text, out) != 1) return 0;
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (memcmp(out, mapped, sizeof mapped) != 0) return 8;
    memmove(out, out + 12, 4);
    return 4;
}

struct throttle_keys throttle_keys(const struct throttle *t, const char *purpose, struct span email,
                                   struct span address)
{
    uint8_t bytes[16];
    char hex[33];
    size_t len = throttle_address(address, bytes);
    sodium_bin2hex(hex, sizeof hex, bytes, len);
    struct throttle_keys k = {.count = 2};
    k.key[0] = throttle_key(t, purpose, 'e', email);
    k.key[1] = throttle_key(t, purpose, 'a', span_of(hex));
    return k;
}

static struct bucket *throttle_bucket(struct throttle *t, uint64_t key, int64_t now_ms)
{
    struct bucket *set = t->buckets[key % SETS], *fullest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        struct bucket *b = &set[i];
        if (b->key == 0) b->left = t->burst;
        int64_t passed = now_ms > b->at_ms ? now_ms - b->at_ms : 0;
        b->left += (double)passed * t->per_ms;
        if (b->left > t->burst) b->left = t->burst;
        b->at_ms = now_ms;
        if (b->key == key) return b;
        if (b->key == 0 || (fullest->key != 0 && b->left > fullest->left)) fullest = b;
    }
    *fullest = (struct bucket){.key = key, .at_ms = now_ms, .left = t->burst};
    return fullest;
}

static unsigned throttle_wait(struct throttle *t, const struct throttle_keys *k, int64_t now_ms, double take)
{
    double wait_ms = 0;
    for (size_t i = 0; i < k->count; i++) {
        double missing = 1 - throttle_bucket(t, k->key[i], now_ms)->left;
        if (missing > 0 && missing / t->per_ms > wait_ms) wait_ms = missing / t->per_ms;
    }
    if (wait_ms > 0) return (unsigned)(wait_ms / 1000) + 1;
    for (size_t i = 0; i < k->count; i++) throttle_bucket(t, k->key[i], now_ms)->left -= take;
    return 0;
}

unsigned throttle_take(struct throttle *t, const struct throttle_keys *k, int64_t now_ms)
{
    pthread_mutex_lock(&t->lock);
    unsigned wait_s = throttle_wait(t, k, now_ms, 1);
    pthread_mutex_unlock(&t->lock);
    return wait_s;
}

unsigned throttle_look(struct throttle *t, const struct throttle_keys *k, int64_t now_ms)
{
    pthread_mutex_lock(&t->lock);
    unsigned wait_s = throttle_wait(t, k, now_ms, 0);
    pthread_mutex_unlock(&t->lock);
    return wait_s;
}

void throttle_give(struct throttle *t, const struct throttle_keys *k, int64_t now_ms)
{
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < k->count; i++) {
        struct bucket *b = throttle_bucket(t, k->key[i], now_ms);
        b->left = b->left + 1 > t->burst ? t->burst : b->left + 1;
    }
    pthread_mutex_unlock(&t->lock);
}
