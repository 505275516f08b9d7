/* SPDX-License-Identifier: Apache-2.0
 * The command line: where a value comes from, what is refused and how, and the reference page. */
#include "config/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct buf message;

static enum options_outcome parse(enum command c, struct options **o, const char *const *words)
{
    char text[16][128], *argv[17] = {NULL};
    int argc = 0;
    for (; words[argc]; argc++) {
        (void)snprintf(text[argc], sizeof text[argc], "%s", words[argc]);
        argv[argc] = text[argc];
    }
    buf_clear(&message);
    return options_parse(c, argc, argv, o, &message);
}

#define PARSE(c, o, ...) parse(c, o, (const char *const[]){__VA_ARGS__, NULL})

static void refused(enum command c, const char *word, const char *value, const char *what)
{
    struct options *o;
    assert_int_equal(PARSE(c, &o, command_words(c), word, value), OPTIONS_BAD);
    if (strstr(message.ptr, what) == NULL) fail_msg("\"%s\" does not say \"%s\"", message.ptr, what);
    options_free(o);
}

static void test_values(void **state)
{
    (void)state;
    struct options *o;
    assert_int_equal(PARSE(COMMAND_serve, &o, "serve", "--data", "/d", "--loops=3", "--log-json"), OPTIONS_OK);
    assert_string_equal(options_text(o, "data"), "/d");
    assert_string_equal(options_text(o, "listen"), "127.0.0.1:8600");
    assert_int_equal(options_number(o, "loops"), 3);
    assert_int_equal(options_number(o, "shards"), 0);
    assert_true(options_flag(o, "log-json") && options_given(o, "loops") && !options_given(o, "shards"));
    assert_false(options_flag(o, "proxy-protocol"));
    assert_null(options_text(o, "store"));
    options_free(o);
    assert_int_equal(setenv("FIRSTFRAME_LISTEN", "127.0.0.1:1", 1), 0);
    assert_int_equal(PARSE(COMMAND_serve, &o, "serve"), OPTIONS_OK);
    assert_string_equal(options_text(o, "listen"), "127.0.0.1:1");
    options_free(o);
    assert_int_equal(PARSE(COMMAND_serve, &o, "serve", "--listen", "127.0.0.1:2"), OPTIONS_OK);
    assert_string_equal(options_text(o, "listen"), "127.0.0.1:2");
    options_free(o);
    assert_int_equal(unsetenv("FIRSTFRAME_LISTEN"), 0);
}

static void test_secrets(void **state)
{
    (void)state;
    char path[] = "/tmp/ff-options-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "from a file\nnot this\n", 21), 21);
    assert_int_equal(close(fd), 0);
    struct options *o;
    assert_int_equal(PARSE(COMMAND_init, &o, "init", "--password-file", path), OPTIONS_OK);
    assert_string_equal(options_text(o, "password"), "from a file");
    options_free(o);
    assert_int_equal(unlink(path), 0);
    refused(COMMAND_init, "--password-file", path, "--password-file: cannot read");
    /* Not in the list of processes. */
    char word[] = "init", name[] = "--password", value[] = "a secret";
    char *argv[] = {word, name, value, NULL};
    assert_int_equal(options_parse(COMMAND_init, 3, argv, &o, &message), OPTIONS_OK);
    assert_string_equal(options_text(o, "password"), "a secret");
    assert_string_equal(value, "xxxxxxxx");
    options_free(o);
}

/* A configuration file of this text; its path is good until the next one. */
static const char *config_file(const char *text)
{
    static char path[64];
    (void)snprintf(path, sizeof path, "/tmp/ff-config-%ld", (long)getpid());
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static void test_config(void **state)
{
    (void)state;
    const char *path = config_file("# of the server\n\n  data = /of/the file \nloops=3\r\nlog-json = yes\n"
                                   "proxy-protocol = no\nmetrics-token = abc=def\nlisten = 127.0.0.1:9");
    struct options *o;
    assert_int_equal(setenv("FIRSTFRAME_LISTEN", "127.0.0.1:1", 1), 0);
    assert_int_equal(PARSE(COMMAND_serve, &o, "serve", "--loops", "5", "--config", path), OPTIONS_OK);
    assert_int_equal(unsetenv("FIRSTFRAME_LISTEN"), 0);
    assert_string_equal(options_text(o, "data"), "/of/the file");
    assert_int_equal(options_number(o, "loops"), 5);
    assert_string_equal(options_text(o, "listen"), "127.0.0.1:1");
    assert_string_equal(options_text(o, "metrics-token"), "abc=def");
    assert_true(options_flag(o, "log-json") && !options_flag(o, "proxy-protocol"));
    assert_int_equal(options_number(o, "query-threads"), 4);
    options_free(o);
    static const struct {
        const char *text, *what;
    } wrong[] = {
        {"a = 1\n", ":1: there is no setting \"a\""},
        {"\nloops = many\n", ":2: loops: expected a whole number from 0 to 64, got \"many\""},
        {"loops\n", ":1: expected \"name = value\""},
        {"log-json = 1\n", ":1: log-json: expected yes or no, got \"1\""},
        {"config = x\n", ":1: there is no setting \"config\""},
        {"metrics-token-file = /nowhere/at/all\n", ":1: metrics-token-file: cannot read /nowhere/at/all"},
    };
    for (size_t i = 0; i < COUNT(wrong); i++)
        refused(COMMAND_serve, "--config", config_file(wrong[i].text), wrong[i].what);
    path = config_file("");
    assert_int_equal(unlink(path), 0);
    refused(COMMAND_serve, "--config", path, "--config: cannot read");
}

/* The sample names every setting, says nothing by itself, and is taken once its comments are. */
static void test_sample(void **state)
{
    (void)state;
    struct buf sample;
    buf_init(&sample, 64 * 1024);
    options_print_sample(COMMAND_serve, &sample);
    buf_addc(&sample, 0);
    struct options *o;
    assert_int_equal(PARSE(COMMAND_serve, &o, "serve", "--config", config_file(sample.ptr)), OPTIONS_OK);
    assert_false(options_given(o, "listen") || options_given(o, "data"));
    options_free(o);
    assert_non_null(strstr(sample.ptr, "\n#listen = 127.0.0.1:8600\n"));
    assert_non_null(strstr(sample.ptr, "\n#smtp-url-file = \n"));
    for (char *c = sample.ptr; (c = strstr(c, "\n#")); c++)
        if (c[2] != ' ' && strncmp(c + 2, "smtp-url-file", 13) && strncmp(c + 2, "metrics-token-file", 18)) c[1] = ' ';
    const char *path = config_file(sample.ptr);
    assert_int_equal(PARSE(COMMAND_serve, &o, "serve", "--config", path), OPTIONS_OK);
    assert_null(options_text(o, "store"));
    assert_true(options_given(o, "listen") && options_number(o, "view-final-after") == 3600);
    options_free(o);
    assert_int_equal(unlink(path), 0);
    buf_free(&sample);
}

static void test_refused(void **state)
{
    (void)state;
    refused(COMMAND_serve, "--nonsense", "1", "unknown option --nonsense");
    refused(COMMAND_serve, "--loops", "many", "--loops: expected a whole number from 0 to 64, got \"many\"");
    refused(COMMAND_serve, "--loops", "65", "from 0 to 64");
    refused(COMMAND_serve, "--log-json=1", "x", "--log-json takes no value");
    refused(COMMAND_serve, "--log-json", "more", "unexpected argument \"more\"");
    refused(COMMAND_version, "--json", "more", "unexpected argument \"more\"");
    struct options *o;
    assert_int_equal(PARSE(COMMAND_serve, &o, "serve", "--data"), OPTIONS_BAD);
    assert_non_null(strstr(message.ptr, "--data: expected DIR"));
    options_free(o);
}

static void test_help(void **state)
{
    (void)state;
    for (unsigned c = 0; c < COMMAND_COUNT; c++) {
        struct options *o;
        assert_int_equal(PARSE((enum command)c, &o, "command", "--help"), OPTIONS_HELP);
        assert_non_null(strstr(message.ptr, command_summary((enum command)c)));
        assert_non_null(strstr(message.ptr, "usage: firstframe "));
        options_free(o);
        enum command found;
        assert_true(command_of(command_words((enum command)c), &found) && found == c);
    }
}

/* docs/options.md is what the table says. FIRSTFRAME_WRITE_DOCS=1 writes it. */
static void test_page(void **state)
{
    (void)state;
    struct buf page;
    buf_init(&page, 1024 * 1024);
    options_print_reference(&page);
    const char *path = FF_SOURCE_DIR "/docs/options.md";
    if (getenv("FIRSTFRAME_WRITE_DOCS")) {
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        assert_int_equal(fwrite(page.ptr, 1, page.len, out), page.len);
        assert_int_equal(fclose(out), 0);
    }
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char *is = calloc(1, 1024 * 1024);
    assert_non_null(is);
    size_t len = fread(is, 1, 1024 * 1024 - 1, f);
    (void)fclose(f);
    if (len != page.len || memcmp(is, page.ptr, len) != 0)
        fail_msg("docs/options.md is not what options.def says; run this test with FIRSTFRAME_WRITE_DOCS=1");
    free(is);
    buf_free(&page);
}

int main(void)
{
    buf_init(&message, 64 * 1024);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_secrets), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_help),   cmocka_unit_test(test_page),    cmocka_unit_test(test_config),
        cmocka_unit_test(test_sample),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&message);
    return failed;
}
