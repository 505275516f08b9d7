/* SPDX-License-Identifier: Apache-2.0
 * Password change, set and reset, and switching TOTP on and off. Hashing happens outside every lock. */
#include "accounts/people.h"

#include "accounts/store.h"

#include <sodium.h>

static const struct audit_place nowhere = {{NULL, 0}, {NULL, 0}};
enum { RESET_MS = 60 * 60 * 1000 };

/* Needs lock. */
static void password_store(struct accounts *a, const struct actor *who, enum audit_act act, int64_t person_id,
                           const char *email, const char *hash, int64_t keep)
{
    (void)sql_run(a, "UPDATE person SET password = ? WHERE id = ?", ARGS(arg_cstr(hash), arg_int(person_id)));
    (void)sql_run(a, "DELETE FROM password_reset WHERE person_id = ?", ARGS(arg_int(person_id)));
    sessions_end(a, person_id, keep);
    audit_write(a, who, act, nowhere, span_of(email), NO_DETAILS);
}

/* The person behind the actor, once they have shown the password. Throttled as a sign-in is. Slow. */
static enum accounts_error password_prove(struct accounts *a, const struct actor *who, struct span password,
                                          struct secret_person *p)
{
    if (who->kind != ACTOR_PERSON) return ACCOUNTS_ROLE_REFUSED;
    enum accounts_error e = secret_person_read(a, (struct span){NULL, 0}, who->person_id, p);
    if (e != ACCOUNTS_OK) return e;
    if (p->id == 0) return ACCOUNTS_NOT_FOUND;
    struct throttle_keys keys = throttle_keys(a->throttle, "sign-in", span_of(p->email), who->address);
    if (throttle_take(a->throttle, &keys, store_now_ms(a)) > 0) return ACCOUNTS_THROTTLED;
    if (password.len > ACCOUNTS_PASSWORD_MAX || !password_right(a, p->password, password)) return ACCOUNTS_UNAUTHORIZED;
    throttle_give(a->throttle, &keys, store_now_ms(a));
    return ACCOUNTS_OK;
}

enum accounts_error accounts_password_change(struct accounts *a, const struct actor *who, struct span current,
                                             struct span fresh, int64_t keep)
{
    struct secret_person p;
    char hash[PASSWORD_HASH_MAX];
    if (!field_password(fresh)) return ACCOUNTS_BAD_PASSWORD;
    enum accounts_error e = password_prove(a, who, current, &p);
    if (e == ACCOUNTS_OK && !password_hash(a, fresh, hash)) e = ACCOUNTS_STORE_FAILED;
    if (e == ACCOUNTS_OK) e = tx_begin(a);
    if (e == ACCOUNTS_OK) {
        if (sql_int(a, 0, "SELECT 1 FROM person WHERE id = ? AND password = ?",
                    ARGS(arg_int(p.id), arg_cstr(p.password))) != 1) {
            e = ACCOUNTS_UNAUTHORIZED; /* changed meanwhile */
        } else {
            password_store(a, who, AUDIT_PASSWORD_CHANGE, p.id, p.email, hash, keep);
        }
        e = tx_end(a, e);
    }
    sodium_memzero(&p, sizeof p);
    return e;
}

enum accounts_error accounts_password_set(struct accounts *a, const struct actor *who, int64_t person_id,
                                          struct span fresh)
{
    struct secret_person p;
    char hash[PASSWORD_HASH_MAX];
    if (!field_password(fresh)) return ACCOUNTS_BAD_PASSWORD;
    enum accounts_error e = secret_person_read(a, (struct span){NULL, 0}, person_id, &p);
    if (e != ACCOUNTS_OK) return e;
    if (p.id == 0) return ACCOUNTS_NOT_FOUND;
    read_begin(a);
    bool may = actor_may_touch(a, who, person_id, true);
    e = read_end(a, may ? ACCOUNTS_OK : ACCOUNTS_ROLE_REFUSED);
    if (e == ACCOUNTS_OK && !password_hash(a, fresh, hash)) e = ACCOUNTS_STORE_FAILED;
    if (e == ACCOUNTS_OK) e = tx_begin(a);
    if (e == ACCOUNTS_OK) {
        if (!actor_may_touch(a, who, person_id, true)) e = ACCOUNTS_ROLE_REFUSED;
        else password_store(a, who, AUDIT_PASSWORD_SET, person_id, p.email, hash, 0);
        e = tx_end(a, e);
    }
    sodium_memzero(&p, sizeof p);
    return e;
}

enum accounts_error accounts_reset_begin(struct accounts *a, const struct actor *who, struct span email,
                                         char token[ACCOUNTS_SECRET_MAX + 1])
{
    uint8_t hash[SECRET_HASH_BYTES];
    token[0] = 0;
    if (!field_email(email)) return ACCOUNTS_BAD_EMAIL;
    struct throttle_keys keys = throttle_keys(a->throttle, "reset", email, who->address);
    bool trusted = who->kind == ACTOR_COMMAND_LINE;
    if (!trusted && throttle_take(a->throttle, &keys, store_now_ms(a)) > 0) return ACCOUNTS_THROTTLED;
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    int64_t person = sql_int(a, 0, "SELECT id FROM person WHERE email = ?", ARGS(arg_text(email)));
    if (person != 0) {
        secret_new(token);
        secret_hash(a, SECRET_RESET, (struct span){NULL, 0}, span_of(token), hash);
        (void)sql_run(a, "DELETE FROM password_reset WHERE person_id = ?", ARGS(arg_int(person)));
        (void)sql_run(a, "INSERT INTO password_reset (hash, person_id, expires_ms) VALUES (?, ?, ?)",
                      ARGS(arg_blob(hash, sizeof hash), arg_int(person), arg_int(store_now_ms(a) + RESET_MS)));
        audit_write(a, who, AUDIT_PASSWORD_RESET_BEGIN, nowhere, email, NO_DETAILS);
    }
    e = tx_end_quiet(a, ACCOUNTS_OK);
    if (e != ACCOUNTS_OK) sodium_memzero(token, ACCOUNTS_SECRET_MAX + 1);
    return e;
}

/* Needs lock. 0: unknown or expired. */
static int64_t reset_person(struct accounts *a, const uint8_t hash[SECRET_HASH_BYTES], char *email, size_t cap)
{
    struct rows r = rows_open(a,
                              "SELECT p.id, p.email FROM password_reset x JOIN person p ON p.id = x.person_id"
                              " WHERE x.hash = ? AND x.expires_ms > ?",
                              ARGS(arg_blob(hash, SECRET_HASH_BYTES), arg_int(store_now_ms(a))));
    int64_t id = 0;
    if (rows_next(&r)) {
        id = row_int(&r, 0);
        row_text(&r, 1, email, cap);
    }
    rows_close(&r);
    return id;
}

enum accounts_error accounts_reset_finish(struct accounts *a, struct span address, struct span token, struct span fresh)
{
    uint8_t hash[SECRET_HASH_BYTES];
    char password[PASSWORD_HASH_MAX], email[ACCOUNTS_EMAIL_MAX + 1];
    if (!field_password(fresh)) return ACCOUNTS_BAD_PASSWORD;
    secret_hash(a, SECRET_RESET, (struct span){NULL, 0}, token, hash);
    read_begin(a);
    int64_t person = reset_person(a, hash, email, sizeof email);
    enum accounts_error e = read_end(a, person != 0 ? ACCOUNTS_OK : ACCOUNTS_LINK_INVALID);
    if (e == ACCOUNTS_OK && !password_hash(a, fresh, password)) e = ACCOUNTS_STORE_FAILED;
    if (e == ACCOUNTS_OK) e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    person = reset_person(a, hash, email, sizeof email); /* somebody may have been quicker with the same link */
    struct actor who = {.kind = ACTOR_PERSON, .person_id = person, .address = address};
    if (person == 0) e = ACCOUNTS_LINK_INVALID;
    else password_store(a, &who, AUDIT_PASSWORD_RESET, person, email, password, 0);
    return tx_end(a, e);
}

/* -- TOTP -- */

enum accounts_error accounts_totp_enable(struct accounts *a, const struct actor *who, struct span password,
                                         struct span secret, struct span code)
{
    struct secret_person p;
    uint8_t raw[TOTP_SECRET_BYTES], box[TOTP_BOX_BYTES];
    if (!totp_decode(secret, raw)) return ACCOUNTS_BAD_VALUE;
    int64_t step = totp_step(raw, code, store_now_ms(a));
    if (step < 0) return ACCOUNTS_BAD_TOTP;
    enum accounts_error e = password_prove(a, who, password, &p);
    if (e == ACCOUNTS_OK) e = tx_begin(a);
    if (e == ACCOUNTS_OK) {
        totp_seal(a, raw, box);
        (void)sql_run(a, "UPDATE person SET totp_box = ?, totp_step = ? WHERE id = ?",
                      ARGS(arg_blob(box, sizeof box), arg_int(step), arg_int(p.id)));
        audit_write(a, who, AUDIT_TOTP_ENABLE, nowhere, span_of(p.email), NO_DETAILS);
        e = tx_end(a, e);
    }
    sodium_memzero(&p, sizeof p);
    sodium_memzero(raw, sizeof raw);
    return e;
}

/* Within a transaction. */
static enum accounts_error totp_remove(struct accounts *a, const struct actor *who, int64_t person_id)
{
    char email[ACCOUNTS_EMAIL_MAX + 1];
    struct rows r =
        rows_open(a, "SELECT email FROM person WHERE id = ? AND totp_box IS NOT NULL", ARGS(arg_int(person_id)));
    bool found = rows_next(&r);
    if (found) row_text(&r, 0, email, sizeof email);
    rows_close(&r);
    if (!found) return ACCOUNTS_NOT_FOUND;
    (void)sql_run(a, "UPDATE person SET totp_box = NULL WHERE id = ?", ARGS(arg_int(person_id)));
    audit_write(a, who, AUDIT_TOTP_DISABLE, nowhere, span_of(email), NO_DETAILS);
    return ACCOUNTS_OK;
}

enum accounts_error accounts_totp_disable_own(struct accounts *a, const struct actor *who, struct span password)
{
    struct secret_person p;
    enum accounts_error e = password_prove(a, who, password, &p);
    if (e == ACCOUNTS_OK) e = tx_begin(a);
    if (e == ACCOUNTS_OK) e = tx_end(a, totp_remove(a, who, p.id));
    sodium_memzero(&p, sizeof p);
    return e;
}

enum accounts_error accounts_totp_disable(struct accounts *a, const struct actor *who, int64_t person_id)
{
    if (who->kind == ACTOR_PERSON && who->person_id == person_id) return ACCOUNTS_ROLE_REFUSED;
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    e = actor_may_touch(a, who, person_id, true) ? totp_remove(a, who, person_id) : ACCOUNTS_ROLE_REFUSED;
    return tx_end(a, e);
}
