/* SPDX-License-Identifier: Apache-2.0 */
#include "store/read.h"

#include <inttypes.h>

#include "store/internal.h"
#include "store/schema.h"

/* A view's end only grows with further events, but the clock correction of a later beacon can move it back, by as much
 * as a beacon may be late: a day. The hour is for the hours that pending partitions are cut at. */
#define END_MOVES_BACK_MS_MAX (STORE_DAY_MS + STORE_HOUR_MS)

void store_pending_note(struct store *s, int64_t view_end_ms)
{
    (void)pthread_mutex_lock(&s->lock);
    if (view_end_ms < s->pending_from_ms) s->pending_from_ms = view_end_ms;
    (void)pthread_mutex_unlock(&s->lock);
}

void store_pending_set(struct store *s, int64_t from_ms)
{
    (void)pthread_mutex_lock(&s->lock);
    s->pending_from_ms = from_ms;
    (void)pthread_mutex_unlock(&s->lock);
}

int64_t store_pending_from(const struct store *s)
{
    struct store *own = (struct store *)(uintptr_t)s; /* the lock is not part of what is const */
    (void)pthread_mutex_lock(&own->lock);
    int64_t from_ms = s->pending_from_ms;
    (void)pthread_mutex_unlock(&own->lock);
    return from_ms;
}

void store_final_of_pending_sql(struct buf *sql, int64_t pending_from_ms)
{
    buf_adds(sql, "final = 1 AND had_pending = 1");
    if (pending_from_ms > INT64_MIN + END_MOVES_BACK_MS_MAX)
        buf_addf(sql, " AND view_end >= %" PRId64, pending_from_ms - END_MOVES_BACK_MS_MAX);
}

/* A part holds final rows or pending ones, since the partition says which. So it is enough that parts are chosen by it:
 * to ask every row once more takes a quarter of a question's time. */
static void branch_sql(struct buf *sql, const char *columns, struct span where, bool final)
{
    buf_addf(sql, "SELECT %s FROM firstframe.views WHERE indexHint(final = %d)", columns, final);
    if (where.len) {
        buf_adds(sql, " AND (");
        buf_add_span(sql, where);
        buf_addc(sql, ')');
    }
}

void store_views_from(struct buf *sql, const struct store *s, const char *columns, struct span where)
{
    int64_t pending_from_ms = store_pending_from(s);
    buf_addc(sql, '(');
    branch_sql(sql, columns, where, true);
    if (pending_from_ms != INT64_MAX) {
        buf_adds(sql, " UNION ALL ");
        branch_sql(sql, columns, where, false);
        /* where has to hold for the version that counts, so which one that is comes without it. */
        buf_adds(sql, " AND (id_hi, id_lo, version) IN (SELECT id_hi, id_lo, max(version) FROM firstframe.views "
                      "WHERE final = 0 AND (id_hi, id_lo) NOT IN (SELECT id_hi, id_lo FROM firstframe.views WHERE ");
        store_final_of_pending_sql(sql, pending_from_ms);
        buf_adds(sql, ") GROUP BY id_hi, id_lo)");
    }
    buf_addc(sql, ')');
}
