/* SPDX-License-Identifier: Apache-2.0
 * Some dimensions of a question's views, counted here from columns of codes that the store sends (docs/decisions/014).
 * For insights.c and nobody else. */
#ifndef FF_QUERY_SCAN_H
#define FF_QUERY_SCAN_H

#include "query/segments.h"
#include "query/tally.h"
#include "query/vocabulary.h"

/* The store makes blocks as small as a megabyte, which for so many columns is so few rows that handling the blocks
 * takes a quarter of the time. */
#define INSIGHTS_SETTINGS " SETTINGS preferred_block_size_bytes = 268435456"

/* A question that is counted. */
struct counted {
    struct query *q;
    const struct question *question;
    int64_t views;     /* about; at least 1 */
    int64_t middle_ms; /* about half of them end before, and none changes sides meanwhile */
    const struct dimension *const *by;
    unsigned n;
    struct lexicon *lexicon;
};

static inline size_t dimension_number(const struct dimension *d)
{
    return (size_t)(d - dimension_at(0));
}
/* Codes of a dimension stand for words of the lexicon. */
static inline bool has_words(const struct dimension *d)
{
    return d->type == DIMENSION_TEXT;
}
static inline const struct words *words_of(const struct counted *c, const struct dimension *d)
{
    return &c->lexicon->words[dimension_number(d)];
}
/* How many codes a dimension has (of numbers that is not known before), and whether it can share a column. */
size_t scan_codes(const struct counted *c, const struct dimension *d);
bool scan_pairs(const struct counted *c, const struct dimension *d);
/* Dimensions of a scan from first on: as many as there is memory for. 0: too few. */
unsigned scan_width(const struct counted *c, unsigned first);

struct scan {
    const struct counted *counted;
    unsigned first, n; /* of counted->by */
    bool whole;        /* column 0 has the code TALLY_WORD for every view */
    struct place {
        unsigned column, part;
    } places[UINT8_MAX]; /* of the dimensions in the tally */
    unsigned columns;    /* of codes */
    enum tally_codes codes[UINT8_MAX];
    struct tally *tally;
};
/* counted, first, n and whole are filled, the rest zero. tally is the caller's to free, after a failure too. */
enum err scan_run(struct scan *s) MUST_USE;

#endif
