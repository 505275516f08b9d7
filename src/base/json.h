/* SPDX-License-Identifier: Apache-2.0
 * JSON in and out.
 *
 * Reading: json_parse turns a text into one flat array of nodes in document order, so that C code walks it with
 * indexes and nothing is parsed twice. simdjson does the work behind json_simdjson.cc. A lone surrogate escape
 * (player SDKs send them) reads as U+FFFD; any other fault refuses the whole text.
 * Writing: a writer on a buf that puts the commas. */
#ifndef FF_BASE_JSON_H
#define FF_BASE_JSON_H

#include "base/buf.h"

/* JSON_HUGE is a number that no double holds (1e999): valid JSON, but no number to whoever wants one. */
enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_INT,
    JSON_DOUBLE,
    JSON_HUGE,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_node {
    uint8_t type;    /* enum json_type */
    uint32_t next;   /* index of the node after this value and everything inside it */
    uint32_t count;  /* JSON_ARRAY: elements; JSON_OBJECT: members */
    struct span raw; /* the value's own text, quotes and brackets included */
    union {
        int64_t i;
        double d;
        struct span s; /* unescaped UTF-8; may hold NUL bytes */
    } v;
};

/* An object's members follow it as pairs: key node (JSON_STRING), value node. */
struct json_doc {
    struct json_node *nodes;
    uint32_t count;
};

struct json_parser; /* keeps its memory between texts; one a thread */
struct json_parser *json_parser_new(void);
void json_parser_free(struct json_parser *p);

enum { JSON_DEPTH_DEFAULT = 32, JSON_DEPTH_MAX = 128 };
/* How deep arrays and objects may lie in each other, for all texts from now on: 1..JSON_DEPTH_MAX. */
void json_parser_depth(struct json_parser *p, unsigned depth_max);

/* What *why of json_parse says of a text that is over a limit. */
#define JSON_WHY_DEEP "nested too deeply"
#define JSON_WHY_MANY "too many values"
/* The document and all its spans are valid until the next json_parse with p (spans may point into text).
 * false: not one valid JSON value, nested too deeply, or over nodes_max nodes; *why (if not NULL) says which. */
bool json_parse(struct json_parser *p, struct span text, uint32_t nodes_max, struct json_doc *out,
                const char **why) MUST_USE;

/* The value node of a member (the last one of that name), or NULL. object must be a JSON_OBJECT node of doc, or NULL.
 */
const struct json_node *json_get(const struct json_doc *doc, const struct json_node *object, const char *key);
/* First child (array element, or first key), then json_next; for (i = 0; i < node->count; i++). */
static inline const struct json_node *json_first(const struct json_node *parent)
{
    return parent + 1;
}
static inline const struct json_node *json_next(const struct json_doc *doc, const struct json_node *node)
{
    return doc->nodes + node->next;
}
static inline bool json_is(const struct json_node *n, enum json_type type)
{
    return n != NULL && n->type == (uint8_t)type;
}
static inline bool json_is_number(const struct json_node *n)
{
    return n != NULL && (n->type == JSON_INT || n->type == JSON_DOUBLE);
}
double json_number(const struct json_node *n);      /* 0 when it is no number */
struct span json_string(const struct json_node *n); /* {NULL,0} when it is no string */

/* Writer. Nesting up to 64; a value inside an object must follow jw_key. */
struct jw {
    struct buf *out;
    uint64_t filled; /* bit d: something was written at depth d */
    unsigned depth;
    bool after_key;
};
void jw_init(struct jw *w, struct buf *out);
void jw_object(struct jw *w);
void jw_object_end(struct jw *w);
void jw_array(struct jw *w);
void jw_array_end(struct jw *w);
void jw_key(struct jw *w, const char *key);
void jw_key_span(struct jw *w, struct span key);
void jw_string(struct jw *w, struct span s);  /* bytes that are not UTF-8 are written as U+FFFD */
void jw_text(struct jw *w, const char *text); /* NULL writes null */
void jw_int(struct jw *w, int64_t v);
/* Integral values below 2^53 without fraction, others in shortest round-trip decimal, NaN and infinities as null. */
void jw_double(struct jw *w, double v);
void jw_bool(struct jw *w, bool v);
void jw_null(struct jw *w);
void jw_raw(struct jw *w, struct span json); /* one complete value, taken as it is */

/* Shortest decimal that reads back as v, without exponent when plain; returns its length (below 400). */
size_t json_format_double(char *out, size_t cap, double v, bool plain);

#endif
