/* SPDX-License-Identifier: Apache-2.0
 * The program's own counters, for /metrics. Any thread may add; reading is not a consistent snapshot. */
#ifndef FF_BASE_COUNTERS_H
#define FF_BASE_COUNTERS_H

#include "base/buf.h"

enum counter {
#define COUNTER(name, help) COUNTER_##name,
#define GAUGE(name, help) COUNTER_##name,
#include "base/counters.def"
#undef COUNTER
#undef GAUGE
    COUNTER_COUNT
};

void counter_add(enum counter c, int64_t n);
void counter_set(enum counter c, int64_t v);
int64_t counter_get(enum counter c);
/* Prometheus text format, appended. */
void counters_print(struct buf *out);

#endif
