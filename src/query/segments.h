/* SPDX-License-Identifier: Apache-2.0
 * What question.c, segments.c, insights.c and scan.c share and nobody else sees. */
#ifndef FF_QUERY_SEGMENTS_H
#define FF_QUERY_SEGMENTS_H

#include "query/question.h"

enum { SQL_BYTES_MAX = 4 * 1024 * 1024, ROWS_BYTES_MAX = 256 * 1024 * 1024, SEGMENTS_MAX = 2000000 };

/* "(SELECT v, a, b, w, p<extra> FROM views of the question<extra_where>)". extra: more inner columns, beginning with
 * ", ", or "". */
void question_from_sql(struct buf *sql, const struct store *store, const struct question *question, const char *extra,
                       const char *extra_where);
/* Runs the statement and frees it; the rows are in out, which the caller frees. */
enum err question_run(struct query *q, struct buf *sql, struct buf *out) MUST_USE;
/* For a statement's limits: until q->until, at least 1; 0: the default. */
int question_time_left_ms(const struct query *q);
struct answer question_answer(const struct question *question, int64_t views, double value);
/* Reads "toInt64(count()), <the question's aggregate>"; with the sums of w and p when times. */
struct answer question_read(struct bytes *rows, const struct question *question, bool times);
/* The share of the views below a percentile. */
double question_level(const struct metric *m, enum measure measure);
bool question_needs_ratio(const struct question *question);
/* Every view's value has to be kept until all are there: percentiles and distinct viewers. */
bool question_keeps_values(const struct question *question);

/* Segments and the memory that their fields point into: they may be more than the arena of a request holds, which gets
 * both to keep in the end. */
struct segment_list {
    struct segment *items;
    size_t n, room;
};
struct segment *segment_add(struct segment_list *list) MUST_USE; /* NULL: SEGMENTS_MAX are there */
void segments_keep(struct arena *arena, struct segment_list *list, struct buf *rows);

/* "SELECT toUInt8(kind), <field>, n, value, watch, playing FROM (...GROUP BY g)"; kind UINT8_MAX is the overall row. */
void segments_sql(struct buf *sql, const struct store *store, const struct question *question,
                  const struct dimension *by, unsigned kind, bool skip_null, const char *modifier);
void segments_overall_sql(struct buf *sql, const struct store *store, const struct question *question);
/* Runs a union of those, of dimensions by kind, and appends their segments; rows keeps what fields point into.
 * *overall is left alone when no row is of everything. */
enum err segments_run(struct query *q, const struct question *question, struct buf *sql,
                      const struct dimension *const *by, struct segment_list *list, struct buf *rows,
                      struct answer *overall) MUST_USE;

#endif
