/* SPDX-License-Identifier: Apache-2.0
 * The route table and its matching: segment by segment, a literal wins over an {argument}. */
#include "api/internal.h"

#include "base/hash.h"

#define ROUTE_POOL_ASK false
#define ROUTE_POOL_HASH true

static const struct route routes[] = {
#define ROUTE(method, path, access, pool, handler, tag, summary)                                                       \
    {HTTP_M_##method, path, ACCESS_##access, handler, #handler, tag, summary, ROUTE_POOL_##pool},
#include "api/routes.def"
#undef ROUTE
};

enum { SEGMENTS_MAX = 10 };

struct segments {
    struct span at[SEGMENTS_MAX];
    size_t n;
};

size_t route_count(void)
{
    return COUNT(routes);
}

const struct route *route_at(size_t i)
{
    return &routes[i];
}

static bool segments_of(struct span path, struct segments *out)
{
    out->n = 0;
    while (path.len) {
        if (path.ptr[0] != '/') return false;
        path = span_from(path, 1);
        ptrdiff_t slash = span_find(path, '/');
        struct span one = slash < 0 ? path : span_upto(path, (size_t)slash);
        if (one.len == 0 || out->n == SEGMENTS_MAX) return false;
        out->at[out->n++] = one;
        path = span_from(path, one.len);
    }
    return out->n > 0;
}

/* Historical prefixes: sessions anywhere, /metrics/{id}/... under /api/v1, /v1 or nothing; all become today's path. */
static void segments_modernize(struct segments *s, enum http_method method)
{
    struct span last = s->at[s->n - 1];
    if (method == HTTP_M_POST && s->n <= 3 && (span_is(last, "sessions") || span_is(last, "session"))) {
        *s = (struct segments){.at = {SPAN("api"), SPAN("sessions")}, .n = 2};
        return;
    }
    size_t skip = 0;
    if (s->n >= 2 && span_is(s->at[0], "api") && span_is(s->at[1], "v1")) skip = 2;
    else if (s->n >= 1 && span_is(s->at[0], "v1")) skip = 1;
    if (s->n - skip < 2 || !span_is(s->at[skip], "metrics") || s->n - skip + 2 > SEGMENTS_MAX) return;
    struct segments modern = {.at = {SPAN("data"), SPAN("v1")}, .n = 2};
    for (size_t i = skip; i < s->n; i++) modern.at[modern.n++] = s->at[i];
    *s = modern;
}

/* How well the pattern fits: 0 not at all, else more for earlier literals. */
static unsigned pattern_fit(const char *pattern, const struct segments *s)
{
    struct segments want;
    if (!segments_of(span_of(pattern), &want) || want.n != s->n) return 0;
    unsigned fit = 1;
    for (size_t i = 0; i < want.n; i++) {
        bool argument = want.at[i].ptr[0] == '{';
        if (!argument && !span_eq(want.at[i], s->at[i])) return 0;
        fit = fit << 1 | !argument;
    }
    return fit;
}

static struct span segment_decode(struct span raw, struct arena *arena)
{
    struct span copy = arena_copy(arena, raw);
    char *out = (char *)(uintptr_t)copy.ptr;
    size_t len = 0;
    for (size_t i = 0; i < copy.len; i++) {
        uint8_t byte;
        if (copy.ptr[i] == '%' && i + 2 < copy.len && hex_decode(span_upto(span_from(copy, i + 1), 2), &byte, 1)) {
            out[len++] = (char)byte;
            i += 2;
        } else {
            out[len++] = copy.ptr[i];
        }
    }
    return span_make(copy.ptr, len);
}

enum route_match route_find(enum http_method method, struct span raw_path, struct arena *arena,
                            const struct route **out, struct span arguments[API_ARGUMENTS_MAX])
{
    struct segments s;
    if (!segments_of(raw_path, &s)) return ROUTE_UNKNOWN;
    if (method == HTTP_M_HEAD) method = HTTP_M_GET;
    segments_modernize(&s, method);
    const struct route *best = NULL;
    unsigned best_fit = 0;
    bool other_method = false;
    for (size_t i = 0; i < COUNT(routes); i++) {
        unsigned fit = pattern_fit(routes[i].path, &s);
        if (fit == 0) continue;
        if (routes[i].method != method) other_method = true;
        else if (fit > best_fit) best = &routes[i], best_fit = fit;
    }
    if (best == NULL) return other_method ? ROUTE_OTHER_METHOD : ROUTE_UNKNOWN;
    struct segments want;
    BUG_IF(!segments_of(span_of(best->path), &want));
    size_t n = 0;
    for (size_t i = 0; i < want.n; i++)
        if (want.at[i].ptr[0] == '{' && n < API_ARGUMENTS_MAX) arguments[n++] = segment_decode(s.at[i], arena);
    *out = best;
    return ROUTE_FOUND;
}
