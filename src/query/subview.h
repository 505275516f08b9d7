/* SPDX-License-Identifier: Apache-2.0
 * Playing time by what was playing: by rendition, or by playback mode. Rules 116 to 118. The stored parts of a
 * view are its rendition_... and mode_... arrays; a view without them (its player did not say) is not in. A part
 * belongs to a question by the end of its view. */
#ifndef FF_QUERY_SUBVIEW_H
#define FF_QUERY_SUBVIEW_H

#include "query/question.h"

enum subview_type { SUBVIEW_RENDITION, SUBVIEW_PLAYBACK_MODE };
const char *subview_type_name(enum subview_type t); /* "rendition", "playback_mode" */
bool subview_type_from_name(struct span name, enum subview_type *out) MUST_USE;

/* The dimensions of 14.5 in their order: of the view (the same for both types), then of the subview. */
size_t subview_view_dimension_count(void);
const struct dimension *subview_view_dimension_at(size_t i);
size_t subview_attribute_count(enum subview_type t);
const struct dimension *subview_attribute_at(enum subview_type t, size_t i);
const struct dimension *subview_dimension_find(enum subview_type t, struct span id);
/* Whether it is one of the subview's own. */
bool subview_is_attribute(const struct dimension *d);

typedef uint32_t subview_set; /* bit i: attribute i */
struct subview_question {
    const char *environment_id;
    struct window window; /* snapped */
    enum subview_type type;
    subview_set group_by;
    const struct filters *filters;      /* of the view: a token's, and those of view dimensions */
    const struct filters *part_filters; /* of the subview's own dimensions */
};

struct subview_row {
    struct span value; /* as in breakdown_value; dimension values: the value, ptr NULL is none */
    int64_t playing_ms;
    int64_t group; /* bucket's start in s, or index of the dimension value */
};
struct subview_rows {
    struct subview_row *items;
    size_t n;
};

enum err query_subview_overall(struct query *q, const struct subview_question *question, int64_t *playing_ms) MUST_USE;
/* Rows in groups: most playing time first, then by value; equal values are one row. group is 0. */
enum err query_subview_breakdown(struct query *q, const struct subview_question *question,
                                 struct subview_rows *out) MUST_USE;
/* The same within each of the values (ptr NULL: views without one) of a view dimension: group is the value's index. */
enum err query_subview_comparison(struct query *q, const struct subview_question *question, const struct dimension *by,
                                  const struct span *values, size_t value_count, struct subview_rows *out) MUST_USE;
/* The same within each bucket: group is its start. */
enum err query_subview_series(struct query *q, const struct subview_question *question, int64_t step_s,
                              struct subview_rows *out) MUST_USE;
/* Playing time by the values of a view or subview dimension; in no order. */
enum err query_subview_values(struct query *q, const struct subview_question *question, const struct dimension *by,
                              struct subview_rows *out) MUST_USE;

/* breakdown_value of a rendition's attributes, those of the set, in their order; numbers -1 and texts "" are unknown.
 */
struct subview_rendition {
    int64_t bitrate, width, height;
    double fps;
    struct span codec, name;
};
void subview_rendition_text(struct buf *out, const struct subview_rendition *r, subview_set set);

#endif
