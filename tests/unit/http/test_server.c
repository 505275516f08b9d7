/* SPDX-License-Identifier: Apache-2.0
 * The server around the requests: answers from other threads, limits, deadlines, start and stop. Run under ASan and
 * TSan: most of what can go wrong here is a life that ends too early or two threads at one field. */
#include "rig.h"

#include "base/counters.h"

#define HOST "Host: a\r\n"
#define DEFER "GET /defer HTTP/1.1\r\n" HOST "\r\n"

static struct rig rig;

static const struct http_reply reply_done = {.status = 200, .content_type = "text/plain", .body = {"done", 4}};

static struct http_ticket ticket_at(size_t i)
{
    (void)pthread_mutex_lock(&rig.lock);
    struct http_ticket t = rig.tickets[i];
    (void)pthread_mutex_unlock(&rig.lock);
    return t;
}

static void test_deferred(void **state)
{
    (void)state;
    struct http_config config = rig_config(&rig);
    config.loops = 2;
    rig_start(&rig, &config);
    int fd = rig_connect(&rig);
    /* Four in one write: each one is handled only when the one before it is answered. */
    assert_true(
        rig_send(fd, SPAN(DEFER "GET /now HTTP/1.1\r\n" HOST "\r\n" DEFER "GET /last HTTP/1.1\r\n" HOST "\r\n")));
    rig_wait_tickets(&rig, 1);
    assert_false(rig_readable(fd, 50));
    assert_int_equal(rig_ticket_count(&rig), 1);
    http_finish(ticket_at(0), &reply_done);
    rig_expect(fd, "", 200, "done");
    rig_expect(fd, "", 200, "path=/now");
    rig_wait_tickets(&rig, 2);
    struct http_reply owned = {.status = 201, .body_owned = strdup("owned body")};
    owned.body = span_of(owned.body_owned);
    http_finish(ticket_at(1), &owned);
    rig_expect(fd, "", 201, "owned body");
    rig_expect(fd, "", 200, "path=/last");
    (void)close(fd);
    rig_stop(&rig);
}

/* The request's memory lives until the ticket is finished, whatever the client did. */
static void test_client_leaves(void **state)
{
    (void)state;
    struct http_config config = rig_config(&rig);
    rig_start(&rig, &config);
    struct linger reset = {.l_onoff = 1};
    for (int i = 0; i < 3; i++) {
        int fd = rig_connect(&rig);
        assert_true(rig_send(fd, SPAN("POST /defer HTTP/1.1\r\n" HOST "X: kept\r\nContent-Length: 5\r\n\r\nhello")));
        rig_wait_tickets(&rig, (size_t)i + 1);
        /* 0: ended; 1: reset; 2: reset with a request behind it. */
        if (i == 2) assert_true(rig_send(fd, SPAN("GET /x HTTP/1.1\r\n" HOST "\r\n")));
        if (i > 0) assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
        (void)close(fd);
    }
    int other = rig_connect(&rig);
    rig_expect(other, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "path=/"); /* the loop has seen the resets by now */
    (void)usleep(50000);
    for (size_t i = 0; i < 3; i++) {
        const struct http_request *r = ticket_at(i).request;
        assert_true(span_is(r->body, "hello"));
        assert_true(span_is(http_header(r, "x"), "kept"));
        assert_non_null(arena_alloc(r->arena, 1000));
        http_finish(ticket_at(i), &reply_done);
    }
    rig_expect(other, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "path=/");
    (void)close(other);
    rig_stop(&rig);
}

static void test_finish_many(void **state)
{
    (void)state;
    enum { CLIENTS = 60 };
    struct http_config config = rig_config(&rig);
    config.loops = 3;
    rig_start(&rig, &config);
    int fds[CLIENTS];
    static const char *const requests[] = {DEFER, "GET /defer HTTP/1.0\r\n\r\n", "HEAD /defer HTTP/1.1\r\n" HOST "\r\n",
                                           "GET /defer HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"};
    for (int round = 0; round < 3; round++) {
        rig.ticket_count = 0;
        for (int i = 0; i < CLIENTS; i++) {
            fds[i] = rig_connect(&rig);
            assert_true(rig_send(fds[i], span_of(requests[i % 4])));
        }
        rig_wait_tickets(&rig, CLIENTS);
        struct http_reply reply = reply_done;
        if (round == 2) {
            reply.body_owned = strdup("done");
            reply.body = span_of(reply.body_owned);
        }
        (void)pthread_mutex_lock(&rig.lock);
        http_finish_many(rig.tickets, CLIENTS, &reply);
        (void)pthread_mutex_unlock(&rig.lock);
        for (int i = 0; i < CLIENTS; i++) {
            bool head = i % 4 == 2, closes = i % 4 == 1;
            struct rig_reply r = rig_receive(fds[i], !head);
            assert_int_equal(r.status, 200);
            assert_true(span_is(rig_reply_header(&r, "Content-Length"), "4"));
            assert_true(span_is(r.body, head ? "" : "done"));
            assert_int_equal(span_is(rig_reply_header(&r, "Connection"), "close"), closes);
            rig_reply_free(&r);
            if (closes) rig_expect_closed(fds[i]);
            else (void)close(fds[i]);
        }
    }
    rig_stop(&rig);
}

/* Several threads finish what several loops defer, while clients come and go. */
struct crowd {
    pthread_t finishers[2];
    size_t taken;
    bool over;
};
static struct crowd crowd;

static void *crowd_finish(void *arg)
{
    (void)arg;
    for (;;) {
        (void)pthread_mutex_lock(&rig.lock);
        struct http_ticket batch[64];
        size_t n = 0;
        while (n < COUNT(batch) && crowd.taken < rig.ticket_count) batch[n++] = rig.tickets[crowd.taken++];
        bool over = crowd.over && n == 0;
        (void)pthread_mutex_unlock(&rig.lock);
        if (over) return NULL;
        if (n == 1) http_finish(batch[0], &reply_done);
        else if (n > 1) http_finish_many(batch, n, &reply_done);
        else (void)usleep(500);
    }
}

static void *crowd_client(void *arg)
{
    unsigned id = (unsigned)(uintptr_t)arg;
    for (unsigned i = 0; i < 60; i++) {
        int fd = rig_connect(&rig);
        bool sent = rig_send(fd, SPAN(DEFER DEFER));
        /* Some read both answers, some one, some none. */
        for (unsigned k = 0; sent && k < (i + id) % 3; k++) {
            struct rig_reply r = rig_receive(fd, true);
            rig_reply_free(&r);
        }
        (void)close(fd);
    }
    return NULL;
}

static void test_crowd(void **state)
{
    (void)state;
    enum { CLIENTS = 6 };
    struct http_config config = rig_config(&rig);
    crowd = (struct crowd){.over = false};
    config.loops = 2;
    rig_start(&rig, &config);
    pthread_t clients[CLIENTS];
    for (size_t i = 0; i < COUNT(crowd.finishers); i++)
        assert_int_equal(pthread_create(&crowd.finishers[i], NULL, crowd_finish, NULL), 0);
    for (size_t i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&clients[i], NULL, crowd_client, (void *)(uintptr_t)i), 0);
    for (size_t i = 0; i < CLIENTS; i++) (void)pthread_join(clients[i], NULL);
    http_server_stop(rig.server, 5000);
    (void)pthread_mutex_lock(&rig.lock);
    crowd.over = true;
    (void)pthread_mutex_unlock(&rig.lock);
    for (size_t i = 0; i < COUNT(crowd.finishers); i++) (void)pthread_join(crowd.finishers[i], NULL);
    assert_int_equal(crowd.taken, rig.ticket_count);
    assert_true(rig.ticket_count >= 60 * CLIENTS / 3);
    (void)pthread_mutex_destroy(&rig.lock);
}

static void test_timeouts(void **state)
{
    (void)state;
    struct http_config config = rig_config(&rig);
    config.limits.header_timeout_ms = 300;
    config.limits.body_timeout_ms = 300;
    config.limits.idle_timeout_ms = 600;
    config.limits.write_timeout_ms = 300;
    rig_start(&rig, &config);
    int64_t timeouts = counter_get(COUNTER_http_timeouts_total);
    int fd = rig_connect(&rig); /* drips a header for ever */
    struct span drip = SPAN("GET / HTTP/1.1\r\nX: ");
    for (int i = 0; i < 1000 && !rig_readable(fd, 20); i++)
        if (!rig_send(fd, (size_t)i < drip.len ? span_make(drip.ptr + i, 1) : SPAN("x"))) break;
    rig_expect(fd, "", 408, "request_timeout");
    rig_expect_closed(fd);
    fd = rig_connect(&rig);
    rig_expect(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhel", 408, "request_timeout");
    rig_expect_closed(fd);
    assert_int_equal(counter_get(COUNTER_http_timeouts_total), timeouts + 2);
    fd = rig_connect(&rig); /* nothing at all */
    rig_expect_closed(fd);
    fd = rig_connect(&rig);
    rig_expect(fd, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "path=/");
    rig_expect_closed(fd);
    fd = rig_connect(&rig); /* the handler may take longer than any of them */
    assert_true(rig_send(fd, SPAN(DEFER)));
    rig_wait_tickets(&rig, 1);
    (void)usleep(1500000);
    http_finish(ticket_at(0), &reply_done);
    rig_expect(fd, "", 200, "done");
    (void)close(fd);
    rig_stop(&rig);
}

/* 50 MB that nobody reads: the connection ends, with less than all of it. */
static void test_client_does_not_read(void **state)
{
    (void)state;
    struct http_config config = rig_config(&rig);
    config.limits.write_timeout_ms = 300;
    rig_start(&rig, &config);
    static const char *const requests[] = {"GET /owned?50000000 HTTP/1.1\r\n" HOST "\r\n",
                                           "GET /file?50000000 HTTP/1.1\r\n" HOST "\r\n"};
    for (size_t i = 0; i < COUNT(requests); i++) {
        int fd = rig_connect(&rig);
        int64_t timeouts = counter_get(COUNTER_http_timeouts_total);
        assert_true(rig_send(fd, span_of(requests[i])));
        (void)usleep(2000000);
        static char bytes[65536];
        size_t total = 0;
        ssize_t n;
        while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0) total += (size_t)n;
        if (n < 0) assert_int_equal(errno, ECONNRESET);
        assert_true(total < 50000000);
        assert_int_equal(counter_get(COUNTER_http_timeouts_total), timeouts + 1);
        (void)close(fd);
    }
    rig_stop(&rig);
}

/* The end of an earlier connection is noticed soon, but not at once. */
static int connect_soon(unsigned last)
{
    for (int i = 0; i < RIG_WAIT_MS / 10; i++) {
        int fd = rig_connect_from(&rig, last);
        if (rig_send(fd, SPAN("GET / HTTP/1.1\r\n" HOST "\r\n"))) {
            struct rig_reply r = rig_receive(fd, true);
            bool stays = r.status == 200 && rig_reply_header(&r, "Connection").len == 0;
            rig_reply_free(&r);
            if (stays) return fd;
        }
        (void)close(fd);
        (void)usleep(10000);
    }
    fail_msg("%s", "the server stays full");
    return -1;
}

static void test_connection_limits(void **state)
{
    (void)state;
    struct http_config config = rig_config(&rig);
    config.limits.connections_max = 5;
    rig_start(&rig, &config);
    int fds[5];
    for (unsigned i = 0; i < 5; i++) {
        fds[i] = rig_connect_from(&rig, 2 + i);
        rig_expect(fds[i], "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "path=/");
    }
    int64_t refused = counter_get(COUNTER_http_connections_refused_total);
    rig_expect_closed(rig_connect_from(&rig, 9));
    assert_int_equal(counter_get(COUNTER_http_connections_refused_total), refused + 1);
    (void)close(fds[4]);
    fds[4] = connect_soon(9);
    for (int i = 0; i < 5; i++) (void)close(fds[i]);
    rig_stop(&rig);
}

/* Files that are being sent are descriptors as well. */
static void test_files_are_counted(void **state)
{
    (void)state;
    struct http_config config = rig_config(&rig);
    config.limits.connections_max = 3;
    rig_start(&rig, &config);
    int reading = rig_connect_from(&rig, 2), other = rig_connect_from(&rig, 3);
    rig_expect(other, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "path=/");
    assert_true(rig_send(reading, SPAN("GET /file?50000000 HTTP/1.1\r\n" HOST "\r\n")));
    char bytes[1000];
    assert_int_equal(recv(reading, bytes, sizeof bytes, MSG_WAITALL), sizeof bytes);
    rig_expect_closed(rig_connect_from(&rig, 4));
    assert_true(rig_send(other, SPAN("HEAD /file?10 HTTP/1.1\r\n" HOST "\r\n")));
    struct rig_reply head = rig_receive(other, false);
    assert_int_equal(head.status, 200);
    rig_reply_free(&head);
    rig_expect(other, "GET /file?10 HTTP/1.1\r\n" HOST "\r\n", 503, "Too many connections are open");
    rig_expect_closed(other);
    (void)close(reading);
    for (unsigned i = 2; i < 4; i++) {
        int fd = connect_soon(i);
        rig_expect(fd, "GET /file?10 HTTP/1.1\r\n" HOST "\r\n", 200, "abcdefghij");
        rig_expect(fd, "GET /file?10 HTTP/1.1\r\n" HOST "\r\n", 200, "abcdefghij");
        (void)close(fd);
    }
    rig_stop(&rig);
}

static void wait_for_count(enum counter counter, int64_t n)
{
    for (int i = 0; i < RIG_WAIT_MS && counter_get(counter) < n; i++) (void)usleep(1000);
    assert_int_equal(counter_get(counter), n);
}

static void test_address_limit(void **state)
{
    (void)state;
    struct http_config config = rig_config(&rig);
    config.loops = 2;
    config.limits.connections_per_address_max = 3;
    rig_start(&rig, &config);
    int fds[3];
    for (unsigned i = 0; i < 3; i++) {
        fds[i] = rig_connect_from(&rig, 2);
        rig_expect(fds[i], "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "path=/");
    }
    int64_t refused = counter_get(COUNTER_http_connections_address_refused_total);
    /* The next three have one request answered, without its body, and the ones after them none. */
    int over[3];
    for (unsigned i = 0; i < 3; i++) {
        over[i] = rig_connect_from(&rig, 2);
        assert_true(rig_send(over[i], SPAN("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nab")));
    }
    wait_for_count(COUNTER_http_connections_address_refused_total, refused + 3);
    rig_expect_closed(rig_connect_from(&rig, 2));
    assert_int_equal(counter_get(COUNTER_http_connections_address_refused_total), refused + 4);
    int other = rig_connect_from(&rig, 3);
    rig_expect(other, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "path=/");
    for (unsigned i = 0; i < 3; i++) {
        rig_expect(over[i], "cdeGET /next HTTP/1.1\r\n" HOST "\r\n", 200, "body=0 cut=1 headers=2");
        rig_expect_closed(over[i]);
    }
    rig_expect(fds[2], "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "path=/"); /* those within the limit go on */
    (void)close(fds[2]);
    fds[2] = connect_soon(2);
    for (int i = 0; i < 3; i++) (void)close(fds[i]);
    (void)close(other);
    rig_stop(&rig);
}

static void test_memory_limit(void **state)
{
    (void)state;
    struct http_config config = rig_config(&rig);
    config.limits.memory_bytes_max = 300 * 1024;
    rig_start(&rig, &config);
    static char body[200 * 1024];
    memset(body, 'm', sizeof body);
    int fd = rig_connect(&rig), other = rig_connect(&rig);
    assert_true(rig_send(fd, SPAN("POST /defer HTTP/1.1\r\n" HOST "Content-Length: 204800\r\n\r\n")));
    assert_true(rig_send(fd, span_make(body, sizeof body)));
    rig_wait_tickets(&rig, 1);
    assert_true(rig_send(other, SPAN("POST / HTTP/1.1\r\n" HOST "Content-Length: 204800\r\n\r\n")));
    (void)rig_send(other, span_make(body, sizeof body));
    struct rig_reply r = rig_receive(other, true);
    assert_int_equal(r.status, 503);
    assert_non_null(rig_reply_header(&r, "Retry-After").ptr);
    assert_true(span_has(r.body, "service_unavailable"));
    rig_reply_free(&r);
    (void)close(other);
    http_finish(ticket_at(0), &reply_done);
    rig_expect(fd, "", 200, "done");
    /* What the first one held is free again. */
    assert_true(rig_send(fd, SPAN("POST / HTTP/1.1\r\n" HOST "Content-Length: 204800\r\n\r\n")));
    assert_true(rig_send(fd, span_make(body, sizeof body)));
    rig_expect(fd, "", 200, "body=204800");
    (void)close(fd);
    rig_stop(&rig);
}

static void *stopper(void *arg)
{
    http_server_stop(arg, 10000);
    return NULL;
}

static void test_drain(void **state)
{
    (void)state;
    struct http_config config = rig_config(&rig);
    config.loops = 2;
    rig_start(&rig, &config);
    int under_way = rig_connect(&rig), half = rig_connect(&rig), idle = rig_connect(&rig),
        port = http_server_port(rig.server);
    rig_expect(idle, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "path=/");
    assert_true(rig_send(half, SPAN("GET /half HTTP/1.1\r\nHo")));
    assert_true(rig_send(under_way, SPAN(DEFER)));
    rig_wait_tickets(&rig, 1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stopper, rig.server), 0);
    rig_expect_closed(idle);
    /* Nobody listens any more. */
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int late = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(late, (struct sockaddr *)&to, sizeof to), -1);
    (void)close(late);
    assert_true(rig_send(half, SPAN("st: a\r\n\r\n")));
    struct rig_reply r = rig_receive(half, true);
    assert_int_equal(r.status, 200);
    assert_true(span_is(rig_reply_header(&r, "Connection"), "close"));
    rig_reply_free(&r);
    rig_expect_closed(half);
    http_finish(ticket_at(0), &reply_done);
    r = rig_receive(under_way, true);
    assert_int_equal(r.status, 200);
    assert_true(span_is(rig_reply_header(&r, "Connection"), "close"));
    rig_reply_free(&r);
    rig_expect_closed(under_way);
    (void)pthread_join(thread, NULL);
    (void)pthread_mutex_destroy(&rig.lock);
}

/* A holder that is late must not crash, and what it held is freed (ASan's leak check sees to that). */
static void test_ticket_outlives_server(void **state)
{
    (void)state;
    struct http_config config = rig_config(&rig);
    config.loops = 2;
    rig_start(&rig, &config);
    int fds[4];
    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = rig_connect(&rig);
        assert_true(rig_send(fds[i], SPAN(DEFER)));
    }
    rig_wait_tickets(&rig, COUNT(fds));
    http_server_stop(rig.server, 0);
    for (size_t i = 0; i < COUNT(fds); i++) rig_expect_closed(fds[i]);
    http_finish(ticket_at(0), &reply_done);
    http_finish_many(rig.tickets + 1, 3, &reply_done);
    (void)pthread_mutex_destroy(&rig.lock);
}

static void test_start_failures(void **state)
{
    (void)state;
    char why[256], listen[32];
    struct http_config config = rig_config(&rig);
    config.loops = 2;
    rig_start(&rig, &config);
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)http_server_port(rig.server));
    config.listen = listen;
    assert_null(http_server_start(&config, why)); /* also with SO_REUSEPORT, also from the same user */
    assert_true(span_has(span_of(why), "in use"));
    assert_true(http_listen_valid(listen, why));
    assert_false(http_listen_free(listen, false, why));
    assert_true(span_has(span_of(why), "in use"));
    static const char *const bad[] = {
        "",      "8600",    "127.0.0.1",     "127.0.0.1:",   "127.0.0.1:70000", "::1:8600",
        "[::1]", "[::1]:x", "[127.0.0.1]:0", "a.example:80", "127.0.0.1:-1"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        config.listen = bad[i];
        assert_null(http_server_start(&config, why));
        if (!span_has(span_of(why), "not an address")) fail_msg("%s: %s", bad[i], why);
        if (http_listen_valid(bad[i], why)) fail_msg("%s is taken for an address", bad[i]);
    }
    config.listen = "203.0.113.1:0"; /* not ours */
    assert_null(http_server_start(&config, why));
    config.listen = "127.0.0.1:0";
    config.trusted_proxies = "10.0.0.0/8, nonsense";
    assert_null(http_server_start(&config, why));
    assert_true(span_has(span_of(why), "nonsense"));
    config.trusted_proxies = NULL;
    config.proxy_protocol = true;
    assert_null(http_server_start(&config, why));
    config.proxy_protocol = false;
    config.limits.header_bytes_max = 1024 * 1024;
    assert_null(http_server_start(&config, why));
    rig_stop(&rig);
    assert_true(http_listen_free(listen, false, why)); /* asking leaves nothing behind */
    assert_true(http_listen_free(listen, false, why));
}

static void test_loopback6(void **state)
{
    (void)state;
    struct http_config config = rig_config(&rig);
    config.loops = 2;
    config.also_loopback6 = true;
    rig_start(&rig, &config);
    int fd = rig_connect(&rig);
    rig_expect(fd, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "client=127.0.0.1:");
    (void)close(fd);
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 to = {
        .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(http_server_port(rig.server))};
    struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) != 0) {
        print_message("no IPv6 here: ::1 was not tried\n");
    } else {
        assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
        rig_expect(fd, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "client=::1:");
    }
    if (fd >= 0) (void)close(fd);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deferred),
        cmocka_unit_test(test_client_leaves),
        cmocka_unit_test(test_finish_many),
        cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_client_does_not_read),
        cmocka_unit_test(test_connection_limits),
        cmocka_unit_test(test_files_are_counted),
        cmocka_unit_test(test_address_limit),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_ticket_outlives_server),
        cmocka_unit_test(test_start_failures),
        cmocka_unit_test(test_loopback6),
    };
    return cmocka_run_group_tests_name("http server", tests, NULL, NULL);
}
