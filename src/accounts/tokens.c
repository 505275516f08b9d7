/* SPDX-License-Identifier: Apache-2.0 */
#include "accounts/tokens.h"

#include "accounts/store.h"

#include <sodium.h>

enum { TOKENS_MAX = 1000 }; /* live ones in one environment */

#define TOKEN_COLUMNS                                                                                                  \
    "SELECT id, environment_id, name, permissions, filter, created_ms, created_by, expires_ms, last_used_ms,"          \
    " revoked_ms FROM token "

static void token_read(const struct rows *r, struct token *t)
{
    row_text(r, 0, t->id, sizeof t->id);
    row_text(r, 1, t->environment_id, sizeof t->environment_id);
    row_text(r, 2, t->name, sizeof t->name);
    t->permissions = (permission_set)row_int(r, 3);
    row_text(r, 4, t->filter, sizeof t->filter);
    t->created_ms = row_int(r, 5);
    t->created_by = row_int(r, 6);
    t->expires_ms = row_int(r, 7);
    t->last_used_ms = row_int(r, 8);
    t->revoked_ms = row_int(r, 9);
}

/* Needs lock. Nobody makes a token that may more, or sees more, than they themselves. */
static bool token_granted(struct accounts *a, const struct actor *who, struct span organization_id,
                          struct span environment_id, const struct token_new *in)
{
    permission_set own = PERMISSION_ALL;
    bool same_filter = true;
    if (who->kind == ACTOR_PERSON) {
        own = role_permissions(person_role(a, who->person_id, organization_id, environment_id));
    } else if (who->kind == ACTOR_TOKEN) {
        struct rows r = rows_open(a, "SELECT permissions, filter FROM token WHERE id = ? AND environment_id = ?",
                                  ARGS(arg_text(who->token_id), arg_text(environment_id)));
        bool found = rows_next(&r);
        own = found ? (permission_set)row_int(&r, 0) : PERMISSION_NONE;
        same_filter = found && (row_null(&r, 1) || span_eq(row_span(&r, 1), in->filter));
        rows_close(&r);
    }
    return (in->permissions & ~own) == 0 && same_filter;
}

enum accounts_error token_insert(struct accounts *a, const struct actor *who, struct span environment_id,
                                 const struct token_new *in, struct token *out, char secret[ACCOUNTS_SECRET_MAX + 1])
{
    char organization[ACCOUNTS_ID_MAX + 1];
    uint8_t hash[SECRET_HASH_BYTES];
    int64_t now_ms = store_now_ms(a);
    if (!field_name(in->name)) return ACCOUNTS_BAD_NAME;
    if (in->permissions == 0 || (in->permissions & ~(permission_set)PERMISSION_ALL) != 0) {
        return ACCOUNTS_BAD_PERMISSIONS;
    }
    if (in->filter.len > 0 && !field_filter(in->filter)) return ACCOUNTS_BAD_FILTER;
    if (in->expires_ms != 0 && in->expires_ms <= now_ms) return ACCOUNTS_BAD_EXPIRY;
    if (!environment_organization(a, environment_id, organization)) return ACCOUNTS_NOT_FOUND;
    if (!token_granted(a, who, span_of(organization), environment_id, in)) return ACCOUNTS_ROLE_REFUSED;
    if (sql_int(a, 0, "SELECT count(*) FROM token WHERE environment_id = ? AND revoked_ms IS NULL",
                ARGS(arg_text(environment_id))) >= TOKENS_MAX) {
        return ACCOUNTS_TOO_MANY;
    }
    *out = (struct token){.permissions = in->permissions,
                          .created_ms = now_ms,
                          .expires_ms = in->expires_ms,
                          .created_by = who->kind == ACTOR_PERSON ? who->person_id : 0};
    uuid_new(out->id);
    text_copy(out->environment_id, sizeof out->environment_id, environment_id);
    text_copy(out->name, sizeof out->name, in->name);
    text_copy(out->filter, sizeof out->filter, in->filter);
    secret_new(secret);
    secret_hash(a, SECRET_TOKEN, span_of(out->id), span_of(secret), hash);
    (void)sql_run(a,
                  "INSERT INTO token (id, hash, environment_id, name, permissions, filter, created_ms, created_by,"
                  " expires_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  ARGS(arg_cstr(out->id), arg_blob(hash, sizeof hash), arg_text(environment_id), arg_text(in->name),
                       arg_int(in->permissions), arg_text_or_null(in->filter), arg_int(now_ms),
                       arg_int_or_null(out->created_by), arg_int_or_null(in->expires_ms)));
    char list[128] = "";
    size_t at = 0;
    for (size_t i = 0; i < PERMISSION_COUNT; i++) {
        if ((in->permissions & (1u << i)) == 0) continue;
        const char *text = permission_text((enum permission_bit)i);
        if (at > 0) list[at++] = ' ';
        text_copy(list + at, sizeof list - at, span_of(text));
        at += strlen(list + at);
    }
    audit_write(a, who, AUDIT_TOKEN_ADD, (struct audit_place){span_of(organization), environment_id}, span_of(out->id),
                DETAILS({"name", arg_text(in->name)}, {"permissions", arg_cstr(list)},
                        {"filter", arg_text_or_null(in->filter)}, {"expires_ms", arg_int_or_null(in->expires_ms)}));
    return ACCOUNTS_OK;
}

enum accounts_error accounts_token_add(struct accounts *a, const struct actor *who, struct span environment_id,
                                       const struct token_new *in, struct token *out,
                                       char secret[ACCOUNTS_SECRET_MAX + 1])
{
    secret[0] = 0;
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    e = tx_end(a, token_insert(a, who, environment_id, in, out, secret));
    if (e != ACCOUNTS_OK) sodium_memzero(secret, ACCOUNTS_SECRET_MAX + 1);
    return e;
}

enum accounts_error accounts_tokens(struct accounts *a, struct span environment_id, struct token **out, size_t *count)
{
    struct list l = {.size = sizeof(struct token)};
    read_begin(a);
    struct rows r = rows_open(a, TOKEN_COLUMNS "WHERE environment_id = ? ORDER BY n DESC LIMIT 5000",
                              ARGS(arg_text(environment_id)));
    while (rows_next(&r)) token_read(&r, list_add(&l));
    return list_give(&l, read_end(a, ACCOUNTS_OK), out, count);
}

enum accounts_error accounts_token_get(struct accounts *a, struct span id, struct token *out)
{
    read_begin(a);
    struct rows r = rows_open(a, TOKEN_COLUMNS "WHERE id = ?", ARGS(arg_text(id)));
    bool found = rows_next(&r);
    if (found) token_read(&r, out);
    rows_close(&r);
    return read_end(a, found ? ACCOUNTS_OK : ACCOUNTS_NOT_FOUND);
}

enum accounts_error accounts_token_rename(struct accounts *a, const struct actor *who, struct span environment_id,
                                          struct span id, struct span name)
{
    if (!field_name(name)) return ACCOUNTS_BAD_NAME;
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    if (sql_run(a, "UPDATE token SET name = ? WHERE id = ? AND environment_id = ?",
                ARGS(arg_text(name), arg_text(id), arg_text(environment_id))) == 1) {
        audit_write(a, who, AUDIT_TOKEN_CHANGE, (struct audit_place){.environment_id = environment_id}, id,
                    DETAILS({"name", arg_text(name)}));
    } else {
        e = ACCOUNTS_NOT_FOUND;
    }
    return tx_end(a, e);
}

enum accounts_error accounts_token_revoke(struct accounts *a, const struct actor *who, struct span environment_id,
                                          struct span id)
{
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    if (sql_run(a, "UPDATE token SET revoked_ms = ? WHERE id = ? AND environment_id = ? AND revoked_ms IS NULL",
                ARGS(arg_int(store_now_ms(a)), arg_text(id), arg_text(environment_id))) == 1) {
        audit_write(a, who, AUDIT_TOKEN_REVOKE, (struct audit_place){.environment_id = environment_id}, id, NO_DETAILS);
    } else {
        e = ACCOUNTS_NOT_FOUND;
    }
    return tx_end(a, e);
}
