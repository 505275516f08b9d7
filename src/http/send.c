/* SPDX-License-Identifier: Apache-2.0
 * Writing a reply: at once where the socket takes it, which is nearly always, else through libuv's queue. At most one
 * write of a connection is under way. */
#include "http/internal.h"

#include "base/log.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of a reply, turned into TLS records at a time. OpenSSL's buffer keeps the size it once had, so not too much. */
enum { SEND_PLAIN_STEP_BYTES = 32 * 1024, SEND_CIPHER_KEPT_BYTES = 8 * 1024 };
/* Of a file, read at a time. A client that takes them as they come gets some of these before others have their turn,
 * as libuv does not wait for other sockets while writes end. */
enum { SEND_FILE_STEP_BYTES = 32 * 1024 };

static size_t reply_length(const struct http_exchange *e)
{
    return e->out.len + e->owned_body.len;
}

/* What is still to be sent, as at most two pieces. */
static unsigned reply_rest(const struct http_connection *c, struct span pieces[2])
{
    const struct http_exchange *e = c->exchange;
    unsigned count = 0;
    struct span head = span_from(buf_span(&e->out), c->sent);
    size_t body_sent = c->sent > e->out.len ? c->sent - e->out.len : 0;
    struct span body = span_from(e->owned_body, body_sent);
    if (head.len > 0) pieces[count++] = head;
    if (body.len > 0) pieces[count++] = body;
    return count;
}

/* The client may still be sending, so a plain close would reset the connection before it has read the reply. */
static void send_linger(struct http_connection *c)
{
    uv_os_fd_t fd;
    if (c->ssl != NULL) {
        (void)SSL_shutdown(c->ssl);
        if (!http_send_cipher(c) && c->phase == HTTP_P_CLOSED) return;
    }
    if (c->eof || uv_fileno((uv_handle_t *)&c->tcp, &fd) != 0) {
        http_connection_close(c);
        return;
    }
    if (!c->writing) (void)shutdown(fd, SHUT_WR);
    http_connection_phase(c, HTTP_P_LINGER, HTTP_LINGER_MS);
}

static void send_done(struct http_connection *c)
{
    struct http_exchange *e = c->exchange;
    bool close_after = e->close_after;
    c->loop->requests++;
    http_exchange_release(e);
    if (!c->writing && c->cipher.cap > SEND_CIPHER_KEPT_BYTES) buf_free(&c->cipher);
    if (close_after) {
        bool unread = c->linger || c->pending.len > c->pending_at;
        c->pending_at = c->pending.len;
        if (!unread && c->ssl != NULL) {
            (void)SSL_shutdown(c->ssl);
            (void)http_send_cipher(c);
        }
        if (unread) send_linger(c);
        else http_connection_close(c);
        http_connection_resume(c);
        return;
    }
    http_connection_idle(c);
    http_connection_resume(c);
}

static void send_more(struct http_connection *c);

static void on_written(uv_write_t *write, int status)
{
    struct http_connection *c = (struct http_connection *)write->handle;
    BUG_IF(c->magic != HTTP_CONNECTION_MAGIC);
    c->writing = false;
    if (c->phase == HTTP_P_CLOSED) return;
    if (status < 0) {
        http_connection_close(c);
        return;
    }
    if (c->ssl != NULL) {
        buf_clear(&c->cipher);
        c->cipher_at = 0;
    } else if (c->phase == HTTP_P_WRITING) {
        c->sent = reply_length(c->exchange);
    }
    if (c->phase == HTTP_P_WRITING) {
        http_connection_phase(c, HTTP_P_WRITING, c->loop->server->limits.write_timeout_ms);
        send_more(c);
    } else {
        (void)http_send_cipher(c);
    }
}

/* When all that there was is sent: the next piece of the reply's file. false: there is none, or the connection is
 * closed, as the file could not be read. */
static bool send_refill(struct http_connection *c)
{
    struct http_exchange *e = c->exchange;
    size_t want = e->file_end - e->file_at;
    if (want == 0) return false;
    if (want > SEND_FILE_STEP_BYTES) want = SEND_FILE_STEP_BYTES;
    buf_clear(&e->out);
    char *room = buf_room(&e->out, want);
    BUG_IF(room == NULL);
    ssize_t got = pread(e->file, room, want, (off_t)e->file_at);
    if (got <= 0) {
        LOG_WRN("http_file_failed", "at=%zu of=%zu error=\"%s\"", e->file_at, e->file_end,
                got < 0 ? uv_strerror(uv_translate_sys_error(errno)) : "it is shorter now");
        http_connection_close(c);
        return false;
    }
    buf_claim(&e->out, (size_t)got);
    e->file_at += (size_t)got;
    c->sent = 0;
    return true;
}

/* Hands pieces to the socket. Returns how many bytes it took at once; the rest is queued (c->writing). */
static size_t send_pieces(struct http_connection *c, const struct span pieces[2], unsigned count)
{
    uv_buf_t bufs[2];
    size_t total = 0;
    for (unsigned i = 0; i < count; i++) {
        /* libuv's field is not const; it is only read. */
        bufs[i] = uv_buf_init((char *)(uintptr_t)pieces[i].ptr, 0);
        bufs[i].len = pieces[i].len;
        total += pieces[i].len;
    }
    /* A file goes through the queue, so that others get their turn, however fast this client is. */
    bool queued = c->exchange != NULL && c->exchange->file_end > 0;
    int took = queued ? UV_EAGAIN : uv_try_write((uv_stream_t *)&c->tcp, bufs, count);
    if (took < 0 && took != UV_EAGAIN) {
        http_connection_close(c);
        return 0;
    }
    size_t done = took > 0 ? (size_t)took : 0;
    if (done == total) return total;
    size_t skip = done;
    unsigned first = 0;
    while (skip >= bufs[first].len) skip -= bufs[first++].len;
    bufs[first].base += skip;
    bufs[first].len -= skip;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, bufs + first, count - first, on_written) != 0) {
        http_connection_close(c);
        return done;
    }
    c->writing = true;
    c->queue_bytes = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
    return done;
}

bool http_send_cipher(struct http_connection *c)
{
    if (c->phase == HTTP_P_CLOSED || c->writing) return false;
    if (c->ssl == NULL) return true;
    BIO *records = SSL_get_wbio(c->ssl);
    size_t waiting = BIO_ctrl_pending(records);
    if (waiting == 0) return true;
    BUG_IF(c->cipher.len != 0);
    /* Copied out, because OpenSSL may add to its own buffer while a write is under way. */
    char *room = buf_room(&c->cipher, waiting);
    BUG_IF(room == NULL);
    BUG_IF(BIO_read(records, room, (int)waiting) != (int)waiting);
    buf_claim(&c->cipher, waiting);
    struct span piece[2] = {buf_span(&c->cipher)};
    (void)send_pieces(c, piece, 1);
    if (c->phase == HTTP_P_CLOSED || c->writing) return false;
    buf_clear(&c->cipher);
    return true;
}

static void send_more_tls(struct http_connection *c)
{
    for (;;) {
        if (!http_send_cipher(c)) return;
        struct span pieces[2];
        unsigned count = reply_rest(c, pieces);
        if (count == 0) {
            if (send_refill(c)) continue;
            if (c->phase == HTTP_P_WRITING) send_done(c);
            return;
        }
        size_t room = SEND_PLAIN_STEP_BYTES;
        for (unsigned i = 0; i < count && room > 0; i++) {
            struct span part = span_upto(pieces[i], room);
            if (!http_tls_encrypt(c, part)) {
                http_connection_close(c);
                return;
            }
            c->sent += part.len;
            room -= part.len;
        }
    }
}

static void send_more(struct http_connection *c)
{
    if (c->ssl != NULL) {
        send_more_tls(c);
        return;
    }
    do {
        struct span pieces[2];
        unsigned count = reply_rest(c, pieces);
        if (count > 0 && !c->writing) c->sent += send_pieces(c, pieces, count);
        if (c->phase != HTTP_P_WRITING || c->writing) return;
    } while (send_refill(c));
    if (c->phase == HTTP_P_WRITING) send_done(c);
}

/* A file is a descriptor as a connection is, and counts as one. */
static void send_admit_file(struct http_exchange *e)
{
    struct http_server *s = e->loop->server;
    e->file_counted = true;
    size_t before = atomic_fetch_add_explicit(&s->connections, 1, memory_order_relaxed);
    if (before < s->limits.connections_max) return;
    http_exchange_body_free(e);
    http_reply_build_error(e, 503, "Too many connections are open; try again");
}

void http_send(struct http_connection *c)
{
    struct http_exchange *e = c->exchange;
    BUG_IF(c->phase == HTTP_P_CLOSED);
    if (e->file > 0) send_admit_file(e);
    memcpy(e->out.ptr + e->date_at, http_loop_date(c->loop), sizeof "Thu, 01 Jan 1970 00:00:00 GMT" - 1);
    http_connection_phase(c, HTTP_P_WRITING, c->loop->server->limits.write_timeout_ms);
    send_more(c);
}

void http_send_interim(struct http_connection *c, struct span text)
{
    if (c->ssl != NULL) {
        if (!http_tls_encrypt(c, text)) return;
        (void)http_send_cipher(c);
        return;
    }
    uv_buf_t one = uv_buf_init((char *)(uintptr_t)text.ptr, (unsigned)text.len);
    int took = uv_try_write((uv_stream_t *)&c->tcp, &one, 1);
    if (took >= 0 && (size_t)took < text.len) http_connection_close(c);
}
