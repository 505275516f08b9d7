/* SPDX-License-Identifier: Apache-2.0
 * Who the client is when proxies stand in between. Pure functions over bytes. */
#ifndef FF_HTTP_PROXY_H
#define FF_HTTP_PROXY_H

#include "http/address.h"
#include "http/server.h"

enum http_proxy { HTTP_PROXY_MORE, HTTP_PROXY_OK, HTTP_PROXY_BAD };
enum { HTTP_PROXY_BYTES_MAX = 4096 };
/* A PROXY header, version 1 or 2, at the beginning of bytes. OK: *used is its length, and *known says whether it names
 * a client (v1 UNKNOWN, v2 LOCAL and other families do not). MORE: not all of it is there. */
enum http_proxy http_proxy_parse(struct span bytes, struct http_address *client, bool *known, size_t *used);

/* The request's client as told by trusted proxies: the chain is followed from the nearest hop outwards for as long as
 * the hops are trusted. *client (a trusted peer when called) and *https are changed only by what could be read.
 *
 * X-Forwarded-For wins over Forwarded when both are there: proxies that write only the former are common and hand a
 * client's own Forwarded through. */
void http_forwarded(const struct http_networks *trusted, const struct http_request *r, struct http_address *client,
                    bool *https);

#endif
