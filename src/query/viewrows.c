/* SPDX-License-Identifier: Apache-2.0 */
#include "query/viewrows.h"

#include "store/escape.h"
#include "store/read.h"
#include "store/result.h"

enum { SQL_BYTES_MAX = 1024 * 1024, ROWS_BYTES_MAX = 64 * 1024 * 1024 };

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

#define SQL_LC(name) "CAST(" name " AS Nullable(String)) AS " name
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

enum err query_view(struct query *q, const char *environment_id, struct hash128 id, const struct filters *filters,
                    struct view_row *out, bool *found)
{
    struct buf sql, rows, where;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    buf_adds(&where, "environment_id = ");
    store_escape_text(&where, span_of(environment_id));
    buf_addf(&where, " AND id_hi = %llu AND id_lo = %llu", (unsigned long long)id.hi, (unsigned long long)id.lo);
    if (filters) filters_sql(filters, &where);
    buf_adds(&sql, "SELECT * FROM ");
    store_views_from(&sql, q->store, row_columns, buf_span(&where));
    buf_adds(&sql, " LIMIT 1");
    *out = (struct view_row){0};
    enum err e = sql.failed ? ERR_FULL : store_select(q->store, buf_span(&sql), &rows, &q->error);
    *found = e == ERR_NONE && rows.len > 0;
    if (*found) {
        struct bytes in = bytes_of(buf_span(&rows));
        read_row(q->arena, &in, out);
        if (!in.ok) e = ERR_CORRUPT;
    }
    buf_free(&where);
    buf_free(&sql);
    buf_free(&rows);
    return e;
}
