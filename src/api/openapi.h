/* SPDX-License-Identifier: Apache-2.0
 * What openapi.def declares, and the OpenAPI 3.1 document made from it, from routes.def, metrics.def, dimensions.def
 * and columns.def. All constant; any thread. */
#ifndef FF_API_OPENAPI_H
#define FF_API_OPENAPI_H

#include "api/internal.h"

struct operation {
    const char *handler;
    int status;
    const char *params, *body, *reply, *example;
};
const struct operation *operation_of(const struct route *route); /* NULL: openapi.def lacks it */

struct parameter {
    const char *name; /* in openapi.def */
    const char *wire; /* "timeframe[]"; of the path: the argument's name */
    const char *type, *meaning;
};
const struct parameter *parameter_find(struct span name); /* of a query */
/* Takes the next name from an operation's params. false: there is none. */
bool params_next(struct span *rest, struct span *name, bool *required);
const struct parameter *path_parameter_find(struct span name); /* "METRIC_ID" */

struct schema {
    const char *name, *text;
};
size_t schema_count(void); /* of openapi.def; VideoViewDetail and the lists of ids come on top */
const struct schema *schema_at(size_t i);
const struct schema *schema_find(struct span name);
const char *schema_view_detail(void); /* the text of VideoViewDetail */

/* Splits an example: path and query, and the body behind a blank (empty when there is none). */
void example_split(const char *example, struct span *target, struct span *body);

/* The whole document. public_url: of the one server it names. false: openapi.def has a mistake (a test keeps it out).
 */
bool openapi_write(struct jw *w, const char *public_url) MUST_USE;

#endif
