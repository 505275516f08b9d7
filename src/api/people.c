/* SPDX-License-Identifier: Apache-2.0
 * /system/v1/people: who belongs to the organization and which role they have where. Whoever has a role of editor or
 * more in the organization sees all of them; others (and tokens) see the people of the call's environment. What changes
 * a person takes an admin of the organization: a token's rights end with its environment, where it may set roles. */
#include "accounts/people.h"

#include "api/admin.h"
#include "api/internal.h"
#include "api/mail.h"

#include <stdlib.h>

/* One reading of everybody, with the roles that differ. */
struct crowd {
    struct person *people;
    struct environment_role *roles;
    size_t people_count, role_count;
    bool whole; /* the caller sees the whole organization */
};

static void crowd_free(struct crowd *all)
{
    free(all->people);
    free(all->roles);
}

static bool crowd_load(struct api_call *c, struct crowd *all)
{
    struct span organization = span_of(c->environment.organization_id);
    *all = (struct crowd){.whole = admin_organization_role(c) >= ROLE_EDITOR};
    enum accounts_error e = accounts_people(c->accounts, organization, &all->people, &all->people_count);
    if (e == ACCOUNTS_OK) e = accounts_environment_roles(c->accounts, organization, 0, &all->roles, &all->role_count);
    if (e == ACCOUNTS_OK) return true;
    api_fail_accounts(c, e);
    crowd_free(all);
    return false;
}

/* In the call's environment. */
static enum role role_here(const struct api_call *c, const struct crowd *all, const struct person *p)
{
    if (p->role >= ROLE_ADMIN) return p->role;
    for (size_t i = 0; i < all->role_count; i++)
        if (all->roles[i].person_id == p->id && strcmp(all->roles[i].environment_id, c->environment_id) == 0)
            return all->roles[i].role;
    return p->role;
}

static bool visible(const struct api_call *c, const struct crowd *all, const struct person *p)
{
    return all->whole || role_here(c, all, p) != ROLE_NONE;
}

static void print_person(struct api_call *c, const struct crowd *all, const struct person *p)
{
    struct jw *w = &c->json;
    jw_object(w);
    jw_key(w, "id"), jw_int(w, p->id);
    jw_key(w, "email"), jw_text(w, p->email);
    jw_key(w, "name"), jw_text(w, p->name);
    jw_key(w, "role"), jw_text(w, role_name(p->role));
    jw_key(w, "role_here"), jw_text(w, role_name(role_here(c, all, p)));
    jw_key(w, "environment_roles"), jw_array(w);
    for (size_t i = 0; i < all->role_count; i++) {
        const struct environment_role *r = &all->roles[i];
        if (r->person_id != p->id || !(all->whole || strcmp(r->environment_id, c->environment_id) == 0)) continue;
        jw_object(w);
        jw_key(w, "environment_id"), jw_text(w, r->environment_id);
        jw_key(w, "role"), jw_text(w, role_name(r->role));
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_key(w, "totp"), jw_bool(w, p->totp);
    admin_print_time(w, "created_at", p->created_ms);
    admin_print_time(w, "last_seen_at", p->last_seen_ms);
    jw_object_end(w);
}

void api_people_list(struct api_call *c)
{
    struct crowd all;
    int64_t total = 0;
    if (!crowd_load(c, &all)) return;
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = 0; i < all.people_count; i++) {
        if (!visible(c, &all, &all.people[i])) continue;
        print_person(c, &all, &all.people[i]);
        total++;
    }
    jw_array_end(&c->json);
    api_total(c, total);
    jw_object_end(&c->json);
    crowd_free(&all);
}

static void answer_person(struct api_call *c, int64_t id)
{
    struct crowd all;
    const struct person *found = NULL;
    if (!crowd_load(c, &all)) return;
    for (size_t i = 0; i < all.people_count; i++)
        if (all.people[i].id == id && visible(c, &all, &all.people[i])) found = &all.people[i];
    if (found) {
        jw_object(&c->json);
        jw_key(&c->json, "data"), print_person(c, &all, found);
        jw_object_end(&c->json);
    } else {
        api_fail_accounts(c, ACCOUNTS_NOT_FOUND);
    }
    crowd_free(&all);
}

void api_person_show(struct api_call *c)
{
    int64_t id;
    if (admin_id(c, c->arguments[0], &id)) answer_person(c, id);
}

/* The person of the path, who is a member here; only for admins of the organization. own: the caller's role. */
static bool member(struct api_call *c, int64_t *id, enum role *own, struct person *out)
{
    struct crowd all;
    bool found = false;
    *own = admin_organization_role(c);
    if (!admin_needs(c, ROLE_ADMIN) || !admin_id(c, c->arguments[0], id) || !crowd_load(c, &all)) return false;
    for (size_t i = 0; i < all.people_count; i++) {
        if (all.people[i].id != *id) continue;
        *out = all.people[i];
        found = true;
    }
    crowd_free(&all);
    if (!found) api_fail_accounts(c, ACCOUNTS_NOT_FOUND);
    return found;
}

void api_person_create(struct api_call *c)
{
    struct admin_body b;
    struct person_new in = {.role = ROLE_NONE};
    int64_t id;
    if (!admin_needs(c, ROLE_ADMIN) || !admin_body(c, &b) || !admin_text(c, &b, "email", true, &in.email) ||
        !admin_text(c, &b, "name", false, &in.name) || !admin_text(c, &b, "password", true, &in.password) ||
        !admin_role(c, &b, true, &in.role))
        return;
    struct actor who = api_actor(c);
    enum accounts_error e = accounts_person_add(c->accounts, &who, span_of(c->environment.organization_id), &in, &id);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    c->status = 201;
    answer_person(c, id);
}

void api_person_change(struct api_call *c)
{
    struct admin_body b;
    struct span name;
    struct person now;
    enum role role, own;
    int64_t id;
    if (!member(c, &id, &own, &now) || !admin_body(c, &b) || !admin_text(c, &b, "name", false, &name) ||
        !admin_role(c, &b, false, &role))
        return;
    bool role_given = json_is(json_get(&b.doc, b.object, "role"), JSON_STRING);
    struct actor who = api_actor(c);
    enum accounts_error e = ACCOUNTS_OK;
    if (role_given) e = accounts_role_set(c->accounts, &who, span_of(c->environment.organization_id), id, role);
    if (e == ACCOUNTS_OK && name.len) e = accounts_person_rename(c->accounts, &who, id, name);
    if (e == ACCOUNTS_OK) answer_person(c, id);
    else api_fail_accounts(c, e);
}

void api_person_remove(struct api_call *c)
{
    struct person now;
    enum role own;
    int64_t id;
    if (!member(c, &id, &own, &now)) return;
    struct actor who = api_actor(c);
    enum accounts_error e = accounts_person_remove(c->accounts, &who, span_of(c->environment.organization_id), id);
    if (e == ACCOUNTS_OK) c->status = 204;
    else api_fail_accounts(c, e);
}

/* -- roles in one environment -- */

void api_environment_role_set(struct api_call *c)
{
    struct admin_body b;
    enum role role;
    int64_t id;
    if (!admin_environment(c, c->arguments[0], PERMISSION_SYSTEM_WRITE) || !admin_id(c, c->arguments[1], &id) ||
        !admin_body(c, &b) || !admin_role(c, &b, true, &role))
        return;
    struct actor who = api_actor(c);
    enum accounts_error e = accounts_environment_role_set(c->accounts, &who, c->arguments[0], id, role);
    if (e == ACCOUNTS_OK) {
        jw_object(&c->json);
        jw_key(&c->json, "data"), jw_object(&c->json);
        jw_key(&c->json, "person_id"), jw_int(&c->json, id);
        jw_key(&c->json, "environment_id"), jw_string(&c->json, c->arguments[0]);
        jw_key(&c->json, "role"), jw_text(&c->json, role_name(role));
        jw_object_end(&c->json);
        jw_object_end(&c->json);
    } else {
        api_fail_accounts(c, e);
    }
}

void api_environment_role_clear(struct api_call *c)
{
    int64_t id;
    if (!admin_environment(c, c->arguments[0], PERMISSION_SYSTEM_WRITE) || !admin_id(c, c->arguments[1], &id)) return;
    struct actor who = api_actor(c);
    enum accounts_error e = accounts_environment_role_clear(c->accounts, &who, c->arguments[0], id);
    if (e == ACCOUNTS_OK) c->status = 204;
    else api_fail_accounts(c, e);
}

/* -- helping somebody who cannot get in -- */

/* A link that sets somebody's password opens their account: as strict as setting it. */
void api_person_reset(struct api_call *c)
{
    struct person p, highest;
    enum role own;
    int64_t id;
    char token[ACCOUNTS_SECRET_MAX + 1], link[ADMIN_LINK_MAX];
    if (!member(c, &id, &own, &p)) return;
    enum accounts_error e = accounts_person_get(c->accounts, id, &highest);
    if (e == ACCOUNTS_OK && own != ROLE_OWNER && own <= highest.role) e = ACCOUNTS_ROLE_REFUSED;
    if (e == ACCOUNTS_OK && id == c->principal.person_id) e = ACCOUNTS_ROLE_REFUSED;
    struct actor who = api_actor(c);
    if (e == ACCOUNTS_OK) e = accounts_reset_begin(c->accounts, &who, span_of(p.email), token);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    admin_link(c, "reset", token, link);
    c->status = 201;
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    jw_key(&c->json, "person_id"), jw_int(&c->json, id);
    jw_key(&c->json, "url"), jw_text(&c->json, link);
    jw_key(&c->json, "mailed"), jw_bool(&c->json, mail_send_reset(api_mail(c->api), p.email, link));
    jw_object_end(&c->json);
    jw_object_end(&c->json);
    accounts_wipe(token, sizeof token);
    accounts_wipe(link, sizeof link);
}

void api_person_totp_disable(struct api_call *c)
{
    struct person p;
    enum role own;
    int64_t id;
    if (!member(c, &id, &own, &p)) return;
    struct actor who = api_actor(c);
    enum accounts_error e = accounts_totp_disable(c->accounts, &who, id);
    if (e == ACCOUNTS_OK) c->status = 204;
    else api_fail_accounts(c, e);
}

void api_person_sessions_end(struct api_call *c)
{
    struct person p;
    enum role own;
    int64_t id;
    if (!member(c, &id, &own, &p)) return;
    struct actor who = api_actor(c);
    enum accounts_error e = accounts_sessions_revoke(c->accounts, &who, id, 0);
    if (e == ACCOUNTS_OK) c->status = 204;
    else api_fail_accounts(c, e);
}
