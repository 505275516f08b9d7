/* SPDX-License-Identifier: Apache-2.0
 * TLS: handshake, requests and large replies through it, certificates exchanged while running, what is not TLS. The
 * certificates are made here. */
#include "rig.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

static struct rig rig;
static char cert_path[64], key_path[64];

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* A self-signed certificate with this serial number, by which a client tells which one it got. */
static void write_pair(long serial)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    assert_non_null(key);
    assert_non_null(cert);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), serial), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    X509_NAME *name = X509_get_subject_name(cert);
    assert_int_equal(
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(cert, name), 1);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    FILE *f = fopen(cert_path, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, cert), 1);
    (void)fclose(f);
    f = fopen(key_path, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    (void)fclose(f);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static int start(void **state)
{
    (void)state;
    (void)snprintf(cert_path, sizeof cert_path, "/tmp/http_tls_%d.cert", (int)getpid());
    (void)snprintf(key_path, sizeof key_path, "/tmp/http_tls_%d.key", (int)getpid());
    write_pair(1);
    struct http_config config = rig_config(&rig);
    config.loops = 2;
    config.tls_cert = cert_path;
    config.tls_key = key_path;
    config.limits.header_timeout_ms = 1000;
    rig_start(&rig, &config);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    (void)unlink(cert_path);
    (void)unlink(key_path);
    return 0;
}

struct client {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
};

static struct client client_open(int version, bool alpn)
{
    struct client c = {.fd = rig_connect(&rig), .ctx = SSL_CTX_new(TLS_client_method())};
    assert_int_equal(SSL_CTX_set_max_proto_version(c.ctx, version), 1);
    c.ssl = SSL_new(c.ctx);
    static const unsigned char protocols[] = {2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    if (alpn) assert_int_equal(SSL_set_alpn_protos(c.ssl, protocols, sizeof protocols), 0);
    assert_int_equal(SSL_set_fd(c.ssl, c.fd), 1);
    if (SSL_connect(c.ssl) != 1) fail_msg("handshake: %s", ERR_error_string(ERR_peek_error(), NULL));
    return c;
}

static void client_close(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    (void)close(c->fd);
}

static long client_serial(const struct client *c)
{
    X509 *cert = SSL_get1_peer_certificate(c->ssl);
    assert_non_null(cert);
    long serial = ASN1_INTEGER_get(X509_get0_serialNumber(cert));
    X509_free(cert);
    return serial;
}

static void client_send(struct client *c, struct span bytes)
{
    assert_int_equal(SSL_write(c->ssl, bytes.ptr, (int)bytes.len), (int)bytes.len);
}

/* Reads up to the end of one reply; its body in out. Returns the status. */
static int client_receive(struct client *c, struct buf *out)
{
    buf_clear(out);
    int64_t want = -1, status = 0;
    size_t head = 0;
    while (want < 0 || out->len < head + (size_t)want) {
        char bytes[16384];
        int most = want < 0 ? 1 : (int)sizeof bytes;
        if (want >= 0 && head + (size_t)want - out->len < (size_t)most) most = (int)(head + (size_t)want - out->len);
        int n = SSL_read(c->ssl, bytes, most);
        if (n <= 0) return 0;
        buf_add(out, bytes, (size_t)n);
        if (want >= 0 || !span_ends(buf_span(out), SPAN("\r\n\r\n"))) continue;
        head = out->len;
        struct span length = span_from(buf_span(out), (size_t)span_find_span(buf_span(out), SPAN("Length: ")) + 8);
        assert_true(span_to_i64(span_upto(length, (size_t)span_find(length, '\r')), &want));
    }
    assert_true(span_to_i64(span_make(out->ptr + 9, 3), &status));
    memmove(out->ptr, out->ptr + head, out->len - head);
    out->len -= head;
    out->ptr[out->len] = 0;
    return (int)status;
}

static void client_expect(struct client *c, const char *request, int status, const char *part)
{
    struct buf body;
    buf_init(&body, 64 * 1024 * 1024);
    client_send(c, span_of(request));
    assert_int_equal(client_receive(c, &body), status);
    if (!span_has(buf_span(&body), part)) fail_msg("%.*s", SPAN_ARG(buf_span(&body)));
    buf_free(&body);
}

static void test_requests(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct client c = client_open(versions[i], i == 1);
        const unsigned char *protocol = NULL;
        unsigned len = 0;
        SSL_get0_alpn_selected(c.ssl, &protocol, &len);
        assert_true(span_is(span_make(protocol, len), i == 1 ? "http/1.1" : ""));
        client_expect(&c, GET("/a"), 200, "path=/a query= body=0 cut=0 headers=1");
        client_expect(&c, GET("/b"), 200, "tls=1");
        client_expect(&c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 200, "body=5");
        struct buf many;
        buf_init(&many, 100000);
        for (int k = 0; k < 300; k++) buf_addf(&many, "GET /n%d HTTP/1.1\r\nHost: a\r\n\r\n", k);
        client_send(&c, buf_span(&many));
        for (int k = 0; k < 300; k++) {
            char part[32];
            (void)snprintf(part, sizeof part, "path=/n%d ", k);
            assert_int_equal(client_receive(&c, &many), 200);
            assert_true(span_has(buf_span(&many), part));
        }
        client_expect(&c, GET("/close"), 200, "path=/close");
        assert_int_equal(client_receive(&c, &many), 0);
        assert_int_equal(SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
        buf_free(&many);
        client_close(&c);
    }
}

static void test_large(void **state)
{
    (void)state;
    struct client c = client_open(TLS1_3_VERSION, false);
    struct buf body;
    buf_init(&body, 64 * 1024 * 1024);
    static const char *const large[] = {GET("/owned?6000000"), GET("/big?6000000"), GET("/file?6000000")};
    for (size_t i = 0; i < COUNT(large); i++) {
        client_send(&c, span_of(large[i]));
        (void)usleep(50000); /* the socket is full by now, so the rest goes through the queue */
        assert_int_equal(client_receive(&c, &body), 200);
        assert_int_equal(body.len, 6000000);
        for (size_t at = 0; at < body.len; at++) assert_int_equal(body.ptr[at], rig_byte(at));
    }
    buf_clear(&body);
    buf_adds(&body, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
    for (int i = 0; i < 300000; i++) buf_adds(&body, "0123456789");
    client_send(&c, buf_span(&body));
    assert_int_equal(client_receive(&c, &body), 200);
    assert_true(span_has(buf_span(&body), "body=3000000"));
    client_expect(&c, "nonsense\r\n\r\n", 400, "bad_request");
    assert_int_equal(client_receive(&c, &body), 0);
    buf_free(&body);
    client_close(&c);
}

static void test_deferred(void **state)
{
    (void)state;
    const struct http_reply reply = {.status = 200, .body = {"done", 4}};
    struct client c = client_open(TLS1_3_VERSION, false), gone = client_open(TLS1_2_VERSION, false);
    client_send(&c, SPAN(GET("/defer") GET("/next") GET("/last")));
    client_send(&gone, SPAN(GET("/defer")));
    rig_wait_tickets(&rig, 2);
    client_close(&gone);
    client_send(&c, SPAN(GET("/after")));
    (void)usleep(20000);
    http_finish_many(rig.tickets, 2, &reply);
    struct buf body;
    buf_init(&body, 1024);
    static const char *const parts[] = {"done", "path=/next", "path=/last", "path=/after"};
    for (size_t i = 0; i < COUNT(parts); i++) {
        assert_int_equal(client_receive(&c, &body), 200);
        assert_true(span_has(buf_span(&body), parts[i]));
    }
    buf_free(&body);
    client_close(&c);
}

static void test_reload(void **state)
{
    (void)state;
    char why[256] = "";
    struct client before = client_open(TLS1_3_VERSION, false);
    assert_int_equal(client_serial(&before), 1);
    write_pair(2);
    assert_true(http_server_reload_tls(rig.server, why));
    struct client after = client_open(TLS1_3_VERSION, false);
    assert_int_equal(client_serial(&after), 2);
    client_expect(&before, GET("/"), 200, "path=/");
    client_expect(&after, GET("/"), 200, "path=/");
    FILE *f = fopen(key_path, "w"); /* spoilt files change nothing */
    assert_non_null(f);
    (void)fputs("nonsense", f);
    (void)fclose(f);
    assert_false(http_server_reload_tls(rig.server, why));
    assert_true(span_has(span_of(why), key_path));
    struct client last = client_open(TLS1_3_VERSION, false);
    assert_int_equal(client_serial(&last), 2);
    client_expect(&last, GET("/"), 200, "path=/");
    client_close(&before);
    client_close(&after);
    client_close(&last);
    struct http_config config = {.listen = "127.0.0.1:0",
                                 .loops = 1,
                                 .limits = http_limits_default(),
                                 .handler = rig_handler,
                                 .tls_cert = cert_path,
                                 .tls_key = key_path};
    assert_null(http_server_start(&config, why));
    config.tls_key = NULL;
    assert_null(http_server_start(&config, why));
}

static void test_not_tls(void **state)
{
    (void)state;
    int fd = rig_connect(&rig); /* plain http gets an answer that a person understands */
    rig_expect(fd, GET("/"), 400, "https");
    rig_expect_closed(fd);
    fd = rig_connect(&rig); /* begins like TLS and is not */
    assert_true(rig_send(fd, SPAN("\x16\x03\x01 this is no handshake at all, but it is long enough to be one")));
    char c[256];
    while (recv(fd, c, sizeof c, 0) > 0) continue; /* an alert may come */
    (void)close(fd);
    fd = rig_connect(&rig); /* never goes on: closed by the deadline */
    assert_true(rig_send(fd, SPAN("\x16\x03\x01\x02")));
    rig_expect_closed(fd);
    struct client fine = client_open(TLS1_3_VERSION, false);
    client_expect(&fine, GET("/"), 200, "tls=1");
    client_close(&fine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_requests, start, stop),
        cmocka_unit_test_setup_teardown(test_large, start, stop),
        cmocka_unit_test_setup_teardown(test_deferred, start, stop),
        cmocka_unit_test_setup_teardown(test_reload, start, stop),
        cmocka_unit_test_setup_teardown(test_not_tls, start, stop),
    };
    return cmocka_run_group_tests_name("http tls", tests, NULL, NULL);
}
