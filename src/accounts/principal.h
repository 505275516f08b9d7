/* SPDX-License-Identifier: Apache-2.0
 * Who is asking: the one result of checking any credential. Checks compare keyed hashes in constant time, take the
 * same path for right and wrong ones, and remember right ones for a minute (forgotten at once when anything changes),
 * so that an authenticated request normally costs no SQLite read. Any thread. */
#ifndef FF_ACCOUNTS_PRINCIPAL_H
#define FF_ACCOUNTS_PRINCIPAL_H

#include "accounts/accounts.h"

enum permission_bit {
#define PERMISSION(name, text, role, help) PERMISSION_BIT_##name,
#include "accounts/permissions.def"
#undef PERMISSION
    PERMISSION_COUNT
};
enum permission {
    PERMISSION_NONE = 0,
#define PERMISSION(name, text, role, help) PERMISSION_##name = 1 << PERMISSION_BIT_##name,
#include "accounts/permissions.def"
#undef PERMISSION
    PERMISSION_ALL = (1 << PERMISSION_COUNT) - 1
};
typedef uint32_t permission_set; /* enum permission, or-ed */

const char *permission_text(enum permission_bit bit); /* "data:read" */
/* One name. false: not on the list. */
bool permission_from_text(struct span text, permission_set *out) MUST_USE;
/* Names separated by commas or blanks. false: one of them is not on the list, or there is none. */
bool permissions_from_list(struct span text, permission_set *out) MUST_USE;
permission_set role_permissions(enum role r);

enum principal_kind { PRINCIPAL_NONE, PRINCIPAL_TOKEN, PRINCIPAL_SESSION };
enum session_kind { SESSION_COOKIE, SESSION_BETA };

struct principal_environment {
    char environment_id[ACCOUNTS_ID_MAX + 1];
    char organization_id[ACCOUNTS_ID_MAX + 1];
    enum role role;             /* ROLE_NONE for tokens */
    permission_set permissions; /* what this principal may do here */
};

struct principal {
    enum principal_kind kind;
    int64_t person_id;  /* sessions; 0 for tokens */
    int64_t session_id; /* sessions; 0 for tokens */
    enum session_kind session_kind;
    int64_t expires_ms;                        /* 0: never */
    char organization_id[ACCOUNTS_ID_MAX + 1]; /* of the first environment; of the membership when there is none */
    enum role organization_role;               /* in that organization; ROLE_NONE for tokens */
    char token_id[ACCOUNTS_UUID_MAX + 1];      /* tokens; else "" */
    char name[ACCOUNTS_EMAIL_MAX + 1];         /* the token's name, or the person's e-mail */
    char filter[ACCOUNTS_FILTER_MAX + 1];      /* tokens: only rows with this dimension:value may be seen; "": all */
    /* What may be seen, oldest first: one for a token; for a person those with a role, over all organizations. */
    size_t environment_count;
    struct principal_environment environments[ACCOUNTS_ENVIRONMENTS_MAX];
};

/* HTTP Basic: id and secret of an access token. UNAUTHORIZED covers unknown, wrong, expired and
 * revoked alike; out->kind is then PRINCIPAL_NONE. STORE_FAILED or BUSY: answer 503. */
enum accounts_error accounts_check_basic(struct accounts *a, struct span id, struct span secret,
                                         struct principal *out) MUST_USE;
/* beta-auth-token, Bearer, or the cookie's value. The API decides which kind it takes where: see session_kind. */
enum accounts_error accounts_check_session(struct accounts *a, struct span token, struct principal *out) MUST_USE;

/* The environment of this request: the wanted one, or the oldest when wanted is empty. NULL: none, or a foreign one. */
const struct principal_environment *principal_environment(const struct principal *p, struct span wanted);
static inline bool principal_may(const struct principal_environment *e, permission_set needed)
{
    return e != NULL && (e->permissions & needed) == needed;
}
/* The actor of this principal, for administrative functions; borrows from p and address. */
struct actor principal_actor(const struct principal *p, struct span address);

#endif
