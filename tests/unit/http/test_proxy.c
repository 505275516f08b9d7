/* SPDX-License-Identifier: Apache-2.0
 * Who the client is behind proxies: PROXY v1 and v2, Forwarded and X-Forwarded-For, and who is believed. */
#include "rig.h"

#include "base/counters.h"

#include "http/proxy.h"

static struct rig rig;

#define GET(headers) "GET / HTTP/1.1\r\nHost: a\r\n" headers "\r\n"

static void test_forwarded(void **state)
{
    (void)state;
    static const struct {
        const char *request, *client; /* with ":" behind, and tls */
    } rows[] = {
        {GET(""), "client=127.0.0.1:"},
        {GET("X-Forwarded-For: 203.0.113.7\r\n"), "client=203.0.113.7:0 tls=0"},
        {GET("x-forwarded-for: 203.0.113.7:443\r\n"), "client=203.0.113.7:443 "},
        {GET("X-Forwarded-For: 6.6.6.6, 203.0.113.7\r\n"),
         "client=203.0.113.7:"}, /* the client's own word is left out */
        {GET("X-Forwarded-For: 6.6.6.6, 203.0.113.7, 10.1.2.3,127.0.0.1\r\n"), "client=203.0.113.7:"},
        {GET("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 10.1.1.1\r\n"),
         "client=203.0.113.7:"},
        {GET("X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n"), "client=10.0.0.1:"},
        {GET("X-Forwarded-For: nonsense, 10.0.0.2\r\n"), "client=10.0.0.2:"},
        {GET("X-Forwarded-For: unknown\r\n"), "client=127.0.0.1:"},
        {GET("X-Forwarded-For:\r\n"), "client=127.0.0.1:"},
        {GET("X-Forwarded-For: 2001:db8::7\r\n"), "client=2001:db8::7:0"},
        {GET("X-Forwarded-For: [2001:db8::7]:99, \r\n"), "client=2001:db8::7:99"},
        {GET("X-Forwarded-For: ::ffff:203.0.113.9\r\n"), "client=203.0.113.9:"},
        {GET("X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n"), "client=203.0.113.7:0 tls=1"},
        {GET("Forwarded: for=203.0.113.7\r\n"), "client=203.0.113.7:"},
        {GET("Forwarded: for=6.6.6.6;proto=https, For=\"203.0.113.7:80\" ; proto=http;by=10.0.0.1\r\n"),
         "client=203.0.113.7:80 tls=0"},
        {GET("Forwarded: by=\"a,b;for=6.6.6.6\";for=\"[2001:db8::7]:4711\";proto=https, for=10.9.9.9\r\n"),
         "client=2001:db8::7:4711 tls=1"},
        {GET("Forwarded: for=_hidden\r\n"), "client=127.0.0.1:"},
        {GET("Forwarded: for=\"\r\n"), "client=127.0.0.1:"},
        {GET("Forwarded: for=6.6.6.6\r\nX-Forwarded-For: 203.0.113.7\r\n"), "client=203.0.113.7:"},
    };
    struct http_config config = rig_config(&rig);
    config.trusted_proxies = "10.0.0.0/8, 127.0.0.1,::1";
    rig_start(&rig, &config);
    int fd = rig_connect(&rig);
    for (size_t i = 0; i < COUNT(rows); i++) rig_expect(fd, rows[i].request, 200, rows[i].client);
    (void)close(fd);
    /* 127.0.0.9 is not in the list. */
    fd = rig_connect_from(&rig, 9);
    rig_expect(fd, GET("X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n"), 200, "client=127.0.0.9:");
    rig_expect(fd, GET("X-Forwarded-Proto: https\r\nForwarded: for=1.2.3.4\r\n"), 200, "tls=0");
    (void)close(fd);
    rig_stop(&rig);
}

static void test_proxy_protocol(void **state)
{
    (void)state;
    struct http_config config = rig_config(&rig);
    config.trusted_proxies = "127.0.0.1/32, 10.0.0.0/8";
    config.proxy_protocol = true;
    config.limits.connections_per_address_max = 2;
    rig_start(&rig, &config);
    static const struct {
        const char *request, *client;
    } good[] = {
        {"PROXY TCP4 203.0.113.7 10.0.0.1 5555 80\r\n" GET(""), "client=203.0.113.7:5555"},
        {"PROXY TCP6 2001:db8::7 2001:db8::1 5555 80\r\n" GET(""), "client=2001:db8::7:5555"},
        {"PROXY UNKNOWN\r\n" GET(""), "client=127.0.0.1:"},
        {"PROXY UNKNOWN what ever 1 2\r\n" GET(""), "client=127.0.0.1:"},
        /* Not a trusted proxy itself, so what its request says is not believed ... */
        {"PROXY TCP4 203.0.113.7 10.0.0.1 5555 80\r\n" GET("X-Forwarded-For: 6.6.6.6\r\n"), "client=203.0.113.7:5555"},
        /* ... and this one is. */
        {"PROXY TCP4 10.0.0.9 10.0.0.1 5555 80\r\n" GET("X-Forwarded-For: 203.0.113.8\r\n"), "client=203.0.113.8:"},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        int fd = rig_connect(&rig);
        for (const char *c = good[i].request; *c; c++) assert_true(rig_send(fd, span_make(c, 1)));
        rig_expect(fd, "", 200, good[i].client);
        rig_expect(fd, GET(""), 200, "client=");
        (void)close(fd);
        fd = rig_connect(&rig);
        rig_expect(fd, good[i].request, 200, good[i].client);
        (void)close(fd);
    }
    static const char *const bad[] = {
        GET(""),
        "PROXY TCP4 203.0.113.7 10.0.0.1 5555\r\n" GET(""),
        "PROXY TCP4 203.0.113.7 10.0.0.1 99999 80\r\n" GET(""),
        "PROXY TCP4 2001:db8::7 2001:db8::1 1 80\r\n" GET(""),
        "PROXY TCP9 203.0.113.7 10.0.0.1 1 80\r\n" GET(""),
        "PROXY  TCP4 203.0.113.7 10.0.0.1 1 80\r\n" GET(""),
        "PROXY UNKNOWN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        int fd = rig_connect(&rig);
        (void)rig_send(fd, span_of(bad[i]));
        rig_expect_closed(fd);
    }
    /* Who is not trusted speaks for himself: no header is wanted, and one is not HTTP. */
    int fd = rig_connect_from(&rig, 9);
    rig_expect(fd, GET(""), 200, "client=127.0.0.9:");
    rig_expect(fd, good[0].request, 400, "bad_request");
    rig_expect_closed(fd);
    /* The limit counts clients, not their proxy. */
    int fds[3];
    for (int i = 0; i < 2; i++) {
        fds[i] = rig_connect(&rig);
        rig_expect(fds[i], "PROXY TCP4 203.0.113.99 10.0.0.1 1 80\r\n" GET(""), 200, "client=203.0.113.99:1 ");
    }
    int64_t refused = counter_get(COUNTER_http_connections_address_refused_total);
    int crowd[2];
    for (int i = 0; i < 2; i++) {
        crowd[i] = rig_connect(&rig);
        assert_true(rig_send(crowd[i], SPAN("PROXY TCP4 203.0.113.99 10.0.0.1 1 80\r\n")));
    }
    for (int i = 0; i < RIG_WAIT_MS; i++) {
        if (counter_get(COUNTER_http_connections_address_refused_total) >= refused + 2) break;
        (void)usleep(1000);
    }
    fds[2] = rig_connect(&rig);
    assert_true(rig_send(fds[2], SPAN("PROXY TCP4 203.0.113.99 10.0.0.1 1 80\r\n")));
    rig_expect_closed(fds[2]);
    for (int i = 0; i < 2; i++) {
        rig_expect(crowd[i], GET(""), 200, " crowded");
        rig_expect_closed(crowd[i]);
    }
    fds[2] = rig_connect(&rig);
    rig_expect(fds[2], "PROXY TCP4 203.0.113.98 10.0.0.1 1 80\r\n" GET(""), 200, "client=203.0.113.98:1 ");
    for (int i = 0; i < 3; i++) (void)close(fds[i]);
    rig_stop(&rig);
}

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define V2_TCP4 V2 "\x21\x11\x00\x0c\xcb\x00\x71\x07\x0a\x00\x00\x01\x15\xb3\x00\x50"

static void test_proxy_v2(void **state)
{
    (void)state;
    static const char tcp4[] = V2_TCP4,
                      tlv[] = V2 "\x21\x11\x00\x10\xcb\x00\x71\x07\x0a\x00\x00\x01\x15\xb3\x00\x50\x04\x00\x01x",
                      tcp6[] = V2 "\x21\x21\x00\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
                                  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                                  "\x15\xb3\x00\x50",
                      local[] = V2 "\x20\x00\x00\x00", unix_socket[] = V2 "\x21\x31\x00\x02zz",
                      version[] = V2 "\x31\x11\x00\x0c", command[] = V2 "\x22\x11\x00\x0c",
                      cut[] = V2 "\x21\x11\x00\x05zzzzz", huge[] = V2 "\x21\x11\xff\xff";
    static const struct {
        const char *bytes;
        size_t len;
        enum http_proxy result;
        const char *client; /* NULL: not known */
    } rows[] = {
        {tcp4, sizeof tcp4 - 1, HTTP_PROXY_OK, "203.0.113.7"},
        {tlv, sizeof tlv - 1, HTTP_PROXY_OK, "203.0.113.7"},
        {tcp6, sizeof tcp6 - 1, HTTP_PROXY_OK, "2001:db8::7"},
        {local, sizeof local - 1, HTTP_PROXY_OK, NULL},
        {unix_socket, sizeof unix_socket - 1, HTTP_PROXY_OK, NULL},
        {version, sizeof version - 1, HTTP_PROXY_BAD, NULL},
        {command, sizeof command - 1, HTTP_PROXY_BAD, NULL},
        {cut, sizeof cut - 1, HTTP_PROXY_BAD, NULL},
        {huge, sizeof huge - 1, HTTP_PROXY_BAD, NULL},
        {tcp4, 0, HTTP_PROXY_MORE, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_address client;
        bool known;
        size_t used;
        struct span bytes = span_make(rows[i].bytes, rows[i].len);
        assert_int_equal(http_proxy_parse(bytes, &client, &known, &used), rows[i].result);
        if (rows[i].result != HTTP_PROXY_OK) continue;
        assert_int_equal(used, rows[i].len);
        assert_int_equal(known, rows[i].client != NULL);
        for (size_t n = 0; n < bytes.len; n++)
            assert_int_equal(http_proxy_parse(span_upto(bytes, n), &client, &known, &used), HTTP_PROXY_MORE);
        assert_int_equal(http_proxy_parse(bytes, &client, &known, &used), HTTP_PROXY_OK);
        char text[48];
        if (known) http_address_print(&client, text);
        if (known) assert_string_equal(text, rows[i].client);
        if (known) assert_int_equal(client.port, 5555);
    }
    struct http_config config = rig_config(&rig);
    config.trusted_proxies = "127.0.0.1";
    config.proxy_protocol = true;
    rig_start(&rig, &config);
    static const char whole[] = V2_TCP4 GET("");
    for (size_t step = 1; step <= sizeof whole - 1; step += 17) {
        int fd = rig_connect(&rig);
        for (size_t at = 0; at < sizeof whole - 1; at += step)
            assert_true(rig_send(fd, span_upto(span_from(span_make(whole, sizeof whole - 1), at), step)));
        rig_expect(fd, "", 200, "client=203.0.113.7:5555");
        (void)close(fd);
    }
    rig_stop(&rig);
}

static void test_networks(void **state)
{
    (void)state;
    static const struct {
        const char *list, *address;
        bool in;
    } rows[] = {
        {"10.0.0.0/8", "10.255.1.2", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/9", "10.127.0.1", true},
        {"10.0.0.0/9", "10.128.0.1", false},
        {"10.1.2.3", "10.1.2.3", true},
        {"10.1.2.3", "10.1.2.2", false},
        {"0.0.0.0/0", "1.2.3.4", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::1", "::1", true},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"", "::1", false},
        {" ,10.0.0.0/8 , fd00::/8,", "fd12::1", true},
        {"10.0.0.0/8", "::ffff:10.0.0.1", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_networks n;
        struct http_address a;
        char why[256];
        assert_true(http_networks_parse(&n, rows[i].list, why));
        assert_true(http_address_parse(span_of(rows[i].address), &a));
        if (http_networks_have(&n, &a) != rows[i].in) fail_msg("%s in %s", rows[i].address, rows[i].list);
    }
    static const char *const bad[] = {"x",         "10.0.0.0/33", "10.0.0.0/-1",      "::/129",
                                      "10.0.0.0/", "10.0.0/8",    "10.0.0.0 10.0.0.1"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct http_networks n;
        char why[256] = "";
        assert_false(http_networks_parse(&n, bad[i], why));
        assert_true(strlen(why) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forwarded),
        cmocka_unit_test(test_proxy_protocol),
        cmocka_unit_test(test_proxy_v2),
        cmocka_unit_test(test_networks),
    };
    return cmocka_run_group_tests_name("http proxies", tests, NULL, NULL);
}
