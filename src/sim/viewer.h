/* SPDX-License-Identifier: Apache-2.0
 * One invented viewer: from (seed, index) to a session with everything its player would send. Pure and deterministic;
 * only the absolute times depend on begin_ms. No I/O, no clock. */
#ifndef FF_SIM_VIEWER_H
#define FF_SIM_VIEWER_H

#include "sim/encode.h"
#include "sim/model.h"

struct sim_options {
    const struct sim_keys *keys;
    const char *env_key;       /* of the environment the beacons are for */
    const char *beacon_domain; /* what the page was configured with: host[:port] of the URL */
    uint64_t seed;
    uint64_t views;      /* indexes lie below this: the last one starts no pair */
    uint64_t people;     /* at least 1; views are of returning people */
    int64_t base_ms;     /* time base of the run: part of what makes ids, and nothing else */
    int64_t median_ms;   /* half of the views want to watch for less than this */
    double skew;         /* share of viewers whose clock is off by hours */
    bool long_gaps;      /* allow a pause of more than an hour (only where the server decides by receipt) */
    bool skew_past_only; /* a wrong clock is behind, never ahead */
};

/* Fills s (reset by the call) with the session of view `index`, whose page opens at begin_ms. rhythm_ms is the time
 * that decides how busy the networks are (begin_ms itself, unless a session is made again to begin earlier).
 * s->consumed tells how many views it made; the next session is of index + consumed. */
void sim_session_make(struct sim_session *s, const struct sim_options *o, uint64_t index, int64_t begin_ms,
                      int64_t rhythm_ms);

#endif
