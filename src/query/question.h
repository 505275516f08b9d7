/* SPDX-License-Identifier: Apache-2.0
 * A question about a metric, the SQL it becomes, and its answers. Everything is in the caller's arena.
 *
 * A view belongs to a question when its clock (metrics.def: view end or start) lies in the window, the filters hold
 * and the metric has a value for it; views, watch and playing time of an answer are of exactly those views. */
#ifndef FF_QUERY_QUESTION_H
#define FF_QUERY_QUESTION_H

#include "base/clock.h"
#include "query/filter.h"
#include "query/window.h"
#include "store/store.h"

struct vast;

struct question {
    const char *environment_id;
    struct window window; /* snapped */
    const struct metric *metric;
    enum measure measure;
    const struct filters *filters;
};

/* Where questions are answered. error tells after a failure. */
struct query {
    struct store *store;
    struct arena *arena;
    struct vast *vast;    /* may be NULL: insights are slower then */
    struct mono_us until; /* several statements of one question have to end by then; 0: each has its own time */
    struct store_error error;
};

struct answer {
    double value;   /* meaningless when !has_value */
    bool has_value; /* false: no view matched (counts and sums are then 0 and have one) */
    int64_t views, watch_ms, playing_ms;
};
enum err query_overall(struct query *q, const struct question *question, struct answer *out) MUST_USE;

struct bucket {
    int64_t start_s;
    struct answer answer; /* watch and playing are not filled */
};
/* Every bucket of the window in ascending order, empty ones too. */
enum err query_timeseries(struct query *q, const struct question *question, int64_t step_s, struct bucket **out,
                          size_t *count) MUST_USE;

struct segment {
    struct span field; /* ptr NULL: views without a value */
    struct answer answer;
    double order_value;                /* answer.value as far as it is the same in every run: for order */
    double score;                      /* negative harms (rule 89) */
    int64_t rank;                      /* 1 harms most */
    const struct dimension *dimension; /* insights */
};
/* All segments of a dimension with score and rank, in order of rank. overall: of all of them together. */
enum err query_breakdown(struct query *q, const struct question *question, const struct dimension *by,
                         struct segment **out, size_t *count, struct answer *overall) MUST_USE;
/* Segments of every insights dimension with a value, worst first. */
enum err query_insights(struct query *q, const struct question *question, struct segment **out, size_t *count) MUST_USE;

/* Scores every segment against overall, then ranks them (rules 89 and 90): rows end in order of rank. */
void segments_rank(const struct question *question, const struct answer *overall, struct segment *rows, size_t n);

/* Views by the value (or, for a trace with elements true, by the element) of a dimension: count desc, value asc.
 * Only the views count of each answer is filled. */
enum err query_values(struct query *q, const char *environment_id, const struct window *window,
                      const struct filters *filters, const struct dimension *by, bool elements, struct segment **out,
                      size_t *count) MUST_USE;

/* The statements that the functions above send, for tests and for looking at. */
void query_overall_sql(struct buf *sql, const struct store *store, const struct question *question);
void query_timeseries_sql(struct buf *sql, const struct store *store, const struct question *question, int64_t step_s);
void query_breakdown_sql(struct buf *sql, const struct store *store, const struct question *question,
                         const struct dimension *by);

/* -- pieces, for other statements -- */

/* " environment_id = '...' AND view_end >= ... AND <filters>": which views a window selects by a clock. */
void question_where(struct buf *sql, const char *environment_id, const struct window *window, enum metric_clock clock,
                    const struct filters *filters);
/* The aggregate of a metric over inner columns v (and a, b of a ratio). */
void question_aggregate(struct buf *sql, const struct store *store, const struct metric *m, enum measure measure);
/* What tells viewers apart: an inner expression of a METRIC_VIEWERS. */
const char *viewer_sql(const struct store *store, const struct metric *m);
/* The dimension's inner expression, to be grouped by. */
void dimension_group_sql(struct buf *sql, const struct store *store, const struct dimension *d);
/* The dimension as text for an answer, from the inner expression g. */
void dimension_text_sql(struct buf *sql, const struct dimension *d, const char *g);

#endif
