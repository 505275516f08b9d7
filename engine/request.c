/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <string.h>

/* Parameters of ClickHouse's HTTP interface that are no settings. What is not listed under `take`
 * below is accepted and ignored: there are no users, roles or sessions in here, and nothing is
 * compressed. log_comment marks the connection for cancelling (pool.c). */
static const char *const ignored[] = {
    "user",
    "password",
    "session_id",
    "session_timeout",
    "session_check",
    "quota_key",
    "stacktrace",
    "buffer_size",
    "role",
    "client_protocol_version",
    "log_comment",
    "enable_http_compression",
    "http_zlib_compression_level",
    "close_session",
    "decompress",
    "compress",
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes + and %xx in place; false for a % without two hexadecimal digits. */
static bool url_decode(char *text, size_t *len)
{
    size_t to = 0;
    for (size_t from = 0; from < *len; from++) {
        char c = text[from];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = from + 2 < *len ? hex_value(text[from + 1]) : -1;
            int low = from + 2 < *len ? hex_value(text[from + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            from += 2;
        }
        text[to++] = c;
    }
    *len = to;
    return true;
}

static bool is_setting_name(struct span name)
{
    if (name.len == 0 || name.len > 128) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) {
            return false;
        }
    }
    return true;
}

static void add_setting(struct request *r, struct span name, struct span value)
{
    buf_add_text(&r->settings, r->settings.len == 0 ? "SET " : ", ");
    buf_add(&r->settings, name.ptr, name.len);
    buf_add_text(&r->settings, "=");
    buf_add_quoted(&r->settings, '\'', value);
}

void request_set(struct request *r, const char *name, struct span value)
{
    add_setting(r, span_of(name), value);
}

static const char *take_param(struct request *r, struct span name, struct span value)
{
    if (r->params_count == REQUEST_PARAMS_MAX) {
        return "Code: 36. DB::Exception: Too many query parameters. (BAD_ARGUMENTS)";
    }
    r->names[r->params_count] = name.ptr;
    r->name_lens[r->params_count] = name.len;
    r->values[r->params_count] = value.ptr;
    r->value_lens[r->params_count] = value.len;
    r->params_count++;
    return NULL;
}

static const char *take(struct request *r, struct span name, struct span value)
{
    const struct {
        const char *name;
        struct span *to;
    } own[] = {
        {"query", &r->query},
        {"database", &r->database},
        {"default_format", &r->format},
        {"query_id", &r->query_id},
    };
    for (size_t i = 0; i < COUNT(own); i++) {
        if (span_is(name, own[i].name)) {
            *own[i].to = value;
            r->has_query = r->has_query || i == 0;
            return NULL;
        }
    }
    if (name.len > 6 && memcmp(name.ptr, "param_", 6) == 0) {
        return take_param(r, (struct span){.ptr = name.ptr + 6, .len = name.len - 6}, value);
    }
    bool on = !(value.len == 0 || span_is(value, "0") || span_is(value, "false"));
    if (on && (span_is(name, "compress") || span_is(name, "decompress"))) {
        return "Code: 48. DB::Exception: Compressed blocks are not supported here. "
               "(NOT_IMPLEMENTED)";
    }
    if (span_is(name, "wait_end_of_query")) {
        r->wait_for_end = on;
        return NULL;
    }
    for (size_t i = 0; i < COUNT(ignored); i++) {
        if (span_is(name, ignored[i])) {
            return NULL;
        }
    }
    if (!is_setting_name(name)) {
        return "Code: 115. DB::Exception: Unknown setting: a name has only a-z, 0-9 and _. "
               "(UNKNOWN_SETTING)";
    }
    r->readonly = r->readonly || (on && span_is(name, "readonly"));
    r->extremes = r->extremes || (on && span_is(name, "extremes"));
    add_setting(r, name, value);
    return NULL;
}

static const char *read_pair(struct request *r, char *pair, size_t len)
{
    if (len == 0) {
        return NULL;
    }
    char *equals = memchr(pair, '=', len);
    size_t name_len = equals == NULL ? len : (size_t)(equals - pair);
    char *value = equals == NULL ? pair + len : equals + 1;
    size_t value_len = len - (size_t)(value - pair);
    if (!url_decode(pair, &name_len) || !url_decode(value, &value_len)) {
        return "Code: 36. DB::Exception: Bad percent encoding in the URL. (BAD_ARGUMENTS)";
    }
    return take(r, (struct span){.ptr = pair, .len = name_len},
                (struct span){.ptr = value, .len = value_len});
}

void request_init(struct request *r)
{
    const struct span none = {.ptr = "", .len = 0};
    *r = (struct request){
        .path = none, .query = none, .database = none, .format = none, .query_id = none};
    buf_init(&r->settings, REQUEST_SESSION_BYTES_MAX);
}

void request_fini(struct request *r)
{
    buf_fini(&r->settings);
}

const char *request_read(struct request *r, char *url, size_t len)
{
    char *fragment = memchr(url, '#', len);
    len = fragment == NULL ? len : (size_t)(fragment - url);
    char *mark = memchr(url, '?', len);
    r->path = (struct span){.ptr = url, .len = mark == NULL ? len : (size_t)(mark - url)};
    char *at = mark == NULL ? url + len : mark + 1;
    char *end = url + len;
    while (at < end) {
        char *amp = memchr(at, '&', (size_t)(end - at));
        size_t pair_len = (size_t)((amp == NULL ? end : amp) - at);
        const char *wrong = read_pair(r, at, pair_len);
        if (wrong != NULL) {
            return wrong;
        }
        at += pair_len + 1;
    }
    if (r->settings.full) {
        return "Code: 36. DB::Exception: The settings in the URL are too long. (BAD_ARGUMENTS)";
    }
    return NULL;
}
