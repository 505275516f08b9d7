/* SPDX-License-Identifier: Apache-2.0 */
#include "api/openapi.h"

#include "api/schema.h"
#include "query/subview.h"
#include "query/tables.h"

#include <stdio.h>

static const struct operation operations[] = {
#define SCHEMA(name, type)
#define PARAM(name, wire, type, meaning)
#define PATH(name, type, meaning)
#define OPERATION(handler, status, params, body, reply, example) {#handler, status, params, body, reply, example},
#include "api/openapi.def"
#undef OPERATION
#undef PATH
#undef PARAM
#undef SCHEMA
};

static const struct parameter parameters[] = {
#define SCHEMA(name, type)
#define PARAM(name, wire, type, meaning) {#name, wire, type, meaning},
#define PATH(name, type, meaning)
#define OPERATION(handler, status, params, body, reply, example)
#include "api/openapi.def"
#undef OPERATION
#undef PATH
#undef PARAM
#undef SCHEMA
};

static const struct parameter path_parameters[] = {
#define SCHEMA(name, type)
#define PARAM(name, wire, type, meaning)
#define PATH(name, type, meaning) {#name, #name, type, meaning},
#define OPERATION(handler, status, params, body, reply, example)
#include "api/openapi.def"
#undef OPERATION
#undef PATH
#undef PARAM
#undef SCHEMA
};

static const struct schema schemas[] = {
#define SCHEMA(name, type) {#name, type},
#define PARAM(name, wire, type, meaning)
#define PATH(name, type, meaning)
#define OPERATION(handler, status, params, body, reply, example)
#include "api/openapi.def"
#undef OPERATION
#undef PATH
#undef PARAM
#undef SCHEMA
};

/* The view detail, as video_views.c prints it. */
#define TYPE_NATIVE_LC "str?"
#define TYPE_NATIVE_STR "str?"
#define TYPE_NATIVE_I32 "int?"
#define TYPE_NATIVE_I64 "int?"
#define TYPE_NATIVE_F64 "num?"
#define TYPE_NATIVE_NBOOL "bool?"
#define DETAIL_NATIVE(kind, rest) rest ":" TYPE_NATIVE_##kind " "
#define DETAIL_NUMBER_TEXT(kind, rest) rest ":str? "
#define DETAIL_TEXT_OR_EMPTY(kind, rest) rest ":str "
#define DETAIL_FALSE_IF_NULL(kind, rest) rest ":bool "
#define DETAIL_OWN(kind, rest) ""
#define DETAIL_HIDDEN(kind, rest) ""
static const char view_detail[] =
    "{id:str environment_id:str property_id:int view_start:time view_end:time inserted_at:time updated_at:time "
    "short_time:time "
    "player_load_time:int? view_error_id:int? buffering_rate:str? rebuffer_percentage:str? ad_error_percentage:str? "
    "ad_break_error_percentage:str? ad_startup_error_percentage:str? ad_exit_before_start_percentage:str? "
    "platform_summary:str? platform_description:str? isp:str? metro:str? player_source_stream_type:str? "
    "video_cdn_trace:[str] "
#define COL(name, kind, rest, form, meaning) DETAIL_##form(kind, rest)
#include "views/columns.def"
#undef COL
    "events:[ViewEvent]}";

const struct operation *operation_of(const struct route *route)
{
    for (size_t i = 0; i < COUNT(operations); i++)
        if (strcmp(operations[i].handler, route->handler_name) == 0) return &operations[i];
    return NULL;
}

static const struct parameter *find_in(const struct parameter *list, size_t n, struct span name)
{
    for (size_t i = 0; i < n; i++)
        if (span_is(name, list[i].name)) return &list[i];
    return NULL;
}

const struct parameter *parameter_find(struct span name)
{
    return find_in(parameters, COUNT(parameters), name);
}

const struct parameter *path_parameter_find(struct span name)
{
    return find_in(path_parameters, COUNT(path_parameters), name);
}

bool params_next(struct span *rest, struct span *name, bool *required)
{
    if (rest->len == 0) return false;
    ptrdiff_t blank = span_find(*rest, ' ');
    *name = blank < 0 ? *rest : span_upto(*rest, (size_t)blank);
    *rest = blank < 0 ? (struct span){NULL, 0} : span_from(*rest, (size_t)blank + 1);
    *required = span_ends(*name, SPAN("!"));
    if (*required) name->len--;
    return true;
}

size_t schema_count(void)
{
    return COUNT(schemas);
}

const struct schema *schema_at(size_t i)
{
    return &schemas[i];
}

const struct schema *schema_find(struct span name)
{
    for (size_t i = 0; i < COUNT(schemas); i++)
        if (span_is(name, schemas[i].name)) return &schemas[i];
    return NULL;
}

const char *schema_view_detail(void)
{
    return view_detail;
}

void example_split(const char *example, struct span *target, struct span *body)
{
    struct span whole = span_of(example);
    ptrdiff_t blank = span_find(whole, ' ');
    *target = blank < 0 ? whole : span_upto(whole, (size_t)blank);
    *body = blank < 0 ? (struct span){NULL, 0} : span_from(whole, (size_t)blank + 1);
}

/* -- the document -- */

static void write_reference(struct jw *w, const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "#/components/schemas/%s", name);
    jw_object(w);
    jw_key(w, "$ref"), jw_text(w, path);
    jw_object_end(w);
}

static bool write_parameter(struct jw *w, const struct parameter *p, bool in_path, bool required)
{
    jw_object(w);
    jw_key(w, "name"), jw_text(w, p->wire);
    jw_key(w, "in"), jw_text(w, in_path ? "path" : "query");
    jw_key(w, "description"), jw_text(w, p->meaning);
    if (required) jw_key(w, "required"), jw_bool(w, true);
    jw_key(w, "schema");
    bool ok = schema_write(w, span_of(p->type));
    jw_object_end(w);
    return ok;
}

static bool write_path_parameters(struct jw *w, struct span path)
{
    for (ptrdiff_t open; (open = span_find(path, '{')) >= 0;) {
        path = span_from(path, (size_t)open + 1);
        ptrdiff_t close = span_find(path, '}');
        const struct parameter *p = close < 0 ? NULL : path_parameter_find(span_upto(path, (size_t)close));
        if (p == NULL || !write_parameter(w, p, true, true)) return false;
        path = span_from(path, (size_t)close);
    }
    return true;
}

static bool write_parameters(struct jw *w, const struct route *route, const struct operation *o)
{
    jw_key(w, "parameters"), jw_array(w);
    bool ok = write_path_parameters(w, span_of(route->path));
    struct span rest = span_of(o->params), name;
    for (bool required; ok && params_next(&rest, &name, &required);) {
        const struct parameter *p = parameter_find(name);
        ok = p && write_parameter(w, p, false, required);
    }
    jw_array_end(w);
    return ok;
}

static void write_content(struct jw *w, const char *type, const char *schema)
{
    jw_key(w, "content"), jw_object(w);
    jw_key(w, type), jw_object(w);
    if (schema) jw_key(w, "schema"), write_reference(w, schema);
    jw_object_end(w);
    jw_object_end(w);
}

static void write_responses(struct jw *w, const struct route *route, const struct operation *o)
{
    char status[12];
    (void)snprintf(status, sizeof status, "%d", o->status);
    jw_key(w, "responses"), jw_object(w);
    jw_key(w, status), jw_object(w);
    jw_key(w, "description"), jw_text(w, o->status == 204 ? "Done; no body" : "The answer");
    if (strcmp(o->reply, "File") == 0) write_content(w, "application/octet-stream", NULL);
    else if (strcmp(o->reply, "Page") == 0) write_content(w, "text/html", NULL);
    else if (o->reply[0]) write_content(w, "application/json", o->reply);
    jw_object_end(w);
    if (route->method == HTTP_M_GET && o->status == 200) {
        jw_key(w, "304"), jw_object(w);
        jw_key(w, "description"), jw_text(w, "The answer is the one whose ETag If-None-Match named; no body");
        jw_object_end(w);
    }
    jw_key(w, "default"), jw_object(w);
    jw_key(w, "description"), jw_text(w, "A refusal");
    write_content(w, "application/json", "Error");
    jw_object_end(w);
    jw_object_end(w);
}

static const char *access_text(enum access access)
{
    switch (access) {
    case ACCESS_OPEN: return "none";
    case ACCESS_ANY: return "any credential";
    case ACCESS_PERSON: return "a signed-in person";
#define PERMISSION(name, text, role, help)                                                                             \
    case ACCESS_##name:                                                                                                \
        return text;
#include "accounts/permissions.def"
#undef PERMISSION
    }
    return "";
}

/* "api_metrics_overall" is metrics_overall; a second route of one handler gets its path's first segment in front. */
static void write_operation_id(struct jw *w, size_t at)
{
    char id[160];
    const struct route *route = route_at(at);
    bool again = false;
    for (size_t i = 0; i < at; i++) again = again || strcmp(route_at(i)->handler_name, route->handler_name) == 0;
    struct span path = span_from(span_of(route->path), 1);
    ptrdiff_t slash = span_find(path, '/');
    bool filters = span_find_span(path, SPAN("/filters")) >= 0;
    struct span prefix = !again      ? SPAN("")
                         : filters   ? SPAN("filters")
                         : slash < 0 ? path
                                     : span_upto(path, (size_t)slash);
    (void)snprintf(id, sizeof id, "%.*s%s%s", SPAN_ARG(prefix), again ? "_" : "", route->handler_name + strlen("api_"));
    jw_key(w, "operationId"), jw_text(w, id);
}

static bool write_operation(struct jw *w, size_t at)
{
    static const char *const methods[] = {"get", "head", "post", "put", "patch", "delete", "options", "other"};
    const struct route *route = route_at(at);
    const struct operation *o = operation_of(route);
    if (o == NULL) return false;
    struct span target, body;
    example_split(o->example, &target, &body);
    jw_key(w, methods[route->method]), jw_object(w);
    write_operation_id(w, at);
    jw_key(w, "tags"), jw_array(w), jw_text(w, route->tag), jw_array_end(w);
    jw_key(w, "summary"), jw_text(w, route->summary);
    if (strstr(route->summary, "(deprecated")) jw_key(w, "deprecated"), jw_bool(w, true);
    jw_key(w, "x-permission"), jw_text(w, access_text(route->access));
    jw_key(w, "x-example"), jw_string(w, target);
    if (route->access == ACCESS_OPEN) jw_key(w, "security"), jw_array(w), jw_array_end(w);
    bool ok = write_parameters(w, route, o);
    if (o->body[0]) {
        jw_key(w, "requestBody"), jw_object(w);
        jw_key(w, "required"), jw_bool(w, true);
        jw_key(w, "content"), jw_object(w), jw_key(w, "application/json"), jw_object(w);
        jw_key(w, "schema"), write_reference(w, o->body);
        if (body.len) jw_key(w, "example"), jw_raw(w, body);
        jw_object_end(w), jw_object_end(w), jw_object_end(w);
    }
    write_responses(w, route, o);
    jw_object_end(w);
    return ok && (o->body[0] == 0 || schema_find(span_of(o->body)));
}

/* Routes of one path stand together in the document, wherever they stand in routes.def. */
static bool write_paths(struct jw *w)
{
    jw_key(w, "paths"), jw_object(w);
    for (size_t i = 0; i < route_count(); i++) {
        bool first = true;
        for (size_t k = 0; k < i; k++) first = first && strcmp(route_at(k)->path, route_at(i)->path) != 0;
        if (!first) continue;
        jw_key(w, route_at(i)->path), jw_object(w);
        for (size_t k = i; k < route_count(); k++)
            if (strcmp(route_at(k)->path, route_at(i)->path) == 0 && !write_operation(w, k)) return false;
        jw_object_end(w);
    }
    jw_object_end(w);
    return true;
}

static void write_metric_ids(struct jw *w)
{
    jw_key(w, "MetricId"), jw_object(w);
    jw_key(w, "type"), jw_text(w, "string");
    jw_key(w, "enum"), jw_array(w);
#define METRIC(id, kind, a, b, population, clock, better, measure, unit, filterable, meaning) jw_text(w, #id);
#define ALIAS(name, id) jw_text(w, #name);
#include "query/metrics.def"
#undef METRIC
#undef ALIAS
    jw_array_end(w);
    jw_key(w, "x-metrics"), jw_array(w);
    for (size_t i = 0; i < metric_count(); i++) {
        const struct metric *m = metric_at(i);
        jw_object(w);
        jw_key(w, "id"), jw_text(w, m->id);
        jw_key(w, "unit"), jw_text(w, metric_unit_name(m->unit));
        jw_key(w, "measurement"), jw_text(w, measure_name(m->measure));
        jw_key(w, "aggregation"), jw_text(w, m->clock == CLOCK_START ? "view_start" : "view_end");
        jw_key(w, "better"), jw_text(w, m->better == BETTER_HIGHER ? "higher" : "lower");
        jw_key(w, "metric_filter"), jw_bool(w, m->filterable);
        jw_key(w, "meaning"), jw_text(w, m->meaning);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
}

static void write_dimension_ids(struct jw *w, const char *schema, size_t n, const struct dimension *(*at)(size_t))
{
    jw_key(w, schema), jw_object(w);
    jw_key(w, "type"), jw_text(w, "string");
    jw_key(w, "enum"), jw_array(w);
    for (size_t i = 0; i < n; i++) jw_text(w, at(i)->id);
    jw_array_end(w);
    jw_object_end(w);
}

static bool write_schemas(struct jw *w)
{
    bool ok = true;
    jw_key(w, "schemas"), jw_object(w);
    for (size_t i = 0; ok && i < COUNT(schemas); i++) {
        jw_key(w, schemas[i].name);
        ok = schema_write(w, span_of(schemas[i].text));
    }
    jw_key(w, "VideoViewDetail");
    ok = ok && schema_write(w, SPAN(view_detail));
    write_metric_ids(w);
    write_dimension_ids(w, "DimensionId", dimension_count(), dimension_at);
    write_dimension_ids(w, "SubviewDimension", subview_view_dimension_count(), subview_view_dimension_at);
    jw_object_end(w);
    return ok;
}

static void write_security(struct jw *w)
{
    static const struct {
        const char *name, *type, *key, *value, *in, *meaning;
    } schemes[] = {
        {"token", "http", "scheme", "basic", NULL, "An access token: its id as user name, its secret as password."},
        {"session", "http", "scheme", "bearer", NULL, "A session's token, from POST /api/sessions."},
        {"beta", "apiKey", "name", "beta-auth-token", "header", "The same, as the API of 2017 had it."},
        {"cookie", "apiKey", "name", "firstframe_session", "cookie", "The dashboard's session."},
    };
    jw_key(w, "securitySchemes"), jw_object(w);
    for (size_t i = 0; i < COUNT(schemes); i++) {
        jw_key(w, schemes[i].name), jw_object(w);
        jw_key(w, "type"), jw_text(w, schemes[i].type);
        jw_key(w, schemes[i].key), jw_text(w, schemes[i].value);
        if (schemes[i].in) jw_key(w, "in"), jw_text(w, schemes[i].in);
        jw_key(w, "description"), jw_text(w, schemes[i].meaning);
        jw_object_end(w);
    }
    jw_object_end(w);
    jw_object_end(w); /* components */
    jw_key(w, "security"), jw_array(w);
    for (size_t i = 0; i < COUNT(schemes); i++) {
        jw_object(w);
        jw_key(w, schemes[i].name), jw_array(w), jw_array_end(w);
        jw_object_end(w);
    }
    jw_array_end(w);
}

bool openapi_write(struct jw *w, const char *public_url)
{
    jw_object(w);
    jw_key(w, "openapi"), jw_text(w, "3.1.0");
    jw_key(w, "info"), jw_object(w);
    jw_key(w, "title"), jw_text(w, "Firstframe");
    jw_key(w, "version"), jw_text(w, FF_VERSION);
    jw_key(w, "description"), jw_text(w, "Video quality of experience: everything the dashboard shows.");
    jw_object_end(w);
    jw_key(w, "servers"), jw_array(w), jw_object(w);
    jw_key(w, "url"), jw_text(w, public_url);
    jw_object_end(w), jw_array_end(w);
    if (!write_paths(w)) return false;
    jw_key(w, "components"), jw_object(w);
    if (!write_schemas(w)) return false;
    write_security(w);
    jw_object_end(w);
    return true;
}
