/* SPDX-License-Identifier: Apache-2.0
 * uap-core's own tests, all of them, with the rules they belong to, from Debian's package uap-core: our reader of the rules
 * must come to what the project's reference comes to. */
#include "collector/enrich/uap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>
#include <yaml.h>

#define UAP_CORE "/usr/share/uap-core/"

enum { FIELDS = 6, TEXT_BYTES = 4096 };
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(SANITIZED) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { EVERY = 50 }; /* the same code, many times slower */
#else
enum { EVERY = 1 };
#endif

static const char *const names[FIELDS] = {"family", "major", "minor", "patch", "patch_minor", "brand"};

struct one { /* a case while it is read */
    char agent[TEXT_BYTES], model[TEXT_BYTES], fields[FIELDS][TEXT_BYTES];
};

static struct uap *rules;

static void put(struct one *c, const char *key, const char *value)
{
    if (strcmp(value, "null") == 0 || strcmp(value, "~") == 0) value = "";
    char *to = NULL;
    if (strcmp(key, "user_agent_string") == 0) to = c->agent;
    if (strcmp(key, "model") == 0) to = c->model;
    for (size_t i = 0; i < FIELDS && to == NULL; i++)
        if (strcmp(key, names[i]) == 0) to = c->fields[i];
    if (to) (void)snprintf(to, TEXT_BYTES, "%s", value);
}

static bool same(struct span got, const char *want)
{
    return span_is(got, want);
}

static bool right(const struct one *c, char kind, const struct uap_found *found)
{
    if (kind == 'd')
        return same(found->device, c->fields[0]) && same(found->brand, c->fields[5]) && same(found->model, c->model);
    const struct uap_name *name = kind == 'o' ? &found->os : &found->browser;
    bool ok = same(name->family, c->fields[0]);
    for (size_t i = 0; i < (kind == 'o' ? 4 : 3); i++) ok = ok && same(name->version[i], c->fields[i + 1]);
    return ok;
}

static void check(const struct one *c, char kind, unsigned *wrong)
{
    struct arena arena;
    struct uap_found found;
    arena_init(&arena, 1 << 20);
    uap_find(rules, span_of(c->agent), &arena, &found);
    if (!right(c, kind, &found) && (*wrong)++ < 10)
        print_error("%s\n  wants %s %s %s %s %s / %s %s, got %.*s, %.*s, %.*s\n", c->agent, c->fields[0], c->fields[1], c->fields[2], c->fields[3],
                    c->fields[4], c->fields[5], c->model, SPAN_ARG(found.browser.family), SPAN_ARG(found.os.family), SPAN_ARG(found.device));
    arena_free(&arena);
}

/* test_cases: a list of mappings of one level. Returns their number. */
static unsigned check_file(const char *name, char kind)
{
    char path[256], key[TEXT_BYTES] = "";
    (void)snprintf(path, sizeof path, UAP_CORE "%s", name);
    FILE *f = fopen(path, "r");
    if (f == NULL) fail_msg("%s is missing: tools/install.sh test installs it", path);
    yaml_parser_t parser;
    yaml_event_t event;
    assert_true(yaml_parser_initialize(&parser));
    yaml_parser_set_input_file(&parser, f);
    static struct one c;
    unsigned n = 0, wrong = 0, depth = 0;
    for (bool done = false; !done;) {
        if (!yaml_parser_parse(&parser, &event)) fail_msg("%s: line %zu: %s", name, parser.problem_mark.line, parser.problem);
        done = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_MAPPING_START_EVENT && ++depth == 2) c = (struct one){.agent = ""};
        if (event.type == YAML_MAPPING_END_EVENT && depth-- == 2 && n++ % EVERY == 0) check(&c, kind, &wrong);
        if (event.type == YAML_SCALAR_EVENT && depth == 2) {
            const char *text = (const char *)event.data.scalar.value;
            if (key[0]) put(&c, key, text);
            (void)snprintf(key, sizeof key, "%s", key[0] ? "" : text);
        }
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    (void)fclose(f);
    if (wrong) fail_msg("%s: %u of %u are wrong", name, wrong, n);
    return n;
}

static void test_browsers(void **state)
{
    (void)state;
    unsigned n = check_file("tests/test_ua.yaml", 'b') + check_file("test_resources/firefox_user_agent_strings.yaml", 'b') +
                 check_file("test_resources/pgts_browser_list.yaml", 'b') + check_file("test_resources/opera_mini_user_agent_strings.yaml", 'b') +
                 check_file("test_resources/podcasting_user_agent_strings.yaml", 'b');
    assert_true(n > 10000);
}

static void test_systems(void **state)
{
    (void)state;
    assert_true(check_file("tests/test_os.yaml", 'o') + check_file("test_resources/additional_os_tests.yaml", 'o') > 300);
}

static void test_devices(void **state)
{
    (void)state;
    assert_true(check_file("tests/test_device.yaml", 'd') > 10000);
}

int main(void)
{
    char why[256];
    if (access(UAP_CORE "regexes.yaml", R_OK) != 0) {
        print_message("SKIPPED: Debian's package uap-core is not installed\n");
        return 0;
    }
    rules = uap_new(UAP_CORE "regexes.yaml", why);
    if (rules == NULL) {
        print_error("%s\n", why);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_browsers),
        cmocka_unit_test(test_systems),
        cmocka_unit_test(test_devices),
    };
    int failed = cmocka_run_group_tests_name("user agents", tests, NULL, NULL);
    uap_free(rules);
    return failed;
}
