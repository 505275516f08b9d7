/* SPDX-License-Identifier: Apache-2.0
 * GET /data/v1/errors, and the categories that people give to error codes. */
#include "query/errors.h"

#include "accounts/notes.h"
#include "api/ask.h"
#include "base/clock.h"

#include <stdlib.h>

static const struct error_category *category_of(const struct error_category *list, size_t n, struct span code)
{
    for (size_t i = 0; i < n; i++)
        if (span_is(code, list[i].code)) return &list[i];
    return NULL;
}

static void print_error(struct jw *w, const struct error_row *row, const struct error_category *category, int64_t all)
{
    char when[32];
    int64_t code;
    iso_seconds(when, row->last_seen_ms);
    jw_object(w);
    jw_key(w, "id"), jw_int(w, row->id);
    jw_key(w, "code");
    if (row->code.ptr && span_to_i64(row->code, &code)) jw_int(w, code);
    else jw_null(w);
    jw_key(w, "player_error_code"), ask_print_text(w, row->code);
    jw_key(w, "message"), ask_print_text(w, row->message);
    jw_key(w, "description"), jw_text(w, category && category->description[0] ? category->description : NULL);
    jw_key(w, "notes"), jw_text(w, category && category->notes[0] ? category->notes : NULL);
    jw_key(w, "count"), jw_int(w, row->views);
    jw_key(w, "percentage"), jw_double(w, all ? 100.0 * (double)row->views / (double)all : 0);
    jw_key(w, "last_seen"), jw_text(w, when);
    jw_object_end(w);
}

void api_errors_list(struct api_call *c)
{
    struct window window;
    struct filters filters;
    if (!ask_window(c, &window) || !ask_filters(c, true, &filters)) return;
    struct query q = ask_query(c);
    struct error_row *rows;
    size_t n, categories;
    int64_t all;
    enum err e = query_errors(&q, c->environment_id, &window, &filters, &rows, &n, &all);
    if (e != ERR_NONE) {
        api_fail_store(c, e, q.error.text);
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
    for (size_t i = 0; i < n; i++)
        print_error(&c->json, &rows[i], category_of(list, categories, rows[i].code), all);
    jw_array_end(&c->json);
    api_timeframe(c, window.start_s, window.end_s);
    api_total(c, (int64_t)n);
    jw_object_end(&c->json);
    free(list);
}
