/* SPDX-License-Identifier: Apache-2.0
 * From bytes to a request: http-parser does the reading, framing.c refuses beforehand what the library would take and
 * others would read differently, and the checks here refuse what is valid grammar but not a request for us.
 *
 * The head is copied into the exchange as it arrives and parsed there, so every name and value is one stable span;
 * body bytes are parsed where they were read and then copied. */
#include "http/escape.h"
#include "http/internal.h"
#include "http/proxy.h"

#include "base/clock.h"

enum { BODY_FIRST_BYTES_MAX = 64 * 1024 }; /* a declared length is not believed beyond this before bytes come */

static int parse_refuse(struct http_connection *c, int status, const char *why)
{
    if (c->refuse_status == 0) {
        c->refuse_status = status;
        c->refuse_why = why;
    }
    return -1;
}

static void span_extend(struct span *s, const char *at, size_t len)
{
    if (s->ptr == NULL) s->ptr = at;
    s->len = (size_t)(at + len - s->ptr);
}

static int on_url(http_parser *p, const char *at, size_t len)
{
    struct http_connection *c = p->data;
    span_extend(&c->exchange->request.target, at, len);
    return 0;
}

static int on_header_field(http_parser *p, const char *at, size_t len)
{
    struct http_connection *c = p->data;
    struct http_exchange *e = c->exchange;
    if (e->head_done) return 0; /* a trailer */
    if (e->header_count == e->value_count) {
        if (e->header_count == c->loop->server->limits.headers_max) return parse_refuse(c, 431, "Too many headers");
        e->headers[e->header_count++] = (struct http_header){.name = {at, 0}};
    }
    span_extend(&e->headers[e->header_count - 1].name, at, len);
    return 0;
}

static int on_header_value(http_parser *p, const char *at, size_t len)
{
    struct http_connection *c = p->data;
    struct http_exchange *e = c->exchange;
    if (e->head_done) return 0;
    if (e->header_count == 0) return parse_refuse(c, 400, "Malformed header");
    e->value_count = e->header_count;
    span_extend(&e->headers[e->header_count - 1].value, at, len);
    return 0;
}

/* RFC 9110's token: http-parser takes a blank in a name. */
static bool is_token(struct span s)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < s.len; i++) {
        char ch = s.ptr[i];
        bool ok = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
        if (!ok && (ch == 0 || strchr(others, ch) == NULL)) return false;
    }
    return s.len > 0;
}

static int check_headers(struct http_connection *c, unsigned *hosts)
{
    struct http_exchange *e = c->exchange;
    unsigned lengths = 0, codings = 0;
    for (size_t i = 0; i < e->header_count; i++) {
        struct http_header *h = &e->headers[i];
        h->value = span_trim(h->value);
        if (!is_token(h->name)) return parse_refuse(c, 400, "A header's name has characters that are not allowed");
        if (span_eq_nocase(h->name, SPAN("Host"))) ++*hosts;
        if (span_eq_nocase(h->name, SPAN("Content-Length"))) lengths++;
        if (span_eq_nocase(h->name, SPAN("Transfer-Encoding"))) {
            if (!span_eq_nocase(h->value, SPAN("chunked")) || codings > 0 || e->minor_0)
                return parse_refuse(c, 400, "The only Transfer-Encoding is chunked, in HTTP/1.1");
            codings++;
        }
        if (span_eq_nocase(h->name, SPAN("Expect"))) {
            if (!span_eq_nocase(h->value, SPAN("100-continue"))) return parse_refuse(c, 417, "Unknown expectation");
            e->expect_continue = !e->minor_0;
        }
    }
    if (lengths + codings > 1) return parse_refuse(c, 400, "Content-Length or Transfer-Encoding, once");
    return 0;
}

/* Path and query from the target: "/a?b", "http://host/a?b", or "*". */
static int split_target(struct http_connection *c)
{
    struct http_request *r = &c->exchange->request;
    struct span rest = r->target;
    if (rest.len > 0 && rest.ptr[0] != '/' && !span_is(rest, "*")) {
        ptrdiff_t scheme = span_find_span(rest, SPAN("://"));
        if (scheme < 0) return parse_refuse(c, 400, "The request's target is not a path");
        rest = span_from(rest, (size_t)scheme + 3);
        size_t host = 0;
        while (host < rest.len && rest.ptr[host] != '/' && rest.ptr[host] != '?' && rest.ptr[host] != '#') host++;
        rest = span_from(rest, host);
    }
    ptrdiff_t fragment = span_find(rest, '#');
    if (fragment >= 0) rest = span_upto(rest, (size_t)fragment);
    ptrdiff_t mark = span_find(rest, '?');
    r->query = mark < 0 ? span_from(rest, rest.len) : span_from(rest, (size_t)mark + 1);
    r->path = mark < 0 ? rest : span_upto(rest, (size_t)mark);
    if (r->path.len == 0) r->path = SPAN("/");
    if (span_find(r->path, '%') < 0) return 0;
    r->path = http_unescape(r->path, false, r->arena);
    BUG_IF(r->path.ptr == NULL);
    if (memchr(r->path.ptr, 0, r->path.len)) return parse_refuse(c, 400, "The path holds a NUL");
    return 0;
}

static enum http_method method_of(unsigned method)
{
    switch (method) {
    case HTTP_GET: return HTTP_M_GET;
    case HTTP_HEAD: return HTTP_M_HEAD;
    case HTTP_POST: return HTTP_M_POST;
    case HTTP_PUT: return HTTP_M_PUT;
    case HTTP_PATCH: return HTTP_M_PATCH;
    case HTTP_DELETE: return HTTP_M_DELETE;
    case HTTP_OPTIONS: return HTTP_M_OPTIONS;
    default: return HTTP_M_OTHER;
    }
}

/* Nobody looks into the body of a crowd's request. */
static size_t body_bytes_keep(const struct http_connection *c)
{
    return c->crowded ? 0 : c->loop->server->limits.body_bytes_keep;
}

static int on_headers_complete(http_parser *p)
{
    struct http_connection *c = p->data;
    struct http_exchange *e = c->exchange;
    struct http_request *r = &e->request;
    const struct http_limits *limits = &c->loop->server->limits;
    unsigned hosts = 0;
    e->head_done = true;
    e->minor_0 = p->http_minor == 0;
    if (p->http_major != 1 || p->http_minor > 1) return parse_refuse(c, 400, "This is an HTTP/1.1 server");
    if (p->method == HTTP_CONNECT) return parse_refuse(c, 400, "CONNECT is for proxies");
    p->upgrade = 0; /* an offer, which is not taken */
    if (check_headers(c, &hosts) != 0) return -1;
    if (hosts > 1 || (hosts == 0 && !e->minor_0)) return parse_refuse(c, 400, "There must be one Host header");
    if (split_target(c) != 0) return -1;
    r->method = method_of(p->method);
    r->method_text = span_of(http_method_str((enum http_parser_method)p->method));
    r->header_count = e->header_count;
    r->tls = c->ssl != NULL;
    if (c->trusted) http_forwarded(&c->loop->server->trusted, r, &r->client, &r->tls);
    e->keep_alive = http_should_keep_alive(p) != 0;
    /* Kept, because a Transfer-Encoding among the trailers would change the library's flag. */
    e->chunked = (p->flags & F_CHUNKED) != 0;
    if (e->chunked || !(p->flags & F_CONTENTLENGTH)) return 0;
    if (p->content_length > limits->body_bytes_max) return parse_refuse(c, 413, "The body is too large");
    r->body_cut = p->content_length > body_bytes_keep(c);
    size_t first = p->content_length < BODY_FIRST_BYTES_MAX ? (size_t)p->content_length : BODY_FIRST_BYTES_MAX;
    if (!r->body_cut && first > 0 && !http_exchange_body_room(e, first))
        return parse_refuse(c, 503, "Too many requests are being read; try again");
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t len)
{
    struct http_connection *c = p->data;
    struct http_exchange *e = c->exchange;
    const struct http_limits *limits = &c->loop->server->limits;
    e->body_seen += len;
    if (e->body_seen > limits->body_bytes_max) return parse_refuse(c, 413, "The body is too large");
    if (e->body_seen > body_bytes_keep(c) && !e->request.body_cut) {
        e->request.body_cut = true;
        http_exchange_body_drop(e);
        e->body_len = 0;
    }
    if (e->request.body_cut) return 0;
    if (!http_exchange_body_room(e, len)) return parse_refuse(c, 503, "Too many requests are being read; try again");
    memcpy(e->body + e->body_len, at, len);
    e->body_len += len;
    return 0;
}

static int on_message_complete(http_parser *p)
{
    struct http_connection *c = p->data;
    struct http_exchange *e = c->exchange;
    e->complete = true;
    e->request.body = span_make(e->body, e->body_len);
    e->request.received_wall_ms = wall_now_ms();
    http_parser_pause(p, 1);
    return 0;
}

static const http_parser_settings parse_settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void http_parse_begin(struct http_connection *c)
{
    (void)http_exchange_take(c);
    http_parser_init(&c->parser, HTTP_REQUEST);
    c->parser.data = c;
    c->head = (struct http_head_scan){.bytes = 0};
    c->chunks = (struct http_chunk_scan){.state = 0};
    c->refuse_status = 0;
}

static enum http_parse parse_run(struct http_connection *c, const char *bytes, size_t len, size_t *used)
{
    *used = http_parser_execute(&c->parser, &parse_settings, bytes, len);
    enum http_errno code = HTTP_PARSER_ERRNO(&c->parser);
    if (code == HPE_HEADER_OVERFLOW) (void)parse_refuse(c, 431, "The headers are too large");
    if (code != HPE_OK && code != HPE_PAUSED) (void)parse_refuse(c, 400, http_errno_description(code));
    if (c->refuse_status != 0) return HTTP_PARSE_REFUSED;
    return c->exchange->complete ? HTTP_PARSE_DONE : HTTP_PARSE_MORE;
}

static enum http_parse parse_head(struct http_connection *c, const char *bytes, size_t len, size_t *used)
{
    struct http_exchange *e = c->exchange;
    const struct http_limits *limits = &c->loop->server->limits;
    size_t take = 0, parsed = 0;
    enum http_scan scan = http_head_scan(&c->head, bytes, len, &take);
    int refused = 0;
    if (scan == HTTP_SCAN_BAD) refused = parse_refuse(c, 400, "Bad line end or folded line in the headers");
    if (c->head.lines > limits->headers_max + 1) refused = parse_refuse(c, 431, "Too many headers");
    if (c->head.bytes > limits->header_bytes_max) refused = parse_refuse(c, 431, "The headers are too large");
    if (refused != 0) return HTTP_PARSE_REFUSED;
    memcpy(e->text + e->text_len, bytes, take);
    enum http_parse result = parse_run(c, e->text + e->text_len, take, &parsed);
    e->text_len += take;
    *used = take;
    if (result == HTTP_PARSE_REFUSED) return result;
    /* Two readers of one head must agree where it ends. */
    if ((scan == HTTP_SCAN_END) != e->head_done || parsed != take) {
        (void)parse_refuse(c, 400, "Malformed headers");
        return HTTP_PARSE_REFUSED;
    }
    return result == HTTP_PARSE_MORE && e->head_done ? HTTP_PARSE_BODY : result;
}

static enum http_parse parse_body(struct http_connection *c, const char *bytes, size_t len, size_t *used)
{
    if (!c->exchange->chunked) return parse_run(c, bytes, len, used);
    size_t take = 0;
    enum http_scan scan = http_chunk_scan(&c->chunks, bytes, len, &take);
    bool long_trailers = c->chunks.trailer_bytes > c->loop->server->limits.header_bytes_max;
    if (scan == HTTP_SCAN_BAD || long_trailers) {
        (void)parse_refuse(c, long_trailers ? 431 : 400, long_trailers ? "Too many trailers" : "Malformed chunks");
        return HTTP_PARSE_REFUSED;
    }
    enum http_parse result = parse_run(c, bytes, take, used);
    if (result != HTTP_PARSE_REFUSED && (scan == HTTP_SCAN_END) != (result == HTTP_PARSE_DONE)) {
        (void)parse_refuse(c, 400, "Malformed chunks");
        return HTTP_PARSE_REFUSED;
    }
    return result;
}

enum http_parse http_parse_feed(struct http_connection *c, const char *bytes, size_t len, size_t *used)
{
    *used = 0;
    return c->exchange->head_done ? parse_body(c, bytes, len, used) : parse_head(c, bytes, len, used);
}

struct span http_header(const struct http_request *r, const char *name)
{
    struct span wanted = span_of(name);
    for (size_t i = 0; i < r->header_count; i++)
        if (span_eq_nocase(r->headers[i].name, wanted)) return r->headers[i].value;
    return (struct span){NULL, 0};
}
