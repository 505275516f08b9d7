/* SPDX-License-Identifier: Apache-2.0
 * The rows of a batch as one block of ClickHouse's format Native: all values of the first column, then all of the
 * second, and so on. The store takes a block of this table's width for a third of the processor time of its rows in
 * RowBinary. Column by column: name and type as texts, then of a Nullable a byte a row (1: null) and the values with a
 * default for null, of an Array the ends of the rows' elements as UInt64 and the elements. LowCardinality columns go
 * as what they hold, which the store converts (struct store_dialect's native_casts). */
#ifndef FF_STORE_NATIVE_H
#define FF_STORE_NATIVE_H

#include "store/batch.h"

/* Appends the block. The batch has a row at least. */
void store_native_encode(struct buf *out, const struct batch *b);

#endif
