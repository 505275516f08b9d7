/* SPDX-License-Identifier: Apache-2.0 */
#include "http/address.h"

#include "http/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void address_mark_v4(struct http_address *a)
{
    a->is_v4 = memcmp(a->bytes, v4_prefix, sizeof v4_prefix) == 0;
}

bool http_address_parse(struct span text, struct http_address *out)
{
    char copy[INET6_ADDRSTRLEN + 1];
    *out = (struct http_address){.port = 0};
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, 0, text.len)) return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    if (inet_pton(AF_INET, copy, out->bytes + 12) == 1) {
        memcpy(out->bytes, v4_prefix, sizeof v4_prefix);
        out->is_v4 = true;
        return true;
    }
    if (inet_pton(AF_INET6, copy, out->bytes) != 1) return false;
    address_mark_v4(out);
    return true;
}

bool http_address_parse_port(struct span text, struct http_address *out)
{
    struct span host = text, port = {NULL, 0};
    if (text.len > 0 && text.ptr[0] == '[') {
        ptrdiff_t close = span_find(text, ']');
        if (close < 0) return false;
        host = span_make(text.ptr + 1, (size_t)close - 1);
        struct span rest = span_from(text, (size_t)close + 1);
        if (rest.len > 0 && rest.ptr[0] != ':') return false;
        if (rest.len > 0) port = span_from(rest, 1);
    } else {
        /* One colon is a port; several are a bare IPv6 address. */
        ptrdiff_t colon = span_find(text, ':');
        struct span rest = colon < 0 ? port : span_from(text, (size_t)colon + 1);
        if (colon >= 0 && span_find(rest, ':') < 0) {
            host = span_upto(text, (size_t)colon);
            port = rest;
        }
    }
    if (!http_address_parse(host, out)) return false;
    int64_t number = 0;
    /* Forwarded allows an obfuscated port ("_x"); it is of no use to anybody. */
    if (port.len > 0 && span_to_i64(port, &number) && number > 0 && number < 65536) out->port = (uint16_t)number;
    return true;
}

void http_address_from(const struct sockaddr *from, struct http_address *out)
{
    *out = (struct http_address){.port = 0};
    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof in);
        memcpy(out->bytes, v4_prefix, sizeof v4_prefix);
        memcpy(out->bytes + 12, &in.sin_addr, 4);
        out->is_v4 = true;
        out->port = ntohs(in.sin_port);
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, from, sizeof in6);
        memcpy(out->bytes, &in6.sin6_addr, 16);
        address_mark_v4(out);
        out->port = ntohs(in6.sin6_port);
    }
}

void http_address_print(const struct http_address *a, char out[48])
{
    const char *done = a->is_v4 ? inet_ntop(AF_INET, a->bytes + 12, out, 48) : inet_ntop(AF_INET6, a->bytes, out, 48);
    BUG_IF(done == NULL);
}

void http_address_print_truncated(const struct http_address *a, char out[48])
{
    struct http_address cut = *a;
    size_t keep = a->is_v4 ? 12 + 3 : 6;
    memset(cut.bytes + keep, 0, sizeof cut.bytes - keep);
    http_address_print(&cut, out);
}

static bool networks_add(struct http_networks *n, struct span text)
{
    ptrdiff_t slash = span_find(text, '/');
    struct http_address a;
    if (!http_address_parse(slash < 0 ? text : span_upto(text, (size_t)slash), &a)) return false;
    int64_t most = a.is_v4 ? 32 : 128, bits = most;
    if (slash >= 0 && !span_to_i64(span_from(text, (size_t)slash + 1), &bits)) return false;
    if (bits < 0 || bits > most || n->count == HTTP_NETWORKS_MAX) return false;
    memcpy(n->rows[n->count].bytes, a.bytes, 16);
    n->rows[n->count++].bits = (uint8_t)(bits + (a.is_v4 ? 96 : 0));
    return true;
}

bool http_networks_parse(struct http_networks *n, const char *text, char why[256])
{
    n->count = 0;
    struct span rest = span_of(text);
    while (rest.len > 0) {
        ptrdiff_t comma = span_find(rest, ',');
        struct span item = span_trim(comma < 0 ? rest : span_upto(rest, (size_t)comma));
        rest = comma < 0 ? (struct span){NULL, 0} : span_from(rest, (size_t)comma + 1);
        if (item.len == 0) continue;
        if (!networks_add(n, item)) {
            (void)snprintf(why, 256, "\"%.*s\" is not a network such as 10.0.0.0/8 or ::1 (at most %d of them)",
                           SPAN_ARG(span_upto(item, 64)), HTTP_NETWORKS_MAX);
            return false;
        }
    }
    return true;
}

bool http_networks_have(const struct http_networks *n, const struct http_address *a)
{
    for (size_t i = 0; i < n->count; i++) {
        size_t whole = n->rows[i].bits / 8, some = n->rows[i].bits % 8;
        if (memcmp(n->rows[i].bytes, a->bytes, whole) != 0) continue;
        if (some == 0) return true;
        uint8_t mask = (uint8_t)(0xff << (8 - some));
        if (((n->rows[i].bytes[whole] ^ a->bytes[whole]) & mask) == 0) return true;
    }
    return false;
}
