/* SPDX-License-Identifier: Apache-2.0
 * Addresses as text, lists of networks, and how many connections each address has. */
#ifndef FF_HTTP_ADDRESS_H
#define FF_HTTP_ADDRESS_H

#include "base/base.h"

struct http_address;
struct sockaddr;

/* "203.0.113.7", "2001:db8::1"; the port becomes 0. */
bool http_address_parse(struct span text, struct http_address *out) MUST_USE;
/* The same with an optional ":port", IPv6 in brackets then: how Forwarded writes it. */
bool http_address_parse_port(struct span text, struct http_address *out) MUST_USE;
/* Any AF_INET or AF_INET6 address; others give ::. */
void http_address_from(const struct sockaddr *from, struct http_address *out);

enum { HTTP_NETWORKS_MAX = 64 };
struct http_networks {
    struct {
        uint8_t bytes[16];
        uint8_t bits; /* of the IPv6 form: 10.0.0.0/8 has 104 */
    } rows[HTTP_NETWORKS_MAX];
    size_t count;
};
/* "10.0.0.0/8, ::1". NULL or "" is the empty list. false: the sentence in why. */
bool http_networks_parse(struct http_networks *n, const char *text, char why[256]) MUST_USE;
bool http_networks_have(const struct http_networks *n, const struct http_address *a);

/* Connections by address (IPv6: by /64, which is what one household or host has). Any thread. */
struct http_peers;
struct http_peers *http_peers_new(void);
void http_peers_free(struct http_peers *p);
/* How many that address has now, this one among them. 0: it has max already, and is not counted. */
size_t http_peers_enter(struct http_peers *p, const struct http_address *a, size_t max) MUST_USE;
void http_peers_leave(struct http_peers *p, const struct http_address *a);

#endif
