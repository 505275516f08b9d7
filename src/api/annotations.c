/* SPDX-License-Identifier: Apache-2.0
 * /data/v1/annotations. Dates come as Unix seconds and go out as ISO text, as the published API has it.
 * A token whose filter is sub_property_id:X sees and writes the annotations of X alone; one with another filter none,
 * since a note says nothing about which views it concerns. */
#include "api/ask.h"

#include "accounts/notes.h"
#include "base/clock.h"

#include <stdlib.h>

enum { LIST_LIMIT = 25, LIST_LIMIT_MAX = 1000 };

struct annotation_scope {
    bool limited;
    struct span sub_property_id; /* empty while limited: nothing may be seen */
};

static struct annotation_scope scope_of(const struct api_call *c)
{
    struct span filter = span_of(c->principal.filter), prefix = SPAN("sub_property_id:");
    struct annotation_scope scope = {.limited = filter.len > 0};
    if (scope.limited && span_starts(filter, prefix)) scope.sub_property_id = span_from(filter, prefix.len);
    return scope;
}

static bool in_scope(const struct annotation_scope *scope, const struct annotation *n)
{
    if (!scope->limited) return true;
    return scope->sub_property_id.len && n->has_sub_property && span_is(scope->sub_property_id, n->sub_property_id);
}

static void print_annotation(struct jw *w, const struct annotation *n)
{
    char when[32];
    iso_seconds(when, n->date_s * 1000);
    jw_object(w);
    jw_key(w, "id"), jw_text(w, n->id);
    jw_key(w, "note"), jw_text(w, n->note);
    jw_key(w, "date"), jw_text(w, when);
    jw_key(w, "sub_property_id"), jw_text(w, n->has_sub_property ? n->sub_property_id : NULL);
    jw_object_end(w);
}

static void answer_one(struct api_call *c, const struct annotation *n)
{
    jw_object(&c->json);
    jw_key(&c->json, "data"), print_annotation(&c->json, n);
    api_total(c, 1);
    api_timeframe_now(c);
    jw_object_end(&c->json);
}

/* Not snapped, and no default: all of them. */
static bool list_window(struct api_call *c, struct annotation_query *query, struct window *window)
{
    struct api_params values = api_params(c, "timeframe");
    size_t given = 0;
    for (size_t i = 0; i < values.count; i++) given += values.values[i].len > 0;
    if (given == 0) return true;
    const char *bad = window_parse(values.values, values.count, c->now_ms / 1000, window);
    if (bad) {
        api_fail(c, 400, "%s", bad);
        return false;
    }
    query->windowed = true;
    query->from_s = window->start_s;
    query->to_s = window->end_s;
    return true;
}

void api_annotations_list(struct api_call *c)
{
    struct annotation_query query = {0};
    struct window window;
    struct annotation_scope scope = scope_of(c);
    uint32_t page;
    if (!list_window(c, &query, &window) || !api_paging(c, LIST_LIMIT, LIST_LIMIT_MAX, &query.limit, &page) ||
        !api_descending(c, false, &query.descending))
        return;
    uint64_t offset = (uint64_t)(page - 1) * query.limit;
    query.offset = offset > UINT32_MAX ? UINT32_MAX : (uint32_t)offset;
    query.sub_property_id = scope.sub_property_id;
    struct annotation *list = NULL;
    size_t n = 0;
    int64_t total = 0;
    if (!scope.limited || scope.sub_property_id.len) {
        enum accounts_error e =
            accounts_annotations(c->accounts, span_of(c->environment_id), &query, &list, &n, &total);
        if (e != ACCOUNTS_OK) {
            api_fail_accounts(c, e);
            return;
        }
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = 0; i < n; i++) print_annotation(&c->json, &list[i]);
    jw_array_end(&c->json);
    api_total(c, total);
    if (query.windowed) api_timeframe(c, window.start_s, window.end_s + 1); /* as given: not snapped */
    jw_object_end(&c->json);
    free(list);
}

/* What a body says, kept where the pointers of the change can point. */
struct annotation_body {
    struct span note, sub_property_id;
    int64_t date_s;
    struct annotation_change change;
};

static bool read_text(struct api_call *c, const struct json_node *node, const char *name, struct span *out)
{
    *out = json_string(node);
    if (json_is(node, JSON_STRING) && memchr(out->ptr, 0, out->len) == NULL) return true;
    api_fail(c, 400, "%s has to be text.", name);
    return false;
}

static bool read_body(struct api_call *c, struct annotation_body *b)
{
    struct json_doc doc;
    const struct json_node *body = api_body_json(c, &doc);
    *b = (struct annotation_body){.date_s = 0};
    if (body == NULL) return false;
    const struct json_node *note = json_get(&doc, body, "note"), *date = json_get(&doc, body, "date"),
                           *sub = json_get(&doc, body, "sub_property_id");
    if (note) {
        if (!read_text(c, note, "note", &b->note)) return false;
        b->change.note = &b->note;
    }
    if (date) {
        if (!json_is(date, JSON_INT)) {
            api_fail(c, 400, "date has to be a Unix timestamp in seconds.");
            return false;
        }
        b->date_s = date->v.i;
        b->change.date_s = &b->date_s;
    }
    if (sub) {
        if (!json_is(sub, JSON_NULL) && !read_text(c, sub, "sub_property_id", &b->sub_property_id)) return false;
        if (b->sub_property_id.len == 0) b->sub_property_id = (struct span){NULL, 0}; /* "" is unset, as null */
        b->change.sub_property_id = &b->sub_property_id;
    }
    if (b->change.note && (b->note.len == 0 || b->note.len > NOTES_NOTE_MAX)) {
        api_fail(c, 400, "note has to have 1 to %d bytes.", NOTES_NOTE_MAX);
        return false;
    }
    if (b->change.date_s && (b->date_s < 0 || b->date_s > INT64_C(99999999999))) {
        api_fail(c, 400, "date takes Unix seconds; this is before 1970 or looks like milliseconds.");
        return false;
    }
    if (b->sub_property_id.len > NOTES_VALUE_MAX) {
        api_fail(c, 400, "sub_property_id may have at most %d bytes.", NOTES_VALUE_MAX);
        return false;
    }
    return true;
}

/* A limited token writes for its own sub property, whether it says so or not. */
static bool body_in_scope(struct api_call *c, const struct annotation_scope *scope, struct annotation_body *b,
                          bool fresh)
{
    if (!scope->limited) return true;
    bool own = b->change.sub_property_id == NULL || span_eq(b->sub_property_id, scope->sub_property_id);
    if (scope->sub_property_id.len == 0 || !own) {
        api_fail(c, 403, "The filter of this token does not allow that.");
        return false;
    }
    if (fresh) {
        b->sub_property_id = scope->sub_property_id;
        b->change.sub_property_id = &b->sub_property_id;
    }
    return true;
}

void api_annotation_create(struct api_call *c)
{
    struct annotation_body b;
    struct annotation_scope scope = scope_of(c);
    if (!read_body(c, &b)) return;
    if (b.change.note == NULL || b.change.date_s == NULL) {
        api_fail(c, 400, "%s is missing.", b.change.note == NULL ? "note" : "date");
        return;
    }
    if (!body_in_scope(c, &scope, &b, true)) return;
    struct actor who = api_actor(c);
    struct annotation made;
    enum accounts_error e = accounts_annotation_add(c->accounts, &who, span_of(c->environment_id), &b.change, &made);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    c->status = 201;
    answer_one(c, &made);
}

static bool load(struct api_call *c, const struct annotation_scope *scope, struct annotation *out)
{
    enum accounts_error e = accounts_annotation_get(c->accounts, span_of(c->environment_id), c->arguments[0], out);
    if (e == ACCOUNTS_OK && !in_scope(scope, out)) e = ACCOUNTS_NOT_FOUND;
    if (e == ACCOUNTS_NOT_FOUND) api_fail(c, 404, "There is no such annotation.");
    else if (e != ACCOUNTS_OK) api_fail_accounts(c, e);
    return e == ACCOUNTS_OK;
}

void api_annotation_show(struct api_call *c)
{
    struct annotation n;
    struct annotation_scope scope = scope_of(c);
    if (load(c, &scope, &n)) answer_one(c, &n);
}

void api_annotation_change(struct api_call *c)
{
    struct annotation_body b;
    struct annotation n;
    struct annotation_scope scope = scope_of(c);
    if (!load(c, &scope, &n) || !read_body(c, &b) || !body_in_scope(c, &scope, &b, false)) return;
    struct actor who = api_actor(c);
    enum accounts_error e =
        accounts_annotation_change(c->accounts, &who, span_of(c->environment_id), c->arguments[0], &b.change, &n);
    if (e == ACCOUNTS_OK) answer_one(c, &n);
    else api_fail_accounts(c, e);
}

void api_annotation_remove(struct api_call *c)
{
    struct annotation n;
    struct annotation_scope scope = scope_of(c);
    if (!load(c, &scope, &n)) return;
    struct actor who = api_actor(c);
    enum accounts_error e = accounts_annotation_remove(c->accounts, &who, span_of(c->environment_id), c->arguments[0]);
    if (e == ACCOUNTS_OK) c->status = 204;
    else api_fail_accounts(c, e);
}
