/* SPDX-License-Identifier: Apache-2.0
 * Request metrics from the view's own requestcompleted events, since the client's counters run on over the views of a
 * player (rule 23). */
#include "views/fold.h"

static void requests_step(struct fold *f, const struct fold_event *e)
{
    if (e->name != EVENT_requestcompleted) return;
    const struct beacon_value *start = fold_own(e, FIELD_request_start), *end = fold_own(e, FIELD_request_response_end),
                              *first = fold_own(e, FIELD_request_response_start),
                              *bytes = fold_own(e, FIELD_request_bytes_loaded);
    if (start == NULL || end == NULL || bytes == NULL || bytes->v.i <= 0) return;
    if (first && first->v.i < start->v.i) first = NULL;
    int64_t took = end->v.i - (first ? first->v.i : start->v.i); /* both are >= 0 */
    if (took <= 0) return;
    struct fold_requests *r = &f->requests;
    r->count++;
    r->bytes += (double)bytes->v.i;
    r->ms += (double)took;
    int64_t latency = first ? first->v.i - start->v.i : 0;
    if (latency <= 0) return;
    r->latency_known = true;
    r->latency_ms += (double)latency;
    if (latency > r->latency_max_ms) r->latency_max_ms = latency;
}

static void requests_finish(struct fold *f)
{
    const struct fold_requests *r = &f->requests;
    if (r->count == 0) return;
    f->row->request_throughput = opt_rounded(8000 * r->bytes / r->ms, INT64_MAX);
    if (!r->latency_known) return;
    f->row->request_latency = opt_rounded(r->latency_ms / r->count, INT32_MAX);
    f->row->max_request_latency = opt_int32(r->latency_max_ms);
}

const struct fold_pass fold_pass_requests = {NULL, requests_step, requests_finish};
