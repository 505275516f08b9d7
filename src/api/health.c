/* SPDX-License-Identifier: Apache-2.0 */
#include "api/health.h"

#include "base/counters.h"

#include <sodium.h>

enum { PAGE_BYTES_MAX = 1024 * 1024 };

static const char *store_state_name(enum store_state state)
{
    switch (state) {
    case STORE_STARTING: return "starting";
    case STORE_READY: return "ready";
    case STORE_AWAY: return "away";
    }
    return "away";
}

static void reply_json(struct http_request *r, int status, const struct buf *body)
{
    struct http_header later = {SPAN("Retry-After"), SPAN("2")};
    http_reply(r, &(struct http_reply){.status = status,
                                       .content_type = "application/json; charset=utf-8",
                                       .body = buf_span(body),
                                       .headers = &later,
                                       .header_count = status == 503 ? 1 : 0});
}

static void answer_ready(const struct health *h, struct http_request *r)
{
    struct pipeline_status p;
    struct store_status s;
    pipeline_status(h->pipeline, &p);
    store_status(h->store, &s);
    struct buf body;
    struct jw w;
    buf_init(&body, PAGE_BYTES_MAX);
    jw_init(&w, &body);
    jw_object(&w);
    jw_key(&w, "ready"), jw_bool(&w, p.ready);
    jw_key(&w, "reason"), jw_text(&w, p.reason[0] ? p.reason : NULL);
    jw_key(&w, "journal"), jw_object(&w);
    jw_key(&w, "segments"), jw_int(&w, (int64_t)p.journal_segments);
    jw_key(&w, "bytes"), jw_int(&w, (int64_t)p.journal_bytes);
    jw_key(&w, "replaying"), jw_bool(&w, p.replaying);
    if (p.replaying) {
        jw_key(&w, "replayed_bytes"), jw_int(&w, (int64_t)p.replay_done_bytes);
        jw_key(&w, "replay_total_bytes"), jw_int(&w, (int64_t)p.replay_total_bytes);
    }
    jw_object_end(&w);
    jw_key(&w, "store"), jw_object(&w);
    jw_key(&w, "state"), jw_text(&w, store_state_name(s.state));
    jw_key(&w, "embedded"), jw_bool(&w, s.embedded);
    jw_key(&w, "version"), jw_text(&w, s.version[0] ? s.version : NULL);
    jw_key(&w, "text"), jw_text(&w, s.text[0] ? s.text : NULL);
    jw_object_end(&w);
    jw_object_end(&w);
    reply_json(r, p.ready ? 200 : 503, &body);
    buf_free(&body);
}

static bool is_loopback(const struct http_address *a)
{
    static const uint8_t loopback6[16] = {[15] = 1};
    return a->is_v4 ? a->bytes[12] == 127 : memcmp(a->bytes, loopback6, sizeof loopback6) == 0;
}

static bool may_see_metrics(const struct health *h, const struct http_request *r)
{
    struct span authorization = http_header(r, "Authorization"), token = span_of(h->metrics_token);
    if (span_starts(authorization, SPAN("Bearer "))) {
        struct span sent = span_from(authorization, 7);
        return token.len && sent.len == token.len && sodium_memcmp(sent.ptr, token.ptr, token.len) == 0;
    }
    return is_loopback(&r->client);
}

static void gauge(struct buf *out, const char *name, const char *help, int64_t value)
{
    buf_addf(out, "# HELP firstframe_%s %s\n# TYPE firstframe_%s gauge\nfirstframe_%s %lld\n", name, help, name, name,
             (long long)value);
}

static void answer_metrics(const struct health *h, struct http_request *r)
{
    if (!may_see_metrics(h, r)) {
        http_reply(r, &(struct http_reply){.status = 403,
                                           .content_type = "text/plain; charset=utf-8",
                                           .body = SPAN("Only from this machine, or with the token.\n")});
        return;
    }
    struct pipeline_status p;
    struct store_writer_status w;
    pipeline_status(h->pipeline, &p);
    store_writer_status(h->writer, &w);
    struct buf page;
    buf_init(&page, PAGE_BYTES_MAX);
    counters_print(&page);
    collector_print(h->collector, &page);
    gauge(&page, "ready", "1 while beacons can be acknowledged", p.ready);
    gauge(&page, "views_open_now", "open views in all shards", (int64_t)p.open_views);
    gauge(&page, "views_open_bytes", "memory of the open views", (int64_t)p.view_bytes);
    gauge(&page, "journal_size_bytes", "journal on disk", (int64_t)p.journal_bytes);
    gauge(&page, "journal_behind_posts", "durable beacons not yet through the shards", (int64_t)p.behind_posts);
    gauge(&page, "checkpoint_age_ms", "since the last checkpoint", p.checkpoint_age_ms);
    gauge(&page, "store_rows_waiting", "rows not yet in the store", (int64_t)w.rows_waiting);
    gauge(&page, "store_rows_oldest_ms", "age of the oldest row that waits", w.oldest_ms);
    http_reply(r, &(struct http_reply){.status = 200,
                                       .content_type = "text/plain; version=0.0.4; charset=utf-8",
                                       .body = buf_span(&page)});
    buf_free(&page);
}

bool health_handle(const struct health *h, struct http_request *r)
{
    if (r->method != HTTP_M_GET && r->method != HTTP_M_HEAD) return false;
    if (span_is(r->path, "/healthz"))
        http_reply(
            r, &(struct http_reply){.status = 200, .content_type = "text/plain; charset=utf-8", .body = SPAN("ok\n")});
    else if (span_is(r->path, "/readyz")) answer_ready(h, r);
    else if (span_is(r->path, "/metrics")) answer_metrics(h, r);
    else return false;
    return true;
}
