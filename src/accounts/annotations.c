/* SPDX-License-Identifier: Apache-2.0 */
#include "accounts/notes.h"
#include "accounts/store.h"

enum { ANNOTATIONS_MAX = 100000 }; /* in one environment */

#define ANNOTATION_COLUMNS "SELECT id, note, date_s, sub_property_id FROM annotation "

static void annotation_read(const struct rows *r, struct annotation *n)
{
    row_text(r, 0, n->id, sizeof n->id);
    row_text(r, 1, n->note, sizeof n->note);
    n->date_s = row_int(r, 2);
    n->has_sub_property = !row_null(r, 3);
    row_text(r, 3, n->sub_property_id, sizeof n->sub_property_id);
}

/* Needs lock. */
static enum accounts_error annotation_load(struct accounts *a, struct span environment_id, struct span id,
                                           struct annotation *out)
{
    struct rows r = rows_open(a, ANNOTATION_COLUMNS "WHERE environment_id = ? AND id = ?",
                              ARGS(arg_text(environment_id), arg_text(id)));
    bool found = rows_next(&r);
    if (found) annotation_read(&r, out);
    rows_close(&r);
    return found ? ACCOUNTS_OK : ACCOUNTS_NOT_FOUND;
}

static enum accounts_error annotation_apply(const struct annotation_change *in, struct annotation *n)
{
    if (in->note != NULL) {
        if (in->note->len == 0 || !field_note(*in->note, NOTES_NOTE_MAX)) return ACCOUNTS_BAD_TEXT;
        text_copy(n->note, sizeof n->note, *in->note);
    }
    if (in->date_s != NULL) {
        /* Up to the year 9999, which is what the answers can spell. */
        if (*in->date_s < 0 || *in->date_s > 253402300799) return ACCOUNTS_BAD_VALUE;
        n->date_s = *in->date_s;
    }
    if (in->sub_property_id != NULL) {
        if (!field_note(*in->sub_property_id, NOTES_VALUE_MAX)) return ACCOUNTS_BAD_TEXT;
        n->has_sub_property = in->sub_property_id->ptr != NULL;
        text_copy(n->sub_property_id, sizeof n->sub_property_id, *in->sub_property_id);
    }
    return ACCOUNTS_OK;
}

static struct arg annotation_sub_property(const struct annotation *n)
{
    return n->has_sub_property ? arg_cstr(n->sub_property_id) : (struct arg){.kind = ARG_NULL};
}

static void annotation_audit(struct accounts *a, const struct actor *who, enum audit_act act,
                             struct span environment_id, const struct annotation *n)
{
    audit_write(a, who, act, (struct audit_place){.environment_id = environment_id}, span_of(n->id),
                DETAILS({"note", arg_text(span_cut_utf8(span_of(n->note), 200))}, {"date", arg_int(n->date_s)},
                        {"sub_property_id", annotation_sub_property(n)}));
}

enum accounts_error accounts_annotation_add(struct accounts *a, const struct actor *who, struct span environment_id,
                                            const struct annotation_change *in, struct annotation *out)
{
    char organization[ACCOUNTS_ID_MAX + 1];
    *out = (struct annotation){.date_s = 0};
    if (in->note == NULL) return ACCOUNTS_BAD_TEXT;
    if (in->date_s == NULL) return ACCOUNTS_BAD_VALUE;
    enum accounts_error e = annotation_apply(in, out);
    if (e == ACCOUNTS_OK) e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    uuid_new(out->id);
    if (!environment_organization(a, environment_id, organization)) e = ACCOUNTS_NOT_FOUND;
    else if (sql_int(a, 0, "SELECT count(*) FROM annotation WHERE environment_id = ?",
                     ARGS(arg_text(environment_id))) >= ANNOTATIONS_MAX) {
        e = ACCOUNTS_TOO_MANY;
    } else {
        (void)sql_run(a,
                      "INSERT INTO annotation (id, environment_id, note, date_s, sub_property_id)"
                      " VALUES (?, ?, ?, ?, ?)",
                      ARGS(arg_cstr(out->id), arg_text(environment_id), arg_cstr(out->note), arg_int(out->date_s),
                           annotation_sub_property(out)));
        annotation_audit(a, who, AUDIT_ANNOTATION_ADD, environment_id, out);
    }
    return tx_end(a, e);
}

enum accounts_error accounts_annotation_change(struct accounts *a, const struct actor *who, struct span environment_id,
                                               struct span id, const struct annotation_change *in,
                                               struct annotation *out)
{
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    e = annotation_load(a, environment_id, id, out);
    if (e == ACCOUNTS_OK) e = annotation_apply(in, out);
    if (e == ACCOUNTS_OK) {
        (void)sql_run(a,
                      "UPDATE annotation SET note = ?, date_s = ?, sub_property_id = ?"
                      " WHERE environment_id = ? AND id = ?",
                      ARGS(arg_cstr(out->note), arg_int(out->date_s), annotation_sub_property(out),
                           arg_text(environment_id), arg_text(id)));
        annotation_audit(a, who, AUDIT_ANNOTATION_CHANGE, environment_id, out);
    }
    return tx_end(a, e);
}

enum accounts_error accounts_annotation_remove(struct accounts *a, const struct actor *who, struct span environment_id,
                                               struct span id)
{
    struct annotation n;
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    e = annotation_load(a, environment_id, id, &n);
    if (e == ACCOUNTS_OK) {
        (void)sql_run(a, "DELETE FROM annotation WHERE environment_id = ? AND id = ?",
                      ARGS(arg_text(environment_id), arg_text(id)));
        annotation_audit(a, who, AUDIT_ANNOTATION_REMOVE, environment_id, &n);
    }
    return tx_end(a, e);
}

enum accounts_error accounts_annotation_get(struct accounts *a, struct span environment_id, struct span id,
                                            struct annotation *out)
{
    read_begin(a);
    enum accounts_error e = annotation_load(a, environment_id, id, out);
    return read_end(a, e);
}

#define ANNOTATION_WHERE                                                                                               \
    "WHERE environment_id = ?1 AND date_s >= ?2 AND date_s < ?3 AND (?4 IS NULL OR sub_property_id = ?4)"

enum accounts_error accounts_annotations(struct accounts *a, struct span environment_id,
                                         const struct annotation_query *q, struct annotation **out, size_t *count,
                                         int64_t *total)
{
    struct list l = {.size = sizeof(struct annotation)};
    struct arg env = arg_text(environment_id), sub = arg_text_or_null(q->sub_property_id);
    struct arg from = arg_int(q->windowed ? q->from_s : INT64_MIN), to = arg_int(q->windowed ? q->to_s : INT64_MAX);
    struct arg limit = arg_int(q->limit == 0 ? 25 : q->limit), offset = arg_int(q->offset);
    const char *up = ANNOTATION_COLUMNS ANNOTATION_WHERE " ORDER BY date_s, id LIMIT ?5 OFFSET ?6";
    const char *down = ANNOTATION_COLUMNS ANNOTATION_WHERE " ORDER BY date_s DESC, id LIMIT ?5 OFFSET ?6";
    read_begin(a);
    struct rows r = rows_open(a, q->descending ? down : up, ARGS(env, from, to, sub, limit, offset));
    while (rows_next(&r)) annotation_read(&r, list_add(&l));
    *total = sql_int(a, 0, "SELECT count(*) FROM annotation " ANNOTATION_WHERE, ARGS(env, from, to, sub));
    return list_give(&l, read_end(a, ACCOUNTS_OK), out, count);
}
