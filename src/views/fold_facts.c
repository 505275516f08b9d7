/* SPDX-License-Identifier: Apache-2.0
 * What is known about video, player, page and viewer: mostly the value of a field in the column that fields.def
 * names, and the few columns that come from several fields. Rules 17, 19, 33 to 38, 113. */
#include "views/fold.h"

static void facts_begin(struct fold *f)
{
    f->facts.trace = fold_alloc(f, (f->event_count + 1u) * sizeof *f->facts.trace);
}

static void facts_step(struct fold *f, const struct fold_event *e)
{
    struct fold_facts *facts = &f->facts;
    struct span mode = fold_text(f, FIELD_player_playback_mode);
    if (fold_true(f, FIELD_player_is_fullscreen) || span_is(mode, "fullscreen")) facts->fullscreen = true;
    if (fold_true(f, FIELD_player_pip_enabled) || span_is(mode, "pip")) facts->pip = true;
    if (fold_true(f, FIELD_player_captions_enabled) || fold_true(f, FIELD_player_text_track_enabled))
        facts->captions = true;
    struct span cdn = fold_own_text(e, FIELD_video_cdn);
    if (cdn.len == 0) return;
    if (facts->trace_count && span_eq_nocase(facts->trace[facts->trace_count - 1], cdn)) return;
    facts->trace[facts->trace_count++] = cdn;
}

static void copy_value(struct fold *f, enum row_column to, const struct beacon_value *value)
{
    void *column = (char *)f->row + row_column_facts(to)->offset;
    switch (row_column_facts(to)->kind) {
    case ROW_KIND_LC:
    case ROW_KIND_STR: *(struct span *)column = fold_copy(f, value->v.s); break;
    case ROW_KIND_I32: *(struct opt_i64 *)column = opt_int32(value->v.i); break;
    case ROW_KIND_I64: *(struct opt_i64 *)column = opt_int64(value->v.i); break;
    case ROW_KIND_F64: *(struct opt_f64 *)column = opt_double(value->v.d); break;
    case ROW_KIND_BOOL: *(bool *)column = value->v.i != 0; break;
    case ROW_KIND_NBOOL: *(struct opt_i64 *)column = (struct opt_i64){value->v.i != 0, true}; break;
    case ROW_KIND_ASTR:
    case ROW_KIND_AI64:
    case ROW_KIND_AF64: BUG_IF(true);
    }
}

/* In the order of fields.def: the later of two fields wins its column, as the integrator's does over the SDK's. */
static void finish_copies(struct fold *f)
{
    for (unsigned field = FIELD_none + 1; field < FIELD_COUNT; field++) {
        enum row_column to = (enum row_column)field_facts((enum field)field)->column;
        if (to != ROW_none && f->known[field]) copy_value(f, to, &f->state[field]);
    }
}

/* What the server found out at receipt, before the sent values are laid over it. */
static void finish_viewer(struct fold *f)
{
    const struct view_viewer *viewer = &f->v->viewer;
    struct view_row *row = f->row;
    const struct {
        struct span *column;
        uint32_t text;
    } texts[] = {
        {&row->browser, viewer->browser},
        {&row->browser_version, viewer->browser_version},
        {&row->viewer_application_engine, viewer->engine},
        {&row->operating_system, viewer->os},
        {&row->operating_system_version, viewer->os_version},
        {&row->viewer_device_category, viewer->device_category},
        {&row->viewer_device_manufacturer, viewer->device_manufacturer},
        {&row->viewer_device_model, viewer->device_model},
        {&row->viewer_device_name, viewer->device_name},
        {&row->viewer_user_agent, viewer->user_agent},
        {&row->viewer_address, viewer->address},
        {&row->asn_name, viewer->asn_name},
        {&row->continent_code, viewer->continent},
        {&row->country, viewer->country},
        {&row->country_name, viewer->country_name},
        {&row->region, viewer->region},
        {&row->city, viewer->city},
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        *texts[i].column = fold_copy(f, view_strings_text(f->v->strings, texts[i].text));
    if (viewer->asn) row->asn = opt_int64(viewer->asn);
    if (!viewer->has_location) return;
    row->latitude = opt_double(viewer->latitude_tenths / 10.0);
    row->longitude = opt_double(viewer->longitude_tenths / 10.0);
}

/* "host:port" of a URL with an authority, as the SDK sends it in video_source_hostname. */
static struct span url_host(struct span url, struct span *rest)
{
    ptrdiff_t at = span_find_span(url, SPAN("://"));
    if (at < 0 || span_find(span_upto(url, (size_t)at), ':') >= 0) return (struct span){NULL, 0}; /* blob:https://x */
    struct span host = span_from(url, (size_t)at + 3);
    size_t end = 0;
    while (end < host.len && host.ptr[end] != '/' && host.ptr[end] != '?' && host.ptr[end] != '#') end++;
    *rest = span_from(host, end);
    host = span_upto(host, end);
    ptrdiff_t user = span_find(host, '@');
    return user < 0 ? host : span_from(host, (size_t)user + 1);
}

/* A URL of the page's own making, which leads nowhere: the SDKs replace it themselves, but not all of them. */
static bool url_is_made(struct span url)
{
    return url.len >= 5 &&
           (span_eq_nocase(span_upto(url, 5), SPAN("blob:")) || span_eq_nocase(span_upto(url, 5), SPAN("data:")));
}

static void finish_source(struct fold *f)
{
    struct view_row *row = f->row;
    struct span rest = {NULL, 0}, host = url_host(row->player_source_url, &rest);
    if (url_is_made(row->player_source_url)) row->player_source_url = SPAN("MSE style URL");
    if (row->source_hostname.len == 0) row->source_hostname = host;
    bool mux = span_eq_nocase(host, SPAN("stream.mux.com"));
    if (mux && row->playback_id.len == 0 && rest.len > 1 && rest.ptr[0] == '/') {
        size_t end = 1;
        while (end < rest.len && strchr("/.?#", rest.ptr[end]) == NULL) end++;
        row->playback_id = span_from(span_upto(rest, end), 1);
    }
    row->stream_type = fold_copy(f, fold_text(f, FIELD_video_stream_type));
    if (row->stream_type.len) return;
    if (f->known[FIELD_video_source_is_live])
        row->stream_type = fold_true(f, FIELD_video_source_is_live) ? SPAN("live") : SPAN("on-demand");
    else if (f->known[FIELD_video_source_duration]) row->stream_type = SPAN("on-demand");
}

static bool preload_on(struct span text)
{
    return text.len && !span_is(text, "none") && !span_is(text, "false") && !span_is(text, "0");
}

/* One "start:end" at *at; false when there is no number here. */
static bool range_number(struct span text, size_t *at, double *out)
{
    size_t i = *at;
    double v = 0, scale = 1;
    for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) v = v * 10 + (text.ptr[i] - '0');
    if (i == *at) return false;
    if (i < text.len && text.ptr[i] == '.') {
        for (i++; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
            v += (text.ptr[i] - '0') * (scale /= 10);
    }
    *at = i;
    *out = v;
    return true;
}

/* ["0:4000","5000:7000"], as JSON text or as an array: what stands between the numbers does not matter, but for a
 * minus sign, which makes a number that is none. */
static void finish_ranges(struct fold *f)
{
    struct span text = fold_text(f, FIELD_video_playback_range);
    size_t most = text.len / 3 + 1 < FOLD_RANGES_MAX ? text.len / 3 + 1 : FOLD_RANGES_MAX, n = 0;
    int64_t *starts = fold_alloc(f, most * sizeof *starts), *ends = fold_alloc(f, most * sizeof *ends);
    for (size_t i = 0; i < text.len && n < most;) {
        double start, end;
        bool negative = i > 0 && text.ptr[i - 1] == '-';
        if (!range_number(text, &i, &start)) {
            i++;
            continue;
        }
        if (i >= text.len || text.ptr[i] != ':') continue;
        i++;
        if (!range_number(text, &i, &end) || negative) continue;
        struct opt_i64 from = opt_rounded(start, INT64_MAX), to = opt_rounded(end, INT64_MAX);
        if (!from.set || !to.set || to.v <= from.v) continue;
        starts[n] = from.v;
        ends[n++] = to.v;
    }
    f->row->range_start = (struct list_i64){starts, n};
    f->row->range_end = (struct list_i64){ends, n};
}

static void facts_finish(struct fold *f)
{
    struct view_row *row = f->row;
    struct span rest;
    row->view_id = fold_copy(f, view_key_id(f->v));
    finish_viewer(f);
    finish_copies(f);
    finish_source(f);
    row->page_hostname = url_host(row->page_url, &rest);
    finish_ranges(f);
    row->player_preload = preload_on(fold_text(f, FIELD_player_preload_on));
    row->used_fullscreen = f->facts.fullscreen;
    row->used_pip = f->facts.pip;
    row->used_captions = f->facts.captions;
    for (uint32_t i = 0; i < f->facts.trace_count; i++) f->facts.trace[i] = fold_copy(f, f->facts.trace[i]);
    row->video_cdn_trace = (struct list_text){f->facts.trace, f->facts.trace_count};
}

const struct fold_pass fold_pass_facts = {facts_begin, facts_step, facts_finish};
