/* SPDX-License-Identifier: Apache-2.0 */
#include "query/viewrows.h"

#include "store/escape.h"
#include "store/read.h"
#include "store/result.h"

enum { SQL_BYTES_MAX = 1024 * 1024, ROWS_BYTES_MAX = 64 * 1024 * 1024, FIND_TRIES = 2 };

static const char brief_columns[] =
    "id_hi, id_lo, view_start, view_end, CAST(video_title AS Nullable(String)) AS video_title, "
    "CAST(browser AS Nullable(String)) AS browser, CAST(operating_system AS Nullable(String)) AS operating_system, "
    "CAST(country AS Nullable(String)) AS country, CAST(player_error_code AS Nullable(String)) AS player_error_code, "
    "CAST(player_error_message AS Nullable(String)) AS player_error_message, error_type_id, watch_time, "
    "viewer_experience_score, playback_failure";

static struct span text_copy(struct arena *arena, struct bytes *in)
{
    struct span s = rb_nullable_text(in);
    return s.ptr ? arena_copy(arena, s) : s;
}

static struct opt_i64 read_i32(struct bytes *in)
{
    if (bytes_u8(in)) return (struct opt_i64){0, false};
    return (struct opt_i64){(int32_t)bytes_u32(in), true};
}

static struct opt_i64 read_i64(struct bytes *in)
{
    if (bytes_u8(in)) return (struct opt_i64){0, false};
    return (struct opt_i64){rb_i64(in), true};
}

static struct opt_f64 read_f64(struct bytes *in)
{
    if (bytes_u8(in)) return (struct opt_f64){0, false};
    return (struct opt_f64){rb_f64(in), true};
}

static struct view_brief read_brief(struct arena *arena, struct bytes *in)
{
    struct view_brief v = {.id.hi = bytes_u64(in)};
    v.id.lo = bytes_u64(in);
    v.view_start_ms = rb_i64(in);
    v.view_end_ms = rb_i64(in);
    v.video_title = text_copy(arena, in);
    v.browser = text_copy(arena, in);
    v.operating_system = text_copy(arena, in);
    v.country = text_copy(arena, in);
    v.player_error_code = text_copy(arena, in);
    v.player_error_message = text_copy(arena, in);
    v.error_type_id = read_i32(in);
    v.watch_time = read_i32(in);
    v.viewer_experience_score = read_f64(in);
    v.playback_failure = bytes_u8(in) != 0;
    return v;
}

static void list_where(struct buf *where, const struct view_list_question *question)
{
    question_where(where, question->environment_id, &question->window, CLOCK_END, question->filters);
    if (question->viewer_id.len) {
        buf_adds(where, " AND (ifNull(viewer_user_id = ");
        store_escape_text(where, question->viewer_id);
        buf_adds(where, ", 0) OR ifNull(mux_viewer_id = ");
        store_escape_text(where, question->viewer_id);
        buf_adds(where, ", 0))");
    }
    if (question->errors == ERRORS_ANY) buf_adds(where, " AND isNotNull(error_type_id)");
    if (question->errors == ERRORS_ONE)
        buf_addf(where, " AND ifNull(error_type_id = %lld, 0)", (long long)question->error_id);
}

static enum err list_total(struct query *q, struct span where, int64_t *total)
{
    struct buf sql, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_adds(&sql, "SELECT toInt64(count()) FROM ");
    store_views_from(&sql, q->store, "view_end", where);
    enum err e = sql.failed ? ERR_FULL : store_select(q->store, buf_span(&sql), &rows, &q->error);
    struct bytes in = bytes_of(buf_span(&rows));
    if (e == ERR_NONE) *total = rb_i64(&in);
    if (e == ERR_NONE && !in.ok) e = ERR_CORRUPT;
    buf_free(&sql);
    buf_free(&rows);
    return e;
}

/* Narrows where to the ends that the first n final rows have: finding them reads little, in the table's order. With
 * fewer final rows than n every end may be among the first. */
static void list_cut(struct buf *where, const struct view_list_question *question, int64_t n)
{
    const struct window *w = &question->window;
    bool down = question->descending;
    struct buf same;
    buf_init(&same, SQL_BYTES_MAX);
    buf_add_span(&same, buf_span(where));
    buf_addf(where,
             " AND view_end %s (SELECT if(count() < %lld, toInt64(%lld), %s(e)) FROM (SELECT view_end AS e FROM "
             "firstframe.views WHERE indexHint(final = 1) AND (",
             down ? ">=" : "<=", (long long)n, (long long)(down ? w->start_s : w->end_s) * 1000, down ? "min" : "max");
    buf_add_span(where, buf_span(&same));
    buf_addf(where, ") ORDER BY view_end %s LIMIT %lld))", down ? "DESC" : "ASC", (long long)n);
    if (same.failed) where->failed = true;
    buf_free(&same);
}

enum err query_view_list(struct query *q, const struct view_list_question *question, struct view_brief **out,
                         size_t *count, int64_t *total)
{
    struct buf sql, rows, where;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    list_where(&where, question);
    enum err e = list_total(q, buf_span(&where), total);
    *count = 0;
    *out = arena_alloc(q->arena, question->limit * sizeof **out);
    if (*out == NULL) e = ERR_FULL;
    int64_t skip = (int64_t)(question->page - 1) * question->limit;
    if (e == ERR_NONE && skip < *total) {
        list_cut(&where, question, skip + question->limit);
        buf_adds(&sql, "SELECT * FROM ");
        store_views_from(&sql, q->store, brief_columns, buf_span(&where));
        buf_addf(&sql, " ORDER BY view_end %s, id_hi, id_lo LIMIT %lld, %u", question->descending ? "DESC" : "ASC",
                 (long long)skip, question->limit);
        e = sql.failed ? ERR_FULL : store_select(q->store, buf_span(&sql), &rows, &q->error);
        struct bytes in = bytes_of(buf_span(&rows));
        while (e == ERR_NONE && bytes_left(&in) && *count < question->limit) {
            (*out)[(*count)++] = read_brief(q->arena, &in);
            if (!in.ok) e = ERR_CORRUPT;
        }
    }
    buf_free(&where);
    buf_free(&sql);
    buf_free(&rows);
    return e;
}

/* -- one view -- */

#define READ_LC(in) text_copy(arena, in)
#define READ_STR(in) text_copy(arena, in)
#define READ_I32(in) read_i32(in)
#define READ_I64(in) read_i64(in)
#define READ_F64(in) read_f64(in)
#define READ_BOOL(in) (bytes_u8(in) != 0)
#define READ_NBOOL(in) read_nbool(in)
#define READ_ASTR(in) read_texts(arena, in)
#define READ_AI64(in) read_ints(arena, in)
#define READ_AF64(in) read_doubles(arena, in)

#define SQL_LC(name) name /* in RowBinary like a plain text */
#define SQL_STR(name) name
#define SQL_I32(name) name
#define SQL_I64(name) name
#define SQL_F64(name) name
#define SQL_BOOL(name) name
#define SQL_NBOOL(name) name
#define SQL_ASTR(name) name
#define SQL_AI64(name) name
#define SQL_AF64(name) name

static struct opt_i64 read_nbool(struct bytes *in)
{
    if (bytes_u8(in)) return (struct opt_i64){0, false};
    return (struct opt_i64){bytes_u8(in), true};
}

/* An array's length, refused when it cannot fit into what is left. */
static size_t read_length(struct bytes *in, size_t item_bytes_min)
{
    uint64_t n = bytes_varint(in);
    if (n > bytes_left(in) / item_bytes_min) in->ok = false;
    return in->ok ? (size_t)n : 0;
}

static struct list_text read_texts(struct arena *arena, struct bytes *in)
{
    struct list_text list = {.n = read_length(in, 1)};
    list.items = arena_alloc(arena, (list.n + 1) * sizeof *list.items);
    if (list.items == NULL) in->ok = false, list.n = 0;
    for (size_t i = 0; i < list.n; i++) {
        size_t len = read_length(in, 1);
        list.items[i] = arena_copy(arena, bytes_span(in, len));
    }
    return list;
}

static struct list_i64 read_ints(struct arena *arena, struct bytes *in)
{
    struct list_i64 list = {.n = read_length(in, 8)};
    list.items = arena_alloc(arena, (list.n + 1) * sizeof *list.items);
    if (list.items == NULL) in->ok = false, list.n = 0;
    for (size_t i = 0; i < list.n; i++) list.items[i] = rb_i64(in);
    return list;
}

static struct list_f64 read_doubles(struct arena *arena, struct bytes *in)
{
    struct list_f64 list = {.n = read_length(in, 8)};
    list.items = arena_alloc(arena, (list.n + 1) * sizeof *list.items);
    if (list.items == NULL) in->ok = false, list.n = 0;
    for (size_t i = 0; i < list.n; i++) list.items[i] = rb_f64(in);
    return list;
}

static const char row_columns[] =
    "property_id, id_hi, id_lo, version, final, had_pending, view_start, view_end, inserted_at, updated_at"
#define COL(name, kind, rest, form, meaning) ", " SQL_##kind(#name)
#include "views/columns.def"
#undef COL
    ;

static void read_row(struct arena *arena, struct bytes *in, struct view_row *out)
{
    out->property_id = rb_i64(in);
    out->id.hi = bytes_u64(in);
    out->id.lo = bytes_u64(in);
    out->version = bytes_u32(in);
    out->final = bytes_u8(in) != 0;
    out->had_pending = bytes_u8(in) != 0;
    out->view_start_ms = rb_i64(in);
    out->view_end_ms = rb_i64(in);
    out->inserted_ms = rb_i64(in);
    out->updated_ms = rb_i64(in);
#define COL(name, kind, rest, form, meaning) out->name = READ_##kind(in);
#include "views/columns.def"
#undef COL
}

/* The version that counts: the final one, else the newest. */
struct version {
    bool found, final;
    uint32_t number;
    int64_t view_end_ms;
};

/* Few columns, so that the search through all days by the id's index is cheap. */
static enum err find_version(struct query *q, struct span where, struct version *out)
{
    struct buf sql, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    *out = (struct version){.found = false};
    buf_adds(&sql, "SELECT final, version, view_end FROM firstframe.views WHERE ");
    buf_add_span(&sql, where);
    enum err e = sql.failed ? ERR_FULL : store_select(q->store, buf_span(&sql), &rows, &q->error);
    struct bytes in = bytes_of(buf_span(&rows));
    while (e == ERR_NONE && bytes_left(&in)) {
        struct version v = {.found = true, .final = bytes_u8(&in) != 0};
        v.number = bytes_u32(&in);
        v.view_end_ms = rb_i64(&in);
        if (!in.ok) e = ERR_CORRUPT;
        else if (!out->found || v.final > out->final || (v.final == out->final && v.number > out->number)) *out = v;
    }
    buf_free(&sql);
    buf_free(&rows);
    return e;
}

/* The whole row, found by the table's order. */
static enum err read_version(struct query *q, struct span where, const struct version *version,
                             const struct filters *filters, struct view_row *out, bool *found)
{
    struct buf sql, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_addf(&sql, "SELECT %s FROM firstframe.views WHERE final = %d AND view_end = %lld AND version = %lu AND ",
             row_columns, version->final, (long long)version->view_end_ms, (unsigned long)version->number);
    buf_add_span(&sql, where);
    if (filters) filters_sql(filters, &sql);
    buf_adds(&sql, " LIMIT 1");
    static const struct store_limits limits = {.most_rows = true}; /* of the one place in the table's order */
    enum err e =
        sql.failed ? ERR_FULL : store_select_as(q->store, buf_span(&sql), &limits, "RowBinary", &rows, &q->error);
    *found = e == ERR_NONE && rows.len > 0;
    if (*found) {
        struct bytes in = bytes_of(buf_span(&rows));
        read_row(q->arena, &in, out);
        if (!in.ok) e = ERR_CORRUPT;
    }
    buf_free(&sql);
    buf_free(&rows);
    return e;
}

enum err query_view(struct query *q, const char *environment_id, struct hash128 id, const struct filters *filters,
                    struct view_row *out, bool *found)
{
    struct buf where;
    struct version version;
    buf_init(&where, SQL_BYTES_MAX);
    buf_adds(&where, "environment_id = ");
    store_escape_text(&where, span_of(environment_id));
    buf_addf(&where, " AND id_hi = %llu AND id_lo = %llu", (unsigned long long)id.hi, (unsigned long long)id.lo);
    *out = (struct view_row){0};
    *found = false;
    enum err e = where.failed ? ERR_FULL : ERR_NONE;
    /* A version may go between the two statements: its pending partition is dropped once the final row is there. */
    for (int tries = 0; tries < FIND_TRIES && e == ERR_NONE && !*found; tries++) {
        e = find_version(q, buf_span(&where), &version);
        if (e != ERR_NONE || !version.found) break;
        e = read_version(q, buf_span(&where), &version, filters, out, found);
        if (filters && version.final) break; /* it is there, and the filters do not let it through */
    }
    buf_free(&where);
    return e;
}
