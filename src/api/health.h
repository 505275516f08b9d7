/* SPDX-License-Identifier: Apache-2.0
 * /healthz: the process answers. /readyz: 200 while beacons can be acknowledged, 503 otherwise; the body tells the
 * store's state too. /metrics: Prometheus text, for loopback clients or with the token. */
#ifndef FF_API_HEALTH_H
#define FF_API_HEALTH_H

#include "collector/collector.h"
#include "collector/pipeline.h"
#include "store/writer.h"

struct health {
    struct collector *collector;
    struct pipeline *pipeline;
    struct store *store;
    struct store_writer *writer;
    const char *metrics_token; /* NULL: loopback only */
};
/* Answers GET /healthz, /readyz and /metrics; false: the path is none of them. */
bool health_handle(const struct health *h, struct http_request *r);

#endif
