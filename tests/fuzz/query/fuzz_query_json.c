/* SPDX-License-Identifier: Apache-2.0
 * The query language: whatever is accepted becomes a statement from which no text of the client escapes, and in which the
 * environment and a token's filter stand outside of everything the client wrote. */
#include "query/pivot.h"
#include "store/internal.h"
#include "bare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pivot(const struct pivot *p, const char *version)
{
    struct store store = {.pending_from_ms = INT64_MAX};
    struct buf sql;
    require(pthread_mutex_init(&store.lock, NULL) == 0 && store_dialect_of(span_of(version), &store.dialect));
    for (int count_only = 0; count_only <= 1; count_only++) {
        buf_init(&sql, 64 << 20);
        pivot_sql(&sql, &store, "mine", p, count_only);
        if (!sql.failed) {
            check_statement(&sql);
            require(strstr(sql.ptr, "environment_id = 'mine' AND ") != NULL);
            require(strstr(sql.ptr, " AND ifNull(sub_property_id = 'acme', 0)") != NULL);
        }
        buf_free(&sql);
    }
    (void)pthread_mutex_destroy(&store.lock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_parser *parser = json_parser_new();
    struct arena arena;
    struct json_doc doc;
    struct pivot p;
    arena_init(&arena, 64 << 20);
    if (json_parse(parser, span_make(data, size), 20000, &doc, NULL) &&
        pivot_parse(&doc, doc.nodes, 1795412417, &arena, &p) == NULL) {
        require(p.metric_count >= 1 && p.metric_count <= PIVOT_METRICS_MAX && p.limit >= 1 && p.limit <= PIVOT_LIMIT_MAX);
        require(filters_restrict(&p.filters, SPAN("sub_property_id:acme"), &arena) == NULL);
        check_pivot(&p, "26.7.2.1");
        if (p.metric_count < 4) check_pivot(&p, "18.16.1");
    }
    arena_free(&arena);
    json_parser_free(parser);
    return 0;
}
