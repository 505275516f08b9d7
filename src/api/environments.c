/* SPDX-License-Identifier: Apache-2.0
 * /system/v1/environments and /system/v1/organization. A person sees the environments where they have system:read, a
 * token its own. Adding and removing one concerns the whole organization, so only its admins and owners may. Removing
 * asks for the name; the views in the store go afterwards, see sweeper.h. */
#include "accounts/environments.h"

#include "api/admin.h"
#include "api/internal.h"
#include "api/sweeper.h"

#include <stdlib.h>

static void print_origins(struct jw *w, const char *origins)
{
    struct span rest = span_of(origins);
    jw_key(w, "cors_origins"), jw_array(w);
    while (rest.len) {
        ptrdiff_t blank = span_find(rest, ' ');
        jw_string(w, blank < 0 ? rest : span_upto(rest, (size_t)blank));
        rest = blank < 0 ? (struct span){NULL, 0} : span_from(rest, (size_t)blank + 1);
    }
    jw_array_end(w);
}

static void print_members(struct jw *w, const struct environment *e)
{
    jw_key(w, "id"), jw_text(w, e->facts.environment_id);
    jw_key(w, "name"), jw_text(w, e->name);
    jw_key(w, "type"), jw_text(w, environment_type_name(e->type));
    jw_key(w, "env_key"), jw_text(w, e->env_key);
    jw_key(w, "organization_id"), jw_text(w, e->facts.organization_id);
    jw_key(w, "retention_days"), jw_int(w, e->facts.retention_days);
    jw_key(w, "allow_backfill"), jw_bool(w, e->facts.allow_backfill);
    jw_key(w, "strip_query"), jw_bool(w, e->facts.strip_query);
    jw_key(w, "honour_dnt"), jw_bool(w, e->facts.honour_dnt);
    jw_key(w, "addresses"), jw_text(w, keep_addresses_name(e->facts.keep_addresses));
    jw_key(w, "views_per_minute_max"), jw_int(w, e->facts.views_per_minute_max);
    jw_key(w, "events_per_second_max"), jw_int(w, e->facts.events_per_second_max);
    jw_key(w, "disabled"), jw_bool(w, e->facts.disabled);
    print_origins(w, e->cors_origins);
    admin_print_time(w, "created_at", e->created_ms);
}

static void answer_one(struct api_call *c, const struct environment *e)
{
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    print_members(&c->json, e);
    jw_object_end(&c->json);
    jw_object_end(&c->json);
}

void api_environments_list(struct api_call *c)
{
    int64_t total = 0;
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = 0; i < c->principal.environment_count; i++) {
        const struct principal_environment *p = &c->principal.environments[i];
        struct environment e;
        if (!principal_may(p, PERMISSION_SYSTEM_READ)) continue;
        if (accounts_environment_get(c->accounts, span_of(p->environment_id), &e) != ACCOUNTS_OK) continue;
        jw_object(&c->json);
        print_members(&c->json, &e);
        jw_object_end(&c->json);
        total++;
    }
    jw_array_end(&c->json);
    api_total(c, total);
    jw_object_end(&c->json);
}

/* What a removal deletes. Views are unknown (null) while the store is away. */
static bool print_contents(struct api_call *c, const char *id)
{
    struct environment_contents have;
    enum accounts_error e = accounts_environment_contents(c->accounts, span_of(id), &have);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return false;
    }
    int64_t views;
    bool counted = sweeper_views(c->store, id, &views);
    jw_key(&c->json, "contents"), jw_object(&c->json);
    jw_key(&c->json, "views");
    if (counted) jw_int(&c->json, views);
    else jw_null(&c->json);
    jw_key(&c->json, "tokens"), jw_int(&c->json, have.tokens);
    jw_key(&c->json, "signing_keys"), jw_int(&c->json, have.signing_keys);
    jw_key(&c->json, "annotations"), jw_int(&c->json, have.annotations);
    jw_key(&c->json, "error_categories"), jw_int(&c->json, have.error_categories);
    jw_key(&c->json, "roles"), jw_int(&c->json, have.roles);
    jw_object_end(&c->json);
    return true;
}

void api_environment_show(struct api_call *c)
{
    struct environment e;
    if (!admin_environment(c, c->arguments[0], PERMISSION_SYSTEM_READ)) return;
    enum accounts_error failed = accounts_environment_get(c->accounts, c->arguments[0], &e);
    if (failed != ACCOUNTS_OK) {
        api_fail_accounts(c, failed);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    print_members(&c->json, &e);
    if (!print_contents(c, e.facts.environment_id)) return;
    jw_object_end(&c->json);
    jw_object_end(&c->json);
}

/* Where the pointers of a change can point. */
struct environment_body {
    struct environment_change change;
    enum environment_type type;
    enum keep_addresses addresses;
    bool allow_backfill, strip_query, honour_dnt, disabled;
    uint32_t retention_days, views_per_minute_max, events_per_second_max;
    struct span origins;
};

/* A list of texts; the accounts store wants them separated by blanks, and checks each. */
static bool read_origins(struct api_call *c, const struct admin_body *b, struct environment_body *in)
{
    const struct json_node *list = json_get(&b->doc, b->object, "cors_origins");
    if (list == NULL) return true;
    bool ok = json_is(list, JSON_ARRAY);
    char *text = arena_alloc(c->arena, ACCOUNTS_ORIGINS_MAX + 1);
    size_t len = 0;
    const struct json_node *one = ok ? json_first(list) : NULL;
    for (uint32_t i = 0; ok && i < list->count; i++, one = json_next(&b->doc, one)) {
        struct span s = json_string(one);
        ok = text && s.len > 0 && s.len + 1 < ACCOUNTS_ORIGINS_MAX - len && span_find(s, ' ') < 0;
        if (!ok) break;
        if (len) text[len++] = ' ';
        memcpy(text + len, s.ptr, s.len);
        len += s.len;
    }
    if (!ok) {
        api_fail(c, 400, "cors_origins has to be a list of origins, at most %d bytes together.", ACCOUNTS_ORIGINS_MAX);
        return false;
    }
    in->origins = span_make(text, len);
    in->change.cors_origins = &in->origins;
    return true;
}

static bool read_names(struct api_call *c, const struct admin_body *b, struct environment_body *in)
{
    struct span type, addresses;
    if (!admin_text(c, b, "name", false, &in->change.name) ||
        !admin_text(c, b, "env_key", false, &in->change.env_key) || !admin_text(c, b, "type", false, &type) ||
        !admin_text(c, b, "addresses", false, &addresses))
        return false;
    if (type.len) {
        if (!environment_type_from_name(type, &in->type)) {
            api_fail_accounts(c, ACCOUNTS_BAD_TYPE);
            return false;
        }
        in->change.type = &in->type;
    }
    if (addresses.len) {
        if (!keep_addresses_from_name(addresses, &in->addresses)) {
            api_fail(c, 400, "addresses has to be truncated or none.");
            return false;
        }
        in->change.keep_addresses = &in->addresses;
    }
    return true;
}

static bool read_change(struct api_call *c, struct environment_body *in)
{
    struct admin_body b;
    struct environment_change *to = &in->change;
    *in = (struct environment_body){.type = ENVIRONMENT_PRODUCTION};
    return admin_body(c, &b) && read_names(c, &b, in) && read_origins(c, &b, in) &&
           admin_flag(c, &b, "allow_backfill", &in->allow_backfill, &to->allow_backfill) &&
           admin_flag(c, &b, "strip_query", &in->strip_query, &to->strip_query) &&
           admin_flag(c, &b, "honour_dnt", &in->honour_dnt, &to->honour_dnt) &&
           admin_flag(c, &b, "disabled", &in->disabled, &to->disabled) &&
           admin_number(c, &b, "retention_days", &in->retention_days, &to->retention_days) &&
           admin_number(c, &b, "views_per_minute_max", &in->views_per_minute_max, &to->views_per_minute_max) &&
           admin_number(c, &b, "events_per_second_max", &in->events_per_second_max, &to->events_per_second_max);
}

void api_environment_create(struct api_call *c)
{
    struct environment_body in;
    struct environment made;
    if (!admin_needs(c, ROLE_ADMIN) || !read_change(c, &in)) return;
    struct actor who = api_actor(c);
    enum accounts_error e =
        accounts_environment_add(c->accounts, &who, span_of(c->environment.organization_id), &in.change, &made);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    c->status = 201;
    answer_one(c, &made);
}

void api_environment_change(struct api_call *c)
{
    struct environment_body in;
    struct environment now;
    if (!admin_environment(c, c->arguments[0], PERMISSION_SYSTEM_WRITE) || !read_change(c, &in)) return;
    struct actor who = api_actor(c);
    enum accounts_error e = accounts_environment_change(c->accounts, &who, c->arguments[0], &in.change, &now);
    if (e == ACCOUNTS_OK) answer_one(c, &now);
    else api_fail_accounts(c, e);
}

static void say_what_goes(struct api_call *c)
{
    struct environment_contents have;
    int64_t views = 0;
    char id[ACCOUNTS_ID_MAX + 1] = "";
    if (c->arguments[0].len <= ACCOUNTS_ID_MAX) memcpy(id, c->arguments[0].ptr, c->arguments[0].len);
    enum accounts_error e = accounts_environment_contents(c->accounts, c->arguments[0], &have);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    bool counted = sweeper_views(c->store, id, &views);
    api_fail(c, 400,
             "This deletes %s%lld views, %lld tokens, %lld signing keys, %lld annotations and %lld error categories. "
             "To confirm, repeat it with ?confirm= and the environment's exact name.",
             counted ? "" : "(the store is away) at least ", (long long)views, (long long)have.tokens,
             (long long)have.signing_keys, (long long)have.annotations, (long long)have.error_categories);
}

void api_environment_remove(struct api_call *c)
{
    if (!admin_environment(c, c->arguments[0], PERMISSION_SYSTEM_WRITE)) return;
    /* Rights are those in the organization of the environment that goes. */
    const struct principal_environment *there = principal_environment(&c->principal, c->arguments[0]);
    memcpy(c->environment.organization_id, there->organization_id, sizeof c->environment.organization_id);
    if (!admin_needs(c, ROLE_ADMIN)) return;
    struct span confirm = api_param(c, "confirm");
    if (confirm.len == 0) {
        say_what_goes(c);
        return;
    }
    struct actor who = api_actor(c);
    enum accounts_error e = accounts_environment_remove(c->accounts, &who, c->arguments[0], confirm);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    sweeper_kick(api_sweeper(c->api));
    c->status = 204;
}

/* -- the organization -- */

static void answer_organization(struct api_call *c)
{
    struct organization o;
    enum accounts_error e = accounts_organization_get(c->accounts, span_of(c->environment.organization_id), &o);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    jw_key(&c->json, "id"), jw_text(&c->json, o.id);
    jw_key(&c->json, "name"), jw_text(&c->json, o.name);
    admin_print_time(&c->json, "created_at", o.created_ms);
    jw_object_end(&c->json);
    jw_object_end(&c->json);
}

void api_organization_show(struct api_call *c)
{
    answer_organization(c);
}

void api_organization_change(struct api_call *c)
{
    struct admin_body b;
    struct span name;
    if (!admin_needs(c, ROLE_ADMIN) || !admin_body(c, &b) || !admin_text(c, &b, "name", true, &name)) return;
    struct actor who = api_actor(c);
    enum accounts_error e =
        accounts_organization_rename(c->accounts, &who, span_of(c->environment.organization_id), name);
    if (e == ACCOUNTS_OK) answer_organization(c);
    else api_fail_accounts(c, e);
}
