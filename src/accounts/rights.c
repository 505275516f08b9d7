/* SPDX-License-Identifier: Apache-2.0
 * Permissions, roles, and who may touch whom. Everything that asks the database needs the store's lock. */
#include "accounts/store.h"

struct permission_row {
    const char *text;
    enum role least;
};
static const struct permission_row permissions[] = {
#define PERMISSION(name, text, role, help) {text, role},
#include "accounts/permissions.def"
#undef PERMISSION
};
static const char *const roles[] = {"none", "viewer", "editor", "admin", "owner"};

const char *permission_text(enum permission_bit bit)
{
    return permissions[bit].text;
}

bool permission_from_text(struct span text, permission_set *out)
{
    for (size_t i = 0; i < COUNT(permissions); i++) {
        if (!span_is(text, permissions[i].text)) continue;
        *out = 1u << i;
        return true;
    }
    return false;
}

bool permissions_from_list(struct span text, permission_set *out)
{
    *out = 0;
    for (size_t i = 0; i < text.len;) {
        size_t start = i;
        while (i < text.len && text.ptr[i] != ',' && text.ptr[i] != ' ') i++;
        struct span word = span_make(text.ptr + start, i - start);
        if (i < text.len) i++;
        permission_set one;
        if (word.len == 0) continue;
        if (!permission_from_text(word, &one)) return false;
        *out |= one;
    }
    return *out != 0;
}

permission_set role_permissions(enum role r)
{
    permission_set set = 0;
    for (size_t i = 0; i < COUNT(permissions); i++) {
        if (r >= permissions[i].least) set |= 1u << i;
    }
    return set;
}

const char *role_name(enum role r)
{
    return roles[r];
}

bool role_from_name(struct span name, enum role *out)
{
    for (size_t i = 0; i < COUNT(roles); i++) {
        if (!span_is(name, roles[i])) continue;
        *out = (enum role)i;
        return true;
    }
    return false;
}

bool environment_organization(struct accounts *a, struct span environment_id, char out[ACCOUNTS_ID_MAX + 1])
{
    struct rows r =
        rows_open(a, "SELECT organization_id FROM environment WHERE id = ?", ARGS(arg_text(environment_id)));
    bool found = rows_next(&r);
    out[0] = 0;
    if (found) row_text(&r, 0, out, ACCOUNTS_ID_MAX + 1);
    rows_close(&r);
    return found;
}

bool organization_known(struct accounts *a, struct span organization_id)
{
    return sql_int(a, 0, "SELECT 1 FROM organization WHERE id = ?", ARGS(arg_text(organization_id))) == 1;
}

enum role person_role(struct accounts *a, int64_t person_id, struct span organization_id, struct span environment_id)
{
    int64_t role = sql_int(a, ROLE_NONE, "SELECT role FROM membership WHERE organization_id = ? AND person_id = ?",
                           ARGS(arg_text(organization_id), arg_int(person_id)));
    if (environment_id.len > 0 && role < ROLE_ADMIN) {
        role = sql_int(a, role, "SELECT role FROM environment_role WHERE environment_id = ? AND person_id = ?",
                       ARGS(arg_text(environment_id), arg_int(person_id)));
    }
    return (enum role)role;
}

enum role actor_role(struct accounts *a, const struct actor *who, struct span organization_id,
                     struct span environment_id)
{
    switch (who->kind) {
    case ACTOR_COMMAND_LINE:
    case ACTOR_SERVER: return ROLE_OWNER;
    case ACTOR_PERSON: return person_role(a, who->person_id, organization_id, environment_id);
    case ACTOR_TOKEN: break;
    }
    int64_t may = sql_int(a, 0,
                          "SELECT t.permissions FROM token t JOIN environment e ON e.id = t.environment_id"
                          " WHERE t.id = ?1 AND e.organization_id = ?2 AND (?3 IS NULL OR e.id = ?3)",
                          ARGS(arg_text(who->token_id), arg_text(organization_id), arg_text_or_null(environment_id)));
    return (may & PERMISSION_SYSTEM_WRITE) != 0 ? ROLE_ADMIN : ROLE_NONE;
}

bool actor_may_grant(struct accounts *a, const struct actor *who, struct span organization_id,
                     struct span environment_id, enum role role)
{
    enum role own = actor_role(a, who, organization_id, environment_id);
    return own >= ROLE_ADMIN && own >= role;
}

bool actor_may_touch(struct accounts *a, const struct actor *who, int64_t person_id, bool strict)
{
    if (who->kind == ACTOR_COMMAND_LINE || who->kind == ACTOR_SERVER) return true;
    if (who->kind == ACTOR_PERSON && who->person_id == person_id) return !strict;
    struct {
        char id[ACCOUNTS_ID_MAX + 1];
        int64_t role;
    } places[16];
    size_t count = 0;
    struct rows r = rows_open(a, "SELECT organization_id, role FROM membership WHERE person_id = ? LIMIT 16",
                              ARGS(arg_int(person_id)));
    while (rows_next(&r)) {
        row_text(&r, 0, places[count].id, sizeof places[count].id);
        places[count++].role = row_int(&r, 1);
    }
    bool may = count > 0;
    for (size_t i = 0; i < count; i++) {
        int64_t own = actor_role(a, who, span_of(places[i].id), (struct span){NULL, 0});
        bool enough = own >= ROLE_ADMIN && (strict && own != ROLE_OWNER ? own > places[i].role : own >= places[i].role);
        may = may && enough;
    }
    return may;
}
