/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "request.h"
#include "statement.h"

struct call {
    struct http_conn *conn;
    struct pool *pool;
    struct request req;
    struct statement st;
    struct buf text; /* the statement, with what came of inline data */
    struct span default_format;
    const struct format *format; /* of the result */
    struct span format_name;
    struct lease lease;
    bool reusable; /* whether the connection's session is still what it was */
};

/* What a statement did, for X-ClickHouse-Summary. */
struct summary {
    uint64_t read_rows;
    uint64_t read_bytes;
    uint64_t written_rows;
    uint64_t written_bytes;
    uint64_t result_rows;
};

/* ---- answers ---- */

static void answer_error(struct http_conn *conn, struct span text)
{
    struct buf body;
    buf_init(&body, CALL_ERROR_BYTES_MAX + 256);
    bool coded = memmem(text.ptr, text.len, "Code: ", 6) != NULL;
    int code = error_code(text);
    if (!coded) {
        buf_add_text(&body, "Code: 1001. DB::Exception: ");
    }
    buf_add(&body, text.ptr, text.len < CALL_ERROR_BYTES_MAX ? text.len : CALL_ERROR_BYTES_MAX);
    buf_add_text(&body, coded ? "\n" : ". (STD_EXCEPTION)\n");
    int status = error_status(code);
    char headers[128];
    snprintf(headers, sizeof headers, "X-ClickHouse-Exception-Code: %d\r\n%s", code,
             status == 503 ? "Retry-After: 1\r\n" : "");
    struct http_answer a = {.status = status,
                            .type = "text/plain; charset=UTF-8",
                            .headers = headers,
                            .body = buf_span(&body)};
    http_answer(conn, &a);
    buf_fini(&body);
}

void call_refuse(struct http_conn *conn, const char *text)
{
    answer_error(conn, span_of(text));
}

static void answer_ok(struct http_conn *conn, const char *text)
{
    struct http_answer a = {
        .status = 200, .type = "text/html; charset=UTF-8", .headers = "", .body = span_of(text)};
    http_answer(conn, &a);
}

static void add_up(struct summary *sum, struct chdb_result *r)
{
    sum->read_rows += chdb_result_storage_rows_read(r);
    sum->read_bytes += chdb_result_storage_bytes_read(r);
    sum->written_rows += chdb_result_rows_written(r);
    sum->written_bytes += chdb_result_bytes_written(r);
    sum->result_rows += chdb_result_rows_read(r);
}

static bool is_query_id(struct span id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (id.ptr[i] <= ' ' || id.ptr[i] > '~') {
            return false;
        }
    }
    return id.len > 0 && id.len <= 128;
}

static void result_headers(const struct call *k, const struct summary *sum, char *out, size_t size)
{
    char id[192] = "";
    if (is_query_id(k->req.query_id)) {
        snprintf(id, sizeof id, "X-ClickHouse-Query-Id: %.*s\r\n", (int)k->req.query_id.len,
                 k->req.query_id.ptr);
    }
    snprintf(out, size,
             "%sX-ClickHouse-Format: %.*s\r\n"
             "X-ClickHouse-Timezone: UTC\r\n"
             "X-ClickHouse-Summary: {\"read_rows\":\"%" PRIu64 "\",\"read_bytes\":\"%" PRIu64
             "\",\"written_rows\":\"%" PRIu64 "\",\"written_bytes\":\"%" PRIu64
             "\",\"result_rows\":\"%" PRIu64 "\"}\r\n",
             id, (int)k->format_name.len, k->format_name.ptr, sum->read_rows, sum->read_bytes,
             sum->written_rows, sum->written_bytes, sum->result_rows);
}

static void answer_result(struct call *k, const struct summary *sum, struct span body)
{
    char headers[1024];
    result_headers(k, sum, headers, sizeof headers);
    struct http_answer a = {
        .status = 200, .type = k->format->type, .headers = headers, .body = body};
    http_answer(k->conn, &a);
}

/* Answers with the error of a result, or of no result at all; false when there is none. A statement
 * that failed may stay in its connection, with all it holds, until the connection is closed. */
static bool answer_if_error(struct call *k, struct chdb_result *r)
{
    const char *text = r == NULL ? "the library gave no result" : chdb_result_error(r);
    if (text != NULL) {
        k->reusable = false;
        answer_error(k->conn, span_of(text));
    }
    return text != NULL;
}

/* ---- the statement ---- */

/* Adds the body to the text: all of it, or what came so far when that is enough to know that it is
 * an INSERT whose data follows. The text is looked at again only when it has doubled, so that this
 * stays linear. A piece may end inside a word: data has begun only when a byte of it is there. */
static enum http_read read_text(struct call *k, bool *too_large)
{
    size_t look_at = 1;
    for (;;) {
        struct span piece;
        enum http_read got = http_read_body(k->conn, &piece);
        if (got != HTTP_READ_OK || piece.len == 0) {
            return got;
        }
        buf_add(&k->text, piece.ptr, piece.len);
        *too_large = k->text.full;
        if (*too_large) {
            return HTTP_READ_OK;
        }
        if (k->text.len >= look_at) {
            statement_read(buf_span(&k->text), &k->st);
            if (k->st.kind == STATEMENT_INSERT && k->st.data_at < k->text.len) {
                return HTTP_READ_OK;
            }
            look_at = 2 * k->text.len;
        }
    }
}

/* ClickHouse reads `query`, a line break and the body as one text. */
static enum http_read gather(struct call *k, bool *too_large)
{
    if (k->req.has_query) {
        buf_add(&k->text, k->req.query.ptr, k->req.query.len);
        statement_read(buf_span(&k->text), &k->st);
        if (k->st.kind == STATEMENT_INSERT) {
            if (k->st.data_at < k->text.len) {
                buf_add_text(&k->text, "\n");
                statement_read(buf_span(&k->text), &k->st);
            }
            return HTTP_READ_OK;
        }
        buf_add_text(&k->text, "\n");
    }
    enum http_read got = read_text(k, too_large);
    *too_large = *too_large || k->text.full;
    statement_read(buf_span(&k->text), &k->st);
    return got;
}

/* What can be said against the call before anything is run; NULL when it is fine. */
static const char *objection(const struct call *k)
{
    struct span encoding = http_header(k->conn, "Content-Encoding");
    if (encoding.len > 0 && !span_is(encoding, "identity")) {
        return "Code: 48. DB::Exception: Compressed requests are not supported here. "
               "(NOT_IMPLEMENTED)";
    }
    if (k->st.kind == STATEMENT_EMPTY) {
        return "Code: 62. DB::Exception: Syntax error: Empty query. (SYNTAX_ERROR)";
    }
    if (k->st.names_file) {
        return "Code: 48. DB::Exception: INTO OUTFILE and FROM INFILE are not allowed here. "
               "(NOT_IMPLEMENTED)";
    }
    if (!format_is_name(k->default_format) ||
        (k->st.kind == STATEMENT_INSERT && !format_is_name(k->st.format))) {
        return "Code: 73. DB::Exception: Unknown format: not a name. (UNKNOWN_FORMAT)";
    }
    return NULL;
}

/* ---- running ---- */

/* The library runs several statements in one text, which a ClickHouse server does not; and
 * statements like SET or USE change the connection. Text that does not parse is left to fail when
 * it runs. */
static const char *inspect(struct call *k)
{
    struct chdb_analysis a = {.struct_size = sizeof a};
    if (chdb_classify_query_n(k->lease.handle, k->text.data, k->text.len, NULL, 0, &a) != 0) {
        k->reusable = false;
        return NULL;
    }
    if (a.statement_count > 1) {
        return "Code: 62. DB::Exception: Syntax error (Multi-statements are not allowed). "
               "(SYNTAX_ERROR)";
    }
    k->reusable = a.query_class < CHDB_CLASS_CONTROL;
    return NULL;
}

static void run_whole(struct call *k)
{
    const char *wrong = inspect(k);
    if (wrong != NULL) {
        call_refuse(k->conn, wrong);
        return;
    }
    const struct request *q = &k->req;
    struct chdb_result *r = chdb_query_with_params_n(
        k->lease.handle, k->text.data, k->text.len, k->default_format.ptr, k->default_format.len,
        q->names, q->name_lens, q->values, q->value_lens, q->params_count);
    if (!answer_if_error(k, r)) {
        struct summary sum = {0};
        add_up(&sum, r);
        struct span body = {.ptr = chdb_result_buffer(r), .len = chdb_result_length(r)};
        answer_result(k, &sum, body.ptr == NULL ? span_of("") : body);
    }
    chdb_destroy_query_result(r);
}

/* What a streamed result has come to. */
struct flow {
    struct summary sum;
    struct buf held; /* until it is more than CALL_HOLD_BYTES */
    bool begun;      /* the status line is out */
    bool first;
    bool ok; /* the client still takes it */
};

static void flow_error(struct call *k, struct flow *f, const char *text)
{
    if (f->begun) {
        http_stream_break(k->conn, span_of(text));
    } else {
        answer_error(k->conn, span_of(text));
    }
}

static void flow_add(struct call *k, struct flow *f, struct span chunk)
{
    if (!f->first) {
        chunk = format_cut_header(k->format, chunk);
    }
    f->first = false;
    if (f->begun) {
        f->ok = http_stream_add(k->conn, chunk);
        return;
    }
    if (f->held.len + chunk.len <= CALL_HOLD_BYTES) {
        buf_add(&f->held, chunk.ptr, chunk.len);
        f->ok = !f->held.full;
        return;
    }
    char headers[1024];
    result_headers(k, &f->sum, headers, sizeof headers);
    struct http_answer a = {
        .status = 200, .type = k->format->type, .headers = headers, .body = buf_span(&f->held)};
    f->begun = true;
    f->ok = http_stream_begin(k->conn, &a) && http_stream_add(k->conn, chunk);
    buf_fini(&f->held);
}

/* Chunk by chunk until the end, an error, or a client that has gone. */
static void flow_run(struct call *k, struct flow *f, struct chdb_result *stream)
{
    for (;;) {
        struct chdb_result *r = chdb_stream_fetch_result(k->lease.handle, stream);
        const char *text = r == NULL ? "the library gave no result" : chdb_result_error(r);
        size_t len = r == NULL ? 0 : chdb_result_length(r);
        if (text != NULL) {
            flow_error(k, f, text);
        } else if (len > 0) {
            add_up(&f->sum, r);
            flow_add(k, f, (struct span){.ptr = chdb_result_buffer(r), .len = len});
        }
        chdb_destroy_query_result(r);
        if (text != NULL || !f->ok) {
            chdb_stream_cancel_query(k->lease.handle, stream);
            k->conn->keep_alive = k->conn->keep_alive && f->ok;
            k->reusable = false;
            return;
        }
        if (len == 0) {
            break;
        }
    }
    if (f->begun) {
        http_stream_end(k->conn);
    } else {
        answer_result(k, &f->sum, buf_span(&f->held));
    }
}

static void run_streamed(struct call *k)
{
    const struct request *q = &k->req;
    struct chdb_result *stream = chdb_stream_query_with_params_n(
        k->lease.handle, k->text.data, k->text.len, k->default_format.ptr, k->default_format.len,
        q->names, q->name_lens, q->values, q->value_lens, q->params_count);
    const char *text = stream == NULL ? NULL : chdb_result_error(stream);
    if (text != NULL && strstr(text, "Streaming query is not supported") != NULL) {
        run_whole(k); /* as WITH … INSERT, which begins like a query */
    } else if (!answer_if_error(k, stream)) {
        struct flow f = {.first = true, .ok = true};
        buf_init(&f.held, CALL_HOLD_BYTES);
        flow_run(k, &f, stream);
        buf_fini(&f.held);
    }
    chdb_destroy_query_result(stream);
}

/* Hands inline data and the body to the insert. False when the body did not come whole; an insert
 * that failed meanwhile says so when it is asked for its result. */
static bool insert_feed(struct call *k, struct chdb_insert *insert)
{
    struct span piece = {.ptr = k->text.data + k->st.data_at, .len = k->text.len - k->st.data_at};
    bool sending = true;
    bool more = true;
    while (more && sending) {
        if (piece.len > 0) {
            sending = chdb_stream_append(insert, piece.ptr, piece.len) == 0;
        }
        if (sending) {
            if (http_read_body(k->conn, &piece) != HTTP_READ_OK) {
                return false;
            }
            more = piece.len > 0;
        }
    }
    return true;
}

static void run_insert(struct call *k)
{
    const struct request *q = &k->req;
    struct chdb_insert *insert = chdb_stream_insert_with_params_n(
        k->lease.handle, k->st.head.ptr, k->st.head.len, k->st.format.ptr, k->st.format.len,
        q->names, q->name_lens, q->values, q->value_lens, q->params_count);
    const char *text =
        insert == NULL ? "the library gave no insert stream" : chdb_stream_insert_error(insert);
    if (text != NULL) {
        k->reusable = false;
        answer_error(k->conn, span_of(text));
    } else if (!insert_feed(k, insert)) {
        chdb_stream_cancel_insert(insert);
        k->reusable = false;
        call_refuse(k->conn,
                    "Code: 33. DB::Exception: The body is cut short. (CANNOT_READ_ALL_DATA)");
    } else {
        struct chdb_result *r = chdb_stream_done(insert);
        if (!answer_if_error(k, r)) {
            struct summary sum = {0};
            add_up(&sum, r);
            answer_result(k, &sum, span_of(""));
        }
        chdb_destroy_query_result(r);
    }
    chdb_destroy_insert_stream(insert);
}

static void run(struct call *k)
{
    k->format_name =
        k->st.kind != STATEMENT_INSERT && k->st.format.len > 0 ? k->st.format : k->default_format;
    if (!format_is_name(k->format_name)) {
        k->format_name = span_of("TabSeparated"); /* misread; the statement says what it is */
    }
    k->format = format_find(k->format_name);
    bool streams = k->st.kind == STATEMENT_QUERY && k->format->join != JOIN_NOT &&
                   !k->st.whole_result && !k->req.extremes && !k->req.wait_for_end;
    if (k->st.kind == STATEMENT_INSERT) {
        run_insert(k);
    } else if (streams) {
        run_streamed(k);
    } else {
        run_whole(k);
    }
}

static void take_and_run(struct call *k)
{
    struct buf error;
    buf_init(&error, CALL_ERROR_BYTES_MAX);
    struct session want = {.database = k->req.database, .settings = buf_span(&k->req.settings)};
    if (want.database.len == 0) {
        want.database = http_header(k->conn, "X-ClickHouse-Database");
    }
    switch (pool_take(k->pool, &want, k->conn->fd, &k->lease, &error)) {
    case POOL_OK:
        k->reusable = true;
        run(k);
        pool_give(k->pool, &k->lease, k->reusable);
        break;
    case POOL_FULL:
        call_refuse(k->conn, "Code: 202. DB::Exception: Too many simultaneous queries. "
                             "(TOO_MANY_SIMULTANEOUS_QUERIES)");
        break;
    case POOL_REFUSED:
        answer_error(k->conn, buf_span(&error));
        break;
    case POOL_BROKEN:
        call_refuse(k->conn,
                    "Code: 203. DB::Exception: No connection to the data. (NO_FREE_CONNECTION)");
        break;
    }
    buf_fini(&error);
}

static void serve_statement(struct call *k)
{
    bool too_large = false;
    if (gather(k, &too_large) != HTTP_READ_OK) {
        k->conn->keep_alive = false;
        call_refuse(k->conn,
                    "Code: 33. DB::Exception: The body is cut short. (CANNOT_READ_ALL_DATA)");
        return;
    }
    k->default_format =
        k->req.format.len > 0 ? k->req.format : http_header(k->conn, "X-ClickHouse-Format");
    if (k->default_format.len == 0) {
        k->default_format = span_of("TabSeparated");
    }
    const char *wrong = too_large ? "Code: 229. DB::Exception: The statement is too large. "
                                    "(QUERY_IS_TOO_LARGE)"
                                  : objection(k);
    if (wrong != NULL) {
        call_refuse(k->conn, wrong);
        return;
    }
    take_and_run(k);
}

static void serve_path(struct call *k)
{
    enum http_method method = (enum http_method)k->conn->parser.method;
    if (method != HTTP_GET && method != HTTP_POST && method != HTTP_HEAD) {
        struct http_answer a = {.status = 405,
                                .type = "text/plain; charset=UTF-8",
                                .headers = "Allow: GET, POST, HEAD\r\n",
                                .body = span_of("Only GET, POST and HEAD.\n")};
        http_answer(k->conn, &a);
    } else if (span_is(k->req.path, "/ping") || span_is(k->req.path, "/replicas_status")) {
        answer_ok(k->conn, "Ok.\n");
    } else if (!span_is(k->req.path, "/")) {
        struct http_answer a = {.status = 404,
                                .type = "text/plain; charset=UTF-8",
                                .headers = "",
                                .body = span_of("There is no handle for this path.\n")};
        http_answer(k->conn, &a);
    } else if (method != HTTP_POST && !k->req.has_query) {
        answer_ok(k->conn, "Ok.\n");
    } else {
        if (method != HTTP_POST && !k->req.readonly) {
            /* What a link can trigger must change nothing. 2 leaves other settings possible. */
            request_set(&k->req, "readonly", span_of("2"));
        }
        serve_statement(k);
    }
}

void call_serve(struct http_conn *conn, struct pool *pool)
{
    struct call *k = calloc(1, sizeof *k);
    if (k == NULL) {
        conn->keep_alive = false;
        return;
    }
    k->conn = conn;
    k->pool = pool;
    request_init(&k->req);
    buf_init(&k->text, CALL_STATEMENT_BYTES_MAX);
    const char *wrong = request_read(&k->req, conn->url.data, conn->url.len);
    if (wrong != NULL) {
        call_refuse(conn, wrong);
    } else {
        serve_path(k);
    }
    request_fini(&k->req);
    buf_fini(&k->text);
    free(k);
}
