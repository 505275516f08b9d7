/* SPDX-License-Identifier: Apache-2.0
 * Random secrets, their keyed hashes, and passwords. */
#include "accounts/store.h"

#include <sodium.h>
#include <stdlib.h>

void accounts_wipe(void *ptr, size_t len)
{
    sodium_memzero(ptr, len);
}

void secret_new(char out[ACCOUNTS_SECRET_MAX + 1])
{
    uint8_t bytes[32];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(out, ACCOUNTS_SECRET_MAX + 1, bytes, sizeof bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(bytes, sizeof bytes);
}

void secret_hash(const struct accounts *a, enum secret_kind kind, struct span id, struct span secret,
                 uint8_t out[SECRET_HASH_BYTES])
{
    crypto_generichash_state state;
    uint64_t lengths[2] = {id.len, secret.len}; /* so that no two splits of the same bytes are one message */
    uint8_t prefix = (uint8_t)kind;
    BUG_IF(crypto_generichash_init(&state, a->hash_key, sizeof a->hash_key, SECRET_HASH_BYTES) != 0);
    crypto_generichash_update(&state, &prefix, 1);
    crypto_generichash_update(&state, (const uint8_t *)lengths, sizeof lengths);
    if (id.len > 0) crypto_generichash_update(&state, (const uint8_t *)id.ptr, id.len);
    if (secret.len > 0) crypto_generichash_update(&state, (const uint8_t *)secret.ptr, secret.len);
    crypto_generichash_final(&state, out, SECRET_HASH_BYTES);
    sodium_memzero(&state, sizeof state);
}

static void random_text(char *out, size_t len)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    for (size_t i = 0; i < len; i++) out[i] = alphabet[randombytes_uniform(sizeof alphabet - 1)];
    out[len] = 0;
}

void id_new(char out[ACCOUNTS_ID_MAX + 1])
{
    random_text(out, 8);
    out[0] = (char)('a' + randombytes_uniform(26)); /* so that it never looks like a number */
}

void env_key_new(char out[ACCOUNTS_ENV_KEY_MAX + 1])
{
    random_text(out, 24);
}

void uuid_new(char out[ACCOUNTS_UUID_MAX + 1])
{
    uint8_t b[16];
    char hex[33];
    randombytes_buf(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4 */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    sodium_bin2hex(hex, sizeof hex, b, sizeof b);
    size_t at = 0;
    for (size_t i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) out[at++] = '-';
        out[at++] = hex[i];
    }
    out[at] = 0;
}

bool password_hash(const struct accounts *a, struct span password, char out[PASSWORD_HASH_MAX])
{
    _Static_assert(crypto_pwhash_STRBYTES <= PASSWORD_HASH_MAX, "a password hash fits");
    return crypto_pwhash_str_alg(out, password.ptr, password.len, a->options.password_passes, a->options.password_bytes,
                                 crypto_pwhash_ALG_ARGON2ID13) == 0;
}

bool password_right(const struct accounts *a, const char *hash, struct span password)
{
    if (hash[0] != 0) return crypto_pwhash_str_verify(hash, password.ptr, password.len) == 0;
    char unused[PASSWORD_HASH_MAX];
    bool made = password_hash(a, password, unused);
    return made && hash[0] != 0;
}

bool password_stale(const struct accounts *a, const char *hash)
{
    return crypto_pwhash_str_needs_rehash(hash, a->options.password_passes, a->options.password_bytes) == 1;
}
