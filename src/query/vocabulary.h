/* SPDX-License-Identifier: Apache-2.0
 * The values of dimensions that insights has met, by environment: what a code stands for in the columns that it has the
 * store send (docs/decisions/014). Nothing depends on its being complete: a value that is not in it is met as such.
 * Bounded: the environment that was looked at longest ago goes, and every one begins anew after a day, so that values
 * that are gone go as well. */
#ifndef FF_QUERY_VOCABULARY_H
#define FF_QUERY_VOCABULARY_H

#include "base/arena.h"

enum {
    VOCABULARY_WORDS_MAX = 20000, /* of an environment, and their bytes as SQL says them */
    VOCABULARY_BYTES_MAX = 1024 * 1024,
    LEXICON_WORDS_MAX = 4000, /* of a dimension, and their bytes */
    LEXICON_BYTES_MAX = 256 * 1024
};

/* Of a dimension: each once. */
struct words {
    struct span *items;
    size_t n, room, bytes;
    size_t sorted; /* so many at the beginning are in order */
    bool many;     /* more than are kept: there are none then */
};

struct vocabulary;
/* What is known of an environment. */
struct lexicon {
    struct words *words; /* by the number of the dimension */
    size_t count, bytes; /* of all words */
    bool learned;        /* set by the user of it when all words of a look at the views are there */
};

/* dimensions: how many numbers there are. now_ms: of a clock that does not go back. */
struct vocabulary *vocabulary_new(size_t dimensions) MUST_USE;
void vocabulary_free(struct vocabulary *v);
/* One user at a time: NULL while there is another. To be given back with vocabulary_give. */
struct lexicon *vocabulary_take(struct vocabulary *v, const char *environment_id, int64_t now_ms) MUST_USE;
void vocabulary_give(struct vocabulary *v);
/* Copies the word, unless it is there. A dimension that comes to have too many loses them all. */
void lexicon_add(struct lexicon *l, size_t dimension, struct span word);
/* The dimension has too many to be kept: it loses those that are there. */
void lexicon_many(struct lexicon *l, size_t dimension);
/* After words were added to a dimension, so that they are found. */
void lexicon_sort(struct lexicon *l, size_t dimension);

#endif
