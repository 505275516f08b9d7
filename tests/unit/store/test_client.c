/* SPDX-License-Identifier: Apache-2.0
 * The client: addresses, credentials, long socket paths, bounds, ends. */
#include "fake.h"

#include "store/client.h"
#include "store/dialect.h"

#include <signal.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_urls(void **state)
{
    (void)state;
    static const char *const bad[] = {"",        "127.0.0.1:8123 x",     "ftp://127.0.0.1",
                                      "http://", "http://h/?query=DROP", "http://a%0ab:c@127.0.0.1:1/"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        char why[256] = "";
        struct store_client_options o = {.url = bad[i]};
        struct store_client *c = store_client_new(&o, why);
        if (c) fail_msg("\"%s\" was taken", bad[i]);
        assert_true(strlen(why) > 10);
    }
}

static void test_credentials(void **state)
{
    (void)state;
    struct fake *f = fake_start("26.7.2.1", NULL);
    char url[128], why[256];
    (void)snprintf(url, sizeof url, "http://me:p%%40ss%%3aword@%s/", f->url + 7);
    struct store_client_options o = {.url = url};
    struct store_client *c = store_client_new(&o, why);
    assert_non_null(c);
    struct store_error error;
    struct store_dialect d;
    assert_int_equal(store_dialect_detect(c, &d, &error), ERR_NONE);
    assert_int_equal(d.release, 26007);
    assert_true(d.dedup_token && d.shared_snapshot && d.exact_inclusive);
    assert_string_equal(f->user, "me");
    assert_string_equal(f->key, "p@ss:word");
    store_client_free(c);
    fake_stop(f);
}

static void test_long_socket_path(void **state)
{
    (void)state;
    char base[64] = "/tmp/firstframe-client-XXXXXX", dir[512], path[600], why[256];
    assert_non_null(mkdtemp(base));
    (void)snprintf(dir, sizeof dir, "%s/%0150d", base, 7);
    assert_int_equal(mkdir(dir, 0700), 0);
    char here[80];
    (void)snprintf(here, sizeof here, "%s/s", base);
    struct fake *f = fake_start("18.16.1", here);
    (void)snprintf(path, sizeof path, "%s/s", dir);
    assert_int_equal(rename(here, path), 0);
    struct store_client_options o = {.socket_path = path};
    struct store_client *c = store_client_new(&o, why);
    assert_non_null(c);
    struct store_error error;
    assert_int_equal(store_ping(c, 10000, &error), ERR_NONE);
    struct store_dialect d;
    assert_int_equal(store_dialect_detect(c, &d, &error), ERR_NONE);
    assert_int_equal(d.release, 18016);
    assert_false(d.dedup_token || d.codecs || d.exact_inclusive);
    store_client_free(c);
    fake_stop(f);
    (void)unlink(path);
    (void)rmdir(dir);
    (void)rmdir(base);
    o.socket_path =
        "/nowhere/at/all/"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/s";
    assert_null(store_client_new(&o, why));
}

struct asking {
    struct store_client *client;
    enum err e;
    struct store_error error;
};

static void *ask_for_ever(void *ctx)
{
    struct asking *a = ctx;
    struct store_settings none = {0};
    a->e = store_insert(a->client, SPAN("INSERT INTO t FORMAT RowBinary"), &none,
                        SPAN("0123456789012345678901234567890123456789"), 600000, &a->error);
    return NULL;
}

static void test_time_out_and_stop(void **state)
{
    (void)state;
    struct fake *f = fake_start("26.7.2.1", NULL);
    static const enum fake_act acts[] = {FAKE_HANG, FAKE_HANG};
    fake_script(f, acts, 2);
    char why[256];
    struct store_client_options o = {.url = f->url};
    struct store_client *c = store_client_new(&o, why);
    struct store_error error;
    struct store_settings none = {0};
    assert_int_equal(store_insert(c, SPAN("INSERT INTO t FORMAT RowBinary"), &none, SPAN("x"), 100, &error),
                     ERR_TIMEOUT);
    assert_false(error.unsent);
    struct asking a = {.client = c};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask_for_ever, &a), 0);
    while (atomic_load(&f->tries) < 2) (void)usleep(1000);
    store_client_stop(c);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(a.e, ERR_CLOSED);
    assert_int_equal(store_ping(c, 1000, &error), ERR_CLOSED);
    store_client_free(c);
    fake_stop(f);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct fake *f = fake_start("26.7.2.1", NULL);
    char url[64], why[256];
    (void)snprintf(url, sizeof url, "%s", f->url);
    fake_stop(f);
    struct store_client_options o = {.url = url};
    struct store_client *c = store_client_new(&o, why);
    struct store_error error;
    struct store_settings none = {0};
    assert_int_equal(store_insert(c, SPAN("INSERT"), &none, SPAN("x"), 5000, &error), ERR_UNAVAILABLE);
    assert_true(error.unsent);
    assert_true(strlen(error.text) > 0);
    store_client_free(c);
}

static void test_versions(void **state)
{
    (void)state;
    struct store_dialect d;
    assert_true(store_dialect_of(SPAN("18.16.1"), &d));
    assert_int_equal(d.release, 18016);
    assert_true(d.low_cardinality_setting);
    assert_true(store_dialect_of(SPAN("26.7.2.1"), &d));
    assert_string_equal(d.version, "26.7.2.1");
    assert_true(d.parquet && d.table_fsync && !d.low_cardinality_setting);
    static const char *const bad[] = {"", "x", "26", "26.", ".7", "26.x.1", "-1.2", "26.7000"};
    for (size_t i = 0; i < COUNT(bad); i++) assert_false(store_dialect_of(span_of(bad[i]), &d));
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_urls),
                                       cmocka_unit_test(test_credentials),
                                       cmocka_unit_test(test_long_socket_path),
                                       cmocka_unit_test(test_time_out_and_stop),
                                       cmocka_unit_test(test_nobody_listens),
                                       cmocka_unit_test(test_versions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
