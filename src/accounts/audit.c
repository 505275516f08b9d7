/* SPDX-License-Identifier: Apache-2.0 */
#include "accounts/audit.h"

#include "accounts/store.h"
#include "base/json.h"

static const char *const acts[] = {
#define AUDIT_ACT(name, text) text,
#include "accounts/audit_acts.def"
#undef AUDIT_ACT
};

/* What to call the actor in the log, as of now. */
static void audit_actor(struct accounts *a, const struct actor *who, char *out, size_t cap)
{
    struct rows r = {.a = a};
    switch (who->kind) {
    case ACTOR_COMMAND_LINE: text_copy(out, cap, SPAN("command line")); return;
    case ACTOR_SERVER: text_copy(out, cap, SPAN("server")); return;
    case ACTOR_PERSON: r = rows_open(a, "SELECT email FROM person WHERE id = ?", ARGS(arg_int(who->person_id))); break;
    case ACTOR_TOKEN: r = rows_open(a, "SELECT name FROM token WHERE id = ?", ARGS(arg_text(who->token_id))); break;
    }
    if (rows_next(&r)) row_text(&r, 0, out, cap);
    else text_copy(out, cap, SPAN("unknown"));
    rows_close(&r);
}

static void audit_insert(struct accounts *a, const struct actor *who, enum audit_act act, struct audit_place place,
                         struct span target, struct span details)
{
    char actor[ACCOUNTS_EMAIL_MAX + 1], organization[ACCOUNTS_ID_MAX + 1], address[ACCOUNTS_ADDRESS_MAX + 1];
    audit_actor(a, who, actor, sizeof actor);
    text_copy(organization, sizeof organization, place.organization_id);
    if (organization[0] == 0 && place.environment_id.len > 0) {
        (void)environment_organization(a, place.environment_id, organization);
    }
    address_truncate(who->address, address);
    (void)sql_run(a,
                  "INSERT INTO audit (at_ms, actor_kind, actor_person_id, actor, act, target, organization_id,"
                  " environment_id, address, details) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  ARGS(arg_int(store_now_ms(a)), arg_int(who->kind),
                       arg_int_or_null(who->kind == ACTOR_PERSON ? who->person_id : 0), arg_cstr(actor),
                       arg_cstr(acts[act]), arg_text(span_cut_utf8(target, ACCOUNTS_EMAIL_MAX)),
                       arg_text_or_null(span_of(organization)), arg_text_or_null(place.environment_id),
                       arg_cstr(address), arg_text(details)));
}

void audit_write(struct accounts *a, const struct actor *who, enum audit_act act, struct audit_place place,
                 struct span target, const struct detail *details, size_t count)
{
    struct buf b;
    struct jw w;
    buf_init(&b, AUDIT_DETAILS_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    for (size_t i = 0; i < count; i++) {
        const struct arg *v = &details[i].value;
        BUG_IF(v->kind == ARG_BLOB);
        jw_key(&w, details[i].key);
        if (v->kind == ARG_NULL) jw_null(&w);
        else if (v->kind == ARG_INT) jw_int(&w, v->i);
        else jw_string(&w, v->s);
    }
    jw_object_end(&w);
    audit_insert(a, who, act, place, target, b.failed ? SPAN("{\"too_long\":true}") : buf_span(&b));
    buf_free(&b);
}

enum accounts_error accounts_audit_add(struct accounts *a, const struct actor *who, enum audit_act act,
                                       struct span organization_id, struct span environment_id, struct span target,
                                       struct span details)
{
    if (details.len > AUDIT_DETAILS_MAX || !field_utf8(details) || !field_utf8(target)) return ACCOUNTS_BAD_TEXT;
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    audit_insert(a, who, act, (struct audit_place){organization_id, environment_id}, target,
                 details.len > 0 ? details : SPAN("{}"));
    return tx_end_quiet(a, ACCOUNTS_OK);
}

#define AUDIT_WHERE                                                                                                    \
    " FROM audit WHERE (?1 IS NULL OR organization_id = ?1) AND (?2 IS NULL OR environment_id = ?2)"                   \
    " AND (?3 IS NULL OR act = ?3 OR (substr(?3, -1) = '.' AND substr(act, 1, length(?3)) = ?3))"                      \
    " AND (?4 IS NULL OR at_ms >= ?4) AND (?5 IS NULL OR at_ms < ?5)"

static void audit_read(const struct rows *r, struct audit_row *row)
{
    row->id = row_int(r, 0);
    row->at_ms = row_int(r, 1);
    row->actor_kind = (enum actor_kind)row_int(r, 2);
    row_text(r, 3, row->actor, sizeof row->actor);
    row_text(r, 4, row->act, sizeof row->act);
    row_text(r, 5, row->target, sizeof row->target);
    row_text(r, 6, row->organization_id, sizeof row->organization_id);
    row_text(r, 7, row->environment_id, sizeof row->environment_id);
    row_text(r, 8, row->address, sizeof row->address);
    row_text(r, 9, row->details, sizeof row->details);
}

enum accounts_error accounts_audit(struct accounts *a, const struct audit_query *q, struct audit_row **out,
                                   size_t *count, int64_t *total)
{
    struct list l = {.size = sizeof(struct audit_row)};
    uint32_t limit = q->limit == 0 ? 100 : q->limit > 1000 ? 1000 : q->limit;
    struct arg org = arg_text_or_null(q->organization_id), env = arg_text_or_null(q->environment_id);
    struct arg act = arg_text_or_null(q->act);
    struct arg since = arg_int_or_null(q->since_ms), until = arg_int_or_null(q->until_ms);
    read_begin(a);
    struct rows r = rows_open(a,
                              "SELECT id, at_ms, actor_kind, actor, act, target, organization_id, environment_id,"
                              " address, details" AUDIT_WHERE " ORDER BY id DESC LIMIT ?6 OFFSET ?7",
                              ARGS(org, env, act, since, until, arg_int(limit), arg_int(q->offset)));
    while (rows_next(&r)) audit_read(&r, list_add(&l));
    if (total != NULL) *total = sql_int(a, 0, "SELECT count(*)" AUDIT_WHERE, ARGS(org, env, act, since, until));
    return list_give(&l, read_end(a, ACCOUNTS_OK), out, count);
}
