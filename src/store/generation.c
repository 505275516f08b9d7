/* SPDX-License-Identifier: Apache-2.0
 * Which days changed, and when, in a table of days. It is bounded: when it is full, the older half is forgotten by
 * taking all days that are not listed as changed as late as the newest one forgotten. */
#include <stdlib.h>

#include "store/internal.h"
#include "store/schema.h"

static struct store *own(const struct store *s)
{
    return (struct store *)(uintptr_t)s;
}

uint64_t store_generation(const struct store *s)
{
    BUG_IF(pthread_mutex_lock(&own(s)->lock) != 0);
    uint64_t g = s->generation;
    BUG_IF(pthread_mutex_unlock(&own(s)->lock) != 0);
    return g;
}

/* The first listed day that is not before day. */
static size_t days_find(const struct store *s, int64_t day)
{
    size_t low = 0, high = s->day_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->days[mid].day < day) low = mid + 1;
        else high = mid;
    }
    return low;
}

uint64_t store_generation_between(const struct store *s, int64_t from_ms, int64_t to_ms)
{
    BUG_IF(pthread_mutex_lock(&own(s)->lock) != 0);
    uint64_t g = s->generation_old;
    for (size_t i = days_find(s, store_partition_of(true, from_ms));
         i < s->day_count && s->days[i].day <= store_partition_of(true, to_ms - 1); i++)
        if (s->days[i].generation > g) g = s->days[i].generation;
    BUG_IF(pthread_mutex_unlock(&own(s)->lock) != 0);
    return g;
}

static void days_forget(struct store *s)
{
    size_t half = s->day_count / 2;
    for (size_t i = 0; i < half; i++)
        if (s->days[i].generation > s->generation_old) s->generation_old = s->days[i].generation;
    memmove(s->days, s->days + half, (s->day_count - half) * sizeof *s->days);
    s->day_count -= half;
}

static void days_put(struct store *s, int64_t day, uint64_t generation)
{
    size_t at = days_find(s, day);
    if (at < s->day_count && s->days[at].day == day) {
        s->days[at].generation = generation;
        return;
    }
    if (s->day_count == STORE_DAYS_MAX) {
        days_forget(s);
        at = days_find(s, day);
    }
    if (s->day_count == s->day_room) {
        size_t room = s->day_room ? s->day_room * 2 : 64;
        struct store_day *grown = realloc(s->days, room * sizeof *grown);
        BUG_IF(grown == NULL);
        s->days = grown;
        s->day_room = room;
    }
    memmove(s->days + at + 1, s->days + at, (s->day_count - at) * sizeof *s->days);
    s->days[at] = (struct store_day){day, generation};
    s->day_count++;
}

void store_changed(struct store *s, int64_t from_ms, int64_t to_ms)
{
    int64_t first = store_partition_of(true, from_ms), last = store_partition_of(true, to_ms);
    BUG_IF(pthread_mutex_lock(&s->lock) != 0);
    s->generation++;
    if (last - first >= STORE_DAYS_MAX / 2) s->generation_old = s->generation; /* all of them, more cheaply said */
    else
        for (int64_t day = first; day <= last; day++) days_put(s, day, s->generation);
    BUG_IF(pthread_mutex_unlock(&s->lock) != 0);
}
