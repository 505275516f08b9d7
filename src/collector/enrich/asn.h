/* SPDX-License-Identifier: Apache-2.0
 * Address ranges to autonomous systems, from CSV lines: first address,last address,number,name (quoted where it has a
 * comma). Ranges are in order and do not overlap; lines that say otherwise are passed over.
 * Threads: read-only after asn_list_new. */
#ifndef FF_COLLECTOR_ENRICH_ASN_H
#define FF_COLLECTOR_ENRICH_ASN_H

#include "base/base.h"

struct asn_list;
/* Either path may be missing (NULL, or no such file): then no address of that family is found. NULL when both are. */
struct asn_list *asn_list_new(const char *ipv4_csv, const char *ipv6_csv) MUST_USE;
void asn_list_free(struct asn_list *l);
size_t asn_list_count(const struct asn_list *l);

struct asn_found {
    uint32_t number;  /* 0: in no range */
    struct span name; /* lives as long as the list */
    bool whole_block; /* the address's whole /24 (IPv4) or /48 (IPv6) gives this answer */
};
/* bytes: 16, IPv4 as ::ffff:a.b.c.d. */
struct asn_found asn_list_find(const struct asn_list *l, const uint8_t bytes[16], bool is_v4);

#endif
