/* SPDX-License-Identifier: Apache-2.0
 * The containers of a table: open views by key, how many an environment has, timers (a binary heap that knows where
 * each view sits), and the ids of final views. Hashes are seeded at random, so that nobody can choose ids that collide.
 */
#include <stdlib.h>

#include "views/table_private.h"

enum { SLOTS_MIN = 64 };

uint64_t table_hash(const struct view_table *t, const char *environment_id, struct span view_id)
{
    return hash64(view_id, hash64(span_of(environment_id), t->seed));
}

/* --- open views ----------------------------------------------------------------------------------------------- */

struct open_view *table_find(const struct view_table *t, uint64_t hash, const char *environment_id, struct span view_id)
{
    if (t->slot_count == 0) return NULL;
    for (uint64_t at = hash & (t->slot_count - 1); t->slots[at]; at = (at + 1) & (t->slot_count - 1)) {
        struct open_view *o = t->slots[at];
        if (o->hash != hash || !span_eq(view_key_id(o->view), view_id)) continue;
        if (strcmp(view_environment(o->view), environment_id) == 0) return o;
    }
    return NULL;
}

static void slots_grow(struct view_table *t)
{
    uint32_t count = t->slot_count ? t->slot_count * 2 : SLOTS_MIN;
    BUG_IF(count > UINT32_MAX / 4);
    struct open_view **slots = calloc(count, sizeof *slots);
    BUG_IF(slots == NULL);
    for (uint32_t i = 0; i < t->slot_count; i++) {
        if (t->slots[i] == NULL) continue;
        uint64_t at = t->slots[i]->hash & (count - 1);
        while (slots[at]) at = (at + 1) & (count - 1);
        slots[at] = t->slots[i];
    }
    free(t->slots);
    t->slots = slots;
    t->slot_count = count;
}

static struct env_views *env_place(struct env_views *envs, uint32_t slots, uint64_t seed, const char *id)
{
    uint64_t at = hash64(span_of(id), seed) & (slots - 1);
    while (envs[at].id[0] && strcmp(envs[at].id, id) != 0) at = (at + 1) & (slots - 1);
    return &envs[at];
}

/* Room for twice the environments that have open views. */
static void envs_renew(struct view_table *t)
{
    uint32_t keep = 0, slots = SLOTS_MIN;
    for (uint32_t i = 0; i < t->env_slots; i++) keep += t->envs[i].open > 0;
    while (slots < keep * 2) slots *= 2;
    struct env_views *envs = calloc(slots, sizeof *envs);
    BUG_IF(envs == NULL);
    for (uint32_t i = 0; i < t->env_slots; i++)
        if (t->envs[i].open) *env_place(envs, slots, t->seed, t->envs[i].id) = t->envs[i];
    free(t->envs);
    t->envs = envs;
    t->env_slots = slots;
    t->env_count = keep;
}

uint32_t table_env_open(const struct view_table *t, const char *environment_id)
{
    return t->env_slots ? env_place(t->envs, t->env_slots, t->seed, environment_id)->open : 0;
}

static void env_opened(struct view_table *t, const char *id)
{
    if ((t->env_count + 1) * 4 > t->env_slots * 3) envs_renew(t);
    struct env_views *env = env_place(t->envs, t->env_slots, t->seed, id);
    if (env->id[0] == 0) {
        size_t len = strlen(id);
        BUG_IF(len == 0 || len >= sizeof env->id);
        memcpy(env->id, id, len);
        t->env_count++;
    }
    env->open++;
}

static void env_closed(struct view_table *t, const char *id)
{
    struct env_views *env = env_place(t->envs, t->env_slots, t->seed, id);
    BUG_IF(env->open == 0);
    env->open--;
}

struct open_view *table_open(struct view_table *t, struct view *v, uint64_t hash)
{
    env_opened(t, view_environment(v));
    if ((t->open_count + 1) * 4 > t->slot_count * 3) slots_grow(t);
    struct open_view *o = calloc(1, sizeof *o);
    BUG_IF(o == NULL);
    *o = (struct open_view){.view = v, .hash = hash, .heap_at = UINT32_MAX, .ended_ms = INT64_MIN};
    uint64_t at = hash & (t->slot_count - 1);
    while (t->slots[at]) at = (at + 1) & (t->slot_count - 1);
    t->slots[at] = o;
    t->open_count++;
    return o;
}

static void slots_remove(struct view_table *t, const struct open_view *o)
{
    uint64_t mask = t->slot_count - 1, hole = o->hash & mask;
    while (t->slots[hole] != o) {
        BUG_IF(t->slots[hole] == NULL);
        hole = (hole + 1) & mask;
    }
    for (uint64_t at = (hole + 1) & mask; t->slots[at]; at = (at + 1) & mask) {
        uint64_t home = t->slots[at]->hash & mask;
        if (((at - home) & mask) < ((at - hole) & mask)) continue;
        t->slots[hole] = t->slots[at];
        hole = at;
    }
    t->slots[hole] = NULL;
}

/* --- timers --------------------------------------------------------------------------------------------------- */

static void heap_put(struct view_table *t, uint32_t at, struct open_view *o)
{
    t->heap[at] = o;
    o->heap_at = at;
}

static void heap_up(struct view_table *t, uint32_t at)
{
    struct open_view *o = t->heap[at];
    while (at && t->heap[(at - 1) / 2]->due_ms > o->due_ms) {
        heap_put(t, at, t->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(t, at, o);
}

static void heap_down(struct view_table *t, uint32_t at, uint32_t count)
{
    struct open_view *o = t->heap[at];
    for (;;) {
        uint32_t child = at * 2 + 1;
        if (child >= count) break;
        if (child + 1 < count && t->heap[child + 1]->due_ms < t->heap[child]->due_ms) child++;
        if (t->heap[child]->due_ms >= o->due_ms) break;
        heap_put(t, at, t->heap[child]);
        at = child;
    }
    heap_put(t, at, o);
}

void table_heap_add(struct view_table *t, struct open_view *o)
{
    if (t->open_count > t->heap_cap) {
        uint32_t cap = t->heap_cap + t->heap_cap / 2 + SLOTS_MIN;
        struct open_view **heap = realloc(t->heap, cap * sizeof *heap);
        BUG_IF(heap == NULL);
        t->heap = heap;
        t->heap_cap = cap;
    }
    heap_put(t, t->open_count - 1, o); /* every other open view is in it */
    heap_up(t, t->open_count - 1);
}

void table_heap_moved(struct view_table *t, struct open_view *o)
{
    BUG_IF(o->heap_at >= t->open_count || t->heap[o->heap_at] != o);
    heap_up(t, o->heap_at);
    heap_down(t, o->heap_at, t->open_count);
}

void table_close(struct view_table *t, struct open_view *o)
{
    slots_remove(t, o);
    env_closed(t, view_environment(o->view));
    t->open_count--;
    if (o->heap_at != UINT32_MAX && o->heap_at != t->open_count) {
        struct open_view *last = t->heap[t->open_count];
        heap_put(t, o->heap_at, last);
        table_heap_moved(t, last);
    }
    t->view_bytes -= o->bytes;
    view_free(o->view);
    free(o);
}

/* --- finished ids --------------------------------------------------------------------------------------------- */

static bool stone_old(const struct view_table *t, const struct tombstone *stone)
{
    return (int64_t)stone->final_s * 1000 + TABLE_TOMBSTONE_MS < t->now_ms;
}

static struct tombstone *stone_place(struct tombstone *stones, uint32_t slots, uint64_t seed, struct hash128 id)
{
    uint64_t at = (id.lo ^ seed) & (slots - 1);
    while (stones[at].final_s && !hash128_eq(stones[at].id, id)) at = (at + 1) & (slots - 1);
    return &stones[at];
}

const struct tombstone *table_buried(const struct view_table *t, struct hash128 id)
{
    if (t->tombstone_slots == 0) return NULL;
    const struct tombstone *stone = stone_place(t->tombstones, t->tombstone_slots, t->seed, id);
    return stone->final_s && !stone_old(t, stone) ? stone : NULL;
}

/* A new table with room for twice what is not yet forgotten. */
static void stones_renew(struct view_table *t)
{
    uint32_t keep = 0, slots = SLOTS_MIN;
    for (uint32_t i = 0; i < t->tombstone_slots; i++)
        keep += t->tombstones[i].final_s && !stone_old(t, &t->tombstones[i]);
    while (slots < keep * 2) slots *= 2;
    struct tombstone *stones = calloc(slots, sizeof *stones);
    BUG_IF(stones == NULL);
    for (uint32_t i = 0; i < t->tombstone_slots; i++) {
        if (!t->tombstones[i].final_s || stone_old(t, &t->tombstones[i])) continue;
        *stone_place(stones, slots, t->seed, t->tombstones[i].id) = t->tombstones[i];
    }
    free(t->tombstones);
    t->tombstones = stones;
    t->tombstone_slots = slots;
    t->tombstone_count = keep;
}

void table_bury(struct view_table *t, const struct tombstone *stone)
{
    BUG_IF(stone->final_s == 0);
    if ((t->tombstone_count + 1) * 4 > t->tombstone_slots * 3) stones_renew(t);
    struct tombstone *place = stone_place(t->tombstones, t->tombstone_slots, t->seed, stone->id);
    if (place->final_s == 0) t->tombstone_count++;
    *place = *stone;
}
