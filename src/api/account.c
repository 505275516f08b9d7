/* SPDX-License-Identifier: Apache-2.0
 * What a person does with their own account: password, sessions, one-time codes; the way back in for somebody who
 * forgot the password; and the set-up of a fresh server. */
#include "accounts/people.h"

#include "api/admin.h"
#include "api/internal.h"
#include "api/mail.h"
#include "api/setup.h"

#include <stdio.h>
#include <stdlib.h>

static void finish(struct api_call *c, enum accounts_error e)
{
    if (e == ACCOUNTS_OK) c->status = 204;
    else if (e == ACCOUNTS_UNAUTHORIZED) api_fail(c, 403, "The present password is wrong.");
    else api_fail_accounts(c, e);
}

void api_account_change(struct api_call *c)
{
    struct admin_body b;
    struct span name;
    if (!admin_body(c, &b) || !admin_text(c, &b, "name", true, &name)) return;
    struct actor who = api_actor(c);
    finish(c, accounts_person_rename(c->accounts, &who, c->principal.person_id, name));
}

/* The session that asks stays; all others end. */
void api_password_change(struct api_call *c)
{
    struct admin_body b;
    struct span now, fresh;
    if (!admin_body(c, &b) || !admin_text(c, &b, "current_password", true, &now) ||
        !admin_text(c, &b, "password", true, &fresh))
        return;
    struct actor who = api_actor(c);
    finish(c, accounts_password_change(c->accounts, &who, now, fresh, c->principal.session_id));
}

/* -- sessions -- */

void api_sessions_list(struct api_call *c)
{
    struct session *list;
    size_t n;
    enum accounts_error e = accounts_sessions(c->accounts, c->principal.person_id, &list, &n);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = 0; i < n; i++) {
        const struct session *s = &list[i];
        jw_object(&c->json);
        jw_key(&c->json, "id"), jw_int(&c->json, s->id);
        jw_key(&c->json, "kind"), jw_text(&c->json, s->kind == SESSION_COOKIE ? "dashboard" : "token");
        jw_key(&c->json, "current"), jw_bool(&c->json, s->id == c->principal.session_id);
        admin_print_time(&c->json, "created_at", s->created_ms);
        admin_print_time(&c->json, "expires_at", s->expires_ms);
        admin_print_time(&c->json, "last_used_at", s->last_used_ms);
        jw_key(&c->json, "address"), jw_text(&c->json, s->address[0] ? s->address : NULL);
        jw_key(&c->json, "agent"), jw_text(&c->json, s->agent[0] ? s->agent : NULL);
        jw_object_end(&c->json);
    }
    jw_array_end(&c->json);
    api_total(c, (int64_t)n);
    jw_object_end(&c->json);
    free(list);
}

void api_session_end(struct api_call *c)
{
    int64_t id;
    if (!admin_id(c, c->arguments[0], &id)) return;
    struct actor who = api_actor(c);
    finish(c, accounts_session_revoke(c->accounts, &who, c->principal.person_id, id));
}

/* All but the one that asks. */
void api_sessions_end(struct api_call *c)
{
    struct actor who = api_actor(c);
    finish(c, accounts_sessions_revoke(c->accounts, &who, c->principal.person_id, c->principal.session_id));
}

/* -- one-time codes -- */

void api_totp_new(struct api_call *c)
{
    char secret[33], uri[ACCOUNTS_EMAIL_MAX * 3 + 128];
    struct buf name;
    accounts_totp_new(secret);
    buf_init(&name, ACCOUNTS_EMAIL_MAX * 3 + 1);
    for (const char *p = c->principal.name; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '.' ||
                     *p == '-' || *p == '_' || *p == '@';
        if (plain) buf_addc(&name, *p);
        else buf_addf(&name, "%%%02X", (unsigned)(unsigned char)*p);
    }
    (void)snprintf(uri, sizeof uri, "otpauth://totp/Firstframe:%s?secret=%s&issuer=Firstframe",
                   name.ptr ? name.ptr : "", secret);
    buf_free(&name);
    c->status = 201;
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    jw_key(&c->json, "secret"), jw_text(&c->json, secret);
    jw_key(&c->json, "uri"), jw_text(&c->json, uri);
    jw_object_end(&c->json);
    jw_object_end(&c->json);
    accounts_wipe(secret, sizeof secret);
    accounts_wipe(uri, sizeof uri);
}

void api_totp_enable(struct api_call *c)
{
    struct admin_body b;
    struct span password, secret, code;
    if (!admin_body(c, &b) || !admin_text(c, &b, "password", true, &password) ||
        !admin_text(c, &b, "secret", true, &secret) || !admin_text(c, &b, "code", true, &code))
        return;
    struct actor who = api_actor(c);
    finish(c, accounts_totp_enable(c->accounts, &who, password, secret, code));
}

void api_totp_disable(struct api_call *c)
{
    struct admin_body b;
    struct span password;
    if (!admin_body(c, &b) || !admin_text(c, &b, "password", true, &password)) return;
    struct actor who = api_actor(c);
    finish(c, accounts_totp_disable_own(c->accounts, &who, password));
}

/* -- a forgotten password -- */

/* The answer is the same, and as quick, for known and unknown addresses: everything happens on the mail's thread. */
void api_reset_begin(struct api_call *c)
{
    struct admin_body b;
    struct span email;
    char address[48];
    if (!admin_body(c, &b) || !admin_text(c, &b, "email", true, &email)) return;
    http_address_print(&c->request->client, address);
    struct mail *mail = api_mail(c->api);
    bool mails = mail != NULL;
    if (mails && !mail_reset(mail, email, address, c->public_url)) {
        api_fail(c, 503, "Too many requests wait already. Try again shortly.");
        return;
    }
    c->status = 202;
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    jw_key(&c->json, "mails"), jw_bool(&c->json, mails); /* false: an administrator has to make the link */
    jw_object_end(&c->json);
    jw_object_end(&c->json);
}

void api_reset_finish(struct api_call *c)
{
    struct admin_body b;
    struct span token, password;
    char address[48];
    if (!admin_body(c, &b) || !admin_text(c, &b, "token", true, &token) ||
        !admin_text(c, &b, "password", true, &password))
        return;
    http_address_print(&c->request->client, address);
    finish(c, accounts_reset_finish(c->accounts, span_of(address), token, password));
}

/* -- a fresh server -- */

void api_setup_show(struct api_call *c)
{
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    jw_key(&c->json, "needed"), jw_bool(&c->json, !accounts_exists(c->accounts));
    jw_object_end(&c->json);
    jw_object_end(&c->json);
}

static void answer_made(struct api_call *c, const struct account_made *made)
{
    c->status = 201;
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    jw_key(&c->json, "person_id"), jw_int(&c->json, made->person_id);
    jw_key(&c->json, "organization_id"), jw_text(&c->json, made->organization_id);
    jw_key(&c->json, "environment_id"), jw_text(&c->json, made->environment_id);
    jw_key(&c->json, "env_key"), jw_text(&c->json, made->env_key);
    jw_key(&c->json, "token_id"), jw_text(&c->json, made->token_id);
    jw_key(&c->json, "token_secret"), jw_text(&c->json, made->token_secret);
    jw_object_end(&c->json);
    jw_object_end(&c->json);
}

void api_setup_create(struct api_call *c)
{
    struct admin_body b;
    struct span code;
    struct account_new in = {.allow_backfill = false};
    if (accounts_exists(c->accounts)) {
        api_fail_accounts(c, ACCOUNTS_ALREADY_EXISTS);
        return;
    }
    if (!admin_body(c, &b) || !admin_text(c, &b, "code", true, &code) || !admin_text(c, &b, "email", true, &in.email) ||
        !admin_text(c, &b, "password", true, &in.password) || !admin_text(c, &b, "name", false, &in.person_name) ||
        !admin_text(c, &b, "organization", false, &in.organization) ||
        !admin_text(c, &b, "environment", false, &in.environment))
        return;
    unsigned wait_s = 0;
    if (!setup_code_right(api_setup(c->api), code, &wait_s)) {
        if (wait_s) api_fail_wait(c, wait_s, "Too many wrong codes; try again later.");
        else api_fail(c, 403, "The code is not the one that the server printed when it started.");
        return;
    }
    char address[48];
    http_address_print(&c->request->client, address);
    struct actor who = {.kind = ACTOR_SERVER, .address = span_of(address)};
    struct account_made made;
    enum accounts_error e = accounts_init_account(c->accounts, &who, &in, &made);
    if (e == ACCOUNTS_OK) answer_made(c, &made);
    else api_fail_accounts(c, e);
    accounts_wipe(&made, sizeof made);
}
