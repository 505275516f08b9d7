/* SPDX-License-Identifier: Apache-2.0
 * What goes wrong between player and server, on purpose: POSTs that never leave, leave twice or leave in another
 * order. Pure and seeded. A wrong client clock is made with the session (viewer.h). */
#ifndef FF_SIM_FAULTS_H
#define FF_SIM_FAULTS_H

#include "sim/model.h"
#include "sim/rng.h"

/* Shares, 0..1. duplicate, reorder and lose are of POSTs, skew is of viewers. */
struct sim_faults {
    double duplicate, reorder, lose, skew;
};

/* "duplicate=0.1,lose=0.05": any of the four names. false: *why names the faulty part. */
bool sim_faults_parse(struct span text, struct sim_faults *out, char *why, size_t why_cap) MUST_USE;

/* The order in which a session's POSTs are sent: indexes into session->posts, some missing, some twice. */
struct sim_plan {
    uint32_t *order;
    uint32_t count, cap;
    bool *lost, *moved; /* by POST */
    uint8_t *copies;    /* by POST: how often it is sent */
    uint32_t post_cap;
};
void sim_plan_init(struct sim_plan *p);
void sim_plan_free(struct sim_plan *p);
/* Reordering never carries a POST past one that ends a view: what arrives after the end is too late, and the truth
 * would hang on timing. Duplicates may follow at any time. */
void sim_plan_make(struct sim_plan *p, const struct sim_session *s, const struct sim_faults *f, uint64_t seed);

#endif
