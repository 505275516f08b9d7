/* SPDX-License-Identifier: Apache-2.0
 * Deletes views that nobody may see any more: those of removed environments, and those older than their environment's
 * retention. One thread; it looks when something changed, after that once more for views that were on their way to the
 * store, and every ten minutes. The audit log says which environments were removed (by the API or the command line, and
 * also while the store was away), and gets a row for each deletion. Daily export files of removed environments go too.
 *
 * Deleting is a mutation of the store: it rewrites the parts concerned in the background. A new one is begun only when
 * no other is under way. Retention counts whole UTC days, so that it costs at most one mutation a day. */
#ifndef FF_API_SWEEPER_H
#define FF_API_SWEEPER_H

#include "accounts/accounts.h"
#include "store/store.h"

struct sweeper;
/* data_dir is copied. */
struct sweeper *sweeper_new(struct accounts *accounts, struct store *store, const char *data_dir);
void sweeper_free(struct sweeper *s);
/* Look now. Any thread. */
void sweeper_kick(struct sweeper *s);

/* How many views the store holds of an environment (its id has been checked); false: it does not answer. */
bool sweeper_views(struct store *store, const char *environment_id, int64_t *views) MUST_USE;

#endif
