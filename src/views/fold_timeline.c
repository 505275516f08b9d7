/* SPDX-License-Identifier: Apache-2.0
 * The timeline: every event with its times, its playhead and its details (rule 41).
 *
 * Details are a JSON object under the long wire names. Which fields an event shows is the table below. A field that
 * belongs to its event alone, or is sent once a player, is the event's own; one that a delta record leaves out when it
 * has not changed is that of the state after the event; ad fields are those of the ad that the event is about. Events
 * that are not in the table have {}. Wire values of type JSON are shown as text.
 *
 *   error                   player_error_code _message _context _severity _business_exception _data
 *   renditionchange         video_source_width _height _fps _bitrate _codec _rendition_name
 *   requestcompleted, requestfailed, requestcanceled
 *                           request_type _event_type _url _hostname _id _start _response_start _response_end
 *                           _bytes_loaded _current_level _labeled_bitrate _media_duration _media_start_time
 *                           _video_width _video_height; failed: _error _error_code _error_text; canceled: _cancel
 *   ad events               ad_id _creative_id _universal_id _type _tag_url _asset_url
 *   cdnchange               video_cdn video_previous_cdn
 *   playbackmodechange      player_playback_mode _data
 *   networkchange           viewer_connection_type viewer_connection_low_data_mode
 *   audiotrackchange, texttrackchange
 *                           player_audio_track_* / player_text_track_*
 *   playerready             player_startup_time page_load_time
 *   orientationchange       viewer_device_orientation view_device_origin */
#include <stdlib.h>

#include "base/json.h"
#include "views/fold.h"

enum { DETAILS_BYTES_MAX = 512 * 1024, ALL_DETAILS_BYTES_MAX = 4 << 20 }; /* of one event, of a view: beyond, {} */

static const uint16_t of_error[] = {FIELD_player_error_code,
                                    FIELD_player_error_message,
                                    FIELD_player_error_context,
                                    FIELD_player_error_severity,
                                    FIELD_player_error_business_exception,
                                    FIELD_player_error_data,
                                    0};
static const uint16_t of_rendition[] = {FIELD_video_source_width,
                                        FIELD_video_source_height,
                                        FIELD_video_source_fps,
                                        FIELD_video_source_bitrate,
                                        FIELD_video_source_codec,
                                        FIELD_video_source_rendition_name,
                                        0};
static const uint16_t of_request[] = {FIELD_request_type,
                                      FIELD_request_event_type,
                                      FIELD_request_url,
                                      FIELD_request_hostname,
                                      FIELD_request_id,
                                      FIELD_request_start,
                                      FIELD_request_response_start,
                                      FIELD_request_response_end,
                                      FIELD_request_bytes_loaded,
                                      FIELD_request_current_level,
                                      0};
/* Not of manifests, whose events still show what the fragment before them had. */
static const uint16_t of_media[] = {FIELD_request_labeled_bitrate,  FIELD_request_media_duration,
                                    FIELD_request_media_start_time, FIELD_request_video_width,
                                    FIELD_request_video_height,     0};
static const uint16_t of_failure[] = {FIELD_request_error, FIELD_request_error_code, FIELD_request_error_text, 0};
static const uint16_t of_cancel[] = {FIELD_request_cancel, 0};
static const uint16_t of_cdn[] = {FIELD_video_cdn, FIELD_video_previous_cdn, 0};
static const uint16_t of_mode[] = {FIELD_player_playback_mode, FIELD_player_playback_mode_data, 0};
static const uint16_t of_network[] = {FIELD_viewer_connection_type, FIELD_viewer_connection_low_data_mode, 0};
static const uint16_t of_ready[] = {FIELD_player_startup_time, FIELD_page_load_time, 0};
static const uint16_t of_orientation[] = {FIELD_viewer_device_orientation, FIELD_view_device_origin, 0};
static const uint16_t of_audio[] = {
    FIELD_player_audio_track_enabled,  FIELD_player_audio_track_name,    FIELD_player_audio_track_language,
    FIELD_player_audio_track_type,     FIELD_player_audio_track_codec,   FIELD_player_audio_track_format,
    FIELD_player_audio_track_channels, FIELD_player_audio_track_bitrate, 0};
static const uint16_t of_text[] = {
    FIELD_player_text_track_enabled,  FIELD_player_text_track_name,    FIELD_player_text_track_language,
    FIELD_player_text_track_type,     FIELD_player_text_track_codec,   FIELD_player_text_track_format,
    FIELD_player_text_track_channels, FIELD_player_text_track_bitrate, 0};

static const uint16_t *const details_of[EVENT_COUNT] = {
    [EVENT_error] = of_error,
    [EVENT_renditionchange] = of_rendition,
    [EVENT_requestcompleted] = of_request,
    [EVENT_requestfailed] = of_request,
    [EVENT_requestcanceled] = of_request,
    [EVENT_cdnchange] = of_cdn,
    [EVENT_playbackmodechange] = of_mode,
    [EVENT_networkchange] = of_network,
    [EVENT_playerready] = of_ready,
    [EVENT_orientationchange] = of_orientation,
    [EVENT_audiotrackchange] = of_audio,
    [EVENT_texttrackchange] = of_text,
};

static void write_text(struct jw *w, const char *key, struct span text)
{
    if (text.len == 0) return;
    jw_key(w, key);
    jw_string(w, text);
}

static void write_value(struct jw *w, const struct beacon_value *value)
{
    const struct field_facts *facts = field_facts((enum field)value->field);
    switch (facts->type) {
    case FIELD_TEXT:
    case FIELD_URL:
    case FIELD_CONTEXT:
    case FIELD_JSON:
    case FIELD_RANGES: write_text(w, facts->name, value->v.s); return;
    case FIELD_NUMBER:
        jw_key(w, facts->name);
        jw_double(w, value->v.d);
        return;
    case FIELD_BOOL:
        jw_key(w, facts->name);
        jw_bool(w, value->v.i != 0);
        return;
    case FIELD_MS:
    case FIELD_COUNTER:
    case FIELD_SIZE:
    case FIELD_BITRATE:
    case FIELD_TIME:
        jw_key(w, facts->name);
        jw_int(w, value->v.i);
        return;
    }
}

static void write_fields(const struct fold *f, const struct fold_event *e, struct jw *w, const uint16_t *fields)
{
    for (; *fields; fields++) {
        enum field field = (enum field) * fields;
        const struct beacon_value *value = NULL;
        if (field_facts(field)->merge != FIELD_LAST) value = fold_own(e, field);
        else if (f->known[field]) value = &f->state[field];
        if (value) write_value(w, value);
    }
}

static void write_ad(const struct fold_ad *ad, struct jw *w)
{
    write_text(w, "ad_id", ad->id);
    write_text(w, "ad_creative_id", ad->creative_id);
    write_text(w, "ad_universal_id", ad->universal_id);
    write_text(w, "ad_type", ad->type);
    write_text(w, "ad_tag_url", ad->tag_url);
    write_text(w, "ad_asset_url", ad->asset_url);
}

/* The SDK never clears request fields: a manifest's event repeats the URL of the fragment before it, which is then left
 * out (rule 41). */
static void write_request(struct fold *f, const struct fold_event *e, struct jw *w)
{
    struct fold_timeline *t = &f->timeline;
    bool manifest = span_is(fold_own_text(e, FIELD_request_type), "manifest");
    struct span url = fold_own_text(e, FIELD_request_url);
    bool leftover = manifest && url.len && span_eq(url, t->request_url);
    for (const uint16_t *field = of_request; *field; field++) {
        if (*field == FIELD_request_url && leftover) continue;
        const struct beacon_value *value = fold_own(e, (enum field) * field);
        if (value) write_value(w, value);
    }
    if (!manifest) write_fields(f, e, w, of_media);
    if (!manifest) t->request_url = url;
    if (e->name == EVENT_requestfailed) write_fields(f, e, w, of_failure);
    if (e->name == EVENT_requestcanceled) write_fields(f, e, w, of_cancel);
}

static struct span details(struct fold *f, const struct fold_event *e)
{
    bool ad = fold_is_ad_event(e->name);
    const uint16_t *fields = details_of[e->name];
    if (fields == NULL && !ad) return SPAN("{}");
    struct buf *out = &f->timeline.scratch;
    struct jw w;
    buf_clear(out);
    jw_init(&w, out);
    jw_object(&w);
    if (ad) write_ad(&f->ads.now, &w);
    else if (fields == of_request) write_request(f, e, &w);
    else write_fields(f, e, &w, fields);
    jw_object_end(&w);
    size_t *all = &f->timeline.details_bytes;
    if (out->failed || out->len == 2 || out->len > ALL_DETAILS_BYTES_MAX - *all) return SPAN("{}");
    *all += out->len;
    return fold_copy(f, buf_span(out));
}

static void timeline_begin(struct fold *f)
{
    struct fold_timeline *t = &f->timeline;
    buf_init(&t->scratch, DETAILS_BYTES_MAX);
    t->details = fold_alloc(f, (f->event_count + 1u) * sizeof *t->details);
    t->playheads = fold_alloc(f, (f->event_count + 1u) * sizeof *t->playheads);
    t->times = fold_alloc(f, (f->event_count + 1u) * sizeof *t->times);
    t->last_time_ms = INT64_MIN;
}

static void timeline_step(struct fold *f, const struct fold_event *e)
{
    struct fold_timeline *t = &f->timeline;
    if (e->viewer_time_ms != INT64_MIN) t->last_time_ms = e->viewer_time_ms;
    t->times[f->event_at] = t->last_time_ms == INT64_MIN ? e->receipt_ms : t->last_time_ms;
    t->playheads[f->event_at] = fold_int_or(f, FIELD_player_playhead_time, 0);
    t->details[f->event_at] = details(f, e);
}

struct place {
    int64_t time_ms;
    uint32_t at; /* in order of sequence */
};

static int place_order(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->time_ms != y->time_ms) return x->time_ms < y->time_ms ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static struct list_i64 new_ints(struct fold *f)
{
    return (struct list_i64){fold_alloc(f, (f->event_count + 1u) * sizeof(int64_t)), f->event_count};
}

static void timeline_finish(struct fold *f)
{
    struct fold_timeline *t = &f->timeline;
    struct view_row *row = f->row;
    struct place *places = fold_alloc(f, (f->event_count + 1u) * sizeof *places);
    for (uint32_t i = 0; i < f->event_count; i++) places[i] = (struct place){t->times[i], i};
    qsort(places, f->event_count, sizeof *places, place_order);
    row->event_names = (struct list_text){fold_alloc(f, (f->event_count + 1u) * sizeof(struct span)), f->event_count};
    row->event_details = (struct list_text){fold_alloc(f, (f->event_count + 1u) * sizeof(struct span)), f->event_count};
    row->event_sequences = new_ints(f);
    row->event_viewer_times = new_ints(f);
    row->event_times = new_ints(f);
    row->event_playback_times = new_ints(f);
    for (uint32_t i = 0; i < f->event_count; i++) {
        const struct fold_event *e = &f->events[places[i].at];
        row->event_names.items[i] = e->name == EVENT_OTHER ? fold_copy(f, e->name_text) : e->name_text;
        row->event_details.items[i] = t->details[places[i].at];
        row->event_sequences.items[i] = e->sequence;
        row->event_viewer_times.items[i] = places[i].time_ms;
        row->event_times.items[i] = e->receipt_ms;
        row->event_playback_times.items[i] = t->playheads[places[i].at];
    }
    buf_free(&t->scratch);
}

const struct fold_pass fold_pass_timeline = {timeline_begin, timeline_step, timeline_finish};
