/* SPDX-License-Identifier: Apache-2.0
 * A user agent to browser, operating system, device and device category: the rules of uap-core, plus the category rules
 * of agent.c. Results are cached by the text.
 * Threads: any, after agent_new. */
#ifndef FF_COLLECTOR_ENRICH_AGENT_H
#define FF_COLLECTOR_ENRICH_AGENT_H

#include "views/beacon.h"

struct agents;
/* path: regexes.yaml, or NULL. A file that is missing or no such file is logged; then only the category is known. */
struct agents *agents_new(const char *path) MUST_USE;
void agents_free(struct agents *a);
/* Sets browser to device_name of out; unknown ones, and all of an empty user agent, stay empty. Texts are in arena. */
void agents_look(struct agents *a, struct span user_agent, struct arena *arena, struct viewer_facts *out);

/* tv, console, tablet, phone, desktop, or empty. os: the system's family, may be empty. */
struct span agent_category(struct span user_agent, struct span os);

#endif
