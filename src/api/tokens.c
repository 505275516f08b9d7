/* SPDX-License-Identifier: Apache-2.0
 * /system/v1/access-tokens: of the call's environment only. The secret is in the answer that makes a token, and nowhere
 * else afterwards. */
#include "accounts/tokens.h"

#include "api/admin.h"
#include "query/filter.h"

#include <stdlib.h>

static void print_permissions(struct jw *w, permission_set set)
{
    jw_key(w, "permissions"), jw_array(w);
    for (unsigned bit = 0; bit < PERMISSION_COUNT; bit++)
        if (set & (1u << bit)) jw_text(w, permission_text((enum permission_bit)bit));
    jw_array_end(w);
}

static void print_token(struct jw *w, const struct token *t, const char *secret)
{
    jw_object(w);
    jw_key(w, "id"), jw_text(w, t->id);
    if (secret) jw_key(w, "secret"), jw_text(w, secret);
    jw_key(w, "name"), jw_text(w, t->name);
    jw_key(w, "environment_id"), jw_text(w, t->environment_id);
    print_permissions(w, t->permissions);
    jw_key(w, "filter"), jw_text(w, t->filter[0] ? t->filter : NULL);
    jw_key(w, "created_by");
    if (t->created_by) jw_int(w, t->created_by);
    else jw_null(w);
    admin_print_time(w, "created_at", t->created_ms);
    admin_print_time(w, "expires_at", t->expires_ms);
    admin_print_time(w, "last_used_at", t->last_used_ms);
    admin_print_time(w, "revoked_at", t->revoked_ms);
    jw_object_end(w);
}

static void answer_one(struct api_call *c, const struct token *t, const char *secret)
{
    jw_object(&c->json);
    jw_key(&c->json, "data"), print_token(&c->json, t, secret);
    jw_object_end(&c->json);
}

void api_tokens_list(struct api_call *c)
{
    struct token *list;
    size_t n;
    enum accounts_error e = accounts_tokens(c->accounts, span_of(c->environment_id), &list, &n);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = 0; i < n; i++) print_token(&c->json, &list[i], NULL);
    jw_array_end(&c->json);
    api_total(c, (int64_t)n);
    jw_object_end(&c->json);
    free(list);
}

/* Of this environment; those of others do not exist here. */
static bool load(struct api_call *c, struct token *t)
{
    enum accounts_error e = accounts_token_get(c->accounts, c->arguments[0], t);
    if (e == ACCOUNTS_OK && strcmp(t->environment_id, c->environment_id) != 0) e = ACCOUNTS_NOT_FOUND;
    if (e != ACCOUNTS_OK) api_fail_accounts(c, e);
    return e == ACCOUNTS_OK;
}

void api_token_show(struct api_call *c)
{
    struct token t;
    if (load(c, &t)) answer_one(c, &t, NULL);
}

static bool read_permissions(struct api_call *c, const struct admin_body *b, permission_set *out)
{
    const struct json_node *list = json_get(&b->doc, b->object, "permissions");
    bool ok = json_is(list, JSON_ARRAY) && list->count > 0;
    const struct json_node *one = ok ? json_first(list) : NULL;
    *out = PERMISSION_NONE;
    for (uint32_t i = 0; ok && i < list->count; i++, one = json_next(&b->doc, one)) {
        permission_set bit;
        ok = permission_from_text(json_string(one), &bit);
        if (ok) *out |= bit;
    }
    if (!ok)
        api_fail(c, 400,
                 "permissions has to be a list out of data:read, data:write, system:read, system:write and "
                 "video:read, with at least one.");
    return ok;
}

static bool read_token(struct api_call *c, struct token_new *in)
{
    struct admin_body b;
    *in = (struct token_new){.permissions = PERMISSION_NONE};
    if (!admin_body(c, &b) || !admin_text(c, &b, "name", true, &in->name) ||
        !read_permissions(c, &b, &in->permissions) || !admin_text(c, &b, "filter", false, &in->filter))
        return false;
    if (in->filter.len) { /* the dimension must exist, or the token could see nothing at all */
        struct filters probe = {.count = 0};
        const char *bad = filters_restrict(&probe, in->filter, c->arena);
        if (bad) {
            api_fail(c, 400, "filter: %s", bad);
            return false;
        }
    }
    const struct json_node *expires = json_get(&b.doc, b.object, "expires_at");
    if (expires == NULL || json_is(expires, JSON_NULL)) return true;
    if (!json_is(expires, JSON_INT) || expires->v.i <= c->now_ms / 1000 || expires->v.i > INT64_MAX / 1000) {
        api_fail(c, 400, "expires_at has to be a Unix timestamp in seconds, in the future.");
        return false;
    }
    in->expires_ms = expires->v.i * 1000;
    return true;
}

void api_token_create(struct api_call *c)
{
    struct token_new in;
    struct token made;
    char secret[ACCOUNTS_SECRET_MAX + 1];
    if (!read_token(c, &in)) return;
    struct actor who = api_actor(c);
    enum accounts_error e = accounts_token_add(c->accounts, &who, span_of(c->environment_id), &in, &made, secret);
    if (e == ACCOUNTS_OK) {
        c->status = 201;
        answer_one(c, &made, secret);
    } else {
        api_fail_accounts(c, e);
    }
    accounts_wipe(secret, sizeof secret);
}

void api_token_rename(struct api_call *c)
{
    struct admin_body b;
    struct span name;
    struct token t;
    if (!admin_body(c, &b) || !admin_text(c, &b, "name", true, &name)) return;
    struct actor who = api_actor(c);
    enum accounts_error e = accounts_token_rename(c->accounts, &who, span_of(c->environment_id), c->arguments[0], name);
    if (e != ACCOUNTS_OK) api_fail_accounts(c, e);
    else if (load(c, &t)) answer_one(c, &t, NULL);
}

void api_token_revoke(struct api_call *c)
{
    struct actor who = api_actor(c);
    enum accounts_error e = accounts_token_revoke(c->accounts, &who, span_of(c->environment_id), c->arguments[0]);
    if (e == ACCOUNTS_OK) c->status = 204;
    else api_fail_accounts(c, e);
}
