/* SPDX-License-Identifier: Apache-2.0
 * Segments of many dimensions at once, counted from columns of codes: arrays where the store's grouping looks into a
 * hash table for every view and dimension, and percentiles without a list of all values for every segment
 * (docs/decisions/014).
 *
 * A column has a code for every view, which stands for the values of several dimensions, its parts. What the values
 * are is said in the end: only then are there all codes. Not thread-safe. */
#ifndef FF_QUERY_TALLY_H
#define FF_QUERY_TALLY_H

#include "base/base.h"

enum tally_want {
    TALLY_SUMS,       /* of value and of base */
    TALLY_PERCENTILE, /* of value, as the store's quantileExactInclusive */
    TALLY_DISTINCT    /* of key */
};
enum { TALLY_CODES_MAX = UINT16_MAX };

struct tally_options {
    enum tally_want want;
    double level; /* of the percentile, 0 to 1 */
    size_t column_count;
    size_t bytes_max; /* of what is kept of the views */
};

/* The codes of a block's views: that of a view is codes[its place]. */
struct tally_codes {
    const uint16_t *codes; /* less than TALLY_CODES_MAX */
    size_t count;
    struct span places; /* little-endian, of width bytes each */
    unsigned width;     /* 1, 2, 4 or 8 */
};
/* A block of views, little-endian values in each span: Int64, Int64, Float64, Float64, UInt64. */
struct tally_block {
    size_t rows;
    struct span watch_ms, playing_ms;
    struct span value, base; /* not for TALLY_DISTINCT; base may be empty: 0 */
    struct span key;         /* only for TALLY_DISTINCT */
    const struct tally_codes *columns;
};

/* A dimension of a column: the number of its value by the column's codes, of which there are as many as tally_codes
 * says. 0: no value. */
struct tally_part {
    const uint16_t *numbers;
    size_t count; /* of numbers that there are, with 0 */
};
struct tally_parts {
    const struct tally_part *items;
    size_t n;
};

struct tally_cell {
    int64_t views, watch_ms, playing_ms;
    double value; /* the sum, the percentile, or how many keys */
    double base;  /* the sum */
};

struct tally *tally_new(const struct tally_options *options) MUST_USE;
void tally_free(struct tally *t);
/* ERR_CORRUPT: a span is not as long as the rows need, or a place or a code is too large. ERR_FULL: more than bytes_max
 * would have to be kept. The tally is of no use then. */
enum err tally_add(struct tally *t, const struct tally_block *block) MUST_USE;
/* How many codes of the column there may be: the largest that came and one. */
size_t tally_codes(const struct tally *t, size_t column);
/* After the last block, once; parts by column, read while it runs. Takes a second thread meanwhile. */
void tally_finish(struct tally *t, const struct tally_parts *parts);
/* By the part's numbers. Of views without a value only sums are there. Valid as long as t. */
const struct tally_cell *tally_cells(const struct tally *t, size_t column, size_t part);
/* What is kept of a view. */
size_t tally_bytes_a_view(enum tally_want want, size_t columns);

#endif
