/* SPDX-License-Identifier: Apache-2.0
 * Invitations: made and revoked under /system/v1/invitations, looked at and accepted under /api/invitations by whoever
 * holds the link. Its secret travels in bodies only, never in a path that a proxy would log. */
#include "accounts/people.h"

#include "accounts/environments.h"
#include "api/admin.h"
#include "api/internal.h"
#include "api/mail.h"

#include <stdlib.h>

/* Tokens, and people without a role of the whole organization, are held to the call's environment. */
static bool within_reach(struct api_call *c, const char *environment_id)
{
    if (admin_organization_role(c) >= ROLE_ADMIN) return true;
    if (strcmp(environment_id, c->environment_id) == 0) return true;
    api_fail(c, 403, "Here you may invite to the environment %s only; say so with environment_id.", c->environment_id);
    return false;
}

static void print_members(struct jw *w, const struct invitation *i)
{
    jw_key(w, "id"), jw_int(w, i->id);
    jw_key(w, "email"), jw_text(w, i->email);
    jw_key(w, "role"), jw_text(w, role_name(i->role));
    jw_key(w, "environment_id"), jw_text(w, i->environment_id[0] ? i->environment_id : NULL);
    jw_key(w, "invited_by");
    if (i->invited_by) jw_int(w, i->invited_by);
    else jw_null(w);
    admin_print_time(w, "created_at", i->created_ms);
    admin_print_time(w, "expires_at", i->expires_ms);
}

void api_invitations_list(struct api_call *c)
{
    struct invitation *list;
    size_t n;
    int64_t total = 0;
    bool whole = admin_organization_role(c) >= ROLE_EDITOR;
    enum accounts_error e = accounts_invitations(c->accounts, span_of(c->environment.organization_id), &list, &n);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = 0; i < n; i++) {
        if (!whole && strcmp(list[i].environment_id, c->environment_id) != 0) continue;
        jw_object(&c->json);
        print_members(&c->json, &list[i]);
        jw_object_end(&c->json);
        total++;
    }
    jw_array_end(&c->json);
    api_total(c, total);
    jw_object_end(&c->json);
    free(list);
}

void api_invitation_create(struct api_call *c)
{
    struct admin_body b;
    struct span email, environment;
    enum role role;
    struct invitation made;
    char token[ACCOUNTS_SECRET_MAX + 1], link[ADMIN_LINK_MAX], id[ACCOUNTS_ID_MAX + 1] = "";
    if (!admin_body(c, &b) || !admin_text(c, &b, "email", true, &email) || !admin_role(c, &b, true, &role) ||
        !admin_text(c, &b, "environment_id", false, &environment))
        return;
    if (environment.len && !admin_environment(c, environment, PERMISSION_SYSTEM_WRITE)) return;
    if (environment.len) memcpy(id, environment.ptr, environment.len); /* one of the caller's own: it fits */
    if (!within_reach(c, id)) return;
    struct actor who = api_actor(c);
    enum accounts_error e = accounts_invite(c->accounts, &who, span_of(c->environment.organization_id), environment,
                                            email, role, &made, token);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    admin_link(c, "invitation", token, link);
    c->status = 201;
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    print_members(&c->json, &made);
    jw_key(&c->json, "url"), jw_text(&c->json, link);
    jw_key(&c->json, "mailed"), jw_bool(&c->json, mail_send_invitation(api_mail(c->api), made.email, link));
    jw_object_end(&c->json);
    jw_object_end(&c->json);
    accounts_wipe(token, sizeof token);
    accounts_wipe(link, sizeof link);
}

void api_invitation_revoke(struct api_call *c)
{
    struct invitation *list;
    size_t n;
    int64_t id;
    if (!admin_id(c, c->arguments[0], &id)) return;
    struct span organization = span_of(c->environment.organization_id);
    enum accounts_error e = accounts_invitations(c->accounts, organization, &list, &n);
    const struct invitation *found = NULL;
    for (size_t i = 0; e == ACCOUNTS_OK && i < n; i++)
        if (list[i].id == id) found = &list[i];
    if (e == ACCOUNTS_OK && found == NULL) e = ACCOUNTS_NOT_FOUND;
    if (e != ACCOUNTS_OK) api_fail_accounts(c, e);
    else if (within_reach(c, found->environment_id)) {
        struct actor who = api_actor(c);
        e = accounts_invitation_revoke(c->accounts, &who, organization, id);
        if (e == ACCOUNTS_OK) c->status = 204;
        else api_fail_accounts(c, e);
    }
    free(list);
}

/* -- for the one who is invited -- */

void api_invitation_look(struct api_call *c)
{
    struct admin_body b;
    struct span token;
    struct invitation i;
    struct organization o;
    struct environment there = {.name = ""};
    bool exists;
    if (!admin_body(c, &b) || !admin_text(c, &b, "token", true, &token)) return;
    enum accounts_error e = accounts_invitation_look(c->accounts, token, &i, &exists);
    if (e == ACCOUNTS_OK) e = accounts_organization_get(c->accounts, span_of(i.organization_id), &o);
    if (e == ACCOUNTS_OK && i.environment_id[0])
        e = accounts_environment_get(c->accounts, span_of(i.environment_id), &there);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    jw_key(&c->json, "email"), jw_text(&c->json, i.email);
    jw_key(&c->json, "role"), jw_text(&c->json, role_name(i.role));
    jw_key(&c->json, "organization_name"), jw_text(&c->json, o.name);
    jw_key(&c->json, "environment_name"), jw_text(&c->json, there.name[0] ? there.name : NULL);
    jw_key(&c->json, "exists"), jw_bool(&c->json, exists); /* then the password that is asked for is the present one */
    admin_print_time(&c->json, "expires_at", i.expires_ms);
    jw_object_end(&c->json);
    jw_object_end(&c->json);
}

void api_invitation_accept(struct api_call *c)
{
    struct admin_body b;
    struct span token, name, password;
    int64_t person_id;
    char address[48];
    if (!admin_body(c, &b) || !admin_text(c, &b, "token", true, &token) || !admin_text(c, &b, "name", false, &name) ||
        !admin_text(c, &b, "password", true, &password))
        return;
    http_address_print(&c->request->client, address);
    enum accounts_error e =
        accounts_invitation_accept(c->accounts, span_of(address), token, name, password, &person_id);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    c->status = 201;
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    jw_key(&c->json, "person_id"), jw_int(&c->json, person_id);
    jw_object_end(&c->json);
    jw_object_end(&c->json);
}
