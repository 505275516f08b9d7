/* SPDX-License-Identifier: Apache-2.0
 * What is known about video, player, page and viewer: mostly the last value of a field under its stored name, and the
 * few columns that come from several fields. Rules 17, 19, 33 to 38, 113. */
#include "views/fold.h"

static const struct copy {
    uint16_t column, field;
} copies[] = {
    {ROW_session_id, FIELD_session_id},
    {ROW_view_session_id, FIELD_view_session_id},
    {ROW_player_instance_id, FIELD_player_instance_id},
    {ROW_mux_viewer_id, FIELD_mux_viewer_id},
    {ROW_viewer_user_id, FIELD_viewer_user_id},
    {ROW_sub_property_id, FIELD_sub_property_id},
    {ROW_mux_api_version, FIELD_mux_api_version},
    {ROW_mux_embed, FIELD_mux_embed},
    {ROW_mux_embed_version, FIELD_mux_embed_version},
    {ROW_mux_sample_rate, FIELD_mux_sample_rate},
    {ROW_view_max_playhead_position, FIELD_view_max_playhead_position},
    {ROW_view_total_content_playback_time, FIELD_view_total_content_playback_time},
    {ROW_view_total_upscaling, FIELD_view_total_upscaling},
    {ROW_view_total_downscaling, FIELD_view_total_downscaling},
    {ROW_max_upscale_percentage, FIELD_view_max_upscale_percentage},
    {ROW_max_downscale_percentage, FIELD_view_max_downscale_percentage},
    {ROW_view_dropped_frame_count, FIELD_view_dropped_frame_count},
    {ROW_player_view_count, FIELD_player_view_count},
    {ROW_video_id, FIELD_video_id},
    {ROW_video_title, FIELD_video_title},
    {ROW_video_series, FIELD_video_series},
    {ROW_video_duration, FIELD_video_duration},
    {ROW_video_content_type, FIELD_video_content_type},
    {ROW_video_language, FIELD_video_language_code},
    {ROW_video_producer, FIELD_video_producer},
    {ROW_video_encoding_variant, FIELD_video_encoding_variant},
    {ROW_video_variant_id, FIELD_video_variant_id},
    {ROW_video_variant_name, FIELD_video_variant_name},
    {ROW_video_creator_id, FIELD_video_creator_id},
    {ROW_video_affiliate, FIELD_video_affiliate},
    {ROW_video_brand, FIELD_video_brand},
    {ROW_cdn, FIELD_video_cdn},
    {ROW_view_cdn_edge_pop, FIELD_view_cdn_edge_pop},
    {ROW_view_cdn_origin, FIELD_view_cdn_origin},
    {ROW_asset_id, FIELD_asset_id},
    {ROW_live_stream_id, FIELD_live_stream_id},
    {ROW_playback_id, FIELD_playback_id},
    {ROW_view_drm_type, FIELD_view_drm_type},
    {ROW_view_drm_level, FIELD_view_drm_level},
    {ROW_experiment_name, FIELD_experiment_name},
    {ROW_player_name, FIELD_player_name},
    {ROW_player_version, FIELD_player_version},
    {ROW_player_software, FIELD_player_software},
    {ROW_player_software, FIELD_player_software_name}, /* wins when it is there */
    {ROW_player_software_version, FIELD_player_software_version},
    {ROW_player_mux_plugin_name, FIELD_player_mux_plugin_name},
    {ROW_player_mux_plugin_version, FIELD_player_mux_plugin_version},
    {ROW_player_autoplay, FIELD_player_autoplay_on},
    {ROW_player_remote_played, FIELD_player_remote_played},
    {ROW_player_language, FIELD_player_language_code},
    {ROW_player_poster, FIELD_video_poster_url},
    {ROW_player_height, FIELD_player_height},
    {ROW_player_width, FIELD_player_width},
    {ROW_player_source_domain, FIELD_video_source_domain},
    {ROW_source_hostname, FIELD_video_source_hostname},
    {ROW_player_source_url, FIELD_player_source_url},
    {ROW_player_source_url, FIELD_video_source_url},
    {ROW_source_type, FIELD_video_source_mime_type},
    {ROW_player_source_duration, FIELD_video_source_duration},
    {ROW_time_shift_enabled, FIELD_view_time_shift_enabled},
    {ROW_player_playback_mode, FIELD_player_playback_mode},
    {ROW_player_playback_mode_data, FIELD_player_playback_mode_data},
    {ROW_page_url, FIELD_page_url},
    {ROW_page_type, FIELD_page_type},
    {ROW_client_application_name, FIELD_view_client_application_name},
    {ROW_client_application_version, FIELD_view_client_application_version},
    {ROW_viewer_connection_type, FIELD_viewer_connection_type},
    {ROW_viewer_plan, FIELD_viewer_plan},
    {ROW_viewer_plan_status, FIELD_viewer_plan_status},
    {ROW_viewer_plan_category, FIELD_viewer_plan_category},
    {ROW_preroll_ad_tag_hostname, FIELD_view_preroll_ad_tag_hostname},
    {ROW_preroll_ad_asset_hostname, FIELD_view_preroll_ad_asset_hostname},
    /* Browser, system, device: sent values win over the user agent's, the integrator's over the SDK's. */
    {ROW_browser, FIELD_viewer_application_name},
    {ROW_browser, FIELD_mux_viewer_application_name},
    {ROW_browser_version, FIELD_viewer_application_version},
    {ROW_browser_version, FIELD_mux_viewer_application_version},
    {ROW_viewer_application_engine, FIELD_viewer_application_engine},
    {ROW_viewer_application_engine, FIELD_mux_viewer_application_engine},
    {ROW_operating_system, FIELD_viewer_os_family},
    {ROW_operating_system, FIELD_mux_viewer_os_family},
    {ROW_operating_system_version, FIELD_viewer_os_version},
    {ROW_operating_system_version, FIELD_mux_viewer_os_version},
    {ROW_viewer_os_architecture, FIELD_viewer_os_architecture},
    {ROW_viewer_os_architecture, FIELD_mux_viewer_os_architecture},
    {ROW_viewer_device_category, FIELD_viewer_device_category},
    {ROW_viewer_device_category, FIELD_mux_viewer_device_category},
    {ROW_viewer_device_manufacturer, FIELD_viewer_device_manufacturer},
    {ROW_viewer_device_manufacturer, FIELD_mux_viewer_device_manufacturer},
    {ROW_viewer_device_model, FIELD_viewer_device_model},
    {ROW_viewer_device_model, FIELD_mux_viewer_device_model},
    {ROW_viewer_device_name, FIELD_viewer_device_name},
    {ROW_viewer_device_name, FIELD_mux_viewer_device_name},
    {ROW_custom_1, FIELD_custom_1},
    {ROW_custom_2, FIELD_custom_2},
    {ROW_custom_3, FIELD_custom_3},
    {ROW_custom_4, FIELD_custom_4},
    {ROW_custom_5, FIELD_custom_5},
    {ROW_custom_6, FIELD_custom_6},
    {ROW_custom_7, FIELD_custom_7},
    {ROW_custom_8, FIELD_custom_8},
    {ROW_custom_9, FIELD_custom_9},
    {ROW_custom_10, FIELD_custom_10},
    {ROW_custom_11, FIELD_custom_11},
    {ROW_custom_12, FIELD_custom_12},
    {ROW_custom_13, FIELD_custom_13},
    {ROW_custom_14, FIELD_custom_14},
    {ROW_custom_15, FIELD_custom_15},
    {ROW_custom_16, FIELD_custom_16},
    {ROW_custom_17, FIELD_custom_17},
    {ROW_custom_18, FIELD_custom_18},
    {ROW_custom_19, FIELD_custom_19},
    {ROW_custom_20, FIELD_custom_20},
};

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

static void copy_value(struct fold *f, const struct copy *copy)
{
    if (!f->known[copy->field]) return;
    const struct beacon_value *value = &f->state[copy->field];
    void *column = (char *)f->row + row_column_facts((enum row_column)copy->column)->offset;
    switch (row_column_facts((enum row_column)copy->column)->kind) {
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
    row->view_id = fold_copy(f, view_key_id(f->v));
    finish_viewer(f);
    for (size_t i = 0; i < COUNT(copies); i++) copy_value(f, &copies[i]);
    finish_source(f);
    finish_ranges(f);
    row->player_preload = preload_on(fold_text(f, FIELD_player_preload_on));
    row->used_fullscreen = f->facts.fullscreen;
    row->used_pip = f->facts.pip;
    row->used_captions = f->facts.captions;
    for (uint32_t i = 0; i < f->facts.trace_count; i++) f->facts.trace[i] = fold_copy(f, f->facts.trace[i]);
    row->video_cdn_trace = (struct list_text){f->facts.trace, f->facts.trace_count};
}

const struct fold_pass fold_pass_facts = {facts_begin, facts_step, facts_finish};
