/* SPDX-License-Identifier: Apache-2.0 */
#include "api/admin.h"

#include "accounts/people.h"

#include <stdio.h>
#include <stdlib.h>

bool admin_body(struct api_call *c, struct admin_body *out)
{
    out->object = api_body_json(c, &out->doc);
    return out->object != NULL;
}

/* Absent members and null are the same. */
static const struct json_node *member(const struct admin_body *b, const char *name)
{
    const struct json_node *node = json_get(&b->doc, b->object, name);
    return json_is(node, JSON_NULL) ? NULL : node;
}

bool admin_text(struct api_call *c, const struct admin_body *b, const char *name, bool required, struct span *out)
{
    const struct json_node *node = member(b, name);
    *out = (struct span){NULL, 0};
    if (node == NULL && !required) return true;
    if (json_is(node, JSON_STRING) && (node->v.s.len == 0 || memchr(node->v.s.ptr, 0, node->v.s.len) == NULL)) {
        *out = node->v.s;
        if (out->len > 0 || !required) return true;
    }
    api_fail(c, 400, node ? "%s has to be text." : "%s is missing.", name);
    return false;
}

bool admin_flag(struct api_call *c, const struct admin_body *b, const char *name, bool *value, const bool **out)
{
    const struct json_node *node = member(b, name);
    *out = NULL;
    if (node == NULL) return true;
    *value = json_is(node, JSON_TRUE);
    *out = value;
    if (*value || json_is(node, JSON_FALSE)) return true;
    api_fail(c, 400, "%s has to be true or false.", name);
    return false;
}

bool admin_number(struct api_call *c, const struct admin_body *b, const char *name, uint32_t *value,
                  const uint32_t **out)
{
    const struct json_node *node = member(b, name);
    *out = NULL;
    if (node == NULL) return true;
    if (!json_is(node, JSON_INT) || node->v.i < 0 || node->v.i > UINT32_MAX) {
        api_fail(c, 400, "%s has to be a whole number, 0 or more.", name);
        return false;
    }
    *value = (uint32_t)node->v.i;
    *out = value;
    return true;
}

bool admin_role(struct api_call *c, const struct admin_body *b, bool required, enum role *out)
{
    struct span text;
    *out = ROLE_NONE;
    if (!admin_text(c, b, "role", required, &text)) return false;
    if (text.len == 0 || role_from_name(text, out)) return true;
    api_fail(c, 400, "%s", accounts_error_text(ACCOUNTS_BAD_ROLE));
    return false;
}

bool admin_id(struct api_call *c, struct span text, int64_t *out)
{
    if (span_to_i64(text, out) && *out > 0) return true;
    api_fail_accounts(c, ACCOUNTS_NOT_FOUND);
    return false;
}

void admin_print_time(struct jw *w, const char *key, int64_t ms)
{
    jw_key(w, key);
    if (ms) jw_int(w, ms / 1000);
    else jw_null(w);
}

enum role admin_organization_role(struct api_call *c)
{
    struct person *people;
    size_t n;
    enum role role = ROLE_NONE;
    if (c->principal.kind != PRINCIPAL_SESSION) return ROLE_NONE;
    if (accounts_people(c->accounts, span_of(c->environment.organization_id), &people, &n) != ACCOUNTS_OK)
        return ROLE_NONE;
    for (size_t i = 0; i < n; i++)
        if (people[i].id == c->principal.person_id) role = people[i].role;
    free(people);
    return role;
}

bool admin_needs(struct api_call *c, enum role least)
{
    if (admin_organization_role(c) >= least) return true;
    api_fail(c, 403, "This needs a person who is %s of the whole organization.", role_name(least));
    return false;
}

bool admin_environment(struct api_call *c, struct span id, permission_set needed)
{
    const struct principal_environment *e = id.len ? principal_environment(&c->principal, id) : NULL;
    if (e == NULL) api_fail(c, 404, "There is no such environment.");
    else if (!principal_may(e, needed)) api_fail(c, 403, "This credential lacks the permission that is needed there.");
    return !c->failed;
}

void admin_link(struct api_call *c, const char *page, const char *token, char out[ADMIN_LINK_MAX])
{
    int len = snprintf(out, ADMIN_LINK_MAX, "%s/%s#%s", c->public_url, page, token);
    BUG_IF(len <= 0 || len >= ADMIN_LINK_MAX); /* public_url is bounded when the server starts */
}
