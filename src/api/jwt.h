/* SPDX-License-Identifier: Apache-2.0
 * JSON web tokens signed with RS256 (RFC 7515, 7519). Only what /counts needs: three parts, alg RS256 and nothing else
 * (never "none", never an HMAC), the key named by kid in the header or, failing that, among the claims.
 * Threads: no state; any thread. */
#ifndef FF_API_JWT_H
#define FF_API_JWT_H

#include "base/arena.h"
#include "base/json.h"

enum { JWT_BYTES_MAX = 8192 };

struct jwt {
    struct span signed_part, signature; /* of the token; signature is decoded */
    struct span kid, subject, audience; /* in the arena; empty when absent */
    int64_t expires_s, not_before_s;    /* 0: absent */
};
/* Reads without checking the signature. false: not a token of this kind; why says what is wrong. */
bool jwt_read(struct span token, struct json_parser *parser, struct arena *arena, struct jwt *out,
              const char **why) MUST_USE;
/* The signature fits the key (PEM, SubjectPublicKeyInfo, RSA of at least 2048 bits). */
bool jwt_signed_by(const struct jwt *t, const char *public_pem) MUST_USE;

#endif
