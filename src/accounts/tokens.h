/* SPDX-License-Identifier: Apache-2.0
 * Access tokens: a public id (UUID) and a secret that is shown once, for one environment, with permissions from the
 * closed list, optionally an expiry and a filter. Checked with accounts_check_basic (principal.h). */
#ifndef FF_ACCOUNTS_TOKENS_H
#define FF_ACCOUNTS_TOKENS_H

#include "accounts/principal.h"

struct token {
    char id[ACCOUNTS_UUID_MAX + 1];
    char environment_id[ACCOUNTS_ID_MAX + 1];
    char name[ACCOUNTS_NAME_MAX + 1];
    permission_set permissions;
    char filter[ACCOUNTS_FILTER_MAX + 1]; /* "dimension:value", "": none */
    int64_t created_ms;
    int64_t created_by;   /* person id; 0: the command line */
    int64_t expires_ms;   /* 0: never */
    int64_t last_used_ms; /* 0: never; right to two minutes */
    int64_t revoked_ms;   /* 0: not */
};
struct token_new {
    struct span name;
    permission_set permissions;
    struct span filter; /* shape is checked here; that the dimension exists is for the API to check */
    int64_t expires_ms;
};
/* secret is shown once and not stored; wipe it. ROLE_REFUSED: the actor lacks one of the permissions there, or is a
 * token with another filter. */
enum accounts_error accounts_token_add(struct accounts *a, const struct actor *who, struct span environment_id,
                                       const struct token_new *in, struct token *out,
                                       char secret[ACCOUNTS_SECRET_MAX + 1]) MUST_USE;
/* Newest first, revoked ones included. A malloc'd array. */
enum accounts_error accounts_tokens(struct accounts *a, struct span environment_id, struct token **out,
                                    size_t *count) MUST_USE;
enum accounts_error accounts_token_get(struct accounts *a, struct span id, struct token *out) MUST_USE;
enum accounts_error accounts_token_rename(struct accounts *a, const struct actor *who, struct span environment_id,
                                          struct span id, struct span name) MUST_USE;
/* Ends at once, here and (within a second) in other processes. A token that is revoked already is NOT_FOUND. */
enum accounts_error accounts_token_revoke(struct accounts *a, const struct actor *who, struct span environment_id,
                                          struct span id) MUST_USE;

#endif
