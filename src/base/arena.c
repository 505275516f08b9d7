/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdlib.h>

enum { ARENA_BLOCK_BYTES = 16 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t len;
    _Alignas(16) char bytes[];
};

struct arena_kept {
    struct arena_kept *next;
    void *memory;
};

void arena_init(struct arena *a, size_t max)
{
    *a = (struct arena){.max = max};
}

void arena_init_blocks(struct arena *a, size_t max, size_t block)
{
    *a = (struct arena){.max = max, .block = block};
}

static void arena_free_blocks(struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

static void arena_free_kept(struct arena *a)
{
    while (a->kept) {
        struct arena_kept *next = a->kept->next;
        free(a->kept->memory);
        free(a->kept);
        a->kept = next;
    }
}

void arena_free(struct arena *a)
{
    arena_free_kept(a);
    arena_free_blocks(a->head);
    *a = (struct arena){.max = a->max, .block = a->block};
}

void arena_reset(struct arena *a)
{
    a->used = 0;
    arena_free_kept(a);
    struct arena_block *first = a->head;
    if (first == NULL) return;
    while (first->next) {
        struct arena_block *next = first->next;
        free(first);
        first = next;
    }
    a->head = first;
    a->at = first->bytes;
    a->end = first->bytes + first->len;
}

void *arena_alloc(struct arena *a, size_t len)
{
    if (len > a->max || a->used > a->max - len) return NULL;
    len = (len + 15) & ~(size_t)15;
    if (a->at == NULL || (size_t)(a->end - a->at) < len) {
        size_t least = a->block ? a->block : ARENA_BLOCK_BYTES;
        size_t want = len > least ? len : least;
        struct arena_block *block = malloc(sizeof *block + want);
        BUG_IF(block == NULL);
        *block = (struct arena_block){.next = a->head, .len = want};
        a->head = block;
        a->at = block->bytes;
        a->end = block->bytes + want;
    }
    void *out = a->at;
    a->at += len;
    a->used += len;
    return out;
}

struct span arena_copy(struct arena *a, struct span s)
{
    char *copy = arena_alloc(a, s.len + 1);
    if (copy == NULL) return (struct span){NULL, 0};
    if (s.len) memcpy(copy, s.ptr, s.len);
    copy[s.len] = 0;
    return (struct span){copy, s.len};
}

void arena_keep(struct arena *a, void *memory)
{
    struct arena_kept *kept = malloc(sizeof *kept);
    BUG_IF(kept == NULL);
    *kept = (struct arena_kept){.next = a->kept, .memory = memory};
    a->kept = kept;
}
