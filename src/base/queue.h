/* SPDX-License-Identifier: Apache-2.0
 * A bounded queue of pointers between threads. Full is an answer, never a wait without end. */
#ifndef FF_BASE_QUEUE_H
#define FF_BASE_QUEUE_H

#include "base/base.h"

struct queue;
struct queue *queue_new(size_t items_max);
void queue_free(struct queue *q); /* the items are the caller's */
/* false: full, or closed. */
bool queue_try_push(struct queue *q, void *item) MUST_USE;
/* Waits up to timeout_ms (< 0: for ever) for room. false: still full, or closed. */
bool queue_push(struct queue *q, void *item, int timeout_ms) MUST_USE;
/* Waits up to timeout_ms (< 0: for ever). NULL: nothing came, or closed and empty. */
void *queue_pop(struct queue *q, int timeout_ms) MUST_USE;
/* No more pushes; pops drain what is left. */
void queue_close(struct queue *q);
size_t queue_length(struct queue *q);

#endif
