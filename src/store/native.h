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

/* A column of a block that was read. */
struct native_column {
    struct span values; /* little-endian, not aligned, rows of them; of texts: places among the keys */
    unsigned width;     /* of a value, bytes: 1, 2, 4 or 8 */
    struct span keys;   /* of texts: a length (varint) and its bytes each */
    size_t key_count;
};

/* Reads a block of a result whose columns are of these types: numbers ("UInt8", "UInt16", "UInt64", "Int64", "Float64")
 * or texts ("LowCardinality(String)"). That places are less than key_count is not looked at. */
enum native_read {
    NATIVE_BLOCK, /* columns and *rows are filled, *whole begins behind the block */
    NATIVE_SHORT, /* the block takes *bytes at least, and as many are not there; *whole is as before */
    NATIVE_WRONG  /* not a block of such columns */
};
enum { NATIVE_COLUMNS_MAX = 64, NATIVE_ROWS_MAX = 1 << 24, NATIVE_BYTES_MAX = 1 << 28 /* of a column */ };
enum native_read store_native_read(struct span *whole, const char *const *types, size_t count,
                                   struct native_column *columns, size_t *rows, size_t *bytes) MUST_USE;
/* The next of the keys, which are whole. */
struct span store_native_key(struct span *keys);

#endif
