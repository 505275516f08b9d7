/* SPDX-License-Identifier: Apache-2.0
 * What people wrote down about an environment: annotations, error categories and signing keys (public halves).
 * Every function is bound to one environment: an id of another one is NOT_FOUND. Lists are malloc'd arrays. */
#ifndef FF_ACCOUNTS_NOTES_H
#define FF_ACCOUNTS_NOTES_H

#include "accounts/accounts.h"
#include "base/buf.h"

enum {
    NOTES_NOTE_MAX = 2047,
    NOTES_VALUE_MAX = 255, /* sub_property_id, an error's code */
    NOTES_PEM_MAX = 2047,
};

/* -- annotations -- */

struct annotation {
    char id[ACCOUNTS_UUID_MAX + 1];
    char note[NOTES_NOTE_MAX + 1];
    int64_t date_s; /* Unix seconds */
    bool has_sub_property;
    char sub_property_id[NOTES_VALUE_MAX + 1];
};
struct annotation_change {   /* NULL keeps what is there; note and date_s are needed for a new one */
    const struct span *note; /* 1 to NOTES_NOTE_MAX bytes */
    const int64_t *date_s;
    const struct span *sub_property_id; /* an empty span (ptr NULL) unsets it */
};
enum accounts_error accounts_annotation_add(struct accounts *a, const struct actor *who, struct span environment_id,
                                            const struct annotation_change *in, struct annotation *out) MUST_USE;
enum accounts_error accounts_annotation_change(struct accounts *a, const struct actor *who, struct span environment_id,
                                               struct span id, const struct annotation_change *in,
                                               struct annotation *out) MUST_USE;
enum accounts_error accounts_annotation_remove(struct accounts *a, const struct actor *who, struct span environment_id,
                                               struct span id) MUST_USE;
enum accounts_error accounts_annotation_get(struct accounts *a, struct span environment_id, struct span id,
                                            struct annotation *out) MUST_USE;
struct annotation_query {
    bool windowed; /* only dates in [from_s, to_s) */
    int64_t from_s, to_s;
    bool descending;             /* by date, then id; default ascending */
    struct span sub_property_id; /* not empty: only this one (for filtered tokens) */
    uint32_t offset, limit;      /* limit 0: 25 */
};
/* total: rows that match, before paging. */
enum accounts_error accounts_annotations(struct accounts *a, struct span environment_id,
                                         const struct annotation_query *q, struct annotation **out, size_t *count,
                                         int64_t *total) MUST_USE;

/* -- error categories -- */

enum error_severity { ERROR_SEVERITY_AS_SENT, ERROR_SEVERITY_WARNING, ERROR_SEVERITY_FATAL };
enum error_business { ERROR_BUSINESS_AS_SENT, ERROR_BUSINESS_NO, ERROR_BUSINESS_YES };
struct error_category {
    char code[NOTES_VALUE_MAX + 1]; /* player_error_code; the key within the environment */
    enum error_severity severity;
    enum error_business business;
    char description[NOTES_NOTE_MAX + 1];
    char notes[NOTES_NOTE_MAX + 1];
    int64_t version; /* of the environment's set when this row was written */
    int64_t changed_ms;
};
/* Makes or replaces the category of c->code; version and changed_ms are set here and returned in c. */
enum accounts_error accounts_error_category_set(struct accounts *a, const struct actor *who, struct span environment_id,
                                                struct error_category *c) MUST_USE;
/* By code. version (may be NULL) of the set: grows by one with every set; 0 while there was none. */
enum accounts_error accounts_error_categories(struct accounts *a, struct span environment_id,
                                              struct error_category **out, size_t *count, int64_t *version) MUST_USE;

/* What the view fold asks for each error. From memory, any thread. false: no category; use what was sent. */
struct error_rule {
    enum error_severity severity;
    enum error_business business;
};
bool accounts_error_rule(struct accounts *a, struct span environment_id, struct span code,
                         struct error_rule *out) MUST_USE;

/* -- signing keys -- */

struct signing_key {
    char id[48];       /* 43 characters of URL-safe base64 */
    int64_t created_s; /* Unix seconds */
    char public_pem[NOTES_PEM_MAX + 1];
};
enum accounts_error accounts_signing_key_add(struct accounts *a, const struct actor *who, struct span environment_id,
                                             struct span public_pem, struct signing_key *out) MUST_USE;
enum accounts_error accounts_signing_key_get(struct accounts *a, struct span environment_id, struct span id,
                                             struct signing_key *out) MUST_USE;
enum accounts_error accounts_signing_key_remove(struct accounts *a, const struct actor *who, struct span environment_id,
                                                struct span id) MUST_USE;
/* Newest first; total before paging. limit 0: 25. */
enum accounts_error accounts_signing_keys(struct accounts *a, struct span environment_id, uint32_t offset,
                                          uint32_t limit, struct signing_key **out, size_t *count,
                                          int64_t *total) MUST_USE;
/* For a JWT, whose kid names the key and so the environment. From memory, any thread. */
bool accounts_signing_key_find(struct accounts *a, struct span id, struct signing_key *out,
                               char environment_id[ACCOUNTS_ID_MAX + 1]) MUST_USE;

#endif
