/* SPDX-License-Identifier: Apache-2.0 */
#include "store/dialect.h"

#include <stdio.h>

#include "store/result.h"

enum { DETECT_MS = 10000, DETECT_BYTES = 64 * 1024 };

/* Settings that are sent only where they exist. since: the release that has it, for store_dialect_of. */
#define DIALECT_SETTINGS(X)                                                                                            \
    X(dedup_token, "insert_deduplication_token", 22002)                                                                \
    X(native_casts, "input_format_native_allow_types_conversion", 23003)                                               \
    X(async_insert, "async_insert", 21011)                                                                             \
    X(prewhere_moves, "optimize_move_to_prewhere", 1001)                                                               \
    X(prewhere_steps, "enable_multiple_prewhere_read_steps", 23002)                                                    \
    X(shared_snapshot, "enable_shared_storage_snapshot_in_query", 25006)                                               \
    X(priority_wait, "low_priority_query_wait_time_ms", 25001)

static bool read_version(struct span text, unsigned *release)
{
    ptrdiff_t dot = span_find(text, '.');
    if (dot < 1) return false;
    struct span rest = span_from(text, (size_t)dot + 1);
    ptrdiff_t end = span_find(rest, '.');
    int64_t major, minor;
    if (!span_to_i64(span_upto(text, (size_t)dot), &major) ||
        !span_to_i64(end < 0 ? rest : span_upto(rest, (size_t)end), &minor))
        return false;
    if (major < 1 || major > 999 || minor < 0 || minor > 999) return false;
    *release = (unsigned)(major * 1000 + minor);
    return true;
}

bool store_dialect_of(struct span version, struct store_dialect *out)
{
    struct store_dialect d = {0};
    if (!read_version(version, &d.release)) return false;
    size_t len = version.len < sizeof d.version - 1 ? version.len : sizeof d.version - 1;
    memcpy(d.version, version.ptr, len);
    d.exact_inclusive = d.release >= 20009;
    d.codecs = d.release >= 19011;
    d.groups_coded = d.release >= 20003;
    d.grouping_sets = d.release >= 23001;
    d.recodes = d.release >= 23001;
    d.viewer_key = d.release >= 23001;
    d.profiles = d.release >= 23001;
    d.skip_indexes = d.release >= 20003;
    d.atomic = d.release >= 20010;
    d.parquet = d.release >= 20008;
    d.table_dedup = d.release >= 21002;
    d.table_fsync = d.release >= 20010;
    d.compact_parts = d.release >= 20003;
    d.low_cardinality_setting = d.release < 19005;
#define X(flag, name, since) d.flag = d.release >= (since);
    DIALECT_SETTINGS(X)
#undef X
    *out = d;
    return true;
}

enum err store_dialect_detect(struct store_client *client, struct store_dialect *out, struct store_error *error)
{
    static const char settings_sql[] = "SELECT name FROM system.settings WHERE name IN ("
#define X(flag, name, since) "'" name "', "
        DIALECT_SETTINGS(X)
#undef X
            "'')";
    struct store_settings none = {0};
    struct buf rows;
    buf_init(&rows, DETECT_BYTES);
    enum err e = store_query(client, SPAN("SELECT version()"), &none, "RowBinary", DETECT_MS, &rows, error);
    struct bytes in = bytes_of(buf_span(&rows));
    if (e == ERR_NONE && !store_dialect_of(rb_text(&in), out)) {
        *error = (struct store_error){.kind = ERR_CORRUPT, .text = "the store does not answer like a ClickHouse"};
        e = ERR_CORRUPT;
    }
    buf_clear(&rows);
    if (e == ERR_NONE) e = store_query(client, SPAN(settings_sql), &none, "RowBinary", DETECT_MS, &rows, error);
    if (e == ERR_NONE) {
#define X(flag, name, since) out->flag = false;
        DIALECT_SETTINGS(X)
#undef X
        in = bytes_of(buf_span(&rows));
        while (in.ok && bytes_left(&in)) {
            struct span found = rb_text(&in);
#define X(flag, name, since) out->flag = out->flag || span_is(found, name);
            DIALECT_SETTINGS(X)
#undef X
        }
    }
    buf_free(&rows);
    return e;
}

void store_dialect_read_settings(const struct store_dialect *d, struct store_settings *s)
{
    store_settings_add(s, "readonly", "2"); /* 1 would refuse the other settings */
    store_settings_add(s, "max_query_size", "16777216");
    /* Questions select nearly every row of the days that they read: conditions one after the other, each of which cuts
     * the blocks anew, take a fifth of the time more than all at once. */
    if (d->prewhere_steps) store_settings_add(s, "enable_multiple_prewhere_read_steps", "0");
    if (d->shared_snapshot) store_settings_add(s, "enable_shared_storage_snapshot_in_query", "1");
}

void store_dialect_define_settings(const struct store_dialect *d, struct store_settings *s)
{
    if (d->low_cardinality_setting) store_settings_add(s, "allow_experimental_low_cardinality_type", "1");
}

/* One insert has to stay one block, and so one part: that makes a batch atomic. */
void store_dialect_insert_settings(const struct store_dialect *d, const char *token, struct store_settings *s)
{
    store_settings_add(s, "max_insert_block_size", "1048576");
    store_settings_add(s, "min_insert_block_size_rows", "1048576");
    store_settings_add(s, "min_insert_block_size_bytes", "1073741824");
    if (d->native_casts) store_settings_add(s, "input_format_native_allow_types_conversion", "1");
    if (d->async_insert) store_settings_add(s, "async_insert", "0");
    if (d->dedup_token) store_settings_add(s, "insert_deduplication_token", token);
}

void store_dialect_percentile(struct buf *sql, const struct store_dialect *d, double q, const char *column)
{
    BUG_IF(!(q >= 0 && q <= 1));
    if (d->exact_inclusive) {
        buf_addf(sql, "quantileExactInclusive(%.17g)(%s)", q, column);
        return;
    }
    /* The same digits from an array. It is written out without aliases, so that it can stand several times in one
     * SELECT; ClickHouse calculates equal parts once. The last factor's index is cut to the array for q = 1. */
    struct buf a;
    buf_init(&a, 1024 * 1024);
    buf_addf(&a, "arraySort(groupArray(%s))", column);
    const char *v = a.ptr ? a.ptr : "";
    struct buf h;
    buf_init(&h, 1024 * 1024);
    buf_addf(&h, "((toInt64(length(%s)) - 1) * %.17g)", v, q);
    const char *at = h.ptr ? h.ptr : "";
    buf_addf(sql,
             "if(count() = 0, nan, arrayElement(%s, toUInt32(floor(%s)) + 1) + (%s - floor(%s)) * "
             "(arrayElement(%s, least(toUInt32(floor(%s)) + 2, toUInt32(length(%s)))) - arrayElement(%s, "
             "toUInt32(floor(%s)) + 1)))",
             v, at, at, at, v, at, v, v, at);
    if (a.failed || h.failed) sql->failed = true;
    buf_free(&a);
    buf_free(&h);
}

void store_dialect_percentile_of(struct buf *sql, const struct store_dialect *d, const double *shares, size_t n,
                                 size_t at, const char *column)
{
    BUG_IF(at >= n);
    if (!d->exact_inclusive || n == 1) { /* the array written out is one expression already */
        store_dialect_percentile(sql, d, shares[at], column);
        return;
    }
    buf_adds(sql, "quantilesExactInclusive(");
    for (size_t i = 0; i < n; i++) buf_addf(sql, "%s%.17g", i ? ", " : "", shares[i]);
    buf_addf(sql, ")(%s)[%zu]", column, at + 1);
}
