/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { JSON_WRITE_DEPTH_MAX = 63 };

const struct json_node *json_get(const struct json_doc *doc, const struct json_node *object, const char *key)
{
    if (!json_is(object, JSON_OBJECT)) return NULL;
    const struct json_node *found = NULL, *at = json_first(object);
    for (uint32_t i = 0; i < object->count; i++) {
        const struct json_node *value = at + 1;
        if (span_is(at->v.s, key)) found = value;
        at = json_next(doc, value);
    }
    return found;
}

double json_number(const struct json_node *n)
{
    if (json_is(n, JSON_INT)) return (double)n->v.i;
    return json_is(n, JSON_DOUBLE) ? n->v.d : 0;
}

struct span json_string(const struct json_node *n)
{
    return json_is(n, JSON_STRING) ? n->v.s : (struct span){NULL, 0};
}

void jw_init(struct jw *w, struct buf *out)
{
    *w = (struct jw){.out = out};
}

/* The comma before a value, unless it is the first of its container or follows its key. */
static void jw_before(struct jw *w)
{
    uint64_t bit = (uint64_t)1 << w->depth;
    if (w->after_key) w->after_key = false;
    else if (w->filled & bit) buf_addc(w->out, ',');
    w->filled |= bit;
}

static void jw_open(struct jw *w, char bracket)
{
    jw_before(w);
    BUG_IF(w->depth >= JSON_WRITE_DEPTH_MAX);
    w->depth++;
    w->filled &= ~((uint64_t)1 << w->depth);
    buf_addc(w->out, bracket);
}

static void jw_close(struct jw *w, char bracket)
{
    BUG_IF(w->depth == 0);
    w->depth--;
    buf_addc(w->out, bracket);
}

void jw_object(struct jw *w)
{
    jw_open(w, '{');
}
void jw_object_end(struct jw *w)
{
    jw_close(w, '}');
}
void jw_array(struct jw *w)
{
    jw_open(w, '[');
}
void jw_array_end(struct jw *w)
{
    jw_close(w, ']');
}

/* Length of the valid UTF-8 character at s[0], or 0. */
static size_t utf8_char(struct span s)
{
    const unsigned char *c = (const unsigned char *)s.ptr;
    size_t len = c[0] < 0x80                   ? 1
                 : c[0] >= 0xC2 && c[0] < 0xE0 ? 2
                 : c[0] >= 0xE0 && c[0] < 0xF0 ? 3
                 : c[0] >= 0xF0 && c[0] < 0xF5 ? 4
                                               : 0;
    if (len == 0 || len > s.len) return 0;
    for (size_t i = 1; i < len; i++)
        if ((c[i] & 0xC0) != 0x80) return 0;
    if (len == 3 && ((c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xED && c[1] >= 0xA0))) return 0;
    if (len == 4 && ((c[0] == 0xF0 && c[1] < 0x90) || (c[0] == 0xF4 && c[1] >= 0x90))) return 0;
    return len;
}

static void jw_escaped(struct buf *out, struct span s)
{
    buf_addc(out, '"');
    size_t plain = 0; /* start of the run that needs no change */
    for (size_t i = 0; i < s.len;) {
        unsigned char c = (unsigned char)s.ptr[i];
        size_t len = c < 0x80 ? 1 : utf8_char(span_from(s, i));
        if (len == 1 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7F) {
            i++;
            continue;
        }
        if (len > 1) {
            i += len;
            continue;
        }
        buf_add(out, s.ptr + plain, i - plain);
        if (len == 0) buf_adds(out, "\xEF\xBF\xBD");
        else if (c == '"' || c == '\\') buf_addc(out, '\\'), buf_addc(out, (char)c);
        else if (c == '\n') buf_adds(out, "\\n");
        else buf_addf(out, "\\u%04x", c);
        plain = ++i;
    }
    buf_add(out, s.len ? s.ptr + plain : "", s.len - plain);
    buf_addc(out, '"');
}

void jw_key_span(struct jw *w, struct span key)
{
    jw_before(w);
    jw_escaped(w->out, key);
    buf_addc(w->out, ':');
    w->after_key = true;
}

void jw_key(struct jw *w, const char *key)
{
    jw_key_span(w, span_of(key));
}

void jw_string(struct jw *w, struct span s)
{
    jw_before(w);
    jw_escaped(w->out, s);
}

void jw_text(struct jw *w, const char *text)
{
    if (text) jw_string(w, span_of(text));
    else jw_null(w);
}

void jw_int(struct jw *w, int64_t v)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)v);
    jw_before(w);
    buf_add(w->out, text, (size_t)len);
}

size_t json_format_double(char *out, size_t cap, double v, bool plain)
{
    if (fabs(v) < 9007199254740992.0 && v == floor(v)) return (size_t)snprintf(out, cap, "%.0f", v == 0 ? 0.0 : v);
    int digits = 15;
    char text[40];
    for (; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    if (!plain || strchr(text, 'e') == NULL) return (size_t)snprintf(out, cap, "%s", text);
    /* The same digits without the exponent. */
    int exponent = (int)floor(log10(fabs(v)));
    int decimals = digits > 17 ? 17 - exponent : digits - 1 - exponent;
    size_t len = (size_t)snprintf(out, cap, "%.*f", decimals > 0 ? decimals : 0, v);
    BUG_IF(len >= cap);
    if (memchr(out, '.', len))
        while (out[len - 1] == '0') out[--len] = 0;
    if (out[len - 1] == '.') out[--len] = 0;
    return len;
}

void jw_double(struct jw *w, double v)
{
    if (!isfinite(v)) {
        jw_null(w);
        return;
    }
    char text[400];
    size_t len = json_format_double(text, sizeof text, v, false);
    jw_before(w);
    buf_add(w->out, text, len);
}

void jw_bool(struct jw *w, bool v)
{
    jw_before(w);
    buf_adds(w->out, v ? "true" : "false");
}

void jw_null(struct jw *w)
{
    jw_before(w);
    buf_adds(w->out, "null");
}

void jw_raw(struct jw *w, struct span json)
{
    jw_before(w);
    buf_add_span(w->out, json);
}
