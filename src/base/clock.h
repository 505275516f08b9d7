/* SPDX-License-Identifier: Apache-2.0
 * Two clocks of different types, so that they cannot be mixed: mono for durations and time-outs, wall for data. */
#ifndef FF_BASE_CLOCK_H
#define FF_BASE_CLOCK_H

#include "base/buf.h"

struct mono_us {
    int64_t v;
};
struct mono_us mono_now(void);
/* Milliseconds since the epoch, UTC. */
int64_t wall_now_ms(void);

/* "2026-11-23T05:40:17Z"; the milliseconds are cut, not rounded. out holds at least 21 bytes. */
void iso_seconds(char out[32], int64_t wall_ms);
/* "2026-11-23T05:40:17.123Z" */
void iso_millis(char out[32], int64_t wall_ms);
/* "YYYY-MM-DD" of the UTC day. */
void iso_day(char out[32], int64_t wall_ms);
/* Reads "YYYY-MM-DDTHH:MM:SS[.fff]Z" or "YYYY-MM-DD". */
bool iso_parse(struct span text, int64_t *wall_ms) MUST_USE;

#endif
