/* SPDX-License-Identifier: Apache-2.0
 * How many requests a credential may make: a bucket for each access token and each beta-auth-token session, filled at
 * the rate of --rate-limit, holding one second of it. The dashboard's cookie is not limited: its person watches the
 * page load. Buckets are in a table of fixed size, in memory; one that is pushed out starts full. Any thread. */
#ifndef FF_API_LIMITS_H
#define FF_API_LIMITS_H

#include "base/base.h"

struct limits;
/* per_second 0: no limit, and NULL. */
struct limits *limits_new(unsigned per_second);
void limits_free(struct limits *l);
/* Takes one request of this credential: 0, or (nothing taken) the seconds to wait. l may be NULL. now_us: of the
 * monotonic clock. */
unsigned limits_take(struct limits *l, struct span credential, int64_t now_us);

#endif
