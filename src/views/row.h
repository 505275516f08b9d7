/* SPDX-License-Identifier: Apache-2.0
 * One stored version of a view: what fold makes and the store writes. Members point into the fold's arena. */
#ifndef FF_VIEWS_ROW_H
#define FF_VIEWS_ROW_H

#include "base/buf.h"
#include "base/hash.h"

struct opt_i64 {
    int64_t v;
    bool set;
};
struct opt_f64 {
    double v;
    bool set;
};
struct list_i64 {
    int64_t *items;
    size_t n;
};
struct list_f64 {
    double *items;
    size_t n;
};
struct list_text {
    struct span *items;
    size_t n;
};

/* C types of the kinds in columns.def. Text: ptr NULL or len 0 is null. */
#define COL_TYPE_LC struct span
#define COL_TYPE_STR struct span
#define COL_TYPE_I32 struct opt_i64
#define COL_TYPE_I64 struct opt_i64
#define COL_TYPE_F64 struct opt_f64
#define COL_TYPE_BOOL bool
#define COL_TYPE_NBOOL struct opt_i64
#define COL_TYPE_ASTR struct list_text
#define COL_TYPE_AI64 struct list_i64
#define COL_TYPE_AF64 struct list_f64

struct view_row {
    char environment_id[24];
    int64_t property_id;
    struct hash128 id;     /* public id: hash128_sha256(environment id, view id) */
    uint32_t version;      /* grows with each version of one view written */
    bool final;            /* the last version */
    bool had_pending;      /* an earlier pending version of this view was written */
    bool check;            /* may be in the store already (replay, very old view): ask before writing */
    int64_t view_start_ms; /* corrected clock */
    int64_t view_end_ms;
    int64_t inserted_ms; /* first receipt of an event of the view */
    int64_t updated_ms;  /* last receipt */
#define COL(name, kind, rest, form, meaning) COL_TYPE_##kind name;
#include "views/columns.def"
#undef COL
};

/* The columns as data: for who treats them all alike. */
enum row_column {
#define COL(name, kind, rest, form, meaning) ROW_##name,
#include "views/columns.def"
#undef COL
    ROW_COLUMN_COUNT,
    ROW_none = ROW_COLUMN_COUNT
};
enum row_kind {
    ROW_KIND_LC,
    ROW_KIND_STR,
    ROW_KIND_I32,
    ROW_KIND_I64,
    ROW_KIND_F64,
    ROW_KIND_BOOL,
    ROW_KIND_NBOOL,
    ROW_KIND_ASTR,
    ROW_KIND_AI64,
    ROW_KIND_AF64
};
struct row_column_facts {
    const char *name;
    enum row_kind kind;
    size_t offset; /* in struct view_row, of the kind's C type */
    const char *meaning;
};
const struct row_column_facts *row_column_facts(enum row_column column);
/* Appends the whole row as one JSON object in a fixed order, for tests and for looking at: equal rows give equal bytes.
 * Texts that are null are written as null. */
void view_row_write(const struct view_row *row, struct buf *out);

#endif
