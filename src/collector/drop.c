/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/drop.h"

#include <stdatomic.h>

static const struct {
    const char *name, *help;
} rows[DROP_COUNT] = {
    [DROP_NONE] = {"", ""},
#define DROP(name, status, help) [DROP_##name] = {#name, help},
#include "collector/drop.def"
#undef DROP
};

const char *drop_name(enum drop d)
{
    BUG_IF((unsigned)d >= DROP_COUNT);
    return rows[d].name;
}

const char *drop_help(enum drop d)
{
    BUG_IF((unsigned)d >= DROP_COUNT);
    return rows[d].help;
}

enum drop drop_from_name(const char *name)
{
    for (unsigned d = DROP_NONE + 1; d < DROP_COUNT; d++)
        if (strcmp(rows[d].name, name) == 0) return (enum drop)d;
    return DROP_other;
}

void drop_count(struct drop_counters *c, enum drop why, uint32_t n)
{
    BUG_IF(why == DROP_NONE || (unsigned)why >= DROP_COUNT);
    atomic_fetch_add_explicit(&c->count[why], (int64_t)n, memory_order_relaxed);
}

void drop_print(struct drop_counters *c, struct buf *out)
{
    buf_adds(out, "# HELP firstframe_beacons_dropped_total beacons and events that were not kept, by reason\n"
                  "# TYPE firstframe_beacons_dropped_total counter\n");
    for (unsigned d = DROP_NONE + 1; d < DROP_COUNT; d++)
        buf_addf(out, "firstframe_beacons_dropped_total{reason=\"%s\"} %lld\n", rows[d].name,
                 (long long)atomic_load_explicit(&c->count[d], memory_order_relaxed));
}
