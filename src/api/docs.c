/* SPDX-License-Identifier: Apache-2.0
 * GET /openapi.json, and GET /docs: the same as a page. The page needs no script and fetches nothing but its own style
 * sheet, so that the strictest content security policy holds. */
#include "api/openapi.h"

#include "query/subview.h"
#include "query/tables.h"

#include <stdio.h>

static const char content_security_policy[] =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const char style[] =
    ":root{color-scheme:light dark;--line:#8884;--dim:#777;--accent:#1f6feb}"
    "body{margin:0;font:15px/1.5 system-ui,sans-serif;display:grid;grid-template-columns:17rem minmax(0,1fr)}"
    "nav{position:sticky;top:0;height:100vh;overflow:auto;border-right:1px solid "
    "var(--line);padding:1rem;box-sizing:border-box}"
    "nav h2{font-size:.8rem;text-transform:uppercase;color:var(--dim);margin:1rem 0 .25rem}"
    "nav a{display:block;color:inherit;text-decoration:none;font-size:.85rem;padding:.1rem 0}"
    "nav a:hover,nav a:focus{color:var(--accent)}"
    "main{padding:1rem 2rem;max-width:60rem}"
    "section{border-top:1px solid var(--line);padding:1rem 0}"
    "h3{margin:.2rem 0;font-size:1.05rem;overflow-wrap:anywhere}"
    "code,pre{font:13px/1.45 ui-monospace,monospace}"
    "pre{background:#8881;padding:.6rem "
    ".8rem;border-radius:6px;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;"
    "border-bottom:1px solid var(--line);overflow-wrap:anywhere}"
    ".method{display:inline-block;min-width:4.2em;color:var(--accent);font-weight:600}.dim{color:var(--dim)}"
    "@media(max-width:50rem){body{display:block}nav{position:static;height:auto}}";

void api_openapi(struct api_call *c)
{
    if (!openapi_write(&c->json, c->public_url)) api_fail(c, 500, "The document cannot be made.");
}

void api_docs_style(struct api_call *c)
{
    c->content_type = "text/css; charset=utf-8";
    buf_adds(&c->body, style);
}

/* -- the page -- */

static void html(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '&': buf_adds(out, "&amp;"); break;
        case '<': buf_adds(out, "&lt;"); break;
        case '>': buf_adds(out, "&gt;"); break;
        case '"': buf_adds(out, "&quot;"); break;
        case '\'': buf_adds(out, "&#39;"); break;
        default: buf_addc(out, text.ptr[i]);
        }
    }
}

static void html_text(struct buf *out, const char *text)
{
    html(out, span_of(text));
}

static const char *method_name(enum http_method method)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", ""};
    return names[method];
}

static bool first_of_tag(size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(route_at(i)->tag, route_at(at)->tag) == 0) return false;
    return true;
}

static void print_nav(struct buf *out)
{
    buf_adds(
        out,
        "<nav><strong>Firstframe API</strong> <a href=\"#metrics\">Metrics</a><a href=\"#dimensions\">Dimensions</a>"
        "<a href=\"#schemas\">Schemas</a><a href=\"/openapi.json\">openapi.json</a>");
    for (size_t i = 0; i < route_count(); i++) {
        if (!first_of_tag(i)) continue;
        buf_adds(out, "<h2>"), html_text(out, route_at(i)->tag), buf_adds(out, "</h2>");
        for (size_t k = i; k < route_count(); k++) {
            if (strcmp(route_at(k)->tag, route_at(i)->tag) != 0) continue;
            buf_addf(out, "<a href=\"#r%zu\">", k);
            html_text(out, route_at(k)->summary);
            buf_adds(out, "</a>");
        }
    }
    buf_adds(out, "</nav>");
}

static void print_parameter(struct buf *out, const struct parameter *p, const char *where)
{
    buf_adds(out, "<tr><td><code>"), html_text(out, p->wire);
    buf_addf(out, "</code> <span class=\"dim\">%s</span></td><td><code>", where);
    html_text(out, p->type), buf_adds(out, "</code></td><td>"), html_text(out, p->meaning), buf_adds(out, "</td></tr>");
}

static void print_parameters(struct buf *out, const struct route *route, const struct operation *o)
{
    struct span path = span_of(route->path);
    if (o->params[0] == 0 && span_find(path, '{') < 0) return;
    buf_adds(out, "<table>");
    for (ptrdiff_t open; (open = span_find(path, '{')) >= 0;) {
        path = span_from(path, (size_t)open + 1);
        ptrdiff_t close = span_find(path, '}');
        const struct parameter *p = close < 0 ? NULL : path_parameter_find(span_upto(path, (size_t)close));
        if (p) print_parameter(out, p, "path");
    }
    struct span rest = span_of(o->params), name;
    for (bool required; params_next(&rest, &name, &required);) {
        const struct parameter *p = parameter_find(name);
        if (p) print_parameter(out, p, required ? "required" : "");
    }
    buf_adds(out, "</table>");
}

static void print_example(struct buf *out, const struct api_call *c, const struct route *route,
                          const struct operation *o)
{
    struct span target, body;
    example_split(o->example, &target, &body);
    buf_adds(out, "<pre>curl -g ");
    if (route->access != ACCESS_OPEN) buf_adds(out, "-u TOKEN_ID:TOKEN_SECRET ");
    if (route->method != HTTP_M_GET) buf_addf(out, "-X %s ", method_name(route->method));
    if (body.len)
        buf_adds(out, "-H &#39;content-type: application/json&#39; -d &#39;"), html(out, body), buf_adds(out, "&#39; ");
    buf_adds(out, "&#39;"), html_text(out, c->public_url), html(out, target), buf_adds(out, "&#39;</pre>");
}

static void print_schema_link(struct buf *out, const char *what, const char *name, const char *text)
{
    buf_addf(out, "<p>%s <a href=\"#s-%s\"><code>%s</code></a></p>", what, name, name);
    if (text) buf_adds(out, "<pre>"), html_text(out, text), buf_adds(out, "</pre>");
}

static void print_operation(struct buf *out, const struct api_call *c, size_t at)
{
    const struct route *route = route_at(at);
    const struct operation *o = operation_of(route);
    if (o == NULL) return;
    const struct schema *reply = schema_find(span_of(o->reply)), *body = schema_find(span_of(o->body));
    buf_addf(out, "<section id=\"r%zu\"><h3><span class=\"method\">%s</span> <code>", at, method_name(route->method));
    html_text(out, route->path);
    buf_adds(out, "</code></h3><p>"), html_text(out, route->summary), buf_adds(out, ".");
    if (route->access > ACCESS_PERSON) {
        buf_adds(out, " <span class=\"dim\">Needs ");
        buf_adds(out, permission_text((enum permission_bit)(route->access - ACCESS_PERSON - 1)));
        buf_adds(out, ".</span>");
    }
    buf_adds(out, "</p>");
    print_parameters(out, route, o);
    if (body) print_schema_link(out, "Body", body->name, body->text);
    print_example(out, c, route, o);
    if (reply) {
        char words[40];
        (void)snprintf(words, sizeof words, "%d", o->status);
        print_schema_link(out, words, reply->name, reply->text);
    } else {
        buf_addf(out, "<p>%d%s</p>", o->status, o->status == 204 ? ", no body" : "");
    }
    buf_adds(out, "</section>");
}

static void print_metrics(struct buf *out)
{
    buf_adds(
        out,
        "<section id=\"metrics\"><h2>Metrics</h2><table><tr><th>id</th><th>unit</th><th>default</th><th>counts by</th>"
        "<th>better</th><th></th></tr>");
    for (size_t i = 0; i < metric_count(); i++) {
        const struct metric *m = metric_at(i);
        buf_addf(out, "<tr><td><code>%s</code></td><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>", m->id,
                 metric_unit_name(m->unit), measure_name(m->measure),
                 m->clock == CLOCK_START ? "view start" : "view end", m->better == BETTER_HIGHER ? "more" : "less");
        html_text(out, m->meaning), buf_adds(out, "</td></tr>");
    }
    buf_adds(out, "</table></section>");
}

static void print_dimensions(struct buf *out)
{
    buf_adds(out, "<section id=\"dimensions\"><h2>Dimensions</h2><p>");
    for (size_t i = 0; i < dimension_count(); i++)
        buf_addf(out, "%s<code>%s</code>", i ? ", " : "", dimension_at(i)->id);
    buf_adds(out, "</p><p>Subviews are compared by ");
    for (size_t i = 0; i < subview_view_dimension_count(); i++)
        buf_addf(out, "%s<code>%s</code>", i ? ", " : "", subview_view_dimension_at(i)->id);
    buf_adds(out, ".</p></section>");
}

static void print_schema(struct buf *out, const char *name, const char *text)
{
    buf_addf(out, "<h3 id=\"s-%s\"><code>%s</code></h3><pre>", name, name);
    html_text(out, text), buf_adds(out, "</pre>");
}

static void print_schemas(struct buf *out)
{
    buf_adds(
        out,
        "<section id=\"schemas\"><h2>Schemas</h2><p><code>T?</code> may be null, <code>key?:T</code> may be absent, "
        "<code>[T]</code> is a list, <code>&lt;A B&gt;</code> a list of exactly these, <code>(a|b)</code> one of these "
        "texts; "
        "<code>time</code> is ISO 8601 in UTC, durations are milliseconds, percentages and scores fractions.</p>");
    for (size_t i = 0; i < schema_count(); i++) print_schema(out, schema_at(i)->name, schema_at(i)->text);
    print_schema(out, "VideoViewDetail", schema_view_detail());
    buf_adds(out, "</section>");
}

void api_docs(struct api_call *c)
{
    struct buf *out = &c->body;
    c->content_type = "text/html; charset=utf-8";
    api_header(c, "Content-Security-Policy", content_security_policy);
    buf_adds(out, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Firstframe API</title>"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
                  "<link rel=\"stylesheet\" href=\"/docs/style.css\"></head><body>");
    print_nav(out);
    buf_adds(out,
             "<main><h1>Firstframe API</h1><p>Everything the dashboard shows, by HTTP. Send an access token with HTTP "
             "Basic, or the "
             "token of a session as <code>Authorization: Bearer</code> or <code>beta-auth-token</code>. Refusals are "
             "<code>{\"error\":{\"type\",\"messages\"}}</code>.</p>");
    for (size_t i = 0; i < route_count(); i++) print_operation(out, c, i);
    print_metrics(out);
    print_dimensions(out);
    print_schemas(out);
    buf_adds(out, "</main></body></html>");
}
