/* SPDX-License-Identifier: Apache-2.0
 * The collector behind the real HTTP server: what is answered, what is handed over, what is counted and shown. */
#include "collector/collector.h"
#include "collector/recent.h"
#include "base/counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "captures.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENT(key, view, sequence) \
    "{\"ake\":\"" key "\",\"xid\":\"" view "\",\"xsqno\":" #sequence ",\"e\":\"play\",\"uti\":1795408567000,\"zzz_\":1}"
#define BODY(event) "{\"events\":[" event "]}"

static struct collector *collector;
static struct http_server *server;

/* -- a sink in place of the journal --------------------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    enum err answer;             /* what append says */
    bool durable;                /* what becomes of what it took */
    unsigned taken;
    uint32_t events;
    struct collector_post *last; /* a replay of the last payload */
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER};

static enum err sink_append(void *ctx, struct collector_post *post, struct span payload)
{
    (void)ctx;
    if (sink.answer != ERR_NONE) return sink.answer;
    pthread_mutex_lock(&sink.lock);
    sink.taken++;
    sink.events += post->beacon.event_count;
    if (sink.last) collector_post_release(sink.last);
    sink.last = collector_post_replay(collector, payload);
    assert_non_null(sink.last);
    assert_null(sink.last->ticket.request);
    assert_int_equal(sink.last->beacon.event_count, post->beacon.event_count);
    assert_true(collector_post_bytes(post) > 1000);
    pthread_mutex_unlock(&sink.lock);
    collector_posts_answer(collector, &post, 1, sink.durable);
    collector_post_release(post);
    return ERR_NONE;
}

/* Environments: k1 plain; back allows backfill; off is disabled; dnt honours it; few has an event quota, views a view
 * quota; strip loses queries. */
static bool env_find(void *ctx, struct span key, struct collector_env *out)
{
    (void)ctx;
    static const char *const names[] = {"k1", "back", "off", "dnt", "few", "views", "strip"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (!span_is(key, names[i])) continue;
        *out = (struct collector_env){.property_id = (int64_t)i + 1, .keep_addresses = i != 3};
        (void)snprintf(out->id, sizeof out->id, "id-%s", names[i]);
        out->allow_backfill = i == 1;
        out->disabled = i == 2;
        out->honour_dnt = i == 3;
        out->events_per_second_max = i == 4;
        out->views_per_minute_max = i == 5 ? 2 : 0;
        out->strip_query = i == 6;
        return true;
    }
    return false;
}

static void handle(void *ctx, struct http_request *r)
{
    (void)ctx;
    collector_handle(collector, r);
}

/* -- a client ------------------------------------------------------------------------------------------------------- */

static struct {
    int status;
    char text[8192];
} answer;

static void ask(const char *method, const char *headers, const void *body, size_t len)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    struct buf out;
    buf_init(&out, 64 << 20);
    buf_addf(&out, "%s / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n", method, len, headers);
    buf_add(&out, body, len);
    for (size_t at = 0; at < out.len;) {
        ssize_t n = write(fd, out.ptr + at, out.len - at);
        assert_true(n > 0);
        at += (size_t)n;
    }
    buf_free(&out);
    size_t got = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 60000), 1);
        ssize_t n = read(fd, answer.text + got, sizeof answer.text - 1 - got);
        assert_true(n >= 0);
        if (n == 0) break;
        got += (size_t)n;
    }
    (void)close(fd);
    answer.text[got] = 0;
    answer.status = got > 12 ? atoi(answer.text + 9) : 0;
}

static int post_with(const char *headers, const char *body)
{
    ask("POST", headers, body, strlen(body));
    return answer.status;
}

static int post(const char *body)
{
    return post_with("Content-Type: text/plain\r\n", body);
}

static long dropped(const char *reason)
{
    struct buf text;
    buf_init(&text, 1 << 16);
    collector_print(collector, &text);
    char needle[128];
    (void)snprintf(needle, sizeof needle, "firstframe_beacons_dropped_total{reason=\"%s\"} ", reason);
    const char *at = strstr(text.ptr, needle);
    assert_non_null(at);
    long n = strtol(at + strlen(needle), NULL, 10);
    buf_free(&text);
    return n;
}

static void assert_header(const char *line)
{
    if (strcasestr(answer.text, line) == NULL) fail_msg("no %s in %s", line, answer.text);
}

static int setup(void **state)
{
    (void)state;
    sink.answer = ERR_NONE;
    sink.durable = true;
    sink.taken = sink.events = 0;
    return 0;
}

/* -- tests ---------------------------------------------------------------------------------------------------------- */

static void test_accepted(void **state)
{
    (void)state;
    int64_t requests = counter_get(COUNTER_beacon_requests_total);
    assert_int_equal(post(BODY(EVENT("k1", "v1", 1) "," EVENT("k1", "v1", 2))), 200);
    assert_header("Access-Control-Allow-Origin: *");
    assert_header("Content-Length: 0");
    assert_int_equal(sink.taken, 1);
    assert_int_equal(sink.events, 2);
    assert_string_equal(sink.last->beacon.envs[0].id, "id-k1");
    assert_int_equal(sink.last->beacon.envs[0].property_id, 1);
    assert_true(span_is(sink.last->beacon.viewer.address, "127.0.0.0"));
    assert_int_equal(counter_get(COUNTER_beacon_requests_total), requests + 1);
    assert_int_equal(post_with("", BODY(EVENT("k1", "v1", 3))), 200);
    assert_int_equal(post_with("Content-Type: application/json\r\nUser-Agent: test/1\r\n", BODY(EVENT("k1", "v1", 4))), 200);
    assert_true(span_is(sink.last->beacon.viewer.user_agent, "test/1"));
    assert_int_equal(sink.taken, 3);
}

static void test_methods(void **state)
{
    (void)state;
    ask("OPTIONS", "Origin: http://a\r\nAccess-Control-Request-Headers: content-type\r\n", "", 0);
    assert_int_equal(answer.status, 204);
    assert_header("Access-Control-Allow-Origin: *");
    assert_header("Access-Control-Allow-Headers: content-type");
    assert_header("Access-Control-Max-Age: 86400");
    ask("PUT", "", "", 0);
    assert_int_equal(answer.status, 405);
    assert_int_equal(sink.taken, 0);
}

static void test_never_usable(void **state)
{
    (void)state;
    static const struct { const char *body, *headers, *reason; } rows[] = {
        {"nonsense", "", "not_json"}, {"", "", "not_json"}, {"{}", "", "no_events"}, {"{\"events\":[]}", "", "no_events"},
        {BODY(EVENT("nobody", "v", 1)), "", "unknown_env"}, {BODY(EVENT("off", "v", 1)), "", "disabled_env"},
        {BODY("{\"ake\":\"k1\",\"xid\":\"v\"}"), "", "no_sequence"}, {BODY("{\"ake\":\"k1\",\"xsqno\":1}"), "", "no_view_id"},
        {BODY("{\"xid\":\"v\",\"xsqno\":1}"), "", "no_env_key"}, {BODY("3"), "", "not_an_event"},
        {BODY(EVENT("dnt", "v", 1)), "DNT: 1\r\n", "dnt"}, {BODY(EVENT("dnt", "v", 1)), "Sec-GPC: 1\r\n", "dnt"},
        {BODY(EVENT("k1", "v", 1)), "Content-Encoding: br\r\n", "bad_encoding"},
        {"not gzip", "Content-Encoding: gzip\r\n", "bad_encoding"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        long before = dropped(rows[i].reason);
        if (post_with(rows[i].headers, rows[i].body) != 200) fail_msg("%s: %d", rows[i].reason, answer.status);
        if (dropped(rows[i].reason) != before + 1) fail_msg("%s is not counted (row %zu)", rows[i].reason, i);
    }
    assert_int_equal(sink.taken, 0);
    assert_int_equal(post_with("DNT: 0\r\n", BODY(EVENT("dnt", "v", 1))), 200);
    assert_int_equal(sink.taken, 1);
    assert_int_equal(sink.last->beacon.viewer.address.len, 0); /* that environment keeps no addresses */
}

static void test_good_ones_of_a_batch(void **state)
{
    (void)state;
    long unknown = dropped("unknown_env");
    assert_int_equal(post(BODY(EVENT("nobody", "v", 1) "," EVENT("k1", "v", 2) "," EVENT("nobody", "v", 3))), 200);
    assert_int_equal(sink.events, 1);
    assert_int_equal(dropped("unknown_env"), unknown + 2);
}

static void test_sizes(void **state)
{
    (void)state;
    long before = dropped("too_large");
    size_t len = 5 << 20;
    char *big = malloc(len);
    assert_non_null(big);
    memset(big, ' ', len);
    ask("POST", "", big, len);
    assert_int_equal(answer.status, 200);
    assert_int_equal(dropped("too_large"), before + 1);
    struct buf zipped;
    buf_init(&zipped, 1 << 20);
    assert_true(http_deflate(span_make(big, len), &zipped)); /* small on the wire, too large inflated */
    ask("POST", "Content-Encoding: gzip\r\n", zipped.ptr, zipped.len);
    assert_int_equal(answer.status, 200);
    assert_int_equal(dropped("too_large"), before + 2);
    buf_clear(&zipped);
    assert_true(http_deflate(span_of(BODY(EVENT("k1", "v", 1))), &zipped));
    ask("POST", "Content-Encoding: gzip\r\nContent-Type: text/plain;charset=UTF-8\r\n", zipped.ptr, zipped.len);
    assert_int_equal(answer.status, 200);
    assert_int_equal(sink.taken, 1);
    buf_free(&zipped);
    free(big);
}

static void test_send_again(void **state)
{
    (void)state;
    int64_t before = counter_get(COUNTER_beacon_unavailable_total);
    sink.answer = ERR_FULL;
    assert_int_equal(post(BODY(EVENT("k1", "v", 1))), 503);
    assert_header("Retry-After: ");
    assert_header("Access-Control-Allow-Origin: *");
    sink.answer = ERR_NONE;
    sink.durable = false;
    assert_int_equal(post(BODY(EVENT("k1", "v", 1))), 503);
    assert_int_equal(counter_get(COUNTER_beacon_unavailable_total), before + 2);
    sink.answer = ERR_FULL; /* what can never be used needs no journal */
    assert_int_equal(post("nonsense"), 200);
}

static void test_backfill(void **state)
{
    (void)state;
    assert_int_equal(post_with("X-Firstframe-Backfill: 1\r\n", BODY(EVENT("back", "v", 1) "," EVENT("k1", "v", 1))), 200);
    assert_int_equal(sink.last->beacon.env_count, 2);
    assert_true(sink.last->beacon.envs[0].backfill);
    assert_false(sink.last->beacon.envs[1].backfill);
    assert_int_equal(post(BODY(EVENT("back", "v", 2))), 200);
    assert_false(sink.last->beacon.envs[0].backfill);
}

static void test_quotas(void **state)
{
    (void)state;
    long before = dropped("over_quota");
    struct buf body; /* one event a second: a bucket of ten, which the first POST may overdraw */
    buf_init(&body, 1 << 16);
    for (int i = 1; i <= 40; i++) buf_addf(&body, "%s{\"ake\":\"few\",\"xid\":\"q\",\"xsqno\":%d}", i > 1 ? "," : "[", i);
    buf_adds(&body, "]");
    assert_int_equal(post(body.ptr), 200);
    assert_int_equal(sink.events, 40);
    assert_int_equal(post(body.ptr), 200);
    assert_int_equal(sink.events, 40);
    assert_int_equal(dropped("over_quota"), before + 40);
    buf_free(&body);
    /* two views a minute, of which one is under way; at the turn of a minute two more may pass. The numbers that come
     * first decide nothing: that of a view's first event may be any. */
    assert_int_equal(post("[{\"ake\":\"views\",\"xid\":\"old\",\"xsqno\":8}]"), 200);
    assert_int_equal(sink.events, 41);
    for (int i = 0; i < 8; i++) {
        char one[256];
        (void)snprintf(one, sizeof one, "[{\"ake\":\"views\",\"xid\":\"q%d\",\"xsqno\":%d},{\"ake\":\"views\",\"xid\":\"old\",\"xsqno\":9}]", i, i + 1);
        assert_int_equal(post(one), 200);
    }
    unsigned begun = sink.events - 41 - 8;
    assert_true(begun >= 1 && begun <= 3);
    assert_int_equal(dropped("over_quota"), before + 40 + 8 - begun);
    assert_int_equal(sink.last->beacon.event_count, 1); /* the replay refuses the same event */
    assert_true(span_is(sink.last->beacon.events[0].view_id, "old"));
}

static struct json_parser *reader;
static struct collector_recent_ask recent_ask = {.limit = 50};

static const struct json_node *recent(const char *environment_id, struct json_doc *doc, struct buf *text)
{
    struct jw w;
    buf_clear(text);
    jw_init(&w, text);
    size_t n = collector_recent_json(collector, environment_id, &recent_ask, &w);
    assert_false(text->failed);
    if (!json_parse(reader, buf_span(text), 1000000, doc, NULL)) fail_msg("%s", text->ptr);
    assert_int_equal(doc->nodes->count, n);
    return doc->nodes;
}

static const struct json_node *path(const struct json_doc *doc, const struct json_node *at, const char *key)
{
    const struct json_node *n = json_get(doc, at, key);
    if (n == NULL) fail_msg("no %s", key);
    return n;
}

static void test_recent(void **state)
{
    (void)state;
    struct json_doc doc;
    struct buf text;
    buf_init(&text, 16 << 20);
    assert_int_equal(post_with("User-Agent: seen/2\r\n",
        "[{\"ake\":\"strip\",\"xid\":\"r1\",\"xsqno\":1,\"e\":\"viewstart\",\"vtt\":\"<b>\",\"pwd\":-4,\"wur\":\"http://p/?secret\","
        "\"myown_\":1},{\"ake\":\"strip\",\"xid\":\"r1\",\"e\":\"hb\"},{\"ake\":\"k1\",\"xid\":\"other\",\"xsqno\":1}]"), 200);
    const struct json_node *list = recent("id-strip", &doc, &text);
    assert_int_equal(list->count, 1);
    const struct json_node *p = json_first(list);
    assert_true(span_is(json_string(path(&doc, p, "user_agent")), "seen/2"));
    assert_true(json_is(path(&doc, p, "problem"), JSON_NULL));
    const struct json_node *events = path(&doc, p, "events");
    assert_int_equal(events->count, 2); /* not the other environment's */
    const struct json_node *e = json_first(events);
    assert_true(span_is(json_string(path(&doc, e, "event")), "viewstart"));
    assert_true(json_is(path(&doc, e, "refused"), JSON_NULL));
    assert_true(span_is(json_string(path(&doc, path(&doc, e, "fields"), "video_title")), "<b>"));
    assert_true(span_is(json_string(path(&doc, path(&doc, e, "fields"), "page_url")), "http://p/"));
    const struct json_node *ignored = path(&doc, e, "ignored");
    assert_int_equal(ignored->count, 2);
    assert_true(span_is(json_string(path(&doc, json_first(ignored), "key")), "pwd"));
    assert_true(span_is(json_string(path(&doc, json_first(ignored), "why")), "wants a number from 0 to 2147483647"));
    e = json_next(&doc, e);
    assert_true(span_is(json_string(path(&doc, e, "refused")), "no_sequence"));

    char body[4096], title[2000];
    memset(title, 'x', sizeof title - 1);
    title[sizeof title - 1] = 0;
    (void)snprintf(body, sizeof body, "[{\"ake\":\"few\",\"xid\":\"long\",\"xsqno\":1,\"vtt\":\"%s\"}]", title);
    assert_int_equal(post(body), 200);
    list = recent("id-few", &doc, &text);
    e = json_first(path(&doc, json_first(list), "events"));
    assert_int_equal(json_string(path(&doc, path(&doc, e, "fields"), "video_title")).len, 1024);
    assert_true(span_is(json_string(path(&doc, json_first(path(&doc, e, "ignored")), "why")), "too long: it is cut"));

    assert_int_equal(post(BODY(EVENT("off", "r2", 1))), 200); /* a disabled environment sees why */
    list = recent("id-off", &doc, &text);
    e = json_first(path(&doc, json_first(list), "events"));
    assert_true(span_is(json_string(path(&doc, e, "refused")), "disabled_env"));

    assert_int_equal(post_with("DNT: 1\r\nUser-Agent: private/1\r\n", BODY(EVENT("dnt", "secret-view", 1))), 200);
    list = recent("id-dnt", &doc, &text);
    p = json_first(list); /* that something came, and why it is not shown */
    assert_true(span_is(json_string(path(&doc, path(&doc, p, "problem"), "reason")), "dnt"));
    assert_true(json_is(path(&doc, p, "user_agent"), JSON_NULL));
    assert_int_equal(path(&doc, p, "events")->count, 0);
    assert_null(strstr(text.ptr, "secret-view"));

    assert_int_equal(post(BODY(EVENT("typo", "r3", 1))), 200); /* nobody's */
    list = recent("", &doc, &text);
    e = json_first(path(&doc, json_first(list), "events"));
    assert_true(span_is(json_string(path(&doc, e, "refused")), "unknown_env"));
    assert_int_equal(post("{\"events\":"), 200);
    list = recent("", &doc, &text);
    assert_true(span_is(json_string(path(&doc, path(&doc, json_first(list), "problem"), "reason")), "not_json"));
    assert_int_equal(recent("id-none", &doc, &text)->count, 0);
    for (int i = 0; i < 70; i++) { /* about 100 a second are kept */
        assert_int_equal(post(BODY(EVENT("back", "r4", 1))), 200);
        (void)usleep(12000);
    }
    assert_int_equal(recent("id-back", &doc, &text)->count, 50);
    buf_free(&text);
}

static size_t recent_count(struct recent *r, const char *environment_id)
{
    struct buf text;
    struct jw w;
    buf_init(&text, 64 << 20);
    jw_init(&w, &text);
    size_t n = recent_json(r, NULL, environment_id, &(struct collector_recent_ask){.limit = 100000}, &w);
    assert_false(text.failed);
    buf_free(&text);
    return n;
}

/* However much a busy environment is sent, memory is bounded and the others keep what they have. */
static void test_recent_bounds(void **state)
{
    (void)state;
    static char body[60000];
    memset(body, ' ', sizeof body);
    struct recent *r = recent_new(8 << 20);
    struct recent_post post = {.received_ms = 1795408567000, .problem = DROP_not_json, .body_bytes = 1};
    post.body = span_make(body, 1000);
    for (int i = 0; i < 60; i++, post.received_ms += 20) recent_add(r, "quiet", &post);
    for (int i = 0; i < 10000; i++, post.received_ms += 20) {
        post.begins = i % 2;
        recent_add(r, "busy", &post);
    }
    assert_in_range(recent_count(r, "busy"), 2000, 4000);
    assert_int_equal(recent_count(r, "quiet"), 60);
    post.body = span_make(body, sizeof body);
    for (int i = 0; i < 1000; i++, post.received_ms += 20) {
        post.begins = i % 2;
        recent_add(r, "busy", &post);
        recent_add(r, "busier", &post);
    }
    assert_in_range(recent_count(r, "busy") + recent_count(r, "busier"), 80, (8 << 20) / 60000);
    assert_in_range(recent_count(r, "quiet"), 50, 60);
    for (int i = 0; i < 20; i++, post.received_ms += 20) recent_add(r, "new", &post); /* finds room in theirs */
    assert_int_equal(recent_count(r, "new"), 20);
    assert_in_range(recent_count(r, "quiet"), 50, 60);
    recent_free(r);
}

static void test_view_drops(void **state)
{
    (void)state;
    long before = dropped("too_late"), other = dropped("other");
    collector_dropped(collector, "id-k1", "too_late", 3);
    collector_dropped(collector, "id-k1", "a reason nobody knows", 1);
    assert_int_equal(dropped("too_late"), before + 3);
    assert_int_equal(dropped("other"), other + 1);
}

static void *storm(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        char body[512];
        (void)snprintf(body, sizeof body, BODY(EVENT("k1", "storm", 1) ",{\"ake\":\"k1\",\"xid\":\"s%d\",\"xsqno\":%d}"), i, i);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_server_port(server)),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        char head[256], got[64];
        (void)snprintf(head, sizeof head, "POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", strlen(body));
        bool ok = connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 &&
                  write(fd, head, strlen(head)) == (ssize_t)strlen(head) &&
                  write(fd, body, strlen(body)) == (ssize_t)strlen(body) && read(fd, got, sizeof got) > 12 &&
                  memcmp(got + 9, "200", 3) == 0;
        (void)close(fd);
        if (!ok) return "failed";
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[6];
    for (size_t i = 0; i < COUNT(threads); i++) assert_int_equal(pthread_create(&threads[i], NULL, storm, NULL), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(sink.taken, 300);
    assert_int_equal(sink.events, 600);
}

int main(void)
{
    char why[256];
    reader = json_parser_new();
    collector = collector_new(&(struct collector_options){.env_find = env_find, .keep_addresses = true});
    collector_connect(collector, sink_append, NULL);
    struct http_config config = {.listen = "127.0.0.1:0", .loops = 3, .limits = http_limits_default(), .handler = handle};
    server = http_server_start(&config, why);
    if (server == NULL) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_accepted, setup),      cmocka_unit_test_setup(test_methods, setup),
        cmocka_unit_test_setup(test_never_usable, setup),  cmocka_unit_test_setup(test_good_ones_of_a_batch, setup),
        cmocka_unit_test_setup(test_sizes, setup),         cmocka_unit_test_setup(test_send_again, setup),
        cmocka_unit_test_setup(test_backfill, setup),      cmocka_unit_test_setup(test_quotas, setup),
        cmocka_unit_test_setup(test_recent, setup),        cmocka_unit_test_setup(test_recent_bounds, setup),
        cmocka_unit_test_setup(test_view_drops, setup),
        cmocka_unit_test_setup(test_threads, setup),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    http_server_stop(server, 5000);
    if (sink.last) collector_post_release(sink.last);
    collector_free(collector);
    json_parser_free(reader);
    return failed;
}
