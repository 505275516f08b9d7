/* SPDX-License-Identifier: Apache-2.0 */
#include "query/tables.h"

static const struct metric metrics[] = {
#define METRIC(id, kind, a, b, population, clock, better, measure, unit, filterable, meaning)                          \
    {#id,         METRIC_##kind, a,      b, population, CLOCK_##clock, BETTER_##better, MEASURE_##measure,             \
     UNIT_##unit, filterable,    meaning},
#define ALIAS(name, id)
#include "query/metrics.def"
#undef METRIC
#undef ALIAS
};

static const struct {
    const char *name, *id;
} aliases[] = {
#define METRIC(id, kind, a, b, population, clock, better, measure, unit, filterable, meaning)
#define ALIAS(name, id) {#name, #id},
#include "query/metrics.def"
#undef METRIC
#undef ALIAS
};

/* The SQL of a dimension's value: booleans are never null (view_dropped is while a view is pending; then it is false).
 */
#define COLUMN_TEXT(column) column
#define COLUMN_NUMBER(column) column
#define COLUMN_FPS(column) column
#define COLUMN_TRACE(column) column
#define COLUMN_NBOOL(column) column
#define COLUMN_BOOL(column) "ifNull(" column ", 0)"

static const struct dimension dimensions[] = {
#define DIMENSION(id, column, type, list, uses, insights)                                                              \
    {#id, COLUMN_##type(#column), DIMENSION_##type, DIMENSION_##list, DIMENSION_##uses, insights, #column},
#include "query/dimensions.def"
#undef DIMENSION
};

static const char *const measures[] = {"95th", "median", "avg", "count", "sum"};

size_t metric_count(void)
{
    return COUNT(metrics);
}

const struct metric *metric_at(size_t i)
{
    return &metrics[i];
}

static const struct metric *metric_by_id(struct span id)
{
    for (size_t i = 0; i < COUNT(metrics); i++)
        if (span_is(id, metrics[i].id)) return &metrics[i];
    return NULL;
}

const struct metric *metric_find(struct span id)
{
    for (size_t i = 0; i < COUNT(aliases); i++)
        if (span_is(id, aliases[i].name)) return metric_by_id(span_of(aliases[i].id));
    return metric_by_id(id);
}

const char *metric_unit_name(enum metric_unit unit)
{
    switch (unit) {
    case UNIT_MS: return "milliseconds";
    case UNIT_SCORE: return "score";
    case UNIT_FRACTION: return "percentage";
    case UNIT_NUMBER: return "number";
    case UNIT_PER_MINUTE: return "per_minute";
    case UNIT_BITS_PER_SECOND: return "mbps"; /* the published name; the value is in bit/s */
    }
    return "number";
}

const char *measure_name(enum measure m)
{
    return measures[m];
}

bool measure_from_name(struct span name, enum measure *out)
{
    for (size_t i = 0; i < COUNT(measures); i++)
        if (span_is(name, measures[i])) {
            *out = (enum measure)i;
            return true;
        }
    return false;
}

bool metric_counts_views(const struct metric *m)
{
    return m->kind == METRIC_VIEWERS || strcmp(m->a, "1") == 0;
}

bool metric_offers(const struct metric *m, enum measure measure)
{
    return m->kind != METRIC_VIEWERS || measure == MEASURE_COUNT;
}

size_t dimension_count(void)
{
    return COUNT(dimensions);
}

const struct dimension *dimension_at(size_t i)
{
    return &dimensions[i];
}

const struct dimension *dimension_find(struct span id)
{
    for (size_t i = 0; i < COUNT(dimensions); i++)
        if (span_is(id, dimensions[i].id)) return &dimensions[i];
    return NULL;
}
