/* SPDX-License-Identifier: Apache-2.0
 * firstframe simulate: decides when each invented viewer watches, sends their beacons, writes the truth file and says
 * how far it is. One thread. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "sim/send.h"
#include "sim/truth.h"
#include "sim/viewer.h"
#include "sim/world.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    HOUR_MS = 3600000,
    ENDED_BEFORE_MS = 3000, /* a finished view ended at least this long ago */
    RECENT_MS_MIN = 60000,  /* views made "now" opened their page this long ago */
    RECENT_MS_MAX = 1200000,
    PEOPLE_LIVE = 4000,
    PATIENCE_MS = 600000,
    LOG_EVERY_MS = 5000,
    STREAM_TIME = 4,
};

struct run {
    struct sim_options make;
    struct sim_send_options send;
    struct sim_faults faults;
    struct sim_keys keys;
    FILE *truth;
    struct buf line;
    uint64_t next; /* index of the next view */
    bool endless, terminal;
    double *busy; /* cumulative share of the views by hour of the window, hours + 1 entries, last is 1 */
    size_t hours;
    uint64_t views, events;
    int64_t begin_ms, said_ms;
    bool write_failed;
    char domain[256];
};

/* How busy each hour of the window is: the places' daily rhythms together, a little more at weekends. */
static void busy_make(struct run *r, int64_t days)
{
    r->hours = (size_t)days * 24;
    r->busy = calloc(r->hours + 1, sizeof *r->busy);
    BUG_IF(r->busy == NULL);
    const int64_t first_ms = r->make.base_ms - (int64_t)r->hours * HOUR_MS;
    for (size_t h = 0; h < r->hours; h++) {
        const int64_t hour = (first_ms + (int64_t)h * HOUR_MS) / HOUR_MS;
        double sum = 0;
        for (size_t p = 0; p < COUNT(sim_places); p++)
            sum += sim_places[p].weight * sim_rhythm((double)(hour % 24) + sim_places[p].hour);
        const int64_t weekday = (hour / 24 + 4) % 7; /* the epoch was a Thursday; 0 is Sunday */
        if (weekday == 0 || weekday == 6) sum *= 1.25;
        r->busy[h + 1] = r->busy[h] + sum;
    }
    for (size_t h = 1; h <= r->hours; h++) r->busy[h] /= r->busy[r->hours];
}

/* Where in the window a share of 0..1 of all views has begun. */
static int64_t busy_at(const struct run *r, double share)
{
    size_t low = 0, high = r->hours;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (r->busy[middle] <= share) low = middle;
        else high = middle;
    }
    double inside = (share - r->busy[low]) / (r->busy[low + 1] - r->busy[low]);
    double hours = (double)low + inside - (double)r->hours;
    return r->make.base_ms + (int64_t)(hours * HOUR_MS);
}

/* When the page of view `index` opens, unless the views are live; the limit is when it must have ended. */
static int64_t begin_of(const struct run *r, uint64_t index, int64_t *limit_ms)
{
    struct rng rng;
    rng_seed(&rng, r->make.seed, index, STREAM_TIME);
    int64_t base_ms = r->make.base_ms;
    if (!r->busy && r->send.rate > 0) base_ms += (int64_t)((double)index * 1000.0 / r->send.rate);
    *limit_ms = base_ms - ENDED_BEFORE_MS;
    if (r->busy) return busy_at(r, ((double)index + rng_unit(&rng)) / (double)r->make.views);
    return base_ms - rng_range(&rng, RECENT_MS_MIN, RECENT_MS_MAX);
}

static bool feed_next(void *ctx, struct sim_session *s, struct sim_plan *p, int64_t now_ms)
{
    struct run *r = ctx;
    if (r->next >= r->make.views) return false;
    if (r->send.live) {
        sim_session_make(s, &r->make, r->next, now_ms, now_ms);
    } else {
        int64_t limit_ms, rhythm_ms = begin_of(r, r->next, &limit_ms), begin_ms = rhythm_ms;
        sim_session_make(s, &r->make, r->next, begin_ms, rhythm_ms);
        if (s->end_ms > limit_ms) /* the same session, earlier */
            sim_session_make(s, &r->make, r->next, begin_ms - (s->end_ms - limit_ms), rhythm_ms);
    }
    r->next += s->consumed;
    sim_plan_make(p, s, &r->faults, r->make.seed);
    return true;
}

static void truth_extra(const struct run *r, const struct sim_session *s, unsigned view, const struct sim_plan *p,
                        const uint8_t *acks, struct sim_truth_extra *out)
{
    *out = (struct sim_truth_extra){.times_as_sent = r->send.backfill};
    for (uint32_t post = 0; post < s->post_count; post++) {
        bool holds = false;
        for (uint32_t i = 0; i < s->posts[post].event_count; i++)
            holds |= s->events[s->posts[post].event_at + i].view == view;
        if (!holds) continue;
        out->beacons += acks[post];
        out->duplicated += p->copies[post] > 1;
        out->reordered += p->moved[post];
        out->lost += p->lost[post];
    }
}

static void feed_done(void *ctx, const struct sim_session *s, const struct sim_plan *p, const bool *arrived,
                      const uint8_t *acks)
{
    struct run *r = ctx;
    for (unsigned view = 0; view < s->view_count; view++) {
        struct sim_truth t;
        if (!sim_truth_view(s, view, arrived, &t)) continue;
        r->views++;
        r->events += t.events;
        if (r->truth == NULL) continue;
        struct sim_truth_extra extra;
        truth_extra(r, s, view, p, acks, &extra);
        extra.arrived = arrived;
        buf_clear(&r->line);
        sim_truth_write(&r->line, s, view, &t, &extra);
        if (fwrite(r->line.ptr, 1, r->line.len, r->truth) != r->line.len) r->write_failed = true;
    }
}

static void feed_progress(void *ctx, const struct sim_send_stats *stats)
{
    struct run *r = ctx;
    const int64_t now_ms = wall_now_ms();
    const double seconds = (double)(now_ms - r->begin_ms) / 1000.0;
    const double pace = seconds > 0 ? (double)stats->posts / seconds : 0;
    if (!r->terminal) {
        if (now_ms - r->said_ms < LOG_EVERY_MS) return;
        r->said_ms = now_ms;
        LOG_INF("simulate_progress", "views=%llu beacons=%llu per_second=%.0f retries=%llu",
                (unsigned long long)r->views, (unsigned long long)stats->posts, pace,
                (unsigned long long)stats->retries);
        return;
    }
    char bar[31] = "";
    if (!r->endless) {
        double done = (double)r->views / (double)r->make.views;
        int filled = done < 1 ? (int)(done * 30) : 30;
        memset(bar, '#', (size_t)filled);
        memset(bar + filled, '.', (size_t)(30 - filled));
    }
    fprintf(stderr, "\r\033[K%s%s%llu views  %llu beacons  %.0f/s", bar, bar[0] ? "  " : "",
            (unsigned long long)r->views, (unsigned long long)stats->posts, pace);
    if (stats->retries) fprintf(stderr, "  %llu repeated", (unsigned long long)stats->retries);
    fflush(stderr);
}

static void print_json(const struct run *r, const struct sim_send_stats *s, double seconds)
{
    struct buf out;
    buf_init(&out, 4096);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    const struct {
        const char *key;
        uint64_t v;
    } counts[] = {
        {"views", r->views},     {"events", r->events}, {"beacons", s->posts},         {"bytes", s->bytes},
        {"retries", s->retries}, {"lost", s->lost},     {"duplicated", s->duplicated}, {"reordered", s->reordered},
    };
    for (size_t i = 0; i < COUNT(counts); i++) jw_key(&w, counts[i].key), jw_int(&w, (int64_t)counts[i].v);
    jw_key(&w, "seconds"), jw_double(&w, seconds);
    jw_key(&w, "seed"), jw_int(&w, (int64_t)r->make.seed);
    jw_key(&w, "now"), jw_int(&w, r->make.base_ms);
    jw_key(&w, "stopped"), jw_bool(&w, s->stopped);
    jw_object_end(&w);
    buf_addc(&out, '\n');
    cli_print(&out);
    buf_free(&out);
}

static void print_summary(const struct run *r, const struct sim_send_stats *s, double seconds)
{
    printf("%llu views with %llu events in %llu beacons (%.1f MB) in %.1f s; seed %llu, time base %lld\n",
           (unsigned long long)r->views, (unsigned long long)r->events, (unsigned long long)s->posts,
           (double)s->bytes / 1e6, seconds, (unsigned long long)r->make.seed, (long long)r->make.base_ms);
    if (s->lost || s->duplicated || s->reordered || s->retries)
        printf("beacons lost %llu, duplicated %llu, reordered %llu, repeated until acknowledged %llu\n",
               (unsigned long long)s->lost, (unsigned long long)s->duplicated, (unsigned long long)s->reordered,
               (unsigned long long)s->retries);
}

static bool bad_option(const char *name, const char *expected, const char *got)
{
    fprintf(stderr, "firstframe simulate: --%s: expected %s, got \"%s\"\n", name, expected, got);
    return false;
}

/* What the page was configured with: the URL without its scheme. */
static bool domain_of(struct run *r, const char *url)
{
    struct span text = span_of(url);
    const struct span schemes[] = {SPAN("http://"), SPAN("https://")};
    for (size_t i = 0; i < COUNT(schemes); i++) {
        if (!span_starts(text, schemes[i])) continue;
        text = span_from(text, schemes[i].len);
        while (text.len && text.ptr[text.len - 1] == '/') text.len--;
        if (text.len == 0 || text.len >= sizeof r->domain) break;
        memcpy(r->domain, text.ptr, text.len);
        return true;
    }
    return bad_option("url", "http://HOST:PORT or https://HOST", url);
}

static bool options_read(struct run *r, const struct options *o)
{
    const char *rate = options_text(o, "rate"), *faults = options_text(o, "faults");
    char why[160];
    r->send.live = options_flag(o, "live");
    r->send.backfill = options_given(o, "days-back");
    if (r->send.live && r->send.backfill) {
        fprintf(stderr, "firstframe simulate: --live and --days-back exclude each other\n");
        return false;
    }
    if (rate && (!span_to_double(span_of(rate), &r->send.rate) || !(r->send.rate > 0) || r->send.rate > 1e6))
        return bad_option("rate", "a number above 0, at most 1000000", rate);
    if (r->send.live && rate == NULL) r->send.rate = 1;
    if (faults && !sim_faults_parse(span_of(faults), &r->faults, why, sizeof why)) {
        fprintf(stderr, "firstframe simulate: --faults: expected duplicate, reorder, lose or skew with shares: %s\n",
                why);
        return false;
    }
    r->send.url = options_text(o, "url");
    if (!domain_of(r, r->send.url)) return false;
    r->send.connections = (unsigned)options_number(o, "connections");
    r->send.patience_ms = PATIENCE_MS;
    r->endless = r->send.live && !options_given(o, "views");
    r->make.views = r->endless ? UINT64_MAX : (uint64_t)options_number(o, "views");
    r->make.people = r->endless ? PEOPLE_LIVE : r->make.views * 3 / 5 + 1;
    r->make.env_key = options_text(o, "env-key");
    r->make.beacon_domain = r->domain;
    r->make.seed = (uint64_t)options_number(o, "seed");
    r->make.median_ms = options_number(o, "median-seconds") * 1000;
    r->make.base_ms = options_given(o, "now") ? options_number(o, "now") : wall_now_ms();
    r->make.skew = r->faults.skew;
    r->make.skew_past_only = r->send.backfill;
    r->make.long_gaps = !r->send.live && !r->send.backfill;
    if (r->send.backfill) busy_make(r, options_number(o, "days-back"));
    return true;
}

/* Ctrl-C and SIGTERM become readable instead of ending the process. */
static int stop_open(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int run_send(struct run *r, bool as_json)
{
    const struct sim_feed feed = {.ctx = r, .next = feed_next, .done = feed_done, .progress = feed_progress};
    struct sim_send_stats stats;
    char why[400] = "";
    r->terminal = isatty(STDERR_FILENO) == 1;
    r->send.stop_fd = stop_open();
    r->begin_ms = r->said_ms = wall_now_ms();
    enum err err = sim_send(&r->send, &feed, &stats, why, sizeof why);
    if (r->terminal) fprintf(stderr, "\r\033[K");
    if (r->send.stop_fd >= 0) (void)close(r->send.stop_fd);
    const double seconds = (double)(wall_now_ms() - r->begin_ms) / 1000.0;
    if (as_json) print_json(r, &stats, seconds);
    else print_summary(r, &stats, seconds);
    if (err != ERR_NONE) cli_say("%s", why);
    return err == ERR_NONE ? 0 : 1;
}

static int run_all(struct run *r, const struct options *o)
{
    const char *path = options_text(o, "truth");
    if (path && (r->truth = fopen(path, "we")) == NULL) {
        cli_say("--truth: cannot write %s: %s", path, strerror(errno));
        return 1;
    }
    int exit_code = run_send(r, options_flag(o, "json"));
    if (r->truth && (fclose(r->truth) != 0 || r->write_failed)) {
        cli_say("--truth: could not write all of %s: %s", path, strerror(errno));
        exit_code = 1;
    }
    return exit_code;
}

int cli_simulate(int argc, char **argv)
{
    static const char *const required[] = {"url", "env-key", NULL};
    int exit_code;
    struct options *o = cli_options(COMMAND_simulate, argc, argv, &exit_code);
    if (o == NULL) return exit_code;
    struct run *r = calloc(1, sizeof *r);
    BUG_IF(r == NULL);
    sim_keys_init(&r->keys);
    r->make.keys = &r->keys;
    buf_init(&r->line, 1024 * 1024);
    exit_code = 2;
    if (cli_required(o, COMMAND_simulate, required) && options_read(r, o)) exit_code = run_all(r, o);
    buf_free(&r->line);
    free(r->busy);
    free(r);
    options_free(o);
    return exit_code;
}
