/* SPDX-License-Identifier: Apache-2.0
 * People and their roles. */
#include "accounts/people.h"

#include "accounts/store.h"

enum { PEOPLE_MAX = 10000 }; /* in one organization */

static void person_read(const struct rows *r, struct person *p)
{
    p->id = row_int(r, 0);
    row_text(r, 1, p->email, sizeof p->email);
    row_text(r, 2, p->name, sizeof p->name);
    p->role = (enum role)row_int(r, 3);
    p->totp = row_int(r, 4) != 0;
    p->created_ms = row_int(r, 5);
    p->last_seen_ms = row_int(r, 6);
}

enum accounts_error accounts_people(struct accounts *a, struct span organization_id, struct person **out, size_t *count)
{
    struct list l = {.size = sizeof(struct person)};
    read_begin(a);
    struct rows r = rows_open(a,
                              "SELECT p.id, p.email, p.name, m.role, p.totp_box IS NOT NULL, p.created_ms,"
                              " p.last_seen_ms FROM membership m JOIN person p ON p.id = m.person_id"
                              " WHERE m.organization_id = ? ORDER BY p.id",
                              ARGS(arg_text(organization_id)));
    while (rows_next(&r)) person_read(&r, list_add(&l));
    return list_give(&l, read_end(a, ACCOUNTS_OK), out, count);
}

static enum accounts_error person_find(struct accounts *a, struct arg email, struct arg id, struct person *out)
{
    read_begin(a);
    struct rows r = rows_open(a,
                              "SELECT id, email, name, (SELECT max(role) FROM membership WHERE person_id = person.id),"
                              " totp_box IS NOT NULL, created_ms, last_seen_ms FROM person WHERE email = ? OR id = ?",
                              ARGS(email, id));
    bool found = rows_next(&r);
    if (found) person_read(&r, out);
    rows_close(&r);
    return read_end(a, found ? ACCOUNTS_OK : ACCOUNTS_NOT_FOUND);
}

enum accounts_error accounts_person_by_email(struct accounts *a, struct span email, struct person *out)
{
    return person_find(a, arg_text(email), arg_int_or_null(0), out);
}

enum accounts_error accounts_person_get(struct accounts *a, int64_t person_id, struct person *out)
{
    return person_find(a, arg_text_or_null((struct span){NULL, 0}), arg_int(person_id), out);
}

struct span person_name_or_local(struct span email, struct span name)
{
    ptrdiff_t at = span_find(email, '@');
    if (name.len > 0 || at <= 0) return name;
    return span_cut_utf8(span_upto(email, (size_t)at), ACCOUNTS_NAME_MAX);
}

int64_t person_insert(struct accounts *a, struct span email, struct span name, const char *password)
{
    int64_t rows = sql_run(a, "INSERT INTO person (email, name, password, created_ms) VALUES (?, ?, ?, ?)",
                           ARGS(arg_text(email), arg_text(name), arg_cstr(password), arg_int(store_now_ms(a))));
    return rows == 1 ? sql_last_id(a) : 0;
}

void role_give(struct accounts *a, struct span organization_id, struct span environment_id, int64_t person_id,
               enum role role)
{
    struct arg organization = arg_text(organization_id), person = arg_int(person_id);
    bool everywhere = environment_id.len == 0;
    (void)sql_run(a, "INSERT OR IGNORE INTO membership (organization_id, person_id, role) VALUES (?, ?, ?)",
                  ARGS(organization, person, arg_int(everywhere ? role : ROLE_NONE)));
    if (everywhere) {
        (void)sql_run(a, "UPDATE membership SET role = ? WHERE organization_id = ? AND person_id = ?",
                      ARGS(arg_int(role), organization, person));
        return;
    }
    (void)sql_run(a, "INSERT OR REPLACE INTO environment_role (environment_id, person_id, role) VALUES (?, ?, ?)",
                  ARGS(arg_text(environment_id), person, arg_int(role)));
}

static bool email_known(struct accounts *a, struct span email)
{
    return sql_int(a, 0, "SELECT 1 FROM person WHERE email = ?", ARGS(arg_text(email))) == 1;
}

/* Needs lock. */
static enum accounts_error person_may_add(struct accounts *a, const struct actor *who, struct span organization_id,
                                          const struct person_new *in)
{
    if (!organization_known(a, organization_id)) return ACCOUNTS_NOT_FOUND;
    if (!actor_may_grant(a, who, organization_id, (struct span){NULL, 0}, in->role)) return ACCOUNTS_ROLE_REFUSED;
    if (email_known(a, in->email)) return ACCOUNTS_EMAIL_TAKEN;
    int64_t have =
        sql_int(a, 0, "SELECT count(*) FROM membership WHERE organization_id = ?", ARGS(arg_text(organization_id)));
    return have >= PEOPLE_MAX ? ACCOUNTS_TOO_MANY : ACCOUNTS_OK;
}

enum accounts_error accounts_person_add(struct accounts *a, const struct actor *who, struct span organization_id,
                                        const struct person_new *in, int64_t *person_id)
{
    char hash[PASSWORD_HASH_MAX];
    if (!field_email(in->email)) return ACCOUNTS_BAD_EMAIL;
    struct span name = person_name_or_local(in->email, in->name);
    if (!field_name(name)) return ACCOUNTS_BAD_NAME;
    if (!field_password(in->password)) return ACCOUNTS_BAD_PASSWORD;
    if (in->role > ROLE_OWNER) return ACCOUNTS_BAD_ROLE;
    /* Once before the slow part, and again in the transaction. */
    read_begin(a);
    enum accounts_error e = person_may_add(a, who, organization_id, in);
    e = read_end(a, e);
    if (e != ACCOUNTS_OK) return e;
    if (!password_hash(a, in->password, hash)) return ACCOUNTS_STORE_FAILED;
    e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    e = person_may_add(a, who, organization_id, in);
    if (e == ACCOUNTS_OK) {
        *person_id = person_insert(a, in->email, name, hash);
        role_give(a, organization_id, (struct span){NULL, 0}, *person_id, in->role);
        audit_write(a, who, AUDIT_PERSON_ADD, (struct audit_place){.organization_id = organization_id}, in->email,
                    DETAILS({"person_id", arg_int(*person_id)}, {"role", arg_cstr(role_name(in->role))}));
    }
    return tx_end(a, e);
}

/* Needs lock. The e-mail, for the audit log; false: no such person. */
static bool person_email(struct accounts *a, int64_t person_id, char out[ACCOUNTS_EMAIL_MAX + 1])
{
    struct rows r = rows_open(a, "SELECT email FROM person WHERE id = ?", ARGS(arg_int(person_id)));
    bool found = rows_next(&r);
    out[0] = 0;
    if (found) row_text(&r, 0, out, ACCOUNTS_EMAIL_MAX + 1);
    rows_close(&r);
    return found;
}

enum accounts_error accounts_person_rename(struct accounts *a, const struct actor *who, int64_t person_id,
                                           struct span name)
{
    char email[ACCOUNTS_EMAIL_MAX + 1];
    if (!field_name(name)) return ACCOUNTS_BAD_NAME;
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    if (!person_email(a, person_id, email)) e = ACCOUNTS_NOT_FOUND;
    else if (!actor_may_touch(a, who, person_id, false)) e = ACCOUNTS_ROLE_REFUSED;
    if (e == ACCOUNTS_OK) {
        (void)sql_run(a, "UPDATE person SET name = ? WHERE id = ?", ARGS(arg_text(name), arg_int(person_id)));
        audit_write(a, who, AUDIT_PERSON_CHANGE, (struct audit_place){{NULL, 0}, {NULL, 0}}, span_of(email),
                    DETAILS({"name", arg_text(name)}));
    }
    return tx_end(a, e);
}

/* Needs lock. The member's role and e-mail; NOT_FOUND when they are none. */
static enum accounts_error member_read(struct accounts *a, struct span organization_id, int64_t person_id,
                                       enum role *role, char email[ACCOUNTS_EMAIL_MAX + 1])
{
    int64_t v = sql_int(a, -1, "SELECT role FROM membership WHERE organization_id = ? AND person_id = ?",
                        ARGS(arg_text(organization_id), arg_int(person_id)));
    if (v < 0 || !person_email(a, person_id, email)) return ACCOUNTS_NOT_FOUND;
    *role = (enum role)v;
    return ACCOUNTS_OK;
}

/* Needs lock. Is this owner the only one? */
static bool last_owner(struct accounts *a, struct span organization_id, enum role role)
{
    return role == ROLE_OWNER && sql_int(a, 0, "SELECT count(*) FROM membership WHERE organization_id = ? AND role = ?",
                                         ARGS(arg_text(organization_id), arg_int(ROLE_OWNER))) <= 1;
}

enum accounts_error accounts_person_remove(struct accounts *a, const struct actor *who, struct span organization_id,
                                           int64_t person_id)
{
    char email[ACCOUNTS_EMAIL_MAX + 1];
    enum role role;
    struct arg organization = arg_text(organization_id), person = arg_int(person_id);
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    bool self = who->kind == ACTOR_PERSON && who->person_id == person_id;
    e = member_read(a, organization_id, person_id, &role, email);
    if (e == ACCOUNTS_OK && !self && !actor_may_grant(a, who, organization_id, (struct span){NULL, 0}, role)) {
        e = ACCOUNTS_ROLE_REFUSED;
    }
    if (e == ACCOUNTS_OK && last_owner(a, organization_id, role)) e = ACCOUNTS_LAST_OWNER;
    if (e == ACCOUNTS_OK) {
        audit_write(a, who, AUDIT_PERSON_REMOVE, (struct audit_place){.organization_id = organization_id},
                    span_of(email), DETAILS({"person_id", person}, {"role", arg_cstr(role_name(role))}));
        (void)sql_run(a,
                      "DELETE FROM environment_role WHERE person_id = ? AND environment_id IN"
                      " (SELECT id FROM environment WHERE organization_id = ?)",
                      ARGS(person, organization));
        (void)sql_run(a, "DELETE FROM membership WHERE organization_id = ? AND person_id = ?",
                      ARGS(organization, person));
        (void)sql_run(a,
                      "DELETE FROM person WHERE id = ?1"
                      " AND NOT EXISTS (SELECT 1 FROM membership WHERE person_id = ?1)",
                      ARGS(person));
    }
    return tx_end(a, e);
}

enum accounts_error accounts_role_set(struct accounts *a, const struct actor *who, struct span organization_id,
                                      int64_t person_id, enum role role)
{
    char email[ACCOUNTS_EMAIL_MAX + 1];
    enum role before;
    struct span nowhere = {NULL, 0};
    if (role > ROLE_OWNER) return ACCOUNTS_BAD_ROLE;
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    e = member_read(a, organization_id, person_id, &before, email);
    if (e == ACCOUNTS_OK && !actor_may_grant(a, who, organization_id, nowhere, role > before ? role : before)) {
        e = ACCOUNTS_ROLE_REFUSED;
    }
    if (e == ACCOUNTS_OK && role != ROLE_OWNER && last_owner(a, organization_id, before)) e = ACCOUNTS_LAST_OWNER;
    if (e == ACCOUNTS_OK) {
        role_give(a, organization_id, nowhere, person_id, role);
        audit_write(a, who, AUDIT_ROLE_SET, (struct audit_place){.organization_id = organization_id}, span_of(email),
                    DETAILS({"role", arg_cstr(role_name(role))}, {"before", arg_cstr(role_name(before))}));
    }
    return tx_end(a, e);
}

/* Needs lock. Checks, and finds what the audit row needs. */
static enum accounts_error environment_role_check(struct accounts *a, const struct actor *who,
                                                  struct span environment_id, int64_t person_id, enum role role,
                                                  char organization[ACCOUNTS_ID_MAX + 1],
                                                  char email[ACCOUNTS_EMAIL_MAX + 1])
{
    enum role member;
    if (!environment_organization(a, environment_id, organization)) return ACCOUNTS_NOT_FOUND;
    enum accounts_error e = member_read(a, span_of(organization), person_id, &member, email);
    if (e != ACCOUNTS_OK) return e;
    enum role before = person_role(a, person_id, span_of(organization), environment_id);
    bool may = actor_may_grant(a, who, span_of(organization), environment_id, role > before ? role : before);
    return may ? ACCOUNTS_OK : ACCOUNTS_ROLE_REFUSED;
}

enum accounts_error accounts_environment_role_set(struct accounts *a, const struct actor *who,
                                                  struct span environment_id, int64_t person_id, enum role role)
{
    char email[ACCOUNTS_EMAIL_MAX + 1], organization[ACCOUNTS_ID_MAX + 1];
    if (role >= ROLE_OWNER) return ACCOUNTS_BAD_ROLE;
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    e = environment_role_check(a, who, environment_id, person_id, role, organization, email);
    if (e == ACCOUNTS_OK) {
        role_give(a, span_of(organization), environment_id, person_id, role);
        audit_write(a, who, AUDIT_ROLE_SET, (struct audit_place){span_of(organization), environment_id}, span_of(email),
                    DETAILS({"role", arg_cstr(role_name(role))}));
    }
    return tx_end(a, e);
}

enum accounts_error accounts_environment_role_clear(struct accounts *a, const struct actor *who,
                                                    struct span environment_id, int64_t person_id)
{
    char email[ACCOUNTS_EMAIL_MAX + 1], organization[ACCOUNTS_ID_MAX + 1];
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    /* What the person falls back to must not be above the actor either. */
    int64_t back = sql_int(a, ROLE_NONE,
                           "SELECT m.role FROM environment e JOIN membership m ON m.organization_id = e.organization_id"
                           " WHERE e.id = ? AND m.person_id = ?",
                           ARGS(arg_text(environment_id), arg_int(person_id)));
    e = environment_role_check(a, who, environment_id, person_id, (enum role)back, organization, email);
    if (e == ACCOUNTS_OK && sql_run(a, "DELETE FROM environment_role WHERE environment_id = ? AND person_id = ?",
                                    ARGS(arg_text(environment_id), arg_int(person_id))) != 1) {
        e = ACCOUNTS_NOT_FOUND;
    }
    if (e == ACCOUNTS_OK) {
        audit_write(a, who, AUDIT_ROLE_CLEAR, (struct audit_place){span_of(organization), environment_id},
                    span_of(email), NO_DETAILS);
    }
    return tx_end(a, e);
}

enum accounts_error accounts_environment_roles(struct accounts *a, struct span organization_id, int64_t person_id,
                                               struct environment_role **out, size_t *count)
{
    struct list l = {.size = sizeof(struct environment_role)};
    read_begin(a);
    struct rows r = rows_open(a,
                              "SELECT r.environment_id, r.person_id, r.role FROM environment_role r"
                              " JOIN environment e ON e.id = r.environment_id WHERE e.organization_id = ?1"
                              " AND (?2 IS NULL OR r.person_id = ?2) ORDER BY r.person_id, e.property_id",
                              ARGS(arg_text(organization_id), arg_int_or_null(person_id)));
    while (rows_next(&r)) {
        struct environment_role *role = list_add(&l);
        row_text(&r, 0, role->environment_id, sizeof role->environment_id);
        role->person_id = row_int(&r, 1);
        role->role = (enum role)row_int(&r, 2);
    }
    return list_give(&l, read_end(a, ACCOUNTS_OK), out, count);
}
