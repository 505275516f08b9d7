/* SPDX-License-Identifier: Apache-2.0
 * Ad breaks as a client-side ad plugin reports them: request and response, the break around, quartiles inside, errors,
 * skips, clicks, and the second ad of a pod that often comes without its own adplay. */
#include "sim/script.h"

static void set_text(struct viewer *v, enum sim_field field, const char *text)
{
    monitor_set(&v->m, field, sim_text(text));
}

static int64_t count_up(struct viewer *v, enum sim_field field)
{
    struct sim_value old = v->m.state[field];
    int64_t count = old.type == SIM_INT ? old.v.i + 1 : 1;
    monitor_set(&v->m, field, sim_int(count));
    return count;
}

static bool is_preroll(const char *type)
{
    return span_is(span_of(type), "preroll");
}

static void choose_ad(struct viewer *v)
{
    int64_t ad = rng_range(&v->rng, 1, 12);
    set_text(v, SF_ad_id, monitor_text(&v->m, "ad-%lld", (long long)ad));
    set_text(v, SF_ad_creative_id, monitor_text(&v->m, "creative-%lld", (long long)(ad % 5 + 1)));
    set_text(v, SF_ad_universal_id, ad % 3 ? monitor_text(&v->m, "adid-%lld", (long long)(7000 + ad)) : NULL);
    set_text(v, SF_ad_asset_url, monitor_text(&v->m, "https://assets.ads.example.net/c/%lld.mp4", (long long)ad));
}

void adscript_request(struct viewer *v, const char *type)
{
    struct sim_monitor *m = &v->m;
    set_text(v, SF_ad_type, type);
    set_text(v, SF_ad_tag_url, "https://tags.ads.example.net/vast?slot=main");
    (void)count_up(v, SF_view_ad_request_count);
    if (is_preroll(type)) {
        monitor_set(m, SF_view_preroll_requested, sim_bool(true));
        (void)count_up(v, SF_view_preroll_request_count);
        set_text(v, SF_view_preroll_ad_tag_hostname, "tags.ads.example.net");
        set_text(v, SF_view_preroll_ad_tag_domain, "example.net");
    }
    monitor_emit(m, SE_adrequest);
    int64_t wait_ms = script_about(v, 220 * v->slowness, 0.5, 40, 3000);
    monitor_wait(m, m->started ? MODE_STARTING : MODE_IDLE, wait_ms);
    struct sim_value sum = m->state[SF_view_ad_request_time];
    monitor_set(m, SF_view_ad_request_time, sim_int((sum.type == SIM_INT ? sum.v.i : 0) + wait_ms));
    if (is_preroll(type)) monitor_set(m, SF_view_preroll_request_time, sim_int(wait_ms));
    choose_ad(v);
    if (is_preroll(type)) {
        set_text(v, SF_view_preroll_ad_asset_hostname, "assets.ads.example.net");
        set_text(v, SF_view_preroll_ad_asset_domain, "example.net");
    }
    monitor_emit(m, SE_adresponse);
}

/* adplay to adplaying. false: the viewer left while the ad was loading. */
static bool ad_load(struct viewer *v, bool preroll, bool announced)
{
    struct sim_monitor *m = &v->m;
    int64_t asked_ms = m->now_ms, view_start_ms = m->state[SF_view_start].v.i;
    if (announced) {
        (void)count_up(v, SF_view_ad_played_count);
        if (preroll && m->state[SF_view_preroll_played].type == SIM_UNSET) {
            monitor_set(m, SF_view_preroll_played, sim_bool(true));
            monitor_set(m, SF_view_startup_preroll_request_time, sim_int(m->now_ms - view_start_ms));
        }
        monitor_emit(m, SE_adplay);
    }
    monitor_wait(m, MODE_STARTING, script_about(v, 310 * v->slowness, 0.5, 30, 8000));
    if (rng_chance(&v->rng, 0.025)) return false;
    if (preroll && announced && m->state[SF_view_startup_preroll_load_time].type == SIM_UNSET) {
        monitor_set(m, SF_view_preroll_load_time, sim_int(m->now_ms - asked_ms));
        monitor_set(m, SF_view_startup_preroll_load_time, sim_int(m->now_ms - asked_ms));
    }
    if (m->state[SF_view_time_to_first_frame].type == SIM_UNSET && preroll)
        monitor_set(m, SF_view_time_to_first_frame, sim_int(m->watch_ms));
    monitor_emit(m, SE_adplaying);
    return true;
}

static void ad_interrupt(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    (void)count_up(v, SF_view_ad_clicked_count);
    monitor_emit(m, SE_adpause);
    monitor_wait(m, MODE_PAUSED, rng_range(&v->rng, 800, 9000));
    monitor_emit(m, SE_adplay);
    monitor_wait(m, MODE_STARTING, rng_range(&v->rng, 3, 12));
    monitor_emit(m, SE_adplaying);
}

static void ad_run(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    static const enum sim_kind quarters[] = {SE_adfirstquartile, SE_admidpoint, SE_adthirdquartile};
    int64_t quarter_ms = rng_range(&v->rng, 3, 10) * 500;
    bool skips = rng_chance(&v->rng, 0.15), clicks = rng_chance(&v->rng, 0.04);
    for (size_t i = 0; i < COUNT(quarters); i++) {
        monitor_wait(m, MODE_AD, quarter_ms + rng_range(&v->rng, 0, 20));
        monitor_emit(m, quarters[i]);
        if (clicks && i == 1) ad_interrupt(v);
        if (skips && i == 1) {
            (void)count_up(v, SF_view_ad_skipped_count);
            break;
        }
    }
    if (!skips) monitor_wait(m, MODE_AD, quarter_ms);
    monitor_emit(m, SE_adended);
}

bool adscript_break(struct viewer *v, const char *type)
{
    struct sim_monitor *m = &v->m;
    const bool preroll = is_preroll(type);
    set_text(v, SF_ad_type, type);
    monitor_sample(m);
    monitor_emit(m, SE_adbreakstart);
    monitor_wait(m, MODE_STARTING, rng_range(&v->rng, 2, 15));
    if (!preroll) adscript_request(v, type);
    int ads = rng_chance(&v->rng, 0.35) ? 2 : 1;
    for (int i = 0; i < ads; i++) {
        bool announced = i == 0 || rng_chance(&v->rng, 0.5);
        if (i > 0) {
            choose_ad(v);
            if (!announced) monitor_emit(m, SE_adresponse);
        }
        if (rng_chance(&v->rng, 0.05)) { /* nothing fit to play came back */
            monitor_emit(m, SE_aderror);
            continue;
        }
        if (!ad_load(v, preroll, announced)) return false;
        if (rng_chance(&v->rng, 0.04)) { /* broke while it was on */
            monitor_wait(m, MODE_AD, rng_range(&v->rng, 200, 2500));
            monitor_emit(m, SE_aderror);
            continue;
        }
        ad_run(v);
        monitor_wait(m, MODE_STARTING, rng_range(&v->rng, 3, 15));
    }
    monitor_emit(m, SE_adbreakend);
    monitor_wait(m, MODE_STARTING, rng_range(&v->rng, 3, 10));
    return true;
}
