/* SPDX-License-Identifier: Apache-2.0 */
#include "api/export_files.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { GZIP_WINDOW = 15 + 16, CHUNK_BYTES = 64 * 1024, MANIFEST_NODES = 64 };
#define DAY_MS INT64_C(86400000)

void export_day_name(char out[11], int64_t day)
{
    char text[32];
    iso_day(text, day * DAY_MS);
    memcpy(out, text, 10);
    out[10] = 0;
}

bool export_path(char out[EXPORT_PATH_MAX], const char *root, const char *environment_id, int64_t day,
                 const char *ending)
{
    char name[11];
    export_day_name(name, day);
    int len = snprintf(out, EXPORT_PATH_MAX, "%s/%s/%s%s", root, environment_id, name, ending);
    return len > 0 && len < EXPORT_PATH_MAX;
}

bool export_directory(const char *path)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST) return true;
    LOG_ERR("exports_directory", "path=\"%s\" why=\"%s\"", path, strerror(errno));
    return false;
}

/* -- the day's JSON file -- */

static bool file_read(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) return false;
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0) buf_add(out, chunk, n);
    bool ok = !ferror(f) && !out->failed;
    (void)fclose(f);
    return ok;
}

static int64_t member(const struct json_doc *doc, const char *key)
{
    const struct json_node *n = json_get(doc, doc->nodes, key);
    return json_is(n, JSON_INT) ? n->v.i : 0;
}

bool export_manifest_read(const char *root, const char *environment_id, int64_t day, struct export_manifest *out)
{
    char path[EXPORT_PATH_MAX];
    struct buf text;
    struct json_doc doc;
    buf_init(&text, EXPORT_MANIFEST_MAX);
    struct json_parser *parser = json_parser_new();
    bool ok = export_path(path, root, environment_id, day, ".json") && file_read(path, &text) &&
              json_parse(parser, buf_span(&text), MANIFEST_NODES, &doc, NULL) && json_is(doc.nodes, JSON_OBJECT);
    if (ok) {
        *out = (struct export_manifest){.rows = member(&doc, "rows"),
                                        .made_ms = member(&doc, "made_ms"),
                                        .csv_bytes = member(&doc, "csv_bytes"),
                                        .parquet_bytes = member(&doc, "parquet_bytes")};
        struct span print = json_string(json_get(&doc, doc.nodes, "fingerprint"));
        out->fingerprint = print.len ? strtoull(print.ptr, NULL, 16) : 0;
        ok = out->csv_bytes > 0 && member(&doc, "version") == EXPORT_VERSION;
    }
    json_parser_free(parser);
    buf_free(&text);
    return ok;
}

bool export_manifest_write(const char *root, const char *environment_id, int64_t day, const struct export_manifest *m)
{
    char path[EXPORT_PATH_MAX], print[24];
    struct buf text;
    struct jw w;
    int64_t bytes;
    buf_init(&text, EXPORT_MANIFEST_MAX);
    jw_init(&w, &text);
    (void)snprintf(print, sizeof print, "%016llx", (unsigned long long)m->fingerprint);
    jw_object(&w);
    jw_key(&w, "version"), jw_int(&w, EXPORT_VERSION);
    jw_key(&w, "rows"), jw_int(&w, m->rows);
    jw_key(&w, "fingerprint"), jw_text(&w, print);
    jw_key(&w, "made_ms"), jw_int(&w, m->made_ms);
    jw_key(&w, "csv_bytes"), jw_int(&w, m->csv_bytes);
    jw_key(&w, "parquet_bytes"), jw_int(&w, m->parquet_bytes);
    jw_object_end(&w);
    struct export_writer *file =
        export_path(path, root, environment_id, day, ".json") ? export_writer_new(path, false) : NULL;
    bool ok = file && export_writer_add(file, buf_span(&text));
    if (file) ok = export_writer_end(file, ok, &bytes);
    buf_free(&text);
    return ok;
}

void export_remove(const char *root, const char *environment_id, int64_t day)
{
    static const char *const endings[] = {".json", ".v14.csv.gz", ".parquet"}; /* the manifest first */
    char path[EXPORT_PATH_MAX];
    for (size_t i = 0; i < COUNT(endings); i++)
        if (export_path(path, root, environment_id, day, endings[i])) (void)unlink(path);
}

static int day_compare(const void *x, const void *y)
{
    const int64_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

size_t export_days_there(const char *root, const char *environment_id, int64_t **out)
{
    char path[EXPORT_PATH_MAX];
    size_t n = 0, room = 0;
    *out = NULL;
    if (snprintf(path, sizeof path, "%s/%s", root, environment_id) >= (int)sizeof path) return 0;
    DIR *d = opendir(path);
    if (d == NULL) return 0;
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        struct span name = span_of(entry->d_name);
        int64_t ms;
        if (name.len != 15 || !span_ends(name, SPAN(".json")) || !iso_parse(span_upto(name, 10), &ms)) continue;
        if (n == room) {
            room = room ? room * 2 : 128;
            *out = realloc(*out, room * sizeof **out);
            BUG_IF(*out == NULL);
        }
        (*out)[n++] = ms / DAY_MS;
    }
    (void)closedir(d);
    if (n) qsort(*out, n, sizeof **out, day_compare);
    return n;
}

void export_clean(const char *root, const char *environment_id)
{
    char path[EXPORT_PATH_MAX], file[EXPORT_PATH_MAX + 300];
    if (snprintf(path, sizeof path, "%s/%s", root, environment_id) >= (int)sizeof path) return;
    DIR *d = opendir(path);
    if (d == NULL) return;
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        if (!span_ends(span_of(entry->d_name), SPAN(".part"))) continue;
        if (snprintf(file, sizeof file, "%s/%s", path, entry->d_name) < (int)sizeof file) (void)unlink(file);
    }
    (void)closedir(d);
}

/* -- writing -- */

struct export_writer {
    FILE *file;
    char path[EXPORT_PATH_MAX], part[EXPORT_PATH_MAX + 8];
    bool gzip, failed;
    z_stream z;
    unsigned char chunk[CHUNK_BYTES];
};

struct export_writer *export_writer_new(const char *path, bool gzip)
{
    struct export_writer *w = calloc(1, sizeof *w);
    BUG_IF(w == NULL);
    w->gzip = gzip;
    (void)snprintf(w->path, sizeof w->path, "%s", path);
    (void)snprintf(w->part, sizeof w->part, "%s.part", path);
    int fd = open(w->part, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    w->file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (w->file && gzip) BUG_IF(deflateInit2(&w->z, 6, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK);
    if (w->file) return w;
    LOG_ERR("export_write", "path=\"%s\" why=\"%s\"", w->part, strerror(errno));
    if (fd >= 0) (void)close(fd);
    free(w);
    return NULL;
}

static bool write_all(struct export_writer *w, const void *bytes, size_t len)
{
    if (len && fwrite(bytes, 1, len, w->file) != len) {
        if (!w->failed) LOG_ERR("export_write", "path=\"%s\" why=\"%s\"", w->part, strerror(errno));
        w->failed = true;
    }
    return !w->failed;
}

static bool deflate_all(struct export_writer *w, struct span piece, int flush)
{
    w->z.next_in = (Bytef *)(uintptr_t)piece.ptr;
    w->z.avail_in = (uInt)piece.len;
    int code;
    do {
        w->z.next_out = w->chunk;
        w->z.avail_out = sizeof w->chunk;
        code = deflate(&w->z, flush);
        BUG_IF(code == Z_STREAM_ERROR);
        if (!write_all(w, w->chunk, sizeof w->chunk - w->z.avail_out)) return false;
    } while (w->z.avail_out == 0 || (flush == Z_FINISH && code != Z_STREAM_END));
    return true;
}

bool export_writer_add(void *writer, struct span piece)
{
    struct export_writer *w = writer;
    if (w->failed) return false;
    if (!w->gzip) return write_all(w, piece.ptr, piece.len);
    while (piece.len) { /* zlib counts in unsigned int */
        struct span some = span_upto(piece, 1u << 30);
        if (!deflate_all(w, some, Z_NO_FLUSH)) return false;
        piece = span_from(piece, some.len);
    }
    return true;
}

bool export_writer_end(struct export_writer *w, bool whole, int64_t *bytes)
{
    bool ok = whole && !w->failed;
    if (w->gzip) {
        if (ok) ok = deflate_all(w, (struct span){NULL, 0}, Z_FINISH);
        (void)deflateEnd(&w->z);
    }
    long at = ok ? ftell(w->file) : -1;
    *bytes = at;
    ok = ok && at >= 0 && fflush(w->file) == 0 && fsync(fileno(w->file)) == 0;
    ok = fclose(w->file) == 0 && ok;
    if (ok && rename(w->part, w->path) != 0) ok = false;
    if (!ok && whole) LOG_ERR("export_write", "path=\"%s\" why=\"%s\"", w->part, strerror(errno));
    if (!ok) (void)unlink(w->part);
    free(w);
    return ok;
}
