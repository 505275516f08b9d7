/* SPDX-License-Identifier: Apache-2.0
 * Hashes and text encodings of bytes. */
#ifndef FF_BASE_HASH_H
#define FF_BASE_HASH_H

#include "base/base.h"

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len); /* start with 0; chainable */

struct hash128 {
    uint64_t hi, lo;
};
/* First 16 bytes of SHA-256, big-endian: the view's public id is hash128_hex of (environment id, 0 byte, view id). */
struct hash128 hash128_sha256(struct span a, struct span b); /* over a, a zero byte, b */
void hash128_hex(char out[33], struct hash128 h);
bool hash128_from_hex(struct span hex, struct hash128 *out) MUST_USE;
static inline bool hash128_eq(struct hash128 a, struct hash128 b)
{
    return a.hi == b.hi && a.lo == b.lo;
}
/* Fast, not for secrets, the same on every machine and release (stored on disk). */
uint64_t hash64(struct span s, uint64_t seed);

void hex_encode(char *out, const void *bytes, size_t len);           /* out holds 2 * len + 1 */
bool hex_decode(struct span hex, uint8_t *out, size_t len) MUST_USE; /* hex.len must be 2 * len */
/* Random bytes from the system; cannot fail. */
void random_bytes(void *out, size_t len);

#endif
