/* SPDX-License-Identifier: Apache-2.0
 * GET /data/v1/video-views and /{id}. Keys, types and null rules of the detail come from views/columns.def. */
#include "api/ask.h"
#include "query/viewrows.h"

#include "base/clock.h"

#include <math.h>

enum { LIST_LIMIT = 25, LIST_LIMIT_MAX = 1000 };

static bool error_filter(struct api_call *c, struct view_list_question *question)
{
    struct span error_id = api_param(c, "error_id");
    if (error_id.len == 0) return true;
    if (span_is(error_id, "any")) {
        question->errors = ERRORS_ANY;
        return true;
    }
    question->errors = ERRORS_ONE;
    if (span_to_i64(error_id, &question->error_id)) return true;
    api_fail(c, 400, "error_id has to be an error's whole number, or any.");
    return false;
}

static void print_opt_i64(struct jw *w, struct opt_i64 v)
{
    if (v.set) jw_int(w, v.v);
    else jw_null(w);
}

static void print_opt_text(struct jw *w, struct span s)
{
    if (s.len) jw_string(w, s);
    else jw_null(w);
}

static void print_time(struct jw *w, const char *key, int64_t ms)
{
    char text[32];
    iso_seconds(text, ms);
    jw_key(w, key), jw_text(w, text);
}

static void print_brief(struct jw *w, const struct view_brief *v, int64_t total)
{
    char id[33];
    hash128_hex(id, v->id);
    jw_object(w);
    jw_key(w, "id"), jw_text(w, id);
    print_time(w, "view_start", v->view_start_ms);
    print_time(w, "view_end", v->view_end_ms);
    jw_key(w, "video_title"), print_opt_text(w, v->video_title);
    jw_key(w, "viewer_application_name"), print_opt_text(w, v->browser);
    jw_key(w, "viewer_os_family"), print_opt_text(w, v->operating_system);
    jw_key(w, "country_code"), print_opt_text(w, v->country);
    jw_key(w, "error_type_id"), print_opt_i64(w, v->error_type_id);
    jw_key(w, "player_error_code"), print_opt_text(w, v->player_error_code);
    jw_key(w, "player_error_message"), print_opt_text(w, v->player_error_message);
    jw_key(w, "playback_failure"), jw_bool(w, v->playback_failure);
    jw_key(w, "viewer_experience_score");
    if (v->viewer_experience_score.set) jw_double(w, v->viewer_experience_score.v);
    else jw_null(w);
    jw_key(w, "watch_time"), print_opt_i64(w, v->watch_time);
    jw_key(w, "total_row_count"), jw_int(w, total);
    jw_object_end(w);
}

void api_views_list(struct api_call *c)
{
    struct filters filters;
    struct view_list_question question = {.environment_id = c->environment_id, .filters = &filters};
    if (!ask_window(c, &question.window) || !ask_filters(c, true, &filters) || !error_filter(c, &question) ||
        !api_paging(c, LIST_LIMIT, LIST_LIMIT_MAX, &question.limit, &question.page) ||
        !api_descending(c, true, &question.descending))
        return;
    question.viewer_id = api_param(c, "viewer_id");
    if (ask_cached(c, &question.window, CLOCK_END, 0)) return;
    struct query q = ask_query(c);
    struct view_brief *rows;
    size_t n;
    int64_t total;
    enum err e = query_view_list(&q, &question, &rows, &n, &total);
    if (e != ERR_NONE) {
        api_fail_store(c, e, &q.error);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = 0; i < n; i++) print_brief(&c->json, &rows[i], total);
    jw_array_end(&c->json);
    api_timeframe(c, question.window.start_s, question.window.end_s);
    api_total(c, total);
    jw_object_end(&c->json);
}

/* -- the detail: one function a form and kind of columns.def -- */

static void number_text(struct jw *w, double v)
{
    char text[400];
    size_t len = json_format_double(text, sizeof text, v, true);
    jw_string(w, span_make(text, len));
}

#define VALUE_NATIVE_LC(x) print_opt_text(w, x)
#define VALUE_NATIVE_STR(x) print_opt_text(w, x)
#define VALUE_NATIVE_I32(x) print_opt_i64(w, x)
#define VALUE_NATIVE_I64(x) print_opt_i64(w, x)
#define VALUE_NATIVE_F64(x) ((x).set ? jw_double(w, (x).v) : jw_null(w))
#define VALUE_NATIVE_NBOOL(x) ((x).set ? jw_bool(w, (x).v != 0) : jw_null(w))
#define VALUE_NUMBER_TEXT_I64(x) ((x).set ? number_text(w, (double)(x).v) : jw_null(w))
#define VALUE_NUMBER_TEXT_F64(x) ((x).set ? number_text(w, (x).v) : jw_null(w))
#define VALUE_TEXT_OR_EMPTY_LC(x) jw_string(w, x)
#define VALUE_TEXT_OR_EMPTY_STR(x) jw_string(w, x)
#define VALUE_FALSE_IF_NULL_BOOL(x) jw_bool(w, x)
#define VALUE_FALSE_IF_NULL_NBOOL(x) jw_bool(w, (x).set && (x).v != 0)

#define DETAIL_NATIVE(kind, rest, v) jw_key(w, rest), VALUE_NATIVE_##kind(v)
#define DETAIL_NUMBER_TEXT(kind, rest, v) jw_key(w, rest), VALUE_NUMBER_TEXT_##kind(v)
#define DETAIL_TEXT_OR_EMPTY(kind, rest, v) jw_key(w, rest), VALUE_TEXT_OR_EMPTY_##kind(v)
#define DETAIL_FALSE_IF_NULL(kind, rest, v) jw_key(w, rest), VALUE_FALSE_IF_NULL_##kind(v)
#define DETAIL_OWN(kind, rest, v) (void)0
#define DETAIL_HIDDEN(kind, rest, v) (void)0

static void print_columns(struct jw *w, const struct view_row *row)
{
#define COL(name, kind, rest, form, meaning) DETAIL_##form(kind, rest, row->name);
#include "views/columns.def"
#undef COL
}

static void print_ratio(struct jw *w, const char *key, struct opt_i64 a, struct opt_i64 b)
{
    jw_key(w, key);
    if (a.set && b.set && b.v > 0) number_text(w, (double)a.v / (double)b.v);
    else jw_null(w);
}

/* Keys computed from others, constants of the published shape, and old names. Rule 96. */
static void print_derived(struct jw *w, const struct view_row *row, const char *environment_id)
{
    char id[33];
    hash128_hex(id, row->id);
    jw_key(w, "id"), jw_text(w, id);
    jw_key(w, "environment_id"), jw_text(w, environment_id);
    jw_key(w, "property_id"), jw_int(w, row->property_id);
    print_time(w, "view_start", row->view_start_ms);
    print_time(w, "view_end", row->view_end_ms);
    print_time(w, "inserted_at", row->inserted_ms);
    print_time(w, "updated_at", row->updated_ms);
    print_time(w, "short_time", row->view_start_ms);
    jw_key(w, "player_load_time"), print_opt_i64(w, row->player_startup_time);
    jw_key(w, "view_error_id"), print_opt_i64(w, row->error_type_id);
    bool rebuffering = row->watched && row->rebuffer_count.set;
    struct opt_i64 none = {0, false};
    print_ratio(w, "buffering_rate", rebuffering ? row->rebuffer_count : none, row->watch_time);
    print_ratio(w, "rebuffer_percentage", row->watched ? row->rebuffer_duration : none, row->watch_time);
    print_ratio(w, "ad_error_percentage", row->ad_error_count, row->ad_attempt_count);
    print_ratio(w, "ad_break_error_percentage", row->ad_break_error_count, row->ad_break_count);
    print_ratio(w, "ad_startup_error_percentage", row->ad_startup_error_count, row->ad_attempt_count);
    print_ratio(w, "ad_exit_before_start_percentage", row->ad_exit_before_start_count, row->ad_attempt_count);
    jw_key(w, "platform_summary"), print_opt_text(w, row->browser);
    static const char *const unused[] = {"platform_description", "isp", "metro", "player_source_stream_type"};
    for (size_t i = 0; i < COUNT(unused); i++) jw_key(w, unused[i]), jw_null(w);
    jw_key(w, "video_cdn_trace"), jw_array(w);
    for (size_t i = 0; i < row->video_cdn_trace.n; i++) jw_string(w, row->video_cdn_trace.items[i]);
    jw_array_end(w);
}

static void print_events(struct jw *w, const struct view_row *row)
{
    jw_key(w, "events"), jw_array(w);
    size_t n = row->event_names.n;
    bool whole = row->event_viewer_times.n == n && row->event_times.n == n && row->event_playback_times.n == n &&
                 row->event_details.n == n;
    for (size_t i = 0; whole && i < n; i++) {
        struct span details = row->event_details.items[i];
        jw_object(w);
        jw_key(w, "name"), jw_string(w, row->event_names.items[i]);
        jw_key(w, "viewer_time"), jw_int(w, row->event_viewer_times.items[i]);
        jw_key(w, "event_time"), jw_int(w, row->event_times.items[i]);
        jw_key(w, "playback_time"), jw_int(w, row->event_playback_times.items[i]);
        jw_key(w, "details"), jw_raw(w, details.len ? details : SPAN("{}"));
        jw_object_end(w);
    }
    jw_array_end(w);
}

/* 32 hex digits are a public id; anything else is taken as the SDK's view_id. */
static struct hash128 id_of(const struct api_call *c, struct span text)
{
    struct hash128 id;
    if (hash128_from_hex(text, &id)) return id;
    return hash128_sha256(span_of(c->environment_id), text);
}

void api_views_show(struct api_call *c)
{
    struct filters filters = {0};
    if (!ask_token_filter(c, &filters)) return;
    struct query q = ask_query(c);
    struct view_row row;
    bool found;
    enum err e = query_view(&q, c->environment_id, id_of(c, c->arguments[0]), &filters, &row, &found);
    if (e != ERR_NONE) {
        api_fail_store(c, e, &q.error);
        return;
    }
    if (!found) {
        api_fail(c, 404, "There is no such video view.");
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    print_derived(&c->json, &row, c->environment_id);
    print_columns(&c->json, &row);
    print_events(&c->json, &row);
    jw_object_end(&c->json);
    api_timeframe_now(c);
    api_total(c, 1);
    jw_object_end(&c->json);
}
