/* SPDX-License-Identifier: Apache-2.0
 * Who is watching from where: an address to a place and a network, a user agent to browser, system and device.
 * Looked up once, at receipt; the full address goes no further than this. */
#ifndef FF_COLLECTOR_ENRICH_ENRICH_H
#define FF_COLLECTOR_ENRICH_ENRICH_H

#include "http/server.h"
#include "views/beacon.h"

struct enrich_options {
    const char *share;    /* share directory: geo/ and uap/ in it; NULL: none */
    const char *geo_city; /* a GeoIP2/GeoLite2 City .mmdb instead of the one in share; NULL or "" */
    const char *geo_asn;  /* a GeoIP2/GeoLite2 ASN .mmdb instead of the list in share; NULL or "" */
};
/* Missing files make things unknown and are logged. NULL only when a file named by an option cannot be used; why says
 * which. */
struct enrich *enrich_new(const struct enrich_options *options, char why[256]) MUST_USE;
void enrich_free(struct enrich *e);

/* Any thread. Sets out's place, network and device. Texts live as long as e or are in arena. */
void enrich_look(struct enrich *e, const struct http_address *address, struct span user_agent, struct arena *arena,
                 struct viewer_facts *out);

#endif
