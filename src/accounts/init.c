/* SPDX-License-Identifier: Apache-2.0
 * The first account of a fresh server, in one transaction: all of it or nothing. */
#include "accounts/accounts.h"

#include "accounts/environments.h"
#include "accounts/store.h"
#include "accounts/tokens.h"

#include <sodium.h>

static struct span or_default(struct span s, const char *otherwise)
{
    return s.len > 0 ? s : span_of(otherwise);
}

static enum accounts_error init_check(const struct account_new *in)
{
    if (!field_email(in->email)) return ACCOUNTS_BAD_EMAIL;
    if (!field_password(in->password)) return ACCOUNTS_BAD_PASSWORD;
    if (in->person_name.len > 0 && !field_name(in->person_name)) return ACCOUNTS_BAD_NAME;
    if (in->organization.len > 0 && !field_name(in->organization)) return ACCOUNTS_BAD_NAME;
    if (in->environment.len > 0 && !field_name(in->environment)) return ACCOUNTS_BAD_NAME;
    if (in->env_key.len > 0 && !field_env_key(in->env_key)) return ACCOUNTS_BAD_ENV_KEY;
    return ACCOUNTS_OK;
}

/* Needs lock. */
static enum accounts_error init_insert(struct accounts *a, const struct actor *who, const struct account_new *in,
                                       const char *hash, struct account_made *out)
{
    struct environment environment;
    struct token token;
    if (sql_int(a, 1, "SELECT EXISTS (SELECT 1 FROM person)", NO_ARGS) != 0) return ACCOUNTS_ALREADY_EXISTS;
    id_new(out->organization_id);
    struct span organization = span_of(out->organization_id), name = or_default(in->organization, "My organization");
    (void)sql_run(a, "INSERT INTO organization (id, name, created_ms) VALUES (?, ?, ?)",
                  ARGS(arg_text(organization), arg_text(name), arg_int(store_now_ms(a))));
    struct span person = person_name_or_local(in->email, in->person_name);
    out->person_id = person_insert(a, in->email, person, hash);
    role_give(a, organization, (struct span){NULL, 0}, out->person_id, ROLE_OWNER);
    audit_write(a, who, AUDIT_ACCOUNT_INIT, (struct audit_place){.organization_id = organization}, in->email,
                DETAILS({"organization", arg_text(name)}));
    struct environment_change fields = {.name = or_default(in->environment, "Production"),
                                        .env_key = in->env_key,
                                        .allow_backfill = &in->allow_backfill};
    enum accounts_error e = environment_insert(a, who, organization, &fields, &environment);
    if (e != ACCOUNTS_OK) return e;
    text_copy(out->environment_id, sizeof out->environment_id, span_of(environment.facts.environment_id));
    text_copy(out->env_key, sizeof out->env_key, span_of(environment.env_key));
    struct token_new full = {.name = SPAN("first token"), .permissions = PERMISSION_ALL};
    e = token_insert(a, who, span_of(out->environment_id), &full, &token, out->token_secret);
    text_copy(out->token_id, sizeof out->token_id, span_of(token.id));
    return e;
}

enum accounts_error accounts_init_account(struct accounts *a, const struct actor *who, const struct account_new *in,
                                          struct account_made *out)
{
    char hash[PASSWORD_HASH_MAX];
    memset(out, 0, sizeof *out);
    enum accounts_error e = init_check(in);
    if (e != ACCOUNTS_OK) return e;
    if (accounts_exists(a)) return ACCOUNTS_ALREADY_EXISTS; /* before the slow part; decided in the transaction */
    if (!password_hash(a, in->password, hash)) return ACCOUNTS_STORE_FAILED;
    /* Whoever sets the server up is its owner: there is nobody yet whose rights could be asked. */
    struct actor owner = {.kind = who->kind == ACTOR_COMMAND_LINE ? ACTOR_COMMAND_LINE : ACTOR_SERVER,
                          .address = who->address};
    e = tx_begin(a);
    if (e == ACCOUNTS_OK) e = tx_end(a, init_insert(a, &owner, in, hash, out));
    if (e != ACCOUNTS_OK) sodium_memzero(out, sizeof *out);
    return e;
}
