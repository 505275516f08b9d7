/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/quota.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    ADDRESS_SLOTS = 1 << 14,
    ENV_BUCKETS = 256,
    ENVS_MAX = 4096,     /* environments with a quota; those beyond it have none */
    VIEW_SETS = 1 << 18, /* 32 MiB, of which the system gives only the pages that are used */
    VIEW_WAYS = 8,
    VIEW_SILENT_S = 3600, /* after so long a view is final, and its slot free for another */
    BURST_SECONDS = 10,
};

struct quota_view_slot { /* a view that was counted, or refused */
    uint64_t hash;       /* of environment and view id; 0: free */
    uint32_t seen_s;
    bool refused;
};

struct quota_env {
    struct quota_env *next;
    char id[24];
    double events_left;
    int64_t events_ms; /* when events_left was true */
    int64_t minute;
    uint32_t views; /* begun in this minute */
};

struct quotas {
    uint32_t address_max;
    uint64_t seed;
    /* Second (32 bits), part of the address's hash (16), requests (16). Addresses of one slot take turns: the last one
     * has it, so a crowd is never counted together. */
    _Atomic uint64_t *addresses;
    pthread_mutex_t lock;
    struct quota_env *envs[ENV_BUCKETS];
    uint32_t env_count;
    struct quota_view_slot *views; /* VIEW_SETS of VIEW_WAYS slots; NULL until one is needed */
};

struct quotas *quotas_new(uint32_t address_requests_per_second_max)
{
    struct quotas *q = calloc(1, sizeof *q);
    BUG_IF(q == NULL);
    q->address_max = address_requests_per_second_max < UINT16_MAX ? address_requests_per_second_max : UINT16_MAX - 1;
    random_bytes(&q->seed, sizeof q->seed);
    BUG_IF(pthread_mutex_init(&q->lock, NULL) != 0);
    if (q->address_max) {
        q->addresses = calloc(ADDRESS_SLOTS, sizeof *q->addresses);
        BUG_IF(q->addresses == NULL);
    }
    return q;
}

void quotas_free(struct quotas *q)
{
    if (q == NULL) return;
    for (size_t i = 0; i < ENV_BUCKETS; i++) {
        while (q->envs[i]) {
            struct quota_env *next = q->envs[i]->next;
            free(q->envs[i]);
            q->envs[i] = next;
        }
    }
    pthread_mutex_destroy(&q->lock);
    free(q->addresses);
    free(q->views);
    free(q);
}

bool quota_address(struct quotas *q, struct span address, int64_t now_ms)
{
    if (q->address_max == 0) return true;
    uint64_t h = hash64(address, q->seed);
    uint64_t who = (uint64_t)(uint32_t)(now_ms / 1000) << 32 | ((h >> 16) & 0xFFFF) << 16;
    _Atomic uint64_t *slot = &q->addresses[h % ADDRESS_SLOTS];
    uint64_t now = atomic_load_explicit(slot, memory_order_relaxed), next;
    do {
        next = (now & ~(uint64_t)0xFFFF) == who ? now : who;
        if ((next & 0xFFFF) >= q->address_max) return false;
        next++;
    } while (!atomic_compare_exchange_weak_explicit(slot, &now, next, memory_order_relaxed, memory_order_relaxed));
    return true;
}

/* Under the lock. NULL: there are too many. */
static struct quota_env *quota_env_find(struct quotas *q, const char *id, int64_t now_ms)
{
    struct quota_env **at = &q->envs[hash64(span_of(id), q->seed) % ENV_BUCKETS];
    for (; *at; at = &(*at)->next)
        if (strcmp((*at)->id, id) == 0) return *at;
    size_t len = strlen(id);
    if (q->env_count >= ENVS_MAX || len >= sizeof(*at)->id) return NULL;
    struct quota_env *env = calloc(1, sizeof *env);
    BUG_IF(env == NULL);
    memcpy(env->id, id, len);
    env->events_ms = INT64_MIN;
    env->minute = now_ms / 60000;
    *at = env;
    q->env_count++;
    return env;
}

bool quota_events(struct quotas *q, const char *environment_id, uint32_t per_second_max, uint32_t events,
                  int64_t now_ms)
{
    if (per_second_max == 0) return true;
    bool pass = true;
    pthread_mutex_lock(&q->lock);
    struct quota_env *env = quota_env_find(q, environment_id, now_ms);
    if (env) {
        double full = (double)per_second_max * BURST_SECONDS;
        if (env->events_ms == INT64_MIN) {
            env->events_left = full;
        } else if (now_ms > env->events_ms) {
            env->events_left += (double)(now_ms - env->events_ms) * per_second_max / 1000;
        }
        if (env->events_left > full) env->events_left = full;
        if (now_ms > env->events_ms) env->events_ms = now_ms;
        pass = env->events_left > 0;
        if (pass) env->events_left -= events;
    }
    pthread_mutex_unlock(&q->lock);
    return pass;
}

/* What is lost with a slot: nothing, a view that is final, one that was refused, one under way. */
static int slot_worth(const struct quota_view_slot *slot, uint32_t now_s)
{
    if (slot->hash == 0) return 0;
    if ((int64_t)slot->seen_s + VIEW_SILENT_S < (int64_t)now_s) return 1;
    return slot->refused ? 2 : 3;
}

/* Under the lock. The view's slot, or NULL; then *victim is the one to give to it: of those least worth the longest
 * silent. */
static struct quota_view_slot *slot_find(struct quotas *q, uint64_t hash, uint32_t now_s,
                                         struct quota_view_slot **victim)
{
    if (q->views == NULL) {
        q->views = calloc((size_t)VIEW_SETS * VIEW_WAYS, sizeof *q->views);
        BUG_IF(q->views == NULL);
    }
    struct quota_view_slot *set = &q->views[hash % VIEW_SETS * VIEW_WAYS];
    *victim = set;
    for (struct quota_view_slot *slot = set; slot < set + VIEW_WAYS; slot++) {
        if (slot->hash == hash) return slot;
        int less = slot_worth(slot, now_s) - slot_worth(*victim, now_s);
        if (less < 0 || (less == 0 && slot->seen_s < (*victim)->seen_s)) *victim = slot;
    }
    return NULL;
}

static uint64_t view_hash(const struct quotas *q, const char *environment_id, struct span view_id)
{
    uint64_t hash = hash64(view_id, hash64(span_of(environment_id), q->seed));
    return hash ? hash : 1;
}

/* Beacons of a view overtake each other and get lost: whichever comes first counts it, and decides for all. */
static bool quota_env_view(struct quotas *q, struct quota_env *env, uint32_t per_minute_max, uint64_t hash,
                           int64_t now_ms)
{
    uint32_t now_s = (uint32_t)(now_ms / 1000);
    struct quota_view_slot *victim, *slot = slot_find(q, hash, now_s, &victim);
    if (slot) {
        if (now_s > slot->seen_s) slot->seen_s = now_s;
        return !slot->refused;
    }
    if (now_ms / 60000 > env->minute) {
        env->minute = now_ms / 60000;
        env->views = 0;
    }
    bool pass = env->views < per_minute_max;
    if (pass) env->views++;
    /* A flood of refused views does not push out those under way. */
    if (pass || slot_worth(victim, now_s) < 3) *victim = (struct quota_view_slot){hash, now_s, !pass};
    return pass;
}

bool quota_view(struct quotas *q, const char *environment_id, uint32_t per_minute_max, struct span view_id,
                int64_t now_ms)
{
    if (per_minute_max == 0) return true;
    pthread_mutex_lock(&q->lock);
    struct quota_env *env = quota_env_find(q, environment_id, now_ms);
    bool pass = env == NULL || quota_env_view(q, env, per_minute_max, view_hash(q, environment_id, view_id), now_ms);
    pthread_mutex_unlock(&q->lock);
    return pass;
}

void quota_view_known(struct quotas *q, const char *environment_id, struct span view_id, int64_t now_ms)
{
    uint32_t now_s = (uint32_t)(now_ms / 1000);
    uint64_t hash = view_hash(q, environment_id, view_id);
    pthread_mutex_lock(&q->lock);
    struct quota_view_slot *victim, *slot = slot_find(q, hash, now_s, &victim);
    if (slot == NULL) *victim = (struct quota_view_slot){hash, now_s, false};
    else if (now_s > slot->seen_s) slot->seen_s = now_s;
    pthread_mutex_unlock(&q->lock);
}
