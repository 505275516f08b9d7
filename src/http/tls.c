/* SPDX-License-Identifier: Apache-2.0
 * TLS by OpenSSL between two memory buffers: bytes from the socket go into one, records for the socket come out of the
 * other, and this file never touches the socket. Each connection keeps the certificate it began with. */
#include "http/internal.h"

#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>

enum { TLS_RECORD_HANDSHAKE = 0x16 };

/* HTTP/1.1 is all we speak; a client that offers nothing of ours may still try. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                   unsigned int in_len, void *arg)
{
    static const unsigned char ours[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    (void)ssl;
    (void)arg;
    unsigned char *picked = NULL;
    int rc = SSL_select_next_proto(&picked, out_len, ours, sizeof ours, in, in_len);
    *out = picked;
    return rc == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* A key with a pass phrase is refused; without this OpenSSL would ask on the terminal. */
static int on_pass_phrase(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

SSL_CTX *http_tls_load(const char *cert, const char *key, char why[256])
{
    const char *doing = "TLS cannot be set up";
    const char *file = "";
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) goto bad;
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_passwd_cb(ctx, on_pass_phrase);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    doing = "The certificate cannot be used: ";
    file = cert;
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1) goto bad;
    doing = "The key cannot be used with the certificate: ";
    file = key;
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) goto bad;
    if (SSL_CTX_check_private_key(ctx) != 1) goto bad;
    return ctx;
bad : {
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    (void)snprintf(why, 256, "%s%.100s (%s)", doing, file, reason ? reason : "unknown reason");
    ERR_clear_error();
    SSL_CTX_free(ctx);
    return NULL;
}
}

static void tls_begin(struct http_connection *c)
{
    struct http_server *s = c->loop->server;
    (void)pthread_mutex_lock(&s->tls_lock);
    c->ssl = SSL_new(s->tls);
    (void)pthread_mutex_unlock(&s->tls_lock);
    BIO *from = BIO_new(BIO_s_mem()), *to = BIO_new(BIO_s_mem());
    BUG_IF(c->ssl == NULL);
    BUG_IF(from == NULL || to == NULL);
    (void)BIO_set_mem_eof_return(from, -1);
    SSL_set_bio(c->ssl, from, to);
    SSL_set_accept_state(c->ssl);
}

/* What OpenSSL made of its last call: true when it only waits for more bytes. */
static bool tls_waits(struct http_connection *c, int rc)
{
    int error = SSL_get_error(c->ssl, rc);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return true;
    bool closed = error == SSL_ERROR_ZERO_RETURN;
    ERR_clear_error();
    (void)http_send_cipher(c); /* the alert, where there is one */
    if (c->phase == HTTP_P_CLOSED) return false;
    if (closed) http_connection_ended(c);
    else http_connection_close(c);
    return false;
}

static bool tls_handshake(struct http_connection *c)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(c->ssl);
    if (rc != 1) {
        if (tls_waits(c, rc)) (void)http_send_cipher(c);
        return false;
    }
    c->handshaken = true;
    http_connection_idle(c);
    (void)http_send_cipher(c);
    return c->phase != HTTP_P_CLOSED;
}

void http_tls_resume(struct http_connection *c)
{
    if (!c->handshaken && !tls_handshake(c)) return;
    while (http_connection_takes(c)) {
        ERR_clear_error();
        int got = SSL_read(c->ssl, c->loop->plain, sizeof c->loop->plain);
        if (got <= 0) {
            if (tls_waits(c, got)) (void)http_send_cipher(c);
            return;
        }
        http_connection_feed(c, c->loop->plain, (size_t)got);
    }
}

void http_tls_input(struct http_connection *c, const char *bytes, size_t len)
{
    if (c->ssl == NULL) {
        if (c->phase != HTTP_P_START) return; /* refused already */
        if ((unsigned char)bytes[0] != TLS_RECORD_HANDSHAKE) {
            http_connection_refuse(c, 400, "This port speaks https");
            return;
        }
        tls_begin(c);
    }
    /* In steps, because OpenSSL's buffer keeps the size it once had. */
    for (struct span rest = span_make(bytes, len); rest.len > 0 && c->phase != HTTP_P_CLOSED;) {
        struct span step = span_upto(rest, HTTP_PLAIN_BYTES);
        BUG_IF(BIO_write(SSL_get_rbio(c->ssl), step.ptr, (int)step.len) != (int)step.len);
        rest = span_from(rest, step.len);
        if (c->phase != HTTP_P_LINGER) http_tls_resume(c);
    }
}

bool http_tls_encrypt(struct http_connection *c, struct span text)
{
    while (text.len > 0) {
        ERR_clear_error();
        int step = text.len < INT_MAX ? (int)text.len : INT_MAX;
        int done = SSL_write(c->ssl, text.ptr, step);
        if (done <= 0) {
            ERR_clear_error();
            return false;
        }
        text = span_from(text, (size_t)done);
    }
    return true;
}
