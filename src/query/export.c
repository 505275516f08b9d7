/* SPDX-License-Identifier: Apache-2.0
 * CSV: comma, "\r\n" nowhere: lines end with "\n"; a field with a comma, a quote or a line break is quoted, quotes are
 * doubled (RFC 4180). Null is empty, times are "YYYY-MM-DD HH:MM:SS.mmm" UTC, booleans true and false, a trace is
 * [a,b]. */
#include "query/export.h"

#include "base/clock.h"
#include "base/json.h"
#include "query/stream.h"
#include "store/escape.h"
#include "store/read.h"
#include "store/result.h"

enum { SQL_BYTES_MAX = 1024 * 1024, ROWS_BYTES_MAX = 16 * 1024 * 1024, EXPORT_MS = 3600000, PIECE_BYTES = 256 * 1024 };
#define DAY_MS INT64_C(86400000)

static const struct export_column columns[] = {
#define EXPORT(name, version, form, kind, sql) {#name, version, EXPORT_##form, EXPORT_##kind, sql},
#include "query/export.def"
#undef EXPORT
};

size_t export_column_count(void)
{
    return COUNT(columns);
}

const struct export_column *export_column_at(size_t i)
{
    return &columns[i];
}

/* -- days -- */

enum err query_export_days(struct query *q, const char *environment_id, int64_t from_day, int64_t to_day,
                           struct export_day **out, size_t *count)
{
    struct buf sql, where, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    struct window window = {.start_s = from_day * 86400, .end_s = to_day * 86400};
    question_where(&where, environment_id, &window, CLOCK_END, NULL);
    buf_adds(&sql, "SELECT toInt64(intDiv(t, 86400000)) AS d, toInt64(count()), groupBitXor(h) FROM ");
    store_views_from(&sql, q->store,
                     "view_end AS t, cityHash64(id_hi, id_lo, version, ifNull(error_type_id, 0), playback_failure, "
                     "playback_business_exception, ifNull(viewer_experience_score, -1)) AS h",
                     buf_span(&where));
    buf_adds(&sql, " GROUP BY d ORDER BY d");
    struct store_limits limits = {.timeout_ms = EXPORT_MS, .background = true};
    enum err e = sql.failed || where.failed
                     ? ERR_FULL
                     : store_select_as(q->store, buf_span(&sql), &limits, "RowBinary", &rows, &q->error);
    size_t n = 0, room = rows.len / 24;
    *out = arena_alloc(q->arena, (room + 1) * sizeof **out);
    if (*out == NULL) e = ERR_FULL;
    struct bytes in = bytes_of(buf_span(&rows));
    for (; e == ERR_NONE && n < room; n++) {
        struct export_day d = {.day = rb_i64(&in)};
        d.rows = rb_i64(&in);
        d.fingerprint = rb_u64(&in);
        (*out)[n] = d;
    }
    if (e == ERR_NONE && bytes_left(&in)) e = ERR_CORRUPT;
    *count = n;
    buf_free(&sql);
    buf_free(&where);
    buf_free(&rows);
    return e;
}

/* -- CSV -- */

void export_csv_text(struct buf *out, struct span text)
{
    bool plain = true;
    for (size_t i = 0; i < text.len && plain; i++) plain = memchr(",\"\r\n", text.ptr[i], 4) == NULL;
    if (plain) {
        buf_add_span(out, text);
        return;
    }
    buf_addc(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"') buf_addc(out, '"');
        buf_addc(out, text.ptr[i]);
    }
    buf_addc(out, '"');
}

static void csv_time(struct buf *out, int64_t ms)
{
    char text[32];
    iso_millis(text, ms); /* 2026-11-23T05:40:17.123Z */
    text[10] = ' ';
    buf_add(out, text, 23);
}

static void csv_double(struct buf *out, double v)
{
    char text[400];
    buf_add(out, text, json_format_double(text, sizeof text, v, true));
}

static void csv_trace(struct buf *out, struct bytes *in)
{
    struct buf text;
    buf_init(&text, ROWS_BYTES_MAX);
    size_t n = rb_array(in, 1);
    buf_addc(&text, '[');
    for (size_t i = 0; i < n && in->ok; i++) {
        if (i) buf_addc(&text, ',');
        buf_add_span(&text, rb_text(in));
    }
    buf_addc(&text, ']');
    export_csv_text(out, buf_span(&text));
    buf_free(&text);
}

static void csv_field(struct buf *out, enum export_kind kind, struct bytes *in)
{
    int64_t number;
    double real;
    switch (kind) {
    case EXPORT_TEXT: export_csv_text(out, rb_nullable_text(in)); return;
    case EXPORT_INTEGER:
        if (rb_nullable_i64(in, &number)) buf_addf(out, "%lld", (long long)number);
        return;
    case EXPORT_DOUBLE:
        if (rb_nullable_f64(in, &real)) csv_double(out, real);
        return;
    case EXPORT_BOOL: buf_adds(out, rb_u8(in) ? "true" : "false"); return;
    case EXPORT_NBOOL:
        if (!rb_null(in)) buf_adds(out, rb_u8(in) ? "true" : "false");
        return;
    case EXPORT_TIME: csv_time(out, rb_i64(in)); return;
    case EXPORT_TRACE: csv_trace(out, in); return;
    }
}

static const char *kind_type(enum export_kind kind)
{
    switch (kind) {
    case EXPORT_TEXT: return "Nullable(String)";
    case EXPORT_INTEGER: return "Nullable(Int64)";
    case EXPORT_DOUBLE: return "Nullable(Float64)";
    case EXPORT_BOOL: return "UInt8";
    case EXPORT_NBOOL: return "Nullable(UInt8)";
    case EXPORT_TIME: return "Int64";
    case EXPORT_TRACE: return "Array(String)";
    }
    return "";
}

/* "CAST(... AS ...) AS c0, ...": names of their own, so that no column hides another. */
static void columns_sql(struct buf *sql, enum export_form form)
{
    bool first = true;
    for (size_t i = 0; i < COUNT(columns); i++) {
        if (!((unsigned)columns[i].form & (unsigned)form)) continue;
        buf_addf(sql, "%sCAST(%s AS %s) AS c%zu", first ? "" : ", ", columns[i].sql, kind_type(columns[i].kind), i);
        first = false;
    }
}

static void day_sql(struct buf *sql, struct query *q, const char *environment_id, int64_t day, enum export_form form)
{
    struct buf inner, where;
    buf_init(&inner, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    struct window window = {.start_s = day * 86400, .end_s = (day + 1) * 86400};
    columns_sql(&inner, form);
    question_where(&where, environment_id, &window, CLOCK_END, NULL);
    store_views_from(sql, q->store, inner.ptr, buf_span(&where));
    if (inner.failed || where.failed) sql->failed = true;
    buf_free(&inner);
    buf_free(&where);
}

struct csv {
    struct export_sink *sink;
    struct buf lines;
    int64_t held; /* lines in it */
};

static bool csv_flush(struct csv *csv)
{
    bool ok = !csv->lines.failed && csv->sink->bytes(csv->sink->ctx, buf_span(&csv->lines));
    csv->sink->rows += csv->held;
    csv->held = 0;
    buf_clear(&csv->lines);
    return ok;
}

static bool csv_row(void *ctx, struct bytes *in)
{
    struct csv *csv = ctx;
    size_t before = csv->lines.len;
    bool first = true;
    for (size_t i = 0; i < COUNT(columns) && in->ok; i++) {
        if (!((unsigned)columns[i].form & EXPORT_CSV)) continue;
        if (!first) buf_addc(&csv->lines, ',');
        first = false;
        csv_field(&csv->lines, columns[i].kind, in);
    }
    if (!in->ok) { /* the rest of the row comes later */
        csv->lines.len = before;
        return true;
    }
    buf_addc(&csv->lines, '\n');
    csv->held++;
    return csv->lines.len < PIECE_BYTES || csv_flush(csv);
}

static void csv_header(struct buf *out)
{
    bool first = true;
    for (size_t i = 0; i < COUNT(columns); i++) {
        if (!((unsigned)columns[i].form & EXPORT_CSV)) continue;
        if (!first) buf_addc(out, ',');
        first = false;
        buf_adds(out, columns[i].name);
    }
    buf_addc(out, '\n');
}

enum err query_export_csv(struct query *q, const char *environment_id, int64_t day, struct export_sink *sink)
{
    struct buf sql;
    struct csv csv = {.sink = sink};
    struct store_limits limits = {.timeout_ms = EXPORT_MS, .background = true};
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&csv.lines, STREAM_ROW_BYTES_MAX);
    csv_header(&csv.lines);
    buf_adds(&sql, "SELECT * FROM ");
    day_sql(&sql, q, environment_id, day, EXPORT_CSV);
    enum err e = sql.failed ? ERR_FULL : query_stream(q, buf_span(&sql), &limits, csv_row, &csv);
    if (e == ERR_NONE && !csv_flush(&csv)) e = ERR_CLOSED;
    buf_free(&sql);
    buf_free(&csv.lines);
    return e;
}

static bool parquet_piece(void *ctx, struct span piece)
{
    struct export_sink *sink = ctx;
    return sink->bytes(sink->ctx, piece);
}

enum err query_export_parquet(struct query *q, const char *environment_id, int64_t day, struct export_sink *sink)
{
    struct buf sql;
    struct store_limits limits = {.timeout_ms = EXPORT_MS, .background = true};
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "SELECT ");
    bool first = true;
    for (size_t i = 0; i < COUNT(columns); i++) {
        if (!((unsigned)columns[i].form & EXPORT_PARQUET)) continue;
        buf_addf(&sql, columns[i].kind == EXPORT_TIME ? "%sfromUnixTimestamp64Milli(c%zu, 'UTC') AS " : "%sc%zu AS ",
                 first ? "" : ", ", i);
        store_escape_identifier(&sql, span_of(columns[i].name));
        first = false;
    }
    buf_adds(&sql, " FROM ");
    day_sql(&sql, q, environment_id, day, EXPORT_PARQUET);
    enum err e = sql.failed
                     ? ERR_FULL
                     : store_select_to(q->store, buf_span(&sql), &limits, "Parquet", parquet_piece, sink, &q->error);
    buf_free(&sql);
    return e;
}
