/* SPDX-License-Identifier: Apache-2.0
 * What a request may look like and what is answered: the table of bad requests, bodies, targets, keep-alive. */
#include "rig.h"

#include <dirent.h>

static struct rig rig;

static int start(void **state)
{
    (void)state;
    struct http_config config = rig_config(&rig);
    config.limits.body_bytes_keep = 1000;
    config.limits.body_bytes_max = 5000;
    config.limits.memory_bytes_max = 1024 * 1024;
    rig_start(&rig, &config);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

struct bad {
    const char *what, *request;
    size_t len; /* 0: strlen */
    int status, or_status;
};

#define HOST "Host: a\r\n"
static const char nul_in_header[] = "GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n";
static const char nul_in_name[] = "GET / HTTP/1.1\r\n" HOST "X\0Y: a\r\n\r\n";

static const struct bad bad_requests[] = {
    {"length and chunked",
     "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 400, 0},
    {"chunked and length",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 0, 400, 0},
    {"two lengths", "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 0, 400, 0},
    {"two equal lengths", "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 0, 400, 0},
    {"length list", "POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\nhello", 0, 400, 0},
    {"length with plus", "POST / HTTP/1.1\r\n" HOST "Content-Length: +7\r\n\r\n1234567", 0, 400, 0},
    {"negative length", "POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 0, 400, 0},
    {"hex length", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\nhello", 0, 400, 0},
    {"empty length", "POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\n", 0, 400, 0},
    {"length over 2^64", "POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551617\r\n\r\n", 0, 400, 413},
    {"10 GB length", "POST / HTTP/1.1\r\n" HOST "Content-Length: 10000000000\r\n\r\n", 0, 413, 0},
    {"unknown coding", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: rot13\r\n\r\nx", 0, 400, 501},
    {"coding before chunked", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0, 400,
     501},
    {"coding after chunked", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 0, 400,
     501},
    {"chunked twice",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 400, 0},
    {"chunked in 1.0", "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 400, 0},
    {"chunk overflow", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx", 0, 400,
     0},
    {"chunk just too long", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx", 0,
     400, 413},
    {"chunk size with sign", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n", 0,
     400, 0},
    {"chunk size empty", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n", 0, 400,
     0},
    {"chunk size, bad line end", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\rXhello\r\n0\r\n\r\n",
     0, 400, 0},
    {"chunk size, bare LF", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", 0,
     400, 0},
    {"chunk longer than said", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
     0, 400, 0},
    {"NUL in a value", nul_in_header, sizeof nul_in_header - 1, 400, 0},
    {"NUL in a name", nul_in_name, sizeof nul_in_name - 1, 400, 0},
    {"blank before the colon", "GET / HTTP/1.1\r\n" HOST "X-Y : z\r\n\r\n", 0, 400, 0},
    {"blank before the colon of the length", "POST / HTTP/1.1\r\n" HOST "Content-Length : 5\r\n\r\nhello", 0, 400, 0},
    {"blank in a name", "GET / HTTP/1.1\r\n" HOST "X Y: z\r\n\r\n", 0, 400, 0},
    {"empty name", "GET / HTTP/1.1\r\n" HOST ": z\r\n\r\n", 0, 400, 0},
    {"no colon", "GET / HTTP/1.1\r\n" HOST "nonsense\r\n\r\n", 0, 400, 0},
    {"no Host", "GET / HTTP/1.1\r\n\r\n", 0, 400, 0},
    {"two Hosts", "GET / HTTP/1.1\r\n" HOST "Host: b\r\n\r\n", 0, 400, 0},
    {"HTTP/9.9", "GET / HTTP/9.9\r\n" HOST "\r\n", 0, 400, 0},
    {"HTTP/2.0", "GET / HTTP/2.0\r\n" HOST "\r\n", 0, 400, 0},
    {"HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n", 0, 400, 0},
    {"HTTP/0.9", "GET /\r\n\r\n", 0, 400, 0},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, 400, 0},
    {"folded header", "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 0, 400, 0},
    {"folded empty header", "GET / HTTP/1.1\r\n" HOST "X:\r\n\tb\r\n\r\n", 0, 400, 0},
    {"folded request line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 0, 400, 0},
    {"bare LF after a header", "GET / HTTP/1.1\r\n" HOST "X: a\n\r\n", 0, 400, 0},
    {"bare LFs", "GET / HTTP/1.1\nHost: a\n\n", 0, 400, 0},
    {"bare CR in a value", "GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 0, 400, 0},
    {"bare CR in an empty value", "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nX:\r\r\n\r\nhi", 0, 400, 0},
    {"bare CR after a value", "GET / HTTP/1.1\r\n" HOST "X: a\r\r\n\r\n", 0, 400, 0},
    {"bare CR after a name", "GET / HTTP/1.1\r\n" HOST "X\r: a\r\n\r\n", 0, 400, 0},
    {"bare CR in the request line", "GET / HTTP/1.1\r\r\n" HOST "\r\n", 0, 400, 0},
    {"CR and something at the end", "GET / HTTP/1.1\r\n" HOST "\rX\r\n\r\n", 0, 400, 0},
    {"NUL in the path", "GET /a%00b HTTP/1.1\r\n" HOST "\r\n", 0, 400, 0},
    {"CONNECT", "CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n", 0, 400, 0},
    {"no path", "GET nonsense HTTP/1.1\r\n" HOST "\r\n", 0, 400, 0},
    {"no method", " / HTTP/1.1\r\n" HOST "\r\n", 0, 400, 0},
    {"TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 0, 400, 0},
    {"other expectation", "POST / HTTP/1.1\r\n" HOST "Expect: tea\r\nContent-Length: 1\r\n\r\nx", 0, 417, 0},
};

static void expect_refused(const char *what, struct span request, int status, int or_status, size_t step)
{
    int fd = rig_connect(&rig);
    bool sent = true;
    for (size_t at = 0; sent && at < request.len; at += step)
        sent = rig_send(fd, span_upto(span_from(request, at), step));
    struct rig_reply r = rig_receive(fd, true);
    if (r.status != status && r.status != or_status) fail_msg("%s (step %zu): answered %d", what, step, r.status);
    if (!span_is(rig_reply_header(&r, "Connection"), "close")) fail_msg("%s: no Connection: close", what);
    if (!span_is(rig_reply_header(&r, "Content-Type"), "application/json")) fail_msg("%s: not JSON", what);
    if (!span_starts(r.body, SPAN("{\"error\":{\"type\":\"")) || !span_has(r.body, "\"messages\":[\""))
        fail_msg("%s: %.*s", what, SPAN_ARG(r.body));
    rig_reply_free(&r);
    rig_expect_closed(fd);
}

static void test_bad_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_requests); i++) {
        const struct bad *bad = &bad_requests[i];
        struct span request = bad->len ? span_make(bad->request, bad->len) : span_of(bad->request);
        expect_refused(bad->what, request, bad->status, bad->or_status, request.len);
        expect_refused(bad->what, request, bad->status, bad->or_status, 1);
    }
    assert_int_equal(rig.handled, 0);
}

static void test_large_heads(void **state)
{
    (void)state;
    struct buf request;
    buf_init(&request, 1024 * 1024);
    buf_adds(&request, "GET / HTTP/1.1\r\n" HOST "X: ");
    for (int i = 0; i < 300 * 1024; i++) buf_addc(&request, 'x');
    buf_adds(&request, "\r\n\r\n");
    expect_refused("a 300 KB header", buf_span(&request), 431, 0, request.len);
    buf_clear(&request);
    buf_adds(&request, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 3000; i++) buf_addf(&request, "X%d: y\r\n", i);
    buf_adds(&request, "\r\n");
    expect_refused("3000 headers", buf_span(&request), 431, 0, request.len);
    buf_clear(&request);
    buf_adds(&request, "GET /");
    for (int i = 0; i < 40 * 1024; i++) buf_addc(&request, 'x');
    expect_refused("an endless path", buf_span(&request), 431, 0, request.len);
    buf_clear(&request);
    buf_adds(&request, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 99; i++) buf_addf(&request, "X%d: y\r\n", i);
    buf_adds(&request, "\r\n");
    int fd = rig_connect(&rig);
    rig_expect(fd, request.ptr, 200, "headers=100");
    (void)close(fd);
    buf_free(&request);
}

static void test_good_requests(void **state)
{
    (void)state;
    static const struct {
        const char *request, *part;
    } good[] = {
        {"GET /a?b=c HTTP/1.1\r\n" HOST "\r\n", "GET path=/a query=b=c body=0 cut=0 headers=1"},
        {"\r\nGET /%41%2fb%zz+ HTTP/1.1\r\nhost:a\r\n\r\n", "path=/A/b%zz+ query= body"},
        {"GET http://b.example/x?y HTTP/1.1\r\n" HOST "\r\n", "path=/x query=y"},
        {"GET http://b.example HTTP/1.1\r\n" HOST "\r\n", "path=/ query="},
        {"GET http://b.example?q HTTP/1.1\r\n" HOST "\r\n", "path=/ query=q"},
        {"GET /a#f?g HTTP/1.1\r\n" HOST "\r\n", "path=/a query= "},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS path=* "},
        {"DELETE /d HTTP/1.1\r\n" HOST "X:\r\nY: \r\n\r\n", "DELETE path=/d query= body=0 cut=0 headers=3"},
        {"PURGE /d HTTP/1.1\r\n" HOST "\r\n", "PURGE path=/d"},
        {"POST /p HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", "body=5 cut=0 headers=2"},
        {"POST /p HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "body=0 "},
        {"POST /p HTTP/1.1\r\n" HOST "\r\n", "body=0 "},
        {"PUT /p HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nT: u\r\n\r\n",
         "body=6 "},
        {"PATCH /p HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "body=0 "},
        {"GET /u HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", "path=/u"},
        {"POST /u HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi", "body=2 "},
    };
    for (int pass = 0; pass < 2; pass++) {
        int fd = rig_connect(&rig);
        for (size_t i = 0; i < COUNT(good); i++) {
            if (pass == 0) {
                rig_expect(fd, good[i].request, 200, good[i].part);
                continue;
            }
            for (const char *c = good[i].request; *c; c++) assert_true(rig_send(fd, span_make(c, 1)));
            rig_expect(fd, "", 200, good[i].part);
        }
        (void)close(fd);
    }
}

static void test_keep_alive(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        const char *connection; /* NULL: the header is absent */
        bool closed;
    } rows[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", NULL, false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "close", true},
        {"GET / HTTP/1.0\r\n\r\n", "close", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", false},
        {"GET /close HTTP/1.1\r\n" HOST "\r\n", "close", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = rig_connect(&rig);
        assert_true(rig_send(fd, span_of(rows[i].request)));
        struct rig_reply r = rig_receive(fd, true);
        assert_int_equal(r.status, 200);
        struct span connection = rig_reply_header(&r, "Connection");
        assert_true(rows[i].connection ? span_is(connection, rows[i].connection) : connection.ptr == NULL);
        assert_int_equal(rig_reply_header(&r, "Date").len, 29);
        assert_null(rig_reply_header(&r, "Injected").ptr);
        rig_reply_free(&r);
        if (rows[i].closed) {
            rig_expect_closed(fd);
            continue;
        }
        rig_expect(fd, rows[i].request, 200, "GET path=/");
        (void)close(fd);
    }
}

static void test_head_and_empty(void **state)
{
    (void)state;
    int fd = rig_connect(&rig);
    assert_true(rig_send(fd, SPAN("HEAD /owned?70000 HTTP/1.1\r\n" HOST "\r\nHEAD /file?70000 HTTP/1.1\r\n" HOST
                                  "\r\nHEAD /big?7 HTTP/1.1\r\n" HOST "\r\n")));
    struct rig_reply r;
    for (int i = 0; i < 2; i++) {
        r = rig_receive(fd, false);
        assert_true(span_is(rig_reply_header(&r, "Content-Length"), "70000"));
        if (i == 0) rig_reply_free(&r);
    }
    rig_reply_free(&r);
    r = rig_receive(fd, false);
    assert_true(span_is(rig_reply_header(&r, "Content-Length"), "7"));
    rig_reply_free(&r);
    assert_true(rig_send(fd, SPAN("GET /empty HTTP/1.1\r\n" HOST "\r\n")));
    r = rig_receive(fd, false);
    assert_int_equal(r.status, 204);
    assert_null(rig_reply_header(&r, "Content-Length").ptr);
    rig_reply_free(&r);
    rig_expect(fd, "GET /after HTTP/1.1\r\n" HOST "\r\n", 200, "path=/after");
    (void)close(fd);
}

static size_t descriptors_open(void)
{
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    size_t n = 0;
    while (readdir(dir) != NULL) n++;
    (void)closedir(dir);
    return n;
}

/* Descriptors are given back whatever becomes of the request, and a file that ends early ends the connection. */
static void test_files(void **state)
{
    (void)state;
    int fd = rig_connect(&rig);
    rig_expect(fd, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "path=/"); /* so that the server has accepted it */
    size_t first = descriptors_open();
    for (int i = 0; i < 3; i++) {
        rig_expect(fd, "GET /file?10 HTTP/1.1\r\n" HOST "\r\n", 200, "abcdefghij");
        assert_true(rig_send(fd, SPAN("HEAD /file?300000 HTTP/1.1\r\n" HOST "\r\n")));
        struct rig_reply r = rig_receive(fd, false);
        rig_reply_free(&r);
        int other = rig_connect(&rig);
        assert_true(rig_send(other, SPAN("GET /short?300000 HTTP/1.1\r\n" HOST "\r\n")));
        static char bytes[400000];
        size_t total = 0;
        ssize_t got;
        while ((got = recv(other, bytes + total, sizeof bytes - total, 0)) > 0) total += (size_t)got;
        assert_int_equal(got, 0); /* ended, all but the last byte of the body having come */
        const char *end = memmem(bytes, total, "\r\n\r\n", 4);
        assert_non_null(end);
        assert_int_equal(bytes + total - (end + 4), 299999);
        (void)close(other);
        /* One that leaves in the middle, and requests behind each other. */
        other = rig_connect(&rig);
        assert_true(rig_send(other, SPAN("GET /file?30000000 HTTP/1.1\r\n" HOST "\r\n")));
        assert_int_equal(recv(other, bytes, 1000, MSG_WAITALL), 1000);
        (void)close(other);
        assert_true(rig_send(fd, SPAN("GET /file?300000 HTTP/1.1\r\n" HOST "\r\nGET /file?70000 HTTP/1.1\r\n" HOST
                                      "\r\nGET /big?7 HTTP/1.1\r\n" HOST "\r\n")));
        const size_t lengths[] = {300000, 70000, 7};
        for (size_t k = 0; k < COUNT(lengths); k++) {
            r = rig_receive(fd, true);
            assert_int_equal(r.body.len, lengths[k]);
            for (size_t at = 0; at < r.body.len; at++) assert_int_equal(r.body.ptr[at], rig_byte(at));
            rig_reply_free(&r);
        }
    }
    size_t last = descriptors_open();
    for (int turns = 0; turns < 200 && last > first; turns++) { /* the server may still have to close its side */
        (void)usleep(50000);
        last = descriptors_open();
    }
    assert_int_equal(last, first);
    (void)close(fd);
}

static void test_large_replies(void **state)
{
    (void)state;
    static const char *const requests[] = {"GET /owned?5000000 HTTP/1.1\r\n" HOST "\r\n",
                                           "GET /big?5000000 HTTP/1.1\r\n" HOST "\r\n",
                                           "GET /file?5000000 HTTP/1.1\r\n" HOST "\r\n"};
    int fd = rig_connect(&rig);
    for (size_t i = 0; i < 2 * COUNT(requests); i++) {
        assert_true(rig_send(fd, span_of(requests[i % COUNT(requests)])));
        (void)usleep(20000); /* so that the socket is full and the rest goes through the queue */
        struct rig_reply r = rig_receive(fd, true);
        assert_int_equal(r.body.len, 5000000);
        for (size_t at = 0; at < r.body.len; at++) assert_int_equal(r.body.ptr[at], rig_byte(at));
        rig_reply_free(&r);
    }
    (void)close(fd);
}

static void send_body(int fd, const char *head, size_t len)
{
    char *body = malloc(len);
    memset(body, 'z', len);
    assert_true(rig_send(fd, span_of(head)));
    assert_true(rig_send(fd, span_make(body, len)));
    free(body);
}

static void test_body_limits(void **state)
{
    (void)state;
    int fd = rig_connect(&rig);
    send_body(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n", 1000);
    rig_expect(fd, "", 200, "body=1000 cut=0");
    send_body(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n", 1001);
    rig_expect(fd, "", 200, "body=0 cut=1");
    send_body(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5000\r\n\r\n", 5000);
    rig_expect(fd, "", 200, "body=0 cut=1");
    send_body(fd, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1388\r\n", 5000);
    rig_expect(fd, "\r\n0\r\n\r\n", 200, "body=0 cut=1");
    send_body(fd, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1389\r\n", 5001);
    rig_expect(fd, "", 413, "payload_too_large");
    rig_expect_closed(fd);
    fd = rig_connect(&rig);
    rig_expect(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5001\r\n\r\n", 413, "payload_too_large");
    rig_expect_closed(fd);
}

/* A client that goes on sending after 413 must get to read it: a server that closes at once would reset the connection.
 * The server listens on for two seconds only, so a very slow machine has several tries. */
static bool refused_upload_goes_on(void)
{
    int fd = rig_connect(&rig);
    bool ok = true;
    rig_expect(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 4000000\r\n\r\n", 413, "payload_too_large");
    char c;
    assert_int_equal(recv(fd, &c, 1, 0), 0);
    for (int i = 0; i < 10 && ok; i++) {
        ok = rig_send(fd, SPAN("0123456789"));
        (void)usleep(10000);
    }
    (void)close(fd);
    return ok;
}

static void test_refused_upload_is_readable(void **state)
{
    (void)state;
    bool ok = false;
    for (int i = 0; i < 5 && !ok; i++) ok = refused_upload_goes_on();
    assert_true(ok);
}

static void test_expect_continue(void **state)
{
    (void)state;
    int fd = rig_connect(&rig);
    assert_true(rig_send(fd, SPAN("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")));
    struct rig_reply r = rig_receive(fd, false);
    assert_int_equal(r.status, 100);
    rig_reply_free(&r);
    rig_expect(fd, "hello", 200, "body=5");
    rig_expect(fd, "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", 200, "body=5");
    rig_expect(fd, "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 9999\r\n\r\n", 413, "too large");
    rig_expect_closed(fd);
}

static void test_pipelining(void **state)
{
    (void)state;
    struct buf many;
    buf_init(&many, 1024 * 1024);
    int fd = rig_connect(&rig);
    for (int i = 0; i < 500; i++) {
        if (i % 3 == 0) buf_addf(&many, "GET /n%d HTTP/1.1\r\n" HOST "\r\n", i);
        else if (i % 3 == 1) buf_addf(&many, "POST /n%d HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nGET ", i);
        else
            buf_addf(&many, "POST /n%d HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n0\r\n\r\n",
                     i);
    }
    assert_true(rig_send(fd, buf_span(&many)));
    for (int i = 0; i < 500; i++) {
        char part[32];
        (void)snprintf(part, sizeof part, "path=/n%d query", i);
        rig_expect(fd, "", 200, part);
    }
    buf_free(&many);
    /* What follows a request that closes is not answered. */
    rig_expect(fd, "GET /close HTTP/1.1\r\n" HOST "\r\nGET /more HTTP/1.1\r\n" HOST "\r\n", 200, "path=/close");
    rig_expect_closed(fd);
}

/* A client that says it is done sending still gets its answers. */
static void test_half_close(void **state)
{
    (void)state;
    int fd = rig_connect(&rig);
    assert_true(rig_send(fd, SPAN("GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n")));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    rig_expect(fd, "", 200, "path=/1");
    rig_expect(fd, "", 200, "path=/2");
    rig_expect_closed(fd);
    fd = rig_connect(&rig);
    assert_true(rig_send(fd, SPAN("GET /1 HTTP/1.1\r\nHo")));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    rig_expect_closed(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bad_requests, start, stop),
        cmocka_unit_test_setup_teardown(test_large_heads, start, stop),
        cmocka_unit_test_setup_teardown(test_good_requests, start, stop),
        cmocka_unit_test_setup_teardown(test_keep_alive, start, stop),
        cmocka_unit_test_setup_teardown(test_head_and_empty, start, stop),
        cmocka_unit_test_setup_teardown(test_files, start, stop),
        cmocka_unit_test_setup_teardown(test_large_replies, start, stop),
        cmocka_unit_test_setup_teardown(test_body_limits, start, stop),
        cmocka_unit_test_setup_teardown(test_refused_upload_is_readable, start, stop),
        cmocka_unit_test_setup_teardown(test_expect_continue, start, stop),
        cmocka_unit_test_setup_teardown(test_pipelining, start, stop),
        cmocka_unit_test_setup_teardown(test_half_close, start, stop),
    };
    return cmocka_run_group_tests_name("http requests", tests, NULL, NULL);
}
