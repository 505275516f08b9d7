/* SPDX-License-Identifier: Apache-2.0
 * GET /data/v1/beacons/recent: what players of this environment sent last, decoded, with what was ignored and why. For
 * the developer who has just pasted the snippet. */
#include "api/api.h"

#include "collector/collector.h"

enum { SHOWN_WINDOW_S = 86400 };

void api_beacons_recent(struct api_call *c)
{
    int64_t now_s = c->now_ms / 1000;
    if (c->principal.filter[0]) {
        api_fail(c, 403, "Recent beacons are not for a token with a filter: they are shown before they are views.");
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data");
    collector_recent_json(c->collector, c->environment_id, &c->json);
    api_timeframe(c, now_s - SHOWN_WINDOW_S, now_s + 1);
    jw_object_end(&c->json);
}
