/* SPDX-License-Identifier: Apache-2.0 */
#include "api/assets.h"

#include "base/hash.h"
#include "base/log.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILES_MAX = 2000, FILE_BYTES_MAX = 16 * 1024 * 1024, DEPTH_MAX = 8, PATH_BYTES_MAX = 1024 };

/* No inline script or style, nothing from elsewhere, no framing. */
static const char content_security_policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' "
                                              "data:; font-src 'self'; connect-src 'self'; "
                                              "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

struct asset {
    char *path;             /* as requested: "/assets/app-1a2b.js", "/sdk/mux.js", "/index.html" */
    struct buf plain, gzip; /* gzip is empty where it would not be smaller */
    char etag[24];
    const char *type;
    bool immutable, any_origin;
};

struct assets {
    struct asset *files;
    size_t n;
    const struct asset *index;
};

static const char *type_of(const char *path)
{
    static const struct {
        const char *ending, *type;
    } types[] = {{".html", "text/html; charset=utf-8"},
                 {".js", "text/javascript; charset=utf-8"},
                 {".mjs", "text/javascript; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},
                 {".svg", "image/svg+xml"},
                 {".png", "image/png"},
                 {".ico", "image/x-icon"},
                 {".woff2", "font/woff2"},
                 {".json", "application/json"},
                 {".txt", "text/plain; charset=utf-8"},
                 {".map", "application/json"},
                 {".md", "text/plain; charset=utf-8"}};
    for (size_t i = 0; i < COUNT(types); i++)
        if (span_ends(span_of(path), span_of(types[i].ending))) return types[i].type;
    return "application/octet-stream";
}

static bool read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) return false;
    char chunk[65536];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0) buf_add(out, chunk, n);
    bool ok = !ferror(f) && !out->failed;
    (void)fclose(f);
    return ok;
}

static void asset_add(struct assets *a, const char *file, const char *path, bool any_origin)
{
    if (a->n == FILES_MAX) return;
    struct asset *one = &a->files[a->n];
    *one = (struct asset){.type = type_of(path), .any_origin = any_origin};
    buf_init(&one->plain, FILE_BYTES_MAX);
    buf_init(&one->gzip, FILE_BYTES_MAX);
    if (!read_file(file, &one->plain)) {
        LOG_WRN("asset_unreadable", "path=%s", path);
        buf_free(&one->plain);
        return;
    }
    if (!http_deflate(buf_span(&one->plain), &one->gzip) || one->gzip.len >= one->plain.len) buf_free(&one->gzip);
    one->path = strdup(path);
    BUG_IF(one->path == NULL);
    one->immutable = strncmp(path, "/assets/", 8) == 0;
    (void)snprintf(one->etag, sizeof one->etag, "\"%016llx\"", (unsigned long long)hash64(buf_span(&one->plain), 0));
    a->n++;
}

/* Every regular file below dir/relative, as prefix + its path. */
static void load_tree(struct assets *a, const char *dir, const char *prefix, bool any_origin, unsigned depth);

static void load_entry(struct assets *a, const char *dir, const char *name, const char *prefix, bool any_origin,
                       unsigned depth)
{
    char file[PATH_BYTES_MAX], path[PATH_BYTES_MAX];
    int flen = snprintf(file, sizeof file, "%s/%s", dir, name);
    int plen = snprintf(path, sizeof path, "%s/%s", prefix, name);
    struct stat at;
    if (name[0] == '.' || flen >= (int)sizeof file || plen >= (int)sizeof path || stat(file, &at) != 0) return;
    if (S_ISDIR(at.st_mode)) load_tree(a, file, path, any_origin, depth + 1);
    else if (S_ISREG(at.st_mode) && at.st_size <= FILE_BYTES_MAX) asset_add(a, file, path, any_origin);
}

static void load_tree(struct assets *a, const char *dir, const char *prefix, bool any_origin, unsigned depth)
{
    DIR *d = depth < DEPTH_MAX ? opendir(dir) : NULL;
    if (d == NULL) return;
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        load_entry(a, dir, entry->d_name, prefix, any_origin, depth);
    (void)closedir(d);
}

static const struct asset *asset_find(const struct assets *a, struct span path)
{
    for (size_t i = 0; i < a->n; i++)
        if (span_is(path, a->files[i].path)) return &a->files[i];
    return NULL;
}

struct assets *assets_load(const char *share)
{
    struct assets *a = calloc(1, sizeof *a);
    BUG_IF(a == NULL);
    a->files = calloc(FILES_MAX, sizeof *a->files);
    BUG_IF(a->files == NULL);
    char dir[PATH_BYTES_MAX];
    if (snprintf(dir, sizeof dir, "%s/web", share) < (int)sizeof dir) load_tree(a, dir, "", false, 0);
    if (snprintf(dir, sizeof dir, "%s/sdk", share) < (int)sizeof dir) load_tree(a, dir, "/sdk", true, 0);
    a->index = asset_find(a, SPAN("/index.html"));
    if (a->index == NULL) LOG_WRN("dashboard_missing", "share=\"%s\"", share);
    return a;
}

void assets_free(struct assets *a)
{
    if (a == NULL) return;
    for (size_t i = 0; i < a->n; i++) {
        free(a->files[i].path);
        buf_free(&a->files[i].plain);
        buf_free(&a->files[i].gzip);
    }
    free(a->files);
    free(a);
}

static bool takes_gzip(const struct http_request *r)
{
    return span_find_span(http_header(r, "Accept-Encoding"), SPAN("gzip")) >= 0;
}

static void asset_reply(const struct asset *one, struct http_request *r)
{
    bool gzip = one->gzip.len && takes_gzip(r);
    struct http_header headers[10];
    size_t n = 0;
    headers[n++] = (struct http_header){SPAN("ETag"), span_of(one->etag)};
    headers[n++] =
        (struct http_header){SPAN("Cache-Control"), one->immutable    ? SPAN("public, max-age=31536000, immutable")
                                                    : one->any_origin ? SPAN("public, max-age=3600")
                                                                      : SPAN("no-cache")};
    headers[n++] = (struct http_header){SPAN("Vary"), SPAN("Accept-Encoding")};
    headers[n++] = (struct http_header){SPAN("X-Content-Type-Options"), SPAN("nosniff")};
    headers[n++] = (struct http_header){SPAN("Content-Security-Policy"), span_of(content_security_policy)};
    headers[n++] = (struct http_header){SPAN("Referrer-Policy"), SPAN("same-origin")};
    if (one->any_origin) headers[n++] = (struct http_header){SPAN("Access-Control-Allow-Origin"), SPAN("*")};
    if (gzip) headers[n++] = (struct http_header){SPAN("Content-Encoding"), SPAN("gzip")};
    struct http_reply reply = {.status = 200,
                               .content_type = one->type,
                               .headers = headers,
                               .header_count = n,
                               .body = gzip ? buf_span(&one->gzip) : buf_span(&one->plain)};
    if (span_find_span(http_header(r, "If-None-Match"), span_of(one->etag)) >= 0)
        reply.status = 304, reply.body = (struct span){NULL, 0}, reply.content_type = NULL;
    http_reply(r, &reply);
}

void assets_handle(const struct assets *a, struct http_request *r)
{
    if (r->method != HTTP_M_GET && r->method != HTTP_M_HEAD) {
        http_reply(r, &(struct http_reply){.status = 405});
        return;
    }
    const struct asset *one = asset_find(a, r->path);
    bool file_like = span_starts(r->path, SPAN("/sdk/")) || span_starts(r->path, SPAN("/assets/"));
    if (one == NULL && !file_like) one = a->index;
    if (one) {
        asset_reply(one, r);
        return;
    }
    struct http_reply reply = {
        .status = 404,
        .content_type = "text/plain; charset=utf-8",
        .body = file_like ? SPAN("There is no such file.\n")
                          : SPAN("The dashboard is not in the share directory; make build puts it there.\n")};
    http_reply(r, &reply);
}
