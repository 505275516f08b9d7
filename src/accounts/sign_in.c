/* SPDX-License-Identifier: Apache-2.0
 * Sign-in and sessions. The order of a sign-in: throttle (memory), read the person, hash outside every lock, then one
 * transaction that still finds the same password. Every attempt is charged beforehand, so that two hundred at once
 * cannot slip through before the first has failed; success gives the charge back. */
#include "accounts/people.h"

#include "accounts/store.h"
#include "base/counters.h"

#include <sodium.h>

enum { SESSIONS_MAX = 200, AGENT_MAX = 200 }; /* live ones of a person: the one used longest ago goes */

enum accounts_error secret_person_read(struct accounts *a, struct span email, int64_t id, struct secret_person *out)
{
    memset(out, 0, sizeof *out);
    read_begin(a);
    struct rows r =
        rows_open(a, "SELECT id, email, password, totp_box, totp_step FROM person WHERE email = ? OR id = ?",
                  ARGS(arg_text_or_null(email), arg_int_or_null(id)));
    enum accounts_error e = ACCOUNTS_OK;
    if (rows_next(&r)) {
        out->id = row_int(&r, 0);
        row_text(&r, 1, out->email, sizeof out->email);
        row_text(&r, 2, out->password, sizeof out->password);
        out->totp = !row_null(&r, 3);
        out->totp_step = row_int(&r, 4);
        if (out->totp && !totp_open(a, row_span(&r, 3), out->totp_secret)) e = ACCOUNTS_KEY_MISSING;
    }
    rows_close(&r);
    return read_end(a, e);
}

unsigned accounts_sign_in_wait_s(struct accounts *a, struct span email, struct span address)
{
    struct throttle_keys keys = throttle_keys(a->throttle, "sign-in", email, address);
    return throttle_look(a->throttle, &keys, store_now_ms(a));
}

void sessions_end(struct accounts *a, int64_t person_id, int64_t keep)
{
    (void)sql_run(a, "UPDATE session SET revoked_ms = ? WHERE person_id = ? AND id <> ? AND revoked_ms IS NULL",
                  ARGS(arg_int(store_now_ms(a)), arg_int(person_id), arg_int(keep)));
}

/* Needs lock. */
static enum accounts_error session_insert(struct accounts *a, const struct sign_in *in, const struct secret_person *p,
                                          const char *rehashed, int64_t step, struct signed_in *out)
{
    uint8_t hash[SECRET_HASH_BYTES];
    char address[ACCOUNTS_ADDRESS_MAX + 1];
    int64_t now_ms = store_now_ms(a);
    struct arg now = arg_int(now_ms), person = arg_int(p->id);
    /* The password, or the one-time code, may have been used up meanwhile. */
    if (sql_run(a,
                "UPDATE person SET last_seen_ms = ?1, totp_step = max(totp_step, ?4), password = ?5"
                " WHERE id = ?2 AND password = ?3 AND (?4 = 0 OR totp_step < ?4)",
                ARGS(now, person, arg_cstr(p->password), arg_int(step), arg_cstr(rehashed))) != 1) {
        return ACCOUNTS_UNAUTHORIZED;
    }
    int64_t life_s = in->kind == SESSION_BETA ? a->options.session_beta_s : a->options.session_cookie_s;
    out->person_id = p->id;
    out->expires_ms = now_ms + life_s * 1000;
    secret_new(out->token);
    secret_hash(a, SECRET_SESSION, (struct span){NULL, 0}, span_of(out->token), hash);
    address_truncate(in->address, address);
    struct span agent = span_cut_utf8(in->agent, AGENT_MAX);
    (void)sql_run(a,
                  "INSERT INTO session (person_id, hash, kind, created_ms, expires_ms, last_used_ms, address, agent)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                  ARGS(person, arg_blob(hash, sizeof hash), arg_int(in->kind), now, arg_int(out->expires_ms), now,
                       arg_cstr(address), arg_text(field_utf8(agent) ? agent : SPAN(""))));
    out->session_id = sql_last_id(a);
    (void)sql_run(a,
                  "UPDATE session SET revoked_ms = ?1 WHERE id IN (SELECT id FROM session WHERE person_id = ?2"
                  " AND revoked_ms IS NULL AND expires_ms > ?1 ORDER BY last_used_ms DESC, id DESC LIMIT -1 OFFSET ?3)",
                  ARGS(now, person, arg_int(SESSIONS_MAX)));
    bool evicted = sql_int(a, 0, "SELECT changes()", NO_ARGS) > 0;
    if (evicted) atomic_fetch_add(&a->generation, 1);
    struct actor who = {.kind = ACTOR_PERSON, .person_id = p->id, .address = in->address};
    audit_write(a, &who, AUDIT_SESSION_ADD, (struct audit_place){{NULL, 0}, {NULL, 0}}, span_of(p->email),
                DETAILS({"session_id", arg_int(out->session_id)},
                        {"kind", arg_cstr(in->kind == SESSION_BETA ? "beta" : "cookie")}));
    return ACCOUNTS_OK;
}

/* The password and, where there is one, the code. *step: the code's, else 0. Slow. */
static enum accounts_error sign_in_verify(struct accounts *a, const struct sign_in *in, const struct secret_person *p,
                                          int64_t *step)
{
    *step = 0;
    if (!password_right(a, p->password, in->password) || p->id == 0) return ACCOUNTS_UNAUTHORIZED;
    if (!p->totp) return ACCOUNTS_OK;
    if (in->totp.len == 0) return ACCOUNTS_TOTP_NEEDED;
    *step = totp_step(p->totp_secret, in->totp, store_now_ms(a));
    return *step > p->totp_step ? ACCOUNTS_OK : ACCOUNTS_BAD_TOTP;
}

static enum accounts_error sign_in_finish(struct accounts *a, const struct sign_in *in, const struct secret_person *p,
                                          int64_t step, struct signed_in *out)
{
    char hash[PASSWORD_HASH_MAX];
    text_copy(hash, sizeof hash, span_of(p->password));
    /* The cost was raised since: make the hash again while the password is at hand. */
    if (password_stale(a, p->password) && !password_hash(a, in->password, hash)) return ACCOUNTS_STORE_FAILED;
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    return tx_end_quiet(a, session_insert(a, in, p, hash, step, out));
}

enum accounts_error accounts_sign_in(struct accounts *a, const struct sign_in *in, struct signed_in *out)
{
    struct secret_person p;
    int64_t step;
    memset(out, 0, sizeof *out);
    struct throttle_keys keys = throttle_keys(a->throttle, "sign-in", in->email, in->address);
    out->retry_after_s = throttle_take(a->throttle, &keys, store_now_ms(a));
    if (out->retry_after_s > 0) return ACCOUNTS_THROTTLED;
    /* Longer than any password can be: not worth a hash, and says nothing about the e-mail. */
    if (in->password.len > ACCOUNTS_PASSWORD_MAX || in->email.len == 0) {
        counter_add(COUNTER_sign_in_failures_total, 1);
        return ACCOUNTS_UNAUTHORIZED;
    }
    enum accounts_error e = secret_person_read(a, in->email, 0, &p);
    if (e == ACCOUNTS_OK) e = sign_in_verify(a, in, &p, &step);
    if (e == ACCOUNTS_OK) e = sign_in_finish(a, in, &p, step, out);
    /* Only guesses are charged. */
    bool guess = e == ACCOUNTS_UNAUTHORIZED || e == ACCOUNTS_BAD_TOTP;
    if (guess) counter_add(COUNTER_sign_in_failures_total, 1);
    else throttle_give(a->throttle, &keys, store_now_ms(a));
    if (e != ACCOUNTS_OK) sodium_memzero(out, sizeof *out);
    sodium_memzero(&p, sizeof p);
    return e;
}

/* -- sessions -- */

enum accounts_error accounts_sessions(struct accounts *a, int64_t person_id, struct session **out, size_t *count)
{
    struct list l = {.size = sizeof(struct session)};
    read_begin(a);
    struct rows r = rows_open(a,
                              "SELECT id, person_id, kind, created_ms, expires_ms, last_used_ms, address, agent"
                              " FROM session WHERE person_id = ? AND revoked_ms IS NULL AND expires_ms > ?"
                              " ORDER BY id DESC",
                              ARGS(arg_int(person_id), arg_int(store_now_ms(a))));
    while (rows_next(&r)) {
        struct session *s = list_add(&l);
        s->id = row_int(&r, 0);
        s->person_id = row_int(&r, 1);
        s->kind = (enum session_kind)row_int(&r, 2);
        s->created_ms = row_int(&r, 3);
        s->expires_ms = row_int(&r, 4);
        s->last_used_ms = row_int(&r, 5);
        row_text(&r, 6, s->address, sizeof s->address);
        row_text(&r, 7, s->agent, sizeof s->agent);
    }
    return list_give(&l, read_end(a, ACCOUNTS_OK), out, count);
}

/* Needs lock. The e-mail for the audit row. */
static enum accounts_error session_owner(struct accounts *a, const struct actor *who, int64_t person_id,
                                         char email[ACCOUNTS_EMAIL_MAX + 1])
{
    struct rows r = rows_open(a, "SELECT email FROM person WHERE id = ?", ARGS(arg_int(person_id)));
    bool found = rows_next(&r);
    if (found) row_text(&r, 0, email, ACCOUNTS_EMAIL_MAX + 1);
    rows_close(&r);
    if (!found) return ACCOUNTS_NOT_FOUND;
    return actor_may_touch(a, who, person_id, false) ? ACCOUNTS_OK : ACCOUNTS_ROLE_REFUSED;
}

enum accounts_error accounts_session_revoke(struct accounts *a, const struct actor *who, int64_t person_id,
                                            int64_t session_id)
{
    char email[ACCOUNTS_EMAIL_MAX + 1];
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    e = session_owner(a, who, person_id, email);
    if (e == ACCOUNTS_OK &&
        sql_run(a, "UPDATE session SET revoked_ms = ? WHERE id = ? AND person_id = ? AND revoked_ms IS NULL",
                ARGS(arg_int(store_now_ms(a)), arg_int(session_id), arg_int(person_id))) != 1) {
        e = ACCOUNTS_NOT_FOUND;
    }
    if (e == ACCOUNTS_OK) {
        audit_write(a, who, AUDIT_SESSION_REVOKE, (struct audit_place){{NULL, 0}, {NULL, 0}}, span_of(email),
                    DETAILS({"session_id", arg_int(session_id)}));
    }
    return tx_end(a, e);
}

enum accounts_error accounts_sessions_revoke(struct accounts *a, const struct actor *who, int64_t person_id,
                                             int64_t keep)
{
    char email[ACCOUNTS_EMAIL_MAX + 1];
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    e = session_owner(a, who, person_id, email);
    if (e == ACCOUNTS_OK) {
        sessions_end(a, person_id, keep);
        audit_write(a, who, AUDIT_SESSION_REVOKE, (struct audit_place){{NULL, 0}, {NULL, 0}}, span_of(email),
                    DETAILS({"all_but", arg_int_or_null(keep)}));
    }
    return tx_end(a, e);
}
