/* SPDX-License-Identifier: Apache-2.0
 * POST /data/v1/query: the query language's HTTP side. */
#include "query/pivot.h"

#include "api/ask.h"
#include "base/clock.h"

enum { BODY_BYTES_MAX = 65536 };

static void print_histogram(struct jw *w, const struct pivot_metric *m, const double *counts)
{
    jw_object(w);
    jw_key(w, "below"), jw_double(w, counts[0]);
    jw_key(w, "counts"), jw_array(w);
    for (size_t i = 1; i < m->edge_count; i++) jw_double(w, counts[i]);
    jw_array_end(w);
    jw_key(w, "above"), jw_double(w, counts[m->edge_count]);
    jw_object_end(w);
}

static void print_row(struct jw *w, const struct pivot *p, const struct pivot_cell *cell)
{
    jw_object(w);
    if (p->step_s) {
        char when[32];
        iso_seconds(when, (int64_t)(cell++)->value * 1000);
        jw_key(w, "time"), jw_text(w, when);
    }
    for (size_t i = 0; i < p->dimension_count; i++) jw_key(w, p->dimensions[i]->id), ask_print_text(w, (cell++)->text);
    for (size_t i = 0; i < p->metric_count; i++, cell++) {
        jw_key_span(w, p->metrics[i].name);
        if (p->metrics[i].kind == PIVOT_HISTOGRAM) print_histogram(w, &p->metrics[i], cell->counts);
        else if (cell->has_value) jw_double(w, cell->value);
        else jw_null(w);
    }
    jw_object_end(w);
}

static void print_how(struct jw *w, const struct pivot_metric *m)
{
    jw_key(w, "measurement");
    switch (m->kind) {
    case PIVOT_MEASURE: jw_text(w, measure_name(m->measure)); return;
    case PIVOT_STDDEV: jw_text(w, "stddev"); return;
    case PIVOT_PERCENTILE:
        jw_text(w, "percentile");
        jw_key(w, "percentile"), jw_double(w, m->percentile);
        return;
    case PIVOT_HISTOGRAM:
        jw_text(w, "histogram");
        jw_key(w, "edges"), jw_array(w);
        for (size_t i = 0; i < m->edge_count; i++) jw_double(w, m->edges[i]);
        jw_array_end(w);
        return;
    }
}

static void print_columns(struct jw *w, const struct pivot *p)
{
    jw_key(w, "columns"), jw_array(w);
    if (p->step_s) {
        jw_object(w);
        jw_key(w, "name"), jw_text(w, "time");
        jw_key(w, "kind"), jw_text(w, "time");
        jw_key(w, "granularity"), jw_text(w, granularity_name(p->step_s));
        jw_object_end(w);
    }
    for (size_t i = 0; i < p->dimension_count; i++) {
        jw_object(w);
        jw_key(w, "name"), jw_text(w, p->dimensions[i]->id);
        jw_key(w, "kind"), jw_text(w, "dimension");
        jw_key(w, "dimension"), jw_text(w, p->dimensions[i]->id);
        jw_object_end(w);
    }
    for (size_t i = 0; i < p->metric_count; i++) {
        const struct pivot_metric *m = &p->metrics[i];
        jw_object(w);
        jw_key(w, "name"), jw_string(w, m->name);
        jw_key(w, "kind"), jw_text(w, "metric");
        jw_key(w, "metric"), jw_text(w, m->metric->id);
        print_how(w, m);
        bool counts = m->kind == PIVOT_MEASURE && m->measure == MEASURE_COUNT;
        jw_key(w, "unit"), jw_text(w, metric_unit_name(counts ? UNIT_NUMBER : m->metric->unit));
        jw_key(w, "aggregation"), jw_text(w, m->metric->clock == CLOCK_START ? "view_start" : "view_end");
        jw_object_end(w);
    }
    jw_array_end(w);
}

void api_query(struct api_call *c)
{
    struct json_doc doc;
    struct pivot p;
    if (c->request->body.len > BODY_BYTES_MAX) {
        api_fail(c, 413, "A query may have at most %d bytes.", BODY_BYTES_MAX);
        return;
    }
    const struct json_node *root = api_body_json(c, &doc);
    if (root == NULL) return;
    const char *bad = pivot_parse(&doc, root, c->now_ms / 1000, c->arena, &p);
    if (bad) {
        api_fail(c, 400, "%s", bad);
        return;
    }
    if (!ask_token_filter(c, &p.filters)) return;
    if (ask_cached(c, &p.window, CLOCK_START, 0)) return;
    struct query q = ask_query(c);
    struct pivot_rows rows;
    enum err e = query_pivot(&q, c->environment_id, &p, &rows);
    if (e != ERR_NONE) {
        api_fail_store(c, e, &q.error);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = 0; i < rows.n; i++) print_row(&c->json, &p, &rows.cells[i * rows.columns]);
    jw_array_end(&c->json);
    jw_key(&c->json, "meta"), jw_object(&c->json);
    print_columns(&c->json, &p);
    jw_key(&c->json, "weighted"), jw_bool(&c->json, p.weighted);
    jw_object_end(&c->json);
    api_timeframe(c, p.window.start_s, p.window.end_s);
    api_total(c, rows.total);
    jw_object_end(&c->json);
}
