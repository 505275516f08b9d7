/* SPDX-License-Identifier: Apache-2.0
 * Time-based one-time codes, RFC 6238 with SHA-1 (the only hash that authenticator apps agree on), and the box in
 * which a secret is stored. libsodium has no SHA-1, so it is here, for this use only: HMAC needs no resistance to
 * collisions. */
#include "accounts/store.h"
#include "accounts/people.h"

#include <sodium.h>

enum { SHA1_BYTES = 20, SHA1_BLOCK = 64, STEP_S = 30 };
static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static uint32_t rotate(uint32_t v, unsigned bits)
{
    return (v << bits) | (v >> (32 - bits));
}

static void sha1_block(uint32_t h[5], const uint8_t block[SHA1_BLOCK])
{
    uint32_t w[80];
    for (size_t i = 0; i < 16; i++) {
        const uint8_t *p = block + 4 * i;
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
    for (size_t i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (size_t i = 0; i < 80; i++) {
        uint32_t f, k;
        if (i < 20) f = (b & c) | (~b & d), k = 0x5A827999;
        else if (i < 40) f = b ^ c ^ d, k = 0x6ED9EBA1;
        else if (i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8F1BBCDC;
        else f = b ^ c ^ d, k = 0xCA62C1D6;
        uint32_t next = rotate(a, 5) + f + e + k + w[i];
        e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/* Of one key block followed by up to 20 bytes: all that HMAC needs here. */
static void sha1_two_blocks(const uint8_t pad[SHA1_BLOCK], const uint8_t *text, size_t len, uint8_t out[SHA1_BYTES])
{
    BUG_IF(len > SHA1_BYTES);
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    uint8_t last[SHA1_BLOCK] = {0};
    memcpy(last, text, len);
    last[len] = 0x80;
    size_t bits = (SHA1_BLOCK + len) * 8;
    last[62] = (uint8_t)(bits >> 8);
    last[63] = (uint8_t)bits;
    sha1_block(h, pad);
    sha1_block(h, last);
    for (size_t i = 0; i < SHA1_BYTES; i++) out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static unsigned totp_code(const uint8_t secret[TOTP_SECRET_BYTES], int64_t step)
{
    uint8_t pad[SHA1_BLOCK], counter[8], mac[SHA1_BYTES];
    for (size_t i = 0; i < 8; i++) counter[i] = (uint8_t)((uint64_t)step >> (56 - 8 * i));
    memset(pad, 0x36, sizeof pad);
    for (size_t i = 0; i < TOTP_SECRET_BYTES; i++) pad[i] ^= secret[i];
    sha1_two_blocks(pad, counter, sizeof counter, mac);
    for (size_t i = 0; i < SHA1_BLOCK; i++) pad[i] ^= 0x36 ^ 0x5c;
    sha1_two_blocks(pad, mac, sizeof mac, mac);
    sodium_memzero(pad, sizeof pad);
    size_t at = mac[19] & 0x0f;
    uint32_t v =
        (uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 | (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    return v % 1000000;
}

int64_t totp_step(const uint8_t secret[TOTP_SECRET_BYTES], struct span code, int64_t now_ms)
{
    int64_t now = now_ms / 1000 / STEP_S, found = -1;
    if (code.len != 6) return -1;
    for (int64_t step = now - 1; step <= now + 1; step++) {
        unsigned v = totp_code(secret, step);
        char text[6];
        for (size_t i = 6; i-- > 0; v /= 10) text[i] = (char)('0' + v % 10);
        if (sodium_memcmp(text, code.ptr, sizeof text) == 0) found = step;
    }
    return found;
}

void accounts_totp_new(char secret[33])
{
    for (size_t i = 0; i < 32; i++) secret[i] = base32[randombytes_uniform(32)];
    secret[32] = 0;
}

bool totp_decode(struct span text, uint8_t secret[TOTP_SECRET_BYTES])
{
    uint32_t bits = 0;
    size_t have = 0, at = 0;
    if (text.len != 32) return false;
    for (size_t i = 0; i < text.len; i++) {
        const char *p = text.ptr[i] != 0 ? strchr(base32, text.ptr[i]) : NULL;
        if (p == NULL) return false;
        bits = bits << 5 | (uint32_t)(p - base32);
        have += 5;
        if (have >= 8) {
            have -= 8;
            secret[at++] = (uint8_t)(bits >> have);
        }
    }
    return at == TOTP_SECRET_BYTES;
}

void totp_seal(const struct accounts *a, const uint8_t secret[TOTP_SECRET_BYTES], uint8_t box[TOTP_BOX_BYTES])
{
    _Static_assert(crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + TOTP_SECRET_BYTES == TOTP_BOX_BYTES,
                   "the box is nonce, tag and secret");
    randombytes_buf(box, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(box + crypto_secretbox_NONCEBYTES, secret, TOTP_SECRET_BYTES, box, a->box_key);
}

bool totp_open(const struct accounts *a, struct span box, uint8_t secret[TOTP_SECRET_BYTES])
{
    if (box.len != TOTP_BOX_BYTES) return false;
    const uint8_t *nonce = (const uint8_t *)box.ptr;
    return crypto_secretbox_open_easy(secret, nonce + crypto_secretbox_NONCEBYTES,
                                      TOTP_BOX_BYTES - crypto_secretbox_NONCEBYTES, nonce, a->box_key) == 0;
}
