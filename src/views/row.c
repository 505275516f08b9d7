/* SPDX-License-Identifier: Apache-2.0 */
#include "views/row.h"

#include "base/json.h"

static const struct row_column_facts columns[ROW_COLUMN_COUNT] = {
#define COL(name, kind, rest, form, meaning) {#name, ROW_KIND_##kind, offsetof(struct view_row, name), meaning},
#include "views/columns.def"
#undef COL
};

const struct row_column_facts *row_column_facts(enum row_column column)
{
    BUG_IF((unsigned)column >= ROW_COLUMN_COUNT);
    return &columns[column];
}

static void write_text(struct jw *w, struct span s)
{
    if (s.len) jw_string(w, s);
    else jw_null(w);
}

static void write_texts(struct jw *w, const struct list_text *list)
{
    jw_array(w);
    for (size_t i = 0; i < list->n; i++) jw_string(w, list->items[i]);
    jw_array_end(w);
}

static void write_ints(struct jw *w, const struct list_i64 *list)
{
    jw_array(w);
    for (size_t i = 0; i < list->n; i++) jw_int(w, list->items[i]);
    jw_array_end(w);
}

static void write_doubles(struct jw *w, const struct list_f64 *list)
{
    jw_array(w);
    for (size_t i = 0; i < list->n; i++) jw_double(w, list->items[i]);
    jw_array_end(w);
}

static void write_optional(struct jw *w, struct opt_i64 v, bool boolean)
{
    if (!v.set) jw_null(w);
    else if (boolean) jw_bool(w, v.v != 0);
    else jw_int(w, v.v);
}

static void write_column(struct jw *w, const void *column, enum row_kind kind)
{
    const struct opt_f64 *number = column;
    switch (kind) {
    case ROW_KIND_LC:
    case ROW_KIND_STR: write_text(w, *(const struct span *)column); return;
    case ROW_KIND_I32:
    case ROW_KIND_I64: write_optional(w, *(const struct opt_i64 *)column, false); return;
    case ROW_KIND_NBOOL: write_optional(w, *(const struct opt_i64 *)column, true); return;
    case ROW_KIND_F64:
        if (number->set) jw_double(w, number->v);
        else jw_null(w);
        return;
    case ROW_KIND_BOOL: jw_bool(w, *(const bool *)column); return;
    case ROW_KIND_ASTR: write_texts(w, column); return;
    case ROW_KIND_AI64: write_ints(w, column); return;
    case ROW_KIND_AF64: write_doubles(w, column); return;
    }
}

void view_row_write(const struct view_row *row, struct buf *out)
{
    char id[33];
    struct jw w;
    hash128_hex(id, row->id);
    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "id"), jw_text(&w, id);
    jw_key(&w, "environment_id"), jw_text(&w, row->environment_id);
    jw_key(&w, "property_id"), jw_int(&w, row->property_id);
    jw_key(&w, "version"), jw_int(&w, row->version);
    jw_key(&w, "final"), jw_bool(&w, row->final);
    jw_key(&w, "had_pending"), jw_bool(&w, row->had_pending);
    jw_key(&w, "check"), jw_bool(&w, row->check);
    jw_key(&w, "view_start"), jw_int(&w, row->view_start_ms);
    jw_key(&w, "view_end"), jw_int(&w, row->view_end_ms);
    jw_key(&w, "inserted_at"), jw_int(&w, row->inserted_ms);
    jw_key(&w, "updated_at"), jw_int(&w, row->updated_ms);
    for (size_t i = 0; i < ROW_COLUMN_COUNT; i++) {
        jw_key(&w, columns[i].name);
        write_column(&w, (const char *)row + columns[i].offset, columns[i].kind);
    }
    jw_object_end(&w);
}
