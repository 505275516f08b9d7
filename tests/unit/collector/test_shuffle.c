/* SPDX-License-Identifier: Apache-2.0
 * A view's row depends only on the set of its events: 10,000 random shuffles with duplications of the views of every
 * recording, and as many of simulated views, each folded and compared byte for byte with the row of the order in which
 * the player made the events.
 *
 * Half of them as a backfill, where every POST has one receipt and no clock is corrected. The other half as it happens:
 * clocks are wrong by hours and jump, POSTs arrive late, some twice with another receipt and other metadata, some have
 * no metadata, and each comes from a place of its own. There every column is compared as well, event_times among them,
 * since the receipt of an event is the earliest of its copies whichever is handed over first. The same arrivals also go
 * through a table, which refuses what is too old (rule 12) by the POST's own clock.
 *
 * What may depend on the order of arrival is not reached here: a view that is final refuses what comes then (too_late),
 * and takes no smaller clock offset from it, since its row is written. So the table, which makes a view final when its
 * viewend has come and nothing below it is missing, gets the viewends last and in
 * order. */
#include "captures.h"

#include "collector/formats/format.h"
#include "sim/viewer.h"
#include "views/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { SHUFFLES = 10000, SIMULATED = 400, VIEWS_MAX = 1024, EVENTS_MAX = 4000, POSTS_MAX = 32768 };
enum { MINUTE_MS = 60000, HOUR_MS = 60 * MINUTE_MS, SEED = 42, DEAD_BAND_MS = 30000 };
static const size_t ARENA_BYTES_MAX = 2u << 30;

struct arrival {
    const struct beacon *b;
    const struct beacon_event *e;
};
struct recorded {
    struct span id;
    const char *capture;
    struct arrival events[EVENTS_MAX]; /* in order of receipt, copies included */
    size_t n;
    struct buf row;
};
/* Everything once as a backfill, and once as it happens. */
struct run {
    bool backfill;
    struct recorded views[VIEWS_MAX];
    size_t view_count, recorded_count;
};

static struct run backfilled = {.backfill = true}, live = {.backfill = false};
static struct beacon posts[POSTS_MAX];
static size_t post_count, too_old;
static struct view_strings *strings;
static uint64_t random_state = SEED;
static int64_t skew_ms; /* server clock minus the player's, now */

static uint32_t random_below(size_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % n);
}

static enum drop judge(void *ctx, struct span env_key, struct beacon_env *out)
{
    const struct run *run = ctx;
    (void)env_key;
    *out = (struct beacon_env){.id = "env", .property_id = 1, .backfill = run->backfill};
    return DROP_NONE;
}

static struct recorded *recorded_of(struct run *run, const char *capture, struct span id)
{
    for (size_t i = 0; i < run->view_count; i++)
        if (run->views[i].capture == capture && span_eq(run->views[i].id, id)) return &run->views[i];
    assert_in_range(run->view_count, 0, VIEWS_MAX - 1);
    run->views[run->view_count] = (struct recorded){.id = id, .capture = capture};
    return &run->views[run->view_count++];
}

/* Where a POST came from: it is the view's when the POST brought the lowest sequence number first (rule 17). */
static struct viewer_facts some_place(void)
{
    static const char *const countries[] = {"DE", "FR", "US", "JP", "BR"};
    static const char *const agents[] = {"Agent/1", "Agent/2", "Agent/3"};
    return (struct viewer_facts){.country = span_of(countries[random_below(COUNT(countries))]),
                                 .asn = 1 + random_below(1000),
                                 .user_agent = span_of(agents[random_below(COUNT(agents))])};
}

struct reader {
    const struct formats *formats;
    uint8_t format;
    struct json_parser *json;
    struct arena *arena;
};

static void record_post(struct reader *r, struct run *run, struct span body, const char *capture, int64_t received_ms)
{
    struct format_output out = {.why = NULL};
    struct format_input in = {.body = arena_copy(r->arena, body),
                              .received_ms = received_ms,
                              .json = r->json,
                              .arena = r->arena,
                              .judge = judge,
                              .judge_ctx = run};
    if (format_decode(r->formats, r->format, &in, &out) != DROP_NONE) return;
    assert_in_range(post_count, 0, POSTS_MAX - 1);
    struct beacon *b = &posts[post_count++];
    *b = out.beacon;
    if (!run->backfill) b->viewer = some_place();
    for (uint32_t i = 0; i < b->event_count; i++) {
        struct recorded *v = recorded_of(run, capture, b->events[i].view_id);
        assert_in_range(v->n, 0, EVENTS_MAX - 1);
        size_t at = v->n++;
        for (; at > 0 && v->events[at - 1].b->received_ms > b->received_ms; at--) v->events[at] = v->events[at - 1];
        v->events[at] = (struct arrival){b, &b->events[i]};
    }
}

/* --- clocks --------------------------------------------------------------------------------------------------- */

static int64_t some_hours(void)
{
    return (int64_t)random_below(18 * HOUR_MS) - 9 * HOUR_MS;
}

/* A new player: every second one has a wrong clock. */
static void clock_begin(void)
{
    skew_ms = random_below(2) ? some_hours() : 0;
}

/* When a POST that left at sent_ms is received; no two POSTs at once, since two receipts of one instant have no order.
 */
static int64_t receipt_of(int64_t sent_ms)
{
    static int64_t counter;
    if (random_below(20) == 0) skew_ms += some_hours();
    else if (random_below(20) == 0) skew_ms += (int64_t)random_below(2 * MINUTE_MS) - MINUTE_MS;
    int64_t late_ms = random_below(30) == 0 ? random_below(3 * HOUR_MS) : random_below(20000);
    int64_t at_ms = sent_ms + skew_ms + late_ms;
    return at_ms - at_ms % POSTS_MAX + counter++ % POSTS_MAX;
}

/* --- rows ----------------------------------------------------------------------------------------------------- */

static void write_row(void *ctx, const struct view_row *row)
{
    view_row_write(row, ctx);
}

static void count_too_old(void *ctx, const char *environment_id, const char *why, uint32_t events)
{
    (void)ctx, (void)environment_id;
    if (strcmp(why, "too_old") == 0) too_old += events;
}

/* The viewend that was received next after that time; NULL: none. */
static const struct arrival *next_viewend(const struct arrival *events, size_t n, int64_t *after_ms)
{
    const struct arrival *next = NULL;
    for (size_t i = 0; i < n; i++) {
        if (events[i].e->name != EVENT_viewend || events[i].b->received_ms <= *after_ms) continue;
        if (next == NULL || events[i].b->received_ms < next->b->received_ms) next = &events[i];
    }
    if (next) *after_ms = next->b->received_ms;
    return next;
}

/* The row of the arrivals that a table keeps. It writes at the end only: its timers are longer than any clock is wrong.
 */
static void table_row_of(const struct arrival *events, size_t n, struct buf *out)
{
    struct view_table_options options = view_table_defaults();
    options.row = write_row, options.dropped = count_too_old, options.ctx = out;
    options.visible_after_ms = options.final_after_ms = options.open_after_ms_max = options.grace_ms =
        10000LL * HOUR_MS;
    struct view_table *t = view_table_new(&options);
    int64_t after_ms = INT64_MIN;
    for (size_t i = 0; i < n; i++)
        if (events[i].e->name != EVENT_viewend) view_table_apply(t, events[i].b, events[i].e);
    for (const struct arrival *end; (end = next_viewend(events, n, &after_ms));) view_table_apply(t, end->b, end->e);
    (void)view_table_tick(t, INT64_MAX / 2);
    view_table_free(t);
}

static void row_of(const struct arrival *events, size_t n, struct buf *out)
{
    struct arena arena;
    struct view_row row;
    arena_init(&arena, 16 << 20);
    struct view *v = view_new(strings, events[0].b, events[0].e);
    for (size_t i = 0; i < n; i++) assert_int_not_equal(view_apply(v, events[i].b, events[i].e), VIEW_FULL);
    view_fold(v, true, NULL, NULL, &arena, &row);
    view_row_write(&row, out);
    view_free(v);
    arena_free(&arena);
    if (!events[0].b->envs[events[0].e->env].backfill) table_row_of(events, n, out);
}

/* Every event once, up to half of them again, in any order. */
static size_t shuffled(const struct recorded *v, struct arrival *out)
{
    size_t n = v->n;
    memcpy(out, v->events, n * sizeof *out);
    for (size_t again = random_below(v->n / 2 + 1); again > 0; again--) out[n++] = v->events[random_below(v->n)];
    for (size_t i = n - 1; i > 0; i--) {
        size_t j = random_below(i + 1);
        struct arrival keep = out[i];
        out[i] = out[j];
        out[j] = keep;
    }
    return n;
}

static void shuffle_views(const struct recorded *some, size_t count)
{
    static struct arrival order[2 * EVENTS_MAX];
    struct buf row;
    buf_init(&row, 16 << 20);
    for (int round = 0; round < SHUFFLES / 2; round++) {
        const struct recorded *v = &some[(size_t)round % count];
        buf_clear(&row);
        row_of(order, shuffled(v, order), &row);
        size_t same = 0, len = row.len < v->row.len ? row.len : v->row.len;
        while (same < len && row.ptr[same] == v->row.ptr[same]) same++;
        if (same < row.len || same < v->row.len)
            fail_msg("%s, view %.*s, shuffle %d: the row differs at %.80s, in order of receipt %.80s", v->capture,
                     SPAN_ARG(v->id), round, row.ptr + (same > 40 ? same - 40 : 0),
                     v->row.ptr + (same > 40 ? same - 40 : 0));
    }
    buf_free(&row);
}

static void test_recordings(void **state)
{
    const struct run *run = *state;
    shuffle_views(run->views, run->recorded_count);
}

static void test_simulated(void **state)
{
    const struct run *run = *state;
    shuffle_views(run->views + run->recorded_count, run->view_count - run->recorded_count);
}

/* Views whose POSTs do not agree about the clock: only there it matters which of them decides. */
static size_t disagreeing(const struct run *run)
{
    size_t count = 0;
    for (size_t i = 0; i < run->view_count; i++) {
        const struct recorded *v = &run->views[i];
        int64_t least = INT64_MAX, most = INT64_MIN;
        for (size_t k = 0; k < v->n; k++) {
            int64_t offset_ms = v->events[k].b->clock_offset_ms;
            least = offset_ms < least ? offset_ms : least;
            most = offset_ms > most ? offset_ms : most;
        }
        count += most - least > DEAD_BAND_MS;
    }
    return count;
}

static void test_clocks(void **state)
{
    (void)state;
    size_t count = disagreeing(&live);
    printf("%zu of %zu views have POSTs that disagree about the clock; %zu events refused as too old\n", count,
           live.view_count, too_old);
    assert_in_range(count, live.view_count / 4, live.view_count);
    assert_true(too_old > 0);
}

/* --- what is shuffled ----------------------------------------------------------------------------------------- */

static void record(struct reader *r, const char *capture)
{
    static struct json_doc doc;
    struct json_parser *lines = json_parser_new();
    struct buf file = capture_read(capture, ".jsonl");
    struct span rest = buf_span(&file), line;
    clock_begin();
    while (line_next(&rest, &line)) {
        if (!json_parse(lines, line, 100000, &doc, NULL)) continue;
        struct span body = json_string(json_get(&doc, doc.nodes, "body"));
        int64_t at_ms = (int64_t)json_number(json_get(&doc, doc.nodes, "t_recv"));
        record_post(r, &backfilled, body, capture, 1795500000000);
        record_post(r, &live, body, capture, receipt_of(at_ms));
        if (random_below(4) == 0) record_post(r, &live, body, capture, receipt_of(at_ms)); /* sent again */
    }
    buf_free(&file);
    json_parser_free(lines);
}

/* The events of a POST as the client sends them at sent_ms, which is INT64_MIN for a client that does not say it. */
static void body_make(struct buf *body, const struct sim_session *s, const struct sim_post *post, int64_t sent_ms)
{
    buf_clear(body);
    buf_adds(body, "{");
    if (sent_ms != INT64_MIN) buf_addf(body, "\"metadata\":{\"transmission_timestamp\":%lld", (long long)sent_ms);
    if (sent_ms != INT64_MIN && random_below(2)) buf_addf(body, ",\"rtt_ms\":%u", random_below(3000));
    buf_adds(body, sent_ms != INT64_MIN ? "},\"events\":[" : "\"events\":[");
    for (uint32_t e = 0; e < post->event_count; e++) {
        const struct sim_event *event = &s->events[post->event_at + e];
        buf_add_span(body, span_make(s->json.ptr + event->json_at, event->json_len));
        if (e + 1 < post->event_count && buf_span(body).ptr[body->len - 1] != ',') buf_addc(body, ',');
    }
    if (buf_span(body).ptr[body->len - 1] == ',') body->len--;
    buf_adds(body, "]}");
}

/* One POST as it happens: some waited a day with the player before they left, some leave twice. */
static void send_live(struct reader *r, struct buf *body, const struct sim_session *s, const struct sim_post *post)
{
    do {
        int64_t left_ms = post->at_ms + (random_below(40) == 0 ? 25LL * HOUR_MS : 0);
        bool says = random_below(8) != 0;
        body_make(body, s, post, says ? left_ms + s->skew_ms : INT64_MIN);
        record_post(r, &live, buf_span(body), "simulated", receipt_of(left_ms));
    } while (random_below(4) == 0);
}

/* Whole sessions of the simulator: ads, live, renditions, failures, stalls, programme changes, wrong clocks. */
static void simulate(struct reader *r)
{
    static struct sim_keys keys;
    static struct sim_session session;
    struct sim_options o = {.keys = &keys,
                            .env_key = "k",
                            .beacon_domain = "localhost:1",
                            .seed = 11,
                            .views = SIMULATED,
                            .people = 200,
                            .base_ms = 1795400000000,
                            .median_ms = 20000,
                            .skew = 0.1,
                            .long_gaps = true};
    struct buf body;
    sim_keys_init(&keys);
    sim_session_init(&session);
    buf_init(&body, 4 << 20);
    for (uint64_t i = 0; i < SIMULATED; i += session.consumed) {
        sim_session_make(&session, &o, i, o.base_ms, o.base_ms);
        clock_begin();
        for (uint32_t p = 0; p < session.post_count; p++) {
            body_make(&body, &session, &session.posts[p], INT64_MIN);
            record_post(r, &backfilled, buf_span(&body), "simulated", 1795500000000);
            send_live(r, &body, &session, &session.posts[p]);
        }
    }
    buf_free(&body);
    sim_session_free(&session);
}

static void rows_make(struct run *run)
{
    for (size_t i = 0; i < run->view_count; i++) {
        buf_init(&run->views[i].row, 16 << 20);
        row_of(run->views[i].events, run->views[i].n, &run->views[i].row);
    }
}

int main(void)
{
    struct arena arena;
    arena_init(&arena, ARENA_BYTES_MAX);
    struct formats *formats = formats_new();
    struct reader r = {.formats = formats, .json = json_parser_new(), .arena = &arena};
    r.format = format_find(formats, &(struct format_hints){.content_type = SPAN("text/plain"), .path = SPAN("/")});
    strings = view_strings_new();
    for (size_t i = 0; i < COUNT(capture_names); i++) record(&r, capture_names[i]);
    backfilled.recorded_count = backfilled.view_count, live.recorded_count = live.view_count;
    simulate(&r);
    rows_make(&backfilled);
    rows_make(&live);
    size_t recorded = live.recorded_count, simulated = live.view_count - recorded;
    printf("seed %d: %zu recorded and %zu simulated views in %zu POSTs, %d shuffles each\n", SEED, recorded, simulated,
           post_count, SHUFFLES);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_recordings, &backfilled),
        cmocka_unit_test_prestate(test_recordings, &live),
        cmocka_unit_test_prestate(test_simulated, &backfilled),
        cmocka_unit_test_prestate(test_simulated, &live),
        cmocka_unit_test(test_clocks),
    };
    bool enough = recorded >= 30 && simulated >= SIMULATED && backfilled.view_count == live.view_count;
    int failed = !enough || cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < backfilled.view_count; i++) buf_free(&backfilled.views[i].row);
    for (size_t i = 0; i < live.view_count; i++) buf_free(&live.views[i].row);
    view_strings_free(strings);
    json_parser_free(r.json);
    formats_free(formats);
    arena_free(&arena);
    return failed;
}
