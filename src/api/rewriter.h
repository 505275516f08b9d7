/* SPDX-License-Identifier: Apache-2.0
 * Keeps the stored views in line with the categories that people give to error codes (query/recategorise.h).
 *
 * One thread. It compares, for each environment whose set of categories changed, and once for every one after the
 * start, what is stored with what the rules make of it, rewrites what differs, and looks again a little later, since
 * rows that were on their way meanwhile carry the old outcome. So there is nothing to remember across a restart. While
 * the store is away it waits. */
#ifndef FF_API_REWRITER_H
#define FF_API_REWRITER_H

#include "accounts/accounts.h"
#include "store/store.h"

struct rewriter;
struct rewriter *rewriter_new(struct accounts *accounts, struct store *store);
void rewriter_free(struct rewriter *r); /* leaves a rewriting under way to the store and to the next start */
/* Categories have changed: look now. */
void rewriter_kick(struct rewriter *r);

enum rewrite_state { REWRITE_WAITING, REWRITE_RUNNING, REWRITE_DONE, REWRITE_FAILED };
const char *rewrite_state_name(enum rewrite_state s); /* "waiting", ... */
struct rewrite_status {
    enum rewrite_state state;
    int64_t version;                 /* of the set of categories that the stored views follow; 0: none yet */
    int64_t views;                   /* of the last rewriting that had something to do */
    int64_t parts_total, parts_left; /* its progress */
    int64_t finished_ms;             /* 0: never */
};
/* version: of the environment's set now. */
void rewriter_status(struct rewriter *r, const char *environment_id, int64_t version, struct rewrite_status *out);

#endif
