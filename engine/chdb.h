/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of libchdb's C interface that the engine uses. The npm package brings the library
 * without a header, so these declarations are ours; they follow release 26.7.3.
 *
 * One connection runs one statement at a time and a stream stays on its connection until it ends.
 * All functions are called from ordinary threads; they block. Text that a result or a stream hands
 * out belongs to it and lives as long as it does. */
#ifndef ENGINE_CHDB_H
#define ENGINE_CHDB_H

#include <stddef.h>
#include <stdint.h>

struct chdb_handle;
struct chdb_result;
struct chdb_insert;

/* Filled by chdb_classify_query_n; struct_size says how much of it the caller has. */
struct chdb_analysis {
    uint32_t struct_size;
    uint32_t statement_count; /* 0 when the text does not parse */
    uint32_t flags;
    uint32_t query_class; /* one of CHDB_CLASS_… */
};

enum {
    CHDB_CLASS_READ_ONLY = 0,
    CHDB_CLASS_CONTROL =
        3, /* SET, USE, temporary tables, KILL, SYSTEM: may change the connection */
};

const char *chdb_version(void);
void chdb_set_signal_handlers_enabled(int enabled);

/* NULL when it fails. The first connection of a process boots ClickHouse, closing the last stops
 * it. */
struct chdb_handle **chdb_connect(int argc, char **argv);
void chdb_close_conn(struct chdb_handle **conn);

/* 0 is success. Parses only, runs nothing. */
int chdb_classify_query_n(struct chdb_handle *conn, const char *sql, size_t sql_len,
                          const char *database, size_t database_len, struct chdb_analysis *out);

struct chdb_result *chdb_query_with_params_n(struct chdb_handle *conn, const char *sql,
                                             size_t sql_len, const char *format, size_t format_len,
                                             const char *const *names, const size_t *name_lens,
                                             const char *const *values, const size_t *value_lens,
                                             size_t count);

/* Streaming read: every fetched chunk is a result of its own, **a whole document of the format**
 * with its own header and footer. An empty chunk or an error ends the stream. */
struct chdb_result *chdb_stream_query_with_params_n(struct chdb_handle *conn, const char *sql,
                                                    size_t sql_len, const char *format,
                                                    size_t format_len, const char *const *names,
                                                    const size_t *name_lens,
                                                    const char *const *values,
                                                    const size_t *value_lens, size_t count);
struct chdb_result *chdb_stream_fetch_result(struct chdb_handle *conn, struct chdb_result *stream);
void chdb_stream_cancel_query(struct chdb_handle *conn, struct chdb_result *stream);

const char *chdb_result_error(struct chdb_result *result); /* NULL when there is none */
char *chdb_result_buffer(struct chdb_result *result);      /* not terminated; may be NULL */
size_t chdb_result_length(struct chdb_result *result);
uint64_t chdb_result_rows_read(struct chdb_result *result); /* rows of the result */
uint64_t chdb_result_storage_rows_read(struct chdb_result *result);
uint64_t chdb_result_storage_bytes_read(struct chdb_result *result);
uint64_t chdb_result_rows_written(struct chdb_result *result);
uint64_t chdb_result_bytes_written(struct chdb_result *result);
void chdb_destroy_query_result(struct chdb_result *result);

/* Streaming insert; its statement has no FORMAT clause. Append answers 0 on success, may block. */
struct chdb_insert *chdb_stream_insert_with_params_n(struct chdb_handle *conn, const char *sql,
                                                     size_t sql_len, const char *format,
                                                     size_t format_len, const char *const *names,
                                                     const size_t *name_lens,
                                                     const char *const *values,
                                                     const size_t *value_lens, size_t count);
int chdb_stream_append(struct chdb_insert *stream, const void *data, size_t len);
struct chdb_result *chdb_stream_done(struct chdb_insert *stream);
const char *chdb_stream_insert_error(struct chdb_insert *stream);
void chdb_stream_cancel_insert(struct chdb_insert *stream);
void chdb_destroy_insert_stream(struct chdb_insert *stream);

#endif
