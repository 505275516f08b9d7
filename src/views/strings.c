/* SPDX-License-Identifier: Apache-2.0
 * An open-addressing table of handles (linear probing, deletion by shifting back), and a growing array that turns a
 * handle into its text. Freed handles form a list through the array. */
#include "views/strings.h"

#include <stdlib.h>

#include "base/hash.h"

enum { STRINGS_SLOTS_MIN = 64, ALLOC_OVERHEAD = 16 };

struct shared_text {
    uint32_t refs, len, hash;
    char bytes[];
};

union item {
    struct shared_text *text;
    uintptr_t next_free; /* handle << 1 | 1 */
};

struct view_strings {
    uint64_t seed;
    union item *items; /* items[0] is never used */
    uint32_t item_count, item_cap, free_head, live;
    uint32_t *slots; /* handles, 0 is free */
    uint32_t slot_count;
    size_t text_bytes;
};

struct view_strings *view_strings_new(void)
{
    struct view_strings *s = calloc(1, sizeof *s);
    BUG_IF(s == NULL);
    random_bytes(&s->seed, sizeof s->seed);
    s->item_count = 1;
    s->slot_count = STRINGS_SLOTS_MIN;
    s->slots = calloc(s->slot_count, sizeof *s->slots);
    BUG_IF(s->slots == NULL);
    return s;
}

void view_strings_free(struct view_strings *s)
{
    if (s == NULL) return;
    for (uint32_t i = 0; i < s->slot_count; i++) {
        if (s->slots[i]) free(s->items[s->slots[i]].text);
    }
    free(s->items);
    free(s->slots);
    free(s);
}

uint64_t view_strings_seed(const struct view_strings *s)
{
    return s->seed;
}

struct span view_strings_text(const struct view_strings *s, uint32_t handle)
{
    if (handle == 0) return (struct span){"", 0};
    BUG_IF(handle >= s->item_count);
    const struct shared_text *t = s->items[handle].text;
    return (struct span){t->bytes, t->len};
}

static void strings_grow(struct view_strings *s)
{
    uint32_t count = s->slot_count * 2;
    uint32_t *slots = calloc(count, sizeof *slots);
    BUG_IF(slots == NULL);
    for (uint32_t i = 0; i < s->slot_count; i++) {
        uint32_t handle = s->slots[i];
        if (handle == 0) continue;
        uint32_t at = s->items[handle].text->hash & (count - 1);
        while (slots[at]) at = (at + 1) & (count - 1);
        slots[at] = handle;
    }
    free(s->slots);
    s->slots = slots;
    s->slot_count = count;
}

static uint32_t strings_new_handle(struct view_strings *s)
{
    if (s->free_head) {
        uint32_t handle = s->free_head;
        s->free_head = (uint32_t)(s->items[handle].next_free >> 1);
        return handle;
    }
    if (s->item_count >= s->item_cap) {
        uint32_t cap = s->item_cap + s->item_cap / 2 + 64;
        BUG_IF(cap >= UINT32_MAX / 2);
        union item *items = realloc(s->items, cap * sizeof *items);
        BUG_IF(items == NULL);
        s->items = items;
        s->item_cap = cap;
    }
    return s->item_count++;
}

uint32_t view_strings_take(struct view_strings *s, struct span text)
{
    if (text.len == 0) return 0;
    uint32_t hash = (uint32_t)hash64(text, s->seed);
    uint32_t at = hash & (s->slot_count - 1);
    for (; s->slots[at]; at = (at + 1) & (s->slot_count - 1)) {
        struct shared_text *have = s->items[s->slots[at]].text;
        if (have->hash != hash || !span_eq((struct span){have->bytes, have->len}, text)) continue;
        BUG_IF(have->refs == UINT32_MAX);
        have->refs++;
        return s->slots[at];
    }
    BUG_IF(text.len > UINT32_MAX / 2);
    struct shared_text *t = malloc(sizeof *t + text.len);
    BUG_IF(t == NULL);
    *t = (struct shared_text){.refs = 1, .len = (uint32_t)text.len, .hash = hash};
    memcpy(t->bytes, text.ptr, text.len);
    uint32_t handle = strings_new_handle(s);
    s->items[handle].text = t;
    s->slots[at] = handle;
    s->live++;
    s->text_bytes += sizeof *t + text.len + ALLOC_OVERHEAD;
    if (s->live * 4 > s->slot_count * 3) strings_grow(s);
    return handle;
}

/* Closes the hole at `hole` by moving back what probing had pushed past it. */
static void strings_close_hole(struct view_strings *s, uint32_t hole)
{
    uint32_t mask = s->slot_count - 1;
    for (uint32_t at = (hole + 1) & mask; s->slots[at]; at = (at + 1) & mask) {
        uint32_t home = s->items[s->slots[at]].text->hash & mask;
        if (((at - home) & mask) < ((at - hole) & mask)) continue;
        s->slots[hole] = s->slots[at];
        hole = at;
    }
    s->slots[hole] = 0;
}

void view_strings_give(struct view_strings *s, uint32_t handle)
{
    if (handle == 0) return;
    BUG_IF(handle >= s->item_count);
    struct shared_text *t = s->items[handle].text;
    BUG_IF(t->refs == 0);
    if (--t->refs) return;
    uint32_t at = t->hash & (s->slot_count - 1);
    while (s->slots[at] != handle) {
        BUG_IF(s->slots[at] == 0);
        at = (at + 1) & (s->slot_count - 1);
    }
    strings_close_hole(s, at);
    s->live--;
    s->text_bytes -= sizeof *t + t->len + ALLOC_OVERHEAD;
    free(t);
    s->items[handle].next_free = (uintptr_t)s->free_head << 1 | 1;
    s->free_head = handle;
}

uint32_t view_strings_count(const struct view_strings *s)
{
    return s->live;
}

size_t view_strings_bytes(const struct view_strings *s)
{
    return sizeof *s + s->text_bytes + s->item_cap * sizeof *s->items + s->slot_count * sizeof *s->slots;
}
