/* SPDX-License-Identifier: Apache-2.0
 * Opening, the first account, environments, notes, the audit log, and what must never be on disk. */
#include "fixture.h"

#include <sqlite3.h>
#include <sys/stat.h>

static struct fixture f;

static void sql(const char *statement)
{
    char path[128];
    sqlite3 *db;
    fixture_path(&f, "accounts.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    assert_int_equal(sqlite3_exec(db, statement, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_empty(void **state)
{
    (void)state;
    static const char *const files[] = {"accounts.db", "accounts.db-wal", "accounts.db-shm", "accounts.key"};
    struct env_facts facts;
    struct stat st;
    char path[128];
    fixture_begin(&f);
    assert_int_equal(rmdir(f.dir), 0); /* it is made */
    fixture_open(&f);
    assert_false(accounts_exists(f.a));
    assert_false(accounts_env_by_key(f.a, SPAN("abcdefghij0123456789"), &facts));
    assert_int_equal(stat(f.dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    for (size_t i = 0; i < COUNT(files); i++) {
        fixture_path(&f, files[i], path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    /* A second opening finds the schema in place. */
    accounts_close(f.a);
    fixture_open(&f);
    assert_false(accounts_exists(f.a));
    fixture_end(&f);
}

static void test_too_new(void **state)
{
    (void)state;
    struct accounts *a;
    fixture_begin(&f);
    fixture_open(&f);
    accounts_close(f.a);
    sql("PRAGMA user_version = 9999");
    assert_int_equal(accounts_open(&f.options, &a), ACCOUNTS_TOO_NEW);
    assert_null(a);
    f.a = NULL;
    fixture_end(&f);
}

static void test_key_missing(void **state)
{
    (void)state;
    struct accounts *a;
    char path[128];
    fixture_init(&f);
    accounts_close(f.a);
    f.a = NULL;
    fixture_path(&f, "accounts.key", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(accounts_open(&f.options, &a), ACCOUNTS_KEY_MISSING);
    assert_int_not_equal(access(path, F_OK), 0); /* no new one was put in its place */
    FILE *wrong = fopen(path, "wb");
    assert_non_null(wrong);
    assert_int_equal(fwrite("0123456789abcdef0123456789abcdef", 1, 32, wrong), 32);
    fclose(wrong);
    assert_int_equal(accounts_open(&f.options, &a), ACCOUNTS_KEY_MISSING);
    fixture_end(&f);
}

static void test_data_dir(void **state)
{
    (void)state;
    struct accounts *a;
    struct accounts_options bad = {.data_dir = "/nonexistent/firstframe"};
    assert_int_equal(accounts_open(&bad, &a), ACCOUNTS_DATA_DIR);
    assert_null(a);
}

static void test_init(void **state)
{
    (void)state;
    struct env_facts facts;
    struct principal p;
    struct account_made again;
    fixture_init(&f);
    assert_true(accounts_exists(f.a));
    assert_string_equal(f.made.env_key, "abcdefghij0123456789");
    assert_int_equal(strlen(f.made.environment_id), 8);
    assert_int_equal(strlen(f.made.token_id), 36);
    assert_int_equal(strlen(f.made.token_secret), 43);

    assert_true(accounts_env_by_key(f.a, SPAN("abcdefghij0123456789"), &facts));
    assert_string_equal(facts.environment_id, f.made.environment_id);
    assert_string_equal(facts.organization_id, f.made.organization_id);
    assert_false(facts.allow_backfill);
    assert_int_equal(facts.keep_addresses, KEEP_ADDRESSES_TRUNCATED);
    assert_false(accounts_env_by_key(f.a, SPAN("abcdefghij012345678"), &facts));

    assert_int_equal(
        accounts_check_basic(f.a, span_of(f.made.token_id), span_of(f.made.token_secret), &p), ACCOUNTS_OK);
    assert_int_equal(p.environments[0].permissions, PERMISSION_ALL);

    struct account_new in = {.email = SPAN("other@example.org"), .password = SPAN("another password")};
    assert_int_equal(accounts_init_account(f.a, ACTOR_CLI, &in, &again), ACCOUNTS_ALREADY_EXISTS);
    assert_string_equal(again.token_secret, "");
    struct person person;
    assert_int_equal(accounts_person_by_email(f.a, SPAN("other@example.org"), &person), ACCOUNTS_NOT_FOUND);
    assert_int_equal(accounts_person_by_email(f.a, SPAN("OWNER@example.org"), &person), ACCOUNTS_OK);
    assert_int_equal(person.role, ROLE_OWNER);
    assert_string_equal(person.name, "owner");
    fixture_end(&f);
}

static void test_init_fields(void **state)
{
    (void)state;
    struct account_made made;
    static const struct {
        struct account_new in;
        enum accounts_error e;
    } cases[] = {
        {{.email = SPAN("nobody"), .password = SPAN("long enough")}, ACCOUNTS_BAD_EMAIL},
        {{.email = SPAN("@host"), .password = SPAN("long enough")}, ACCOUNTS_BAD_EMAIL},
        {{.email = SPAN("a@"), .password = SPAN("long enough")}, ACCOUNTS_BAD_EMAIL},
        {{.email = SPAN("a@b@c"), .password = SPAN("long enough")}, ACCOUNTS_BAD_EMAIL},
        {{.email = SPAN("a b@c"), .password = SPAN("long enough")}, ACCOUNTS_BAD_EMAIL},
        {{.email = SPAN("a@b\r\nBcc: c"), .password = SPAN("long enough")}, ACCOUNTS_BAD_EMAIL},
        {{.email = SPAN("a@b"), .password = SPAN("short")}, ACCOUNTS_BAD_PASSWORD},
        {{.email = SPAN("a@b"), .password = SPAN("long enough"), .env_key = SPAN("abc")}, ACCOUNTS_BAD_ENV_KEY},
        {{.email = SPAN("a@b"), .password = SPAN("long enough"), .env_key = SPAN("with blank and more")},
         ACCOUNTS_BAD_ENV_KEY},
        {{.email = SPAN("a@b"), .password = SPAN("long enough"), .environment = SPAN("two\nlines")}, ACCOUNTS_BAD_NAME},
        {{.email = SPAN("a@b"), .password = SPAN("long enough"), .organization = SPAN("\xff")}, ACCOUNTS_BAD_NAME},
    };
    fixture_begin(&f);
    fixture_open(&f);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(accounts_init_account(f.a, ACTOR_CLI, &cases[i].in, &made), cases[i].e);
        assert_false(accounts_exists(f.a));
    }
    struct account_new good = {.email = SPAN("name+robot@example.org"), .password = SPAN("12345678")};
    assert_int_equal(accounts_init_account(f.a, ACTOR_CLI, &good, &made), ACCOUNTS_OK);
    assert_int_equal(strlen(made.env_key), 24);
    fixture_end(&f);
}

static void test_environments(void **state)
{
    (void)state;
    struct environment e, other, *list;
    struct env_facts facts;
    size_t count;
    bool yes = true;
    uint32_t quota = 500, days = 30, too_many_days = 99999;
    enum environment_type development = ENVIRONMENT_DEVELOPMENT;
    struct span origins = SPAN("https://Example.org, http://localhost:3000/");
    struct span wrong = SPAN("https://a.org/path"), any = SPAN("*");
    fixture_init(&f);
    struct span org = span_of(f.made.organization_id);
    struct environment_change in = {.name = SPAN("Test rig"), .type = &development, .allow_backfill = &yes,
                                    .strip_query = &yes, .views_per_minute_max = &quota, .retention_days = &days,
                                    .cors_origins = &origins};
    assert_int_equal(accounts_environment_add(f.a, ACTOR_CLI, org, &in, &e), ACCOUNTS_OK);
    assert_string_equal(e.cors_origins, "https://example.org http://localhost:3000");
    assert_true(accounts_env_by_key(f.a, span_of(e.env_key), &facts));
    assert_true(facts.allow_backfill && facts.strip_query && !facts.honour_dnt && !facts.disabled);
    assert_int_equal(facts.views_per_minute_max, 500);
    assert_int_equal(facts.events_per_second_max, 0);
    assert_int_equal(facts.retention_days, 30);
    assert_true(accounts_env_by_id(f.a, span_of(e.facts.environment_id), &facts));
    assert_true(accounts_origin_allowed(f.a, span_of(e.facts.environment_id), SPAN("https://example.org")));
    assert_true(accounts_origin_allowed(f.a, NO_SPAN, SPAN("http://localhost:3000")));
    assert_false(accounts_origin_allowed(f.a, NO_SPAN, SPAN("http://localhost:300")));
    assert_false(accounts_origin_allowed(f.a, NO_SPAN, NO_SPAN));
    assert_false(accounts_origin_allowed(f.a, span_of(f.made.environment_id), SPAN("https://example.org")));

    assert_int_equal(accounts_environment_add(f.a, ACTOR_CLI, org, &in, &other), ACCOUNTS_NAME_TAKEN);
    struct environment_change taken = {.name = SPAN("Third"), .env_key = SPAN("abcdefghij0123456789")};
    assert_int_equal(accounts_environment_add(f.a, ACTOR_CLI, org, &taken, &other), ACCOUNTS_ENV_KEY_TAKEN);
    struct environment_change change = {.cors_origins = &wrong};
    struct span id = span_of(e.facts.environment_id);
    assert_int_equal(accounts_environment_change(f.a, ACTOR_CLI, id, &change, NULL), ACCOUNTS_BAD_ORIGIN);
    change.cors_origins = &any;
    assert_int_equal(accounts_environment_change(f.a, ACTOR_CLI, id, &change, NULL), ACCOUNTS_BAD_ORIGIN);
    change = (struct environment_change){.retention_days = &too_many_days};
    assert_int_equal(accounts_environment_change(f.a, ACTOR_CLI, id, &change, NULL), ACCOUNTS_BAD_VALUE);
    change = (struct environment_change){.disabled = &yes, .env_key = SPAN("zzzzzzzzzzzzzzzzzzzzz")};
    assert_int_equal(accounts_environment_change(f.a, ACTOR_CLI, id, &change, &other), ACCOUNTS_OK);
    assert_false(accounts_env_by_key(f.a, span_of(e.env_key), &facts));
    assert_true(accounts_env_by_key(f.a, SPAN("zzzzzzzzzzzzzzzzzzzzz"), &facts));
    assert_true(facts.disabled && facts.allow_backfill); /* what was not given stays */
    assert_int_equal(facts.property_id, e.facts.property_id);

    assert_int_equal(accounts_environments(f.a, org, &list, &count), ACCOUNTS_OK);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].name, "Production");
    free(list);
    assert_int_equal(accounts_environment_by_name(f.a, org, SPAN("Test rig"), &other), ACCOUNTS_OK);
    assert_int_equal(other.type, ENVIRONMENT_DEVELOPMENT);

    assert_int_equal(accounts_environment_remove(f.a, ACTOR_CLI, id, SPAN("test rig")), ACCOUNTS_NAME_MISMATCH);
    assert_int_equal(accounts_environment_remove(f.a, ACTOR_CLI, id, SPAN("Test rig")), ACCOUNTS_OK);
    assert_false(accounts_env_by_id(f.a, id, &facts));
    assert_int_equal(accounts_environment_remove(f.a, ACTOR_CLI, span_of(f.made.environment_id), SPAN("Production")),
                     ACCOUNTS_LAST_ENVIRONMENT);
    assert_int_equal(accounts_environment_add(f.a, ACTOR_CLI, org, &in, &other), ACCOUNTS_OK);
    assert_true(other.facts.property_id > e.facts.property_id); /* never given out again */
    fixture_end(&f);
}

static void test_environment_contents(void **state)
{
    (void)state;
    struct environment e;
    struct token t;
    struct annotation n;
    struct principal p;
    struct environment_contents c;
    char secret[ACCOUNTS_SECRET_MAX + 1];
    struct span note = SPAN("deploy");
    int64_t date = 5;
    fixture_init(&f);
    struct environment_change in = {.name = SPAN("Other")};
    assert_int_equal(accounts_environment_add(f.a, ACTOR_CLI, span_of(f.made.organization_id), &in, &e), ACCOUNTS_OK);
    struct span id = span_of(e.facts.environment_id);
    struct token_new token = {.name = SPAN("t"), .permissions = PERMISSION_DATA_READ};
    assert_int_equal(accounts_token_add(f.a, ACTOR_CLI, id, &token, &t, secret), ACCOUNTS_OK);
    struct annotation_change change = {.note = &note, .date_s = &date};
    assert_int_equal(accounts_annotation_add(f.a, ACTOR_CLI, id, &change, &n), ACCOUNTS_OK);
    assert_int_equal(accounts_environment_contents(f.a, id, &c), ACCOUNTS_OK);
    assert_int_equal(c.tokens, 1);
    assert_int_equal(c.annotations, 1);
    assert_int_equal(c.signing_keys, 0);
    assert_int_equal(accounts_check_basic(f.a, span_of(t.id), span_of(secret), &p), ACCOUNTS_OK);
    assert_int_equal(accounts_environment_remove(f.a, ACTOR_CLI, id, SPAN("Other")), ACCOUNTS_OK);
    assert_int_equal(accounts_check_basic(f.a, span_of(t.id), span_of(secret), &p), ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(accounts_environment_contents(f.a, id, &c), ACCOUNTS_NOT_FOUND);
    fixture_end(&f);
}

static void test_annotations(void **state)
{
    (void)state;
    struct annotation n[3], got, *list;
    size_t count;
    int64_t total;
    fixture_init(&f);
    struct span env = span_of(f.made.environment_id);
    for (size_t i = 0; i < 3; i++) {
        struct span note = SPAN("deploy \"42\"\nsecond line"), site = SPAN("site-a");
        int64_t date = 1000 - (int64_t)i;
        struct annotation_change in = {.note = &note, .date_s = &date, .sub_property_id = i == 1 ? &site : NULL};
        assert_int_equal(accounts_annotation_add(f.a, ACTOR_CLI, env, &in, &n[i]), ACCOUNTS_OK);
        assert_int_equal(strlen(n[i].id), 36);
    }
    struct annotation_query q = {.limit = 2};
    assert_int_equal(accounts_annotations(f.a, env, &q, &list, &count, &total), ACCOUNTS_OK);
    assert_int_equal(count, 2);
    assert_int_equal(total, 3);
    assert_int_equal(list[0].date_s, 998);
    free(list);
    q = (struct annotation_query){.windowed = true, .from_s = 999, .to_s = 1000};
    assert_int_equal(accounts_annotations(f.a, env, &q, &list, &count, &total), ACCOUNTS_OK);
    assert_int_equal(count, 1);
    assert_true(list[0].has_sub_property);
    assert_string_equal(list[0].sub_property_id, "site-a");
    free(list);
    q = (struct annotation_query){.sub_property_id = SPAN("site-b")};
    assert_int_equal(accounts_annotations(f.a, env, &q, &list, &count, &total), ACCOUNTS_OK);
    assert_int_equal(total, 0);
    free(list);

    struct span none = NO_SPAN, empty = SPAN("");
    struct annotation_change change = {.sub_property_id = &none};
    assert_int_equal(accounts_annotation_change(f.a, ACTOR_CLI, env, span_of(n[1].id), &change, &got), ACCOUNTS_OK);
    assert_false(got.has_sub_property);
    assert_string_equal(got.note, n[1].note);
    change = (struct annotation_change){.note = &empty};
    assert_int_equal(accounts_annotation_change(f.a, ACTOR_CLI, env, span_of(n[1].id), &change, &got),
                     ACCOUNTS_BAD_TEXT);
    assert_int_equal(accounts_annotation_get(f.a, SPAN("foreign1"), span_of(n[1].id), &got), ACCOUNTS_NOT_FOUND);
    assert_int_equal(accounts_annotation_remove(f.a, ACTOR_CLI, SPAN("foreign1"), span_of(n[1].id)),
                     ACCOUNTS_NOT_FOUND);
    assert_int_equal(accounts_annotation_remove(f.a, ACTOR_CLI, env, span_of(n[1].id)), ACCOUNTS_OK);
    assert_int_equal(accounts_annotation_get(f.a, env, span_of(n[1].id), &got), ACCOUNTS_NOT_FOUND);
    fixture_end(&f);
}

static void test_error_categories(void **state)
{
    (void)state;
    struct error_category c = {.code = "4001", .severity = ERROR_SEVERITY_WARNING, .business = ERROR_BUSINESS_YES,
                               .description = "geo block", .notes = "expected"}, *list;
    struct error_rule rule;
    size_t count;
    int64_t version;
    fixture_init(&f);
    struct span env = span_of(f.made.environment_id);
    assert_false(accounts_error_rule(f.a, env, SPAN("4001"), &rule));
    assert_int_equal(accounts_error_category_set(f.a, ACTOR_CLI, env, &c), ACCOUNTS_OK);
    assert_int_equal(c.version, 1);
    assert_true(accounts_error_rule(f.a, env, SPAN("4001"), &rule));
    assert_int_equal(rule.severity, ERROR_SEVERITY_WARNING);
    assert_int_equal(rule.business, ERROR_BUSINESS_YES);
    assert_false(accounts_error_rule(f.a, SPAN("foreign1"), SPAN("4001"), &rule));
    c.severity = ERROR_SEVERITY_FATAL;
    assert_int_equal(accounts_error_category_set(f.a, ACTOR_CLI, env, &c), ACCOUNTS_OK);
    assert_int_equal(accounts_error_categories(f.a, env, &list, &count, &version), ACCOUNTS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(version, 2);
    assert_string_equal(list[0].description, "geo block");
    free(list);
    assert_int_equal(accounts_error_category_set(f.a, ACTOR_CLI, SPAN("foreign1"), &c), ACCOUNTS_NOT_FOUND);
    fixture_end(&f);
}

static void test_signing_keys(void **state)
{
    (void)state;
    struct signing_key k[3], got, *list;
    char env[ACCOUNTS_ID_MAX + 1];
    size_t count;
    int64_t total;
    fixture_init(&f);
    struct span id = span_of(f.made.environment_id);
    struct span pem = SPAN("-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(accounts_signing_key_add(f.a, ACTOR_CLI, id, pem, &k[i]), ACCOUNTS_OK);
    }
    assert_int_equal(strlen(k[0].id), 43);
    assert_int_equal(accounts_signing_keys(f.a, id, 0, 2, &list, &count, &total), ACCOUNTS_OK);
    assert_int_equal(count, 2);
    assert_int_equal(total, 3);
    assert_string_equal(list[0].id, k[2].id); /* newest first, within one second too */
    free(list);
    assert_true(accounts_signing_key_find(f.a, span_of(k[1].id), &got, env));
    assert_string_equal(env, f.made.environment_id);
    assert_string_equal(got.public_pem, pem.ptr);
    assert_int_equal(accounts_signing_key_remove(f.a, ACTOR_CLI, SPAN("foreign1"), span_of(k[1].id)),
                     ACCOUNTS_NOT_FOUND);
    assert_int_equal(accounts_signing_key_remove(f.a, ACTOR_CLI, id, span_of(k[1].id)), ACCOUNTS_OK);
    assert_false(accounts_signing_key_find(f.a, span_of(k[1].id), &got, env));
    struct span private = SPAN("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n");
    assert_int_equal(accounts_signing_key_add(f.a, ACTOR_CLI, id, private, &got), ACCOUNTS_BAD_VALUE);
    fixture_end(&f);
}

static void test_audit(void **state)
{
    (void)state;
    struct audit_row *rows;
    size_t count;
    int64_t total;
    fixture_init(&f);
    struct actor owner = fixture_person(f.made.person_id);
    struct actor token = {.kind = ACTOR_TOKEN, .token_id = span_of(f.made.token_id),
                          .address = SPAN("2001:db8:1:2::3")};
    struct span org = span_of(f.made.organization_id), env = span_of(f.made.environment_id);
    assert_int_equal(accounts_organization_rename(f.a, &owner, org, SPAN("Acme \"Video\"")), ACCOUNTS_OK);
    assert_int_equal(accounts_token_rename(f.a, &token, env, span_of(f.made.token_id), SPAN("robot")), ACCOUNTS_OK);
    /* An act that fails leaves no row. */
    assert_int_equal(accounts_token_revoke(f.a, &owner, env, SPAN("nothing")), ACCOUNTS_NOT_FOUND);
    struct audit_query q = {.organization_id = org};
    assert_int_equal(accounts_audit(f.a, &q, &rows, &count, &total), ACCOUNTS_OK);
    static const char *const acts[] = {"token.change", "organization.change", "token.add", "environment.add",
                                       "account.init"};
    assert_int_equal(count, COUNT(acts));
    assert_int_equal(total, COUNT(acts));
    for (size_t i = 0; i < COUNT(acts); i++) assert_string_equal(rows[i].act, acts[i]);
    assert_string_equal(rows[0].actor, "robot");
    assert_string_equal(rows[0].address, "2001:db8:1::/48");
    assert_string_equal(rows[1].actor, OWNER_EMAIL);
    assert_string_equal(rows[1].address, "203.0.113.0/24");
    assert_string_equal(rows[1].details, "{\"name\":\"Acme \\\"Video\\\"\"}");
    assert_string_equal(rows[2].actor, "command line");
    assert_string_equal(rows[2].environment_id, f.made.environment_id);
    assert_int_equal(rows[4].at_ms, 1767600000000);
    free(rows);
    q = (struct audit_query){.act = SPAN("token."), .limit = 1};
    assert_int_equal(accounts_audit(f.a, &q, &rows, &count, &total), ACCOUNTS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(total, 2);
    free(rows);
    q = (struct audit_query){.until_ms = 1767600000000};
    assert_int_equal(accounts_audit(f.a, &q, &rows, &count, &total), ACCOUNTS_OK);
    assert_int_equal(total, 0);
    free(rows);
    struct span details = SPAN("{\"n\":3}");
    assert_int_equal(accounts_audit_add(f.a, &owner, AUDIT_VIEWS_DELETE, NO_SPAN, env, SPAN("views"), details),
                     ACCOUNTS_OK);
    q = (struct audit_query){.act = SPAN("views.delete"), .organization_id = org};
    assert_int_equal(accounts_audit(f.a, &q, &rows, &count, &total), ACCOUNTS_OK);
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].details, "{\"n\":3}");
    free(rows);
    fixture_end(&f);
}

/* Every kind of secret is made and used once; none may be found in any file of the database, before and after close. */
static void test_nothing_readable(void **state)
{
    (void)state;
    struct signed_in in;
    struct invitation invitation;
    struct token token;
    char invite[ACCOUNTS_SECRET_MAX + 1], reset[ACCOUNTS_SECRET_MAX + 1], secret[ACCOUNTS_SECRET_MAX + 1], totp[33];
    int64_t person;
    fixture_init(&f);
    struct span org = span_of(f.made.organization_id);
    accounts_totp_new(totp);
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, "198.51.100.23", &in), ACCOUNTS_OK);
    assert_int_equal(accounts_invite(f.a, ACTOR_CLI, org, NO_SPAN, SPAN("x+robot@example.org"), ROLE_VIEWER,
                                     &invitation, invite),
                     ACCOUNTS_OK);
    assert_int_equal(accounts_invitation_accept(f.a, SPAN("198.51.100.23"), span_of(invite), SPAN("Robot"),
                                                SPAN("the robot password"), &person),
                     ACCOUNTS_OK);
    assert_int_equal(accounts_reset_begin(f.a, ACTOR_CLI, SPAN("x+robot@example.org"), reset), ACCOUNTS_OK);
    struct token_new fresh = {.name = SPAN("t"), .permissions = PERMISSION_DATA_READ};
    assert_int_equal(accounts_token_add(f.a, ACTOR_CLI, span_of(f.made.environment_id), &fresh, &token, secret),
                     ACCOUNTS_OK);
    const char *secrets[] = {OWNER_PASSWORD, "the robot password", f.made.token_secret, in.token, invite, reset, secret,
                             "198.51.100.23"};
    for (int closed = 0; closed < 2; closed++) {
        for (size_t i = 0; i < COUNT(secrets); i++) {
            assert_true(strlen(secrets[i]) > 8);
            assert_false(fixture_readable(&f, span_of(secrets[i])));
        }
        /* The search itself works. */
        assert_true(fixture_readable(&f, SPAN("x+robot@example.org")));
        assert_true(fixture_readable(&f, SPAN("198.51.100.0/24")));
        accounts_close(f.a);
        f.a = NULL;
    }
    fixture_end(&f);
}

static void test_second_handle(void **state)
{
    (void)state;
    struct accounts *server;
    struct environment e;
    struct env_facts facts;
    struct principal p;
    fixture_init(&f);
    struct accounts_options watching = f.options;
    watching.watch = true;
    assert_int_equal(accounts_open(&watching, &server), ACCOUNTS_OK);
    struct span id = span_of(f.made.token_id), secret = span_of(f.made.token_secret);
    assert_int_equal(accounts_check_basic(server, id, secret, &p), ACCOUNTS_OK);
    uint64_t before = accounts_generation(server);
    struct environment_change in = {.name = SPAN("Made elsewhere")};
    assert_int_equal(accounts_environment_add(f.a, ACTOR_CLI, span_of(f.made.organization_id), &in, &e), ACCOUNTS_OK);
    assert_int_equal(accounts_token_revoke(f.a, ACTOR_CLI, span_of(f.made.environment_id), id), ACCOUNTS_OK);
    /* Promised within a second; a loaded machine gets twenty. */
    struct mono_us until = {mono_now().v + 20 * 1000000};
    bool known = false, revoked = false;
    while (mono_now().v < until.v && !(known && revoked)) {
        known = accounts_env_by_key(server, span_of(e.env_key), &facts);
        revoked = accounts_check_basic(server, id, secret, &p) == ACCOUNTS_UNAUTHORIZED;
        usleep(10000);
    }
    assert_true(known);
    assert_true(revoked);
    assert_true(accounts_generation(server) > before);
    accounts_close(server);

    /* The same by hand. */
    struct accounts *polled;
    assert_int_equal(accounts_open(&f.options, &polled), ACCOUNTS_OK);
    struct span gone = span_of(e.facts.environment_id);
    assert_int_equal(accounts_environment_remove(f.a, ACTOR_CLI, gone, SPAN("Made elsewhere")), ACCOUNTS_OK);
    accounts_poll(polled);
    assert_false(accounts_env_by_key(polled, span_of(e.env_key), &facts));
    accounts_close(polled);
    fixture_end(&f);
}

static void test_errors_have_sentences(void **state)
{
    (void)state;
    for (int e = 0; e < ACCOUNTS_ERROR_COUNT; e++) {
        const char *text = accounts_error_text((enum accounts_error)e);
        assert_true(strlen(text) > 4 && text[strlen(text) - 1] == '.');
        assert_true(strlen(accounts_error_name((enum accounts_error)e)) > 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_too_new),
        cmocka_unit_test(test_key_missing),
        cmocka_unit_test(test_data_dir),
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_init_fields),
        cmocka_unit_test(test_environments),
        cmocka_unit_test(test_environment_contents),
        cmocka_unit_test(test_annotations),
        cmocka_unit_test(test_error_categories),
        cmocka_unit_test(test_signing_keys),
        cmocka_unit_test(test_audit),
        cmocka_unit_test(test_nothing_readable),
        cmocka_unit_test(test_second_handle),
        cmocka_unit_test(test_errors_have_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
