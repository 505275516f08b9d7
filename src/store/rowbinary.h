/* SPDX-License-Identifier: Apache-2.0
 * One view row as RowBinary, in the order of store_column_at. Nullable: a byte 1 for null, or 0 and the value. Texts:
 * LEB128 length and bytes. Arrays: LEB128 length and elements. Numbers little-endian. LowCardinality changes nothing.
 */
#ifndef FF_STORE_ROWBINARY_H
#define FF_STORE_ROWBINARY_H

#include "base/buf.h"
#include "views/row.h"

/* batch_id is the first column, so that a row can move to another batch: its 32 bytes stand at this offset. */
enum { STORE_BATCH_ID_BYTES = 32, STORE_BATCH_ID_AT = 1 };
/* An Int32 column whose value does not fit is written as null. */
void store_row_encode(struct buf *out, const struct view_row *row, const char batch_id[STORE_BATCH_ID_BYTES]);

#endif
