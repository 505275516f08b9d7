/* SPDX-License-Identifier: Apache-2.0
 * The collector's posts, as the pipeline wants them. */
#include "collector/collector.h"
#include "collector/pipeline.h"

static void posts_answer(void *ctx, struct collector_post *const *posts, size_t n, bool durable)
{
    collector_posts_answer(ctx, posts, n, durable);
}

static struct collector_post *posts_replay(void *ctx, struct span payload)
{
    return collector_post_replay(ctx, payload);
}

static void posts_known(void *ctx, const char *environment_id, struct span view_id)
{
    collector_view_known(ctx, environment_id, view_id);
}

struct pipeline_posts pipeline_posts_of(struct collector *c)
{
    return (struct pipeline_posts){
        .ctx = c,
        .answer = posts_answer,
        .replay = posts_replay,
        .known = posts_known,
        .bytes = collector_post_bytes,
        .retain = collector_post_retain,
        .release = collector_post_release,
    };
}
