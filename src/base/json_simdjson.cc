// SPDX-License-Identifier: Apache-2.0
// The one C++ file: walks simdjson's on-demand document into the flat node array of json.h.
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <simdjson.h>

extern "C" {
#include "base/json.h"
}

using namespace simdjson;

struct json_parser {
    ondemand::parser parser;
    std::vector<json_node> nodes;
    char *padded = nullptr; // copy of the text with simdjson's padding
    size_t padded_cap = 0;
    char *strings = nullptr; // unescaped strings; never longer in all than the text times 3 (lone surrogates)
    size_t strings_cap = 0, strings_len = 0;
    uint32_t nodes_max = 0;
    const char *why = nullptr;
};

namespace {

void put_utf8(char *&out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = char(c);
    } else if (c < 0x800) {
        *out++ = char(0xC0 | (c >> 6));
        *out++ = char(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *out++ = char(0xE0 | (c >> 12));
        *out++ = char(0x80 | ((c >> 6) & 0x3F));
        *out++ = char(0x80 | (c & 0x3F));
    } else {
        *out++ = char(0xF0 | (c >> 18));
        *out++ = char(0x80 | ((c >> 12) & 0x3F));
        *out++ = char(0x80 | ((c >> 6) & 0x3F));
        *out++ = char(0x80 | (c & 0x3F));
    }
}

bool hex4(const char *p, const char *end, uint32_t &out)
{
    if (end - p < 4) return false;
    auto r = std::from_chars(p, p + 4, out, 16);
    return r.ec == std::errc() && r.ptr == p + 4;
}

// The characters between the quotes, unescaped; a lone surrogate escape becomes U+FFFD.
bool unescape(json_parser &p, const char *from, const char *end, span &out)
{
    char *start = p.strings + p.strings_len, *at = start;
    while (from < end) {
        if ((unsigned char)*from < 0x20) return false;
        if (*from != '\\') {
            *at++ = *from++;
            continue;
        }
        if (++from == end) return false;
        uint32_t c = 0, low = 0;
        switch (*from++) {
        case '"': *at++ = '"'; break;
        case '\\': *at++ = '\\'; break;
        case '/': *at++ = '/'; break;
        case 'b': *at++ = '\b'; break;
        case 'f': *at++ = '\f'; break;
        case 'n': *at++ = '\n'; break;
        case 'r': *at++ = '\r'; break;
        case 't': *at++ = '\t'; break;
        case 'u':
            if (!hex4(from, end, c)) return false;
            from += 4;
            if (c >= 0xD800 && c < 0xDC00 && end - from >= 6 && from[0] == '\\' && from[1] == 'u' &&
                hex4(from + 2, end, low) && low >= 0xDC00 && low < 0xE000) {
                c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
                from += 6;
            } else if (c >= 0xD800 && c < 0xE000) {
                c = 0xFFFD;
            }
            put_utf8(at, c);
            break;
        default: return false;
        }
    }
    out = {start, size_t(at - start)};
    p.strings_len += size_t(at - start);
    return true;
}

bool fail(json_parser &p, const char *why)
{
    if (p.why == nullptr) p.why = why;
    return false;
}

bool add(json_parser &p, uint8_t type, size_t &index)
{
    if (p.nodes.size() >= p.nodes_max) return fail(p, "too many values");
    index = p.nodes.size();
    p.nodes.push_back(json_node{});
    p.nodes.back().type = type;
    return true;
}

// raw: the token from its opening quote on, possibly with what follows up to the next token.
bool string_token(json_parser &p, std::string_view raw, json_node &node)
{
    if (raw.size() < 2 || raw[0] != '"') return fail(p, "not a string");
    const char *from = raw.data() + 1, *limit = raw.data() + raw.size(), *end = from;
    bool escaped = false;
    while (end < limit && *end != '"') {
        if ((unsigned char)*end < 0x20) return fail(p, "control character in a string");
        if (*end == '\\') escaped = true, end++;
        end++;
    }
    if (end >= limit) return fail(p, "unclosed string");
    node.raw = {raw.data(), size_t(end + 1 - raw.data())};
    if (escaped) return unescape(p, from, end, node.v.s) || fail(p, "bad escape in a string");
    node.v.s = {from, size_t(end - from)};
    return true;
}

struct span trimmed(std::string_view raw)
{
    return span_trim(span_make(raw.data(), raw.size()));
}

bool scalar(json_parser &p, ondemand::value value, ondemand::json_type type, size_t index)
{
    json_node &node = p.nodes[index];
    std::string_view raw = value.raw_json_token();
    switch (type) {
    case ondemand::json_type::string: node.type = JSON_STRING; return string_token(p, raw, node);
    case ondemand::json_type::null:
        node.raw = trimmed(raw);
        if (!span_is(node.raw, "null")) return fail(p, "not JSON");
        node.type = JSON_NULL;
        return true;
    case ondemand::json_type::boolean: {
        node.raw = trimmed(raw);
        if (!span_is(node.raw, "true") && !span_is(node.raw, "false")) return fail(p, "not JSON");
        node.type = node.raw.len == 4 ? JSON_TRUE : JSON_FALSE;
        return true;
    }
    case ondemand::json_type::number: {
        node.raw = trimmed(raw);
        int64_t i;
        double d;
        if (!value.get_int64().get(i)) {
            node.type = JSON_INT;
            node.v.i = i;
            return true;
        }
        if (value.get_double().get(d)) return fail(p, "bad number");
        node.type = JSON_DOUBLE;
        node.v.d = d;
        return true;
    }
    case ondemand::json_type::array:
    case ondemand::json_type::object: break;
    }
    return fail(p, "not JSON");
}

bool walk(json_parser &p, ondemand::value value, unsigned depth);

bool walk_object(json_parser &p, ondemand::object object, size_t index, unsigned depth)
{
    uint32_t count = 0;
    for (auto item : object) {
        ondemand::field field;
        if (std::move(item).get(field)) return fail(p, "bad object");
        size_t key;
        if (!add(p, JSON_STRING, key)) return false;
        // key() is the raw key without its quotes; the quote before and after it are in the text.
        const char *name = field.key().raw();
        std::string_view token(name - 1, size_t(p.padded + p.padded_cap - (name - 1)));
        if (!string_token(p, token, p.nodes[key])) return false;
        p.nodes[key].next = uint32_t(key + 1);
        if (!walk(p, field.value(), depth + 1)) return false;
        count++;
    }
    p.nodes[index].count = count;
    return true;
}

bool walk_array(json_parser &p, ondemand::array array, size_t index, unsigned depth)
{
    uint32_t count = 0;
    for (auto item : array) {
        ondemand::value value;
        if (item.get(value)) return fail(p, "bad array");
        if (!walk(p, value, depth + 1)) return false;
        count++;
    }
    p.nodes[index].count = count;
    return true;
}

bool walk(json_parser &p, ondemand::value value, unsigned depth)
{
    if (depth > JSON_DEPTH_MAX) return fail(p, "nested too deeply");
    ondemand::json_type type;
    if (value.type().get(type)) return fail(p, "not JSON");
    size_t index;
    if (!add(p, JSON_NULL, index)) return false;
    bool ok;
    if (type == ondemand::json_type::object || type == ondemand::json_type::array) {
        bool is_object = type == ondemand::json_type::object;
        p.nodes[index].type = is_object ? JSON_OBJECT : JSON_ARRAY;
        const char *start = value.raw_json_token().data();
        if (is_object) {
            ondemand::object object;
            ok = !value.get_object().get(object) && walk_object(p, object, index, depth);
        } else {
            ondemand::array array;
            ok = !value.get_array().get(array) && walk_array(p, array, index, depth);
        }
        if (!ok) return fail(p, "not JSON");
        // The closing bracket is the last one before the next token; find it from the last child's end.
        const json_node &last = p.nodes.back();
        const char *end = &last == &p.nodes[index] ? start + 1 : last.raw.ptr + last.raw.len;
        while (*end != (is_object ? '}' : ']')) end++;
        p.nodes[index].raw = {start, size_t(end + 1 - start)};
    } else {
        ok = scalar(p, value, type, index);
    }
    p.nodes[index].next = uint32_t(p.nodes.size());
    return ok;
}

bool reserve(json_parser &p, struct span text)
{
    size_t need = text.len + SIMDJSON_PADDING;
    if (need > p.padded_cap) {
        free(p.padded);
        p.padded = (char *)malloc(need);
        p.padded_cap = p.padded ? need : 0;
    }
    if (text.len > p.strings_cap) {
        free(p.strings);
        p.strings = (char *)malloc(text.len);
        p.strings_cap = p.strings ? text.len : 0;
    }
    return p.padded != nullptr && (text.len == 0 || p.strings != nullptr);
}

} // namespace

extern "C" struct json_parser *json_parser_new(void)
{
    return new json_parser;
}

extern "C" void json_parser_free(struct json_parser *p)
{
    if (p == nullptr) return;
    free(p->padded);
    free(p->strings);
    delete p;
}

extern "C" bool json_parse(struct json_parser *p, struct span text, uint32_t nodes_max, struct json_doc *out,
                           const char **why)
{
    p->nodes.clear();
    p->strings_len = 0;
    p->nodes_max = nodes_max;
    p->why = nullptr;
    *out = {nullptr, 0};
    bool ok = false;
    if (!reserve(*p, text)) {
        p->why = "too large";
    } else if (!simdjson::validate_utf8(text.ptr ? text.ptr : "", text.len)) {
        p->why = "not UTF-8";
    } else {
        if (text.len) memcpy(p->padded, text.ptr, text.len);
        memset(p->padded + text.len, ' ', p->padded_cap - text.len);
        ondemand::document doc;
        if (p->parser.iterate(p->padded, text.len, p->padded_cap).get(doc)) {
            p->why = "not JSON";
        } else {
            ondemand::value value;
            ondemand::json_type type;
            if (doc.type().get(type)) {
                p->why = "not JSON";
            } else if (type != ondemand::json_type::object && type != ondemand::json_type::array) {
                p->why = "neither an object nor an array";
            } else if (doc.get_value().get(value)) {
                p->why = "not JSON";
            } else {
                ok = walk(*p, value, 1);
                const char *rest;
                if (ok && doc.current_location().get(rest) != simdjson::OUT_OF_BOUNDS) ok = fail(*p, "text after the value");
            }
        }
    }
    if (why) *why = p->why;
    if (!ok) return false;
    *out = {p->nodes.data(), uint32_t(p->nodes.size())};
    return true;
}
