/* SPDX-License-Identifier: Apache-2.0
 * Makes the daily export files, and the signed addresses under which they are fetched.
 *
 *   <data>/exports/key                             32 random bytes that sign addresses
 *   <data>/exports/<environment>/<day>.v14.csv.gz  one UTC day of view ends
 *   <data>/exports/<environment>/<day>.parquet     where the store can make it
 *   <data>/exports/<environment>/<day>.json        rows, fingerprint, time: written last, so that a day without it is
 * not there
 *
 * One thread. A day is exported when it has been over for as long as a view may stay open, and again whenever what it
 * holds has changed (late views, a backfill, re-categorised errors) and then stood still for a moment. Files are
 * written beside their place and renamed, so that nobody fetches half of one; after a restart what is missing is made.
 * Days older than EXPORTER_DAYS are not exported, and their files are removed. */
#ifndef FF_API_EXPORTER_H
#define FF_API_EXPORTER_H

#include "accounts/accounts.h"
#include "base/buf.h"
#include "store/store.h"

enum { EXPORTER_DAYS = 100, EXPORTER_NAME_MAX = 63, EXPORTER_URL_MAX = 1024, EXPORTER_URL_SECONDS = 7 * 86400 };

struct exporter_options {
    struct accounts *accounts;
    struct store *store;
    const char *data_dir;
    int64_t closed_after_ms; /* after its end until a day is exported; 0: 2 hours */
    int look_ms;             /* between looks; 0: 5,000 */
};
struct exporter;
/* NULL: the directory or the key cannot be made (logged). data_dir is copied. */
struct exporter *exporter_new(const struct exporter_options *options);
void exporter_free(struct exporter *x);

/* One file of a day that is ready. */
struct export_file {
    char day[11]; /* "2026-11-23" */
    char name[EXPORTER_NAME_MAX + 1];
    const char *type; /* "csv" or "parquet" */
    int64_t bytes, rows, made_ms;
};
/* Newest day first, CSV before Parquet. A malloc'd array. */
size_t exporter_list(struct exporter *x, const char *environment_id, struct export_file **out);

/* What is being made. */
struct export_progress {
    char environment_id[ACCOUNTS_ID_MAX + 1];
    char day[11];
    int64_t rows_done, rows_total; /* 0 and 0: nothing is being made */
    int64_t days_waiting;
};
void exporter_progress(struct exporter *x, struct export_progress *out);

/* "<public_url>/data/v1/exports/files/<environment>/<name>?expires=...&signature=..." */
void exporter_sign(struct exporter *x, const char *public_url, const char *environment_id, const char *name,
                   int64_t expires_s, char out[EXPORTER_URL_MAX]);
bool exporter_signed(struct exporter *x, struct span environment_id, struct span name, int64_t expires_s,
                     struct span signature) MUST_USE;
/* Opens a file that exporter_list could name, to be read and closed by the caller; -1: see errno, ENOENT: there is
 * none. It may be replaced or removed meanwhile, but what is open never changes; *tag is another for other content. */
int exporter_open(struct exporter *x, struct span environment_id, struct span name, size_t *bytes,
                  uint64_t *tag) MUST_USE;

#endif
