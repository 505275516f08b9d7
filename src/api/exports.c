/* SPDX-License-Identifier: Apache-2.0
 * GET /data/v1/exports/views, its deprecated form, and the files themselves, whose signed address is all the
 * credential. */
#include "api/ask.h"
#include "api/exporter.h"
#include "api/internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A file holds the whole environment. */
static struct exporter *exporter_for(struct api_call *c)
{
    struct exporter *x = api_exporter(c->api);
    if (c->principal.filter[0]) {
        api_fail(c, 403, "Exports hold the whole environment; a token with a filter cannot have them.");
        return NULL;
    }
    if (x == NULL) api_fail(c, 503, "Exports are off: their directory cannot be written; the log says why.");
    return x;
}

static void print_progress(struct api_call *c, struct exporter *x)
{
    struct export_progress p;
    exporter_progress(x, &p);
    jw_key(&c->json, "meta"), jw_object(&c->json);
    jw_key(&c->json, "making");
    if (p.rows_total && strcmp(p.environment_id, c->environment_id) == 0) {
        jw_object(&c->json);
        jw_key(&c->json, "export_date"), jw_text(&c->json, p.day);
        jw_key(&c->json, "rows_done"), jw_int(&c->json, p.rows_done);
        jw_key(&c->json, "rows_total"), jw_int(&c->json, p.rows_total);
        jw_key(&c->json, "days_waiting"), jw_int(&c->json, p.days_waiting);
        jw_object_end(&c->json);
    } else {
        jw_null(&c->json);
    }
    jw_object_end(&c->json);
}

static void print_file(struct api_call *c, struct exporter *x, const struct export_file *f)
{
    char url[EXPORTER_URL_MAX];
    exporter_sign(x, c->public_url, c->environment_id, f->name, c->now_ms / 1000 + EXPORTER_URL_SECONDS, url);
    jw_object(&c->json);
    jw_key(&c->json, "version"), jw_int(&c->json, 14);
    jw_key(&c->json, "type"), jw_text(&c->json, f->type);
    jw_key(&c->json, "path"), jw_text(&c->json, url);
    jw_key(&c->json, "bytes"), jw_int(&c->json, f->bytes);
    jw_key(&c->json, "rows"), jw_int(&c->json, f->rows);
    jw_object_end(&c->json);
}

void api_exports_views(struct api_call *c)
{
    struct exporter *x = exporter_for(c);
    struct export_file *files;
    int64_t days = 0;
    if (x == NULL) return;
    size_t n = exporter_list(x, c->environment_id, &files);
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = 0; i < n; days++) {
        const char *day = files[i].day;
        jw_object(&c->json);
        jw_key(&c->json, "export_date"), jw_text(&c->json, day);
        jw_key(&c->json, "files"), jw_array(&c->json);
        for (; i < n && strcmp(files[i].day, day) == 0; i++) print_file(c, x, &files[i]);
        jw_array_end(&c->json);
        jw_object_end(&c->json);
    }
    jw_array_end(&c->json);
    print_progress(c, x);
    api_timeframe_now(c);
    api_total(c, days);
    jw_object_end(&c->json);
    free(files);
}

void api_exports_list(struct api_call *c)
{
    struct exporter *x = exporter_for(c);
    struct export_file *files;
    int64_t listed = 0, now_s = c->now_ms / 1000;
    if (x == NULL) return;
    size_t n = exporter_list(x, c->environment_id, &files);
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = 0; i < n; i++) {
        char url[EXPORTER_URL_MAX];
        if (strcmp(files[i].type, "csv") != 0) continue;
        exporter_sign(x, c->public_url, c->environment_id, files[i].name, now_s + EXPORTER_URL_SECONDS, url);
        jw_text(&c->json, url);
        listed++;
    }
    jw_array_end(&c->json);
    api_timeframe_now(c);
    api_total(c, listed);
    jw_object_end(&c->json);
    free(files);
}

void api_export_file(struct api_call *c)
{
    struct exporter *x = api_exporter(c->api);
    int64_t expires_s;
    bool read = span_to_i64(api_param(c, "expires"), &expires_s);
    if (!read || x == NULL ||
        !exporter_signed(x, c->arguments[0], c->arguments[1], expires_s, api_param(c, "signature"))) {
        api_fail(c, 403, "This address is not one that the server signed.");
        return;
    }
    if (expires_s <= c->now_ms / 1000) {
        api_fail(c, 403, "This address has expired; list the exports again.");
        return;
    }
    c->file = exporter_open(x, c->arguments[0], c->arguments[1], &c->file_bytes, &c->file_tag);
    if (c->file < 0) {
        bool gone = errno == ENOENT;
        if (!gone) LOG_WRN("export_open_failed", "errno=%d", errno);
        if (gone) api_fail(c, 404, "This export is not there any more.");
        else api_fail(c, 503, "This export cannot be read at the moment. Try again shortly.");
        return;
    }
    struct span name = c->arguments[1]; /* plain and short, or there were no such file */
    char disposition[EXPORTER_NAME_MAX + sizeof "attachment; filename=\"\""];
    (void)snprintf(disposition, sizeof disposition, "attachment; filename=\"%.*s\"", SPAN_ARG(name));
    api_header(c, "Content-Disposition", disposition);
    bool parquet = span_ends(name, SPAN(".parquet"));
    c->content_type = parquet ? "application/vnd.apache.parquet" : "application/gzip";
}
