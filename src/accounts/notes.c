/* SPDX-License-Identifier: Apache-2.0
 * Error categories and signing keys. */
#include "accounts/notes.h"

#include "accounts/store.h"

enum { CATEGORIES_MAX = 10000, SIGNING_KEYS_MAX = 100 }; /* in one environment */

/* Needs lock. */
static enum accounts_error room_in(struct accounts *a, struct span environment_id, const char *count_statement,
                                   int64_t max)
{
    char organization[ACCOUNTS_ID_MAX + 1];
    if (!environment_organization(a, environment_id, organization)) return ACCOUNTS_NOT_FOUND;
    return sql_int(a, 0, count_statement, ARGS(arg_text(environment_id))) >= max ? ACCOUNTS_TOO_MANY : ACCOUNTS_OK;
}

static struct audit_place in_environment(struct span environment_id)
{
    return (struct audit_place){.environment_id = environment_id};
}

/* -- error categories -- */

/* Needs lock. */
static int64_t categories_version_next(struct accounts *a, struct span environment_id)
{
    (void)sql_run(a, "UPDATE environment SET error_version = error_version + 1 WHERE id = ?",
                  ARGS(arg_text(environment_id)));
    return sql_int(a, 0, "SELECT error_version FROM environment WHERE id = ?", ARGS(arg_text(environment_id)));
}

enum accounts_error accounts_error_category_set(struct accounts *a, const struct actor *who, struct span environment_id,
                                                struct error_category *c)
{
    struct span code = span_of(c->code), description = span_of(c->description), notes = span_of(c->notes);
    if (code.len == 0 || !field_note(code, NOTES_VALUE_MAX) || !field_note(description, NOTES_NOTE_MAX) ||
        !field_note(notes, NOTES_NOTE_MAX)) {
        return ACCOUNTS_BAD_TEXT;
    }
    if (c->severity > ERROR_SEVERITY_FATAL || c->business > ERROR_BUSINESS_YES) return ACCOUNTS_BAD_VALUE;
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    e = room_in(a, environment_id, "SELECT count(*) FROM error_category WHERE environment_id = ?", CATEGORIES_MAX);
    if (e == ACCOUNTS_OK) {
        c->version = categories_version_next(a, environment_id);
        c->changed_ms = store_now_ms(a);
        (void)sql_run(a,
                      "INSERT OR REPLACE INTO error_category (environment_id, code, severity, business, description,"
                      " notes, version, changed_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                      ARGS(arg_text(environment_id), arg_text(code), arg_int(c->severity), arg_int(c->business),
                           arg_text(description), arg_text(notes), arg_int(c->version), arg_int(c->changed_ms)));
        audit_write(a, who, AUDIT_ERROR_CATEGORY_SET, in_environment(environment_id), code,
                    DETAILS({"severity", arg_int(c->severity)}, {"business", arg_int(c->business)},
                            {"version", arg_int(c->version)}));
    }
    return tx_end(a, e);
}

enum accounts_error accounts_error_categories(struct accounts *a, struct span environment_id,
                                              struct error_category **out, size_t *count, int64_t *version)
{
    struct list l = {.size = sizeof(struct error_category)};
    read_begin(a);
    struct rows r = rows_open(a,
                              "SELECT code, severity, business, description, notes, version, changed_ms"
                              " FROM error_category WHERE environment_id = ? ORDER BY code",
                              ARGS(arg_text(environment_id)));
    while (rows_next(&r)) {
        struct error_category *c = list_add(&l);
        row_text(&r, 0, c->code, sizeof c->code);
        c->severity = (enum error_severity)row_int(&r, 1);
        c->business = (enum error_business)row_int(&r, 2);
        row_text(&r, 3, c->description, sizeof c->description);
        row_text(&r, 4, c->notes, sizeof c->notes);
        c->version = row_int(&r, 5);
        c->changed_ms = row_int(&r, 6);
    }
    if (version != NULL) {
        *version = sql_int(a, 0, "SELECT error_version FROM environment WHERE id = ?", ARGS(arg_text(environment_id)));
    }
    return list_give(&l, read_end(a, ACCOUNTS_OK), out, count);
}

/* -- signing keys -- */

static void signing_key_read(const struct rows *r, struct signing_key *k)
{
    row_text(r, 0, k->id, sizeof k->id);
    k->created_s = row_int(r, 1);
    row_text(r, 2, k->public_pem, sizeof k->public_pem);
}

enum accounts_error accounts_signing_key_add(struct accounts *a, const struct actor *who, struct span environment_id,
                                             struct span public_pem, struct signing_key *out)
{
    struct span begin = SPAN("-----BEGIN PUBLIC KEY-----");
    if (public_pem.len == 0 || !field_note(public_pem, NOTES_PEM_MAX)) return ACCOUNTS_BAD_TEXT;
    if (!span_starts(public_pem, begin)) return ACCOUNTS_BAD_VALUE; /* never a private half by mistake */
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    e = room_in(a, environment_id, "SELECT count(*) FROM signing_key WHERE environment_id = ?", SIGNING_KEYS_MAX);
    if (e == ACCOUNTS_OK) {
        *out = (struct signing_key){.created_s = store_now_ms(a) / 1000};
        secret_new(out->id); /* no secret, but of the same shape */
        text_copy(out->public_pem, sizeof out->public_pem, public_pem);
        (void)sql_run(a, "INSERT INTO signing_key (id, environment_id, public_pem, created_s) VALUES (?, ?, ?, ?)",
                      ARGS(arg_cstr(out->id), arg_text(environment_id), arg_text(public_pem), arg_int(out->created_s)));
        audit_write(a, who, AUDIT_SIGNING_KEY_ADD, in_environment(environment_id), span_of(out->id), NO_DETAILS);
    }
    return tx_end(a, e);
}

enum accounts_error accounts_signing_key_get(struct accounts *a, struct span environment_id, struct span id,
                                             struct signing_key *out)
{
    read_begin(a);
    struct rows r =
        rows_open(a, "SELECT id, created_s, public_pem FROM signing_key WHERE environment_id = ? AND id = ?",
                  ARGS(arg_text(environment_id), arg_text(id)));
    bool found = rows_next(&r);
    if (found) signing_key_read(&r, out);
    rows_close(&r);
    return read_end(a, found ? ACCOUNTS_OK : ACCOUNTS_NOT_FOUND);
}

enum accounts_error accounts_signing_key_remove(struct accounts *a, const struct actor *who, struct span environment_id,
                                                struct span id)
{
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    if (sql_run(a, "DELETE FROM signing_key WHERE environment_id = ? AND id = ?",
                ARGS(arg_text(environment_id), arg_text(id))) == 1) {
        audit_write(a, who, AUDIT_SIGNING_KEY_REMOVE, in_environment(environment_id), id, NO_DETAILS);
    } else {
        e = ACCOUNTS_NOT_FOUND;
    }
    return tx_end(a, e);
}

enum accounts_error accounts_signing_keys(struct accounts *a, struct span environment_id, uint32_t offset,
                                          uint32_t limit, struct signing_key **out, size_t *count, int64_t *total)
{
    struct list l = {.size = sizeof(struct signing_key)};
    struct arg env = arg_text(environment_id);
    read_begin(a);
    struct rows r = rows_open(a,
                              "SELECT id, created_s, public_pem FROM signing_key WHERE environment_id = ?"
                              " ORDER BY created_s DESC, rowid DESC LIMIT ? OFFSET ?",
                              ARGS(env, arg_int(limit == 0 ? 25 : limit), arg_int(offset)));
    while (rows_next(&r)) signing_key_read(&r, list_add(&l));
    *total = sql_int(a, 0, "SELECT count(*) FROM signing_key WHERE environment_id = ?", ARGS(env));
    return list_give(&l, read_end(a, ACCOUNTS_OK), out, count);
}
