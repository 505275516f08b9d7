/* SPDX-License-Identifier: Apache-2.0
 * The daily exports: every view of an environment that ended on one UTC day, as CSV (rule 97) or, where the
 * store can make it, Parquet. Columns are those of export.def. */
#ifndef FF_QUERY_EXPORT_H
#define FF_QUERY_EXPORT_H

#include "query/question.h"

enum { EXPORT_VERSION = 14 }; /* of the published CSV */

enum export_kind { EXPORT_TEXT, EXPORT_INTEGER, EXPORT_DOUBLE, EXPORT_BOOL, EXPORT_NBOOL, EXPORT_TIME, EXPORT_TRACE };
enum export_form { EXPORT_CSV = 1, EXPORT_PARQUET = 2, EXPORT_BOTH = 3 };
struct export_column {
    const char *name;
    unsigned version;
    enum export_form form;
    enum export_kind kind;
    const char *sql;
};
size_t export_column_count(void);
const struct export_column *export_column_at(size_t i);

/* What a day of an environment holds, cheaply: equal before and after means that nothing was added, removed or
 * re-categorised. */
struct export_day {
    int64_t day; /* since 1970 */
    int64_t rows;
    uint64_t fingerprint;
};
/* Days with views in [from_day, to_day), ascending. */
enum err query_export_days(struct query *q, const char *environment_id, int64_t from_day, int64_t to_day,
                           struct export_day **out, size_t *count) MUST_USE;

/* The file's bytes, in pieces. false of the sink ends it with ERR_CLOSED. rows: written so far, also while it runs. */
struct export_sink {
    bool (*bytes)(void *ctx, struct span piece);
    void *ctx;
    int64_t rows;
};
enum err query_export_csv(struct query *q, const char *environment_id, int64_t day, struct export_sink *sink) MUST_USE;
/* Only where store_dialect().parquet. rows is not counted. */
enum err query_export_parquet(struct query *q, const char *environment_id, int64_t day,
                              struct export_sink *sink) MUST_USE;

/* One field of a CSV line: quoted where it has to be. For tests. */
void export_csv_text(struct buf *out, struct span text);

#endif
