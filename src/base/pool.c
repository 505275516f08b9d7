/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include "base/queue.h"

#include <pthread.h>
#include <stdlib.h>

struct pool {
    struct queue *waiting;
    pool_job *job;
    void *ctx;
    unsigned threads;
    pthread_t thread[];
};

static void *pool_run(void *arg)
{
    struct pool *p = arg;
    for (;;) {
        void *item = queue_pop(p->waiting, -1);
        if (item == NULL) return NULL; /* closed and empty */
        p->job(p->ctx, item);
    }
}

struct pool *pool_new(unsigned threads, size_t waiting_max, pool_job *job, void *ctx)
{
    struct pool *p = calloc(1, sizeof *p + threads * sizeof p->thread[0]);
    BUG_IF(p == NULL || threads == 0);
    p->waiting = queue_new(waiting_max);
    p->job = job;
    p->ctx = ctx;
    p->threads = threads;
    for (unsigned i = 0; i < threads; i++) BUG_IF(pthread_create(&p->thread[i], NULL, pool_run, p) != 0);
    return p;
}

bool pool_submit(struct pool *p, void *item)
{
    return queue_try_push(p->waiting, item);
}

void pool_stop(struct pool *p)
{
    if (p == NULL) return;
    queue_close(p->waiting);
    for (unsigned i = 0; i < p->threads; i++) (void)pthread_join(p->thread[i], NULL);
    queue_free(p->waiting);
    free(p);
}
