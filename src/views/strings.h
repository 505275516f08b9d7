/* SPDX-License-Identifier: Apache-2.0
 * Texts that repeat among the views of one shard, each kept once and counted by reference. Used inside views/ only.
 * A handle is small and never 0 for a text that is not empty; handle 0 is the empty text. Not thread-safe. */
#ifndef FF_VIEWS_STRINGS_H
#define FF_VIEWS_STRINGS_H

#include "views/view.h"

/* One more reference to the text, which is copied when it is new. */
uint32_t view_strings_take(struct view_strings *s, struct span text) MUST_USE;
/* Gives a reference back; the text goes with its last one. */
void view_strings_give(struct view_strings *s, uint32_t handle);
/* Valid until the last reference is given back. */
struct span view_strings_text(const struct view_strings *s, uint32_t handle);
/* Memory of all texts and of the table. */
size_t view_strings_bytes(const struct view_strings *s);
uint32_t view_strings_count(const struct view_strings *s);
/* Random for every shard, so that nobody can choose texts that collide. */
uint64_t view_strings_seed(const struct view_strings *s);

#endif
