/* SPDX-License-Identifier: Apache-2.0 */
#include "query/codebook.h"

#include "base/arena.h"
#include "base/hash.h"

#include <stdlib.h>

enum { SLOTS_MIN = 64, TEXT_BYTES_MAX = 64 * 1024 * 1024 };

struct known {
    uint64_t hash;
    struct span text;
};

struct codebook {
    struct arena texts;
    struct known *known; /* by code */
    size_t count;
    uint32_t *slots; /* a code and one; 0: free; twice as many as there is room for codes */
    size_t slot_count;
    uint64_t seed; /* so that nobody can choose texts that meet in a slot */
};

static void *resized(void *memory, size_t count, size_t size)
{
    void *p = realloc(memory, count * size);
    BUG_IF(p == NULL);
    return p;
}

/* The slot of the text, or the free one where it belongs. */
static uint32_t *slot_of(const struct codebook *b, uint64_t hash, struct span text)
{
    for (size_t at = hash % b->slot_count;; at = (at + 1) % b->slot_count) {
        uint32_t *slot = &b->slots[at];
        if (*slot == 0) return slot;
        const struct known *k = &b->known[*slot - 1];
        if (k->hash == hash && span_eq(k->text, text)) return slot;
    }
}

static void widen(struct codebook *b)
{
    b->slot_count = b->slot_count ? b->slot_count * 2 : SLOTS_MIN;
    b->known = resized(b->known, b->slot_count / 2, sizeof *b->known);
    b->slots = resized(b->slots, b->slot_count, sizeof *b->slots);
    memset(b->slots, 0, b->slot_count * sizeof *b->slots);
    for (size_t i = 0; i < b->count; i++) *slot_of(b, b->known[i].hash, b->known[i].text) = (uint32_t)i + 1;
}

struct codebook *codebook_new(void)
{
    struct codebook *b = calloc(1, sizeof *b);
    BUG_IF(b == NULL);
    arena_init(&b->texts, TEXT_BYTES_MAX);
    random_bytes(&b->seed, sizeof b->seed);
    widen(b);
    return b;
}

void codebook_free(struct codebook *b)
{
    if (b == NULL) return;
    arena_free(&b->texts);
    free(b->known);
    free(b->slots);
    free(b);
}

bool codebook_code(struct codebook *b, struct span text, uint16_t *code)
{
    uint64_t hash = hash64(text, b->seed);
    uint32_t *slot = slot_of(b, hash, text);
    if (*slot == 0) {
        struct span copy = b->count < CODEBOOK_CODES_MAX ? arena_copy(&b->texts, text) : (struct span){NULL, 0};
        if (copy.ptr == NULL) return false;
        if (b->count == b->slot_count / 2) {
            widen(b);
            slot = slot_of(b, hash, text);
        }
        b->known[b->count] = (struct known){hash, copy};
        *slot = (uint32_t)++b->count;
    }
    *code = (uint16_t)(*slot - 1);
    return true;
}

size_t codebook_count(const struct codebook *b)
{
    return b->count;
}

struct span codebook_text(const struct codebook *b, size_t code)
{
    BUG_IF(code >= b->count);
    return b->known[code].text;
}
