/* SPDX-License-Identifier: Apache-2.0 */
#include "http/proxy.h"

#include <netinet/in.h>

enum { PROXY_V1_BYTES_MAX = 107, PROXY_V2_HEAD_BYTES = 16, FORWARDED_HOPS_MAX = 32 };

static const char proxy_v2_signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

/* The next word of a blank-separated line. */
static struct span word_next(struct span *rest)
{
    ptrdiff_t blank = span_find(*rest, ' ');
    struct span word = blank < 0 ? *rest : span_upto(*rest, (size_t)blank);
    *rest = span_from(*rest, word.len + 1);
    return word;
}

static enum http_proxy proxy_parse_v1(struct span bytes, struct http_address *client, bool *known, size_t *used)
{
    struct span head = span_upto(bytes, PROXY_V1_BYTES_MAX);
    ptrdiff_t end = span_find_span(head, SPAN("\r\n"));
    if (end < 0) return bytes.len >= PROXY_V1_BYTES_MAX ? HTTP_PROXY_BAD : HTTP_PROXY_MORE;
    *used = (size_t)end + 2;
    struct span line = span_upto(bytes, (size_t)end);
    (void)word_next(&line); /* PROXY */
    struct span family = word_next(&line);
    if (span_is(family, "UNKNOWN")) return HTTP_PROXY_OK;
    struct span source = word_next(&line), target = word_next(&line), port = word_next(&line);
    struct http_address to;
    int64_t number = 0, to_number = 0;
    if (!http_address_parse(source, client) || !http_address_parse(target, &to)) return HTTP_PROXY_BAD;
    if (!span_to_i64(port, &number) || number < 0 || number > 65535) return HTTP_PROXY_BAD;
    if (!span_to_i64(line, &to_number) || to_number < 0 || to_number > 65535) return HTTP_PROXY_BAD;
    /* Some proxies write mapped IPv4 addresses as TCP6, so TCP6 may turn out to be IPv4, never the reverse. */
    if (!span_is(family, "TCP6") && !(span_is(family, "TCP4") && client->is_v4)) return HTTP_PROXY_BAD;
    client->port = (uint16_t)number;
    *known = true;
    return HTTP_PROXY_OK;
}

static enum http_proxy proxy_parse_v2(struct span bytes, struct http_address *client, bool *known, size_t *used)
{
    if (bytes.len < PROXY_V2_HEAD_BYTES) return HTTP_PROXY_MORE;
    const uint8_t *b = (const uint8_t *)bytes.ptr;
    size_t len = (size_t)b[14] << 8 | b[15];
    unsigned version = b[12] >> 4, command = b[12] & 0x0f, family = b[13];
    if (version != 2 || command > 1 || PROXY_V2_HEAD_BYTES + len > HTTP_PROXY_BYTES_MAX) return HTTP_PROXY_BAD;
    if (bytes.len < PROXY_V2_HEAD_BYTES + len) return HTTP_PROXY_MORE;
    *used = PROXY_V2_HEAD_BYTES + len;
    b += PROXY_V2_HEAD_BYTES;
    if (command == 0) return HTTP_PROXY_OK; /* LOCAL: the proxy itself, for instance a health check */
    if (family == 0x11) {
        if (len < 12) return HTTP_PROXY_BAD;
        struct sockaddr_in in = {.sin_family = AF_INET};
        memcpy(&in.sin_addr, b, 4);
        memcpy(&in.sin_port, b + 8, 2);
        http_address_from((const struct sockaddr *)&in, client);
        *known = true;
    } else if (family == 0x21) {
        if (len < 36) return HTTP_PROXY_BAD;
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
        memcpy(&in6.sin6_addr, b, 16);
        memcpy(&in6.sin6_port, b + 32, 2);
        http_address_from((const struct sockaddr *)&in6, client);
        *known = true;
    }
    return HTTP_PROXY_OK;
}

enum http_proxy http_proxy_parse(struct span bytes, struct http_address *client, bool *known, size_t *used)
{
    *known = false;
    *used = 0;
    struct span v1 = SPAN("PROXY "), v2 = span_make(proxy_v2_signature, sizeof proxy_v2_signature);
    if (span_starts(bytes, v1)) return proxy_parse_v1(bytes, client, known, used);
    if (span_starts(bytes, v2)) return proxy_parse_v2(bytes, client, known, used);
    bool may_become = span_starts(v1, bytes) || span_starts(v2, bytes);
    return may_become ? HTTP_PROXY_MORE : HTTP_PROXY_BAD;
}

/* The next piece up to a separator outside quotes. */
static struct span piece_next(struct span *rest, char separator)
{
    bool quoted = false;
    size_t at = 0;
    for (; at < rest->len && (quoted || rest->ptr[at] != separator); at++) {
        if (rest->ptr[at] == '"') quoted = !quoted;
        if (quoted && rest->ptr[at] == '\\') at++;
    }
    if (at > rest->len) at = rest->len;
    struct span piece = span_trim(span_upto(*rest, at));
    *rest = span_from(*rest, at + 1);
    return piece;
}

static struct span unquote(struct span s)
{
    bool quoted = s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"';
    return quoted ? span_make(s.ptr + 1, s.len - 2) : s;
}

/* for= and proto= of one element of Forwarded. */
static void forwarded_element(struct span element, struct span *from, struct span *proto)
{
    while (element.len > 0) {
        struct span pair = piece_next(&element, ';');
        ptrdiff_t equals = span_find(pair, '=');
        if (equals < 0) continue;
        struct span name = span_trim(span_upto(pair, (size_t)equals));
        struct span value = unquote(span_trim(span_from(pair, (size_t)equals + 1)));
        if (span_eq_nocase(name, SPAN("for"))) *from = value;
        if (span_eq_nocase(name, SPAN("proto"))) *proto = value;
    }
}

/* One header line, from its end. false: the chain ends here. */
static bool forwarded_line(const struct http_networks *trusted, struct span line, bool x, struct http_address *client,
                           bool *https)
{
    struct span hops[FORWARDED_HOPS_MAX];
    size_t count = 0;
    while (line.len > 0) hops[count++ % FORWARDED_HOPS_MAX] = piece_next(&line, ',');
    size_t first = count > FORWARDED_HOPS_MAX ? count - FORWARDED_HOPS_MAX : 0;
    for (size_t i = count; i > first; i--) {
        struct span hop = hops[(i - 1) % FORWARDED_HOPS_MAX], from = unquote(hop), proto = {NULL, 0};
        if (hop.len == 0) continue;
        if (!x) {
            from = (struct span){NULL, 0};
            forwarded_element(hop, &from, &proto);
        }
        struct http_address a;
        if (!http_address_parse_port(from, &a)) return false;
        *client = a;
        if (proto.len > 0) *https = span_eq_nocase(proto, SPAN("https"));
        if (!http_networks_have(trusted, &a)) return false;
    }
    return first == 0;
}

void http_forwarded(const struct http_networks *trusted, const struct http_request *r, struct http_address *client,
                    bool *https)
{
    struct span proto = http_header(r, "X-Forwarded-Proto");
    if (proto.len > 0) *https = span_eq_nocase(piece_next(&proto, ','), SPAN("https"));
    bool x = http_header(r, "X-Forwarded-For").ptr != NULL;
    struct span name = x ? SPAN("X-Forwarded-For") : SPAN("Forwarded");
    for (size_t i = r->header_count; i > 0; i--) {
        const struct http_header *h = &r->headers[i - 1];
        if (span_eq_nocase(h->name, name) && !forwarded_line(trusted, h->value, x, client, https)) return;
    }
}
