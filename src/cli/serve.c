/* SPDX-License-Identifier: Apache-2.0
 * firstframe serve: builds the parts, hands them to each other, waits for a signal, and takes them down in order. */
#include "cli/cli.h"
#include "cli/files.h"

#include "accounts/notes.h"
#include "api/api.h"
#include "api/assets.h"
#include "api/health.h"
#include "base/log.h"
#include "live/watching.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WATCHED_VIEWS_MAX = 1000000 };
enum { WHY_BYTES = 512, DRAIN_MS = 10000, STOP_MS = 60000, STORE_WAIT_MS = 60000, WATCH_MS = 5000, LOOK_MS = 200 };

struct app {
    struct options *options;
    char program_dir[PATH_MAX], engine[PATH_MAX], share[PATH_MAX], engine_dir[PATH_MAX], journal_dir[PATH_MAX];
    char local_url[512], public_url[512]; /* where it listens, as a person on this machine types it; what others type */
    struct accounts *accounts;
    struct store *store;
    struct store_writer *writer;
    struct enrich *enrich;
    struct collector *collector;
    struct watching *watching;
    struct pipeline *pipeline;
    struct api *api;
    struct assets *assets;
    struct health health;
    struct http_server *http;
    atomic_bool serving; /* everything is in its place: requests are passed on */
};

/* -- one request to its part -- */

static bool is_api(struct span path)
{
    return api_owns(path) || span_is(path, "/openapi.json") || span_is(path, "/docs");
}

/* Sent by a client of the API to a path that is not the API's: it has to hear so, rather than get a page or have its
 * body taken for a beacon. Neither browsers nor players say both that they accept JSON alone and who they are. */
static bool is_lost_client(const struct http_request *r)
{
    bool named = http_header(r, "Authorization").len > 0 || http_header(r, "beta-auth-token").len > 0;
    return named && span_is(http_header(r, "Accept"), "application/json");
}

/* What can never be a beacon, nor a page of the dashboard. */
static bool is_reserved(struct span path)
{
    static const char *const segments[] = {"sdk", "cmcd", "healthz", "readyz", "metrics"};
    struct span rest = span_from(path, 1);
    ptrdiff_t slash = span_find(rest, '/');
    struct span first = slash < 0 ? rest : span_upto(rest, (size_t)slash);
    for (size_t i = 0; i < COUNT(segments); i++)
        if (span_is(first, segments[i])) return true;
    return false;
}

static void answer_nothing_here(struct http_request *r)
{
    struct http_reply reply = {
        .status = 404,
        .content_type = "application/json; charset=utf-8",
        .body = SPAN("{\"error\":{\"type\":\"not_found\",\"messages\":[\"There is nothing here.\"]}}"),
    };
    http_reply(r, &reply);
}

/* Of an address with too many connections: a beacon is answered as if it were taken, everything else hears why. */
static void answer_crowd(struct http_request *r)
{
    struct http_header later = {SPAN("Retry-After"), SPAN("5")};
    struct http_reply reply = {
        .status = 503,
        .content_type = "application/json; charset=utf-8",
        .headers = &later,
        .header_count = 1,
        .body =
            SPAN("{\"error\":{\"type\":\"service_unavailable\",\"messages\":[\"Your address has too many connections "
                 "open.\"]}}"),
    };
    http_reply(r, &reply);
}

static bool is_beacon(const struct http_request *r)
{
    bool post = r->method == HTTP_M_POST || r->method == HTTP_M_OPTIONS;
    return post && !is_api(r->path) && !is_reserved(r->path) && !is_lost_client(r);
}

static void app_handle(void *ctx, struct http_request *r)
{
    struct app *app = ctx;
    if (!atomic_load_explicit(&app->serving, memory_order_acquire)) {
        struct http_header later = {SPAN("Retry-After"), SPAN("2")};
        http_reply(r, &(struct http_reply){.status = 503, .headers = &later, .header_count = 1});
        return;
    }
    bool get = r->method == HTTP_M_GET || r->method == HTTP_M_HEAD;
    if (health_handle(&app->health, r)) return;
    if (is_beacon(r)) collector_handle(app->collector, r);
    else if (r->crowded) answer_crowd(r);
    else if (is_api(r->path)) api_handle(app->api, r);
    else if (get && span_starts(r->path, SPAN("/sdk/"))) assets_handle(app->assets, r);
    else if (is_reserved(r->path) || is_lost_client(r) || !get) answer_nothing_here(r);
    else assets_handle(app->assets, r);
}

/* -- what the parts ask of each other -- */

static bool find_env(void *ctx, struct span env_key, struct collector_env *out)
{
    struct app *app = ctx;
    struct env_facts facts;
    if (!accounts_env_by_key(app->accounts, env_key, &facts)) return false;
    *out = (struct collector_env){
        .property_id = facts.property_id,
        .disabled = facts.disabled,
        .allow_backfill = facts.allow_backfill,
        .strip_query = facts.strip_query,
        .honour_dnt = facts.honour_dnt,
        .keep_addresses = facts.keep_addresses != KEEP_ADDRESSES_NONE,
        .views_per_minute_max = facts.views_per_minute_max,
        .events_per_second_max = facts.events_per_second_max,
    };
    _Static_assert(sizeof out->id >= sizeof facts.environment_id, "environment ids fit");
    memcpy(out->id, facts.environment_id, sizeof facts.environment_id);
    return true;
}

static bool sink_row(void *ctx, unsigned shard, const struct view_row *row)
{
    return store_writer_row(((struct app *)ctx)->writer, shard, row);
}

static void sink_barrier(void *ctx, unsigned shard, uint64_t n)
{
    store_writer_barrier(((struct app *)ctx)->writer, shard, n);
}

static bool sink_wait_stored(void *ctx, uint64_t n, int timeout_ms)
{
    return store_writer_wait_stored(((struct app *)ctx)->writer, n, timeout_ms);
}

static void view_dropped(void *ctx, const char *environment_id, const char *why, uint32_t events)
{
    collector_dropped(((struct app *)ctx)->collector, environment_id, why, events);
}

/* What the environment's people decided about an error code. */
static struct view_error_rule categorise(void *ctx, const char *environment_id, struct span code)
{
    struct error_rule rule;
    if (!accounts_error_rule(((struct app *)ctx)->accounts, span_of(environment_id), code, &rule))
        return (struct view_error_rule){0};
    return (struct view_error_rule){
        .severity_known = rule.severity != ERROR_SEVERITY_AS_SENT,
        .fatal = rule.severity == ERROR_SEVERITY_FATAL,
        .business_known = rule.business != ERROR_BUSINESS_AS_SENT,
        .business = rule.business == ERROR_BUSINESS_YES,
    };
}

static void observe(void *ctx, const struct beacon *beacon)
{
    watching_beacon(((struct app *)ctx)->watching, beacon);
}

static void replay_progress(void *ctx, uint64_t done, uint64_t total)
{
    (void)ctx;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\rreplaying the journal: %3u %%", total ? (unsigned)(done * 100 / total) : 100);
    if (isatty(STDERR_FILENO) && done == total) fputc('\n', stderr);
}

/* -- paths and addresses -- */

static bool program_dir(char out[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - 1);
    if (len <= 0) return false;
    out[len] = 0;
    char *slash = strrchr(out, '/');
    if (slash) *slash = 0;
    return slash != NULL;
}

static bool path_of(char out[PATH_MAX], const char *given, const char *dir, const char *name)
{
    int len = given ? snprintf(out, PATH_MAX, "%s", given) : snprintf(out, PATH_MAX, "%s/%s", dir, name);
    return len > 0 && len < PATH_MAX;
}

static bool app_paths(struct app *app)
{
    const struct options *o = app->options;
    const char *data = options_text(o, "data");
    return program_dir(app->program_dir) &&
           path_of(app->engine, options_text(o, "engine"), app->program_dir, "firstframe-engine") &&
           path_of(app->share, options_text(o, "share"), app->program_dir, "share") &&
           path_of(app->engine_dir, NULL, data, "engine") && path_of(app->journal_dir, NULL, data, "journal");
}

/* Before anything is begun in a directory that is another's. */
static bool data_is_free(const struct app *app)
{
    bool used = journal_is_used(app->journal_dir);
    if (used) cli_say("another server uses the data directory %s", options_text(app->options, "data"));
    return !used;
}

static bool listens_on_loopback(const char *listen)
{
    return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "localhost:", 10) == 0 ||
           strncmp(listen, "[::1]:", 6) == 0;
}

/* Where it listens, from --listen and the port that was bound; what people type is --public-url, or the same. */
static void app_urls(struct app *app, uint16_t port)
{
    const char *given = options_text(app->options, "public-url"), *listen = options_text(app->options, "listen");
    const char *scheme = options_text(app->options, "tls-cert") ? "https" : "http";
    if (listens_on_loopback(listen) || strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "[::]:", 5) == 0) {
        (void)snprintf(app->local_url, sizeof app->local_url, "%s://localhost:%u", scheme, port);
    } else {
        const char *colon = strrchr(listen, ':');
        (void)snprintf(app->local_url, sizeof app->local_url, "%s://%.*s:%u", scheme,
                       (int)(colon ? colon - listen : (ptrdiff_t)strlen(listen)), listen, port);
    }
    (void)snprintf(app->public_url, sizeof app->public_url, "%s", given ? given : app->local_url);
    size_t len = strlen(app->public_url);
    while (len && app->public_url[len - 1] == '/') app->public_url[--len] = 0;
}

/* -- building -- */

static bool start_accounts(struct app *app)
{
    struct accounts_options options = {.data_dir = options_text(app->options, "data"), .watch = true};
    enum accounts_error e = accounts_open(&options, &app->accounts);
    if (e == ACCOUNTS_OK) return true;
    (void)cli_fail_accounts(e);
    return false;
}

static bool start_store(struct app *app, unsigned shards)
{
    char why[256] = "";
    struct store_options options = {
        .url = options_text(app->options, "store"), .engine = app->engine, .engine_dir = app->engine_dir};
    if (options.url == NULL && access(app->engine, X_OK) != 0) {
        cli_say("the embedded store %s is missing; give --engine or --store", app->engine);
        return false;
    }
    app->store = store_open(&options, why);
    if (app->store == NULL) {
        cli_say("%s", why);
        return false;
    }
    struct store_writer_options writer = store_writer_defaults();
    writer.shards = shards;
    app->writer = store_writer_start(app->store, &writer);
    return true;
}

static bool start_collector(struct app *app)
{
    const struct options *o = app->options;
    const char *addresses = options_text(o, "addresses");
    bool keep = strcmp(addresses, "truncated") == 0;
    if (!keep && strcmp(addresses, "none") != 0) {
        cli_say("--addresses: expected truncated or none");
        return false;
    }
    struct enrich_options enrich = {
        .share = app->share, .geo_city = options_text(o, "geo-city"), .geo_asn = options_text(o, "geo-asn")};
    char why[256] = "";
    app->enrich = enrich_new(&enrich, why);
    if (app->enrich == NULL) {
        cli_say("%s", why);
        return false;
    }
    struct collector_options options = {
        .env_find = find_env,
        .env_ctx = app,
        .enrich = app->enrich,
        .keep_addresses = keep,
        .address_requests_per_second_max = (uint32_t)options_number(o, "address-requests-per-second-max"),
        .body_bytes_max = (size_t)options_number(o, "beacon-bytes-max"),
        .depth_max = (unsigned)options_number(o, "beacon-depth-max"),
        .limits = {.values = (uint32_t)options_number(o, "beacon-values-max"),
                   .events = (uint32_t)options_number(o, "beacon-events-max"),
                   .keys = (uint32_t)options_number(o, "beacon-keys-max")},
    };
    app->collector = collector_new(&options);
    app->watching = watching_new(WATCHED_VIEWS_MAX);
    return true;
}

static bool start_pipeline(struct app *app, unsigned shards)
{
    const struct options *o = app->options;
    char why[PIPELINE_WHY_BYTES] = "";
    struct pipeline_options options = pipeline_defaults();
    options.shards = shards;
    options.journal.dir = app->journal_dir;
    options.journal.bytes_max = (uint64_t)options_number(o, "journal-max-gb") << 30;
    options.journal.free_percent_min = (unsigned)options_number(o, "disk-free-percent-min");
    options.views.visible_after_ms = options_number(o, "view-visible-after") * 1000;
    options.views.final_after_ms = options_number(o, "view-final-after") * 1000;
    options.views.grace_ms = options_number(o, "view-grace-ms");
    options.views.open_views_max = (uint32_t)options_number(o, "open-views-max");
    options.views.env_open_views_max = (uint32_t)options_number(o, "open-views-per-environment-max");
    options.views.dropped = view_dropped;
    options.views.categorise = categorise;
    options.views.ctx = app;
    options.sink =
        (struct pipeline_sink){.ctx = app, .row = sink_row, .barrier = sink_barrier, .wait_stored = sink_wait_stored};
    options.posts = pipeline_posts_of(app->collector);
    options.progress = replay_progress;
    options.observe = observe;
    options.hooks_ctx = app;
    app->pipeline = pipeline_start(&options, why);
    if (app->pipeline == NULL) {
        cli_say("%s", why);
        return false;
    }
    collector_connect(app->collector, pipeline_append, app->pipeline);
    return true;
}

static struct http_limits limits_of(const struct options *o)
{
    struct http_limits limits = http_limits_default();
    size_t beacon_bytes = (size_t)options_number(o, "beacon-bytes-max");
    if (beacon_bytes > limits.body_bytes_keep) limits.body_bytes_keep = beacon_bytes; /* the API has its own needs */
    limits.connections_max = (size_t)options_number(o, "connections-max");
    limits.connections_per_address_max = (size_t)options_number(o, "connections-per-address-max");
    size_t files = cli_files_raise(limits.connections_max + CLI_FILES_RESERVED);
    if (files == 0 || files >= limits.connections_max + CLI_FILES_RESERVED) return limits;
    limits.connections_max = files > 2 * CLI_FILES_RESERVED ? files - CLI_FILES_RESERVED : files / 2;
    LOG_WRN("files_few", "files=%zu connections_max=%zu hint=\"raise the limit of open files, ulimit -n\"", files,
            limits.connections_max);
    return limits;
}

static bool start_http(struct app *app)
{
    const struct options *o = app->options;
    char why[WHY_BYTES] = "";
    const char *proxies = options_text(o, "trusted-proxies");
    struct http_config config = {
        .listen = options_text(o, "listen"),
        .also_loopback6 = listens_on_loopback(options_text(o, "listen")),
        .loops = (unsigned)options_number(o, "loops"),
        .limits = limits_of(o),
        .tls_cert = options_text(o, "tls-cert"),
        .tls_key = options_text(o, "tls-key"),
        .trusted_proxies = proxies && strcmp(proxies, "none") != 0 ? proxies : NULL,
        .proxy_protocol = options_flag(o, "proxy-protocol"),
        .handler = app_handle,
        .ctx = app,
    };
    app->health = (struct health){.collector = app->collector,
                                  .pipeline = app->pipeline,
                                  .store = app->store,
                                  .writer = app->writer,
                                  .metrics_token = options_text(o, "metrics-token")};
    app->assets = assets_load(app->share);
    struct api_options api = {.accounts = app->accounts,
                              .store = app->store,
                              .collector = app->collector,
                              .watching = app->watching,
                              .query_threads = (unsigned)options_number(o, "query-threads"),
                              .public_url = app->public_url,
                              .rate_limit = (unsigned)options_number(o, "rate-limit"),
                              .smtp_url = options_text(o, "smtp-url"),
                              .smtp_from = options_text(o, "smtp-from"),
                              .data_dir = options_text(o, "data")};
    app->api = api_new(&api);
    app->http = http_server_start(&config, why);
    if (app->http) {
        app_urls(app, http_server_port(app->http));
        api_set_public_url(app->api, app->public_url);
        atomic_store_explicit(&app->serving, true, memory_order_release);
        return true;
    }
    cli_say("%s", why);
    return false;
}

static bool app_start(struct app *app)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned shards = (unsigned)options_number(app->options, "shards");
    if (shards == 0) shards = processors > 0 ? (unsigned)processors : 1;
    if (shards > PIPELINE_TABLES) shards = PIPELINE_TABLES;
    return app_paths(app) && data_is_free(app) && start_accounts(app) && start_store(app, shards) &&
           start_collector(app) && start_pipeline(app, shards) && start_http(app);
}

/* SIGTERM or SIGINT came; it stays pending, for wait_for_signals. */
static bool asked_to_stop(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/* true also when it is asked to stop meanwhile. */
static bool app_wait_ready(struct app *app)
{
    char why[PIPELINE_WHY_BYTES] = "";
    enum err e = ERR_TIMEOUT;
    while (e == ERR_TIMEOUT) {
        if (asked_to_stop()) return true;
        e = pipeline_wait_ready(app->pipeline, LOOK_MS, why);
    }
    if (e != ERR_NONE) {
        cli_say("%s", why);
        return false;
    }
    int waited_ms = 0;
    while (!store_wait_ready(app->store, LOOK_MS) && waited_ms < STORE_WAIT_MS) {
        if (asked_to_stop()) return true;
        waited_ms += LOOK_MS;
    }
    if (!store_ready(app->store)) LOG_WRN("store_not_ready", "waited_ms=%d", waited_ms);
    bool other = strcmp(app->local_url, app->public_url) != 0;
    printf("listening on %s%s%s%s\n", app->local_url, other ? " (public address " : "", other ? app->public_url : "",
           other ? ")" : "");
    (void)fflush(stdout);
    if (!accounts_exists(app->accounts)) {
        printf("no account yet: open %s/setup and enter the code %s, or run \"firstframe init\"\n", app->public_url,
               api_setup_code(app->api));
        (void)fflush(stdout);
    }
    return true;
}

/* In the order that loses nothing: no new requests, then what was accepted goes to the store. */
static void app_stop(struct app *app)
{
    if (app->http) http_server_stop(app->http, DRAIN_MS);
    api_free(app->api);
    if (app->pipeline && !pipeline_stop(app->pipeline, STOP_MS))
        LOG_WRN("stopped_without_checkpoint", "hint=\"the next start replays the journal\"");
    if (app->writer && !store_writer_stop(app->writer, STOP_MS / 4))
        LOG_WRN("rows_left_for_replay", "hint=\"they are in the journal\"");
    if (app->store) store_stop(app->store);
    collector_free(app->collector);
    watching_free(app->watching);
    enrich_free(app->enrich);
    assets_free(app->assets);
    accounts_close(app->accounts);
}

static void wait_for_signals(struct app *app, const sigset_t *signals)
{
    const struct timespec watch = {.tv_sec = WATCH_MS / 1000};
    bool files_nearly_used = false;
    for (;;) {
        cli_files_watch(&files_nearly_used);
        int signal = sigtimedwait(signals, NULL, &watch);
        if (signal < 0) {
            BUG_IF(errno != EAGAIN && errno != EINTR);
            continue;
        }
        if (signal != SIGHUP) {
            LOG_INF("stopping", "signal=%d", signal);
            return;
        }
        char why[WHY_BYTES] = "";
        if (options_text(app->options, "tls-cert") == NULL) continue;
        if (http_server_reload_tls(app->http, why)) LOG_INF("tls_reloaded", "%s", "");
        else LOG_ERR("tls_reload_failed", "why=\"%s\"", why);
    }
}

static bool log_options(const struct options *o)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    const char *level = options_text(o, "log-level");
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(level, names[i]) == 0) {
            log_setup((enum log_level)i, options_flag(o, "log-json"));
            return true;
        }
    cli_say("--log-level: expected debug, info, warn or error");
    return false;
}

static bool listen_option(const struct options *o)
{
    char why[WHY_BYTES] = "";
    bool ok = http_listen_valid(options_text(o, "listen"), why);
    if (!ok) cli_say("--listen: %s", why);
    return ok;
}

/* Asked before the engine is started; binding says so again should somebody take the port meanwhile. */
static bool listen_free(const struct options *o)
{
    char why[WHY_BYTES] = "";
    const char *listen = options_text(o, "listen");
    bool ok = http_listen_free(listen, listens_on_loopback(listen), why);
    if (!ok) cli_say("%s", why);
    return ok;
}

static void print_sample(void)
{
    struct buf text;
    buf_init(&text, 64 * 1024);
    options_print_sample(COMMAND_serve, &text);
    cli_print(&text);
    buf_free(&text);
}

int cli_serve(int argc, char **argv)
{
    static const char *const required[] = {"data", NULL};
    int exit_code;
    struct options *o = cli_options(COMMAND_serve, argc, argv, &exit_code);
    if (o == NULL) return exit_code;
    if (options_flag(o, "print-config")) {
        print_sample();
        options_free(o);
        return 0;
    }
    bool tls_half = (options_text(o, "tls-cert") == NULL) != (options_text(o, "tls-key") == NULL);
    if (tls_half) cli_say("--tls-cert and --tls-key belong together");
    bool mail_half = options_text(o, "smtp-url") != NULL && options_text(o, "smtp-from") == NULL;
    if (mail_half) cli_say("--smtp-url needs --smtp-from");
    if (tls_half || mail_half || !cli_required(o, COMMAND_serve, required) || !log_options(o) || !listen_option(o)) {
        options_free(o);
        return 2;
    }
    if (!listen_free(o)) {
        options_free(o);
        return 1;
    }
    /* Blocked before any thread starts, so that only sigwait sees them. */
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    struct app *app = calloc(1, sizeof *app);
    BUG_IF(app == NULL);
    app->options = o;
    bool ok = app_start(app) && app_wait_ready(app);
    if (ok) wait_for_signals(app, &signals);
    app_stop(app);
    free(app);
    options_free(o);
    return ok ? 0 : 1;
}
