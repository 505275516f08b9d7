/* SPDX-License-Identifier: Apache-2.0
 * The audit log: one row for every administrative act, written in the act's own transaction. Never a secret, never a
 * full address. Every changing function of this folder writes its row itself; accounts_audit_add is for acts that
 * happen elsewhere (a deletion in the store, an export). */
#ifndef FF_ACCOUNTS_AUDIT_H
#define FF_ACCOUNTS_AUDIT_H

#include "accounts/accounts.h"

enum audit_act {
#define AUDIT_ACT(name, text) AUDIT_##name,
#include "accounts/audit_acts.def"
#undef AUDIT_ACT
    AUDIT_ACT_COUNT
};

enum { AUDIT_DETAILS_MAX = 1023 };

struct audit_row {
    int64_t id;
    int64_t at_ms;
    enum actor_kind actor_kind;
    char actor[ACCOUNTS_EMAIL_MAX + 1];        /* e-mail, token name, "command line" or "server", as it was then */
    char act[40];                              /* "token.revoke" */
    char target[ACCOUNTS_EMAIL_MAX + 1];       /* what was acted on: an id, or a person's e-mail */
    char organization_id[ACCOUNTS_ID_MAX + 1]; /* "" when none is concerned */
    char environment_id[ACCOUNTS_ID_MAX + 1];  /* "" when none is concerned */
    char address[ACCOUNTS_ADDRESS_MAX + 1];    /* truncated, "" when unknown */
    char details[AUDIT_DETAILS_MAX + 1];       /* one JSON object */
};
struct audit_query {
    struct span organization_id; /* empty: all */
    struct span environment_id;  /* empty: all */
    struct span act;             /* "token.revoke", or "token." for all of a kind; empty: all */
    int64_t since_ms, until_ms;  /* [since, until); 0: open */
    uint32_t offset;
    uint32_t limit; /* at most 1,000; 0: 100 */
};
/* Newest first. total (may be NULL): rows that match, before paging. A malloc'd array. */
enum accounts_error accounts_audit(struct accounts *a, const struct audit_query *q, struct audit_row **out,
                                   size_t *count, int64_t *total) MUST_USE;
/* details: one JSON object of at most AUDIT_DETAILS_MAX bytes without secrets, or empty. */
enum accounts_error accounts_audit_add(struct accounts *a, const struct actor *who, enum audit_act act,
                                       struct span organization_id, struct span environment_id, struct span target,
                                       struct span details) MUST_USE;

#endif
