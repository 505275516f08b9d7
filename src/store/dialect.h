/* SPDX-License-Identifier: Apache-2.0
 * Everything that differs between ClickHouse versions, from 18.16 (Debian's package) to 26.7 (embedded). Nothing else
 * in the program asks for a version. Statements written elsewhere keep to what all of them understand. */
#ifndef FF_STORE_DIALECT_H
#define FF_STORE_DIALECT_H

#include "store/client.h"

struct store_dialect {
    char version[32]; /* as the store says it; "" before it was asked */
    unsigned release; /* 18016 for 18.16, 26007 for 26.7 */
    /* syntax and functions */
    bool exact_inclusive; /* quantileExactInclusive */
    bool codecs;          /* CODEC(...) on columns */
    bool groups_coded;    /* GROUP BY a LowCardinality(Nullable) column keeps null's group and the row of WITH ROLLUP */
    bool grouping_sets;   /* GROUP BY GROUPING SETS, grouping() as the standard has it */
    bool recodes;         /* a column's type changes in the background, and reads meanwhile */
    bool viewer_key;      /* the table has that column, see schema.c */
    bool profiles;        /* the table has the columns of profile.h, filled: the embedded store only */
    bool skip_indexes;    /* INDEX ... TYPE minmax, bloom_filter */
    bool atomic;          /* ENGINE = Atomic for databases */
    bool parquet;         /* FORMAT Parquet */
    bool table_dedup;     /* MergeTree: non_replicated_deduplication_window */
    bool table_fsync;     /* MergeTree: fsync_after_insert, fsync_part_directory */
    bool compact_parts;   /* MergeTree: min_bytes_for_wide_part */
    /* settings of a statement (asked of system.settings) */
    bool low_cardinality_setting; /* allow_experimental_low_cardinality_type has to be switched on */
    bool dedup_token;             /* insert_deduplication_token */
    bool prewhere_moves;          /* conditions go to PREWHERE by themselves */
    bool prewhere_steps;          /* conditions of PREWHERE may be read one by one */
    bool async_insert;            /* has to be switched off */
    bool native_casts;            /* inserts take FORMAT Native, and convert its columns to the types of the table */
    bool priority_wait;           /* how long statements of low priority wait */
    bool shared_snapshot; /* a statement sees one state of a table, however often it names it; where it does not,
                           * see struct store's gate */
};

/* Asks the store which it is. */
enum err store_dialect_detect(struct store_client *client, struct store_dialect *out,
                              struct store_error *error) MUST_USE;
/* By version alone, settings included, as far as known: for tests. version as "26.7.2.1". */
bool store_dialect_of(struct span version, struct store_dialect *out) MUST_USE;

/* Settings of every statement, of reading ones (which cannot write then), of definitions, of inserts. */
void store_dialect_read_settings(const struct store_dialect *d, struct store_settings *s);
void store_dialect_define_settings(const struct store_dialect *d, struct store_settings *s);
/* token: of the batch; kept by pointer. */
void store_dialect_insert_settings(const struct store_dialect *d, const char *token, struct store_settings *s);

/* The exact percentile q (0..1), linear between closest ranks, of the column (an expression that is Float64 and never
 * null; without rows NaN). One aggregate expression; several in one SELECT do not disturb each other. */
void store_dialect_percentile(struct buf *sql, const struct store_dialect *d, double q, const char *column);
/* The percentile shares[at] where all n shares of the column are asked for in the same SELECT, each by a call that
 * differs in at only: the store then keeps and sorts the values once. */
void store_dialect_percentile_of(struct buf *sql, const struct store_dialect *d, const double *shares, size_t n,
                                 size_t at, const char *column);

struct store;
/* The same for the store as it is connected now. */
void store_percentile(struct buf *sql, const struct store *store, double q, const char *column);
void store_percentile_of(struct buf *sql, const struct store *store, const double *shares, size_t n, size_t at,
                         const char *column);
struct store_dialect store_dialect(const struct store *store);

#endif
