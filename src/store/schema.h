/* SPDX-License-Identifier: Apache-2.0
 * The database firstframe and its table views, made from views/columns.def; and the numbered migrations.
 *
 * firstframe.views has one row a version of a view. Times are Int64 milliseconds, UTC. Partition: (final, day) for
 * final rows, (final, hour) for pending ones, both of view_end, by plain division so that no server's time zone
 * matters. A part's own range of view_end and final keeps questions away from what they do not concern. Order:
 * environment, then view_end, which is how every question selects. */
#ifndef FF_STORE_SCHEMA_H
#define FF_STORE_SCHEMA_H

#include "store/dialect.h"

#define STORE_DAY_MS INT64_C(86400000)
#define STORE_HOUR_MS INT64_C(3600000)

struct store_column {
    const char *name;
    const char *type;  /* understood by every version */
    const char *codec; /* where there are codecs; "" for the default */
};
/* Every column of firstframe.views in the order of rowbinary.h. */
size_t store_column_count(void);
const struct store_column *store_column_at(size_t i);

/* The partition's number: a day for final rows, an hour for pending ones. */
static inline int64_t store_partition_of(bool final, int64_t view_end_ms)
{
    return view_end_ms / (final ? STORE_DAY_MS : STORE_HOUR_MS);
}

/* Makes or completes the schema; may be repeated at any time, also after it was interrupted. */
enum err store_schema_migrate(struct store_client *client, const struct store_dialect *dialect,
                              struct store_error *error) MUST_USE;
/* Whether all rows have their profiles on disk. Until then those that have not are made as they are read, which takes
 * longer than what is gained by them. */
enum err store_schema_profiles_filled(struct store_client *client, int timeout_ms, bool *filled,
                                      struct store_error *error) MUST_USE;
/* "INSERT INTO firstframe.views (...) FORMAT ..." */
void store_schema_insert_sql(struct buf *sql, const char *format);

#endif
