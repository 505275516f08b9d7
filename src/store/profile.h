/* SPDX-License-Identifier: Apache-2.0
 * Profiles: the values of some columns of a view as one text, as profiles.def groups them. The embedded store makes
 * them of the columns when a view is inserted (and for views that are older than the profiles, in the background;
 * until then whenever they are read). The values are separated by tabs; in a value a tab is "\t" and a backslash "\\";
 * "\N" is a value that is null. */
#ifndef FF_STORE_PROFILE_H
#define FF_STORE_PROFILE_H

#include "base/buf.h"

enum { PROFILE_COLUMNS_MAX = 12 };
struct store_profile {
    const char *name; /* the column that has the text */
    const char *columns[PROFILE_COLUMNS_MAX];
    size_t count;
};
size_t store_profile_count(void);
const struct store_profile *store_profile_at(size_t i);

/* The text as an expression of the columns. */
void store_profile_sql(struct buf *sql, const struct store_profile *p);
/* Takes the next value off the text, written to `to`, which has room for the whole text. ptr NULL: null. After the last
 * one the text's ptr is NULL, and so is that of whatever is taken off it. */
struct span store_profile_value(struct span *text, char *to);

#endif
