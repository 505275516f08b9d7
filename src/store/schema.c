/* SPDX-License-Identifier: Apache-2.0 */
#include "store/schema.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/escape.h"
#include "store/profile.h"
#include "store/result.h"

enum { SCHEMA_SQL_BYTES = 256 * 1024, SCHEMA_ROWS_BYTES = 4 * 1024 * 1024, SCHEMA_MS = 600000 };

#define TYPE_LC "LowCardinality(Nullable(String))"
#define TYPE_STR "Nullable(String)"
#define TYPE_I32 "Nullable(Int32)"
#define TYPE_I64 "Nullable(Int64)"
#define TYPE_F64 "Nullable(Float64)"
#define TYPE_BOOL "UInt8"
#define TYPE_NBOOL "Nullable(UInt8)"
#define TYPE_ASTR "Array(String)"
#define TYPE_AI64 "Array(Int64)"
#define TYPE_AF64 "Array(Float64)"

/* The timeline is the bulk of a row and seldom read; what questions scan stays with the fast default. */
#define CODEC_LC ""
#define CODEC_STR "ZSTD(1)"
#define CODEC_I32 ""
#define CODEC_I64 ""
#define CODEC_F64 ""
#define CODEC_BOOL ""
#define CODEC_NBOOL ""
#define CODEC_ASTR "ZSTD(3)"
#define CODEC_AI64 "ZSTD(3)"
#define CODEC_AF64 "ZSTD(3)"

/* Below this a part is one file, above it many hundreds: inserts and first merges of a table this wide would otherwise
 * spend more time on making and deleting files than on rows. A part that large holds some 200,000 views. */
#define COMPACT_PARTS "min_bytes_for_wide_part = 536870912"

/* A view with its timeline is some 6 kB, of which the default of 10 MB would make granules of 1,800: in a part of one
 * file each of them is a block of its own in every column, and questions take more than twice as long. */
#define WIDE_GRANULES "index_granularity_bytes = 33554432"

/* The order is the one of store_row_encode. */
static const struct store_column columns[] = {
    {"batch_id", "String", "ZSTD(1)"},
    {"environment_id", "LowCardinality(String)", ""},
    {"property_id", "Int64", ""},
    {"id_hi", "UInt64", ""},
    {"id_lo", "UInt64", ""},
    {"version", "UInt32", ""},
    {"final", "UInt8", ""},
    {"had_pending", "UInt8", ""},
    {"view_start", "Int64", "Delta(8), LZ4"},
    {"view_end", "Int64", "Delta(8), LZ4"},
    {"inserted_at", "Int64", "Delta(8), LZ4"},
    {"updated_at", "Int64", "Delta(8), LZ4"},
#define COL(name, kind, rest, form, meaning) {#name, TYPE_##kind, CODEC_##kind},
#include "views/columns.def"
#undef COL
};

size_t store_column_count(void)
{
    return COUNT(columns);
}

const struct store_column *store_column_at(size_t i)
{
    BUG_IF(i >= COUNT(columns));
    return &columns[i];
}

void store_schema_insert_sql(struct buf *sql, const char *format)
{
    buf_adds(sql, "INSERT INTO firstframe.views (");
    for (size_t i = 0; i < COUNT(columns); i++) {
        if (i) buf_addc(sql, ',');
        buf_adds(sql, columns[i].name);
    }
    buf_addf(sql, ") FORMAT %s", format);
}

/* -- migrations -- */

struct migrating {
    struct store_client *client;
    const struct store_dialect *dialect;
    struct store_error *error;
    struct buf detail; /* what the migration did, for its record */
};

static enum err define(struct migrating *m, struct span sql)
{
    struct store_settings settings = {0};
    store_dialect_define_settings(m->dialect, &settings);
    return store_query(m->client, sql, &settings, "RowBinary", SCHEMA_MS, NULL, m->error);
}

static enum err ask(struct migrating *m, const char *sql, struct buf *rows)
{
    struct store_settings settings = {0};
    return store_query(m->client, span_of(sql), &settings, "RowBinary", SCHEMA_MS, rows, m->error);
}

static void column_sql(struct buf *sql, const struct store_dialect *d, const struct store_column *c)
{
    store_escape_identifier(sql, span_of(c->name));
    buf_addf(sql, " %s", c->type);
    if (d->codecs && c->codec[0]) buf_addf(sql, " CODEC(%s)", c->codec);
}

static enum err make_views(struct migrating *m)
{
    const struct store_dialect *d = m->dialect;
    struct buf sql;
    buf_init(&sql, SCHEMA_SQL_BYTES);
    buf_adds(&sql, "CREATE TABLE IF NOT EXISTS firstframe.views (");
    for (size_t i = 0; i < COUNT(columns); i++) {
        if (i) buf_adds(&sql, ", ");
        column_sql(&sql, d, &columns[i]);
    }
    buf_adds(&sql, ") ENGINE = MergeTree PARTITION BY (final, intDiv(view_end, if(final = 1, toInt64(86400000), "
                   "toInt64(3600000)))) ORDER BY (environment_id, view_end) SETTINGS index_granularity = 8192");
    if (d->table_dedup) buf_adds(&sql, ", non_replicated_deduplication_window = 1000");
    if (d->table_fsync) buf_adds(&sql, ", fsync_after_insert = 1, fsync_part_directory = 1");
    if (d->compact_parts) buf_adds(&sql, ", " COMPACT_PARTS ", " WIDE_GRANULES);
    BUG_IF(sql.failed);
    enum err e = define(m, buf_span(&sql));
    buf_free(&sql);
    return e;
}

/* Whatever columns.def has and the table has not. Those that the table has beyond (a newer program made them) stay. */
static enum err add_columns(struct migrating *m)
{
    struct buf rows, sql;
    buf_init(&rows, SCHEMA_ROWS_BYTES);
    buf_init(&sql, SCHEMA_SQL_BYTES);
    enum err e = ask(m, "SELECT name FROM system.columns WHERE database = 'firstframe' AND table = 'views'", &rows);
    bool have[COUNT(columns)] = {0};
    struct bytes in = bytes_of(buf_span(&rows));
    while (e == ERR_NONE && in.ok && bytes_left(&in)) {
        struct span name = rb_text(&in);
        for (size_t i = 0; i < COUNT(columns); i++) have[i] = have[i] || span_is(name, columns[i].name);
    }
    buf_adds(&sql, "ALTER TABLE firstframe.views ");
    for (size_t i = 0; i < COUNT(columns); i++) {
        if (have[i]) continue;
        buf_adds(&sql, m->detail.len ? ", ADD COLUMN " : "ADD COLUMN ");
        column_sql(&sql, m->dialect, &columns[i]);
        buf_addf(&m->detail, "%s%s", m->detail.len ? "," : "", columns[i].name);
    }
    BUG_IF(sql.failed);
    if (e == ERR_NONE && m->detail.len) {
        LOG_INF("store_columns_added", "columns=%s", m->detail.ptr);
        e = define(m, buf_span(&sql));
    }
    buf_free(&rows);
    buf_free(&sql);
    return e;
}

static bool has_index(struct span rows, const char *name)
{
    struct bytes in = bytes_of(rows);
    while (in.ok && bytes_left(&in))
        if (span_is(rb_text(&in), name)) return true;
    return false;
}

/* A view by its id, and questions by view_start, without reading whole days. They hold for parts written from now on,
 * which is all of them in a store that begins with this program. */
static enum err add_indexes(struct migrating *m)
{
    static const struct {
        const char *name, *sql;
    } indexes[] = {
        {"by_id", "ALTER TABLE firstframe.views ADD INDEX by_id id_lo TYPE bloom_filter(0.01) GRANULARITY 1"},
        {"by_start", "ALTER TABLE firstframe.views ADD INDEX by_start view_start TYPE minmax GRANULARITY 1"},
    };
    if (!m->dialect->skip_indexes) return ERR_NONE;
    struct buf rows;
    buf_init(&rows, SCHEMA_ROWS_BYTES);
    enum err e = ask(
        m, "SELECT name FROM system.data_skipping_indices WHERE database = 'firstframe' AND table = 'views'", &rows);
    for (size_t i = 0; i < COUNT(indexes) && e == ERR_NONE; i++) {
        if (has_index(buf_span(&rows), indexes[i].name)) continue;
        buf_addf(&m->detail, "%s%s", m->detail.len ? "," : "", indexes[i].name);
        e = define(m, span_of(indexes[i].sql));
    }
    buf_free(&rows);
    return e;
}

/* Texts that columns.def has come to know as of few values, and the table was made with as of many: grouping by them
 * then costs as much as by the others. The store changes them in the background and reads both forms meanwhile. */
static enum err recode_texts(struct migrating *m)
{
    if (!m->dialect->recodes) return ERR_NONE;
    struct buf rows, sql;
    buf_init(&rows, SCHEMA_ROWS_BYTES);
    buf_init(&sql, SCHEMA_SQL_BYTES);
    enum err e = ask(m,
                     "SELECT name FROM system.columns WHERE database = 'firstframe' AND table = 'views' AND "
                     "type = '" TYPE_STR "'",
                     &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    buf_adds(&sql, "ALTER TABLE firstframe.views ");
    while (e == ERR_NONE && in.ok && bytes_left(&in)) {
        struct span name = rb_text(&in);
        for (size_t i = 0; i < COUNT(columns); i++) {
            if (!span_is(name, columns[i].name) || strcmp(columns[i].type, TYPE_LC) != 0) continue;
            buf_adds(&sql, m->detail.len ? ", MODIFY COLUMN " : "MODIFY COLUMN ");
            column_sql(&sql, m->dialect, &columns[i]);
            buf_addf(&m->detail, "%s%s", m->detail.len ? "," : "", columns[i].name);
        }
    }
    buf_adds(&sql, " SETTINGS alter_sync = 0");
    BUG_IF(sql.failed);
    if (e == ERR_NONE && m->detail.len) e = define(m, buf_span(&sql));
    buf_free(&rows);
    buf_free(&sql);
    return e;
}

/* Viewers are told apart by 64 bits of their id's hash, which takes a fifth of the time that the ids themselves take.
 * With a hundred million viewers an answer is one too low once in four thousand. Older rows are hashed when they are
 * read, until the store has come to them. */
static enum err add_viewer_key(struct migrating *m)
{
    if (!m->dialect->viewer_key) return ERR_NONE;
    enum err e = define(m, SPAN("ALTER TABLE firstframe.views ADD COLUMN IF NOT EXISTS viewer_key Nullable(UInt64) "
                                "MATERIALIZED sipHash64(ifNull(viewer_user_id, mux_viewer_id)) CODEC(NONE)"));
    if (e != ERR_NONE) return e;
    return define(m, SPAN("ALTER TABLE firstframe.views MATERIALIZE COLUMN viewer_key SETTINGS mutations_sync = 0"));
}

/* Those of older rows are made when they are read, until the store has come to them. */
static enum err add_profiles(struct migrating *m)
{
    if (!m->dialect->profiles) return ERR_NONE;
    struct buf add, fill;
    buf_init(&add, SCHEMA_SQL_BYTES);
    buf_init(&fill, SCHEMA_SQL_BYTES);
    for (size_t i = 0; i < store_profile_count(); i++) {
        const struct store_profile *p = store_profile_at(i);
        buf_addf(&add, "%s ADD COLUMN IF NOT EXISTS %s LowCardinality(String) MATERIALIZED ",
                 i ? "," : "ALTER TABLE firstframe.views", p->name);
        store_profile_sql(&add, p);
        buf_addf(&fill, "%s MATERIALIZE COLUMN %s", i ? "," : "ALTER TABLE firstframe.views", p->name);
    }
    buf_adds(&fill, " SETTINGS mutations_sync = 0");
    BUG_IF(add.failed || fill.failed);
    enum err e = define(m, buf_span(&add));
    if (e == ERR_NONE) e = define(m, buf_span(&fill));
    buf_free(&add);
    buf_free(&fill);
    return e;
}

enum err store_schema_profiles_filled(struct store_client *client, int timeout_ms, bool *filled,
                                      struct store_error *error)
{
    struct store_settings settings = {0};
    struct buf rows;
    buf_init(&rows, SCHEMA_ROWS_BYTES);
    enum err e = store_query(client,
                             SPAN("SELECT toInt64(count()) FROM system.mutations WHERE database = 'firstframe' AND "
                                  "table = 'views' AND is_done = 0 AND command LIKE '%MATERIALIZE COLUMN profile%'"),
                             &settings, "RowBinary", timeout_ms, &rows, error);
    struct bytes in = bytes_of(buf_span(&rows));
    *filled = e == ERR_NONE && rb_i64(&in) == 0 && in.ok;
    buf_free(&rows);
    return e;
}

/* In order. Each may find its work done, wholly or in part. A repeated one runs at every connection, since what it has
 * to do is decided by columns.def, and is recorded whenever it did something. */
static const struct migration {
    unsigned number;
    const char *name;
    bool repeated;
    enum err (*run)(struct migrating *m);
} migrations[] = {
    {1, "views", false, make_views},          {2, "columns", true, add_columns},
    {3, "indexes", true, add_indexes},        {4, "texts of few values", true, recode_texts},
    {5, "viewer key", false, add_viewer_key}, {6, "profiles", false, add_profiles},
};

static enum err make_database(struct migrating *m)
{
    enum err e = define(m, m->dialect->atomic ? SPAN("CREATE DATABASE IF NOT EXISTS firstframe ENGINE = Atomic")
                                              : SPAN("CREATE DATABASE IF NOT EXISTS firstframe"));
    if (e != ERR_NONE) return e;
    return define(m,
                  SPAN("CREATE TABLE IF NOT EXISTS firstframe.migrations (number UInt32, name String, detail String, "
                       "applied_at Int64) ENGINE = MergeTree ORDER BY number SETTINGS index_granularity = 8192"));
}

static enum err record(struct migrating *m, const struct migration *step)
{
    struct buf sql;
    buf_init(&sql, SCHEMA_SQL_BYTES);
    buf_addf(&sql, "INSERT INTO firstframe.migrations (number, name, detail, applied_at) VALUES (%u, ", step->number);
    store_escape_text(&sql, span_of(step->name));
    buf_adds(&sql, ", ");
    store_escape_text(&sql, buf_span(&m->detail));
    buf_addf(&sql, ", %" PRId64 ")", wall_now_ms());
    struct store_settings settings = {0};
    store_dialect_insert_settings(m->dialect, "", &settings);
    enum err e = store_query(m->client, buf_span(&sql), &settings, "RowBinary", SCHEMA_MS, NULL, m->error);
    buf_free(&sql);
    return e;
}

static enum err migrate_step(struct migrating *m, const struct migration *step, bool done)
{
    if (done && !step->repeated) return ERR_NONE;
    buf_clear(&m->detail);
    enum err e = step->run(m);
    if (e != ERR_NONE || (done && m->detail.len == 0)) return e;
    LOG_INF("store_migrated", "number=%u name=%s", step->number, step->name);
    return record(m, step);
}

enum err store_schema_migrate(struct store_client *client, const struct store_dialect *dialect,
                              struct store_error *error)
{
    struct migrating m = {.client = client, .dialect = dialect, .error = error};
    struct buf rows;
    buf_init(&m.detail, SCHEMA_SQL_BYTES);
    buf_init(&rows, SCHEMA_ROWS_BYTES);
    bool done[COUNT(migrations)] = {0};
    enum err e = make_database(&m);
    if (e == ERR_NONE) e = ask(&m, "SELECT DISTINCT number FROM firstframe.migrations", &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    while (e == ERR_NONE && in.ok && bytes_left(&in)) {
        uint32_t number = rb_u32(&in);
        for (size_t i = 0; i < COUNT(migrations); i++) done[i] = done[i] || migrations[i].number == number;
    }
    for (size_t i = 0; i < COUNT(migrations) && e == ERR_NONE; i++) e = migrate_step(&m, &migrations[i], done[i]);
    buf_free(&rows);
    buf_free(&m.detail);
    return e;
}
