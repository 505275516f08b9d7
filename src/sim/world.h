/* SPDX-License-Identifier: Apache-2.0
 * The invented world: titles, players, devices, places and delivery networks that the simulated viewers choose from.
 * Constant tables; weights are relative. */
#ifndef FF_SIM_WORLD_H
#define FF_SIM_WORLD_H

#include "base/base.h"

struct sim_rendition {
    int64_t bitrate;
    int width, height;
    double fps;
    const char *name, *codec;
};
enum { SIM_RENDITIONS = 5 };
extern const struct sim_rendition sim_renditions[SIM_RENDITIONS]; /* ascending */

struct sim_title {
    const char *id, *title, *series, *content_type, *language, *producer;
    int64_t duration_ms; /* 0: live */
    int weight;
};

struct sim_player {
    const char *name, *software, *software_name, *software_version, *plugin, *plugin_version, *core_version, *mime,
        *extension;
    int weight;
    bool requests;   /* reports its requests */
    bool renditions; /* more than one */
    bool old_core;   /* no playing time, playback mode or network events */
    bool view_session;
};

struct sim_agent {
    const char *text;
    const char *browser, *os, *device; /* what it parses to; NULL where parsers may differ */
    int width, height;                 /* of the player on the page, CSS px */
    int weight;
    bool fullscreen; /* apt to */
};

struct sim_place {
    const char *country;
    uint8_t net[2]; /* the first two bytes of an address range that is in use there */
    int weight;
    double slowness; /* factor on startup times */
    double hour;     /* offset from UTC, for the daily rhythm */
};

struct sim_cdn {
    const char *name, *pop, *origin;
    int weight;
    double slowness;
};

struct sim_fault_text { /* an error a player reports */
    int64_t code;       /* 0: code_text */
    const char *code_text, *message, *context;
    bool business;
    int weight;
};

extern const struct sim_title sim_titles[30];
extern const struct sim_player sim_players[6];
extern const struct sim_agent sim_agents[16];
extern const struct sim_place sim_places[15];
extern const struct sim_cdn sim_cdns[4];
extern const struct sim_fault_text sim_errors[6];
extern const struct sim_fault_text sim_refusals[2]; /* business exceptions */

/* How busy the hour is, 0..1: a quiet night, a lunch bump and an evening peak, in the place's own time. */
double sim_rhythm(double local_hour);

#endif
