/* SPDX-License-Identifier: Apache-2.0
 * A shard thread: owns some of the view tables, applies events in journal order, hands rows to the sink, and saves its
 * tables when a barrier passes. */
#include "collector/collector.h"
#include "collector/pipeline_private.h"

#include "base/counters.h"
#include "base/log.h"

#include <stdlib.h>
#include <time.h>

enum { ROW_RETRY_MS = 5 };

/* --- what the tables call --- */

static void sleep_ms(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&t, NULL);
}

/* The sink has no room while the store is away. Waiting here lets the posts pile up, and the collector answers 503. */
static void on_row(void *ctx, const struct view_row *row)
{
    struct shard *s = ctx;
    const struct pipeline_sink *sink = &s->p->options.sink;
    while (!sink->row(sink->ctx, s->index, row)) {
        if (atomic_load(&s->p->give_up)) {
            s->lost_row = true; /* the next start makes it again */
            return;
        }
        sleep_ms(ROW_RETRY_MS);
    }
}

static void on_dropped(void *ctx, const char *environment_id, const char *why, uint32_t events)
{
    const struct view_table_options *views = &((struct shard *)ctx)->p->options.views;
    if (views->dropped) views->dropped(views->ctx, environment_id, why, events);
}

static struct view_error_rule on_categorise(void *ctx, const char *environment_id, struct span code)
{
    const struct view_table_options *views = &((struct shard *)ctx)->p->options.views;
    return views->categorise(views->ctx, environment_id, code);
}

void shard_init(struct shard *s, struct pipeline *p, unsigned index, size_t queue_max)
{
    struct view_table_options options = p->options.views;
    s->p = p;
    s->index = index;
    s->queue = queue_new(queue_max);
    options.row = on_row;
    options.dropped = on_dropped;
    options.categorise = p->options.views.categorise ? on_categorise : NULL;
    options.ctx = s;
    options.open_views_max = (options.open_views_max + PIPELINE_TABLES - 1) / PIPELINE_TABLES;
    options.env_open_views_max = (options.env_open_views_max + PIPELINE_TABLES - 1) / PIPELINE_TABLES;
    for (unsigned t = index; t < PIPELINE_TABLES; t += p->shard_count) s->tables[t] = view_table_new(&options);
}

static void message_free(struct shard *s, struct message *m)
{
    for (size_t i = 0; i < m->n; i++) s->p->options.posts.release(m->posts[i]);
    m->magic = 0;
    free(m);
}

void shard_fini(struct shard *s)
{
    BUG_IF(queue_length(s->queue) != 0);
    queue_free(s->queue);
    for (unsigned t = 0; t < PIPELINE_TABLES; t++) view_table_free(s->tables[t]);
}

/* --- loading --- */

static bool shard_load_table(struct shard *s, unsigned t, struct buf *bytes)
{
    enum err e = checkpoint_section(s->p->checkpoint, t, bytes);
    if (e == ERR_NONE && view_table_load(s->tables[t], buf_span(bytes))) return true;
    LOG_ERR("checkpoint_load_failed", "table=%u bytes=%zu error=%s", t, bytes->len,
            e == ERR_NONE ? "not the open views of this version" : err_name(e));
    return false;
}

static bool shard_load(struct shard *s)
{
    bool ok = true;
    struct buf bytes;
    for (unsigned t = 0; t < PIPELINE_TABLES && ok; t++) {
        if (s->tables[t] == NULL) continue;
        view_table_replaying(s->tables[t], true);
        if (s->p->checkpoint == NULL) continue;
        buf_init(&bytes, checkpoint_section_bytes(s->p->checkpoint, t));
        ok = shard_load_table(s, t, &bytes);
        buf_free(&bytes);
        const struct pipeline_posts *posts = &s->p->options.posts;
        if (ok && posts->known) view_table_each(s->tables[t], posts->known, posts->ctx);
    }
    return ok;
}

/* --- working --- */

static void shard_facts(struct shard *s)
{
    uint64_t open_views = 0, view_bytes = 0;
    for (unsigned t = 0; t < PIPELINE_TABLES; t++) {
        if (s->tables[t] == NULL) continue;
        open_views += view_table_open(s->tables[t]);
        view_bytes += view_table_bytes(s->tables[t]);
    }
    atomic_store(&s->open_views, open_views);
    atomic_store(&s->view_bytes, view_bytes);
    uint64_t all = 0;
    for (unsigned i = 0; i < s->p->shard_count; i++) all += atomic_load(&s->p->shards[i].open_views);
    counter_set(COUNTER_views_open, (int64_t)all);
}

static void shard_post(struct shard *s, const struct beacon *b)
{
    unsigned at = 0;
    for (uint32_t i = 0; i < b->event_count; i++) {
        const struct beacon_event *e = &b->events[i];
        BUG_IF(e->env >= b->env_count);
        at = pipeline_table_next(b, i, at);
        struct view_table *table = s->tables[at];
        if (table) view_table_apply(table, b, e);
    }
}

static bool save_chunk(void *ctx, struct span chunk)
{
    const struct {
        struct checkpoint_writer *writer;
        uint32_t section;
    } *to = ctx;
    return checkpoint_add(to->writer, to->section, chunk);
}

static void shard_barrier(struct shard *s, struct pipeline_barrier *barrier)
{
    struct pipeline *p = s->p;
    bool ok = !s->lost_row;
    for (unsigned t = 0; t < PIPELINE_TABLES && ok; t++) {
        struct {
            struct checkpoint_writer *writer;
            uint32_t section;
        } to = {barrier->writer, t};
        if (s->tables[t]) ok = view_table_save(s->tables[t], save_chunk, &to);
    }
    p->options.sink.barrier(p->options.sink.ctx, s->index, barrier->n);
    (void)pthread_mutex_lock(&p->lock);
    BUG_IF(barrier->left == 0);
    barrier->left--;
    if (!ok) barrier->failed = true;
    (void)pthread_cond_broadcast(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
}

static void shard_message(struct shard *s, struct message *m)
{
    BUG_IF(m->magic != MESSAGE_MAGIC);
    /* After the deadline of a stop nothing is worth doing any more: the next start does it again. */
    bool skip = atomic_load(&s->p->give_up);
    if (skip) s->lost_row = true;
    switch (m->kind) {
    case MESSAGE_POSTS:
        for (size_t i = 0; i < m->n && !skip; i++) shard_post(s, &m->posts[i]->beacon);
        atomic_fetch_sub(&s->p->behind_posts, m->n);
        atomic_fetch_sub(&s->p->behind_bytes, m->bytes);
        break;
    case MESSAGE_TICK:
        for (unsigned t = 0; t < PIPELINE_TABLES && !skip; t++)
            if (s->tables[t]) (void)view_table_tick(s->tables[t], m->ms);
        shard_facts(s);
        break;
    case MESSAGE_LIVE:
        for (unsigned t = 0; t < PIPELINE_TABLES; t++)
            if (s->tables[t]) view_table_replaying(s->tables[t], false);
        break;
    case MESSAGE_BARRIER: shard_barrier(s, m->barrier); break;
    }
    message_free(s, m);
}

void *shard_main(void *shard)
{
    struct shard *s = shard;
    (void)pthread_setname_np(pthread_self(), "views");
    bool ok = shard_load(s);
    (void)pthread_mutex_lock(&s->p->lock);
    s->p->loaded++;
    if (!ok) s->p->load_failed = true;
    (void)pthread_cond_broadcast(&s->p->changed);
    (void)pthread_mutex_unlock(&s->p->lock);
    for (struct message *m; (m = queue_pop(s->queue, -1)) != NULL;) shard_message(s, m);
    return NULL;
}
