/* SPDX-License-Identifier: Apache-2.0
 * Some profiles of a question's views, counted here as the store sends them (docs/decisions/014). For insights.c and
 * nobody else. */
#ifndef FF_QUERY_SCAN_H
#define FF_QUERY_SCAN_H

#include "query/codebook.h"
#include "query/segments.h"
#include "query/tally.h"
#include "store/profile.h"

/* The store makes blocks as small as a megabyte, which for so many columns is so few rows that handling the blocks
 * takes a quarter of the time. */
#define INSIGHTS_SETTINGS " SETTINGS preferred_block_size_bytes = 268435456"

enum { SCAN_PROFILES_MAX = 32 };

/* A column of a profile: its values have the numbers of their codes and one. */
struct scan_part {
    const struct dimension *dimension; /* NULL: nobody looks at it */
    struct codebook *values;
    uint16_t *numbers; /* by the code of the profile's text; 0: null */
};
struct scan_profile {
    const struct store_profile *profile;
    struct codebook *texts;
    struct scan_part parts[PROFILE_COLUMNS_MAX]; /* by the profile's columns */
    uint16_t *codes;                             /* of the block that is being counted, by its keys */
    size_t codes_room;
    bool vast; /* more texts than can be counted */
};
struct scan {
    struct query *q;
    const struct question *question;
    struct scan_profile profiles[SCAN_PROFILES_MAX];
    unsigned n;
    struct tally *tally; /* its columns are the profiles */
    bool many_views;     /* more than can be counted at once */
    uint16_t *whole;     /* numbers of the part of everything */
};
/* How many of the profiles can be counted at once, of about so many views. 0: too few for it to be worth while. */
unsigned scan_width(const struct question *question, int64_t views, unsigned profiles);
/* q, question, n and each profile are filled, the rest zero. ERR_FULL with a profile that is vast: it goes without that
 * one; with many_views: with fewer profiles at a time. To be freed with scan_free, after a failure too. */
enum err scan_run(struct scan *s) MUST_USE;
/* Of everything that the question is about. */
const struct tally_cell *scan_whole(const struct scan *s);
void scan_free(struct scan *s);

#endif
