/* SPDX-License-Identifier: Apache-2.0
 * Ads: the state machine of breaks, attempts and impressions, and which ad an event is about (rules 29, 31, 32). */
#include "views/fold.h"

/* On these the ids are always sent again when there are any, so an absent one means none. */
static bool repeats_ids(uint16_t name)
{
    switch (name) {
    case EVENT_adrequest:
    case EVENT_adresponse:
    case EVENT_adplay:
    case EVENT_adplaying:
    case EVENT_adpause:
    case EVENT_adfirstquartile:
    case EVENT_admidpoint:
    case EVENT_adthirdquartile:
    case EVENT_adended: return true;
    default: return false;
    }
}

/* The SDK never forgets an ad: its fields are sent when they change, on whatever event that is, and type and URLs are
 * not sent again for the next break. So they are kept; the ids end with their break. */
static void step_which(struct fold_ads *ads, const struct fold_event *e)
{
    struct fold_ad *now = &ads->now;
    if (repeats_ids(e->name) || ads->break_over)
        now->id = now->creative_id = now->universal_id = (struct span){NULL, 0};
    ads->break_over = e->name == EVENT_adbreakend;
    for (uint32_t i = 0; i < e->value_count; i++) {
        struct span text = e->values[i].v.s;
        switch (e->values[i].field) {
        case FIELD_ad_id: now->id = text; break;
        case FIELD_ad_creative_id: now->creative_id = text; break;
        case FIELD_ad_universal_id: now->universal_id = text; break;
        case FIELD_ad_type: now->type = text; break;
        case FIELD_ad_tag_url: now->tag_url = text; break;
        case FIELD_ad_asset_url: now->asset_url = text; break;
        default: break;
        }
    }
}

static void attempt(struct fold_ads *a)
{
    a->has_ad = true;
    if (a->attempt_open) return;
    a->attempt_open = true;
    a->attempt_shown = false;
    a->attempts++;
}

static void attempt_shown(struct fold_ads *a)
{
    attempt(a);
    if (!a->attempt_shown) a->impressions++;
    a->attempt_shown = true;
}

static void attempt_failed(struct fold_ads *a)
{
    attempt(a);
    a->errors++;
    if (!a->attempt_shown) a->startup_errors++;
    if (a->break_open && !a->break_failed) a->break_errors++;
    a->break_failed = true;
    a->attempt_open = false;
}

static void ads_step(struct fold *f, const struct fold_event *e)
{
    struct fold_ads *a = &f->ads;
    a->before = a->now;
    step_which(a, e);
    switch (e->name) {
    case EVENT_adbreakstart:
        a->attempt_open = false;
        a->break_open = a->has_ad = true;
        a->break_failed = false;
        a->breaks++;
        break;
    case EVENT_adplay: attempt(a); break;
    case EVENT_adplaying:
    case EVENT_adimpression: attempt_shown(a); break;
    case EVENT_aderror: attempt_failed(a); break;
    case EVENT_adended:
    case EVENT_adskipped: a->attempt_open = false; break;
    case EVENT_adbreakend:
    case EVENT_playing: a->attempt_open = a->break_open = false; break;
    default: break;
    }
}

static void ads_finish(struct fold *f)
{
    const struct fold_ads *a = &f->ads;
    struct view_row *row = f->row;
    row->view_has_ad = a->has_ad || fold_true(f, FIELD_view_has_ad);
    if (row->view_has_ad) {
        row->ad_attempt_count = opt_int32(a->attempts);
        row->ad_break_count = opt_int32(a->breaks);
        row->ad_impression_count = opt_int32(a->impressions);
        row->ad_error_count = opt_int32(a->errors);
        row->ad_break_error_count = opt_int32(a->break_errors);
        row->ad_startup_error_count = opt_int32(a->startup_errors);
        row->ad_exit_before_start_count = opt_int32(a->attempt_open && !a->attempt_shown);
    }
    row->preroll_requested = fold_true(f, FIELD_view_preroll_requested);
    row->preroll_played = fold_true(f, FIELD_view_preroll_played);
    if (!row->preroll_played) return;
    row->video_startup_preroll_request_time = fold_int32(f, FIELD_view_startup_preroll_request_time);
    row->video_startup_preroll_load_time = fold_int32(f, FIELD_view_startup_preroll_load_time);
    row->requests_for_first_preroll = fold_int32(f, FIELD_view_preroll_request_count);
    row->ad_preroll_startup_time = row->video_startup_preroll_load_time;
}

const struct fold_pass fold_pass_ads = {NULL, ads_step, ads_finish};
