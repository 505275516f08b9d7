/* SPDX-License-Identifier: Apache-2.0
 * What the route table says about access, the limit on requests, and the code of the set-up. */
#include "api/internal.h"
#include "api/limits.h"
#include "api/setup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Routes that look at no credential are on this list, so that none becomes open by a slip. */
static const char *const open_handlers[] = {
    "api_session_create",    "api_setup_show",  "api_setup_create", "api_reset_begin",
    "api_reset_finish",      "api_export_file", "api_counts",       "api_invitation_look",
    "api_invitation_accept", "api_openapi",     "api_docs",         "api_docs_style",
};

static bool may_be_open(const char *handler)
{
    for (size_t i = 0; i < COUNT(open_handlers); i++)
        if (strcmp(handler, open_handlers[i]) == 0) return true;
    return false;
}

static void test_open_routes_are_listed(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count(); i++) {
        const struct route *r = route_at(i);
        if ((r->access == ACCESS_OPEN) != may_be_open(r->handler_name))
            fail_msg("%s: OPEN in routes.def and the list of this test differ", r->path);
    }
}

/* Reading permissions for what only reads; writing ones for everything else. A query reads although it is a POST. */
static void test_writes_need_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count(); i++) {
        const struct route *r = route_at(i);
        bool reads = r->method == HTTP_M_GET || strcmp(r->handler_name, "api_query") == 0;
        bool write_access = r->access == ACCESS_DATA_WRITE || r->access == ACCESS_SYSTEM_WRITE;
        bool read_access = r->access == ACCESS_DATA_READ || r->access == ACCESS_SYSTEM_READ;
        if (reads && write_access) fail_msg("%s reads and asks for a writing permission", r->path);
        if (!reads && read_access) fail_msg("%s writes and asks for a reading permission", r->path);
        if (r->access == ACCESS_ANY && !reads) fail_msg("%s writes and asks for no permission", r->path);
        bool system = span_starts(span_of(r->path), SPAN("/system/"));
        if (system && (r->access == ACCESS_DATA_READ || r->access == ACCESS_DATA_WRITE || r->access == ACCESS_PERSON))
            fail_msg("%s is of the system and asks for something else", r->path);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct limits *l = limits_new(5);
    int64_t now_us = 1000000;
    for (int i = 0; i < 5; i++) assert_int_equal(limits_take(l, SPAN("one"), now_us), 0);
    assert_int_equal(limits_take(l, SPAN("one"), now_us), 1);
    assert_int_equal(limits_take(l, SPAN("two"), now_us), 0); /* each for itself */
    assert_int_equal(limits_take(l, SPAN("one"), now_us + 199000), 1);
    assert_int_equal(limits_take(l, SPAN("one"), now_us + 201000), 0);
    assert_int_equal(limits_take(l, SPAN("one"), now_us + 201000), 1);
    now_us += 3600 * INT64_C(1000000); /* not more than one second of it is saved up */
    for (int i = 0; i < 5; i++) assert_int_equal(limits_take(l, SPAN("one"), now_us), 0);
    assert_int_equal(limits_take(l, SPAN("one"), now_us), 1);
    limits_free(l);
    assert_null(limits_new(0));
    assert_int_equal(limits_take(NULL, SPAN("one"), now_us), 0);
    limits_free(NULL);
}

/* However many others come, nobody gets more than the burst at once out of a bucket that is still there. */
static void test_limits_many(void **state)
{
    (void)state;
    struct limits *l = limits_new(1);
    for (uint32_t i = 1; i <= 100000; i++)
        assert_int_equal(limits_take(l, span_make(&i, sizeof i), 1000 + (int64_t)i), 0);
    uint32_t last = 100000;
    assert_int_equal(limits_take(l, span_make(&last, sizeof last), 101000), 1);
    limits_free(l);
}

static void test_setup_code(void **state)
{
    (void)state;
    unsigned wait_s;
    struct setup *s = setup_new(), *other = setup_new();
    struct span code = span_of(setup_code(s));
    assert_int_equal(code.len, SETUP_CODE_BYTES);
    assert_int_equal(strspn(code.ptr, "ABCDEFGHJKMNPQRSTUVWXYZ123456789-"), SETUP_CODE_BYTES);
    assert_string_not_equal(setup_code(s), setup_code(other));
    assert_true(setup_code_right(s, code, &wait_s));
    assert_false(setup_code_right(s, span_of(setup_code(other)), &wait_s));
    assert_int_equal(wait_s, 0);
    assert_false(setup_code_right(s, SPAN(""), &wait_s));
    assert_false(setup_code_right(s, span_upto(code, SETUP_CODE_BYTES - 1), &wait_s));
    char lower[SETUP_CODE_BYTES + 1] = "";
    size_t n = 0;
    for (size_t i = 0; i < code.len; i++)
        if (code.ptr[i] != '-') lower[n++] = code.ptr[i] >= 'A' ? (char)(code.ptr[i] + 32) : code.ptr[i];
    assert_true(setup_code_right(s, span_of(lower), &wait_s));
    for (int i = 0; i < 10; i++) assert_false(setup_code_right(s, SPAN("AAAA-AAAA-AAAA"), &wait_s));
    assert_false(setup_code_right(s, code, &wait_s)); /* not even the right one is looked at */
    assert_in_range(wait_s, 1, 60);
    setup_free(s);
    setup_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_routes_are_listed),
        cmocka_unit_test(test_writes_need_write),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_limits_many),
        cmocka_unit_test(test_setup_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
