/* SPDX-License-Identifier: Apache-2.0
 * Quotas of environments and of client addresses. What is over is answered 200 and dropped, since SDKs send again
 * whatever is refused.
 *
 * Events: a bucket of ten seconds' worth (SDKs send every ten seconds); a POST passes while anything is left in it and
 * takes what it holds, so the long-run rate is kept whatever the size of the POSTs. Views: the first event that comes
 * of a view, whatever its number, counts it; in a minute that is used up the view is refused with all that follows of
 * it. Two million views of all environments are remembered until they were silent for an hour; what is over is
 * forgotten, refused ones first, and counted again when more of it comes. Threads: any; a lock is taken for
 * environments that have a quota, none for addresses. */
#ifndef FF_COLLECTOR_QUOTA_H
#define FF_COLLECTOR_QUOTA_H

#include "base/base.h"

struct quotas;
/* address_requests_per_second_max 0: no limit. */
struct quotas *quotas_new(uint32_t address_requests_per_second_max);
void quotas_free(struct quotas *q);

/* One request from an address (its bytes). false: too many within this second. */
bool quota_address(struct quotas *q, struct span address, int64_t now_ms);

/* events of one POST for an environment. false: refuse them. */
bool quota_events(struct quotas *q, const char *environment_id, uint32_t per_second_max, uint32_t events,
                  int64_t now_ms);
/* One event of a view. false: refuse it. */
bool quota_view(struct quotas *q, const char *environment_id, uint32_t per_minute_max, struct span view_id,
                int64_t now_ms);
/* A view that was let in before the start of this process: not counted. */
void quota_view_known(struct quotas *q, const char *environment_id, struct span view_id, int64_t now_ms);

#endif
