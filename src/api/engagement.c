/* SPDX-License-Identifier: Apache-2.0
 * GET /data/v1/engagement/{assets,videos,playback-ids}/{id}/heatmap and /hotspots. */
#include "query/engagement.h"

#include "api/ask.h"

enum { HOTSPOTS_MAX = HEATMAP_BUCKETS_MAX };

static const struct dimension *engagement_dimension(const struct api_call *c)
{
    static const struct {
        const char *segment, *dimension;
    } kinds[] = {{"assets", "asset_id"}, {"videos", "video_id"}, {"playback-ids", "playback_id"}};
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (span_is(c->arguments[0], kinds[i].segment)) return dimension_find(span_of(kinds[i].dimension));
    return NULL;
}

/* false: failed, or answered. */
static bool engagement_ask(struct api_call *c, struct window *window, struct heatmap *out)
{
    struct filters filters = {0};
    const struct dimension *of = engagement_dimension(c);
    if (of == NULL) {
        api_fail(c, 404, "Engagement is of assets, videos or playback-ids.");
        return false;
    }
    if (!ask_window(c, window) || !ask_token_filter(c, &filters) || ask_cached(c, window, CLOCK_END, 0)) return false;
    struct query q = ask_query(c);
    enum err e = query_heatmap(&q, c->environment_id, window, &filters, of, c->arguments[1], out);
    if (e != ERR_NONE) api_fail_store(c, e, &q.error);
    return e == ERR_NONE;
}

void api_engagement_heatmap(struct api_call *c)
{
    struct window window;
    struct heatmap h;
    if (!engagement_ask(c, &window, &h)) return;
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    jw_key(&c->json, "total_views"), jw_int(&c->json, h.views);
    jw_key(&c->json, "value"), jw_array(&c->json);
    for (size_t i = 0; i < h.n; i++) jw_double(&c->json, heatmap_value(&h, i));
    jw_array_end(&c->json);
    jw_object_end(&c->json);
    api_timeframe(c, window.start_s, window.end_s);
    api_total(c, 1);
    jw_object_end(&c->json);
}

void api_engagement_hotspots(struct api_call *c)
{
    struct window window;
    struct heatmap h;
    struct hotspot spots[HOTSPOTS_MAX];
    uint32_t limit;
    bool descending;
    if (!api_limit(c, HOTSPOTS_MAX, HOTSPOTS_MAX, &limit) || !api_descending(c, true, &descending) ||
        !engagement_ask(c, &window, &h))
        return;
    size_t n = heatmap_hotspots(&h, !descending, spots);
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_object(&c->json);
    jw_key(&c->json, "total_views"), jw_int(&c->json, h.views);
    jw_key(&c->json, "hotspots"), jw_array(&c->json);
    for (size_t i = 0; i < n && i < limit; i++) {
        jw_object(&c->json);
        jw_key(&c->json, "start_ms"), jw_int(&c->json, spots[i].start_ms);
        jw_key(&c->json, "end_ms"), jw_int(&c->json, spots[i].end_ms);
        jw_key(&c->json, "score"), jw_double(&c->json, spots[i].score);
        jw_object_end(&c->json);
    }
    jw_array_end(&c->json);
    jw_object_end(&c->json);
    api_timeframe(c, window.start_s, window.end_s);
    api_total(c, (int64_t)n);
    jw_object_end(&c->json);
}
