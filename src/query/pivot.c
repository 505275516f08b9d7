/* SPDX-License-Identifier: Apache-2.0
 * The statement is
 *   SELECT k, x0.., c0.. FROM (SELECT t AS k, g0.., <aggregates> AS c0.. FROM <views> GROUP BY t, g0..) ORDER BY ..
 * LIMIT .. where <views> is one branch for each clock that the metrics use; a metric's value v<i>, i being the first
 * column that asks for it, is null in the branch of the other clock. */
#include "query/pivot.h"

#include "store/dialect.h"
#include "store/read.h"
#include "store/result.h"

#include <math.h>
#include <stdio.h>

enum { SQL_BYTES_MAX = 8 * 1024 * 1024, ROWS_BYTES_MAX = 256 * 1024 * 1024, PIVOT_MS = 30000 };
#define PIVOT_MEMORY_BYTES UINT64_C(2000000000)

/* -- inside: one row a view and clock -- */

static void condition_sql(const struct condition *c, struct buf *sql)
{
    if (c->negated) buf_adds(sql, "NOT ");
    buf_addc(sql, '(');
    if (c->kind == CONDITION_TESTS) {
        for (size_t i = 0; i < c->test_count; i++) {
            if (i) buf_adds(sql, " OR ");
            filter_sql(&c->tests[i], sql);
        }
    }
    for (size_t i = 0; i < c->child_count; i++) {
        if (i) buf_adds(sql, c->kind == CONDITION_ALL ? " AND " : " OR ");
        condition_sql(c->children[i], sql);
    }
    buf_addc(sql, ')');
}

static bool needs_ratio(const struct pivot_metric *m)
{
    return m->metric->kind == METRIC_RATIO && m->kind == PIVOT_MEASURE && m->measure == MEASURE_AVG;
}

/* The first column asked for of the same metric, whose inner columns serve all of them. */
static size_t first_of(const struct pivot *p, size_t i)
{
    size_t first = 0;
    while (p->metrics[first].metric != p->metrics[i].metric) first++;
    return first;
}

/* The view's value in its own type: integers are summed and sorted faster. */
static void own_value_sql(struct buf *sql, const struct store *store, const struct metric *m)
{
    if (m->kind == METRIC_VIEWERS) buf_adds(sql, viewer_sql(store, m));
    else if (m->kind == METRIC_RATIO) metric_value_sql(m, sql);
    else if (strcmp(m->population, "1") == 0) buf_adds(sql, m->a);
    else buf_addf(sql, "if(%s, %s, NULL)", m->population, m->a);
}

/* v<i>, and a<i>, b<i> for an average of ratios; null where the clock is another one, and then all of one type, since
 * branches have to agree. */
static void value_sql(struct buf *sql, const struct store *store, const struct metric *of, bool ratio, size_t i,
                      enum metric_clock clock, bool branches)
{
    bool own = of->clock == clock;
    buf_adds(sql, branches ? ", CAST(" : ", ");
    if (own) own_value_sql(sql, store, of);
    else buf_adds(sql, "NULL");
    const char *viewer = store_dialect(store).viewer_key ? "UInt64" : "String";
    if (branches) buf_addf(sql, " AS Nullable(%s))", of->kind == METRIC_VIEWERS ? viewer : "Float64");
    buf_addf(sql, " AS v%zu", i);
    if (!ratio) return;
    const char *const parts[] = {of->a, of->b};
    for (size_t k = 0; k < COUNT(parts); k++) {
        if (own)
            buf_addf(sql, ", CAST(if(isNull(v%zu), NULL, toFloat64(%s)) AS Nullable(Float64)) AS %c%zu", i, parts[k],
                     "ab"[k], i);
        else buf_addf(sql, ", CAST(NULL AS Nullable(Float64)) AS %c%zu", "ab"[k], i);
    }
}

static void values_sql(struct buf *sql, const struct store *store, const struct pivot *p, enum metric_clock clock,
                       bool branches)
{
    for (size_t i = 0; i < p->metric_count; i++) {
        bool ratio = false;
        if (first_of(p, i) != i) continue;
        for (size_t k = i; k < p->metric_count; k++)
            ratio = ratio || (p->metrics[k].metric == p->metrics[i].metric && needs_ratio(&p->metrics[k]));
        value_sql(sql, store, p->metrics[i].metric, ratio, i, clock, branches);
    }
}

static void branch_sql(struct buf *sql, const struct store *store, const char *environment_id, const struct pivot *p,
                       enum metric_clock clock, bool branches)
{
    struct buf columns, where;
    buf_init(&columns, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    const char *time = clock == CLOCK_START ? "view_start" : "view_end";
    if (p->step_s) buf_addf(&columns, "toInt64(intDiv(%s, %lld)) AS t", time, (long long)p->step_s * 1000);
    else buf_adds(&columns, "toInt64(0) AS t");
    for (size_t i = 0; i < p->dimension_count; i++) {
        buf_adds(&columns, ", ");
        dimension_group_sql(&columns, store, p->dimensions[i]);
        buf_addf(&columns, " AS g%zu", i);
    }
    values_sql(&columns, store, p, clock, branches);
    if (p->weighted)
        buf_adds(&columns, ", if(ifNull(mux_sample_rate, 1) > 0, 1 / ifNull(mux_sample_rate, 1), toFloat64(1)) AS w");
    question_where(&where, environment_id, &p->window, clock, &p->filters);
    if (p->where) {
        buf_adds(&where, " AND ");
        condition_sql(p->where, &where);
    }
    buf_adds(sql, "SELECT * FROM ");
    store_views_from(sql, store, columns.ptr, buf_span(&where));
    if (columns.failed || where.failed) sql->failed = true;
    buf_free(&columns);
    buf_free(&where);
}

static void branches_sql(struct buf *sql, const struct store *store, const char *environment_id, const struct pivot *p)
{
    bool used[2] = {false, false}, first = true;
    for (size_t i = 0; i < p->metric_count; i++) used[p->metrics[i].metric->clock] = true;
    buf_addc(sql, '(');
    for (int clock = CLOCK_END; clock <= CLOCK_START; clock++) {
        if (!used[clock]) continue;
        if (!first) buf_adds(sql, " UNION ALL ");
        first = false;
        branch_sql(sql, store, environment_id, p, (enum metric_clock)clock, used[CLOCK_END] && used[CLOCK_START]);
    }
    buf_addc(sql, ')');
}

/* -- aggregates -- */

static void weight_of_sql(struct buf *sql, bool weighted, const char *condition)
{
    if (weighted) buf_addf(sql, "toFloat64(sumIf(w, %s))", condition);
    else buf_addf(sql, "toFloat64(countIf(%s))", condition);
}

/* Which percentile a column asks for; false: none. */
static bool share_of(const struct pivot_metric *m, double *out)
{
    if (m->kind == PIVOT_PERCENTILE) *out = m->percentile;
    else if (m->kind != PIVOT_MEASURE) return false;
    else if (m->measure == MEASURE_MEDIAN) *out = 0.5;
    else if (m->measure == MEASURE_95TH) *out = m->metric->better == BETTER_LOWER ? 0.95 : 0.05;
    else return false;
    return true;
}

/* All percentiles of a metric are written alike and picked from, so that the store keeps and sorts its values once. */
static void percentile_sql(struct buf *sql, const struct store *store, const struct pivot *p, size_t at)
{
    double shares[PIVOT_METRICS_MAX];
    char column[24];
    size_t n = 0, place = 0;
    for (size_t i = 0; i < p->metric_count; i++) {
        if (p->metrics[i].metric != p->metrics[at].metric || !share_of(&p->metrics[i], &shares[n])) continue;
        if (i == at) place = n;
        n++;
    }
    (void)snprintf(column, sizeof column, "v%zu", first_of(p, at));
    buf_addf(sql, "if(count(%s) = 0, nan, ", column);
    store_percentile_of(sql, store, shares, n, place, column);
    buf_addc(sql, ')');
}

static void measure_sql(struct buf *sql, const struct store *store, const struct pivot *p, size_t at)
{
    const struct pivot_metric *m = &p->metrics[at];
    size_t i = first_of(p, at);
    bool weighted = p->weighted;
    char known[32];
    (void)snprintf(known, sizeof known, "isNotNull(v%zu)", i);
    const char *times = weighted ? " * w" : "";
    switch (m->measure) {
    case MEASURE_COUNT:
        if (m->metric->kind == METRIC_VIEWERS) buf_addf(sql, "ifNull(toFloat64(uniqExact(v%zu)), 0)", i);
        else weight_of_sql(sql, weighted, known);
        return;
    case MEASURE_SUM: buf_addf(sql, "ifNull(toFloat64(sum(v%zu%s)), 0)", i, times); return;
    case MEASURE_AVG:
        if (needs_ratio(m)) {
            buf_addf(sql, "toFloat64(sum(a%zu%s) / sum(b%zu%s))", i, times, i, times);
        } else if (weighted) {
            buf_addf(sql, "toFloat64(sum(v%zu * w) / ", i);
            weight_of_sql(sql, true, known);
            buf_addc(sql, ')');
        } else {
            buf_addf(sql, "toFloat64(avg(v%zu))", i);
        }
        return;
    case MEASURE_MEDIAN:
    case MEASURE_95TH: percentile_sql(sql, store, p, at); return;
    }
}

/* Below, each bucket, above: columns c<at>_0, c<at>_1, ... */
static void histogram_sql(struct buf *sql, const struct pivot *p, size_t at)
{
    const struct pivot_metric *m = &p->metrics[at];
    size_t i = first_of(p, at);
    char condition[160];
    for (size_t k = 0; k <= m->edge_count; k++) {
        if (k == 0) (void)snprintf(condition, sizeof condition, "ifNull(v%zu < %.17g, 0)", i, m->edges[0]);
        else if (k == m->edge_count)
            (void)snprintf(condition, sizeof condition, "ifNull(v%zu >= %.17g, 0)", i, m->edges[k - 1]);
        else
            (void)snprintf(condition, sizeof condition, "ifNull(v%zu >= %.17g AND v%zu < %.17g, 0)", i, m->edges[k - 1],
                           i, m->edges[k]);
        buf_adds(sql, ", ");
        weight_of_sql(sql, p->weighted, condition);
        buf_addf(sql, " AS c%zu_%zu", at, k);
    }
}

static void aggregate_sql(struct buf *sql, const struct store *store, const struct pivot *p, size_t at)
{
    const struct pivot_metric *m = &p->metrics[at];
    size_t i = first_of(p, at);
    if (m->kind == PIVOT_HISTOGRAM) {
        histogram_sql(sql, p, at);
        return;
    }
    buf_adds(sql, ", assumeNotNull(ifNull(");
    if (m->kind == PIVOT_PERCENTILE) percentile_sql(sql, store, p, at);
    else if (m->kind == PIVOT_STDDEV) buf_addf(sql, "if(count(v%zu) = 0, nan, toFloat64(stddevPopStable(v%zu)))", i, i);
    else measure_sql(sql, store, p, at);
    buf_addf(sql, ", nan)) AS c%zu", at);
}

/* -- the whole -- */

static bool is_grouped(const struct pivot *p)
{
    return p->step_s || p->dimension_count;
}

static void group_by_sql(struct buf *sql, const struct pivot *p)
{
    if (!is_grouped(p)) return;
    buf_adds(sql, " GROUP BY t");
    for (size_t i = 0; i < p->dimension_count; i++) buf_addf(sql, ", g%zu", i);
    buf_adds(sql, " HAVING ");
    for (size_t i = 0; i < p->metric_count; i++)
        if (first_of(p, i) == i) buf_addf(sql, "%scount(v%zu)", i ? " + " : "", i);
    buf_adds(sql, " > 0");
}

static void order_column_sql(struct buf *sql, const struct pivot_order *o)
{
    const char *direction = o->descending ? "DESC" : "ASC";
    switch (o->by) {
    case PIVOT_BY_TIME: buf_addf(sql, "k %s", direction); return;
    case PIVOT_BY_DIMENSION: buf_addf(sql, "isNull(x%zu), x%zu %s", o->at, o->at, direction); return;
    case PIVOT_BY_METRIC: buf_addf(sql, "isNaN(c%zu), c%zu %s", o->at, o->at, direction); return;
    }
}

/* What was asked for, then everything that makes rows different, so that pages do not overlap. */
static void order_by_sql(struct buf *sql, const struct pivot *p)
{
    buf_adds(sql, " ORDER BY ");
    for (size_t i = 0; i < p->order_count; i++) {
        order_column_sql(sql, &p->order[i]);
        buf_adds(sql, ", ");
    }
    buf_adds(sql, "k");
    for (size_t i = 0; i < p->dimension_count; i++) buf_addf(sql, ", isNull(x%zu), x%zu", i, i);
}

void pivot_sql(struct buf *sql, const struct store *store, const char *environment_id, const struct pivot *p,
               bool count_only)
{
    if (count_only) {
        buf_adds(sql, "SELECT toInt64(count()) FROM (SELECT t FROM ");
        branches_sql(sql, store, environment_id, p);
        group_by_sql(sql, p);
        buf_addc(sql, ')');
        return;
    }
    buf_adds(sql, "SELECT k");
    for (size_t i = 0; i < p->dimension_count; i++) {
        char raw[24];
        (void)snprintf(raw, sizeof raw, "g%zu", i);
        buf_adds(sql, ", ");
        dimension_text_sql(sql, p->dimensions[i], raw);
        buf_addf(sql, " AS x%zu", i);
    }
    for (size_t i = 0; i < p->metric_count; i++) {
        const struct pivot_metric *m = &p->metrics[i];
        for (size_t k = 0; m->kind == PIVOT_HISTOGRAM && k <= m->edge_count; k++) buf_addf(sql, ", c%zu_%zu", i, k);
        if (m->kind != PIVOT_HISTOGRAM) buf_addf(sql, ", c%zu", i);
    }
    buf_addf(sql, " FROM (SELECT %s AS k", is_grouped(p) ? "t" : "toInt64(0)");
    for (size_t i = 0; i < p->dimension_count; i++) buf_addf(sql, ", g%zu", i);
    for (size_t i = 0; i < p->metric_count; i++) aggregate_sql(sql, store, p, i);
    buf_adds(sql, " FROM ");
    branches_sql(sql, store, environment_id, p);
    group_by_sql(sql, p);
    buf_addc(sql, ')');
    order_by_sql(sql, p);
    buf_addf(sql, " LIMIT %lld, %u", (long long)(p->page - 1) * p->limit, p->limit);
}

/* -- answers -- */

static bool read_row(struct query *q, const struct pivot *p, struct bytes *in, struct pivot_cell *cells)
{
    int64_t k = rb_i64(in);
    if (p->step_s) *cells++ = (struct pivot_cell){.value = (double)(k * p->step_s), .has_value = true};
    for (size_t i = 0; i < p->dimension_count; i++) {
        struct span text = rb_nullable_text(in);
        *cells = (struct pivot_cell){.text = text.ptr ? arena_copy(q->arena, text) : text};
        if (text.ptr && cells->text.ptr == NULL) return false;
        cells++;
    }
    for (size_t i = 0; i < p->metric_count; i++, cells++) {
        const struct pivot_metric *m = &p->metrics[i];
        *cells = (struct pivot_cell){.value = 0};
        if (m->kind == PIVOT_HISTOGRAM) {
            cells->counts = arena_alloc(q->arena, (m->edge_count + 1) * sizeof *cells->counts);
            if (cells->counts == NULL) return false;
            for (size_t j = 0; j <= m->edge_count; j++) cells->counts[j] = rb_f64(in);
        } else {
            cells->value = rb_f64(in);
            cells->has_value = isfinite(cells->value);
        }
    }
    return true;
}

static enum err read_rows(struct query *q, const struct pivot *p, struct span rows, struct pivot_rows *out)
{
    struct bytes in = bytes_of(rows);
    out->columns = (p->step_s != 0) + p->dimension_count + p->metric_count;
    out->cells = arena_alloc(q->arena, (size_t)p->limit * out->columns * sizeof *out->cells);
    if (out->cells == NULL) return ERR_FULL;
    while (bytes_left(&in) && out->n < p->limit) {
        if (!read_row(q, p, &in, &out->cells[out->n * out->columns])) return ERR_FULL;
        if (!in.ok) return ERR_CORRUPT;
        out->n++;
    }
    return ERR_NONE;
}

static enum err ask(struct query *q, const char *environment_id, const struct pivot *p, bool count_only,
                    struct buf *rows)
{
    struct buf sql;
    struct store_limits limits = {.timeout_ms = PIVOT_MS, .memory_bytes = PIVOT_MEMORY_BYTES, .most_rows = true};
    buf_init(&sql, SQL_BYTES_MAX);
    pivot_sql(&sql, q->store, environment_id, p, count_only);
    enum err e =
        sql.failed ? ERR_FULL : store_select_as(q->store, buf_span(&sql), &limits, "RowBinary", rows, &q->error);
    buf_free(&sql);
    return e;
}

enum err query_pivot(struct query *q, const char *environment_id, const struct pivot *p, struct pivot_rows *out)
{
    struct buf rows;
    *out = (struct pivot_rows){.n = 0};
    buf_init(&rows, ROWS_BYTES_MAX);
    enum err e = ask(q, environment_id, p, false, &rows);
    if (e == ERR_NONE) e = read_rows(q, p, buf_span(&rows), out);
    out->total = (int64_t)out->n;
    if (e == ERR_NONE && (out->n == p->limit || p->page > 1)) { /* there may be more than these */
        buf_clear(&rows);
        e = ask(q, environment_id, p, true, &rows);
        struct bytes in = bytes_of(buf_span(&rows));
        out->total = rb_i64(&in);
        if (!is_grouped(p)) out->total = 1;
        if (e == ERR_NONE && !in.ok) e = ERR_CORRUPT;
    }
    buf_free(&rows);
    return e;
}
