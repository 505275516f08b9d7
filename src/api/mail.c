/* SPDX-License-Identifier: Apache-2.0 */
#include "api/mail.h"

#include "accounts/people.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"

#include <curl/curl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WAITING_MAX = 100, LETTER_BYTES_MAX = 8192, LINK_MAX = 700, URL_MAX = 512, SEND_S = 60, CONNECT_S = 15 };

enum letter_kind { LETTER_INVITATION, LETTER_RESET, LETTER_RESET_ASKED };

struct letter {
    enum letter_kind kind;
    char to[ACCOUNTS_EMAIL_MAX + 1];
    char link[LINK_MAX];                   /* LETTER_RESET_ASKED: made on the thread */
    char address[48], public_url[URL_MAX]; /* LETTER_RESET_ASKED */
};

struct mail {
    struct accounts *accounts;
    char *smtp_url, *from;
    struct pool *pool;
};

static void letter_free(struct letter *l)
{
    sodium_memzero(l, sizeof *l);
    free(l);
}

/* The RFC 5322 text. Nothing in it comes from outside but the checked address and our own link: no header can be added.
 */
static void letter_write(const struct mail *m, const struct letter *l, struct buf *out)
{
    char date[64];
    uint8_t id[16];
    char hex[33];
    time_t now = (time_t)(wall_now_ms() / 1000);
    struct tm utc;
    BUG_IF(gmtime_r(&now, &utc) == NULL);
    (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &utc);
    randombytes_buf(id, sizeof id);
    sodium_bin2hex(hex, sizeof hex, id, sizeof id);
    bool invitation = l->kind == LETTER_INVITATION;
    buf_addf(out, "Date: %s\r\nFrom: Firstframe <%s>\r\nTo: <%s>\r\nMessage-ID: <%s@firstframe>\r\n", date, m->from,
             l->to, hex);
    buf_addf(out,
             "Subject: %s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
             "Auto-Submitted: auto-generated\r\n\r\n",
             invitation ? "Your invitation to Firstframe" : "A new password for Firstframe");
    buf_adds(out, invitation
                      ? "You are invited to Firstframe. To accept, open this address within seven days:\r\n\r\n"
                      : "Somebody asked for a new password for this address. To choose one, open this address\r\n"
                        "within an hour; if it was not you, do nothing:\r\n\r\n");
    buf_addf(out, "%s\r\n", l->link);
}

struct upload {
    struct span rest;
};

static size_t upload_read(char *out, size_t size, size_t count, void *ctx)
{
    struct upload *u = ctx;
    struct span piece = span_upto(u->rest, size * count);
    if (piece.len) memcpy(out, piece.ptr, piece.len);
    u->rest = span_from(u->rest, piece.len);
    return piece.len;
}

/* With a user and password the connection has to be encrypted; without, it is where the server offers it. */
static CURLcode letter_deliver(const struct mail *m, const struct letter *l, struct span text)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *to = curl_slist_append(NULL, l->to);
    struct upload upload = {text};
    bool credentials = strchr(m->smtp_url, '@') != NULL;
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (curl && to) {
        curl_easy_setopt(curl, CURLOPT_URL, m->smtp_url);
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
        curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)(credentials ? CURLUSESSL_ALL : CURLUSESSL_TRY));
        curl_easy_setopt(curl, CURLOPT_MAIL_FROM, m->from);
        curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, upload_read);
        curl_easy_setopt(curl, CURLOPT_READDATA, &upload);
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)SEND_S);
        code = curl_easy_perform(curl);
    }
    curl_slist_free_all(to);
    curl_easy_cleanup(curl);
    return code;
}

/* false: nobody to write to. */
static bool letter_link(struct mail *m, struct letter *l)
{
    char token[ACCOUNTS_SECRET_MAX + 1];
    if (l->kind != LETTER_RESET_ASKED) return true;
    struct actor who = {.kind = ACTOR_SERVER, .address = span_of(l->address)};
    enum accounts_error e = accounts_reset_begin(m->accounts, &who, span_of(l->to), token);
    bool known = e == ACCOUNTS_OK && token[0];
    if (known) (void)snprintf(l->link, sizeof l->link, "%s/reset#%s", l->public_url, token);
    accounts_wipe(token, sizeof token);
    return known;
}

static void letter_run(void *ctx, void *item)
{
    struct mail *m = ctx;
    struct letter *l = item;
    struct buf text;
    buf_init(&text, LETTER_BYTES_MAX);
    if (letter_link(m, l)) {
        letter_write(m, l, &text);
        CURLcode code = text.failed ? CURLE_OUT_OF_MEMORY : letter_deliver(m, l, buf_span(&text));
        if (code == CURLE_OK) LOG_INF("mail_sent", "kind=%s", l->kind == LETTER_INVITATION ? "invitation" : "reset");
        else LOG_ERR("mail_failed", "why=\"%s\"", curl_easy_strerror(code));
    }
    if (text.ptr) sodium_memzero(text.ptr, text.len);
    buf_free(&text);
    letter_free(l);
}

struct mail *mail_new(const struct mail_options *options)
{
    if (options->smtp_url == NULL) return NULL;
    struct mail *m = calloc(1, sizeof *m);
    BUG_IF(m == NULL);
    m->accounts = options->accounts;
    m->smtp_url = strdup(options->smtp_url);
    m->from = strdup(options->from);
    BUG_IF(m->smtp_url == NULL || m->from == NULL);
    m->pool = pool_new(1, WAITING_MAX, letter_run, m);
    return m;
}

void mail_free(struct mail *m)
{
    if (m == NULL) return;
    pool_stop(m->pool);
    sodium_memzero(m->smtp_url, strlen(m->smtp_url));
    free(m->smtp_url);
    free(m->from);
    free(m);
}

static bool letter_submit(struct mail *m, const struct letter *in)
{
    struct letter *l = malloc(sizeof *l);
    BUG_IF(l == NULL);
    *l = *in;
    if (pool_submit(m->pool, l)) return true;
    letter_free(l);
    return false;
}

static bool send_link(struct mail *m, enum letter_kind kind, const char *to, const char *link)
{
    struct letter l = {.kind = kind};
    if (m == NULL) return false;
    (void)snprintf(l.to, sizeof l.to, "%s", to);
    (void)snprintf(l.link, sizeof l.link, "%s", link);
    bool sent = letter_submit(m, &l);
    sodium_memzero(&l, sizeof l);
    return sent;
}

bool mail_send_invitation(struct mail *m, const char *to, const char *link)
{
    return send_link(m, LETTER_INVITATION, to, link);
}

bool mail_send_reset(struct mail *m, const char *to, const char *link)
{
    return send_link(m, LETTER_RESET, to, link);
}

bool mail_reset(struct mail *m, struct span email, const char *address, const char *public_url)
{
    struct letter l = {.kind = LETTER_RESET_ASKED};
    if (m == NULL) return false;
    if (email.len > ACCOUNTS_EMAIL_MAX) return true; /* nobody has such an address */
    memcpy(l.to, email.ptr, email.len);
    (void)snprintf(l.address, sizeof l.address, "%s", address);
    (void)snprintf(l.public_url, sizeof l.public_url, "%s", public_url);
    return letter_submit(m, &l);
}
