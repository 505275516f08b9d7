/* SPDX-License-Identifier: Apache-2.0
 * Invitations: a link with a secret, for one e-mail address and one role, for a week. */
#include "accounts/people.h"

#include "accounts/store.h"

#include <sodium.h>

enum { INVITATION_MS = 7 * 24 * 60 * 60 * 1000, INVITATIONS_MAX = 1000 };

#define INVITATION_COLUMNS                                                                                             \
    "SELECT id, organization_id, environment_id, email, role, created_ms, expires_ms, invited_by FROM invitation "

static void invitation_read(const struct rows *r, struct invitation *i)
{
    i->id = row_int(r, 0);
    row_text(r, 1, i->organization_id, sizeof i->organization_id);
    row_text(r, 2, i->environment_id, sizeof i->environment_id);
    row_text(r, 3, i->email, sizeof i->email);
    i->role = (enum role)row_int(r, 4);
    i->created_ms = row_int(r, 5);
    i->expires_ms = row_int(r, 6);
    i->invited_by = row_int(r, 7);
}

/* Needs lock. */
static enum accounts_error invitation_check(struct accounts *a, const struct actor *who, struct span organization_id,
                                            struct span environment_id, struct span email, enum role role)
{
    char organization[ACCOUNTS_ID_MAX + 1];
    struct arg org = arg_text(organization_id);
    if (!organization_known(a, organization_id)) return ACCOUNTS_NOT_FOUND;
    if (environment_id.len > 0 &&
        (!environment_organization(a, environment_id, organization) || !span_is(organization_id, organization))) {
        return ACCOUNTS_NOT_FOUND;
    }
    if (!actor_may_grant(a, who, organization_id, environment_id, role)) return ACCOUNTS_ROLE_REFUSED;
    if (sql_int(a, 0,
                "SELECT 1 FROM person p JOIN membership m ON m.person_id = p.id"
                " WHERE p.email = ? AND m.organization_id = ?",
                ARGS(arg_text(email), org)) == 1) {
        return ACCOUNTS_EMAIL_TAKEN;
    }
    int64_t open = sql_int(a, 0,
                           "SELECT count(*) FROM invitation WHERE organization_id = ? AND closed_ms IS NULL"
                           " AND expires_ms > ?",
                           ARGS(org, arg_int(store_now_ms(a))));
    return open >= INVITATIONS_MAX ? ACCOUNTS_TOO_MANY : ACCOUNTS_OK;
}

/* Needs lock. */
static void invitation_insert(struct accounts *a, const struct actor *who, struct invitation *i,
                              char token[ACCOUNTS_SECRET_MAX + 1])
{
    uint8_t hash[SECRET_HASH_BYTES];
    struct arg now = arg_int(i->created_ms), org = arg_cstr(i->organization_id);
    secret_new(token);
    secret_hash(a, SECRET_INVITATION, (struct span){NULL, 0}, span_of(token), hash);
    (void)sql_run(a,
                  "UPDATE invitation SET closed_ms = ? WHERE organization_id = ? AND email = ? AND closed_ms IS NULL",
                  ARGS(now, org, arg_cstr(i->email)));
    (void)sql_run(a,
                  "INSERT INTO invitation (hash, organization_id, environment_id, email, role, invited_by, created_ms,"
                  " expires_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                  ARGS(arg_blob(hash, sizeof hash), org, arg_text_or_null(span_of(i->environment_id)),
                       arg_cstr(i->email), arg_int(i->role), arg_int_or_null(i->invited_by), now,
                       arg_int(i->expires_ms)));
    i->id = sql_last_id(a);
    audit_write(a, who, AUDIT_INVITATION_ADD,
                (struct audit_place){span_of(i->organization_id), span_of(i->environment_id)}, span_of(i->email),
                DETAILS({"invitation_id", arg_int(i->id)}, {"role", arg_cstr(role_name(i->role))}));
}

enum accounts_error accounts_invite(struct accounts *a, const struct actor *who, struct span organization_id,
                                    struct span environment_id, struct span email, enum role role,
                                    struct invitation *out, char token[ACCOUNTS_SECRET_MAX + 1])
{
    token[0] = 0;
    if (!field_email(email)) return ACCOUNTS_BAD_EMAIL;
    enum role highest = environment_id.len > 0 ? ROLE_ADMIN : ROLE_OWNER;
    if (role < ROLE_VIEWER || role > highest) return ACCOUNTS_BAD_ROLE;
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    e = invitation_check(a, who, organization_id, environment_id, email, role);
    if (e == ACCOUNTS_OK) {
        int64_t now_ms = store_now_ms(a);
        *out = (struct invitation){.role = role,
                                   .created_ms = now_ms,
                                   .expires_ms = now_ms + INVITATION_MS,
                                   .invited_by = who->kind == ACTOR_PERSON ? who->person_id : 0};
        text_copy(out->organization_id, sizeof out->organization_id, organization_id);
        text_copy(out->environment_id, sizeof out->environment_id, environment_id);
        text_copy(out->email, sizeof out->email, email);
        invitation_insert(a, who, out, token);
    }
    e = tx_end_quiet(a, e);
    if (e != ACCOUNTS_OK) sodium_memzero(token, ACCOUNTS_SECRET_MAX + 1);
    return e;
}

enum accounts_error accounts_invitations(struct accounts *a, struct span organization_id, struct invitation **out,
                                         size_t *count)
{
    struct list l = {.size = sizeof(struct invitation)};
    read_begin(a);
    struct rows r = rows_open(a,
                              INVITATION_COLUMNS "WHERE organization_id = ? AND closed_ms IS NULL AND expires_ms > ?"
                                                 " ORDER BY id DESC",
                              ARGS(arg_text(organization_id), arg_int(store_now_ms(a))));
    while (rows_next(&r)) invitation_read(&r, list_add(&l));
    return list_give(&l, read_end(a, ACCOUNTS_OK), out, count);
}

enum accounts_error accounts_invitation_revoke(struct accounts *a, const struct actor *who, struct span organization_id,
                                               int64_t invitation_id)
{
    struct invitation i = {.id = 0};
    struct arg now = arg_int(store_now_ms(a));
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    struct rows r = rows_open(a,
                              INVITATION_COLUMNS "WHERE id = ? AND organization_id = ? AND closed_ms IS NULL"
                                                 " AND expires_ms > ?",
                              ARGS(arg_int(invitation_id), arg_text(organization_id), now));
    if (rows_next(&r)) invitation_read(&r, &i);
    rows_close(&r);
    if (i.id == 0) e = ACCOUNTS_NOT_FOUND;
    else if (!actor_may_grant(a, who, organization_id, span_of(i.environment_id), i.role)) e = ACCOUNTS_ROLE_REFUSED;
    if (e == ACCOUNTS_OK) {
        (void)sql_run(a, "UPDATE invitation SET closed_ms = ? WHERE id = ?", ARGS(now, arg_int(invitation_id)));
        audit_write(a, who, AUDIT_INVITATION_REVOKE, (struct audit_place){organization_id, span_of(i.environment_id)},
                    span_of(i.email), DETAILS({"invitation_id", arg_int(invitation_id)}));
    }
    return tx_end_quiet(a, e);
}

/* Needs lock. */
static enum accounts_error invitation_find(struct accounts *a, struct span token, struct invitation *out)
{
    uint8_t hash[SECRET_HASH_BYTES];
    secret_hash(a, SECRET_INVITATION, (struct span){NULL, 0}, token, hash);
    struct rows r = rows_open(a, INVITATION_COLUMNS "WHERE hash = ? AND closed_ms IS NULL AND expires_ms > ?",
                              ARGS(arg_blob(hash, sizeof hash), arg_int(store_now_ms(a))));
    bool found = rows_next(&r);
    if (found) invitation_read(&r, out);
    rows_close(&r);
    return found ? ACCOUNTS_OK : ACCOUNTS_LINK_INVALID;
}

enum accounts_error accounts_invitation_look(struct accounts *a, struct span token, struct invitation *out,
                                             bool *exists)
{
    read_begin(a);
    enum accounts_error e = invitation_find(a, token, out);
    *exists =
        e == ACCOUNTS_OK && sql_int(a, 0, "SELECT 1 FROM person WHERE email = ?", ARGS(arg_cstr(out->email))) == 1;
    return read_end(a, e);
}

/* The slow part: a fresh hash for somebody new, or the proof of somebody known, whose hash is copied. */
static enum accounts_error invitation_prove(struct accounts *a, const struct invitation *i, struct span address,
                                            struct span password, struct secret_person *p)
{
    enum accounts_error e = secret_person_read(a, span_of(i->email), 0, p);
    if (e != ACCOUNTS_OK) return e;
    if (p->id == 0) return password_hash(a, password, p->password) ? ACCOUNTS_OK : ACCOUNTS_STORE_FAILED;
    struct throttle_keys keys = throttle_keys(a->throttle, "sign-in", span_of(i->email), address);
    if (throttle_take(a->throttle, &keys, store_now_ms(a)) > 0) return ACCOUNTS_THROTTLED;
    if (!password_right(a, p->password, password)) return ACCOUNTS_UNAUTHORIZED;
    throttle_give(a->throttle, &keys, store_now_ms(a));
    return ACCOUNTS_OK;
}

/* Needs lock. */
static enum accounts_error invitation_settle(struct accounts *a, struct span address, struct span token,
                                             struct span name, const struct secret_person *p, int64_t *person_id)
{
    struct invitation i;
    enum accounts_error e = invitation_find(a, token, &i);
    if (e != ACCOUNTS_OK) return e;
    int64_t now_known = sql_int(a, 0, "SELECT id FROM person WHERE email = ?", ARGS(arg_cstr(i.email)));
    if (now_known != p->id) return ACCOUNTS_LINK_INVALID; /* came or went meanwhile: start again */
    int64_t id = p->id != 0 ? p->id : person_insert(a, span_of(i.email), name, p->password);
    /* Whoever was made a member in between keeps a higher role. */
    if (person_role(a, id, span_of(i.organization_id), span_of(i.environment_id)) < i.role) {
        role_give(a, span_of(i.organization_id), span_of(i.environment_id), id, i.role);
    }
    (void)sql_run(a, "UPDATE invitation SET closed_ms = ? WHERE id = ?", ARGS(arg_int(store_now_ms(a)), arg_int(i.id)));
    struct actor who = {.kind = ACTOR_PERSON, .person_id = id, .address = address};
    audit_write(a, &who, AUDIT_INVITATION_ACCEPT,
                (struct audit_place){span_of(i.organization_id), span_of(i.environment_id)}, span_of(i.email),
                DETAILS({"invitation_id", arg_int(i.id)}, {"role", arg_cstr(role_name(i.role))}));
    *person_id = id;
    return ACCOUNTS_OK;
}

enum accounts_error accounts_invitation_accept(struct accounts *a, struct span address, struct span token,
                                               struct span name, struct span password, int64_t *person_id)
{
    struct invitation i;
    struct secret_person p;
    bool exists;
    enum accounts_error e = accounts_invitation_look(a, token, &i, &exists);
    if (e != ACCOUNTS_OK) return e;
    name = person_name_or_local(span_of(i.email), name);
    if (!exists && !field_name(name)) return ACCOUNTS_BAD_NAME;
    if (!field_password(password)) return exists ? ACCOUNTS_UNAUTHORIZED : ACCOUNTS_BAD_PASSWORD;
    e = invitation_prove(a, &i, address, password, &p);
    if (e == ACCOUNTS_OK) e = tx_begin(a);
    if (e == ACCOUNTS_OK) e = tx_end(a, invitation_settle(a, address, token, name, &p, person_id));
    sodium_memzero(&p, sizeof p);
    return e;
}
