/* SPDX-License-Identifier: Apache-2.0
 * The values of dimensions that insights has met, by environment: what a code stands for in the columns that it has the
 * store send (docs/decisions/014). Nothing depends on its being complete: a value that is not in it is met as such.
 * Bounded: the environment that was looked at longest ago goes, and one that has come to have too many values begins
 * anew. */
#ifndef FF_QUERY_VOCABULARY_H
#define FF_QUERY_VOCABULARY_H

#include "base/arena.h"

enum {
    VOCABULARY_WORDS_MAX = 20000, /* of an environment */
    LEXICON_WORDS_MAX = 4000,     /* of a dimension, and their bytes */
    LEXICON_BYTES_MAX = 256 * 1024
};

/* Of a dimension: each once, in no order that matters. */
struct words {
    struct span *items;
    size_t n, room, bytes;
    bool many; /* more than are kept: there are none then */
};

struct vocabulary;
/* What is known of an environment. */
struct lexicon {
    struct words *words; /* by the number of the dimension */
    size_t count;        /* of all words */
    bool learned;        /* set by the user of it when all words of a look at the views are there */
};

/* dimensions: how many numbers there are. */
struct vocabulary *vocabulary_new(size_t dimensions) MUST_USE;
void vocabulary_free(struct vocabulary *v);
/* One user at a time: NULL while there is another. To be given back with vocabulary_give. */
struct lexicon *vocabulary_take(struct vocabulary *v, const char *environment_id) MUST_USE;
void vocabulary_give(struct vocabulary *v);
/* Copies the word. A dimension that has too many while its words are being learned gets none; when that comes about
 * later, all of the environment is forgotten once it is given back. */
void lexicon_add(struct lexicon *l, size_t dimension, struct span word);
/* After words were added that may be there already: each once again. */
void lexicon_sort(struct lexicon *l, size_t dimension);

#endif
