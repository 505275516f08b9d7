/* SPDX-License-Identifier: Apache-2.0
 * Which profiles (store/profile.h) had more combinations of values than insights can count, by environment, so that it
 * does not try again at every question (docs/decisions/014). Remembered for a day, of the environments asked about
 * last. Also the turn of questions that keep all values while they count, one at a time. Thread-safe. */
#ifndef FF_QUERY_VAST_H
#define FF_QUERY_VAST_H

#include "base/base.h"

struct vast *vast_new(void) MUST_USE;
void vast_free(struct vast *v);
/* A bit for each profile, by its number. now_ms: of a clock that does not go back. */
uint32_t vast_of(struct vast *v, const char *environment_id, int64_t now_ms);
void vast_note(struct vast *v, const char *environment_id, uint32_t profiles, int64_t now_ms);
/* false: somebody else has the turn. To be given back with vast_turn_give. */
bool vast_turn_take(struct vast *v) MUST_USE;
void vast_turn_give(struct vast *v);

#endif
