/* SPDX-License-Identifier: Apache-2.0 */
#include "api/schema.h"

enum { DEPTH_MAX = 12 };

struct schema_reader {
    struct jw *w;
    struct span rest;
    unsigned depth;
};

static bool at(const struct schema_reader *r, char c)
{
    return r->rest.len > 0 && r->rest.ptr[0] == c;
}

static bool eat(struct schema_reader *r, char c)
{
    if (!at(r, c)) return false;
    r->rest = span_from(r->rest, 1);
    return true;
}

static void blanks(struct schema_reader *r)
{
    while (eat(r, ' ')) continue;
}

static struct span word(struct schema_reader *r)
{
    size_t n = 0;
    while (n < r->rest.len && strchr(" :?|()[]{}<>", r->rest.ptr[n]) == NULL) n++;
    struct span out = span_upto(r->rest, n);
    r->rest = span_from(r->rest, n);
    return out;
}

/* The end of the base that begins here, for looking at what stands behind it; 0: it does not end. */
static size_t base_length(struct span text)
{
    size_t depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '(' || c == '[' || c == '{' || c == '<') depth++;
        if (c == ')' || c == ']' || c == '}' || c == '>') {
            if (depth == 0) return i;
            if (--depth == 0) return i + 1;
        } else if (depth == 0 && strchr(" ?:|", c)) {
            return i;
        }
    }
    return depth ? 0 : text.len;
}

static void write_type(struct jw *w, const char *type, bool nullable)
{
    jw_key(w, "type");
    if (!nullable) {
        jw_text(w, type);
        return;
    }
    jw_array(w), jw_text(w, type), jw_text(w, "null"), jw_array_end(w);
}

static bool read_type(struct schema_reader *r);

static bool read_enum(struct schema_reader *r, bool nullable)
{
    (void)eat(r, '(');
    jw_object(r->w);
    write_type(r->w, "string", nullable);
    jw_key(r->w, "enum"), jw_array(r->w);
    do {
        struct span one = word(r);
        if (one.len == 0) return false;
        jw_string(r->w, one);
    } while (eat(r, '|'));
    if (nullable) jw_null(r->w);
    jw_array_end(r->w);
    jw_object_end(r->w);
    return eat(r, ')');
}

static bool read_list(struct schema_reader *r, bool nullable)
{
    (void)eat(r, '[');
    jw_object(r->w);
    write_type(r->w, "array", nullable);
    jw_key(r->w, "items");
    if (!read_type(r)) return false;
    jw_object_end(r->w);
    return eat(r, ']');
}

static bool read_tuple(struct schema_reader *r, bool nullable)
{
    int64_t n = 0;
    (void)eat(r, '<');
    jw_object(r->w);
    write_type(r->w, "array", nullable);
    jw_key(r->w, "prefixItems"), jw_array(r->w);
    for (blanks(r); !at(r, '>'); blanks(r), n++)
        if (!read_type(r)) return false;
    jw_array_end(r->w);
    jw_key(r->w, "items"), jw_bool(r->w, false);
    jw_key(r->w, "minItems"), jw_int(r->w, n);
    jw_object_end(r->w);
    return eat(r, '>');
}

/* The keys that may not be absent, from the members' text; members are skipped, not written. */
static void write_required(struct jw *w, struct span members)
{
    struct schema_reader r = {.w = w, .rest = members};
    bool any = false;
    for (blanks(&r); r.rest.len && !at(&r, '}'); blanks(&r)) {
        struct span key = word(&r);
        bool optional = eat(&r, '?');
        if (!eat(&r, ':')) return;
        r.rest = span_from(r.rest, base_length(r.rest));
        (void)eat(&r, '?');
        if (optional) continue;
        if (!any) jw_key(w, "required"), jw_array(w);
        any = true;
        jw_string(w, key);
    }
    if (any) jw_array_end(w);
}

static bool read_object(struct schema_reader *r, bool nullable)
{
    (void)eat(r, '{');
    struct span members = r->rest;
    jw_object(r->w);
    write_type(r->w, "object", nullable);
    jw_key(r->w, "properties"), jw_object(r->w);
    for (blanks(r); !at(r, '}'); blanks(r)) {
        struct span key = word(r);
        (void)eat(r, '?');
        if (key.len == 0 || !eat(r, ':')) return false;
        jw_key_span(r->w, key);
        if (!read_type(r)) return false;
    }
    jw_object_end(r->w);
    write_required(r->w, members);
    jw_object_end(r->w);
    return eat(r, '}');
}

static bool read_name(struct schema_reader *r, bool nullable)
{
    static const struct {
        const char *word, *type, *format;
    } plain[] = {{"int", "integer", NULL},  {"num", "number", NULL},         {"str", "string", NULL},
                 {"bool", "boolean", NULL}, {"time", "string", "date-time"}, {"day", "string", "date"},
                 {"url", "string", "uri"}};
    struct span name = word(r);
    struct jw *w = r->w;
    if (name.len == 0) return false;
    jw_object(w);
    for (size_t i = 0; i < COUNT(plain); i++) {
        if (!span_is(name, plain[i].word)) continue;
        write_type(w, plain[i].type, nullable);
        if (plain[i].format) jw_key(w, "format"), jw_text(w, plain[i].format);
        jw_object_end(w);
        return true;
    }
    bool reference = name.ptr[0] >= 'A' && name.ptr[0] <= 'Z';
    if (reference) {
        char path[128] = "#/components/schemas/";
        size_t len = strlen(path);
        if (name.len >= sizeof path - len) return false;
        memcpy(path + len, name.ptr, name.len);
        path[len + name.len] = 0;
        if (nullable) jw_key(w, "anyOf"), jw_array(w), jw_object(w);
        jw_key(w, "$ref"), jw_text(w, path);
        if (nullable) jw_object_end(w), jw_object(w), write_type(w, "null", false), jw_object_end(w), jw_array_end(w);
    }
    jw_object_end(w);
    return reference || span_is(name, "any");
}

static bool read_type(struct schema_reader *r)
{
    size_t len = base_length(r->rest);
    if (len == 0 || ++r->depth > DEPTH_MAX) return false;
    bool nullable = len < r->rest.len && r->rest.ptr[len] == '?', ok;
    if (at(r, '(')) ok = read_enum(r, nullable);
    else if (at(r, '[')) ok = read_list(r, nullable);
    else if (at(r, '<')) ok = read_tuple(r, nullable);
    else if (at(r, '{')) ok = read_object(r, nullable);
    else ok = read_name(r, nullable);
    if (nullable) (void)eat(r, '?');
    r->depth--;
    return ok;
}

bool schema_write(struct jw *w, struct span text)
{
    struct schema_reader r = {.w = w, .rest = text};
    return read_type(&r) && r.rest.len == 0;
}
