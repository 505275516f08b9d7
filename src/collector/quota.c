/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/quota.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    ADDRESS_SLOTS = 1 << 14,
    ENV_BUCKETS = 256,
    ENVS_MAX = 4096,      /* environments with a quota; those beyond it have none */
    VIEW_SLOTS = 1 << 14, /* views remembered of one environment */
    BURST_SECONDS = 10,
};

struct quota_view_slot {
    uint64_t hash; /* 0: free */
    bool refused;
};

struct quota_env {
    struct quota_env *next;
    char id[24];
    double events_left;
    int64_t events_ms; /* when events_left was true */
    int64_t minute;
    uint32_t views; /* begun in this minute */
    struct quota_view_slot *view_slots;
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
            free(q->envs[i]->view_slots);
            free(q->envs[i]);
            q->envs[i] = next;
        }
    }
    pthread_mutex_destroy(&q->lock);
    free(q->addresses);
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

static bool quota_env_view(struct quota_env *env, uint32_t per_minute_max, uint64_t hash, bool begins, int64_t now_ms)
{
    if (env->view_slots == NULL) {
        env->view_slots = calloc(VIEW_SLOTS, sizeof *env->view_slots);
        BUG_IF(env->view_slots == NULL);
    }
    struct quota_view_slot *slot = &env->view_slots[hash % VIEW_SLOTS];
    if (slot->hash == hash) return !slot->refused;
    if (!begins) return true;
    if (now_ms / 60000 > env->minute) {
        env->minute = now_ms / 60000;
        env->views = 0;
    }
    *slot = (struct quota_view_slot){hash, env->views >= per_minute_max};
    if (!slot->refused) env->views++;
    return !slot->refused;
}

bool quota_view(struct quotas *q, const char *environment_id, uint32_t per_minute_max, struct span view_id, bool begins,
                int64_t now_ms)
{
    if (per_minute_max == 0) return true;
    uint64_t hash = hash64(view_id, q->seed) | 1;
    pthread_mutex_lock(&q->lock);
    struct quota_env *env = quota_env_find(q, environment_id, now_ms);
    bool pass = env == NULL || quota_env_view(env, per_minute_max, hash >> 1 | (uint64_t)1 << 63, begins, now_ms);
    pthread_mutex_unlock(&q->lock);
    return pass;
}
