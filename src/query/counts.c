/* SPDX-License-Identifier: Apache-2.0 */
#include "query/counts.h"

#include "store/escape.h"
#include "store/read.h"
#include "store/result.h"

enum { SQL_BYTES_MAX = 1024 * 1024, ROWS_BYTES_MAX = 1024 };

enum err query_counts(struct query *q, const char *environment_id, const struct dimension *of, struct span id,
                      int64_t since_ms, int64_t *views, int64_t *viewers)
{
    struct buf sql, where, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_adds(&where, "environment_id = ");
    store_escape_text(&where, span_of(environment_id));
    buf_addf(&where, " AND final = 0 AND view_end >= %lld AND ifNull(%s = ", (long long)since_ms, of->column);
    store_escape_text(&where, id);
    buf_adds(&where, ", 0)");
    buf_adds(&sql, "SELECT toInt64(count()), toInt64(ifNull(uniqExact(k), 0)) + toInt64(countIf(isNull(k))) FROM ");
    store_views_from(&sql, q->store, "ifNull(viewer_user_id, mux_viewer_id) AS k", buf_span(&where));
    enum err e = sql.failed || where.failed ? ERR_FULL : store_select(q->store, buf_span(&sql), &rows, &q->error);
    struct bytes in = bytes_of(buf_span(&rows));
    *views = rb_i64(&in);
    *viewers = rb_i64(&in);
    if (e == ERR_NONE && !in.ok) e = ERR_CORRUPT;
    buf_free(&sql);
    buf_free(&where);
    buf_free(&rows);
    return e;
}
