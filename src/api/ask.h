/* SPDX-License-Identifier: Apache-2.0
 * The parameters that questions about views share, read and checked. */
#ifndef FF_API_ASK_H
#define FF_API_ASK_H

#include "api/api.h"
#include "query/question.h"

/* timeframe[] snapped; false: failed with 400. */
bool ask_window(struct api_call *c, struct window *out) MUST_USE;
/* filters[], metric_filters[] (when with_metrics), and the filter of a filtered token; false: failed with 400. */
bool ask_filters(struct api_call *c, bool with_metrics, struct filters *out) MUST_USE;
/* Only the token's filter, ANDed to everything that is there. */
bool ask_token_filter(struct api_call *c, struct filters *out) MUST_USE;
/* Metric of the path (404 when unknown) and measurement (400), window and filters. */
bool ask_question(struct api_call *c, struct filters *filters, struct question *out) MUST_USE;
/* true: the same was asked before and nothing that it reads has changed since; the body is the answer, and the handler
 * is done. Else the answer that the handler writes is kept (for the embedded store, of which this process is the only
 * writer). extra: whatever the answer depends on beyond path, query string and body of the request, its environment,
 * the token's filter and the window (accounts_generation, say). */
bool ask_cached(struct api_call *c, const struct window *w, enum metric_clock clock, uint64_t extra) MUST_USE;
/* The call's store and arena. */
struct query ask_query(struct api_call *c);
/* order_by: one of the names (NULL-terminated list), or otherwise; -1 and failed when it is none of them. */
int ask_order_by(struct api_call *c, const char *const *names, int otherwise) MUST_USE;

/* An answer's value: null, or a number. */
void ask_print_value(struct jw *w, const struct answer *a);
/* "meta":{...}; step_s 0 leaves granularity out. */
void ask_print_meta(struct jw *w, const struct metric *m, int64_t step_s);
/* Text or null. */
void ask_print_text(struct jw *w, struct span s);

#endif
