/* SPDX-License-Identifier: Apache-2.0
 * Access tokens, the cache in front of them, and many threads at once (the part that matters under TSan). */
#include "fixture.h"

#include <pthread.h>

static struct fixture f;

static enum accounts_error check(const struct token *t, const char *secret, struct principal *p)
{
    return accounts_check_basic(f.a, span_of(t->id), span_of(secret), p);
}

static enum accounts_error add(const struct actor *who, const struct token_new *in, struct token *t,
                               char secret[ACCOUNTS_SECRET_MAX + 1])
{
    return accounts_token_add(f.a, who, span_of(f.made.environment_id), in, t, secret);
}

static void test_check(void **state)
{
    (void)state;
    struct token t;
    struct principal p;
    char secret[ACCOUNTS_SECRET_MAX + 1];
    fixture_init(&f);
    struct token_new in = {.name = SPAN("Grafana"), .permissions = PERMISSION_DATA_READ,
                           .filter = SPAN("sub_property_id:acme")};
    assert_int_equal(add(ACTOR_CLI, &in, &t, secret), ACCOUNTS_OK);
    for (int round = 0; round < 2; round++) { /* from the table, then from the cache */
        assert_int_equal(check(&t, secret, &p), ACCOUNTS_OK);
        assert_int_equal(p.kind, PRINCIPAL_TOKEN);
        assert_string_equal(p.token_id, t.id);
        assert_string_equal(p.name, "Grafana");
        assert_string_equal(p.filter, "sub_property_id:acme");
        assert_string_equal(p.organization_id, f.made.organization_id);
        assert_int_equal(p.person_id, 0);
        assert_int_equal(p.environment_count, 1);
        const struct principal_environment *e = principal_environment(&p, NO_SPAN);
        assert_int_equal(e->role, ROLE_NONE);
        assert_true(principal_may(e, PERMISSION_DATA_READ));
        assert_false(principal_may(e, PERMISSION_DATA_READ | PERMISSION_DATA_WRITE));
        assert_false(principal_may(e, PERMISSION_SYSTEM_READ));
        /* The secret of another token, one bit off, cut, the id as a session. */
        assert_int_equal(check(&t, f.made.token_secret, &p), ACCOUNTS_UNAUTHORIZED);
        assert_int_equal(p.kind, PRINCIPAL_NONE);
        assert_int_equal(p.environment_count, 0);
        char off[ACCOUNTS_SECRET_MAX + 1];
        memcpy(off, secret, sizeof off);
        off[7] = off[7] == 'a' ? 'b' : 'a';
        assert_int_equal(check(&t, off, &p), ACCOUNTS_UNAUTHORIZED);
        assert_int_equal(accounts_check_basic(f.a, span_of(t.id), span_upto(span_of(secret), 42), &p),
                         ACCOUNTS_UNAUTHORIZED);
        assert_int_equal(accounts_check_basic(f.a, span_of(t.id), NO_SPAN, &p), ACCOUNTS_UNAUTHORIZED);
        assert_int_equal(accounts_check_basic(f.a, NO_SPAN, NO_SPAN, &p), ACCOUNTS_UNAUTHORIZED);
        assert_int_equal(accounts_check_basic(f.a, SPAN("' OR 1=1 --"), span_of(secret), &p), ACCOUNTS_UNAUTHORIZED);
        assert_int_equal(accounts_check_session(f.a, span_of(secret), &p), ACCOUNTS_UNAUTHORIZED);
    }
    fixture_end(&f);
}

static void test_expiry_and_revocation(void **state)
{
    (void)state;
    struct token t, other, *list;
    struct principal p;
    char secret[ACCOUNTS_SECRET_MAX + 1], second[ACCOUNTS_SECRET_MAX + 1];
    size_t count;
    fixture_init(&f);
    struct span env = span_of(f.made.environment_id);
    struct token_new in = {.name = SPAN("short"), .permissions = PERMISSION_DATA_READ,
                           .expires_ms = atomic_load(&f.now_ms) + 5000};
    assert_int_equal(add(ACTOR_CLI, &in, &t, secret), ACCOUNTS_OK);
    assert_int_equal(check(&t, secret, &p), ACCOUNTS_OK);
    fixture_forward(&f, 4999);
    assert_int_equal(check(&t, secret, &p), ACCOUNTS_OK);
    fixture_forward(&f, 1);
    assert_int_equal(check(&t, secret, &p), ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(add(ACTOR_CLI, &in, &other, second), ACCOUNTS_BAD_EXPIRY);
    assert_string_equal(second, "");

    in.expires_ms = 0;
    assert_int_equal(add(ACTOR_CLI, &in, &other, second), ACCOUNTS_OK);
    assert_int_equal(check(&other, second, &p), ACCOUNTS_OK);
    assert_int_equal(accounts_token_revoke(f.a, ACTOR_CLI, SPAN("foreign1"), span_of(other.id)), ACCOUNTS_NOT_FOUND);
    assert_int_equal(check(&other, second, &p), ACCOUNTS_OK);
    assert_int_equal(accounts_token_revoke(f.a, ACTOR_CLI, env, span_of(other.id)), ACCOUNTS_OK);
    assert_int_equal(check(&other, second, &p), ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(accounts_token_revoke(f.a, ACTOR_CLI, env, span_of(other.id)), ACCOUNTS_NOT_FOUND);
    assert_int_equal(accounts_tokens(f.a, env, &list, &count), ACCOUNTS_OK);
    assert_int_equal(count, 3);
    assert_string_equal(list[0].id, other.id);
    assert_true(list[0].revoked_ms > 0);
    assert_int_equal(list[2].revoked_ms, 0);
    free(list);
    fixture_end(&f);
}

static void test_fields(void **state)
{
    (void)state;
    struct token t;
    char secret[ACCOUNTS_SECRET_MAX + 1];
    permission_set set;
    fixture_init(&f);
    struct token_new in = {.name = SPAN("t"), .permissions = 0};
    assert_int_equal(add(ACTOR_CLI, &in, &t, secret), ACCOUNTS_BAD_PERMISSIONS);
    in.permissions = 1u << PERMISSION_COUNT;
    assert_int_equal(add(ACTOR_CLI, &in, &t, secret), ACCOUNTS_BAD_PERMISSIONS);
    in.permissions = PERMISSION_DATA_READ;
    in.name = SPAN("");
    assert_int_equal(add(ACTOR_CLI, &in, &t, secret), ACCOUNTS_BAD_NAME);
    in.name = SPAN("t");
    static const char *const bad_filters[] = {"acme", ":acme", "sub_property_id:", "Sub:acme", "a b:c", "a:b\n"};
    for (size_t i = 0; i < COUNT(bad_filters); i++) {
        in.filter = span_of(bad_filters[i]);
        assert_int_equal(add(ACTOR_CLI, &in, &t, secret), ACCOUNTS_BAD_FILTER);
    }
    in.filter = SPAN("page_url:https://example.org/?a=b:c");
    assert_int_equal(add(ACTOR_CLI, &in, &t, secret), ACCOUNTS_OK);
    assert_int_equal(accounts_token_add(f.a, ACTOR_CLI, SPAN("foreign1"), &in, &t, secret), ACCOUNTS_NOT_FOUND);

    assert_true(permissions_from_list(SPAN("data:read, system:write"), &set));
    assert_int_equal(set, PERMISSION_DATA_READ | PERMISSION_SYSTEM_WRITE);
    assert_false(permissions_from_list(SPAN("data:read,data:delete"), &set));
    assert_false(permissions_from_list(SPAN(" "), &set));
    assert_string_equal(permission_text(PERMISSION_BIT_VIDEO_READ), "video:read");
    assert_int_equal(role_permissions(ROLE_OWNER), PERMISSION_ALL);
    assert_int_equal(role_permissions(ROLE_NONE), PERMISSION_NONE);
    fixture_end(&f);
}

/* A token that makes tokens cannot make one that may more or sees more. */
static void test_token_makes_token(void **state)
{
    (void)state;
    struct token parent, t;
    char secret[ACCOUNTS_SECRET_MAX + 1], other[ACCOUNTS_SECRET_MAX + 1];
    struct principal p;
    fixture_init(&f);
    struct token_new in = {.name = SPAN("parent"), .permissions = PERMISSION_DATA_READ | PERMISSION_SYSTEM_WRITE,
                           .filter = SPAN("sub_property_id:acme")};
    assert_int_equal(add(ACTOR_CLI, &in, &parent, secret), ACCOUNTS_OK);
    assert_int_equal(check(&parent, secret, &p), ACCOUNTS_OK);
    struct actor as_parent = principal_actor(&p, SPAN("192.0.2.1"));
    in = (struct token_new){.name = SPAN("child"), .permissions = PERMISSION_DATA_READ};
    assert_int_equal(add(&as_parent, &in, &t, other), ACCOUNTS_ROLE_REFUSED);
    in.filter = SPAN("sub_property_id:other");
    assert_int_equal(add(&as_parent, &in, &t, other), ACCOUNTS_ROLE_REFUSED);
    in.filter = SPAN("sub_property_id:acme");
    assert_int_equal(add(&as_parent, &in, &t, other), ACCOUNTS_OK);
    in.permissions |= PERMISSION_DATA_WRITE;
    assert_int_equal(add(&as_parent, &in, &t, other), ACCOUNTS_ROLE_REFUSED);
    fixture_end(&f);
}

static void test_last_used(void **state)
{
    (void)state;
    struct token t;
    struct principal p;
    fixture_init(&f);
    struct span id = span_of(f.made.token_id), secret = span_of(f.made.token_secret);
    assert_int_equal(accounts_token_get(f.a, id, &t), ACCOUNTS_OK);
    assert_int_equal(t.last_used_ms, 0);
    int64_t first = atomic_load(&f.now_ms);
    for (int i = 0; i < 100; i++) assert_int_equal(accounts_check_basic(f.a, id, secret, &p), ACCOUNTS_OK);
    uint64_t generation = accounts_generation(f.a);
    fixture_forward(&f, 61 * 1000);
    accounts_poll(f.a);
    assert_int_equal(accounts_token_get(f.a, id, &t), ACCOUNTS_OK);
    assert_int_equal(t.last_used_ms, first);
    assert_int_equal(accounts_check_basic(f.a, id, secret, &p), ACCOUNTS_OK);
    int64_t second = atomic_load(&f.now_ms);
    fixture_forward(&f, 10 * 1000);
    assert_int_equal(accounts_generation(f.a), generation); /* being used is no change */
    accounts_close(f.a); /* writes what is left */
    fixture_open(&f);
    assert_int_equal(accounts_token_get(f.a, id, &t), ACCOUNTS_OK);
    assert_int_equal(t.last_used_ms, second);
    fixture_end(&f);
}

/* Many tokens, whose places in the cache collide: each stays right, none is taken for another. */
static void test_cache_collisions(void **state)
{
    (void)state;
    enum { TOKENS = 300 };
    static struct token t[TOKENS];
    static char secret[TOKENS][ACCOUNTS_SECRET_MAX + 1];
    struct principal p;
    fixture_init(&f);
    for (size_t i = 0; i < TOKENS; i++) {
        struct token_new in = {.name = SPAN("t"), .permissions = 1u << (i % PERMISSION_COUNT)};
        assert_int_equal(add(ACTOR_CLI, &in, &t[i], secret[i]), ACCOUNTS_OK);
    }
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < TOKENS; i++) {
            assert_int_equal(check(&t[i], secret[i], &p), ACCOUNTS_OK);
            assert_string_equal(p.token_id, t[i].id);
            assert_int_equal(p.environments[0].permissions, 1u << (i % PERMISSION_COUNT));
            assert_int_equal(check(&t[i], secret[(i + 1) % TOKENS], &p), ACCOUNTS_UNAUTHORIZED);
        }
    }
    fixture_end(&f);
}

/* -- threads -- */

static atomic_bool stop;
static atomic_int faults, reads;

static void *read_run(void *arg)
{
    (void)arg;
    struct env_facts facts;
    struct principal p;
    struct error_rule rule;
    while (!atomic_load(&stop)) {
        if (!accounts_env_by_key(f.a, SPAN("abcdefghij0123456789"), &facts)) atomic_fetch_add(&faults, 1);
        if (accounts_check_basic(f.a, span_of(f.made.token_id), span_of(f.made.token_secret), &p) != ACCOUNTS_OK ||
            p.environments[0].permissions != PERMISSION_ALL) {
            atomic_fetch_add(&faults, 1);
        }
        bool known = accounts_error_rule(f.a, span_of(f.made.environment_id), SPAN("7"), &rule);
        if (known && rule.severity != ERROR_SEVERITY_FATAL) atomic_fetch_add(&faults, 1);
        if (accounts_origin_allowed(f.a, NO_SPAN, SPAN("https://example.org"))) atomic_fetch_add(&faults, 1);
        atomic_fetch_add(&reads, 1);
    }
    return NULL;
}

static void *write_run(void *arg)
{
    int n = *(int *)arg;
    struct span env = span_of(f.made.environment_id);
    for (int i = 0; i < 15; i++) {
        struct token t;
        struct principal p;
        struct error_category c = {.code = "7", .severity = ERROR_SEVERITY_FATAL};
        struct signed_in in;
        char secret[ACCOUNTS_SECRET_MAX + 1], address[32];
        struct token_new fresh = {.name = SPAN("t"), .permissions = PERMISSION_DATA_READ};
        snprintf(address, sizeof address, "192.0.2.%d", n);
        bool ok = add(ACTOR_CLI, &fresh, &t, secret) == ACCOUNTS_OK;
        ok = ok && check(&t, secret, &p) == ACCOUNTS_OK;
        ok = ok && accounts_token_revoke(f.a, ACTOR_CLI, env, span_of(t.id)) == ACCOUNTS_OK;
        ok = ok && check(&t, secret, &p) == ACCOUNTS_UNAUTHORIZED;
        ok = ok && accounts_error_category_set(f.a, ACTOR_CLI, env, &c) == ACCOUNTS_OK;
        ok = ok && fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, address, &in) == ACCOUNTS_OK;
        ok = ok && accounts_check_session(f.a, span_of(in.token), &p) == ACCOUNTS_OK;
        if (!ok) atomic_fetch_add(&faults, 1);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t readers[3], writers[2];
    int numbers[2] = {1, 2};
    struct accounts *second;
    fixture_init(&f);
    accounts_close(f.a);
    f.options.watch = true;
    fixture_open(&f);
    struct accounts_options plain = f.options;
    plain.watch = false;
    assert_int_equal(accounts_open(&plain, &second), ACCOUNTS_OK);
    for (size_t i = 0; i < COUNT(readers); i++) assert_int_equal(pthread_create(&readers[i], NULL, read_run, NULL), 0);
    for (size_t i = 0; i < COUNT(writers); i++) {
        assert_int_equal(pthread_create(&writers[i], NULL, write_run, &numbers[i]), 0);
    }
    /* The command line at the same time, by a connection of its own. */
    for (int i = 0; i < 10; i++) {
        assert_int_equal(accounts_organization_rename(second, ACTOR_CLI, span_of(f.made.organization_id), SPAN("New")),
                         ACCOUNTS_OK);
    }
    for (size_t i = 0; i < COUNT(writers); i++) pthread_join(writers[i], NULL);
    atomic_store(&stop, true);
    for (size_t i = 0; i < COUNT(readers); i++) pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&faults), 0);
    assert_true(atomic_load(&reads) > 0);
    accounts_close(second);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_expiry_and_revocation),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_token_makes_token),
        cmocka_unit_test(test_last_used),
        cmocka_unit_test(test_cache_collisions),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
