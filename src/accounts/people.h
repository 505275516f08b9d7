/* SPDX-License-Identifier: Apache-2.0
 * People, their roles, and how they get in: sign-in, sessions, invitations, password change and reset, TOTP.
 * Lists are malloc'd arrays of flat structs: one free(). E-mail addresses are compared without regard to ASCII case;
 * '+' addresses are addresses of their own. */
#ifndef FF_ACCOUNTS_PEOPLE_H
#define FF_ACCOUNTS_PEOPLE_H

#include "accounts/principal.h"

struct person {
    int64_t id;
    char email[ACCOUNTS_EMAIL_MAX + 1];
    char name[ACCOUNTS_NAME_MAX + 1];
    enum role role; /* in the organization asked about; ROLE_NONE: only in some environments */
    bool totp;
    int64_t created_ms;
    int64_t last_seen_ms; /* 0: never */
};
struct person_new {
    struct span email, password;
    struct span name; /* empty: the part of the e-mail before the @ */
    enum role role;   /* in the whole organization */
};
enum accounts_error accounts_people(struct accounts *a, struct span organization_id, struct person **out,
                                    size_t *count) MUST_USE;
enum accounts_error accounts_person_by_email(struct accounts *a, struct span email, struct person *out) MUST_USE;
/* role is the highest over all organizations in the two calls that do not name one. */
enum accounts_error accounts_person_get(struct accounts *a, int64_t person_id, struct person *out) MUST_USE;
/* Hashes a password: pool thread only. */
enum accounts_error accounts_person_add(struct accounts *a, const struct actor *who, struct span organization_id,
                                        const struct person_new *in, int64_t *person_id) MUST_USE;
enum accounts_error accounts_person_rename(struct accounts *a, const struct actor *who, int64_t person_id,
                                           struct span name) MUST_USE;
/* Out of the organization and its environments; a person without any organization is deleted with their sessions. */
enum accounts_error accounts_person_remove(struct accounts *a, const struct actor *who, struct span organization_id,
                                           int64_t person_id) MUST_USE;

/* A role in the organization holds in each environment. Owners and admins have theirs everywhere; for the others a
 * role in an environment replaces it there (ROLE_NONE hides the environment). */
enum accounts_error accounts_role_set(struct accounts *a, const struct actor *who, struct span organization_id,
                                      int64_t person_id, enum role role) MUST_USE;
enum accounts_error accounts_environment_role_set(struct accounts *a, const struct actor *who,
                                                  struct span environment_id, int64_t person_id,
                                                  enum role role) MUST_USE;
/* Back to the role in the organization. */
enum accounts_error accounts_environment_role_clear(struct accounts *a, const struct actor *who,
                                                    struct span environment_id, int64_t person_id) MUST_USE;
struct environment_role {
    char environment_id[ACCOUNTS_ID_MAX + 1];
    int64_t person_id;
    enum role role;
};
/* The roles that differ, of one person (or of all, with 0) in one organization. */
enum accounts_error accounts_environment_roles(struct accounts *a, struct span organization_id, int64_t person_id,
                                               struct environment_role **out, size_t *count) MUST_USE;

/* -- sign-in and sessions -- */

struct sign_in {
    struct span email, password;
    struct span totp; /* six digits, or empty */
    /* Of the client, whole: for the throttle and, truncated, for the list of sessions. All clients without one share
     * one bucket. */
    struct span address;
    struct span agent; /* user agent, for the list of sessions; cut at 200 bytes */
    enum session_kind kind;
};
struct signed_in {
    char token[ACCOUNTS_SECRET_MAX + 1];
    int64_t session_id, person_id, expires_ms;
    unsigned retry_after_s; /* THROTTLED only */
};
/* OK, UNAUTHORIZED, THROTTLED (nothing was hashed), TOTP_NEEDED, BAD_TOTP, STORE_FAILED. Takes as long for an unknown
 * e-mail as for a wrong password. Every attempt is charged to its e-mail and address; a success gives both back.
 * Hashes a password: pool thread only. */
enum accounts_error accounts_sign_in(struct accounts *a, const struct sign_in *in, struct signed_in *out) MUST_USE;
/* Only looks: would sign_in answer THROTTLED now? From memory, for the event loop before it queues the work.
 * 0: no; else seconds to wait. */
unsigned accounts_sign_in_wait_s(struct accounts *a, struct span email, struct span address);

struct session {
    int64_t id, person_id;
    enum session_kind kind;
    int64_t created_ms, expires_ms, last_used_ms;
    char address[ACCOUNTS_ADDRESS_MAX + 1]; /* truncated */
    char agent[201];
};
/* Those that still open a door, newest first. */
enum accounts_error accounts_sessions(struct accounts *a, int64_t person_id, struct session **out,
                                      size_t *count) MUST_USE;
enum accounts_error accounts_session_revoke(struct accounts *a, const struct actor *who, int64_t person_id,
                                            int64_t session_id) MUST_USE;
/* All but keep (0: none is kept). */
enum accounts_error accounts_sessions_revoke(struct accounts *a, const struct actor *who, int64_t person_id,
                                             int64_t keep) MUST_USE;

/* -- passwords: all hash, pool thread only -- */

/* By the person; the current password is needed and its failures are throttled. Other sessions than keep end. */
enum accounts_error accounts_password_change(struct accounts *a, const struct actor *who, struct span current,
                                             struct span fresh, int64_t keep) MUST_USE;
/* By somebody above that person, an owner, or the command line; one's own needs accounts_password_change (else
 * ROLE_REFUSED). All sessions of that person end. */
enum accounts_error accounts_password_set(struct accounts *a, const struct actor *who, int64_t person_id,
                                          struct span fresh) MUST_USE;
/* A reset link, valid for an hour. For an unknown e-mail OK with token "" : answer the same, send nothing. THROTTLED
 * beyond the throttle. Does not hash. */
enum accounts_error accounts_reset_begin(struct accounts *a, const struct actor *who, struct span email,
                                         char token[ACCOUNTS_SECRET_MAX + 1]) MUST_USE;
/* LINK_INVALID, or the new password holds, the link is used up and all sessions end. */
enum accounts_error accounts_reset_finish(struct accounts *a, struct span address, struct span token,
                                          struct span fresh) MUST_USE;

/* -- TOTP (RFC 6238: SHA-1, 6 digits, 30 s, one step of grace, each code once) -- */

/* A fresh secret in Base32, shown once; nothing is stored until it is confirmed. */
void accounts_totp_new(char secret[33]);
/* The person's password and a code made with the secret switch it on. Pool thread only. */
enum accounts_error accounts_totp_enable(struct accounts *a, const struct actor *who, struct span password,
                                         struct span secret, struct span code) MUST_USE;
/* By the person, with the password: a session alone must not weaken the sign-in. Pool thread only. */
enum accounts_error accounts_totp_disable_own(struct accounts *a, const struct actor *who,
                                              struct span password) MUST_USE;
/* By an administrator (of somebody else: ROLE_REFUSED) or the command line. */
enum accounts_error accounts_totp_disable(struct accounts *a, const struct actor *who, int64_t person_id) MUST_USE;

/* -- invitations -- */

struct invitation {
    int64_t id;
    char organization_id[ACCOUNTS_ID_MAX + 1];
    char environment_id[ACCOUNTS_ID_MAX + 1]; /* "": the whole organization */
    char email[ACCOUNTS_EMAIL_MAX + 1];
    enum role role;
    int64_t created_ms, expires_ms;
    int64_t invited_by; /* person id; 0: the command line */
};
/* environment_id empty: the role holds in the whole organization. Valid for 7 days; a second invitation to the same
 * address ends the first. The token goes into the link and is not stored. EMAIL_TAKEN: is a member already. */
enum accounts_error accounts_invite(struct accounts *a, const struct actor *who, struct span organization_id,
                                    struct span environment_id, struct span email, enum role role,
                                    struct invitation *out, char token[ACCOUNTS_SECRET_MAX + 1]) MUST_USE;
/* The open ones, newest first. */
enum accounts_error accounts_invitations(struct accounts *a, struct span organization_id, struct invitation **out,
                                         size_t *count) MUST_USE;
enum accounts_error accounts_invitation_revoke(struct accounts *a, const struct actor *who, struct span organization_id,
                                               int64_t invitation_id) MUST_USE;
/* What a link invites to, for the page that accepts it; or LINK_INVALID. exists: the e-mail has a password here. */
enum accounts_error accounts_invitation_look(struct accounts *a, struct span token, struct invitation *out,
                                             bool *exists) MUST_USE;
/* Makes the person (named as in person_new), or adds the role to one that exists (who proves it with their password:
 * UNAUTHORIZED, THROTTLED). Hashes: pool thread only. */
enum accounts_error accounts_invitation_accept(struct accounts *a, struct span address, struct span token,
                                               struct span name, struct span password, int64_t *person_id) MUST_USE;

#endif
