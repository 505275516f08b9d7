/* SPDX-License-Identifier: Apache-2.0
 * The metrics and dimensions as metrics.def and dimensions.def declare them. All constant. */
#ifndef FF_QUERY_TABLES_H
#define FF_QUERY_TABLES_H

#include "base/base.h"

enum metric_kind { METRIC_NUMBER, METRIC_PREDICATE, METRIC_RATIO, METRIC_VIEWERS };
enum metric_clock { CLOCK_END, CLOCK_START };
enum metric_better { BETTER_LOWER, BETTER_HIGHER };
enum metric_unit { UNIT_MS, UNIT_SCORE, UNIT_FRACTION, UNIT_NUMBER, UNIT_PER_MINUTE, UNIT_BITS_PER_SECOND };
enum measure { MEASURE_95TH, MEASURE_MEDIAN, MEASURE_AVG, MEASURE_COUNT, MEASURE_SUM };

struct metric {
    const char *id;
    enum metric_kind kind;
    const char *a, *b;      /* SQL over the view columns */
    const char *population; /* SQL condition beyond a known value */
    enum metric_clock clock;
    enum metric_better better;
    enum measure measure; /* default */
    enum metric_unit unit;
    bool filterable; /* may stand in metric_filters[] */
    const char *meaning;
};
size_t metric_count(void);
const struct metric *metric_at(size_t i);
/* By id or alias; NULL when there is no such metric. */
const struct metric *metric_find(struct span id);
const char *metric_unit_name(
    enum metric_unit unit); /* "milliseconds", "score", "percentage", "number", "per_minute", "mbps" */

const char *measure_name(enum measure m); /* "95th", ... */
bool measure_from_name(struct span name, enum measure *out) MUST_USE;
/* views and unique_viewers: 0, not null, where nothing matches, in whatever measurement. */
bool metric_counts_views(const struct metric *m);
/* unique_viewers has count only. */
bool metric_offers(const struct metric *m, enum measure measure);

enum dimension_type {
    DIMENSION_TEXT,
    DIMENSION_NUMBER,
    DIMENSION_FPS,
    DIMENSION_BOOL,
    DIMENSION_NBOOL,
    DIMENSION_TRACE
};
enum dimension_list { DIMENSION_BASIC, DIMENSION_ADVANCED, DIMENSION_UNLISTED };
enum dimension_uses { DIMENSION_ANY, DIMENSION_BREAKDOWN, DIMENSION_OWN };

struct dimension {
    const char *id, *column; /* column: SQL of the value */
    enum dimension_type type;
    enum dimension_list list;
    enum dimension_uses uses;
    bool insights;
    const char *plain; /* the column of the table; NULL: it is made of several */
};
size_t dimension_count(void);
const struct dimension *dimension_at(size_t i);
const struct dimension *dimension_find(struct span id);

#endif
