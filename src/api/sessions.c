/* SPDX-License-Identifier: Apache-2.0
 * Sessions: a person signs in with e-mail and password and gets a token. The same session serves the beta-auth-token
 * header, Bearer, and (asked for with "cookie": true) the dashboard's cookie. */
#include "api/internal.h"

#include "accounts/environments.h"
#include "accounts/people.h"

#include <stdio.h>
#include <stdlib.h>

static void session_cookie(struct api_call *c, const char *token, int64_t seconds)
{
    char text[256];
    bool secure = c->request->tls || strncmp(c->public_url, "https:", 6) == 0;
    (void)snprintf(text, sizeof text, "firstframe_session=%s; Path=/; HttpOnly; SameSite=Lax; Max-Age=%lld%s", token,
                   (long long)seconds, secure ? "; Secure" : "");
    api_header(c, "Set-Cookie", text);
}

static void session_answer(struct api_call *c, const struct signed_in *in, bool cookie)
{
    c->status = 201;
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    if (cookie) {
        session_cookie(c, in->token, (in->expires_ms - c->now_ms) / 1000);
        jw_key(&c->json, "person_id"), jw_int(&c->json, in->person_id);
    } else {
        jw_key(&c->json, "token"), jw_text(&c->json, in->token);
    }
    jw_key(&c->json, "expires_at"), jw_int(&c->json, in->expires_ms / 1000);
    jw_object_end(&c->json);
    jw_object_end(&c->json);
}

enum { SIGN_IN_BYTES_MAX = 16 * 1024 }; /* the longest e-mail and password, every character escaped, fit */

bool api_sign_in_admit(struct api_call *c)
{
    struct json_doc doc;
    char address[48];
    if (c->request->body.len > SIGN_IN_BYTES_MAX || c->request->body_cut) {
        api_fail(c, 413, "The body is too large.");
        return false;
    }
    const struct json_node *body = api_body_json(c, &doc);
    if (body == NULL) return false;
    struct span email = json_string(json_get(&doc, json_get(&doc, body, "session"), "email"));
    http_address_print(&c->request->client, address);
    unsigned wait_s = accounts_sign_in_wait_s(c->accounts, email, span_of(address));
    if (wait_s) api_fail_wait(c, wait_s, accounts_error_text(ACCOUNTS_THROTTLED));
    return wait_s == 0;
}

void api_session_create(struct api_call *c)
{
    struct json_doc doc;
    const struct json_node *body = api_body_json(c, &doc);
    if (body == NULL) return;
    const struct json_node *session = json_get(&doc, body, "session");
    const struct json_node *email = json_get(&doc, session, "email"), *password = json_get(&doc, session, "password");
    if (!json_is(email, JSON_STRING) || !json_is(password, JSON_STRING)) {
        api_fail(c, 400, "The body has to be {\"session\":{\"email\":\"...\",\"password\":\"...\"}}.");
        return;
    }
    bool cookie = json_is(json_get(&doc, session, "cookie"), JSON_TRUE);
    /* Another site must not sign its visitors in here as somebody else. */
    if (cookie && http_header(c->request, "Origin").len && !api_same_origin(c->request)) {
        api_fail(c, 403, "Signing in with a cookie is for pages of this server.");
        return;
    }
    char address[48];
    http_address_print(&c->request->client, address);
    struct sign_in in = {.email = email->v.s,
                         .password = password->v.s,
                         .address = span_of(address),
                         .totp = json_string(json_get(&doc, session, "totp")),
                         .agent = http_header(c->request, "User-Agent"),
                         .kind = cookie ? SESSION_COOKIE : SESSION_BETA};
    struct signed_in out;
    enum accounts_error e = accounts_sign_in(c->accounts, &in, &out);
    if (e == ACCOUNTS_OK) {
        session_answer(c, &out, cookie);
        accounts_wipe(&out, sizeof out);
        return;
    }
    if (e == ACCOUNTS_THROTTLED) api_fail_wait(c, out.retry_after_s, accounts_error_text(e));
    else if (e == ACCOUNTS_TOTP_NEEDED || e == ACCOUNTS_BAD_TOTP) api_fail(c, 401, "%s", accounts_error_text(e));
    else api_fail_accounts(c, e);
}

static void print_environments(struct api_call *c)
{
    jw_key(&c->json, "environments"), jw_array(&c->json);
    for (size_t i = 0; i < c->principal.environment_count; i++) {
        const struct principal_environment *e = &c->principal.environments[i];
        struct environment full;
        if (accounts_environment_get(c->accounts, span_of(e->environment_id), &full) != ACCOUNTS_OK) continue;
        jw_object(&c->json);
        jw_key(&c->json, "id"), jw_text(&c->json, e->environment_id);
        jw_key(&c->json, "name"), jw_text(&c->json, full.name);
        jw_key(&c->json, "type"), jw_text(&c->json, environment_type_name(full.type));
        jw_key(&c->json, "env_key"), jw_text(&c->json, full.env_key);
        jw_key(&c->json, "role"), jw_text(&c->json, role_name(e->role));
        jw_key(&c->json, "permissions"), jw_array(&c->json);
        for (unsigned bit = 0; bit < PERMISSION_COUNT; bit++)
            if (e->permissions & (1u << bit)) jw_text(&c->json, permission_text((enum permission_bit)bit));
        jw_array_end(&c->json);
        jw_object_end(&c->json);
    }
    jw_array_end(&c->json);
}

void api_session_show(struct api_call *c)
{
    struct person p;
    enum accounts_error e = accounts_person_get(c->accounts, c->principal.person_id, &p);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    jw_key(&c->json, "person_id"), jw_int(&c->json, p.id);
    jw_key(&c->json, "email"), jw_text(&c->json, p.email);
    jw_key(&c->json, "name"), jw_text(&c->json, p.name);
    jw_key(&c->json, "totp"), jw_bool(&c->json, p.totp);
    jw_key(&c->json, "organization_id"), jw_text(&c->json, c->principal.organization_id);
    jw_key(&c->json, "organization_role"), jw_text(&c->json, role_name(c->principal.organization_role));
    jw_key(&c->json, "expires_at"), jw_int(&c->json, c->principal.expires_ms / 1000);
    jw_key(&c->json, "public_url"), jw_text(&c->json, c->public_url);
    print_environments(c);
    jw_object_end(&c->json);
    jw_object_end(&c->json);
}

void api_session_delete(struct api_call *c)
{
    char address[48];
    http_address_print(&c->request->client, address);
    struct actor who = principal_actor(&c->principal, span_of(address));
    enum accounts_error e = accounts_session_revoke(c->accounts, &who, c->principal.person_id, c->principal.session_id);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    if (api_cookie_token(c->request).len) session_cookie(c, "", 0);
    c->status = 204;
}

void api_whoami(struct api_call *c)
{
    struct environment e;
    struct organization o;
    enum accounts_error failed = accounts_environment_get(c->accounts, span_of(c->environment_id), &e);
    if (failed == ACCOUNTS_OK) failed = accounts_organization_get(c->accounts, span_of(e.facts.organization_id), &o);
    if (failed != ACCOUNTS_OK) {
        api_fail_accounts(c, failed);
        return;
    }
    const struct principal_environment *here = principal_environment(&c->principal, span_of(c->environment_id));
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    jw_key(&c->json, "permissions"), jw_array(&c->json);
    for (unsigned bit = 0; here && bit < PERMISSION_COUNT; bit++)
        if (here->permissions & (1u << bit)) jw_text(&c->json, permission_text((enum permission_bit)bit));
    jw_array_end(&c->json);
    jw_key(&c->json, "organization_name"), jw_text(&c->json, o.name);
    jw_key(&c->json, "organization_id"), jw_text(&c->json, o.id);
    jw_key(&c->json, "environment_type"), jw_text(&c->json, environment_type_name(e.type));
    jw_key(&c->json, "environment_name"), jw_text(&c->json, e.name);
    jw_key(&c->json, "environment_id"), jw_text(&c->json, e.facts.environment_id);
    jw_key(&c->json, "access_token_name"), jw_text(&c->json, c->principal.name);
    jw_object_end(&c->json);
    jw_object_end(&c->json);
}

void api_video_assets(struct api_call *c)
{
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json), jw_array_end(&c->json);
    jw_object_end(&c->json);
}
