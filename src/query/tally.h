/* SPDX-License-Identifier: Apache-2.0
 * Segments of many dimensions at once, counted from columns of codes: arrays where the store's grouping looks into a
 * hash table for every view and dimension, and percentiles without a list of all values for every segment
 * (docs/decisions/014).
 *
 * A code is 0 for a view without a value, 1 for a value that is none of the known words, and from 2 on a word. Not
 * thread-safe. */
#ifndef FF_QUERY_TALLY_H
#define FF_QUERY_TALLY_H

#include "base/base.h"

enum tally_want {
    TALLY_SUMS,       /* of value and of base */
    TALLY_PERCENTILE, /* of value, as the store's quantileExactInclusive */
    TALLY_DISTINCT    /* of key */
};
enum { TALLY_NONE = 0, TALLY_OTHER = 1, TALLY_WORD = 2, TALLY_CODES_MAX = 4096 };

/* How codes come. A pair is two dimensions of at most TALLY_PAIR_CODES codes in a byte, the first in the lower half. Of
 * numbers the values come instead (INT64_MIN for none), and codes are given here in the order of their appearance, as
 * long as there are any. */
enum tally_codes { TALLY_PAIR, TALLY_U8, TALLY_U16, TALLY_NUMBERS };
enum { TALLY_PAIR_BITS = 4, TALLY_PAIR_CODES = 1 << TALLY_PAIR_BITS };

struct tally_options {
    enum tally_want want;
    double level; /* of the percentile, 0 to 1 */
    const enum tally_codes *columns;
    size_t column_count;
    size_t rows_expected; /* a hint */
};

/* A block of views, little-endian values in each span: Int64, Int64, Float64, Float64, UInt64. */
struct tally_block {
    size_t rows;
    struct span watch_ms, playing_ms;
    struct span value, base; /* not for TALLY_DISTINCT; base may be empty: 0 */
    struct span key;         /* only for TALLY_DISTINCT */
    const struct span *columns;
};

struct tally_cell {
    int64_t views, watch_ms, playing_ms;
    double value; /* the sum, the percentile, or how many keys */
    double base;  /* the sum */
};

struct tally *tally_new(const struct tally_options *options) MUST_USE;
void tally_free(struct tally *t);
/* false: a span is not as long as the rows need, or more codes came than TALLY_CODES_MAX; the tally is of no use then.
 */
bool tally_add(struct tally *t, const struct tally_block *block) MUST_USE;
/* After the last block, once. Takes a second thread while it runs. */
void tally_finish(struct tally *t);
/* By code; *codes of them, at least TALLY_WORD. part: 1 for the second dimension of a pair, else 0. Valid as long as t.
 */
const struct tally_cell *tally_cells(const struct tally *t, size_t column, unsigned part, size_t *codes);
/* The number that a code of a TALLY_NUMBERS column stands for. */
int64_t tally_number(const struct tally *t, size_t column, size_t code);
/* What a view takes while it is counted, without its codes; those take a byte or two more for each column, as they
 * come, numbers two. Nothing for sums. */
size_t tally_bytes_a_view(enum tally_want want);

#endif
