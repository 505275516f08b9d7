/* SPDX-License-Identifier: Apache-2.0
 * What the environment's people decided about error codes, applied to views that are stored already.
 *
 * A row keeps each of its errors as sent, so its outcome follows from them and from the rules alone; everything that
 * depends on an error's category is then a function of the row, written here as SQL, and one ALTER ... UPDATE brings
 * all rows in line that are not. No row is inserted or removed, so none is counted twice or missing at any moment, and
 * rows that arrive meanwhile are not touched. The same functions in C, for new views: views/fold_errors.c,
 * views/score.c; docs/decisions/recategorise.md says why it is done this way. */
#ifndef FF_QUERY_RECATEGORISE_H
#define FF_QUERY_RECATEGORISE_H

#include "query/question.h"

struct error_override {
    struct span code; /* not empty */
    bool severity_known, fatal;
    bool business_known, business;
};

/* The condition of rows of the environment whose outcome is not what the rules make of their errors. */
void recategorise_where_sql(struct buf *sql, const char *environment_id, const struct error_override *rules, size_t n);
/* The ALTER that brings them in line. */
void recategorise_update_sql(struct buf *sql, const char *environment_id, const struct error_override *rules, size_t n);

struct recategorise_rows {
    int64_t rows, from_ms, to_ms; /* how many are out of line, and the range of their view_end */
};
enum err query_recategorise_rows(struct query *q, const char *environment_id, const struct error_override *rules,
                                 size_t n, struct recategorise_rows *out) MUST_USE;
/* Starts the rewriting; query_recategorise_left tells when it is over. */
enum err query_recategorise_start(struct query *q, const char *environment_id, const struct error_override *rules,
                                  size_t n) MUST_USE;
/* Parts of the table still to be rewritten, by this or another rewriting; 0: done. failure: what the store says about
 * the last attempt, in the query's arena, or NULL. */
enum err query_recategorise_left(struct query *q, int64_t *parts, const char **failure) MUST_USE;

#endif
