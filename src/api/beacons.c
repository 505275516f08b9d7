/* SPDX-License-Identifier: Apache-2.0
 * GET /data/v1/beacons/recent: what players of this environment sent last, decoded, with what was ignored and why. For
 * the developer who has just pasted the snippet. */
#include "api/api.h"

#include "collector/collector.h"

enum { SHOWN_POSTS_DEFAULT = 50, SHOWN_POSTS_MAX = 200 };

/* Whose beacons: the environment's, or with unclaimed=true those of none, which only an administrator may see: their
 * env key is unknown or their body cannot be read, so they may be anybody's. NULL: the call has failed. */
static const char *recent_of(struct api_call *c)
{
    struct span unclaimed = api_param(c, "unclaimed");
    if (unclaimed.len == 0 || span_is(unclaimed, "false")) return c->environment_id;
    const struct principal_environment *e = principal_environment(&c->principal, span_of(c->environment_id));
    if (!span_is(unclaimed, "true")) api_fail(c, 400, "unclaimed is true or false.");
    else if (e && principal_may(e, PERMISSION_SYSTEM_WRITE)) return "";
    else api_fail(c, 403, "Beacons that belong to no environment are shown with the permission system:write.");
    return NULL;
}

static bool beacons_ask(struct api_call *c, struct collector_recent_ask *ask)
{
    static const char *const others[] = {"filters", "metric_filters", "page"};
    for (size_t i = 0; i < COUNT(others); i++) {
        if (api_params(c, others[i]).count == 0) continue;
        api_fail(c, 400, "%s is no parameter here: beacons are found by view_id and video_id.", others[i]);
        return false;
    }
    ask->view_id = api_param(c, "view_id");
    ask->video_id = api_param(c, "video_id");
    return api_limit(c, SHOWN_POSTS_DEFAULT, SHOWN_POSTS_MAX, &ask->limit);
}

void api_beacons_recent(struct api_call *c)
{
    if (c->principal.filter[0]) {
        api_fail(c, 403, "Recent beacons are not for a token with a filter: they are shown before they are views.");
        return;
    }
    const char *of = recent_of(c);
    struct collector_recent_ask ask;
    if (of == NULL || !beacons_ask(c, &ask)) return;
    jw_object(&c->json);
    jw_key(&c->json, "data");
    size_t rows = collector_recent_json(c->collector, of, &ask, &c->json);
    jw_key(&c->json, "refused_later");
    collector_refused_later_json(c->collector, of, &c->json);
    api_total(c, (int64_t)rows);
    api_timeframe_now(c);
    jw_object_end(&c->json);
}
