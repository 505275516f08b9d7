/* SPDX-License-Identifier: Apache-2.0
 * The files of exporter.h: paths, the small JSON file of a day, writing with gzip, removing. Between exporter.c and
 * export_files.c. */
#ifndef FF_API_EXPORT_FILES_H
#define FF_API_EXPORT_FILES_H

#include "api/exporter.h"
#include "query/export.h"

enum { EXPORT_PATH_MAX = 1024, EXPORT_MANIFEST_MAX = 4096 };

/* <root>/<environment>/<day><ending> */
bool export_path(char out[EXPORT_PATH_MAX], const char *root, const char *environment_id, int64_t day,
                 const char *ending);
/* Makes a directory that may be there; false: it cannot be (logged). */
bool export_directory(const char *path);
void export_day_name(char out[11], int64_t day);

struct export_manifest {
    int64_t rows, made_ms, csv_bytes, parquet_bytes; /* parquet_bytes 0: there is none */
    uint64_t fingerprint;
};
bool export_manifest_read(const char *root, const char *environment_id, int64_t day, struct export_manifest *out);
bool export_manifest_write(const char *root, const char *environment_id, int64_t day, const struct export_manifest *m);
/* The day's three files. */
void export_remove(const char *root, const char *environment_id, int64_t day);
/* Days that have a manifest, ascending; malloc'd. */
size_t export_days_there(const char *root, const char *environment_id, int64_t **out);
/* Half files that a crash left. */
void export_clean(const char *root, const char *environment_id);

/* A file on its way: gzip or plain, then synced and renamed to its place. */
struct export_writer;
struct export_writer *export_writer_new(const char *path, bool gzip); /* NULL: logged */
bool export_writer_add(void *writer, struct span piece);              /* of struct export_sink */
/* true: it is in its place; bytes: of the file. Frees the writer, and on failure the half file. */
bool export_writer_end(struct export_writer *w, bool whole, int64_t *bytes);

#endif
