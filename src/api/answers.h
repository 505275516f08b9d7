/* SPDX-License-Identifier: Apache-2.0
 * Answers that need not be asked of the store again. An entry belongs to one environment, one token filter, one request
 * and one resolved window, and to the generation of the days it was read from: a new version of a view, a
 * re-categorisation or a deletion on one of these days gives them another generation, and the entry is of no use any
 * more. Bounded: the least recently used entries go. Threads: any. */
#ifndef FF_API_ANSWERS_H
#define FF_API_ANSWERS_H

#include "base/buf.h"
#include "base/hash.h"

struct answers;
struct answers *answers_new(size_t bytes_max);
void answers_free(struct answers *c);
/* Appends the answer; false: there is none of this generation. */
bool answers_get(struct answers *c, struct hash128 key, uint64_t generation, struct buf *out) MUST_USE;
/* Keeps a copy, unless it is too large a part of the whole. generation: read before the store was asked. */
void answers_put(struct answers *c, struct hash128 key, uint64_t generation, struct span answer);

#endif
