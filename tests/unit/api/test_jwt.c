/* SPDX-License-Identifier: Apache-2.0
 * Tokens of /counts: what is read, and that only an RS256 signature of the right key opens anything. */
#include "api/jwt.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static EVP_PKEY *pair, *other, *small;
static char public_pem[4096], other_pem[4096], small_pem[4096];
static struct json_parser *parser;
static struct arena arena;

static void append_base64(struct buf *out, const void *bytes, size_t len)
{
    char text[8192];
    sodium_bin2base64(text, sizeof text, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    buf_adds(out, text);
}

static char *token_of(const char *header, const char *claims, EVP_PKEY *key)
{
    struct buf out;
    size_t len;
    buf_init(&out, 1 << 20);
    append_base64(&out, header, strlen(header));
    buf_addc(&out, '.');
    append_base64(&out, claims, strlen(claims));
    if (key) {
        unsigned char signature[1024];
        size_t size = sizeof signature;
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        assert_int_equal(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key), 1);
        assert_int_equal(EVP_DigestSign(md, signature, &size, (const unsigned char *)out.ptr, out.len), 1);
        EVP_MD_CTX_free(md);
        buf_addc(&out, '.');
        append_base64(&out, signature, size);
    }
    return buf_take(&out, &len);
}

static bool reads(const char *token, struct jwt *t)
{
    const char *why;
    bool ok = jwt_read(span_of(token), parser, &arena, t, &why);
    if (!ok) assert_non_null(why);
    return ok;
}

#define HEADER "{\"alg\":\"RS256\",\"kid\":\"key-1\"}"
#define CLAIMS "{\"sub\":\"ep-101\",\"aud\":\"video_id\",\"exp\":1900000000}"

static void test_right(void **state)
{
    (void)state;
    struct jwt t;
    char *token = token_of(HEADER, CLAIMS, pair);
    assert_true(reads(token, &t));
    assert_true(span_is(t.kid, "key-1"));
    assert_true(span_is(t.subject, "ep-101"));
    assert_true(span_is(t.audience, "video_id"));
    assert_int_equal(t.expires_s, 1900000000);
    assert_true(jwt_signed_by(&t, public_pem));
    assert_false(jwt_signed_by(&t, other_pem));
    assert_false(jwt_signed_by(&t, "not a key"));
    free(token);
    token = token_of("{\"alg\":\"RS256\"}", "{\"kid\":\"key-2\",\"sub\":\"x\",\"exp\":1900000000.5}", pair);
    assert_true(reads(token, &t));
    assert_true(span_is(t.kid, "key-2")); /* among the claims */
    assert_int_equal(t.expires_s, 1900000000);
    free(token);
}

/* Every changed byte of the signed part or the signature is noticed. */
static void test_tampered(void **state)
{
    (void)state;
    char *token = token_of(HEADER, CLAIMS, pair);
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i += 7) {
        struct jwt t;
        char was = token[i];
        token[i] = was == 'A' ? 'B' : 'A';
        if (was != '.' && reads(token, &t) && jwt_signed_by(&t, public_pem)) fail_msg("byte %zu may be anything", i);
        token[i] = was;
    }
    free(token);
}

static void test_other_algorithms(void **state)
{
    (void)state;
    static const char *const headers[] = {"{\"alg\":\"none\",\"kid\":\"k\"}", "{\"alg\":\"HS256\",\"kid\":\"k\"}", "{\"alg\":\"rs256\"}",
                                          "{\"alg\":\"RS512\"}", "{\"kid\":\"k\"}", "{\"alg\":[\"RS256\"]}", "[]",
                                          "{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":false}"};
    struct jwt t;
    for (size_t i = 0; i < COUNT(headers); i++) {
        char *token = token_of(headers[i], CLAIMS, pair);
        if (reads(token, &t)) fail_msg("%s was accepted", headers[i]);
        free(token);
    }
    char *token = token_of(HEADER, CLAIMS, small); /* RSA of 1,024 bits */
    assert_true(reads(token, &t));
    assert_false(jwt_signed_by(&t, small_pem));
    free(token);
}

static void test_not_tokens(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ".", "..", "a.b", "a.b.c", "!!.!!.!!", "e30.e30", "e30.e30.", "e30..AA", ".e30.AA"};
    struct jwt t;
    for (size_t i = 0; i < COUNT(bad); i++) assert_false(reads(bad[i], &t));
    char *token = token_of(HEADER, "not json", pair);
    assert_false(reads(token, &t));
    free(token);
    token = token_of(HEADER, "{\"exp\":\"never\",\"sub\":5,\"aud\":[\"video_id\"]}", pair);
    assert_true(reads(token, &t));
    assert_int_equal(t.expires_s, 1); /* of a wrong type: passed long ago */
    assert_int_equal(t.subject.len, 0);
    assert_int_equal(t.audience.len, 0);
    free(token);
    char long_one[JWT_BYTES_MAX + 10];
    memset(long_one, 'a', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = 0;
    assert_false(reads(long_one, &t));
}

static EVP_PKEY *make(unsigned bits, char pem[4096])
{
    EVP_PKEY *key = EVP_RSA_gen(bits);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_non_null(key);
    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    int len = BIO_read(bio, pem, 4095);
    assert_true(len > 0);
    pem[len] = 0;
    BIO_free(bio);
    return key;
}

static int begin(void **state)
{
    (void)state;
    pair = make(2048, public_pem);
    other = make(2048, other_pem);
    small = make(1024, small_pem);
    parser = json_parser_new();
    arena_init(&arena, 16 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    EVP_PKEY_free(pair);
    EVP_PKEY_free(other);
    EVP_PKEY_free(small);
    json_parser_free(parser);
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_right), cmocka_unit_test(test_tampered),
                                       cmocka_unit_test(test_other_algorithms), cmocka_unit_test(test_not_tokens)};
    return cmocka_run_group_tests(tests, begin, end);
}
