/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/faults.h"

#include <stdio.h>
#include <stdlib.h>

enum { STREAM_FAULTS = 9, MOVE_MAX = 3 };

static double *faults_named(struct sim_faults *f, struct span name)
{
    if (span_is(name, "duplicate")) return &f->duplicate;
    if (span_is(name, "reorder")) return &f->reorder;
    if (span_is(name, "lose")) return &f->lose;
    if (span_is(name, "skew")) return &f->skew;
    return NULL;
}

bool sim_faults_parse(struct span text, struct sim_faults *out, char *why, size_t why_cap)
{
    *out = (struct sim_faults){0};
    while (text.len) {
        ptrdiff_t comma = span_find(text, ',');
        struct span part = comma < 0 ? text : span_upto(text, (size_t)comma);
        text = comma < 0 ? span_from(text, text.len) : span_from(text, (size_t)comma + 1);
        ptrdiff_t equals = span_find(part, '=');
        struct span name = equals < 0 ? part : span_upto(part, (size_t)equals);
        double *share = faults_named(out, span_trim(name)), value;
        if (share == NULL) {
            (void)snprintf(why, why_cap, "no fault is called \"%.*s\"", SPAN_ARG(name));
            return false;
        }
        if (equals < 0 || !span_to_double(span_trim(span_from(part, (size_t)equals + 1)), &value) || value < 0 ||
            value > 1) {
            (void)snprintf(why, why_cap, "\"%.*s\" needs a share from 0 to 1", SPAN_ARG(name));
            return false;
        }
        *share = value;
    }
    return true;
}

void sim_plan_init(struct sim_plan *p)
{
    *p = (struct sim_plan){0};
}

void sim_plan_free(struct sim_plan *p)
{
    free(p->order);
    free(p->lost);
    free(p->moved);
    free(p->copies);
    *p = (struct sim_plan){0};
}

static void plan_room(struct sim_plan *p, uint32_t posts)
{
    p->order = sim_grow(p->order, &p->cap, 2 * posts, sizeof *p->order);
    uint32_t cap = p->post_cap;
    p->lost = sim_grow(p->lost, &cap, posts, sizeof *p->lost);
    cap = p->post_cap;
    p->moved = sim_grow(p->moved, &cap, posts, sizeof *p->moved);
    cap = p->post_cap;
    p->copies = sim_grow(p->copies, &cap, posts, sizeof *p->copies);
    p->post_cap = cap;
    memset(p->lost, 0, posts * sizeof *p->lost);
    memset(p->moved, 0, posts * sizeof *p->moved);
    memset(p->copies, 0, posts * sizeof *p->copies);
}

static void plan_insert(struct sim_plan *p, uint32_t at, uint32_t post)
{
    BUG_IF(p->count >= p->cap);
    memmove(p->order + at + 1, p->order + at, (p->count - at) * sizeof *p->order);
    p->order[at] = post;
    p->count++;
}

/* Moves the POST at position `at` up to MOVE_MAX places later, but not past the end of a view. */
static void plan_delay(struct sim_plan *p, const struct sim_session *s, struct rng *r, uint32_t at)
{
    uint32_t post = p->order[at];
    if (s->posts[post].viewend) return;
    int64_t places = rng_range(r, 1, MOVE_MAX);
    uint32_t to = at;
    while (places-- > 0 && to + 1 < p->count && !s->posts[p->order[to + 1]].viewend) {
        p->order[to] = p->order[to + 1];
        to++;
    }
    p->order[to] = post;
    if (to != at) p->moved[post] = true;
}

void sim_plan_make(struct sim_plan *p, const struct sim_session *s, const struct sim_faults *f, uint64_t seed)
{
    struct rng r;
    rng_seed(&r, seed, s->index, STREAM_FAULTS);
    plan_room(p, s->post_count ? s->post_count : 1);
    p->count = 0;
    for (uint32_t i = 0; i < s->post_count; i++) {
        p->lost[i] = rng_chance(&r, f->lose);
        if (!p->lost[i]) p->order[p->count++] = i;
    }
    for (uint32_t at = 0; at + 1 < p->count; at++)
        if (rng_chance(&r, f->reorder)) plan_delay(p, s, &r, at);
    uint32_t once = p->count;
    for (uint32_t i = 0; i < once; i++) {
        /* Walk from the back, so that the copies made so far lie behind. */
        uint32_t at = once - 1 - i;
        if (rng_chance(&r, f->duplicate)) plan_insert(p, (uint32_t)rng_range(&r, at + 1, p->count), p->order[at]);
    }
    for (uint32_t i = 0; i < p->count; i++) p->copies[p->order[i]]++;
}
