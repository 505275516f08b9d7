/* SPDX-License-Identifier: Apache-2.0
 * Whatever comes as a query, an address, a Forwarded or PROXY header, a framing or a compressed body. Beyond memory
 * safety: results stay inside their input or their bound, and cutting the input elsewhere changes nothing. */
#include "http/address.h"
#include "http/framing.h"
#include "http/proxy.h"
#include "http/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void query(struct span input)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct span rest = input, name, value;
    while (http_query_next(&rest, &name, &value)) {
        BUG_IF(name.ptr < input.ptr || value.ptr + value.len > input.ptr + input.len);
        struct span decoded = http_query_decode(value, &arena);
        if (decoded.ptr == NULL) break; /* the arena is full */
        BUG_IF(decoded.len > value.len);
        BUG_IF(decoded.ptr[decoded.len] != 0);
    }
    arena_free(&arena);
}

static void address(struct span input)
{
    struct http_address a, again;
    char text[48];
    if (!http_address_parse_port(input, &a)) return;
    http_address_print_truncated(&a, text);
    BUG_IF(!http_address_parse(span_of(text), &again));
    http_address_print(&a, text);
    BUG_IF(!http_address_parse(span_of(text), &again));
    BUG_IF(memcmp(a.bytes, again.bytes, sizeof a.bytes) != 0);
}

static void forwarded(const struct http_networks *trusted, struct span input)
{
    static const char *const names[] = {"Forwarded", "X-Forwarded-For", "X-Forwarded-Proto"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct http_header headers[2] = {{span_of(names[i]), input},
                                         {span_of(names[i]), span_from(input, input.len / 2)}};
        struct http_request r = {.headers = headers, .header_count = 2};
        struct http_address client = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 10}, .is_v4 = true};
        bool https = false;
        http_forwarded(trusted, &r, &client, &https);
        char text[48];
        http_address_print(&client, text);
    }
}

static void proxy(struct span input)
{
    struct http_address client;
    bool known;
    size_t used = 0, less = 0;
    if (http_proxy_parse(input, &client, &known, &used) != HTTP_PROXY_OK) return;
    BUG_IF(used > input.len);
    BUG_IF(http_proxy_parse(span_upto(input, used - 1), &client, &known, &less) != HTTP_PROXY_MORE);
}

static void framing(struct span input, size_t cut)
{
    struct http_head_scan head = {.bytes = 0}, head_cut = {.bytes = 0};
    struct http_chunk_scan chunk = {.state = 0}, chunk_cut = {.state = 0};
    size_t used = 0, first = 0, second = 0;
    struct span begin = span_upto(input, cut), end = span_from(input, cut);
    enum http_scan whole = http_head_scan(&head, input.ptr, input.len, &used);
    enum http_scan parts = http_head_scan(&head_cut, begin.ptr, begin.len, &first);
    if (parts == HTTP_SCAN_MORE) parts = http_head_scan(&head_cut, end.ptr, end.len, &second);
    BUG_IF(whole != parts);
    BUG_IF(whole != HTTP_SCAN_BAD && used != first + second);
    second = 0;
    whole = http_chunk_scan(&chunk, input.ptr, input.len, &used);
    parts = http_chunk_scan(&chunk_cut, begin.ptr, begin.len, &first);
    if (parts == HTTP_SCAN_MORE) parts = http_chunk_scan(&chunk_cut, end.ptr, end.len, &second);
    BUG_IF(whole != parts);
    BUG_IF(used != first + second);
}

static void inflate_bounded(struct span input)
{
    struct buf out;
    buf_init(&out, 10000);
    (void)!http_inflate(input, &out);
    BUG_IF(out.len > 10000);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_make(data, size);
    struct http_networks trusted;
    char why[256], list[128];
    struct span head = span_upto(input, sizeof list - 1);
    if (head.len) memcpy(list, head.ptr, head.len);
    list[head.len] = 0;
    (void)!http_networks_parse(&trusted, list, why);
    BUG_IF(!http_networks_parse(&trusted, "10.0.0.0/8, ::/7", why));
    query(input);
    address(input);
    forwarded(&trusted, input);
    proxy(input);
    if (size > 0) framing(input, data[0] % size);
    inflate_bounded(input);
    return 0;
}
