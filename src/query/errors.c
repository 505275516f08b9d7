/* SPDX-License-Identifier: Apache-2.0 */
#include "query/errors.h"

#include "store/escape.h"
#include "store/read.h"
#include "store/result.h"

#include <stdlib.h>

enum { SQL_BYTES_MAX = 1024 * 1024, ROWS_BYTES_MAX = 64 * 1024 * 1024 };

static int error_compare(const void *x, const void *y)
{
    const struct error_row *a = x, *b = y;
    if (a->views != b->views) return a->views > b->views ? -1 : 1;
    if (a->last_seen_ms != b->last_seen_ms) return a->last_seen_ms > b->last_seen_ms ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

static enum err rows_read(struct query *q, struct span rows, struct error_row **out, size_t *count, int64_t *all_views)
{
    size_t room = 64, n = 0;
    struct error_row *list = arena_alloc(q->arena, room * sizeof *list);
    struct bytes in = bytes_of(rows);
    while (list && bytes_left(&in)) {
        if (n == room) {
            struct error_row *grown = arena_alloc(q->arena, 2 * room * sizeof *grown);
            if (grown == NULL) return ERR_FULL;
            memcpy(grown, list, n * sizeof *grown);
            list = grown;
            room *= 2;
        }
        struct error_row *row = &list[n];
        bool none = !rb_nullable_i64(&in, &row->id);
        struct span code = rb_nullable_text(&in), message = rb_nullable_text(&in);
        row->views = rb_i64(&in);
        row->last_seen_ms = rb_i64(&in);
        if (!in.ok) return ERR_CORRUPT;
        if (none) {
            *all_views = row->views;
            continue;
        }
        row->code = code.ptr ? arena_copy(q->arena, code) : code;
        row->message = message.ptr ? arena_copy(q->arena, message) : message;
        if ((code.ptr && row->code.ptr == NULL) || (message.ptr && row->message.ptr == NULL)) return ERR_FULL;
        n++;
    }
    if (list == NULL) return ERR_FULL;
    qsort(list, n, sizeof *list, error_compare);
    *out = list;
    *count = n;
    return ERR_NONE;
}

enum err query_errors(struct query *q, const char *environment_id, const struct window *window,
                      const struct filters *filters, const int64_t *only, struct error_row **out, size_t *count,
                      int64_t *all_views)
{
    struct buf sql, where, erring, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    buf_init(&erring, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    *all_views = 0;
    question_where(&where, environment_id, window, CLOCK_END, filters);
    buf_add_span(&erring, buf_span(&where));
    if (only) buf_addf(&erring, " AND error_type_id = %lld", (long long)*only);
    else buf_adds(&erring, " AND isNotNull(error_type_id)");
    /* The texts are read for views with an error only; all views are counted apart. */
    buf_adds(&sql,
             "SELECT CAST(id AS Nullable(Int64)), any(code), any(message), toInt64(count()), toInt64(max(seen)) FROM ");
    store_views_from(&sql, q->store,
                     "error_type_id AS id, CAST(player_error_code AS Nullable(String)) AS code, "
                     "CAST(player_error_message AS Nullable(String)) AS message, ifNull(error_last_seen, 0) AS seen",
                     buf_span(&erring));
    buf_adds(&sql, " GROUP BY id UNION ALL SELECT CAST(NULL AS Nullable(Int64)), CAST(NULL AS Nullable(String)), "
                   "CAST(NULL AS Nullable(String)), toInt64(count()), toInt64(0) FROM ");
    store_views_from(&sql, q->store, "view_end", buf_span(&where));
    bool failed = sql.failed || where.failed || erring.failed;
    enum err e = failed ? ERR_FULL : store_select(q->store, buf_span(&sql), &rows, &q->error);
    if (e == ERR_NONE) e = rows_read(q, buf_span(&rows), out, count, all_views);
    buf_free(&sql);
    buf_free(&where);
    buf_free(&erring);
    buf_free(&rows);
    return e;
}

/* "" in the stored lists is none. */
static struct span text_or_none(struct arena *arena, struct span s)
{
    return s.len ? arena_copy(arena, s) : (struct span){NULL, 0};
}

enum err query_error_find(struct query *q, const char *environment_id, int64_t id, const struct filters *filters,
                          struct error_row *out, bool *found)
{
    struct buf sql, where, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_adds(&where, "environment_id = ");
    store_escape_text(&where, span_of(environment_id));
    buf_addf(&where, " AND has(error_ids, %lld)", (long long)id);
    if (filters) filters_sql(filters, &where);
    buf_addf(&sql, "SELECT error_codes[indexOf(error_ids, %lld)], error_messages[indexOf(error_ids, %lld)] FROM ",
             (long long)id, (long long)id);
    store_views_from(&sql, q->store, "error_ids, error_codes, error_messages", buf_span(&where));
    buf_adds(&sql, " LIMIT 1");
    enum err e = sql.failed || where.failed ? ERR_FULL : store_select(q->store, buf_span(&sql), &rows, &q->error);
    struct bytes in = bytes_of(buf_span(&rows));
    *found = e == ERR_NONE && rows.len > 0;
    *out = (struct error_row){.id = id};
    if (*found) {
        out->code = text_or_none(q->arena, rb_text(&in));
        out->message = text_or_none(q->arena, rb_text(&in));
        if (!in.ok) e = ERR_CORRUPT;
    }
    buf_free(&sql);
    buf_free(&where);
    buf_free(&rows);
    return e;
}
