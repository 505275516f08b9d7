/* SPDX-License-Identifier: Apache-2.0 */
#include "base/counters.h"

#include <stdatomic.h>

static _Atomic int64_t counters[COUNTER_COUNT];

static const struct {
    const char *name, *help, *kind;
} counter_rows[] = {
#define COUNTER(name, help) {#name, help, "counter"},
#define GAUGE(name, help) {#name, help, "gauge"},
#include "base/counters.def"
#undef COUNTER
#undef GAUGE
};

void counter_add(enum counter c, int64_t n)
{
    atomic_fetch_add_explicit(&counters[c], n, memory_order_relaxed);
}

void counter_set(enum counter c, int64_t v)
{
    atomic_store_explicit(&counters[c], v, memory_order_relaxed);
}

int64_t counter_get(enum counter c)
{
    return atomic_load_explicit(&counters[c], memory_order_relaxed);
}

void counters_print(struct buf *out)
{
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        buf_addf(out, "# HELP firstframe_%s %s\n# TYPE firstframe_%s %s\nfirstframe_%s %lld\n", counter_rows[i].name,
                 counter_rows[i].help, counter_rows[i].name, counter_rows[i].kind, counter_rows[i].name,
                 (long long)counter_get((enum counter)i));
}
