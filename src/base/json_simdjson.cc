// SPDX-License-Identifier: Apache-2.0
// The one C++ file. simdjson's first stage, which it chooses for the processor at run time, finds where every token of
// the text begins; the walk here checks the grammar between the tokens and writes the flat node array of json.h. (Its
// own on-demand and DOM interfaces fix the processor at compile time, build more than is needed, and refuse lone
// surrogates.)
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <simdjson.h>

extern "C" {
#include "base/json.h"
}

struct json_parser {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> stage;
    json_node *nodes = nullptr;
    uint32_t nodes_cap = 0, nodes_len = 0, nodes_max = 0;
    unsigned depth_max = JSON_DEPTH_DEFAULT;
    char *text = nullptr; // copy of the text with simdjson's padding
    size_t text_cap = 0;
    char *strings = nullptr; // unescaped strings; never longer in all than the text
    size_t strings_cap = 0, strings_len = 0;
    const uint32_t *token = nullptr; // the next one; after the last comes one that points at the blank after the text
    bool any_escape = false;
    const char *why = nullptr;
};

namespace
{

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

// The next token's place is taken.
inline const char *next_token(json_parser &p)
{
    return p.text + *p.token++;
}

bool grow(json_parser &p)
{
    if (p.nodes_len >= p.nodes_max) return fail(p, JSON_WHY_MANY);
    size_t cap = p.nodes_cap ? size_t(p.nodes_cap) * 2 : 256;
    if (cap > p.nodes_max) cap = p.nodes_max;
    void *grown = realloc(p.nodes, cap * sizeof *p.nodes);
    if (grown == nullptr) return fail(p, "too large");
    p.nodes = (json_node *)grown;
    p.nodes_cap = uint32_t(cap);
    return true;
}

inline bool add(json_parser &p, json_type type, uint32_t &index)
{
    if (p.nodes_len >= p.nodes_cap || p.nodes_len >= p.nodes_max)
        if (!grow(p)) return false;
    index = p.nodes_len++;
    p.nodes[index].type = uint8_t(type);
    p.nodes[index].count = 0;
    return true;
}

inline bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// What may follow a number or a word.
inline bool ends_scalar(char c)
{
    return c == ',' || c == '}' || c == ']' || is_blank(c);
}

// start is at the opening quote; the closing one is the last thing before the token that follows.
inline bool string_token(json_parser &p, const char *start, json_node &node)
{
    const char *end = p.text + *p.token - 1;
    while (is_blank(*end)) end--;
    if (end <= start || *end != '"') return fail(p, "unclosed string");
    node.raw = {start, size_t(end + 1 - start)};
    size_t len = size_t(end - start - 1);
    if (p.any_escape && memchr(start + 1, '\\', len))
        return unescape(p, start + 1, end, node.v.s) || fail(p, "bad escape in a string");
    node.v.s = {start + 1, len};
    return true;
}

inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool number_double(json_parser &p, const char *start, const char *end, json_node &node)
{
    double d = 0;
    auto r = std::from_chars(start, end, d);
    if (r.ec == std::errc::result_out_of_range) d = strtod(start, nullptr); // an underflow is 0
    if (r.ec == std::errc::invalid_argument) return fail(p, "bad number");
    node.type = std::isfinite(d) ? JSON_DOUBLE : JSON_HUGE;
    node.v.d = d;
    return true;
}

bool number_token(json_parser &p, const char *start, json_node &node)
{
    const char *at = start + (*start == '-'), *digits = at;
    uint64_t whole = 0;
    while (is_digit(*at)) whole = whole * 10 + uint64_t(*at++ - '0');
    size_t count = size_t(at - digits);
    if (count == 0 || (count > 1 && *digits == '0')) return fail(p, "bad number");
    bool integer = true;
    if (*at == '.') {
        integer = false;
        if (!is_digit(*++at)) return fail(p, "bad number");
        while (is_digit(*at)) at++;
    }
    if (*at == 'e' || *at == 'E') {
        integer = false;
        at++;
        if (*at == '+' || *at == '-') at++;
        if (!is_digit(*at)) return fail(p, "bad number");
        while (is_digit(*at)) at++;
    }
    if (!ends_scalar(*at)) return fail(p, "bad number");
    node.raw = {start, size_t(at - start)};
    if (!integer) return number_double(p, start, at, node);
    int64_t i = *start == '-' ? -int64_t(whole) : int64_t(whole);
    if (count > 18) { // may not fit
        auto r = std::from_chars(start, at, i);
        if (r.ec != std::errc()) return number_double(p, start, at, node);
    }
    node.type = JSON_INT;
    node.v.i = i;
    return true;
}

bool word_token(json_parser &p, const char *start, const char *word, size_t len, json_node &node)
{
    if (memcmp(start, word, len) != 0 || !ends_scalar(start[len])) return fail(p, "not JSON");
    node.raw = {start, len};
    return true;
}

bool container(json_parser &p, const char *start, uint32_t index, unsigned depth);

bool value(json_parser &p, unsigned depth)
{
    const char *start = next_token(p);
    uint32_t index;
    bool ok;
    switch (*start) {
    case '"': ok = add(p, JSON_STRING, index) && string_token(p, start, p.nodes[index]); break;
    case '{': ok = add(p, JSON_OBJECT, index) && container(p, start, index, depth + 1); break;
    case '[': ok = add(p, JSON_ARRAY, index) && container(p, start, index, depth + 1); break;
    case 't': ok = add(p, JSON_TRUE, index) && word_token(p, start, "true", 4, p.nodes[index]); break;
    case 'f': ok = add(p, JSON_FALSE, index) && word_token(p, start, "false", 5, p.nodes[index]); break;
    case 'n': ok = add(p, JSON_NULL, index) && word_token(p, start, "null", 4, p.nodes[index]); break;
    default: ok = add(p, JSON_INT, index) && number_token(p, start, p.nodes[index]); break;
    }
    if (ok) p.nodes[index].next = p.nodes_len;
    return ok;
}

bool member_key(json_parser &p)
{
    const char *start = next_token(p);
    uint32_t index;
    if (*start != '"') return fail(p, "bad object");
    if (!add(p, JSON_STRING, index) || !string_token(p, start, p.nodes[index])) return false;
    p.nodes[index].next = p.nodes_len;
    return *next_token(p) == ':' || fail(p, "bad object");
}

// start is at the opening bracket, which has been taken.
bool container(json_parser &p, const char *start, uint32_t index, unsigned depth)
{
    if (depth > p.depth_max) return fail(p, JSON_WHY_DEEP);
    const bool is_object = *start == '{';
    const char closing = is_object ? '}' : ']';
    uint32_t count = 0;
    const char *end = p.text + *p.token;
    if (*end == closing) {
        p.token++;
    } else {
        do {
            if (is_object && !member_key(p)) return false;
            if (!value(p, depth)) return false;
            count++;
            end = next_token(p);
        } while (*end == ',');
        if (*end != closing) return fail(p, is_object ? "bad object" : "bad array");
    }
    p.nodes[index].count = count;
    p.nodes[index].raw = {start, size_t(end + 1 - start)};
    return true;
}

// Room for the text and what is made of it. The last text's capacity stays.
bool reserve(json_parser &p, size_t len)
{
    if (len > 0xFFFFFFFF - simdjson::SIMDJSON_PADDING) return false;
    if (p.text_cap < len + simdjson::SIMDJSON_PADDING) {
        size_t cap = 2 * len + 4096;
        free(p.text);
        free(p.strings);
        p.text = (char *)malloc(cap + simdjson::SIMDJSON_PADDING);
        p.strings = (char *)malloc(cap);
        p.text_cap = p.text && p.strings ? cap + simdjson::SIMDJSON_PADDING : 0;
        if (p.text_cap == 0) return false;
    }
    if (p.stage == nullptr)
        return simdjson::get_active_implementation()->create_dom_parser_implementation(2 * len + 4096, JSON_DEPTH_MAX,
                                                                                       p.stage) == simdjson::SUCCESS;
    return p.stage->capacity() >= len || p.stage->set_capacity(2 * len + 4096) == simdjson::SUCCESS;
}

// Where the tokens are; checks UTF-8, control characters in strings and that strings are closed.
bool tokens(json_parser &p, size_t len)
{
    using namespace simdjson;
    error_code e = p.stage->stage1((const uint8_t *)p.text, len, stage1_mode::regular);
    if (e == UTF8_ERROR) return fail(p, "not UTF-8");
    if (e == UNESCAPED_CHARS) return fail(p, "control character in a string");
    if (e == UNCLOSED_STRING) return fail(p, "unclosed string");
    if (e != SUCCESS) return fail(p, "not JSON");
    p.token = p.stage->structural_indexes.get();
    return true;
}

bool document(json_parser &p, size_t len)
{
    if (!tokens(p, len)) return false;
    const uint32_t *end = p.token + p.stage->n_structural_indexes;
    char first = p.text[*p.token];
    if (first != '{' && first != '[')
        return fail(p, strchr("}],:", first) ? "not JSON" : "neither an object nor an array");
    return value(p, 0) && (p.token == end || fail(p, "text after the value"));
}

} // namespace

extern "C" struct json_parser *json_parser_new(void)
{
    return new json_parser;
}

extern "C" void json_parser_depth(struct json_parser *p, unsigned depth_max)
{
    BUG_IF(depth_max < 1 || depth_max > JSON_DEPTH_MAX);
    p->depth_max = depth_max;
}

extern "C" void json_parser_free(struct json_parser *p)
{
    if (p == nullptr) return;
    free(p->nodes);
    free(p->text);
    free(p->strings);
    delete p;
}

extern "C" bool json_parse(struct json_parser *p, struct span text, uint32_t nodes_max, struct json_doc *out,
                           const char **why)
{
    p->nodes_len = 0;
    p->strings_len = 0;
    p->nodes_max = nodes_max;
    p->why = nullptr;
    *out = {nullptr, 0};
    bool ok = false;
    if (!reserve(*p, text.len)) {
        p->why = "too large";
    } else if (text.len == 0) {
        p->why = "not JSON";
    } else {
        memcpy(p->text, text.ptr, text.len);
        memset(p->text + text.len, ' ', simdjson::SIMDJSON_PADDING);
        p->any_escape = memchr(p->text, '\\', text.len) != nullptr;
        ok = document(*p, text.len);
    }
    if (why) *why = p->why;
    if (!ok) return false;
    *out = {p->nodes, p->nodes_len};
    return true;
}
