/* SPDX-License-Identifier: Apache-2.0
 * Requests as bytes, without sockets: parsed whole and again byte by byte, which must come to the same. */
#include "http/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    enum http_parse result;
    int status;
    size_t used, headers, body_len;
    uint64_t text; /* of target, path, query, headers and body */
    bool keep_alive, cut;
};

static uint64_t mix(uint64_t hash, struct span s)
{
    for (size_t i = 0; i < s.len; i++) hash = (hash ^ (unsigned char)s.ptr[i]) * 1099511628211u;
    return (hash ^ s.len) * 1099511628211u;
}

static struct outcome parse_in_steps(struct http_loop *loop, struct span input, size_t step)
{
    struct http_connection c = {.magic = HTTP_CONNECTION_MAGIC, .loop = loop, .trusted = true};
    struct outcome o = {.result = HTTP_PARSE_MORE};
    http_parse_begin(&c);
    while (o.used < input.len && (o.result == HTTP_PARSE_MORE || o.result == HTTP_PARSE_BODY)) {
        struct span part = span_upto(span_from(input, o.used), step);
        size_t used = 0;
        o.result = http_parse_feed(&c, part.ptr, part.len, &used);
        BUG_IF(used > part.len);
        BUG_IF(o.result == HTTP_PARSE_MORE && used != part.len);
        o.used += used;
    }
    const struct http_request *r = &c.exchange->request;
    if (o.result == HTTP_PARSE_REFUSED) {
        o.status = c.refuse_status;
        BUG_IF(o.status < 400 || o.status > 505);
        BUG_IF(c.refuse_why == NULL);
    }
    if (o.result == HTTP_PARSE_DONE) {
        BUG_IF(memchr(r->path.ptr, 0, r->path.len) != NULL);
        BUG_IF(r->path.len == 0);
        o.headers = r->header_count;
        o.body_len = r->body.len;
        o.keep_alive = c.exchange->keep_alive;
        o.cut = r->body_cut;
        o.text = mix(mix(mix(1469598103934665603u, r->target), r->path), r->query);
        for (size_t i = 0; i < r->header_count; i++) o.text = mix(mix(o.text, r->headers[i].name), r->headers[i].value);
        o.text = mix(o.text, r->body);
    }
    http_exchange_release(c.exchange);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_server *server = calloc(1, sizeof *server);
    struct http_loop *loop = calloc(1, sizeof *loop);
    BUG_IF(server == NULL || loop == NULL);
    server->limits = http_limits_default();
    server->limits.header_bytes_max = 512;
    server->limits.headers_max = 8;
    server->limits.body_bytes_keep = 64;
    server->limits.body_bytes_max = 128;
    loop->server = server;
    struct span input = span_make(data, size);
    struct outcome whole = parse_in_steps(loop, input, size), bytes = parse_in_steps(loop, input, 1);
    bool refused = whole.result == HTTP_PARSE_REFUSED || bytes.result == HTTP_PARSE_REFUSED;
    BUG_IF(refused && whole.result != bytes.result);
    BUG_IF((whole.result == HTTP_PARSE_DONE) != (bytes.result == HTTP_PARSE_DONE));
    BUG_IF(!refused && whole.used != bytes.used);
    BUG_IF(whole.headers != bytes.headers || whole.body_len != bytes.body_len);
    BUG_IF(whole.text != bytes.text);
    BUG_IF(whole.keep_alive != bytes.keep_alive || whole.cut != bytes.cut);
    while (loop->free_exchanges) {
        struct http_exchange *next = loop->free_exchanges->next;
        http_exchange_free(loop->free_exchanges);
        loop->free_exchanges = next;
    }
    free(loop);
    free(server);
    return 0;
}
