/* SPDX-License-Identifier: Apache-2.0
 * What was shown: first and last values of the source, rendition changes, the average bitrate, and the playing time by
 * rendition, playback mode and ad type. Rules 24 to 26 and 116. */
#include "views/fold.h"

static const enum field tracked[FOLD_TRACKED] = {
    FIELD_video_codec,
    FIELD_video_source_codec,
    FIELD_video_audio_codec,
    FIELD_player_audio_track_codec,
    FIELD_video_dynamic_range_type,
    FIELD_video_source_bitrate,
    FIELD_video_source_fps,
    FIELD_video_source_height,
    FIELD_video_source_width,
    FIELD_player_source_height,
    FIELD_player_source_width,
};

static int tracked_index(uint16_t field)
{
    for (int i = 0; i < FOLD_TRACKED; i++) {
        if (field == tracked[i]) return i;
    }
    return -1;
}

static bool is_something(const struct beacon_value *value)
{
    enum field_type type = field_facts((enum field)value->field)->type;
    if (type == FIELD_TEXT) return value->v.s.len > 0;
    if (type == FIELD_NUMBER) return value->v.d > 0;
    return value->v.i > 0;
}

static void step_tracked(struct fold_renditions *r, const struct fold_event *e)
{
    for (uint32_t i = 0; i < e->value_count; i++) {
        int at = tracked_index(e->values[i].field);
        if (at < 0 || !is_something(&e->values[i])) continue;
        if (!r->seen[at]) r->first[at] = e->values[i];
        r->last[at] = e->values[i];
        r->seen[at] = true;
    }
}

static const struct fold_group nothing = {
    .bitrate = -1, .width = -1, .height = -1, .fps = -1, .codec = {"", 0}, .name = {"", 0}};

static bool group_eq(const struct fold_group *a, const struct fold_group *b)
{
    bool numbers = a->bitrate == b->bitrate && a->width == b->width && a->height == b->height && !(a->fps < b->fps) &&
                   !(a->fps > b->fps);
    return numbers && span_eq(a->codec, b->codec) && span_eq(a->name, b->name);
}

/* The last place is kept for "unknown": a view with more kinds than FOLD_GROUPS_MAX adds the others up there. */
static void group_add(struct fold_groups *groups, struct fold_group key, int64_t ms)
{
    if (ms <= 0) return;
    for (int attempt = 0; attempt < 2; attempt++, key = nothing) {
        for (uint32_t i = 0; i < groups->count; i++) {
            if (!group_eq(&groups->items[i], &key)) continue;
            groups->items[i].ms += ms;
            return;
        }
        if (groups->count < FOLD_GROUPS_MAX - 1 || group_eq(&key, &nothing)) break;
    }
    key.ms = ms;
    BUG_IF(groups->count == FOLD_GROUPS_MAX);
    groups->items[groups->count++] = key;
}

static int64_t known_size(const struct fold *f, enum field field)
{
    int64_t v = fold_int_or(f, field, -1);
    return v > 0 ? v : -1;
}

static void step_change(struct fold *f)
{
    struct fold_renditions *r = &f->renditions;
    r->rendition = (struct fold_group){.bitrate = known_size(f, FIELD_video_source_bitrate),
                                       .width = known_size(f, FIELD_video_source_width),
                                       .height = known_size(f, FIELD_video_source_height),
                                       .fps = -1,
                                       .codec = fold_text(f, FIELD_video_source_codec),
                                       .name = fold_text(f, FIELD_video_source_rendition_name)};
    double fps;
    if (fold_number(f, FIELD_video_source_fps, &fps) && fps > 0) r->rendition.fps = fps;
    /* Against what was known before this event, whichever event said it: the first known is no change, and a change
     * that another event has told already is none any more. */
    int64_t bitrate = r->rendition.bitrate;
    if (bitrate <= 0 || r->bitrate_known <= 0 || bitrate == r->bitrate_known) return;
    r->changes++;
    if (bitrate > r->bitrate_known) r->ups++;
    else r->downs++;
}

static void renditions_begin(struct fold *f)
{
    f->renditions.rendition = nothing;
}

static void renditions_step(struct fold *f, const struct fold_event *e)
{
    struct fold_renditions *r = &f->renditions;
    /* The time since the event before belongs to what was playing then: all of r is still of that moment. */
    int64_t content_ms = f->addend_ms - f->ad_addend_ms, playback = r->content_before_ms;
    (void)fold_int(f, FIELD_view_content_playback_time, &playback);
    int64_t playback_ms = playback > r->content_before_ms ? playback - r->content_before_ms : 0;
    r->content_before_ms = playback;
    if (r->bitrate > 0) {
        r->weighted += (double)content_ms * (double)r->bitrate;
        r->weight_ms += (double)content_ms;
        r->weighted_playback += (double)playback_ms * (double)r->bitrate;
        r->weight_playback_ms += (double)playback_ms;
    }
    group_add(&r->renditions, r->rendition, content_ms);
    struct fold_group mode = nothing, ad_type = nothing;
    mode.name = r->mode;
    ad_type.name = f->ads.before.type;
    group_add(&r->modes, mode, f->addend_ms);
    group_add(&r->ad_types, ad_type, f->ad_addend_ms);

    step_tracked(r, e);
    if (e->name == EVENT_renditionchange) step_change(f);
    r->bitrate = fold_int_or(f, FIELD_video_source_bitrate, 0);
    if (r->bitrate > 0) r->bitrate_known = r->bitrate;
    r->mode = fold_text(f, FIELD_player_playback_mode);
}

static struct span tracked_text(struct fold *f, const struct beacon_value *values, int wanted, int otherwise)
{
    const struct fold_renditions *r = &f->renditions;
    int at = r->seen[wanted] ? wanted : otherwise;
    return at >= 0 && r->seen[at] ? fold_copy(f, values[at].v.s) : (struct span){NULL, 0};
}

static struct opt_i64 tracked_int(const struct fold *f, const struct beacon_value *values, int at)
{
    return f->renditions.seen[at] ? opt_int32(values[at].v.i) : (struct opt_i64){0, false};
}

static void finish_source(struct fold *f)
{
    const struct fold_renditions *r = &f->renditions;
    struct view_row *row = f->row;
    row->video_codec = tracked_text(f, r->last, 0, 1);
    row->video_codec_initial = tracked_text(f, r->first, 0, 1);
    row->audio_codec = tracked_text(f, r->last, 2, 3);
    row->audio_codec_initial = tracked_text(f, r->first, 2, 3);
    row->video_dynamic_range_type = tracked_text(f, r->last, 4, -1);
    row->video_dynamic_range_type_initial = tracked_text(f, r->first, 4, -1);
    row->video_source_bitrate = tracked_int(f, r->last, 5);
    row->video_source_bitrate_initial = tracked_int(f, r->first, 5);
    if (r->seen[6]) row->video_source_fps = opt_double(r->last[6].v.d);
    if (r->seen[6]) row->video_source_fps_initial = opt_double(r->first[6].v.d);
    row->video_source_height = tracked_int(f, r->last, 7);
    row->video_source_height_initial = tracked_int(f, r->first, 7);
    row->video_source_width = tracked_int(f, r->last, 8);
    row->video_source_width_initial = tracked_int(f, r->first, 8);
    row->player_source_height = tracked_int(f, r->last, r->seen[7] ? 7 : 9);
    row->player_source_width = tracked_int(f, r->last, r->seen[8] ? 8 : 10);
}

static struct list_text group_names(struct fold *f, const struct fold_groups *groups, bool codec)
{
    struct list_text list = {fold_alloc(f, (groups->count + 1u) * sizeof *list.items), groups->count};
    for (uint32_t i = 0; i < groups->count; i++)
        list.items[i] = fold_copy(f, codec ? groups->items[i].codec : groups->items[i].name);
    return list;
}

static struct list_i64 group_ints(struct fold *f, const struct fold_groups *groups, size_t offset)
{
    struct list_i64 list = {fold_alloc(f, (groups->count + 1u) * sizeof *list.items), groups->count};
    for (uint32_t i = 0; i < groups->count; i++)
        memcpy(&list.items[i], (const char *)&groups->items[i] + offset, sizeof list.items[i]);
    return list;
}

static void finish_groups(struct fold *f)
{
    const struct fold_groups *groups = &f->renditions.renditions;
    struct view_row *row = f->row;
    row->rendition_bitrate = group_ints(f, groups, offsetof(struct fold_group, bitrate));
    row->rendition_width = group_ints(f, groups, offsetof(struct fold_group, width));
    row->rendition_height = group_ints(f, groups, offsetof(struct fold_group, height));
    row->rendition_playing_time = group_ints(f, groups, offsetof(struct fold_group, ms));
    row->rendition_codec = group_names(f, groups, true);
    row->rendition_name = group_names(f, groups, false);
    struct list_f64 fps = {fold_alloc(f, (groups->count + 1u) * sizeof *fps.items), groups->count};
    for (uint32_t i = 0; i < groups->count; i++) fps.items[i] = groups->items[i].fps;
    row->rendition_fps = fps;
    row->mode_name = group_names(f, &f->renditions.modes, false);
    row->mode_playing_time = group_ints(f, &f->renditions.modes, offsetof(struct fold_group, ms));
    row->ad_type_name = group_names(f, &f->renditions.ad_types, false);
    row->ad_type_playing_time = group_ints(f, &f->renditions.ad_types, offsetof(struct fold_group, ms));
}

static void renditions_finish(struct fold *f)
{
    const struct fold_renditions *r = &f->renditions;
    struct view_row *row = f->row;
    finish_source(f);
    finish_groups(f);
    double weight = f->clock.has_played ? r->weight_ms : r->weight_playback_ms;
    double weighted = f->clock.has_played ? r->weighted : r->weighted_playback;
    if (weight > 0) row->weighted_average_bitrate = opt_double(weighted / weight);
    if (!f->watched || !row->video_source_bitrate.set) return;
    row->rendition_change_count = opt_int32(r->changes);
    row->rendition_upshift_count = opt_int32(r->ups);
    row->rendition_downshift_count = opt_int32(r->downs);
}

const struct fold_pass fold_pass_renditions = {renditions_begin, renditions_step, renditions_finish};
