/* SPDX-License-Identifier: Apache-2.0 */
#include "query/vast.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { ENVIRONMENTS_MAX = 64, ENVIRONMENT_ID_MAX = 64, REMEMBERED_FOR_MS = 86400000 };

struct note {
    char environment_id[ENVIRONMENT_ID_MAX]; /* "": free */
    uint32_t profiles;
    uint64_t used;
    int64_t from_ms;
};

struct vast {
    pthread_mutex_t lock; /* of what follows */
    bool turn_taken;
    uint64_t uses;
    struct note notes[ENVIRONMENTS_MAX];
};

static void lock(struct vast *v)
{
    BUG_IF(pthread_mutex_lock(&v->lock) != 0);
}

static void unlock(struct vast *v)
{
    BUG_IF(pthread_mutex_unlock(&v->lock) != 0);
}

struct vast *vast_new(void)
{
    struct vast *v = calloc(1, sizeof *v);
    BUG_IF(v == NULL || pthread_mutex_init(&v->lock, NULL) != 0);
    return v;
}

void vast_free(struct vast *v)
{
    if (v == NULL) return;
    (void)pthread_mutex_destroy(&v->lock);
    free(v);
}

/* The environment's note, or the one that is to become it: a free one, or that which was used longest ago. */
static struct note *note_of(struct vast *v, const char *environment_id, int64_t now_ms)
{
    struct note *oldest = &v->notes[0];
    for (size_t i = 0; i < COUNT(v->notes); i++) {
        struct note *n = &v->notes[i];
        if (n->used && now_ms - n->from_ms >= REMEMBERED_FOR_MS) *n = (struct note){.used = 0};
        if (n->used && strcmp(n->environment_id, environment_id) == 0) return n;
        if (n->used < oldest->used) oldest = n;
    }
    return oldest;
}

uint32_t vast_of(struct vast *v, const char *environment_id, int64_t now_ms)
{
    lock(v);
    struct note *n = note_of(v, environment_id, now_ms);
    bool known = n->used && strcmp(n->environment_id, environment_id) == 0;
    uint32_t profiles = known ? n->profiles : 0;
    if (known) n->used = ++v->uses;
    unlock(v);
    return profiles;
}

void vast_note(struct vast *v, const char *environment_id, uint32_t profiles, int64_t now_ms)
{
    lock(v);
    struct note *n = note_of(v, environment_id, now_ms);
    if (n->used == 0 || strcmp(n->environment_id, environment_id) != 0) {
        *n = (struct note){.from_ms = now_ms};
        (void)snprintf(n->environment_id, sizeof n->environment_id, "%s", environment_id);
    }
    n->used = ++v->uses;
    n->profiles |= profiles;
    unlock(v);
}

bool vast_turn_take(struct vast *v)
{
    lock(v);
    bool mine = !v->turn_taken;
    v->turn_taken = true;
    unlock(v);
    return mine;
}

void vast_turn_give(struct vast *v)
{
    lock(v);
    v->turn_taken = false;
    unlock(v);
}
