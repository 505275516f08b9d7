/* SPDX-License-Identifier: Apache-2.0
 * Memory of one request or batch: many small pieces, freed together. Not thread-safe. */
#ifndef FF_BASE_ARENA_H
#define FF_BASE_ARENA_H

#include "base/base.h"

struct arena_block;
struct arena_kept;
struct arena {
    struct arena_block *head;
    struct arena_kept *kept;
    char *at, *end;
    size_t used, max; /* bytes handed out since the last reset, and their bound */
    size_t block;     /* bytes of a block; 0: the default, 16 KiB */
};

void arena_init(struct arena *a, size_t max);
/* The same with blocks of another size, for many small arenas or a few large ones. */
void arena_init_blocks(struct arena *a, size_t max, size_t block);
void arena_reset(struct arena *a); /* keeps the first block */
void arena_free(struct arena *a);
/* Aligned to 16, not zeroed. NULL when the bound is reached. */
void *arena_alloc(struct arena *a, size_t len) MUST_USE;
/* A NUL-terminated copy; {NULL,0} when the bound is reached. */
struct span arena_copy(struct arena *a, struct span s) MUST_USE;
/* From now on the arena's: freed with free() when the arena is reset or freed. Does not count; NULL is no harm. */
void arena_keep(struct arena *a, void *memory);

#endif
