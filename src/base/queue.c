/* SPDX-License-Identifier: Apache-2.0 */
#include "base/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    size_t max, head, len;
    bool closed;
    void *items[];
};

struct queue *queue_new(size_t items_max)
{
    struct queue *q = calloc(1, sizeof *q + items_max * sizeof q->items[0]);
    BUG_IF(q == NULL || items_max == 0);
    q->max = items_max;
    pthread_condattr_t monotonic;
    BUG_IF(pthread_condattr_init(&monotonic) != 0);
    BUG_IF(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0);
    BUG_IF(pthread_mutex_init(&q->lock, NULL) != 0);
    BUG_IF(pthread_cond_init(&q->not_empty, &monotonic) != 0);
    BUG_IF(pthread_cond_init(&q->not_full, &monotonic) != 0);
    (void)pthread_condattr_destroy(&monotonic);
    return q;
}

void queue_free(struct queue *q)
{
    if (q == NULL) return;
    (void)pthread_mutex_destroy(&q->lock);
    (void)pthread_cond_destroy(&q->not_empty);
    (void)pthread_cond_destroy(&q->not_full);
    free(q);
}

static struct timespec deadline_in(int timeout_ms)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) t.tv_nsec -= 1000000000, t.tv_sec++;
    return t;
}

/* One wait; false when the deadline has passed. timeout_ms < 0 has no deadline. */
static bool queue_wait(struct queue *q, pthread_cond_t *cond, int timeout_ms, const struct timespec *deadline)
{
    if (timeout_ms < 0) return pthread_cond_wait(cond, &q->lock) == 0;
    return pthread_cond_timedwait(cond, &q->lock, deadline) != ETIMEDOUT;
}

bool queue_push(struct queue *q, void *item, int timeout_ms)
{
    struct timespec deadline = deadline_in(timeout_ms < 0 ? 0 : timeout_ms);
    (void)pthread_mutex_lock(&q->lock);
    while (q->len == q->max && !q->closed && timeout_ms != 0)
        if (!queue_wait(q, &q->not_full, timeout_ms, &deadline)) break;
    bool pushed = q->len < q->max && !q->closed;
    if (pushed) {
        q->items[(q->head + q->len) % q->max] = item;
        q->len++;
        (void)pthread_cond_signal(&q->not_empty);
    }
    (void)pthread_mutex_unlock(&q->lock);
    return pushed;
}

bool queue_try_push(struct queue *q, void *item)
{
    return queue_push(q, item, 0);
}

void *queue_pop(struct queue *q, int timeout_ms)
{
    struct timespec deadline = deadline_in(timeout_ms < 0 ? 0 : timeout_ms);
    (void)pthread_mutex_lock(&q->lock);
    while (q->len == 0 && !q->closed && timeout_ms != 0)
        if (!queue_wait(q, &q->not_empty, timeout_ms, &deadline)) break;
    void *item = NULL;
    if (q->len) {
        item = q->items[q->head];
        q->head = (q->head + 1) % q->max;
        q->len--;
        (void)pthread_cond_signal(&q->not_full);
    }
    (void)pthread_mutex_unlock(&q->lock);
    return item;
}

void queue_close(struct queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    q->closed = true;
    (void)pthread_cond_broadcast(&q->not_empty);
    (void)pthread_cond_broadcast(&q->not_full);
    (void)pthread_mutex_unlock(&q->lock);
}

size_t queue_length(struct queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    size_t len = q->len;
    (void)pthread_mutex_unlock(&q->lock);
    return len;
}
