/* SPDX-License-Identifier: Apache-2.0
 * The small language of schemas in openapi.def, and its JSON Schema.
 *   type    base with an optional ? behind: may be null
 *   base    int num str bool any | time (ISO 8601 UTC) day (YYYY-MM-DD) url | (a|b|c) | [type] | <type type ...> |
 * {member ...} | Name member  key:type, or key?:type when it may be absent; members are separated by blanks Pure. */
#ifndef FF_API_SCHEMA_H
#define FF_API_SCHEMA_H

#include "base/json.h"

/* Writes the JSON Schema of the text, references as "#/components/schemas/Name". false: it is not of the language; what
 * was written is then no use. */
bool schema_write(struct jw *w, struct span text) MUST_USE;

#endif
