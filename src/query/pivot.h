/* SPDX-License-Identifier: Apache-2.0
 * POST /data/v1/query: several metrics by up to four dimensions and a time bucket, over views chosen by a tree of
 * conditions. docs/decisions/011-query-language.md is the language; pivot_parse reads it, query_pivot answers.
 * Everything that reaches SQL is text of our own tables, a number printed here, or escaped. */
#ifndef FF_QUERY_PIVOT_H
#define FF_QUERY_PIVOT_H

#include "base/json.h"
#include "query/question.h"

enum {
    PIVOT_METRICS_MAX = 20,
    PIVOT_DIMENSIONS_MAX = 4,
    PIVOT_EDGES_MAX = 101,
    PIVOT_CONDITIONS_MAX = 200,
    PIVOT_DEPTH_MAX = 16,
    PIVOT_VALUES_MAX = 1000, /* of all conditions */
    PIVOT_NAME_MAX = 64,
    PIVOT_LIMIT = 1000,
    PIVOT_LIMIT_MAX = 10000,
};

enum pivot_kind { PIVOT_MEASURE, PIVOT_PERCENTILE, PIVOT_STDDEV, PIVOT_HISTOGRAM };
struct pivot_metric {
    struct span name; /* of the column; NUL-terminated */
    const struct metric *metric;
    enum pivot_kind kind;
    enum measure measure; /* PIVOT_MEASURE */
    double percentile;    /* PIVOT_PERCENTILE: 0..1 */
    const double *edges;  /* PIVOT_HISTOGRAM: ascending */
    size_t edge_count;
};

/* A node of the tree: tests (any of which holds), or children of which all or any hold; perhaps negated. */
struct condition {
    enum { CONDITION_TESTS, CONDITION_ALL, CONDITION_ANY } kind;
    bool negated;
    const struct filter *tests;
    size_t test_count;
    const struct condition *const *children;
    size_t child_count;
};

enum pivot_by { PIVOT_BY_TIME, PIVOT_BY_DIMENSION, PIVOT_BY_METRIC };
struct pivot_order {
    enum pivot_by by;
    size_t at; /* of the dimensions or metrics */
    bool descending;
};

struct pivot {
    struct window window; /* snapped */
    int64_t step_s;       /* 0: no time bucket */
    const struct dimension *dimensions[PIVOT_DIMENSIONS_MAX];
    size_t dimension_count;
    struct pivot_metric metrics[PIVOT_METRICS_MAX];
    size_t metric_count;
    const struct condition *where; /* NULL: every view */
    struct filters filters;        /* metric_filters; the caller adds a token's own */
    struct pivot_order order[PIVOT_METRICS_MAX + PIVOT_DIMENSIONS_MAX + 1];
    size_t order_count;
    uint32_t limit, page;
    bool weighted;
};
/* NULL, or the sentence that refuses, in the arena or constant. What it keeps lives in the arena. */
const char *pivot_parse(const struct json_doc *doc, const struct json_node *root, int64_t now_s, struct arena *arena,
                        struct pivot *out) MUST_USE;

/* The statement of one page of rows, or (count_only) of how many there are. */
void pivot_sql(struct buf *sql, const struct store *store, const char *environment_id, const struct pivot *p,
               bool count_only);

struct pivot_cell {
    struct span text; /* dimension; ptr NULL: none */
    double value;     /* time: bucket's start in s; metric, where it is not a histogram */
    bool has_value;
    double *counts; /* histogram: below, each bucket, above */
};
/* cells: time (if any), dimensions, metrics; row by row. */
struct pivot_rows {
    struct pivot_cell *cells;
    size_t columns, n;
    int64_t total; /* rows of all pages */
};
enum err query_pivot(struct query *q, const char *environment_id, const struct pivot *p,
                     struct pivot_rows *out) MUST_USE;

#endif
