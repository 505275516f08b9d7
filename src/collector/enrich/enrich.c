/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/enrich/enrich.h"

#include "collector/enrich/agent.h"
#include "collector/enrich/geo.h"

#include <stdio.h>
#include <stdlib.h>

struct enrich {
    struct geo *geo;
    struct agents *agents;
};

struct enrich *enrich_new(const struct enrich_options *options, char why[256])
{
    struct enrich *e = calloc(1, sizeof *e);
    BUG_IF(e == NULL);
    char rules[4096] = "";
    if (options->share) (void)snprintf(rules, sizeof rules, "%s/uap/regexes.yaml", options->share);
    e->geo = geo_new(options, why);
    if (e->geo) {
        e->agents = agents_new(rules[0] ? rules : NULL);
        return e;
    }
    free(e);
    return NULL;
}

void enrich_free(struct enrich *e)
{
    if (e == NULL) return;
    geo_free(e->geo);
    agents_free(e->agents);
    free(e);
}

void enrich_look(struct enrich *e, const struct http_address *address, struct span user_agent, struct arena *arena,
                 struct viewer_facts *out)
{
    geo_look(e->geo, address, out);
    agents_look(e->agents, user_agent, arena, out);
}
