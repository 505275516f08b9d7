/* SPDX-License-Identifier: Apache-2.0 */
#include "api/jwt.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>

enum { NODES_MAX = 200, RSA_BITS_MIN = 2048 };

static bool decode(struct span text, struct arena *arena, struct span *out)
{
    unsigned char *bytes = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    if (bytes == NULL || text.len == 0) return false;
    if (sodium_base642bin(bytes, text.len, text.ptr, text.len, NULL, &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return false;
    *out = span_make(bytes, len);
    return true;
}

static struct span text_of(const struct json_doc *doc, const char *key, struct arena *arena)
{
    struct span s = json_string(json_get(doc, doc->nodes, key));
    return s.len ? arena_copy(arena, s) : (struct span){NULL, 0};
}

/* A time claim may have a fraction; a wrong type reads as a time that has passed. */
static int64_t seconds_of(const struct json_doc *doc, const char *key)
{
    const struct json_node *n = json_get(doc, doc->nodes, key);
    if (n == NULL) return 0;
    double v = json_is_number(n) ? json_number(n) : 1;
    return v >= 1 && v < 1e15 ? (int64_t)v : 1;
}

static bool read_header(struct span json, struct json_parser *parser, struct arena *arena, struct jwt *out)
{
    struct json_doc doc;
    if (!json_parse(parser, json, NODES_MAX, &doc, NULL) || !json_is(doc.nodes, JSON_OBJECT)) return false;
    if (!span_is(json_string(json_get(&doc, doc.nodes, "alg")), "RS256")) return false;
    if (json_get(&doc, doc.nodes, "crit")) return false; /* extensions that have to be understood: none are */
    out->kid = text_of(&doc, "kid", arena);
    return true;
}

static bool read_claims(struct span json, struct json_parser *parser, struct arena *arena, struct jwt *out)
{
    struct json_doc doc;
    if (!json_parse(parser, json, NODES_MAX, &doc, NULL) || !json_is(doc.nodes, JSON_OBJECT)) return false;
    if (out->kid.len == 0) out->kid = text_of(&doc, "kid", arena);
    out->subject = text_of(&doc, "sub", arena);
    out->audience = text_of(&doc, "aud", arena);
    out->expires_s = seconds_of(&doc, "exp");
    out->not_before_s = seconds_of(&doc, "nbf");
    return true;
}

bool jwt_read(struct span token, struct json_parser *parser, struct arena *arena, struct jwt *out, const char **why)
{
    *out = (struct jwt){.expires_s = 0};
    *why = "The token is not a JSON web token.";
    ptrdiff_t dot = span_find(token, '.');
    if (token.len > JWT_BYTES_MAX || dot <= 0) return false;
    struct span head = span_upto(token, (size_t)dot), rest = span_from(token, (size_t)dot + 1);
    ptrdiff_t second = span_find(rest, '.');
    if (second <= 0) return false;
    struct span claims = span_upto(rest, (size_t)second), header_json, claims_json;
    out->signed_part = span_upto(token, (size_t)dot + 1 + (size_t)second);
    if (!decode(head, arena, &header_json) || !decode(claims, arena, &claims_json) ||
        !decode(span_from(rest, (size_t)second + 1), arena, &out->signature))
        return false;
    *why = "The token has to be signed with RS256.";
    if (!read_header(header_json, parser, arena, out)) return false;
    *why = "The claims of the token are not readable.";
    return read_claims(claims_json, parser, arena, out);
}

bool jwt_signed_by(const struct jwt *t, const char *public_pem)
{
    BIO *bio = BIO_new_mem_buf(public_pem, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = key && md && EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= RSA_BITS_MIN &&
              EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(md, (const unsigned char *)t->signature.ptr, t->signature.len,
                               (const unsigned char *)t->signed_part.ptr, t->signed_part.len) == 1;
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(key);
    BIO_free(bio);
    return ok;
}
