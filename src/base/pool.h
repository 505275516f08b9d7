/* SPDX-License-Identifier: Apache-2.0
 * A few threads that do blocking work from a bounded queue. */
#ifndef FF_BASE_POOL_H
#define FF_BASE_POOL_H

#include "base/base.h"

struct pool;
typedef void pool_job(void *ctx, void *item);
/* threads workers that call job(ctx, item) for each item; at most waiting_max items wait. */
struct pool *pool_new(unsigned threads, size_t waiting_max, pool_job *job, void *ctx);
/* false: as many wait already, or it is stopping. The item stays the caller's. */
bool pool_submit(struct pool *p, void *item) MUST_USE;
/* Finishes what waits, then joins the threads and frees. */
void pool_stop(struct pool *p);

#endif
