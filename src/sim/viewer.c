/* SPDX-License-Identifier: Apache-2.0
 * Who watches what, where and with which player; the page around the view. */
#include "sim/viewer.h"

#include "sim/script.h"

#include <stdio.h>

enum { STREAM_LIFE = 1, STREAM_IDS = 2, STREAM_PERSON = 3, STREAM_CUSTOM = 4, HOUR_MS = 3600000 };

#define CHOOSE(v, table) (&(table)[choose(&(v)->rng, sizeof(table) / sizeof((table)[0]), weight_of_##table)])

static double weight_of_sim_titles(size_t i)
{
    return sim_titles[i].weight;
}
static double weight_of_sim_players(size_t i)
{
    return sim_players[i].weight;
}
static double weight_of_sim_agents(size_t i)
{
    return sim_agents[i].weight;
}
static double weight_of_sim_places(size_t i)
{
    return sim_places[i].weight;
}
static double weight_of_sim_cdns(size_t i)
{
    return sim_cdns[i].weight;
}

static size_t choose(struct rng *r, size_t count, double (*weight)(size_t))
{
    double total = 0;
    for (size_t i = 0; i < count; i++) total += weight(i);
    double at = rng_unit(r) * total;
    for (size_t i = 0; i + 1 < count; i++) {
        at -= weight(i);
        if (at < 0) return i;
    }
    return count - 1;
}

/* The shape of UUID v4. */
static void uuid(struct rng *r, char out[37])
{
    uint64_t a = rng_next(r), b = rng_next(r);
    const unsigned high = (unsigned)(a >> 32), low = (unsigned)a, variant = ((unsigned)(b >> 48) & 0x3FFF) | 0x8000;
    (void)snprintf(out, 37, "%08x-%04x-4%03x-%04x-%012llx", high, low >> 16, low & 0xFFF, variant,
                   (unsigned long long)b & 0xFFFFFFFFFFFF);
}

static void set_text(struct viewer *v, enum sim_field field, const char *text)
{
    monitor_set(&v->m, field, sim_text(text));
}

static void set_uuid(struct viewer *v, struct rng *r, enum sim_field field)
{
    char id[37];
    uuid(r, id);
    set_text(v, field, monitor_text(&v->m, "%s", id));
}

static void choose_all(struct viewer *v, int64_t rhythm_ms)
{
    struct sim_session *s = v->s;
    v->title = CHOOSE(v, sim_titles);
    v->player = CHOOSE(v, sim_players);
    v->agent = CHOOSE(v, sim_agents);
    v->place = CHOOSE(v, sim_places);
    v->cdn = CHOOSE(v, sim_cdns);
    double local_hour = (double)(rhythm_ms % (24 * HOUR_MS)) / HOUR_MS + v->place->hour;
    v->slowness = v->place->slowness * v->cdn->slowness * (0.85 + 0.45 * sim_rhythm(local_hour));
    v->slowness *= rng_lognormal(&v->rng, 1, 0.25);
    v->network_bps = rng_lognormal(&v->rng, 22e6, 0.6) / v->slowness;
    if (v->network_bps > 120e6) v->network_bps = 120e6;
    if (v->network_bps < 600e3) v->network_bps = 600e3;
    v->rendition = 0;
    while (v->rendition < SIM_RENDITIONS - 1 && (double)sim_renditions[v->rendition + 1].bitrate * 2 < v->network_bps &&
           sim_renditions[v->rendition + 1].height <= v->agent->height * 3 / 2)
        v->rendition++;
    if (v->player->renditions && v->rendition > 0 && rng_chance(&v->rng, 0.6)) v->rendition--; /* start low */
    v->segment_ms = rng_chance(&v->rng, 0.5) ? 6000 : 10000;
    v->autoplay = rng_chance(&v->rng, 0.3);
    v->ads = !v->player->old_core && rng_chance(&v->rng, 0.08);
    v->header_cdn = v->player->requests && rng_chance(&v->rng, 0.5);
    s->user_agent = v->agent->text;
    s->browser = v->agent->browser, s->os = v->agent->os, s->device = v->agent->device;
    s->country = v->place->country;
    (void)snprintf(s->address, sizeof s->address, "%u.%u.%d.%d", v->place->net[0], v->place->net[1],
                   (int)rng_range(&v->rng, 0, 255), (int)rng_range(&v->rng, 1, 254));
}

/* Everything the page says of the video; again after a programme change. */
static void title_set(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    const struct sim_title *t = v->title;
    set_text(v, SF_video_id, t->id);
    set_text(v, SF_video_title, t->title);
    set_text(v, SF_video_series, t->series);
    set_text(v, SF_video_content_type, t->content_type);
    set_text(v, SF_video_language_code, t->language);
    set_text(v, SF_video_producer, t->producer);
    set_text(v, SF_video_stream_type, t->duration_ms ? rng_chance(&v->rng, 0.8) ? "on-demand" : NULL : "live");
    if (t->duration_ms) monitor_set(m, SF_video_duration, sim_int(t->duration_ms));
    set_text(v, SF_video_poster_url, rng_chance(&v->rng, 0.5) ? "" : "https://img.example.com/poster.jpg");
    set_text(v, SF_video_source_mime_type, v->player->mime);
    if (rng_chance(&v->rng, 0.15)) {
        set_text(v, SF_video_source_hostname, "stream.mux.com");
        set_text(v, SF_video_source_url,
                 monitor_text(m, "https://stream.mux.com/pb0%s0x1.%s", t->id, v->player->extension));
    } else {
        const char *host = monitor_text(m, "%s.media.example.com", v->cdn->name);
        set_text(v, SF_video_source_hostname, host);
        set_text(v, SF_video_source_url,
                 monitor_text(m, "https://%s/%s/master.%s?token=%d", host, t->id, v->player->extension,
                              (int)rng_range(&v->rng, 100, 999)));
    }
    if (!v->header_cdn) set_text(v, SF_video_cdn, v->cdn->name);
    if (!rng_chance(&v->rng, 0.3)) return;
    set_text(v, SF_asset_id, monitor_text(m, "asset-%s", t->id));
    set_text(v, SF_video_brand, "Firstframe TV");
    set_text(v, SF_video_affiliate, rng_chance(&v->rng, 0.5) ? "north" : "south");
    set_text(v, SF_video_creator_id, t->producer);
    set_text(v, SF_video_encoding_variant, "ladder-5");
    set_text(v, SF_video_variant_id, "v2");
    set_text(v, SF_video_variant_name, "dubbed");
    set_text(v, SF_video_dynamic_range_type, rng_chance(&v->rng, 0.7) ? "SDR" : "HDR10");
    set_text(v, SF_view_drm_type, "widevine");
    set_text(v, SF_view_drm_level, "L3");
    set_text(v, SF_view_cdn_edge_pop, v->cdn->pop);
    set_text(v, SF_view_cdn_origin, v->cdn->origin);
    set_text(v, SF_view_client_application_name, "Example Watch");
    set_text(v, SF_view_client_application_version, "2026.2");
}

/* Who the viewer is. People come back, so ids depend on the seed and the person, not on the view. */
static void person_set(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    int64_t person = rng_range(&v->rng, 0, (int64_t)v->o->people - 1);
    struct rng who;
    rng_seed(&who, v->o->seed, (uint64_t)person, STREAM_PERSON);
    double number = rng_unit(&who);
    m->cookies = !rng_chance(&v->rng, 0.04);
    if (m->cookies) {
        set_uuid(v, &who, SF_mux_viewer_id);
        monitor_set(m, SF_mux_sample_number, sim_double(number));
        set_uuid(v, &v->ids, SF_session_id);
        monitor_set(m, SF_session_start, sim_time(v->page_start_ms - rng_range(&v->rng, 0, 900000)));
    }
    if (rng_chance(&who, 0.6)) {
        set_text(v, SF_viewer_user_id, monitor_text(m, "user-%lld", (long long)person));
        set_text(v, SF_viewer_plan, rng_chance(&who, 0.3) ? "premium" : "basic");
        set_text(v, SF_viewer_plan_status, "active");
        set_text(v, SF_viewer_plan_category, "paid");
    }
}

/* A page with a player on it, at m->now_ms. */
static void page_open(struct viewer *v, int64_t now_ms)
{
    struct sim_monitor *m = &v->m;
    const struct sim_player *p = v->player;
    monitor_open(m, v->s, v->o->keys, &v->rng, now_ms);
    v->page_start_ms = now_ms - rng_range(&v->rng, 20, 90);
    m->old_core = p->old_core;
    m->paused = true;
    set_text(v, SF_mux_api_version, "2.1");
    set_text(v, SF_mux_embed, "mux-embed");
    set_text(v, SF_mux_embed_version, p->core_version);
    set_text(v, SF_viewer_device_category, "");
    set_uuid(v, &v->ids, SF_player_instance_id);
    monitor_set(m, SF_mux_sample_rate, rng_chance(&v->rng, 0.05) ? sim_double(0.5) : sim_int(1));
    set_text(v, SF_beacon_domain, v->o->beacon_domain);
    set_text(v, SF_env_key, v->o->env_key);
    monitor_set(m, SF_player_width, sim_int(v->agent->width));
    monitor_set(m, SF_player_height, sim_int(v->agent->height));
    monitor_set(m, SF_player_autoplay_on, sim_bool(v->autoplay));
    static const char *const preloads[] = {"auto", "metadata", "none"};
    set_text(v, SF_player_preload_on, preloads[rng_range(&v->rng, 0, 2)]);
    set_text(v, SF_player_language_code, rng_chance(&v->rng, 0.5) ? "" : "en-us");
    monitor_set(m, SF_player_is_fullscreen, sim_bool(false));
    set_text(v, SF_player_software, p->software);
    set_text(v, SF_player_software_name, p->software_name);
    set_text(v, SF_player_software_version, p->software_version);
    set_text(v, SF_player_mux_plugin_name, p->plugin);
    set_text(v, SF_player_mux_plugin_version, p->plugin_version);
    set_text(v, SF_player_name, p->name);
    monitor_set(m, SF_player_init_time, sim_time(now_ms - rng_range(&v->rng, 0, 15)));
    if (p->old_core) return;
    static const char *const links[] = {"wifi", "cellular", "wired", "unknown"};
    set_text(v, SF_viewer_connection_type, links[rng_range(&v->rng, 0, 3)]);
    monitor_set(m, SF_viewer_connection_low_data_mode, sim_bool(false));
}

static void customer_set(struct viewer *v)
{
    struct sim_monitor *m = &v->m;
    static const char *const releases[] = {"4.1.0", "4.2.0", "4.3.0-beta"};
    int release = (int)rng_range(&v->rng, 0, 9);
    set_text(v, SF_player_version, releases[release < 4 ? 0 : release < 9 ? 1 : 2]);
    if (release == 9) v->slowness *= 1.5; /* the beta starts slower: something to find in a breakdown */
    if (rng_chance(&v->rng, 0.5))
        set_text(v, SF_experiment_name, rng_chance(&v->rng, 0.5) ? "prefetch-on" : "prefetch-off");
    static const char *const sites[] = {"site-a", "site-b", "site-c"};
    if (rng_chance(&v->rng, 0.8)) set_text(v, SF_sub_property_id, sites[rng_range(&v->rng, 0, 2)]);
    set_text(v, SF_page_type, rng_chance(&v->rng, 0.7) ? "watchpage" : "iframe");
    set_text(v, SF_custom_1, monitor_text(m, "shelf %lld", (long long)rng_range(&v->rng, 1, 6)));
    set_text(v, SF_custom_2, rng_chance(&v->rng, 0.5) ? "caf\xC3\xA9" : "\"quoted\"");
    if (rng_chance(&v->rng, 0.3)) set_text(v, SF_custom_3, "early");
    set_text(v, SF_page_url, monitor_text(m, "https://www.example.com/watch/%s?from=shelf", v->title->id));
    if (v->player->view_session) set_uuid(v, &v->ids, SF_view_session_id);
}

/* What one site in five tells besides, by chance of its own so that the other numbers of a seed stay. */
static void custom_set(struct viewer *v)
{
    static const char *const texts[] = {"blue", "a b", "\xC3\xBC\xF0\x9F\x8E\xAC", "\"', \\ \n", "0", "null", ""};
    struct rng rng;
    rng_seed(&rng, v->o->seed, v->s->index + v->m.view, STREAM_CUSTOM);
    if (!rng_chance(&rng, 0.2)) return;
    for (unsigned f = SF_custom_4; f <= SF_custom_20; f++)
        if (rng_chance(&rng, 0.5)) set_text(v, (enum sim_field)f, texts[rng_range(&rng, 0, COUNT(texts) - 1)]);
    if (rng_chance(&rng, 0.5)) monitor_set(&v->m, SF_view_time_shift_enabled, sim_bool(rng_chance(&rng, 0.5)));
    if (rng_chance(&rng, 0.7)) monitor_set(&v->m, SF_player_remote_played, sim_bool(rng_chance(&rng, 0.3)));
}

static void view_open(struct viewer *v, bool wanted)
{
    char id[37];
    uuid(&v->ids, id);
    monitor_view(&v->m, id, wanted);
    title_set(v);
    customer_set(v);
    custom_set(v);
}

/* A page on which play is never pressed: the player talks, and there is no view. */
static int64_t page_unplayed(struct viewer *v, int64_t now_ms)
{
    page_open(v, now_ms);
    person_set(v);
    view_open(v, false);
    script_ready(v);
    monitor_wait(&v->m, MODE_IDLE, rng_range(&v->rng, SIM_TICK_MS + 1000, 40000));
    return v->m.now_ms + 500;
}

static void session_limits(struct sim_session *s, int64_t begin_ms)
{
    s->begin_ms = s->end_ms = begin_ms;
    for (uint32_t i = 0; i < s->post_count; i++)
        if (s->posts[i].at_ms > s->end_ms) s->end_ms = s->posts[i].at_ms;
}

static void session_skew(struct viewer *v)
{
    const struct sim_options *o = v->o;
    bool skewed = rng_chance(&v->rng, o->skew);
    int64_t skew_ms = rng_range(&v->rng, HOUR_MS, 9 * HOUR_MS);
    bool behind = rng_chance(&v->rng, 0.5);
    if (skewed) v->s->skew_ms = behind || o->skew_past_only ? -skew_ms : skew_ms;
}

void sim_session_make(struct sim_session *s, const struct sim_options *o, uint64_t index, int64_t begin_ms,
                      int64_t rhythm_ms)
{
    struct viewer v = {.o = o, .s = s};
    sim_session_reset(s);
    s->index = index;
    rng_seed(&v.rng, o->seed, index, STREAM_LIFE);
    rng_seed(&v.ids, o->seed ^ (uint64_t)o->base_ms * 0x9E3779B97F4A7C15u, index, STREAM_IDS);
    session_skew(&v);
    choose_all(&v, rhythm_ms);
    const bool pair = rng_chance(&v.rng, 0.012) && index + 1 < o->views;
    int64_t now_ms = begin_ms;
    if (rng_chance(&v.rng, 0.01)) now_ms = page_unplayed(&v, now_ms);
    page_open(&v, now_ms);
    person_set(&v);
    view_open(&v, true);
    script_ready(&v);
    monitor_wait(&v.m, MODE_IDLE, v.autoplay ? rng_range(&v.rng, 10, 200) : script_about(&v, 2200, 0.9, 200, 60000));
    s->consumed = 1;
    enum ending ending = script_view(&v, pair);
    if (ending == END_PROGRAM) {
        v.title = CHOOSE(&v, sim_titles);
        v.ads = false;
        v.captions = 0;
        view_open(&v, true);
        script_program(&v);
        s->consumed = 2;
    }
    BUG_IF(s->json.failed);
    session_limits(s, begin_ms);
}
