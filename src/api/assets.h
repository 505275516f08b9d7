/* SPDX-License-Identifier: Apache-2.0
 * The dashboard's files and the SDK for pages, from the share directory: read once at start into memory, compressed
 * there, and answered without touching the disk.
 *   <share>/web   the dashboard: /assets/... is cached for ever (names carry a hash), every other GET answers
 * index.html <share>/sdk   player SDKs, under /sdk/, readable by any origin Threads: read-only after assets_load. */
#ifndef FF_API_ASSETS_H
#define FF_API_ASSETS_H

#include "http/server.h"

struct assets;
/* share may lack either directory; then those paths answer 404 with a sentence that says what to build. */
struct assets *assets_load(const char *share);
void assets_free(struct assets *a);
/* Answers GET and HEAD of any path; 405 for other methods. */
void assets_handle(const struct assets *a, struct http_request *r);

#endif
