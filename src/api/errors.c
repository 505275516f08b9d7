/* SPDX-License-Identifier: Apache-2.0
 * GET /data/v1/errors, and the categories that people give to error codes. */
#include "query/errors.h"

#include "accounts/notes.h"
#include "api/ask.h"
#include "api/internal.h"
#include "api/rewriter.h"
#include "base/clock.h"

#include <stdlib.h>

enum { ROWS_MAX = 1000 };

static const struct error_category *category_of(const struct error_category *list, size_t n, struct span code)
{
    for (size_t i = 0; i < n; i++)
        if (span_is(code, list[i].code)) return &list[i];
    return NULL;
}

/* What people said about the code; severity and business_exception are null where it counts as it was sent. */
static void print_category(struct jw *w, const struct error_category *c)
{
    enum error_severity severity = c ? c->severity : ERROR_SEVERITY_AS_SENT;
    enum error_business business = c ? c->business : ERROR_BUSINESS_AS_SENT;
    jw_key(w, "description"), jw_text(w, c && c->description[0] ? c->description : NULL);
    jw_key(w, "notes"), jw_text(w, c && c->notes[0] ? c->notes : NULL);
    jw_key(w, "severity");
    jw_text(w, severity == ERROR_SEVERITY_AS_SENT ? NULL : severity == ERROR_SEVERITY_FATAL ? "fatal" : "warning");
    jw_key(w, "business_exception");
    if (business == ERROR_BUSINESS_AS_SENT) jw_null(w);
    else jw_bool(w, business == ERROR_BUSINESS_YES);
}

static void print_error(struct jw *w, const struct error_row *row, const struct error_category *category, int64_t all)
{
    char when[32];
    int64_t code;
    iso_seconds(when, row->last_seen_ms);
    jw_key(w, "id"), jw_int(w, row->id);
    jw_key(w, "code");
    if (row->code.ptr && span_to_i64(row->code, &code)) jw_int(w, code);
    else jw_null(w);
    jw_key(w, "player_error_code"), ask_print_text(w, row->code);
    jw_key(w, "message"), ask_print_text(w, row->message);
    print_category(w, category);
    jw_key(w, "count"), jw_int(w, row->views);
    jw_key(w, "percentage"), jw_double(w, all ? 100.0 * (double)row->views / (double)all : 0);
    jw_key(w, "last_seen"), jw_text(w, row->views ? when : NULL);
}

void api_errors_list(struct api_call *c)
{
    struct window window;
    struct filters filters;
    if (!ask_window(c, &window) || !ask_filters(c, true, &filters)) return;
    if (ask_cached(c, &window, CLOCK_END, accounts_generation(c->accounts))) return;
    struct query q = ask_query(c);
    struct error_row *rows;
    size_t n, categories;
    int64_t all;
    enum err e = query_errors(&q, c->environment_id, &window, &filters, &rows, &n, &all);
    if (e != ERR_NONE) {
        api_fail_store(c, e, &q.error);
        return;
    }
    struct error_category *list = NULL;
    enum accounts_error failed =
        accounts_error_categories(c->accounts, span_of(c->environment_id), &list, &categories, NULL);
    if (failed != ACCOUNTS_OK) {
        api_fail_accounts(c, failed);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = 0; i < n && i < ROWS_MAX; i++) {
        jw_object(&c->json);
        print_error(&c->json, &rows[i], category_of(list, categories, rows[i].code), all);
        jw_object_end(&c->json);
    }
    jw_array_end(&c->json);
    api_timeframe(c, window.start_s, window.end_s);
    api_total(c, (int64_t)n);
    jw_object_end(&c->json);
    free(list);
}

/* -- one error, and what people say about its code -- */

/* The error of the path, with what the window says about it; false: failed. */
static bool find_error(struct api_call *c, struct window *window, struct error_row *out, int64_t *all)
{
    struct filters filters, token = {0};
    struct query q = ask_query(c);
    int64_t id;
    bool found = false;
    if (!ask_window(c, window) || !ask_filters(c, true, &filters) || !ask_token_filter(c, &token)) return false;
    bool number = span_to_i64(c->arguments[0], &id);
    enum err e = number ? query_error_find(&q, c->environment_id, id, &token, out, &found) : ERR_NONE;
    if (e == ERR_NONE && found) e = query_error_views(&q, c->environment_id, window, &filters, out, all);
    if (e != ERR_NONE) {
        api_fail_store(c, e, &q.error);
        return false;
    }
    if (!found) {
        api_fail(c, 404, "There is no such error.");
        return false;
    }
    return true;
}

static void print_rewrite(struct api_call *c, int64_t version)
{
    struct rewrite_status s;
    char when[32];
    rewriter_status(api_rewriter(c->api), c->environment_id, version, &s);
    iso_seconds(when, s.finished_ms);
    jw_key(&c->json, "rewrite"), jw_object(&c->json);
    jw_key(&c->json, "status"), jw_text(&c->json, rewrite_state_name(s.state));
    jw_key(&c->json, "views"), jw_int(&c->json, s.views);
    jw_key(&c->json, "parts_total"), jw_int(&c->json, s.parts_total);
    jw_key(&c->json, "parts_left"), jw_int(&c->json, s.parts_left);
    jw_key(&c->json, "finished_at"), jw_text(&c->json, s.finished_ms ? when : NULL);
    jw_object_end(&c->json);
}

static void answer_error(struct api_call *c, const struct window *window, const struct error_row *row, int64_t all)
{
    struct error_category *list = NULL;
    size_t n;
    int64_t version;
    enum accounts_error e = accounts_error_categories(c->accounts, span_of(c->environment_id), &list, &n, &version);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    print_error(&c->json, row, category_of(list, n, row->code), all);
    /* It counts views of the whole environment. */
    if (c->principal.filter[0] == 0) print_rewrite(c, version);
    jw_object_end(&c->json);
    api_timeframe(c, window->start_s, window->end_s);
    api_total(c, 1);
    jw_object_end(&c->json);
    free(list);
}

void api_error_show(struct api_call *c)
{
    struct window window;
    struct error_row row;
    int64_t all;
    if (find_error(c, &window, &row, &all)) answer_error(c, &window, &row, all);
}

static bool read_severity(struct api_call *c, const struct json_node *node, enum error_severity *out)
{
    struct span text = json_string(node);
    if (node == NULL) return true;
    if (json_is(node, JSON_NULL)) *out = ERROR_SEVERITY_AS_SENT;
    else if (span_is(text, "fatal")) *out = ERROR_SEVERITY_FATAL;
    else if (span_is(text, "warning")) *out = ERROR_SEVERITY_WARNING;
    else api_fail(c, 400, "severity has to be fatal, warning, or null for as it was sent.");
    return !c->failed;
}

static bool read_business(struct api_call *c, const struct json_node *node, enum error_business *out)
{
    if (node == NULL) return true;
    if (json_is(node, JSON_NULL)) *out = ERROR_BUSINESS_AS_SENT;
    else if (json_is(node, JSON_TRUE)) *out = ERROR_BUSINESS_YES;
    else if (json_is(node, JSON_FALSE)) *out = ERROR_BUSINESS_NO;
    else api_fail(c, 400, "business_exception has to be true, false, or null for as it was sent.");
    return !c->failed;
}

/* Text, or null for none. */
static bool read_words(struct api_call *c, const struct json_node *node, const char *name, char out[NOTES_NOTE_MAX + 1])
{
    struct span text = json_string(node);
    if (node == NULL) return true;
    if (!json_is(node, JSON_STRING) && !json_is(node, JSON_NULL)) {
        api_fail(c, 400, "%s has to be text or null.", name);
        return false;
    }
    if (text.len > NOTES_NOTE_MAX || (text.len && memchr(text.ptr, 0, text.len))) {
        api_fail(c, 400, "%s may have at most %d bytes, and no NUL.", name, NOTES_NOTE_MAX);
        return false;
    }
    if (text.len) memcpy(out, text.ptr, text.len);
    out[text.len] = 0;
    return true;
}

/* What the body says goes over what out holds. */
static bool read_category(struct api_call *c, const struct json_doc *doc, const struct json_node *body,
                          struct error_category *out)
{
    return read_severity(c, json_get(doc, body, "severity"), &out->severity) &&
           read_business(c, json_get(doc, body, "business_exception"), &out->business) &&
           read_words(c, json_get(doc, body, "description"), "description", out->description) &&
           read_words(c, json_get(doc, body, "notes"), "notes", out->notes);
}

/* The category of the code as it is now. */
static bool load_category(struct api_call *c, struct span code, struct error_category *out)
{
    struct error_category *list = NULL;
    size_t n;
    enum accounts_error e = accounts_error_categories(c->accounts, span_of(c->environment_id), &list, &n, NULL);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return false;
    }
    const struct error_category *known = category_of(list, n, code);
    *out = known ? *known : (struct error_category){.version = 0};
    free(list);
    if (known == NULL) memcpy(out->code, code.ptr, code.len);
    return true;
}

void api_error_categorise(struct api_call *c)
{
    struct window window;
    struct error_row row;
    struct error_category category = {.version = 0};
    struct json_doc doc;
    int64_t all;
    if (c->principal.filter[0]) {
        api_fail(c, 403, "Categories hold for the whole environment; a token with a filter cannot set them.");
        return;
    }
    /* The whole body is checked before the store is asked for the error. */
    const struct json_node *body = api_body_json(c, &doc);
    if (body == NULL || !read_category(c, &doc, body, &category) || !find_error(c, &window, &row, &all)) return;
    if (row.code.len == 0 || row.code.len > NOTES_VALUE_MAX) {
        api_fail(c, 400, "This error has no code, or one too long, to hang a category on.");
        return;
    }
    if (!load_category(c, row.code, &category) || !read_category(c, &doc, body, &category)) return;
    struct actor who = api_actor(c);
    enum accounts_error e = accounts_error_category_set(c->accounts, &who, span_of(c->environment_id), &category);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    rewriter_kick(api_rewriter(c->api));
    answer_error(c, &window, &row, all);
}
