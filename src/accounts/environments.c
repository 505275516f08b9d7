/* SPDX-License-Identifier: Apache-2.0 */
#include "accounts/environments.h"

#include "accounts/store.h"

static const char *const types[] = {"production", "staging", "development", "test"};
static const char *const keeps[] = {"none", "truncated"};
enum { RETENTION_DAYS_MAX = 36500 };

const char *environment_type_name(enum environment_type t)
{
    return types[t];
}

bool environment_type_from_name(struct span name, enum environment_type *out)
{
    for (size_t i = 0; i < COUNT(types); i++) {
        if (!span_is(name, types[i])) continue;
        *out = (enum environment_type)i;
        return true;
    }
    return false;
}

const char *keep_addresses_name(enum keep_addresses k)
{
    return keeps[k];
}

bool keep_addresses_from_name(struct span name, enum keep_addresses *out)
{
    for (size_t i = 0; i < COUNT(keeps); i++) {
        if (!span_is(name, keeps[i])) continue;
        *out = (enum keep_addresses)i;
        return true;
    }
    return false;
}

/* -- organizations -- */

static void organization_read(const struct rows *r, struct organization *o)
{
    row_text(r, 0, o->id, sizeof o->id);
    row_text(r, 1, o->name, sizeof o->name);
    o->created_ms = row_int(r, 2);
}

enum accounts_error accounts_organizations(struct accounts *a, struct organization **out, size_t *count)
{
    struct list l = {.size = sizeof(struct organization)};
    read_begin(a);
    struct rows r = rows_open(a, "SELECT id, name, created_ms FROM organization ORDER BY created_ms, id", NO_ARGS);
    while (rows_next(&r)) organization_read(&r, list_add(&l));
    return list_give(&l, read_end(a, ACCOUNTS_OK), out, count);
}

enum accounts_error accounts_organization_get(struct accounts *a, struct span id, struct organization *out)
{
    read_begin(a);
    struct rows r = rows_open(a, "SELECT id, name, created_ms FROM organization WHERE id = ?", ARGS(arg_text(id)));
    bool found = rows_next(&r);
    if (found) organization_read(&r, out);
    rows_close(&r);
    return read_end(a, found ? ACCOUNTS_OK : ACCOUNTS_NOT_FOUND);
}

enum accounts_error accounts_organization_rename(struct accounts *a, const struct actor *who, struct span id,
                                                 struct span name)
{
    if (!field_name(name)) return ACCOUNTS_BAD_NAME;
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    if (sql_run(a, "UPDATE organization SET name = ? WHERE id = ?", ARGS(arg_text(name), arg_text(id))) == 1) {
        audit_write(a, who, AUDIT_ORGANIZATION_CHANGE, (struct audit_place){.organization_id = id}, id,
                    DETAILS({"name", arg_text(name)}));
    } else {
        e = ACCOUNTS_NOT_FOUND;
    }
    return tx_end(a, e);
}

/* -- environments -- */

#define ENVIRONMENT_COLUMNS                                                                                            \
    "SELECT id, organization_id, property_id, keep_addresses, allow_backfill, strip_query, honour_dnt, disabled,"      \
    " retention_days, views_per_minute_max, events_per_second_max, name, type, env_key, cors_origins, created_ms"      \
    " FROM environment "

static void environment_read(const struct rows *r, struct environment *e)
{
    row_text(r, 0, e->facts.environment_id, sizeof e->facts.environment_id);
    row_text(r, 1, e->facts.organization_id, sizeof e->facts.organization_id);
    e->facts.property_id = (uint32_t)row_int(r, 2);
    e->facts.keep_addresses = (enum keep_addresses)row_int(r, 3);
    e->facts.allow_backfill = row_int(r, 4) != 0;
    e->facts.strip_query = row_int(r, 5) != 0;
    e->facts.honour_dnt = row_int(r, 6) != 0;
    e->facts.disabled = row_int(r, 7) != 0;
    e->facts.retention_days = (uint32_t)row_int(r, 8);
    e->facts.views_per_minute_max = (uint32_t)row_int(r, 9);
    e->facts.events_per_second_max = (uint32_t)row_int(r, 10);
    row_text(r, 11, e->name, sizeof e->name);
    e->type = (enum environment_type)row_int(r, 12);
    row_text(r, 13, e->env_key, sizeof e->env_key);
    row_text(r, 14, e->cors_origins, sizeof e->cors_origins);
    e->created_ms = row_int(r, 15);
}

static bool environment_first(struct rows r, struct environment *out)
{
    bool found = rows_next(&r);
    if (found) environment_read(&r, out);
    rows_close(&r);
    return found;
}

/* Needs lock. */
static bool environment_load(struct accounts *a, struct span id, struct environment *out)
{
    return environment_first(rows_open(a, ENVIRONMENT_COLUMNS "WHERE id = ?", ARGS(arg_text(id))), out);
}

enum accounts_error accounts_environments(struct accounts *a, struct span organization_id, struct environment **out,
                                          size_t *count)
{
    struct list l = {.size = sizeof(struct environment)};
    read_begin(a);
    struct rows r = rows_open(a, ENVIRONMENT_COLUMNS "WHERE ?1 IS NULL OR organization_id = ?1 ORDER BY property_id",
                              ARGS(arg_text_or_null(organization_id)));
    while (rows_next(&r)) environment_read(&r, list_add(&l));
    return list_give(&l, read_end(a, ACCOUNTS_OK), out, count);
}

enum accounts_error accounts_environment_get(struct accounts *a, struct span id, struct environment *out)
{
    read_begin(a);
    bool found = environment_load(a, id, out);
    return read_end(a, found ? ACCOUNTS_OK : ACCOUNTS_NOT_FOUND);
}

enum accounts_error accounts_environment_by_name(struct accounts *a, struct span organization_id, struct span name,
                                                 struct environment *out)
{
    read_begin(a);
    bool found = environment_first(rows_open(a,
                                             ENVIRONMENT_COLUMNS "WHERE name = ?1 AND (?2 IS NULL OR"
                                                                 " organization_id = ?2) ORDER BY property_id LIMIT 1",
                                             ARGS(arg_text(name), arg_text_or_null(organization_id))),
                                   out);
    return read_end(a, found ? ACCOUNTS_OK : ACCOUNTS_NOT_FOUND);
}

/* Puts what is given over what is there; checks only what is given. */
static enum accounts_error environment_apply(const struct environment_change *in, struct environment *e)
{
    if (in->name.len > 0) {
        if (!field_name(in->name)) return ACCOUNTS_BAD_NAME;
        text_copy(e->name, sizeof e->name, in->name);
    }
    if (in->env_key.len > 0) {
        if (!field_env_key(in->env_key)) return ACCOUNTS_BAD_ENV_KEY;
        text_copy(e->env_key, sizeof e->env_key, in->env_key);
    }
    if (in->type != NULL) {
        if ((size_t)*in->type >= COUNT(types)) return ACCOUNTS_BAD_TYPE;
        e->type = *in->type;
    }
    if (in->keep_addresses != NULL) {
        if ((size_t)*in->keep_addresses >= COUNT(keeps)) return ACCOUNTS_BAD_VALUE;
        e->facts.keep_addresses = *in->keep_addresses;
    }
    if (in->retention_days != NULL) {
        if (*in->retention_days > RETENTION_DAYS_MAX) return ACCOUNTS_BAD_VALUE;
        e->facts.retention_days = *in->retention_days;
    }
    if (in->cors_origins != NULL && !field_origins(*in->cors_origins, e->cors_origins)) return ACCOUNTS_BAD_ORIGIN;
    if (in->allow_backfill != NULL) e->facts.allow_backfill = *in->allow_backfill;
    if (in->strip_query != NULL) e->facts.strip_query = *in->strip_query;
    if (in->honour_dnt != NULL) e->facts.honour_dnt = *in->honour_dnt;
    if (in->disabled != NULL) e->facts.disabled = *in->disabled;
    if (in->views_per_minute_max != NULL) e->facts.views_per_minute_max = *in->views_per_minute_max;
    if (in->events_per_second_max != NULL) e->facts.events_per_second_max = *in->events_per_second_max;
    return ACCOUNTS_OK;
}

/* Needs lock. Is name or env key another one's? */
static enum accounts_error environment_unique(struct accounts *a, const struct environment *e)
{
    struct arg id = arg_cstr(e->facts.environment_id);
    if (sql_int(a, 0, "SELECT 1 FROM environment WHERE env_key = ? AND id <> ?", ARGS(arg_cstr(e->env_key), id)) != 0) {
        return ACCOUNTS_ENV_KEY_TAKEN;
    }
    if (sql_int(a, 0, "SELECT 1 FROM environment WHERE organization_id = ? AND name = ? AND id <> ?",
                ARGS(arg_cstr(e->facts.organization_id), arg_cstr(e->name), id)) != 0) {
        return ACCOUNTS_NAME_TAKEN;
    }
    return ACCOUNTS_OK;
}

static void environment_audit(struct accounts *a, const struct actor *who, enum audit_act act,
                              const struct environment *e)
{
    struct audit_place place = {span_of(e->facts.organization_id), span_of(e->facts.environment_id)};
    audit_write(a, who, act, place, place.environment_id,
                DETAILS({"name", arg_cstr(e->name)}, {"type", arg_cstr(types[e->type])},
                        {"env_key", arg_cstr(e->env_key)}, {"allow_backfill", arg_int(e->facts.allow_backfill)},
                        {"retention_days", arg_int_or_null(e->facts.retention_days)},
                        {"addresses", arg_cstr(keeps[e->facts.keep_addresses])},
                        {"strip_query", arg_int(e->facts.strip_query)}, {"dnt", arg_int(e->facts.honour_dnt)},
                        {"views_per_minute", arg_int_or_null(e->facts.views_per_minute_max)},
                        {"events_per_second", arg_int_or_null(e->facts.events_per_second_max)},
                        {"disabled", arg_int(e->facts.disabled)},
                        {"cors", arg_text(span_cut_utf8(span_of(e->cors_origins), 300))}));
}

enum accounts_error environment_insert(struct accounts *a, const struct actor *who, struct span organization_id,
                                       const struct environment_change *in, struct environment *out)
{
    *out = (struct environment){.facts = {.keep_addresses = KEEP_ADDRESSES_TRUNCATED}, .created_ms = store_now_ms(a)};
    if (in->name.len == 0) return ACCOUNTS_BAD_NAME;
    if (!organization_known(a, organization_id)) return ACCOUNTS_NOT_FOUND;
    int64_t have =
        sql_int(a, 0, "SELECT count(*) FROM environment WHERE organization_id = ?", ARGS(arg_text(organization_id)));
    if (have >= ACCOUNTS_ENVIRONMENTS_MAX) return ACCOUNTS_TOO_MANY;
    id_new(out->facts.environment_id);
    text_copy(out->facts.organization_id, sizeof out->facts.organization_id, organization_id);
    env_key_new(out->env_key);
    enum accounts_error e = environment_apply(in, out);
    if (e == ACCOUNTS_OK) e = environment_unique(a, out);
    if (e != ACCOUNTS_OK) return e;
    const struct env_facts *f = &out->facts;
    (void)sql_run(a,
                  "INSERT INTO environment (id, organization_id, name, type, env_key, retention_days, allow_backfill,"
                  " strip_query, honour_dnt, keep_addresses, views_per_minute_max, events_per_second_max, disabled,"
                  " cors_origins, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  ARGS(arg_cstr(f->environment_id), arg_cstr(f->organization_id), arg_cstr(out->name),
                       arg_int(out->type), arg_cstr(out->env_key), arg_int_or_null(f->retention_days),
                       arg_int(f->allow_backfill), arg_int(f->strip_query), arg_int(f->honour_dnt),
                       arg_int(f->keep_addresses), arg_int_or_null(f->views_per_minute_max),
                       arg_int_or_null(f->events_per_second_max), arg_int(f->disabled), arg_cstr(out->cors_origins),
                       arg_int(out->created_ms)));
    out->facts.property_id = (uint32_t)sql_last_id(a);
    environment_audit(a, who, AUDIT_ENVIRONMENT_ADD, out);
    return ACCOUNTS_OK;
}

enum accounts_error accounts_environment_add(struct accounts *a, const struct actor *who, struct span organization_id,
                                             const struct environment_change *in, struct environment *out)
{
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    return tx_end(a, environment_insert(a, who, organization_id, in, out));
}

/* Needs lock. */
static enum accounts_error environment_update(struct accounts *a, const struct actor *who,
                                              const struct environment_change *in, struct environment *now)
{
    enum accounts_error e = environment_apply(in, now);
    if (e == ACCOUNTS_OK) e = environment_unique(a, now);
    if (e != ACCOUNTS_OK) return e;
    const struct env_facts *f = &now->facts;
    (void)sql_run(a,
                  "UPDATE environment SET name = ?, type = ?, env_key = ?, retention_days = ?, allow_backfill = ?,"
                  " strip_query = ?, honour_dnt = ?, keep_addresses = ?, views_per_minute_max = ?,"
                  " events_per_second_max = ?, disabled = ?, cors_origins = ? WHERE id = ?",
                  ARGS(arg_cstr(now->name), arg_int(now->type), arg_cstr(now->env_key),
                       arg_int_or_null(f->retention_days), arg_int(f->allow_backfill), arg_int(f->strip_query),
                       arg_int(f->honour_dnt), arg_int(f->keep_addresses), arg_int_or_null(f->views_per_minute_max),
                       arg_int_or_null(f->events_per_second_max), arg_int(f->disabled), arg_cstr(now->cors_origins),
                       arg_cstr(f->environment_id)));
    environment_audit(a, who, AUDIT_ENVIRONMENT_CHANGE, now);
    return ACCOUNTS_OK;
}

enum accounts_error accounts_environment_change(struct accounts *a, const struct actor *who, struct span id,
                                                const struct environment_change *in, struct environment *out)
{
    struct environment now;
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    e = environment_load(a, id, &now) ? environment_update(a, who, in, &now) : ACCOUNTS_NOT_FOUND;
    e = tx_end(a, e);
    if (e == ACCOUNTS_OK && out != NULL) *out = now;
    return e;
}

/* Needs lock. */
static void environment_count(struct accounts *a, struct span id, struct environment_contents *out)
{
    struct arg env = arg_text(id);
    out->tokens = sql_int(a, 0, "SELECT count(*) FROM token WHERE environment_id = ?", ARGS(env));
    out->signing_keys = sql_int(a, 0, "SELECT count(*) FROM signing_key WHERE environment_id = ?", ARGS(env));
    out->annotations = sql_int(a, 0, "SELECT count(*) FROM annotation WHERE environment_id = ?", ARGS(env));
    out->error_categories = sql_int(a, 0, "SELECT count(*) FROM error_category WHERE environment_id = ?", ARGS(env));
    out->roles = sql_int(a, 0, "SELECT count(*) FROM environment_role WHERE environment_id = ?", ARGS(env));
}

enum accounts_error accounts_environment_contents(struct accounts *a, struct span id, struct environment_contents *out)
{
    struct environment e;
    read_begin(a);
    bool found = environment_load(a, id, &e);
    if (found) environment_count(a, id, out);
    return read_end(a, found ? ACCOUNTS_OK : ACCOUNTS_NOT_FOUND);
}

/* Needs lock. */
static enum accounts_error environment_delete(struct accounts *a, const struct actor *who, const struct environment *e,
                                              struct span confirm)
{
    struct span id = span_of(e->facts.environment_id);
    struct environment_contents c;
    if (!span_is(confirm, e->name)) return ACCOUNTS_NAME_MISMATCH;
    if (sql_int(a, 0, "SELECT count(*) FROM environment WHERE organization_id = ?",
                ARGS(arg_cstr(e->facts.organization_id))) <= 1) {
        return ACCOUNTS_LAST_ENVIRONMENT;
    }
    environment_count(a, id, &c);
    audit_write(a, who, AUDIT_ENVIRONMENT_REMOVE, (struct audit_place){span_of(e->facts.organization_id), id}, id,
                DETAILS({"name", arg_cstr(e->name)}, {"tokens", arg_int(c.tokens)},
                        {"signing_keys", arg_int(c.signing_keys)}, {"annotations", arg_int(c.annotations)},
                        {"error_categories", arg_int(c.error_categories)}, {"roles", arg_int(c.roles)}));
    (void)sql_run(a, "DELETE FROM environment WHERE id = ?", ARGS(arg_text(id))); /* and by reference all of it */
    return ACCOUNTS_OK;
}

enum accounts_error accounts_environment_remove(struct accounts *a, const struct actor *who, struct span id,
                                                struct span confirm)
{
    struct environment now;
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    e = environment_load(a, id, &now) ? environment_delete(a, who, &now, confirm) : ACCOUNTS_NOT_FOUND;
    return tx_end(a, e);
}
