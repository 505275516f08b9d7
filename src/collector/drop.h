/* SPDX-License-Identifier: Apache-2.0
 * The reasons of drop.def and their counters. Any thread. */
#ifndef FF_COLLECTOR_DROP_H
#define FF_COLLECTOR_DROP_H

#include "base/buf.h"

enum drop {
    DROP_NONE,
#define DROP(name, status, help) DROP_##name,
#include "collector/drop.def"
#undef DROP
    DROP_COUNT
};

const char *drop_name(enum drop d); /* "too_large"; "" for DROP_NONE */
const char *drop_help(enum drop d);
/* DROP_other when there is no such name. */
enum drop drop_from_name(const char *name);

struct drop_counters {
    _Atomic int64_t count[DROP_COUNT];
};
void drop_count(struct drop_counters *c, enum drop why, uint32_t n);
/* Prometheus text, one sample a reason, zeros included. Appended. */
void drop_print(struct drop_counters *c, struct buf *out);

#endif
