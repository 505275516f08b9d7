/* SPDX-License-Identifier: Apache-2.0
 * Pending partitions go when all their views are final. The writer's thread does it, which is the only one that adds
 * pending rows: what it found out still holds when it drops. */
#include <inttypes.h>

#include "base/counters.h"
#include "base/log.h"
#include "store/result.h"
#include "store/writer_internal.h"

enum { CLEAN_ROWS_BYTES = 16 * 1024 * 1024, CLEAN_SQL_BYTES = 64 * 1024, DROP_MS = 60000 };

static void partitions_sql(struct buf *sql, int64_t pending_from_ms)
{
    buf_adds(sql, "SELECT toInt64(intDiv(view_end, 3600000)) AS hour, toInt64(min(view_end)), "
                  "toUInt64(sum((id_hi, id_lo) NOT IN (SELECT id_hi, id_lo FROM firstframe.views WHERE ");
    store_final_of_pending_sql(sql, pending_from_ms);
    buf_adds(sql, "))) FROM firstframe.views WHERE final = 0 GROUP BY hour");
}

static bool drop(struct store_writer *w, int64_t hour)
{
    struct store_dialect d = store_dialect(w->store);
    bool held = store_gate_close(w->store, &d);
    if (!held && !d.shared_snapshot) return false;
    struct store_error error;
    struct store_settings settings = {.abandon = &w->abandon};
    struct buf sql;
    buf_init(&sql, CLEAN_SQL_BYTES);
    buf_addf(&sql, "ALTER TABLE firstframe.views DROP PARTITION (0, %" PRId64 ")", hour);
    enum err e = store_query(w->store->client, buf_span(&sql), &settings, "RowBinary", DROP_MS, NULL, &error);
    buf_free(&sql);
    store_gate_leave(w->store, held);
    if (e == ERR_NONE) counter_add(COUNTER_store_pending_dropped_total, 1);
    else LOG_WRN("store_drop_failed", "hour=%" PRId64 " code=%d text=\"%.200s\"", hour, error.code, error.text);
    return e == ERR_NONE;
}

void writer_clean(struct store_writer *w)
{
    int64_t from_ms = store_pending_from(w->store), left_ms = INT64_MAX;
    if (from_ms == INT64_MAX || !store_ready(w->store)) return;
    struct store_error error;
    struct buf sql, rows;
    buf_init(&sql, CLEAN_SQL_BYTES);
    buf_init(&rows, CLEAN_ROWS_BYTES);
    partitions_sql(&sql, from_ms);
    enum err e = writer_ask(w, buf_span(&sql), &rows, &error);
    if (e != ERR_NONE) {
        LOG_WRN("store_clean_failed", "kind=%s code=%d text=\"%.200s\"", err_name(e), error.code, error.text);
        left_ms = from_ms;
    }
    struct bytes in = bytes_of(buf_span(&rows));
    while (e == ERR_NONE && in.ok && bytes_left(&in)) {
        int64_t hour = rb_i64(&in), min_ms = rb_i64(&in);
        uint64_t open = rb_u64(&in);
        if ((open > 0 || !drop(w, hour)) && min_ms < left_ms) left_ms = min_ms;
    }
    store_pending_set(w->store, left_ms);
    buf_free(&sql);
    buf_free(&rows);
}
