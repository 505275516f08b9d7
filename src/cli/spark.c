/* SPDX-License-Identifier: Apache-2.0
 * firstframe spark METRIC: asks a server for a timeseries over the public API and draws it in one line of text. */
#include "cli/cli.h"

#include "base/json.h"
#include "query/tables.h"

#include <curl/curl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILTERS_MAX = 32, ANSWER_BYTES_MAX = 64 * 1024 * 1024, NODES_MAX = 2000000, TIMEOUT_S = 60 };

struct spark {
    const struct options *o;
    const char *metric;
    const char *filters[FILTERS_MAX];
    size_t filter_count;
    CURL *curl;
    struct curl_slist *headers;
    struct buf answer;
    char user[512]; /* id:secret, for Basic */
};

/* The option table keeps one value of a name; --filter may come several times, so they are taken out of argv first. */
static bool filters_take(struct spark *s, int *argc, char **argv)
{
    int kept = 1;
    for (int i = 1; i < *argc; i++) {
        const char *value = NULL;
        if (strncmp(argv[i], "--filter=", 9) == 0) value = argv[i] + 9;
        else if (strcmp(argv[i], "--filter") == 0 && i + 1 < *argc) value = argv[++i];
        if (value == NULL) {
            argv[kept++] = argv[i];
            continue;
        }
        if (s->filter_count == FILTERS_MAX || strchr(value, ':') == NULL) {
            fprintf(stderr, "firstframe spark: --filter: expected DIMENSION:VALUE, at most %d times, got \"%s\"\n",
                    FILTERS_MAX, value);
            return false;
        }
        s->filters[s->filter_count++] = value;
    }
    *argc = kept;
    argv[kept] = NULL;
    return true;
}

static size_t answer_take(char *bytes, size_t size, size_t count, void *ctx)
{
    struct buf *answer = ctx;
    buf_add(answer, bytes, size * count);
    return answer->failed ? 0 : size * count;
}

static void add_parameter(struct spark *s, struct buf *url, const char *name, const char *value)
{
    char *escaped = curl_easy_escape(s->curl, value, 0);
    BUG_IF(escaped == NULL);
    buf_addf(url, "%c%s=", memchr(url->ptr, '?', url->len) ? '&' : '?', name);
    buf_adds(url, escaped);
    curl_free(escaped);
}

/* The base without slashes at its end. */
static void url_begin(const struct spark *s, struct buf *url)
{
    struct span base = span_of(options_text(s->o, "url"));
    while (base.len && base.ptr[base.len - 1] == '/') base.len--;
    buf_init(url, 64 * 1024);
    buf_add_span(url, base);
}

/* What an error body says, or the status alone. */
static void say_refusal(struct json_parser *p, struct span body, long status)
{
    struct json_doc doc;
    if (json_parse(p, body, 10000, &doc, NULL)) {
        const struct json_node *messages = json_get(&doc, json_get(&doc, doc.nodes, "error"), "messages");
        if (json_is(messages, JSON_ARRAY) && messages->count && json_is(json_first(messages), JSON_STRING)) {
            cli_say("the server says: %.*s (status %ld)", SPAN_ARG(json_string(json_first(messages))), status);
            return;
        }
    }
    cli_say("the server answered with status %ld", status);
}

/* Sends what is set up; true when the answer is a success, and then it is in s->answer. */
static bool request(struct spark *s, struct json_parser *p, const char *url)
{
    char why[CURL_ERROR_SIZE] = "";
    buf_clear(&s->answer);
    (void)curl_easy_setopt(s->curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, s->headers);
    (void)curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, answer_take);
    (void)curl_easy_setopt(s->curl, CURLOPT_WRITEDATA, &s->answer);
    (void)curl_easy_setopt(s->curl, CURLOPT_ERRORBUFFER, why);
    (void)curl_easy_setopt(s->curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(s->curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    CURLcode code = curl_easy_perform(s->curl);
    (void)curl_easy_setopt(s->curl, CURLOPT_ERRORBUFFER, NULL);
    if (code != CURLE_OK) {
        cli_say("%s does not answer: %s", options_text(s->o, "url"), why[0] ? why : curl_easy_strerror(code));
        return false;
    }
    long status = 0;
    (void)curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) return true;
    say_refusal(p, buf_span(&s->answer), status);
    return false;
}

static void header_add(struct spark *s, const char *text)
{
    s->headers = curl_slist_append(s->headers, text);
    BUG_IF(s->headers == NULL);
}

/* With e-mail and password: a session, whose token the next request carries. */
static bool sign_in(struct spark *s, struct json_parser *p)
{
    struct buf body, url;
    buf_init(&body, 64 * 1024);
    struct jw w;
    jw_init(&w, &body);
    jw_object(&w);
    jw_key(&w, "session");
    jw_object(&w);
    jw_key(&w, "email"), jw_text(&w, options_text(s->o, "email"));
    jw_key(&w, "password"), jw_text(&w, options_text(s->o, "password"));
    jw_object_end(&w);
    jw_object_end(&w);
    url_begin(s, &url);
    buf_adds(&url, "/api/sessions");
    header_add(s, "Content-Type: application/json");
    (void)curl_easy_setopt(s->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    (void)curl_easy_setopt(s->curl, CURLOPT_POSTFIELDS, body.ptr);
    bool done = request(s, p, url.ptr);
    explicit_bzero(body.ptr, body.len);
    buf_free(&body);
    buf_free(&url);
    if (!done) return false;
    struct json_doc doc;
    struct span token = {NULL, 0};
    if (json_parse(p, buf_span(&s->answer), 10000, &doc, NULL))
        token = json_string(json_get(&doc, json_get(&doc, doc.nodes, "data"), "token"));
    char header[1024];
    if (token.len == 0 || token.len > sizeof header - 32) {
        cli_say("the server gave no session token");
        return false;
    }
    (void)snprintf(header, sizeof header, "beta-auth-token: %.*s", SPAN_ARG(token));
    header_add(s, header);
    explicit_bzero(header, sizeof header);
    (void)curl_easy_setopt(s->curl, CURLOPT_HTTPGET, 1L);
    return true;
}

static bool authenticate(struct spark *s, struct json_parser *p)
{
    const char *id = options_text(s->o, "token-id"), *secret = options_text(s->o, "token-secret");
    if (id == NULL || secret == NULL) return sign_in(s, p);
    (void)snprintf(s->user, sizeof s->user, "%s:%s", id, secret);
    (void)curl_easy_setopt(s->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    (void)curl_easy_setopt(s->curl, CURLOPT_USERPWD, s->user);
    return true;
}

static bool ask(struct spark *s, struct json_parser *p)
{
    struct buf url;
    url_begin(s, &url);
    char *metric = curl_easy_escape(s->curl, s->metric, 0);
    BUG_IF(metric == NULL);
    buf_addf(&url, "/data/v1/metrics/%s/timeseries", metric);
    curl_free(metric);
    struct span window = span_of(options_text(s->o, "timeframe"));
    ptrdiff_t comma = span_find(window, ',');
    char part[64];
    (void)snprintf(part, sizeof part, "%.*s", SPAN_ARG(comma < 0 ? window : span_upto(window, (size_t)comma)));
    add_parameter(s, &url, "timeframe[]", part);
    if (comma >= 0) add_parameter(s, &url, "timeframe[]", window.ptr + comma + 1);
    const char *group_by = options_text(s->o, "group-by"), *measurement = options_text(s->o, "measurement");
    if (group_by) add_parameter(s, &url, "group_by", group_by);
    if (measurement) add_parameter(s, &url, "measurement", measurement);
    for (size_t i = 0; i < s->filter_count; i++) add_parameter(s, &url, "filters[]", s->filters[i]);
    BUG_IF(url.failed);
    bool done = request(s, p, url.ptr);
    buf_free(&url);
    return done;
}

/* How people read a value of that unit. count measurements are plain numbers, whatever the metric. */
static void value_text(char out[64], enum metric_unit unit, double v)
{
    switch (unit) {
    case UNIT_MS:
        if (v >= 3600000) (void)snprintf(out, 64, "%.1f h", v / 3600000);
        else if (v >= 10000) (void)snprintf(out, 64, "%.1f s", v / 1000);
        else (void)snprintf(out, 64, "%.0f ms", v);
        return;
    case UNIT_SCORE: (void)snprintf(out, 64, "%.3f", v); return;
    case UNIT_FRACTION: (void)snprintf(out, 64, "%.2f %%", v * 100); return;
    case UNIT_PER_MINUTE: (void)snprintf(out, 64, "%.3f per minute", v); return;
    case UNIT_BITS_PER_SECOND: (void)snprintf(out, 64, "%.2f Mbit/s", v / 1e6); return;
    case UNIT_NUMBER: break;
    }
    size_t len = json_format_double(out, 64, floor(v * 1000 + 0.5) / 1000, true);
    BUG_IF(len >= 64);
}

static enum metric_unit unit_of(const struct spark *s)
{
    const char *measurement = options_text(s->o, "measurement");
    if (measurement && strcmp(measurement, "count") == 0) return UNIT_NUMBER;
    const struct metric *m = metric_find(span_of(s->metric));
    return m ? m->unit : UNIT_NUMBER;
}

/* One character a bucket: the value between the smallest and the largest, in eighths; null is a gap. */
static int draw(const struct spark *s, const struct json_doc *doc, const struct json_node *rows)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double low = 0, high = 0, last = 0;
    bool any = false;
    const struct json_node *row = json_first(rows);
    for (uint32_t i = 0; i < rows->count; i++, row = json_next(doc, row)) {
        if (!json_is(row, JSON_ARRAY) || row->count < 2) continue;
        const struct json_node *value = json_next(doc, json_first(row));
        if (!json_is_number(value)) continue;
        last = json_number(value);
        if (!any || last < low) low = last;
        if (!any || last > high) high = last;
        any = true;
    }
    struct buf out;
    buf_init(&out, ANSWER_BYTES_MAX);
    row = json_first(rows);
    for (uint32_t i = 0; i < rows->count; i++, row = json_next(doc, row)) {
        const struct json_node *value =
            json_is(row, JSON_ARRAY) && row->count >= 2 ? json_next(doc, json_first(row)) : NULL;
        double share = high > low ? (json_number(value) - low) / (high - low) : 0.5;
        buf_adds(&out, json_is_number(value) ? blocks[(int)floor(share * 7 + 0.5)] : " ");
    }
    char text[3][64];
    const double values[] = {low, high, last};
    for (size_t i = 0; i < COUNT(values); i++) value_text(text[i], unit_of(s), values[i]);
    if (any) buf_addf(&out, "\n%s: min %s  max %s  last %s\n", s->metric, text[0], text[1], text[2]);
    else buf_addf(&out, "\n%s: no views in this window\n", s->metric);
    cli_print(&out);
    buf_free(&out);
    return 0;
}

static int answer_show(const struct spark *s, struct json_parser *p)
{
    if (options_flag(s->o, "json")) {
        struct buf line;
        buf_init(&line, ANSWER_BYTES_MAX);
        buf_add_span(&line, span_trim(buf_span(&s->answer)));
        buf_addc(&line, '\n');
        cli_print(&line);
        buf_free(&line);
        return 0;
    }
    struct json_doc doc;
    const char *why = "it has no list named data";
    const struct json_node *rows = NULL;
    if (json_parse(p, buf_span(&s->answer), NODES_MAX, &doc, &why)) rows = json_get(&doc, doc.nodes, "data");
    if (json_is(rows, JSON_ARRAY)) return draw(s, &doc, rows);
    cli_say("the server's answer cannot be read: %s", why);
    return 1;
}

static bool complete(const struct spark *s)
{
    if (options_argument_count(s->o) != 1) {
        fprintf(stderr, "firstframe spark: expected one METRIC, such as video_startup_time\n");
        return false;
    }
    const bool token = options_text(s->o, "token-id") && options_text(s->o, "token-secret");
    const bool person = options_text(s->o, "email") && options_text(s->o, "password");
    if (token || person) return true;
    fprintf(stderr, "firstframe spark: expected --token-id and --token-secret, or --email and --password\n");
    return false;
}

int cli_spark(int argc, char **argv)
{
    struct spark s = {0};
    if (!filters_take(&s, &argc, argv)) return 2;
    int exit_code;
    struct options *o = cli_options(COMMAND_spark, argc, argv, &exit_code);
    if (o == NULL) return exit_code;
    s.o = o;
    exit_code = 2;
    if (complete(&s)) {
        s.metric = options_argument(o, 0);
        s.curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init() : NULL;
        BUG_IF(s.curl == NULL);
        buf_init(&s.answer, ANSWER_BYTES_MAX);
        struct json_parser *p = json_parser_new();
        exit_code = authenticate(&s, p) && ask(&s, p) ? answer_show(&s, p) : 1;
        json_parser_free(p);
        buf_free(&s.answer);
        explicit_bzero(s.user, sizeof s.user);
        curl_slist_free_all(s.headers);
        curl_easy_cleanup(s.curl);
        curl_global_cleanup();
    }
    options_free(o);
    return exit_code;
}
