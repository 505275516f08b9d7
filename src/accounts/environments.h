/* SPDX-License-Identifier: Apache-2.0
 * Organizations and their environments. An environment is one body of views: one env key for players, its own tokens,
 * annotations and settings. Lists are malloc'd arrays of flat structs: one free(). */
#ifndef FF_ACCOUNTS_ENVIRONMENTS_H
#define FF_ACCOUNTS_ENVIRONMENTS_H

#include "accounts/accounts.h"

struct organization {
    char id[ACCOUNTS_ID_MAX + 1];
    char name[ACCOUNTS_NAME_MAX + 1];
    int64_t created_ms;
};
enum accounts_error accounts_organizations(struct accounts *a, struct organization **out, size_t *count) MUST_USE;
enum accounts_error accounts_organization_get(struct accounts *a, struct span id, struct organization *out) MUST_USE;
enum accounts_error accounts_organization_rename(struct accounts *a, const struct actor *who, struct span id,
                                                 struct span name) MUST_USE;

enum environment_type { ENVIRONMENT_PRODUCTION, ENVIRONMENT_STAGING, ENVIRONMENT_DEVELOPMENT, ENVIRONMENT_TEST };
const char *environment_type_name(enum environment_type t); /* "production" */
bool environment_type_from_name(struct span name, enum environment_type *out) MUST_USE;
const char *keep_addresses_name(enum keep_addresses k); /* "none", "truncated" */
bool keep_addresses_from_name(struct span name, enum keep_addresses *out) MUST_USE;

struct environment {
    struct env_facts facts; /* id, property id and all settings; quotas and retention: 0 is none */
    char name[ACCOUNTS_NAME_MAX + 1];
    enum environment_type type;
    char env_key[ACCOUNTS_ENV_KEY_MAX + 1];
    char cors_origins[ACCOUNTS_ORIGINS_MAX + 1]; /* separated by one space; "": CORS is off */
    int64_t created_ms;
};
/* Oldest first. organization_id empty: all. */
enum accounts_error accounts_environments(struct accounts *a, struct span organization_id, struct environment **out,
                                          size_t *count) MUST_USE;
enum accounts_error accounts_environment_get(struct accounts *a, struct span id, struct environment *out) MUST_USE;
/* By exact name within an organization (empty: any; then the oldest). For the command line. */
enum accounts_error accounts_environment_by_name(struct accounts *a, struct span organization_id, struct span name,
                                                 struct environment *out) MUST_USE;

/* The fields to set; a NULL or empty one keeps what is there (or, for a new environment, takes the default: type
 * production, addresses truncated, everything else off or unlimited). */
struct environment_change {
    struct span name;
    struct span env_key; /* a new environment without one gets 24 random characters */
    const enum environment_type *type;
    const enum keep_addresses *keep_addresses;
    const bool *allow_backfill, *strip_query, *honour_dnt, *disabled;
    const uint32_t *retention_days;        /* 0: for ever; up to 36,500 */
    const uint32_t *views_per_minute_max;  /* 0: no limit */
    const uint32_t *events_per_second_max; /* 0: no limit */
    const struct span *cors_origins;       /* separated by blanks or commas; an empty span switches CORS off */
};
/* name is needed and unique within the organization. */
enum accounts_error accounts_environment_add(struct accounts *a, const struct actor *who, struct span organization_id,
                                             const struct environment_change *in, struct environment *out) MUST_USE;
/* The old env key stops working at once when a new one is given. out may be NULL. */
enum accounts_error accounts_environment_change(struct accounts *a, const struct actor *who, struct span id,
                                                const struct environment_change *in, struct environment *out) MUST_USE;

/* What accounts_environment_remove would delete here; the views in the store come on top. */
struct environment_contents {
    int64_t tokens, signing_keys, annotations, error_categories, roles;
};
enum accounts_error accounts_environment_contents(struct accounts *a, struct span id,
                                                  struct environment_contents *out) MUST_USE;
/* confirm must be the environment's exact name. Ids and property ids are never given out again. */
enum accounts_error accounts_environment_remove(struct accounts *a, const struct actor *who, struct span id,
                                                struct span confirm) MUST_USE;

#endif
