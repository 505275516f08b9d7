/* SPDX-License-Identifier: Apache-2.0
 * Delivers sessions over HTTP: several connections with keep-alive, each viewer's POSTs in its plan's order and never
 * two at once. A POST is repeated until the server acknowledges it (2xx), with growing pauses; any other final answer
 * ends the run. Runs on the caller's thread. */
#ifndef FF_SIM_SEND_H
#define FF_SIM_SEND_H

#include "sim/faults.h"
#include "sim/model.h"

struct sim_send_options {
    const char *url;
    unsigned connections; /* 1..SIM_CONNECTIONS_MAX */
    double rate;          /* sessions begun a second; 0: as fast as the answers come */
    bool live;            /* POSTs leave at their own time; else as soon as the one before is acknowledged */
    bool backfill;        /* X-Firstframe-Backfill: 1, and the metadata carries the simulated time of sending */
    int stop_fd;          /* readable: stop beginning sessions, finish what is on its way; -1: none */
    int64_t patience_ms;  /* give up after so long without one acknowledgement */
};
enum { SIM_CONNECTIONS_MAX = 1024, SIM_LIVE_SESSIONS_MAX = 200000 };

struct sim_send_stats {
    uint64_t sessions, posts, bytes, retries;
    uint64_t duplicated, reordered, lost; /* POSTs, of the sessions that are done */
    bool stopped;
};

struct sim_feed {
    void *ctx;
    /* Fills the session and its plan. false: there are no more. now_ms is wall time. */
    bool (*next)(void *ctx, struct sim_session *s, struct sim_plan *p, int64_t now_ms);
    /* Every POST of the plan was acknowledged, or the run was stopped: arrived[p] for each POST, acks[p] how often. */
    void (*done)(void *ctx, const struct sim_session *s, const struct sim_plan *p, const bool *arrived,
                 const uint8_t *acks);
    void (*progress)(void *ctx, const struct sim_send_stats *stats); /* a few times a second */
};

/* ERR_UNAVAILABLE: no acknowledgement for patience_ms; ERR_REFUSED: an answer that repeating would not change. why then
 * says it in words. */
enum err sim_send(const struct sim_send_options *o, const struct sim_feed *feed, struct sim_send_stats *stats,
                  char *why, size_t why_cap) MUST_USE;

#endif
