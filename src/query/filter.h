/* SPDX-License-Identifier: Apache-2.0
 * filters[] and metric_filters[]: read, checked, written as SQL conditions. Rules 75 to 81. */
#ifndef FF_QUERY_FILTER_H
#define FF_QUERY_FILTER_H

#include "base/arena.h"
#include "base/buf.h"
#include "query/tables.h"

enum filter_op {
    FILTER_IS, /* scalar equals; trace is exactly the list */
    FILTER_IS_NOT,
    FILTER_HAS, /* trace contains */
    FILTER_HAS_NOT,
    FILTER_EMPTY, /* no value; trace: [] */
    FILTER_NOT_EMPTY,
};

struct filter {
    const struct dimension *dimension;
    enum filter_op op;
    struct span value;       /* scalars; FILTER_HAS and FILTER_HAS_NOT: the element */
    bool always;             /* ANDed with everything: a token's own filter */
    const struct span *list; /* FILTER_IS and FILTER_IS_NOT on a trace */
    size_t list_count;
};

struct metric_filter {
    const struct metric *metric;
    const char *op; /* SQL: >= <= > < = != */
    double number;
};

struct filters {
    struct filter *items;
    size_t count;
    struct metric_filter *metrics;
    size_t metric_count;
};

/* One decoded element each. NULL, or the sentence that refuses, in arena (or constant). Empty elements are ignored
 * (*ignored). */
const char *filter_parse(struct span element, struct arena *arena, struct filter *out, bool *ignored) MUST_USE;
/* The same with another set of dimensions. */
typedef const struct dimension *dimension_lookup(struct span id);
const char *filter_parse_with(dimension_lookup *find, struct span element, struct arena *arena, struct filter *out,
                              bool *ignored) MUST_USE;
/* Whether a view could have this value at all: NULL, or the sentence that refuses. */
const char *filter_value_check(const struct dimension *d, struct span value, struct arena *arena) MUST_USE;
const char *metric_filter_parse(struct span element, struct arena *arena, struct metric_filter *out) MUST_USE;
/* Both lists of a request. */
const char *filters_parse(const struct span *elements, size_t n, const struct span *metric_elements, size_t metric_n,
                          struct arena *arena, struct filters *out) MUST_USE;
/* One more element: for comparison's dimension and value. */
const char *filters_add(struct filters *f, struct span element, struct arena *arena) MUST_USE;

/* One more condition that holds whatever else is asked: never an alternative to another filter of its dimension. For a
 * token's own filter. */
const char *filters_restrict(struct filters *f, struct span element, struct arena *arena) MUST_USE;

/* The condition of one filter alone, negation included; never null. */
void filter_sql(const struct filter *f, struct buf *sql);
/* Appends " AND (...)" for everything. */
void filters_sql(const struct filters *f, struct buf *sql);
/* The view's own value of a metric: a nullable double. */
void metric_value_sql(const struct metric *m, struct buf *sql);

#endif
