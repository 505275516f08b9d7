/* SPDX-License-Identifier: Apache-2.0
 * The reading rule: which rows of firstframe.views are the views.
 *
 * Final rows are read as they are. Of the pending rows count those of views without a final row, and of these the
 * newest version. Final rows that had pending versions carry had_pending = 1, so that the views to leave out are found
 * by one small column of the few days that pending rows can concern. While no pending row exists the statement does
 * without all that; the process knows (it wrote them, and looks after connecting and at each clean-up). */
#ifndef FF_STORE_READ_H
#define FF_STORE_READ_H

#include "store/store.h"

/* Writes "(SELECT <columns> FROM ... )" to stand after FROM: one row a view. columns and where are SQL over the columns
 * of the table (schema.h); where (may be empty) is a complete condition, applied to the version that counts, and should
 * bound view_end and name the environment. Neither may use the names id_hi, id_lo, version or final as aliases of
 * something else. */
void store_views_from(struct buf *sql, const struct store *s, const char *columns, struct span where);

#endif
