/* SPDX-License-Identifier: Apache-2.0
 * What one viewer does, step by step, on a monitor: private to viewer.c, script.c and adscript.c. */
#ifndef FF_SIM_SCRIPT_H
#define FF_SIM_SCRIPT_H

#include "sim/monitor.h"
#include "sim/viewer.h"
#include "sim/world.h"

struct viewer {
    const struct sim_options *o;
    struct sim_session *s;
    struct sim_monitor m;
    struct rng rng, ids;
    const struct sim_title *title;
    const struct sim_player *player;
    const struct sim_agent *agent;
    const struct sim_place *place;
    const struct sim_cdn *cdn;
    const char *page_url;
    double slowness; /* of this viewer's network, delivery and hour; 1 is usual */
    double network_bps;
    int rendition;
    int64_t segment_ms, segment_left_ms; /* playing time until the next media request */
    int64_t page_start_ms;
    bool autoplay, ads, header_cdn;
    int captions; /* times changed */
};

/* How a view came to its end. */
enum ending {
    END_LEFT,    /* page closed or player destroyed: viewend */
    END_LOST,    /* tab killed: nothing more arrives */
    END_PROGRAM, /* the same player goes on with another programme */
};

int64_t script_about(struct viewer *v, double median, double sigma, int64_t low, int64_t high);
/* The player becomes ready; nobody has pressed play yet. */
void script_ready(struct viewer *v);
/* From play to the end of the view, viewend included unless the ending is END_LOST. */
enum ending script_view(struct viewer *v, bool program_follows);
/* The view after a programme change: it starts by itself and has no startup time. */
void script_program(struct viewer *v);
/* One media request that ends now. */
void script_fragment(struct viewer *v);
void script_play(struct viewer *v, int64_t playing_ms);
void script_rendition(struct viewer *v, int rendition);
void script_first_frame(struct viewer *v);

/* Ads, adscript.c. The request for a preroll goes out before the view starts. false: the viewer left meanwhile. */
void adscript_request(struct viewer *v, const char *type);
bool adscript_break(struct viewer *v, const char *type) MUST_USE;

#endif
