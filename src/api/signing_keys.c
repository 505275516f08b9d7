/* SPDX-License-Identifier: Apache-2.0
 * /system/v1/signing-keys: RSA pairs whose public half is kept and whose private half is answered once, as the base64
 * of its PEM. They sign the tokens of /counts (see jwt.h). And the system endpoints that a Data server answers with
 * little. */
#include "api/ask.h"

#include "accounts/notes.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { RSA_BITS = 2048, LIST_LIMIT = 25, LIST_LIMIT_MAX = 1000, PEM_BYTES_MAX = 4096 };

/* A key opens counts of the whole environment, so a token that may see only a part of it has no business here. */
static bool whole_environment(struct api_call *c)
{
    if (c->principal.filter[0] == 0) return true;
    api_fail(c, 403, "A token with a filter cannot manage signing keys.");
    return false;
}

static void print_key(struct jw *w, const struct signing_key *key, const char *private_key)
{
    char created[24];
    (void)snprintf(created, sizeof created, "%lld", (long long)key->created_s);
    jw_object(w);
    jw_key(w, "id"), jw_text(w, key->id);
    jw_key(w, "created_at"), jw_text(w, created);
    if (private_key) jw_key(w, "private_key"), jw_text(w, private_key);
    jw_object_end(w);
}

static bool pem_of(BIO *bio, char out[PEM_BYTES_MAX])
{
    int len = BIO_read(bio, out, PEM_BYTES_MAX - 1);
    if (len <= 0 || len == PEM_BYTES_MAX - 1) return false;
    out[len] = 0;
    return true;
}

static bool pair_make(char public_pem[PEM_BYTES_MAX], char private_pem[PEM_BYTES_MAX])
{
    EVP_PKEY *pair = EVP_RSA_gen(RSA_BITS);
    BIO *one = BIO_new(BIO_s_mem()), *two = BIO_new(BIO_s_mem());
    bool ok = pair && one && two && PEM_write_bio_PUBKEY(one, pair) == 1 &&
              PEM_write_bio_PrivateKey_traditional(two, pair, NULL, NULL, 0, NULL, NULL) == 1 &&
              pem_of(one, public_pem) && pem_of(two, private_pem);
    BIO_free(one);
    BIO_free(two);
    EVP_PKEY_free(pair);
    return ok;
}

void api_signing_key_create(struct api_call *c)
{
    char public_pem[PEM_BYTES_MAX], private_pem[PEM_BYTES_MAX];
    char encoded[sodium_base64_ENCODED_LEN(PEM_BYTES_MAX, sodium_base64_VARIANT_ORIGINAL)];
    if (!whole_environment(c)) return;
    if (!pair_make(public_pem, private_pem)) {
        api_fail(c, 500, "The key could not be made.");
        return;
    }
    struct actor who = api_actor(c);
    struct signing_key key;
    enum accounts_error e =
        accounts_signing_key_add(c->accounts, &who, span_of(c->environment_id), span_of(public_pem), &key);
    if (e == ACCOUNTS_OK) {
        sodium_bin2base64(encoded, sizeof encoded, (const unsigned char *)private_pem, strlen(private_pem),
                          sodium_base64_VARIANT_ORIGINAL);
        c->status = 201;
        jw_object(&c->json);
        jw_key(&c->json, "data"), print_key(&c->json, &key, encoded);
        jw_object_end(&c->json);
        accounts_wipe(encoded, sizeof encoded);
    } else {
        api_fail_accounts(c, e);
    }
    accounts_wipe(private_pem, sizeof private_pem);
}

void api_signing_keys_list(struct api_call *c)
{
    uint32_t limit, page;
    if (!whole_environment(c) || !api_paging(c, LIST_LIMIT, LIST_LIMIT_MAX, &limit, &page)) return;
    struct signing_key *list;
    size_t n;
    int64_t total;
    uint64_t offset = (uint64_t)(page - 1) * limit;
    enum accounts_error e =
        accounts_signing_keys(c->accounts, span_of(c->environment_id),
                              offset > UINT32_MAX ? UINT32_MAX : (uint32_t)offset, limit, &list, &n, &total);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = 0; i < n; i++) print_key(&c->json, &list[i], NULL);
    jw_array_end(&c->json);
    jw_object_end(&c->json);
    free(list);
}

static void fail_key(struct api_call *c, enum accounts_error e)
{
    if (e == ACCOUNTS_NOT_FOUND) api_fail(c, 404, "There is no such signing key.");
    else api_fail_accounts(c, e);
}

void api_signing_key_show(struct api_call *c)
{
    struct signing_key key;
    if (!whole_environment(c)) return;
    enum accounts_error e = accounts_signing_key_get(c->accounts, span_of(c->environment_id), c->arguments[0], &key);
    if (e != ACCOUNTS_OK) {
        fail_key(c, e);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), print_key(&c->json, &key, NULL);
    jw_object_end(&c->json);
}

void api_signing_key_remove(struct api_call *c)
{
    if (!whole_environment(c)) return;
    struct actor who = api_actor(c);
    enum accounts_error e = accounts_signing_key_remove(c->accounts, &who, span_of(c->environment_id), c->arguments[0]);
    if (e == ACCOUNTS_OK) c->status = 204;
    else fail_key(c, e);
}

void api_webhooks_list(struct api_call *c)
{
    uint32_t limit, page;
    if (!api_paging(c, LIST_LIMIT, LIST_LIMIT_MAX, &limit, &page)) return;
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json), jw_array_end(&c->json);
    api_total(c, 0);
    jw_key(&c->json, "page"), jw_int(&c->json, page);
    jw_key(&c->json, "limit"), jw_int(&c->json, limit);
    jw_object_end(&c->json);
}

void api_usage_exports(struct api_call *c)
{
    api_fail(c, 403, "This server does no billing, so there are no usage exports.");
}
