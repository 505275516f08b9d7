/* SPDX-License-Identifier: Apache-2.0 */
#include "store/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { HANDLES_MAX_DEFAULT = 16, CONNECT_MS_DEFAULT = 3000, URL_BYTES_MAX = 256 * 1024, HANDLE_WAIT_MS = 30000 };

struct store_client {
    char *base;        /* scheme, host, port and path, without credentials and without query */
    char *socket_path; /* NULL: TCP */
    int dir_fd;        /* of a long socket path; -1 */
    struct curl_slist *headers;
    int connect_ms;
    atomic_bool stopping;
    pthread_mutex_t lock;
    pthread_cond_t returned;
    CURL **idle; /* handles_max places */
    unsigned idle_count, made, handles_max;
};

/* What one request needs in libcurl's callbacks. */
struct exchange {
    struct store_client *client;
    CURL *curl;
    store_sink *sink;
    void *sink_ctx;
    const atomic_bool *abandon; /* may be NULL */
    struct buf refusal;         /* the body of an answer that is not 200 */
    int code;                   /* of the header */
    bool sink_ended;
};

void store_settings_add(struct store_settings *s, const char *name, const char *value)
{
    BUG_IF(s->count == COUNT(s->items));
    s->items[s->count++] = (struct store_setting){name, value};
}

/* -- opening -- */

static bool client_header(struct store_client *c, const char *name, const char *value)
{
    struct buf line;
    buf_init(&line, 4096);
    buf_addf(&line, "%s: %s", name, value);
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.ptr[i] < ' ') line.failed = true;
    struct curl_slist *grown = line.failed ? NULL : curl_slist_append(c->headers, line.ptr);
    if (grown) c->headers = grown;
    buf_free(&line);
    return grown != NULL;
}

static char *url_part(CURLU *u, CURLUPart part, unsigned flags)
{
    char *out = NULL;
    return curl_url_get(u, part, &out, flags) == CURLUE_OK ? out : NULL;
}

/* Takes the credentials out of the URL and keeps the rest. */
static const char *client_url_parts(struct store_client *c, CURLU *u, const char *url)
{
    if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK) return "it is not http://[USER:PASSWORD@]HOST[:PORT]";
    char *scheme = url_part(u, CURLUPART_SCHEME, 0), *query = url_part(u, CURLUPART_QUERY, 0);
    const char *bad = NULL;
    if (scheme == NULL || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        bad = "it has to begin with http:// or https://";
    else if (query) bad = "it may not have a query";
    curl_free(scheme);
    curl_free(query);
    if (bad) return bad;
    char *user = NULL, *password = NULL;
    CURLUcode has_user = curl_url_get(u, CURLUPART_USER, &user, CURLU_URLDECODE);
    CURLUcode has_password = curl_url_get(u, CURLUPART_PASSWORD, &password, CURLU_URLDECODE);
    if (has_user != CURLUE_NO_USER && (has_user != CURLUE_OK || !client_header(c, "X-ClickHouse-User", user)))
        bad = "its user name cannot be sent";
    if (has_password != CURLUE_NO_PASSWORD &&
        (has_password != CURLUE_OK || !client_header(c, "X-ClickHouse-Key", password)))
        bad = "its password cannot be sent";
    if (password) explicit_bzero(password, strlen(password));
    curl_free(user);
    curl_free(password);
    (void)curl_url_set(u, CURLUPART_USER, NULL, 0);
    (void)curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
    (void)curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
    char *whole = url_part(u, CURLUPART_URL, 0);
    if (bad == NULL && whole == NULL) bad = "it has no host";
    if (bad == NULL) {
        c->base = strdup(whole);
        BUG_IF(c->base == NULL);
    }
    curl_free(whole);
    return bad;
}

static const char *client_url(struct store_client *c, const char *url)
{
    CURLU *u = curl_url();
    BUG_IF(u == NULL);
    const char *bad = client_url_parts(c, u, url);
    curl_url_cleanup(u);
    return bad;
}

/* A socket address holds 107 characters. A longer path is reached through a descriptor of its directory. */
static const char *client_socket(struct store_client *c, const char *path)
{
    c->base = strdup("http://localhost/");
    BUG_IF(c->base == NULL);
    struct sockaddr_un address;
    const char *slash = strrchr(path, '/');
    struct buf short_path;
    buf_init(&short_path, 4096);
    if (strlen(path) < sizeof address.sun_path) {
        buf_adds(&short_path, path);
    } else {
        struct buf dir;
        buf_init(&dir, 65536);
        buf_add(&dir, path, slash ? (size_t)(slash - path) : 0);
        if (slash == path) buf_addc(&dir, '/');
        c->dir_fd = dir.failed || slash == NULL ? -1 : open(dir.ptr, O_PATH | O_DIRECTORY | O_CLOEXEC);
        buf_free(&dir);
        if (c->dir_fd < 0) return "its directory cannot be opened";
        buf_addf(&short_path, "/proc/self/fd/%d/%s", c->dir_fd, slash + 1);
    }
    if (short_path.failed || short_path.len >= sizeof address.sun_path) {
        buf_free(&short_path);
        return "the socket's name is too long";
    }
    c->socket_path = buf_take(&short_path, NULL);
    return NULL;
}

struct store_client *store_client_new(const struct store_client_options *o, char why[256])
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void)snprintf(why, 256, "libcurl does not start");
        return NULL;
    }
    struct store_client *c = calloc(1, sizeof *c);
    BUG_IF(c == NULL);
    c->dir_fd = -1;
    c->handles_max = o->handles_max ? o->handles_max : HANDLES_MAX_DEFAULT;
    c->connect_ms = o->connect_ms ? o->connect_ms : CONNECT_MS_DEFAULT;
    c->idle = calloc(c->handles_max, sizeof(CURL *));
    BUG_IF(c->idle == NULL);
    pthread_condattr_t monotonic;
    BUG_IF(pthread_condattr_init(&monotonic) != 0);
    BUG_IF(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0);
    BUG_IF(pthread_mutex_init(&c->lock, NULL) != 0);
    BUG_IF(pthread_cond_init(&c->returned, &monotonic) != 0);
    (void)pthread_condattr_destroy(&monotonic);
    /* curl would wait for "100 Continue" before a large body, which costs a second where it is not given. */
    BUG_IF(!client_header(c, "Expect", ""));
    BUG_IF(!client_header(c, "Content-Type", "application/octet-stream"));
    const char *bad = o->url ? client_url(c, o->url) : client_socket(c, o->socket_path);
    if (bad) {
        (void)snprintf(why, 256, "the store's %s cannot be used: %s", o->url ? "URL" : "socket path", bad);
        store_client_free(c);
        return NULL;
    }
    return c;
}

void store_client_stop(struct store_client *c)
{
    atomic_store(&c->stopping, true);
    (void)pthread_mutex_lock(&c->lock);
    (void)pthread_cond_broadcast(&c->returned);
    (void)pthread_mutex_unlock(&c->lock);
}

void store_client_free(struct store_client *c)
{
    if (c == NULL) return;
    BUG_IF(c->idle_count != c->made);
    for (unsigned i = 0; i < c->idle_count; i++) curl_easy_cleanup(c->idle[i]);
    free(c->idle);
    for (struct curl_slist *h = c->headers; h; h = h->next) explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(c->headers);
    if (c->dir_fd >= 0) (void)close(c->dir_fd);
    free(c->base);
    free(c->socket_path);
    (void)pthread_mutex_destroy(&c->lock);
    (void)pthread_cond_destroy(&c->returned);
    free(c);
    curl_global_cleanup();
}

/* -- handles -- */

static CURL *handle_take(struct store_client *c)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += HANDLE_WAIT_MS / 1000;
    CURL *h = NULL;
    (void)pthread_mutex_lock(&c->lock);
    while (c->idle_count == 0 && c->made == c->handles_max && !atomic_load(&c->stopping))
        if (pthread_cond_timedwait(&c->returned, &c->lock, &until) == ETIMEDOUT) break;
    if (!atomic_load(&c->stopping)) {
        if (c->idle_count) {
            h = c->idle[--c->idle_count];
        } else if (c->made < c->handles_max) {
            h = curl_easy_init();
            BUG_IF(h == NULL);
            c->made++;
        }
    }
    (void)pthread_mutex_unlock(&c->lock);
    return h;
}

static void handle_return(struct store_client *c, CURL *h)
{
    curl_easy_reset(h); /* keeps its connection */
    (void)pthread_mutex_lock(&c->lock);
    BUG_IF(c->idle_count == c->handles_max);
    c->idle[c->idle_count++] = h;
    (void)pthread_cond_signal(&c->returned);
    (void)pthread_mutex_unlock(&c->lock);
}

/* -- one exchange -- */

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    size_t len = size * n;
    long status = 0;
    (void)curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
        size_t room = x->refusal.max - x->refusal.len;
        buf_add(&x->refusal, bytes, len < room ? len : room);
        return len;
    }
    if (x->sink && !x->sink(x->sink_ctx, span_make(bytes, len))) {
        x->sink_ended = true;
        return 0;
    }
    return len;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    struct span line = span_make(bytes, size * n), name = SPAN("X-ClickHouse-Exception-Code:");
    int64_t code;
    if (line.len > name.len && span_eq_nocase(span_upto(line, name.len), name) &&
        span_to_i64(span_trim(span_from(line, name.len)), &code) && code > 0 && code < INT32_MAX)
        x->code = (int)code;
    return size * n;
}

static bool exchange_ends(const struct exchange *x)
{
    return atomic_load(&x->client->stopping) || (x->abandon && atomic_load(x->abandon));
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    struct exchange *x = ctx;
    return exchange_ends(x);
}

static void url_add_encoded(struct buf *url, struct span s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                     c == '-' || c == '.' || c == ',' || c == '(' || c == ')';
        if (plain) {
            buf_addc(url, (char)c);
        } else {
            const char out[3] = {'%', hex[c >> 4], hex[c & 15]};
            buf_add(url, out, sizeof out);
        }
    }
}

static void url_add_param(struct buf *url, const char *name, struct span value)
{
    buf_addc(url, memchr(url->ptr, '?', url->len) ? '&' : '?');
    buf_adds(url, name);
    buf_addc(url, '=');
    url_add_encoded(url, value);
}

static void exchange_prepare(struct exchange *x, const char *url, const struct span *body, int timeout_ms)
{
    struct store_client *c = x->client;
    CURL *h = x->curl;
    (void)curl_easy_setopt(h, CURLOPT_URL, url);
    (void)curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(h, CURLOPT_PROXY, ""); /* whatever the environment says: the store is named directly */
    (void)curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(h, CURLOPT_HTTPHEADER, c->headers);
    (void)curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)c->connect_ms);
    (void)curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    (void)curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(h, CURLOPT_MAXCONNECTS, 1L);
    if (c->socket_path) (void)curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, c->socket_path);
    (void)curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(h, CURLOPT_WRITEDATA, x);
    (void)curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(h, CURLOPT_HEADERDATA, x);
    (void)curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(h, CURLOPT_XFERINFODATA, x);
    if (body) {
        (void)curl_easy_setopt(h, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
        (void)curl_easy_setopt(h, CURLOPT_POSTFIELDS, body->len ? body->ptr : "");
    }
}

/* One line: the first of what the store wrote. */
static void error_text(struct store_error *error, struct span text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len && n + 1 < sizeof error->text; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '\n' && n) break;
        if (c >= ' ') error->text[n++] = (char)c;
    }
    struct span whole = span_cut_utf8(span_make(error->text, n), n);
    error->text[whole.len] = 0;
}

/* Servers before the header existed say it at the beginning of the text: "Code: 60, ..." or "Code: 60. ...". */
static int code_of_text(struct span text)
{
    struct span lead = SPAN("Code: ");
    ptrdiff_t at = span_find_span(text, lead);
    int64_t code = 0;
    if (at < 0) return 0;
    for (struct span s = span_from(text, (size_t)at + lead.len);
         s.len && *s.ptr >= '0' && *s.ptr <= '9' && code < 1000000; s = span_from(s, 1))
        code = code * 10 + (*s.ptr - '0');
    return (int)code;
}

enum {
    CODE_TIMEOUT_EXCEEDED = 159,
    CODE_TOO_MANY_QUERIES = 202,
    CODE_NO_FREE_CONNECTION = 203,
    CODE_SOCKET_TIMEOUT = 209
};

static enum err refusal_kind(int status, int code)
{
    if (code == CODE_TIMEOUT_EXCEEDED || code == CODE_SOCKET_TIMEOUT || status == 408) return ERR_TIMEOUT;
    if (code == CODE_TOO_MANY_QUERIES || code == CODE_NO_FREE_CONNECTION || status == 503) return ERR_UNAVAILABLE;
    return code == 0 && status >= 500 ? ERR_UNAVAILABLE : ERR_REFUSED; /* without a code it is a proxy that speaks */
}

static enum err exchange_refused(struct exchange *x, int status, struct store_error *error)
{
    struct span text = buf_span(&x->refusal);
    error->status = status;
    error->code = x->code ? x->code : code_of_text(text);
    error->kind = refusal_kind(status, error->code);
    if (text.len) error_text(error, text);
    else (void)snprintf(error->text, sizeof error->text, "the store answered with HTTP status %d", status);
    return error->kind;
}

static bool curl_never_sent(CURLcode code)
{
    return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_URL_MALFORMAT ||
           code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION;
}

static enum err exchange_failed(struct exchange *x, CURLcode result, struct store_error *error)
{
    if (exchange_ends(x)) {
        error->kind = ERR_CLOSED;
        error_text(error, SPAN("stopping"));
    } else if (x->sink_ended) {
        error->kind = ERR_CLOSED;
        error_text(error, SPAN("the reader of the result ended it"));
    } else {
        error->kind = result == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE;
        error_text(error, span_of(curl_easy_strerror(result)));
    }
    curl_off_t connected = 0;
    (void)curl_easy_getinfo(x->curl, CURLINFO_PRETRANSFER_TIME_T, &connected);
    error->unsent = curl_never_sent(result) || (result == CURLE_OPERATION_TIMEDOUT && connected == 0);
    return error->kind;
}

struct request {
    const struct buf *url;
    const struct span *body; /* NULL: GET */
    const atomic_bool *abandon;
    int timeout_ms;
    bool once; /* libcurl may not repeat it by itself */
    store_sink *sink;
    void *sink_ctx;
};

static enum err client_run(struct store_client *c, const struct request *r, struct store_error *error)
{
    *error = (struct store_error){0};
    struct exchange x = {
        .client = c, .curl = handle_take(c), .sink = r->sink, .sink_ctx = r->sink_ctx, .abandon = r->abandon};
    if (x.curl == NULL || r->url->failed) {
        bool stopping = atomic_load(&c->stopping);
        error->kind = stopping ? ERR_CLOSED : ERR_FULL;
        error->unsent = true;
        error_text(error, stopping         ? SPAN("stopping")
                          : r->url->failed ? SPAN("the statement is too long")
                                           : SPAN("too many questions at once"));
        if (x.curl) handle_return(c, x.curl);
        return error->kind;
    }
    buf_init(&x.refusal, 16 * 1024);
    exchange_prepare(&x, r->url->ptr, r->body, r->timeout_ms);
    if (r->once) {
        /* A request that fails on a kept connection before any answer is sent again by libcurl: an insert may have
         * happened by then. On a connection of its own it never is. */
        (void)curl_easy_setopt(x.curl, CURLOPT_FRESH_CONNECT, 1L);
        (void)curl_easy_setopt(x.curl, CURLOPT_FORBID_REUSE, 1L);
    }
    CURLcode result = curl_easy_perform(x.curl);
    long status = 0;
    (void)curl_easy_getinfo(x.curl, CURLINFO_RESPONSE_CODE, &status);
    enum err e = ERR_NONE;
    if (result != CURLE_OK) e = exchange_failed(&x, result, error);
    else if (status != 200) e = exchange_refused(&x, (int)status, error);
    handle_return(c, x.curl);
    buf_free(&x.refusal);
    return e;
}

/* -- statements -- */

static void url_begin(struct buf *url, const struct store_client *c, const struct store_settings *settings)
{
    buf_init(url, URL_BYTES_MAX);
    buf_adds(url, c->base);
    for (size_t i = 0; i < settings->count; i++)
        url_add_param(url, settings->items[i].name, span_of(settings->items[i].value));
}

enum err store_query_to(struct store_client *c, struct span sql, const struct store_settings *settings,
                        const char *format, int timeout_ms, store_sink *sink, void *ctx, struct store_error *error)
{
    struct buf url;
    url_begin(&url, c, settings);
    url_add_param(&url, "default_format", span_of(format));
    /* Otherwise an error in the middle would come after status 200 and part of the result. */
    if (!settings->streamed) url_add_param(&url, "wait_end_of_query", SPAN("1"));
    struct request r = {.url = &url,
                        .body = &sql,
                        .timeout_ms = timeout_ms,
                        .sink = sink,
                        .sink_ctx = ctx,
                        .abandon = settings->abandon};
    enum err e = client_run(c, &r, error);
    buf_free(&url);
    return e;
}

static bool query_append(void *ctx, struct span piece)
{
    struct buf *out = ctx;
    buf_add_span(out, piece);
    return !out->failed;
}

enum err store_query(struct store_client *c, struct span sql, const struct store_settings *settings, const char *format,
                     int timeout_ms, struct buf *out, struct store_error *error)
{
    size_t before = out ? out->len : 0;
    enum err e = store_query_to(c, sql, settings, format, timeout_ms, out ? query_append : NULL, out, error);
    if (e != ERR_NONE && out) {
        if (out->failed) {
            e = error->kind = ERR_FULL;
            error_text(error, SPAN("the answer is too large"));
        }
        out->len = before; /* nobody takes half a result for a whole one */
    }
    return e;
}

enum err store_insert(struct store_client *c, struct span sql, const struct store_settings *settings, struct span data,
                      int timeout_ms, struct store_error *error)
{
    struct buf url;
    url_begin(&url, c, settings);
    url_add_param(&url, "query", sql);
    struct request r = {
        .url = &url, .body = &data, .timeout_ms = timeout_ms, .once = true, .abandon = settings->abandon};
    enum err e = client_run(c, &r, error);
    buf_free(&url);
    return e;
}

enum err store_ping(struct store_client *c, int timeout_ms, struct store_error *error)
{
    struct buf url;
    buf_init(&url, URL_BYTES_MAX);
    buf_adds(&url, c->base);
    if (url.len && url.ptr[url.len - 1] == '/') url.len--;
    buf_adds(&url, "/ping");
    struct request r = {.url = &url, .timeout_ms = timeout_ms};
    enum err e = client_run(c, &r, error);
    buf_free(&url);
    return e;
}
