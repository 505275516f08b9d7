/* SPDX-License-Identifier: Apache-2.0
 * The store against real ClickHouse: Debian's clickhouse-server (18.16) and the engine (26.7), the same test on each.
 *
 * The server is started here from a scratch configuration on ports of the loopback address; the engine is the program
 * that FIRSTFRAME_ENGINE names, else firstframe-engine in the directory above this program. Which of them were there is
 * printed; none at all is a failure, and FIRSTFRAME_REQUIRE_STORES=both makes one that is missing a failure too. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/counters.h"
#include "base/log.h"
#include "rows.h"
#include "store/escape.h"
#include "store/internal.h"
#include "store/read.h"
#include "store/result.h"
#include "store/schema.h"
#include "store/writer.h"
#include "store/writer_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { READY_MS = 120000, STORED_MS = 120000 };

/* One of the two, while its tests run. */
struct place {
    const char *name;
    char dir[64];
    char url[64]; /* "": the engine */
    char engine[4096];
    int pid; /* of the server */
    struct store *store;
};

/* -- the server ----------------------------------------------------------------------------------------------- */

static int free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    (void)close(fd);
    return ntohs(a.sin_port);
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void server_run(struct place *p)
{
    char arg[128], log[128];
    (void)snprintf(arg, sizeof arg, "--config-file=%s/config.xml", p->dir);
    (void)snprintf(log, sizeof log, "%s/out", p->dir);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = open(log, O_WRONLY | O_CREAT, 0600);
        (void)dup2(fd, 1);
        (void)dup2(fd, 2);
        if (chdir(p->dir) == 0) execlp("clickhouse-server", "clickhouse-server", arg, (char *)NULL);
        _exit(127);
    }
}

static void server_start(struct place *p)
{
    char config[2048];
    int http = free_port(), tcp = free_port();
    (void)snprintf(p->url, sizeof p->url, "http://tester:s%%40cret@127.0.0.1:%d", http);
    (void)snprintf(config, sizeof config,
                   "<yandex><logger><level>warning</level><log>%s/log</log><errorlog>%s/err</errorlog></logger>"
                   "<http_port>%d</http_port><tcp_port>%d</tcp_port><listen_host>127.0.0.1</listen_host>"
                   "<path>%s/data/</path><tmp_path>%s/tmp/</tmp_path><mark_cache_size>268435456</mark_cache_size>"
                   "<users_config>users.xml</users_config><default_profile>default</default_profile>"
                   "<default_database>default</default_database></yandex>",
                   p->dir, p->dir, http, tcp, p->dir, p->dir);
    write_file(p->dir, "config.xml", config);
    write_file(
        p->dir, "users.xml",
        "<yandex><profiles><default></default></profiles><users><tester><password>s@cret</password>"
        "<networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></tester></users>"
        "<quotas><default></default></quotas></yandex>");
    server_run(p);
}

static void server_kill(struct place *p)
{
    if (p->pid <= 0) return;
    (void)kill(p->pid, SIGKILL);
    (void)waitpid(p->pid, NULL, 0);
    p->pid = 0;
}

static struct store *open_store(struct place *p)
{
    char why[256], dir[128];
    (void)snprintf(dir, sizeof dir, "%s/engine", p->dir);
    struct store_options o = {.url = p->url[0] ? p->url : NULL, .engine = p->engine, .engine_dir = dir};
    struct store *s = store_open(&o, why);
    if (s == NULL) fail_msg("%s", why);
    return s;
}

static struct place *under_test;

static int place_up(void **state)
{
    struct place *p = *state = under_test;
    if (p->url[0] == 0 && p->engine[0] == 0) server_start(p);
    p->store = open_store(p);
    if (!store_wait_ready(p->store, READY_MS)) {
        struct store_status st;
        store_status(p->store, &st);
        fail_msg("%s is not ready: %s", p->name, st.text);
    }
    struct store_status st;
    store_status(p->store, &st);
    print_message("store under test: %s, version %s\n", p->name, st.version);
    return 0;
}

static int place_down(void **state)
{
    struct place *p = *state;
    store_stop(p->store);
    p->store = NULL;
    server_kill(p);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", p->dir);
    return system(command);
}

/* -- words ---------------------------------------------------------------------------------------------------- */

static void ask(struct place *p, struct span sql, struct buf *rows)
{
    struct store_error error;
    buf_clear(rows);
    enum err e = store_select(p->store, sql, rows, &error);
    if (e != ERR_NONE)
        fail_msg("%s: %s %d %s\n%.*s", p->name, err_name(e), error.code, error.text, SPAN_ARG(span_upto(sql, 3000)));
}

static int64_t number(struct place *p, const char *sql)
{
    struct buf rows;
    buf_init(&rows, 1 << 20);
    ask(p, span_of(sql), &rows);
    assert_int_equal(rows.len, 8);
    struct bytes in = bytes_of(buf_span(&rows));
    int64_t v = rb_i64(&in);
    buf_free(&rows);
    return v;
}

/* An aggregate over the views of an environment. */
static int64_t views(struct place *p, const char *aggregate, const char *environment, const char *more)
{
    struct buf sql, where;
    buf_init(&sql, 1 << 20);
    buf_init(&where, 1 << 20);
    buf_adds(&where, "environment_id = ");
    store_escape_text(&where, span_of(environment));
    buf_adds(&where, more);
    buf_addf(&sql, "SELECT toInt64(%s) FROM ", aggregate);
    store_views_from(&sql, p->store, "id_hi, id_lo, version, ifNull(video_startup_time, 0) AS v", buf_span(&where));
    int64_t v = number(p, sql.ptr);
    buf_free(&sql);
    buf_free(&where);
    return v;
}

static struct store_writer *writer(struct place *p)
{
    struct store_writer_options o = store_writer_defaults();
    o.age_ms = 50;
    o.cleanup_ms = 3600000;
    return store_writer_start(p->store, &o);
}

static void put(struct store_writer *w, const struct view_row *row)
{
    while (!store_writer_row(w, 0, row)) (void)usleep(1000);
}

static void settle(struct store_writer *w)
{
    static atomic_uint_fast64_t next;
    uint64_t n = atomic_fetch_add(&next, 1) + 1;
    store_writer_barrier(w, 0, n);
    assert_true(store_writer_wait_stored(w, n, STORED_MS));
}

/* -- tests ---------------------------------------------------------------------------------------------------- */

static void test_schema(void **state)
{
    struct place *p = *state;
    assert_int_equal(
        number(p, "SELECT toInt64(count()) FROM system.columns WHERE database = 'firstframe' AND table = 'views' AND "
                  "default_kind = ''"),
        store_column_count());
    assert_int_equal(number(p, "SELECT toInt64(count()) FROM firstframe.migrations"), 6);
    struct store_error error;
    /* Interrupted, or an older table: what is missing comes back, and nothing is done twice. */
    assert_int_equal(store_execute(p->store,
                                   SPAN("ALTER TABLE firstframe.views DROP COLUMN custom_20, DROP COLUMN event_names"),
                                   0, &error),
                     ERR_NONE);
    struct store_dialect d = store_dialect(p->store);
    assert_int_equal(store_schema_migrate(p->store->client, &d, &error), ERR_NONE);
    assert_int_equal(store_schema_migrate(p->store->client, &d, &error), ERR_NONE);
    assert_int_equal(
        number(p, "SELECT toInt64(count()) FROM system.columns WHERE database = 'firstframe' AND table = 'views' AND "
                  "default_kind = ''"),
        store_column_count());
    assert_int_equal(number(p, "SELECT toInt64(count()) FROM firstframe.migrations"), 7);
    assert_int_equal(
        number(p, "SELECT toInt64(count()) FROM firstframe.migrations WHERE detail = 'custom_20,event_names'"), 1);
}

/* A table made when a text was thought to have many values keeps its rows and gets the present type. */
static void test_texts_are_recoded(void **state)
{
    struct place *p = *state;
    struct store_dialect d = store_dialect(p->store);
    struct store_error error;
    if (!d.recodes) return;
    struct store_writer *w = writer(p);
    for (uint64_t i = 0; i < 100; i++) {
        struct view_row r = test_row("recoded", i, true, TEST_NOON_MS);
        r.video_title = i % 2 ? SPAN("odd") : (struct span){NULL, 0};
        put(w, &r);
    }
    settle(w);
    assert_int_equal(store_execute(p->store,
                                   SPAN("ALTER TABLE firstframe.views MODIFY COLUMN video_title Nullable(String) "
                                        "SETTINGS mutations_sync = 1"),
                                   0, &error),
                     ERR_NONE);
    assert_int_equal(store_schema_migrate(p->store->client, &d, &error), ERR_NONE);
    assert_int_equal(number(p, "SELECT toInt64(count()) FROM system.columns WHERE database = 'firstframe' AND "
                               "table = 'views' AND name = 'video_title' AND type LIKE 'LowCardinality%'"),
                     1);
    assert_int_equal(number(p, "SELECT toInt64(countIf(ifNull(video_title = 'odd', 0)) * 1000 + "
                               "countIf(isNull(video_title))) FROM firstframe.views WHERE environment_id = 'recoded'"),
                     50050);
    assert_int_equal(number(p, "SELECT toInt64(count()) FROM firstframe.migrations WHERE detail = 'video_title'"), 1);
    assert_true(store_writer_stop(w, STORED_MS));
}

/* Profiles say what the columns say, of rows that were there before them, too. */
static void test_profiles(void **state)
{
    struct place *p = *state;
    struct store_dialect d = store_dialect(p->store);
    struct store_error error;
    struct store_status status;
    store_status(p->store, &status);
    assert_int_equal(d.profiles, status.embedded);
    if (!d.profiles) return;
    struct store_writer *w = writer(p);
    struct view_row r = test_row("profiles", 1, true, TEST_NOON_MS);
    r.video_series = SPAN("a\tb\\");
    r.video_title = SPAN("\\N");
    r.video_brand = SPAN("it's\n");
    r.video_affiliate = r.video_creator_id = SPAN("x");
    put(w, &r);
    settle(w);
    assert_true(store_writer_stop(w, STORED_MS));
    static const char find[] = "SELECT toInt64(count()) FROM firstframe.views WHERE environment_id = 'profiles' AND "
                               "profile_video = '\\\\N\\t\\\\N\\t\\\\N\\t\\\\N\\t\\\\N\\ta\\\\tb\\\\\\\\\\t"
                               "\\\\\\\\N\\tit\\'s\\n\\tx\\tx'";
    assert_int_equal(number(p, find), 1);
    assert_int_equal(store_execute(p->store, SPAN("ALTER TABLE firstframe.views DROP COLUMN profile_video"), 0, &error),
                     ERR_NONE);
    assert_int_equal(store_execute(p->store,
                                   SPAN("ALTER TABLE firstframe.migrations DELETE WHERE number = 6 SETTINGS "
                                        "mutations_sync = 1"),
                                   0, &error),
                     ERR_NONE);
    bool filled = true;
    assert_int_equal(store_execute(p->store, SPAN("SYSTEM STOP MERGES firstframe.views"), 0, &error), ERR_NONE);
    assert_int_equal(store_schema_migrate(p->store->client, &d, &error), ERR_NONE);
    assert_int_equal(store_schema_profiles_filled(p->store->client, STORED_MS, &filled, &error), ERR_NONE);
    assert_false(filled);
    assert_int_equal(number(p, find), 1);
    assert_int_equal(store_execute(p->store, SPAN("SYSTEM START MERGES firstframe.views"), 0, &error), ERR_NONE);
    for (int i = 0; !filled && i < STORED_MS / 10; i++) {
        (void)usleep(10000);
        assert_int_equal(store_schema_profiles_filled(p->store->client, STORED_MS, &filled, &error), ERR_NONE);
    }
    assert_true(filled);
    assert_int_equal(number(p, find), 1);
}

static void test_every_column_comes_back(void **state)
{
    struct place *p = *state;
    struct view_row r = test_row("columns", 1, true, TEST_NOON_MS);
    struct span texts[] = {SPAN("it's"), SPAN(""), SPAN("a\\b\n\0c")};
    int64_t ints[] = {-1, INT64_MAX};
    double doubles[] = {0.1, -1};
#define FILL_LC                                                                                                        \
    (struct span)                                                                                                      \
    {                                                                                                                  \
        "l\xc3\xa9", 3                                                                                                 \
    }
#define FILL_STR SPAN("s\0x'\\")
#define FILL_I32                                                                                                       \
    (struct opt_i64)                                                                                                   \
    {                                                                                                                  \
        -2147483647, true                                                                                              \
    }
#define FILL_I64                                                                                                       \
    (struct opt_i64)                                                                                                   \
    {                                                                                                                  \
        INT64_MIN, true                                                                                                \
    }
#define FILL_F64                                                                                                       \
    (struct opt_f64)                                                                                                   \
    {                                                                                                                  \
        0.1, true                                                                                                      \
    }
#define FILL_BOOL true
#define FILL_NBOOL                                                                                                     \
    (struct opt_i64)                                                                                                   \
    {                                                                                                                  \
        1, true                                                                                                        \
    }
#define FILL_ASTR                                                                                                      \
    (struct list_text)                                                                                                 \
    {                                                                                                                  \
        texts, 3                                                                                                       \
    }
#define FILL_AI64                                                                                                      \
    (struct list_i64)                                                                                                  \
    {                                                                                                                  \
        ints, 2                                                                                                        \
    }
#define FILL_AF64                                                                                                      \
    (struct list_f64)                                                                                                  \
    {                                                                                                                  \
        doubles, 2                                                                                                     \
    }
#define COL(name, kind, rest, form, meaning) r.name = FILL_##kind;
#include "views/columns.def"
#undef COL
    struct view_row empty = test_row("columns", 2, true, TEST_NOON_MS);
#define COL(name, kind, rest, form, meaning) memset(&empty.name, 0, sizeof empty.name);
#include "views/columns.def"
#undef COL
    struct store_writer *w = writer(p);
    put(w, &r);
    put(w, &empty);
    settle(w);
    assert_true(store_writer_stop(w, STORED_MS));
    struct buf sql, rows, want;
    buf_init(&sql, 1 << 20);
    buf_init(&rows, 1 << 20);
    buf_init(&want, 1 << 20);
    buf_adds(&sql, "SELECT ");
    for (size_t i = 0; i < store_column_count(); i++) buf_addf(&sql, "%s%s", i ? "," : "", store_column_at(i)->name);
    buf_adds(&sql, " FROM firstframe.views WHERE environment_id = 'columns' ORDER BY id_lo DESC");
    ask(p, buf_span(&sql), &rows);
    store_row_encode(&want, &r, rows.ptr + STORE_BATCH_ID_AT);
    store_row_encode(&want, &empty, rows.ptr + STORE_BATCH_ID_AT);
    assert_int_equal(rows.len, want.len);
    assert_memory_equal(rows.ptr, want.ptr, want.len);
    buf_free(&sql);
    buf_free(&rows);
    buf_free(&want);
}

static void test_escape_round_trip(void **state)
{
    struct place *p = *state;
    char all[512];
    for (int i = 0; i < 256; i++) all[i] = (char)i, all[511 - i] = (char)i;
    struct span text = span_make(all, sizeof all);
    struct buf sql, rows;
    buf_init(&sql, 1 << 20);
    buf_init(&rows, 1 << 20);
    buf_adds(&sql, "SELECT ");
    store_escape_text(&sql, text);
    ask(p, buf_span(&sql), &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    assert_true(span_eq(rb_text(&in), text));
    buf_free(&sql);
    buf_free(&rows);
}

/* NumPy's default, worked out here. */
static double percentile(const double *sorted, size_t n, double q)
{
    double h = (double)(n - 1) * q, low = floor(h);
    size_t i = (size_t)low, j = i + 1 < n ? i + 1 : i;
    return sorted[i] + (h - low) * (sorted[j] - sorted[i]);
}

static void test_percentiles(void **state)
{
    struct place *p = *state;
    static const double qs[] = {0, 0.05, 0.5, 0.95, 1};
    for (size_t n = 1; n <= 40; n += n < 5 ? 1 : 7) {
        double sorted[64];
        for (size_t i = 0; i < n; i++) sorted[i] = (double)(i * i) * 1.1;
        struct buf sql, rows;
        buf_init(&sql, 1 << 20);
        buf_init(&rows, 1 << 20);
        buf_adds(&sql, "SELECT ");
        for (size_t i = 0; i < COUNT(qs); i++) {
            if (i) buf_adds(&sql, ", ");
            store_percentile(&sql, p->store, qs[i], "v");
        }
        buf_addf(&sql, " FROM (SELECT toFloat64(number * number) * 1.1 AS v FROM system.numbers LIMIT %zu)", n);
        ask(p, buf_span(&sql), &rows);
        struct bytes in = bytes_of(buf_span(&rows));
        for (size_t i = 0; i < COUNT(qs); i++) {
            double got = rb_f64(&in), want = percentile(sorted, n, qs[i]);
            if (!(fabs(got - want) <= 1e-12 * fabs(want)))
                fail_msg("n=%zu q=%g: %.17g, not %.17g", n, qs[i], got, want);
        }
        assert_true(in.ok && bytes_left(&in) == 0);
        buf_free(&sql);
        buf_free(&rows);
    }
    struct buf sql, rows;
    buf_init(&sql, 1 << 20);
    buf_init(&rows, 1 << 20);
    buf_adds(&sql, "SELECT ");
    store_percentile(&sql, p->store, 0.5, "v");
    buf_adds(&sql, " FROM (SELECT toFloat64(number) AS v FROM system.numbers LIMIT 3) WHERE v > 5");
    ask(p, buf_span(&sql), &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    assert_true(isnan(rb_f64(&in)));
    buf_free(&sql);
    buf_free(&rows);
}

static void test_errors(void **state)
{
    struct place *p = *state;
    struct store_error error;
    struct buf rows;
    buf_init(&rows, 4096);
    assert_int_equal(store_select(p->store, SPAN("SELECT nothing FROM firstframe.nowhere"), &rows, &error),
                     ERR_REFUSED);
    assert_int_equal(error.code, 60);
    assert_non_null(strstr(error.text, "nowhere"));
    /* Reading only. */
    assert_int_equal(store_select(p->store, SPAN("DROP TABLE firstframe.views"), &rows, &error), ERR_REFUSED);
    assert_int_equal(store_select(p->store, SPAN("ALTER TABLE firstframe.views DROP PARTITION (0, 1)"), &rows, &error),
                     ERR_REFUSED);
    /* Half a result is no result: the error comes after many rows. */
    assert_int_equal(store_select(p->store,
                                  SPAN("SELECT throwIf(number = 300) FROM system.numbers LIMIT 400 "
                                       "SETTINGS max_block_size = 10"),
                                  &rows, &error),
                     ERR_REFUSED);
    assert_int_equal(rows.len, 0);
    /* Larger than the bound. */
    assert_int_equal(store_select(p->store, SPAN("SELECT number FROM system.numbers LIMIT 100000"), &rows, &error),
                     ERR_FULL);
    assert_int_equal(rows.len, 0);
    /* By the store's clock. */
    struct store_limits limits = {.timeout_ms = 1000};
    buf_clear(&rows);
    assert_int_equal(store_select_as(p->store,
                                     SPAN("SELECT count() FROM system.numbers WHERE sipHash64(toString(number)) = 1"),
                                     &limits, "RowBinary", &rows, &error),
                     ERR_TIMEOUT);
    buf_free(&rows);
}

static void test_pending_and_final(void **state)
{
    struct place *p = *state;
    const char *env = "pending";
    struct store_writer *w = writer(p);
    struct view_row r = test_row(env, 1, false, TEST_NOON_MS);
    put(w, &r); /* pending, version 1 */
    struct view_row other = test_row(env, 2, true, TEST_NOON_MS);
    put(w, &other); /* final at once */
    settle(w);
    assert_true(store_pending_from(p->store) < INT64_MAX);
    assert_int_equal(views(p, "count()", env, ""), 2);
    assert_int_equal(views(p, "sum(v)", env, ""), 1 + 2);
    r.version = 2; /* pending again, with another value, country and hour */
    r.video_startup_time.v = 50;
    r.country = SPAN("DE");
    r.view_end_ms += 3600000;
    put(w, &r);
    settle(w);
    assert_int_equal(views(p, "count()", env, ""), 2);
    assert_int_equal(views(p, "sum(v)", env, ""), 50 + 2);
    /* The condition is of the version that counts. */
    assert_int_equal(views(p, "count()", env, " AND ifNull(country = 'NL', 0)"), 1);
    assert_int_equal(views(p, "count()", env, " AND ifNull(country = 'DE', 0)"), 1);
    writer_clean(w);
    assert_true(store_pending_from(p->store) < INT64_MAX);
    assert_int_equal(views(p, "count()", env, ""), 2);
    r.version = 3; /* final */
    r.final = r.had_pending = true;
    r.video_startup_time.v = 70;
    r.view_end_ms += 20 * 3600000; /* of the next day */
    put(w, &r);
    settle(w);
    assert_int_equal(views(p, "count()", env, ""), 2);
    assert_int_equal(views(p, "sum(v)", env, ""), 70 + 2);
    assert_int_equal(number(p, "SELECT toInt64(count()) FROM firstframe.views WHERE environment_id = 'pending'"), 4);
    writer_clean(w);
    assert_true(store_pending_from(p->store) == INT64_MAX);
    assert_int_equal(number(p, "SELECT toInt64(count()) FROM firstframe.views WHERE environment_id = 'pending'"), 2);
    assert_int_equal(views(p, "sum(v)", env, ""), 70 + 2);
    assert_true(store_writer_stop(w, STORED_MS));
}

static void test_checked_rows(void **state)
{
    struct place *p = *state;
    const char *env = "checked";
    struct store_writer *w = writer(p);
    for (uint64_t i = 0; i < 100; i++) {
        struct view_row r = test_row(env, i, i % 2 == 0, TEST_NOON_MS + (int64_t)i);
        put(w, &r);
    }
    settle(w);
    for (uint64_t i = 0; i < 120; i++) { /* the replay: the same, and 20 more */
        struct view_row r = test_row(env, i, i % 2 == 0, TEST_NOON_MS + (int64_t)i);
        r.check = true;
        put(w, &r);
    }
    struct view_row newer = test_row(env, 1, false, TEST_NOON_MS); /* a new version of a pending one */
    newer.version = 2;
    newer.check = true;
    put(w, &newer);
    struct view_row older = test_row(env, 0, true, TEST_NOON_MS + 2 * TEST_DAY_MS); /* came back days later */
    older.check = true;
    put(w, &older);
    /* A view id that somebody made up is known however long ago it was used, and without being asked for. */
    struct view_row named = test_row(env, 1000, true, TEST_NOON_MS), uuid = test_row(env, 1001, true, TEST_NOON_MS);
    named.view_id = SPAN("test-1");
    uuid.view_id = SPAN("0a0a0a0a-0000-4000-8000-00000000beef");
    put(w, &named);
    put(w, &uuid);
    settle(w);
    named.view_end_ms += 40 * TEST_DAY_MS;
    uuid.view_end_ms += 40 * TEST_DAY_MS;
    put(w, &named);
    uuid.id.lo++; /* as another view's: nobody looks */
    put(w, &uuid);
    settle(w);
    struct store_writer_status st;
    store_writer_status(w, &st);
    assert_int_equal(st.rows_known, 102);
    assert_int_equal(number(p, "SELECT toInt64(count()) FROM firstframe.views WHERE environment_id = 'checked'"), 124);
    assert_int_equal(views(p, "count()", env, ""), 123);
    assert_true(store_writer_stop(w, STORED_MS));
}

/* Views that go from pending to final while somebody counts: their number never changes. */
struct counting {
    struct place *place;
    atomic_bool stop;
    int64_t least, most, times;
};

static void *count_run(void *ctx)
{
    struct counting *c = ctx;
    c->least = INT64_MAX;
    while (!atomic_load(&c->stop)) {
        int64_t n = views(c->place, "count()", "moving", "");
        if (n < c->least) c->least = n;
        if (n > c->most) c->most = n;
        c->times++;
    }
    return NULL;
}

static void test_never_missing_never_twice(void **state)
{
    struct place *p = *state;
    enum { VIEWS = 3000, EACH = 50 };
    struct store_writer *w = writer(p);
    for (uint64_t i = 0; i < VIEWS; i++) {
        struct view_row r = test_row("moving", i, false, TEST_NOON_MS);
        put(w, &r);
    }
    settle(w);
    struct counting c = {.place = p};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, count_run, &c), 0);
    for (uint64_t i = 0; i < VIEWS; i++) {
        struct view_row r = test_row("moving", i, true, TEST_NOON_MS);
        r.version = 2;
        r.had_pending = true;
        put(w, &r);
        if (i % EACH == EACH - 1) settle(w);
    }
    for (int i = 0; i < 20; i++) writer_clean(w);
    atomic_store(&c.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(views(p, "count()", "moving", ""), VIEWS);
    print_message("counted %" PRId64 " times meanwhile: %" PRId64 " to %" PRId64 " of %d\n", c.times, c.least, c.most,
                  VIEWS);
    assert_int_equal(c.least, VIEWS);
    assert_int_equal(c.most, VIEWS);
    assert_true(store_writer_stop(w, STORED_MS));
}

/* The writer goes on while the store is killed, again and again. */
static void test_kills(void **state)
{
    struct place *p = *state;
    enum { KILLS = 10, ROWS = 20000, EACH = ROWS / KILLS };
    struct store_writer_options o = store_writer_defaults();
    o.age_ms = 5;
    o.rows_max = 150;
    int killed = 0;
    struct store_writer *w = store_writer_start(p->store, &o);
    for (uint64_t i = 0; i < ROWS; i++) {
        struct view_row r = test_row("kills", i, true, TEST_NOON_MS + (int64_t)(i % 3) * TEST_DAY_MS);
        put(w, &r);
        if (i % EACH != EACH / 2) continue;
        struct store_status st;
        do { /* not the one that was killed just now */
            assert_true(store_wait_ready(p->store, READY_MS));
            (void)usleep((useconds_t)(20000 + 7919 * (i / EACH)));
            store_status(p->store, &st);
        } while (p->pid == 0 && (st.engine_pid == 0 || st.engine_pid == killed));
        killed = st.engine_pid;
        if (p->pid) {
            server_kill(p);
            server_run(p);
        } else {
            assert_true(st.engine_pid > 0);
            assert_int_equal(kill(st.engine_pid, SIGKILL), 0);
        }
    }
    settle(w);
    assert_true(store_writer_stop(w, STORED_MS));
    assert_int_equal(number(p, "SELECT toInt64(count()) FROM firstframe.views WHERE environment_id = 'kills'"), ROWS);
    assert_int_equal(
        number(p, "SELECT toInt64(uniqExact(id_hi, id_lo)) FROM firstframe.views WHERE environment_id = 'kills'"),
        ROWS);
    print_message("%d kills, batches sent again: %" PRId64 "\n", KILLS, counter_get(COUNTER_store_batch_retries_total));
}

static void test_generations(void **state)
{
    struct place *p = *state;
    uint64_t all = store_generation(p->store);
    uint64_t day = store_generation_between(p->store, TEST_NOON_MS, TEST_NOON_MS + 1);
    uint64_t other =
        store_generation_between(p->store, TEST_NOON_MS + 30 * TEST_DAY_MS, TEST_NOON_MS + 31 * TEST_DAY_MS);
    struct store_writer *w = writer(p);
    struct view_row r = test_row("generations", 1, true, TEST_NOON_MS);
    put(w, &r);
    settle(w);
    assert_true(store_writer_stop(w, STORED_MS));
    assert_true(store_generation(p->store) > all);
    assert_true(store_generation_between(p->store, TEST_NOON_MS, TEST_NOON_MS + 1) > day);
    assert_int_equal(
        store_generation_between(p->store, TEST_NOON_MS + 30 * TEST_DAY_MS, TEST_NOON_MS + 31 * TEST_DAY_MS), other);
    store_changed(p->store, TEST_NOON_MS + 30 * TEST_DAY_MS, TEST_NOON_MS + 30 * TEST_DAY_MS);
    assert_true(store_generation_between(p->store, TEST_NOON_MS + 30 * TEST_DAY_MS, TEST_NOON_MS + 31 * TEST_DAY_MS) >
                other);
    for (int64_t i = 0; i < 3 * STORE_DAYS_MAX; i++) store_changed(p->store, i * 7 * TEST_DAY_MS, i * 7 * TEST_DAY_MS);
    assert_int_equal(store_generation_between(p->store, INT64_C(3) * STORE_DAYS_MAX * 7 * TEST_DAY_MS - 7 * TEST_DAY_MS,
                                              INT64_C(3) * STORE_DAYS_MAX * 7 * TEST_DAY_MS),
                     store_generation(p->store));
}

/* -- which ---------------------------------------------------------------------------------------------------- */

static bool program_is_there(const char *path)
{
    return access(path, X_OK) == 0;
}

static bool server_is_there(void)
{
    const char *path = getenv("PATH");
    for (struct span rest = span_of(path); rest.len;) {
        ptrdiff_t colon = span_find(rest, ':');
        struct span dir = colon < 0 ? rest : span_upto(rest, (size_t)colon);
        char file[4096];
        (void)snprintf(file, sizeof file, "%.*s/clickhouse-server", SPAN_ARG(dir));
        if (program_is_there(file)) return true;
        rest = colon < 0 ? (struct span){NULL, 0} : span_from(rest, (size_t)colon + 1);
    }
    return false;
}

static bool engine_is_there(char out[4096])
{
    const char *named = getenv("FIRSTFRAME_ENGINE");
    if (named) {
        (void)snprintf(out, 4096, "%s", named);
        return program_is_there(out);
    }
    char self[4000] = "";
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    for (int i = 0; i < 2 && n > 0; i++) {
        char *slash = strrchr(self, '/');
        if (slash) *slash = 0;
    }
    (void)snprintf(out, 4096, "%s/firstframe-engine", self);
    return program_is_there(out);
}

static int run(const char *name, const char *engine)
{
    static struct place p;
    p = (struct place){.name = name};
    (void)snprintf(p.dir, sizeof p.dir, "/tmp/firstframe-store-XXXXXX");
    if (mkdtemp(p.dir) == NULL) return 1;
    (void)snprintf(p.engine, sizeof p.engine, "%s", engine);
    under_test = &p;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_texts_are_recoded), cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_every_column_comes_back),
        cmocka_unit_test(test_escape_round_trip),
        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_pending_and_final),
        cmocka_unit_test(test_checked_rows),
        cmocka_unit_test(test_never_missing_never_twice),
        cmocka_unit_test(test_kills),
        cmocka_unit_test(test_generations),
    };
    return cmocka_run_group_tests_name(name, tests, place_up, place_down);
}

int main(void)
{
    char engine[4096];
    bool have_server = server_is_there(), have_engine = engine_is_there(engine);
    const char *require = getenv("FIRSTFRAME_REQUIRE_STORES");
    log_setup(getenv("FIRSTFRAME_TEST_LOG") ? LOG_DEBUG : LOG_ERROR, false);
    (void)signal(SIGPIPE, SIG_IGN);
    printf("clickhouse-server: %s\nfirstframe-engine: %s\n", have_server ? "tested" : "NOT THERE, not tested",
           have_engine ? engine : "NOT THERE, not tested");
    (void)fflush(stdout);
    if (!have_server && !have_engine) return 1;
    if (require && strcmp(require, "both") == 0 && !(have_server && have_engine)) return 1;
    int failed = 0;
    if (have_server) failed += run("clickhouse-server", "");
    if (have_engine) failed += run("firstframe-engine", engine);
    return failed;
}
