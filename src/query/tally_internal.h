/* SPDX-License-Identifier: Apache-2.0
 * What tally.c, tally_percentile.c and tally_distinct.c share and nobody else sees: the records that are kept of views,
 * and in the end a thread more. */
#ifndef FF_QUERY_TALLY_INTERNAL_H
#define FF_QUERY_TALLY_INTERNAL_H

#include "query/tally.h"

#include <stdlib.h>

enum { BINS = 256, BIN_BITS = 8, CHUNK_BYTES = 65536 };
/* Rows that all columns are gone through for, before the next: they stay in the innermost cache. */
enum { STRIP = 1024 };

/* The sums of a block, four for each code: views that follow each other have the same code more often than not, and
 * then an addition would wait for the one before it. Adding up by blocks also keeps the rounding of millions of views
 * small. The codes beyond have few views each, and are added up one by one. */
enum { BANKS = 4, BANKED_CODES = 2048 };
typedef int64_t whole_pair __attribute__((vector_size(16)));
typedef double real_pair __attribute__((vector_size(16)));
struct sums {
    whole_pair times; /* watch and playing time, ms */
    real_pair reals;  /* value and base */
};

struct part {
    const uint16_t *numbers; /* by code */
    size_t count;
    struct tally_cell *cells; /* by number */
};

struct column {
    size_t codes;             /* seen: the largest and one */
    size_t block_codes;       /* the same of the block at hand */
    struct tally_cell *cells; /* by code; room for all that may come, which takes memory only as they do */
    struct sums *sums[BANKS]; /* of the first BANKED_CODES, zero between blocks; views beside them */
    uint32_t *views[BANKS];
    struct part *parts; /* from tally_finish on */
    size_t part_count;
};

/* Records of a bin: value or key, then a code of every column. */
struct chunk {
    struct chunk *next;
    size_t rows;
    char records[CHUNK_BYTES];
};
struct bin {
    struct chunk *first, *last;
    size_t rows;
    double least, most; /* values */
};

struct tally {
    enum tally_want want;
    double level;
    size_t rows, bytes, bytes_max; /* bytes: of chunks */
    size_t record_bytes;
    struct sums strip[STRIP]; /* what the rows at hand add */
    uint16_t codes[STRIP];
    char *records[STRIP];  /* and what is kept of them */
    double from[BINS - 1]; /* TALLY_PERCENTILE: the first value of every bin but the first */
    struct bin *bins;
    struct column *columns;
    size_t column_count;
};

static inline void *zeroed(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    BUG_IF(p == NULL);
    return p;
}

/* The record's value or key; its code of a column. */
static inline uint64_t record_bits(const char *record)
{
    uint64_t bits;
    memcpy(&bits, record, sizeof bits);
    return bits;
}

static inline double record_value(const char *record)
{
    double v;
    memcpy(&v, record, sizeof v);
    return v;
}

static inline size_t record_code(const char *record, size_t column)
{
    uint16_t code;
    memcpy(&code, record + sizeof(uint64_t) + column * sizeof code, sizeof code);
    return code;
}

/* Those that have a value at all. */
static inline bool part_used(const struct part *p)
{
    return p->count > 1;
}

/* Does the work's item `at` with what the thread has for itself. */
typedef void do_item(void *work, size_t at, void *own);
/* All items by two threads, where there are two; own, other: what they have for themselves, may be NULL. */
void tally_share(do_item *item, void *work, size_t count, void *own, void *other);

/* The values of all parts' cells, after their sums. There is a row at least. */
void tally_percentiles(struct tally *t);
void tally_distinct(struct tally *t);

#endif
