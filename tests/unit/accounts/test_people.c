/* SPDX-License-Identifier: Apache-2.0
 * People: sign-in and its throttle, sessions, roles, invitations, passwords, TOTP. */
#include "fixture.h"

static struct fixture f;

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };
static const int64_t day_ms = 24LL * HOUR;

static enum accounts_error check(const char *token, struct principal *p)
{
    return accounts_check_session(f.a, span_of(token), p);
}

static void test_sign_in(void **state)
{
    (void)state;
    struct signed_in in, again;
    struct principal p;
    fixture_init(&f);
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, "wrong password", "198.51.100.1", &in), ACCOUNTS_UNAUTHORIZED);
    assert_string_equal(in.token, "");
    assert_int_equal(fixture_sign_in(&f, "nobody@example.org", OWNER_PASSWORD, "198.51.100.1", &in),
                     ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(fixture_sign_in(&f, "", "", "", &in), ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(fixture_sign_in(&f, "Owner@Example.org", OWNER_PASSWORD, "198.51.100.1", &in), ACCOUNTS_OK);
    assert_int_equal(in.person_id, f.made.person_id);
    assert_int_equal(check(in.token, &p), ACCOUNTS_OK);
    assert_int_equal(p.kind, PRINCIPAL_SESSION);
    assert_int_equal(p.session_kind, SESSION_BETA);
    assert_string_equal(p.name, OWNER_EMAIL);
    assert_int_equal(p.organization_role, ROLE_OWNER);
    assert_int_equal(p.environment_count, 1);
    assert_int_equal(principal_environment(&p, NO_SPAN)->role, ROLE_OWNER);
    assert_true(principal_may(principal_environment(&p, span_of(f.made.environment_id)), PERMISSION_ALL));
    assert_null(principal_environment(&p, SPAN("foreign1")));
    assert_false(principal_may(NULL, PERMISSION_NONE));
    /* Another sign-in is another session, and neither ends the other. */
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, "198.51.100.1", &again), ACCOUNTS_OK);
    assert_string_not_equal(in.token, again.token);
    assert_int_equal(check(in.token, &p), ACCOUNTS_OK);
    assert_int_equal(check("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &p), ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(p.kind, PRINCIPAL_NONE);
    assert_int_equal(check("", &p), ACCOUNTS_UNAUTHORIZED);
    fixture_end(&f);
}

static void test_throttle(void **state)
{
    (void)state;
    struct signed_in in;
    char address[32];
    fixture_init(&f);
    (void)fixture_add(&f, "other@example.org", ROLE_VIEWER);
    /* Per e-mail, from ten addresses. */
    for (int i = 0; i < 10; i++) {
        snprintf(address, sizeof address, "198.51.100.%d", i);
        assert_int_equal(accounts_sign_in_wait_s(f.a, SPAN(OWNER_EMAIL), span_of(address)), 0);
        assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, "wrong password", address, &in), ACCOUNTS_UNAUTHORIZED);
    }
    assert_int_equal(fixture_sign_in(&f, "OWNER@example.org", OWNER_PASSWORD, "192.0.2.1", &in), ACCOUNTS_THROTTLED);
    assert_in_range(in.retry_after_s, 1, 31);
    assert_in_range(accounts_sign_in_wait_s(f.a, SPAN(OWNER_EMAIL), SPAN("192.0.2.1")), 1, 31);
    /* Another e-mail from another address is not concerned. */
    assert_int_equal(fixture_sign_in(&f, "other@example.org", "password of it", "192.0.2.1", &in), ACCOUNTS_OK);
    /* One attempt comes back every 30 s. */
    fixture_forward(&f, 31 * 1000);
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, "wrong password", "192.0.2.1", &in), ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, "wrong password", "192.0.2.1", &in), ACCOUNTS_THROTTLED);
    fixture_forward(&f, 5 * MINUTE);
    /* Success costs nothing: many in a row. */
    for (int i = 0; i < 15; i++) {
        assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, "192.0.2.1", &in), ACCOUNTS_OK);
    }
    /* Per address, over many e-mails; IPv6 by /64. */
    for (int i = 0; i < 10; i++) {
        char email[32];
        snprintf(address, sizeof address, "2001:db8:0:1::%d", i + 1);
        snprintf(email, sizeof email, "guess%d@example.org", i);
        assert_int_equal(fixture_sign_in(&f, email, "wrong password", address, &in), ACCOUNTS_UNAUTHORIZED);
    }
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, "2001:db8:0:1::ffff", &in), ACCOUNTS_THROTTLED);
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, "2001:db8:0:2::1", &in), ACCOUNTS_OK);
    fixture_end(&f);
}

static void test_sessions(void **state)
{
    (void)state;
    struct signed_in one, two, three;
    struct session *list;
    struct principal p;
    size_t count;
    fixture_init(&f);
    f.options.session_beta_s = 3600;
    accounts_close(f.a);
    fixture_open(&f);
    struct actor self = fixture_person(f.made.person_id);
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, "198.51.100.1", &one), ACCOUNTS_OK);
    fixture_forward(&f, 30 * MINUTE);
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, "198.51.100.1", &two), ACCOUNTS_OK);
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, "198.51.100.1", &three), ACCOUNTS_OK);
    assert_int_equal(check(one.token, &p), ACCOUNTS_OK);
    fixture_forward(&f, 30 * MINUTE); /* from the cache and from the table alike */
    assert_int_equal(check(one.token, &p), ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(check(two.token, &p), ACCOUNTS_OK);
    assert_int_equal(check(three.token, &p), ACCOUNTS_OK);

    assert_int_equal(accounts_sessions(f.a, f.made.person_id, &list, &count), ACCOUNTS_OK);
    assert_int_equal(count, 2);
    assert_int_equal(list[0].id, three.session_id);
    assert_string_equal(list[0].address, "198.51.100.0/24");
    assert_string_equal(list[0].agent, "cmocka");
    free(list);

    assert_int_equal(accounts_session_revoke(f.a, &self, f.made.person_id, two.session_id), ACCOUNTS_OK);
    assert_int_equal(check(two.token, &p), ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(accounts_session_revoke(f.a, &self, f.made.person_id, two.session_id), ACCOUNTS_NOT_FOUND);
    assert_int_equal(check(three.token, &p), ACCOUNTS_OK);
    assert_int_equal(accounts_sessions_revoke(f.a, &self, f.made.person_id, three.session_id), ACCOUNTS_OK);
    assert_int_equal(check(three.token, &p), ACCOUNTS_OK);
    assert_int_equal(accounts_sessions_revoke(f.a, &self, f.made.person_id, 0), ACCOUNTS_OK);
    assert_int_equal(check(three.token, &p), ACCOUNTS_UNAUTHORIZED);

    /* A stranger's sessions are not his to end. */
    int64_t viewer = fixture_add(&f, "viewer@example.org", ROLE_VIEWER);
    struct actor other = fixture_person(viewer);
    assert_int_equal(accounts_sessions_revoke(f.a, &other, f.made.person_id, 0), ACCOUNTS_ROLE_REFUSED);
    fixture_end(&f);
}

static void test_sessions_bounded(void **state)
{
    (void)state;
    struct signed_in first, last;
    struct session *list;
    struct principal p;
    size_t count;
    fixture_init(&f);
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, "192.0.2.1", &first), ACCOUNTS_OK);
    assert_int_equal(check(first.token, &p), ACCOUNTS_OK);
    for (int i = 0; i < 200; i++) {
        fixture_forward(&f, 1000);
        assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, "192.0.2.1", &last), ACCOUNTS_OK);
    }
    assert_int_equal(accounts_sessions(f.a, f.made.person_id, &list, &count), ACCOUNTS_OK);
    assert_int_equal(count, 200);
    free(list);
    assert_int_equal(check(first.token, &p), ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(check(last.token, &p), ACCOUNTS_OK);
    /* What expired a month ago is dropped by the sweep. */
    fixture_forward(&f, 500 * day_ms);
    accounts_poll(f.a);
    assert_int_equal(check(last.token, &p), ACCOUNTS_UNAUTHORIZED);
    fixture_end(&f);
}

static void test_roles(void **state)
{
    (void)state;
    struct signed_in in;
    struct principal p;
    struct environment second;
    struct environment_role *roles;
    size_t count;
    fixture_init(&f);
    struct span org = span_of(f.made.organization_id), env = span_of(f.made.environment_id);
    struct environment_change change = {.name = SPAN("Second")};
    assert_int_equal(accounts_environment_add(f.a, ACTOR_CLI, org, &change, &second), ACCOUNTS_OK);
    struct span env2 = span_of(second.facts.environment_id);
    int64_t id = fixture_add(&f, "v@example.org", ROLE_VIEWER);
    assert_int_equal(fixture_sign_in(&f, "v@example.org", "password of it", "192.0.2.1", &in), ACCOUNTS_OK);
    assert_int_equal(check(in.token, &p), ACCOUNTS_OK);
    assert_int_equal(p.environment_count, 2);
    assert_string_equal(p.environments[0].environment_id, f.made.environment_id); /* the oldest first */
    assert_true(principal_may(&p.environments[0], PERMISSION_DATA_READ));
    assert_false(principal_may(&p.environments[0], PERMISSION_DATA_WRITE));
    assert_false(principal_may(&p.environments[0], PERMISSION_SYSTEM_READ));

    /* More in one environment, nothing in the other; seen at once although the session is cached. */
    assert_int_equal(accounts_environment_role_set(f.a, ACTOR_CLI, env2, id, ROLE_EDITOR), ACCOUNTS_OK);
    assert_int_equal(accounts_environment_role_set(f.a, ACTOR_CLI, env, id, ROLE_NONE), ACCOUNTS_OK);
    assert_int_equal(accounts_environment_role_set(f.a, ACTOR_CLI, env, id, ROLE_OWNER), ACCOUNTS_BAD_ROLE);
    assert_int_equal(accounts_environment_role_set(f.a, ACTOR_CLI, env, 12345, ROLE_VIEWER), ACCOUNTS_NOT_FOUND);
    assert_int_equal(check(in.token, &p), ACCOUNTS_OK);
    assert_int_equal(p.environment_count, 1);
    assert_int_equal(p.environments[0].role, ROLE_EDITOR);
    assert_true(principal_may(&p.environments[0], PERMISSION_DATA_WRITE | PERMISSION_SYSTEM_READ));
    assert_int_equal(accounts_environment_roles(f.a, org, 0, &roles, &count), ACCOUNTS_OK);
    assert_int_equal(count, 2);
    free(roles);
    /* An admin is one everywhere. */
    assert_int_equal(accounts_role_set(f.a, ACTOR_CLI, org, id, ROLE_ADMIN), ACCOUNTS_OK);
    assert_int_equal(check(in.token, &p), ACCOUNTS_OK);
    assert_int_equal(p.environment_count, 2);
    assert_int_equal(p.environments[0].role, ROLE_ADMIN);
    assert_int_equal(accounts_role_set(f.a, ACTOR_CLI, org, id, ROLE_NONE), ACCOUNTS_OK);
    assert_int_equal(accounts_environment_role_clear(f.a, ACTOR_CLI, env2, id), ACCOUNTS_OK);
    assert_int_equal(accounts_environment_role_clear(f.a, ACTOR_CLI, env2, id), ACCOUNTS_NOT_FOUND);
    assert_int_equal(check(in.token, &p), ACCOUNTS_OK);
    assert_int_equal(p.environment_count, 0);
    assert_string_equal(p.organization_id, f.made.organization_id);
    assert_null(principal_environment(&p, NO_SPAN));
    fixture_end(&f);
}

static void test_nobody_above_themselves(void **state)
{
    (void)state;
    struct invitation invitation;
    struct token t;
    char token[ACCOUNTS_SECRET_MAX + 1];
    int64_t made;
    fixture_init(&f);
    struct span org = span_of(f.made.organization_id), env = span_of(f.made.environment_id);
    int64_t admin = fixture_add(&f, "admin@example.org", ROLE_ADMIN);
    int64_t admin2 = fixture_add(&f, "admin2@example.org", ROLE_ADMIN);
    int64_t viewer = fixture_add(&f, "viewer@example.org", ROLE_VIEWER);
    int64_t owner = f.made.person_id;
    struct actor as_admin = fixture_person(admin), as_viewer = fixture_person(viewer);
    struct person_new in = {.email = SPAN("n@example.org"), .name = SPAN("N"), .password = SPAN("password of it"),
                            .role = ROLE_OWNER};
    assert_int_equal(accounts_person_add(f.a, &as_admin, org, &in, &made), ACCOUNTS_ROLE_REFUSED);
    assert_int_equal(accounts_role_set(f.a, &as_admin, org, admin, ROLE_OWNER), ACCOUNTS_ROLE_REFUSED);
    assert_int_equal(accounts_role_set(f.a, &as_admin, org, owner, ROLE_VIEWER), ACCOUNTS_ROLE_REFUSED);
    assert_int_equal(accounts_person_remove(f.a, &as_admin, org, owner), ACCOUNTS_ROLE_REFUSED);
    assert_int_equal(accounts_password_set(f.a, &as_admin, owner, SPAN("taken over!")), ACCOUNTS_ROLE_REFUSED);
    assert_int_equal(accounts_password_set(f.a, &as_admin, admin2, SPAN("taken over!")), ACCOUNTS_ROLE_REFUSED);
    assert_int_equal(accounts_password_set(f.a, &as_admin, admin, SPAN("taken over!")), ACCOUNTS_ROLE_REFUSED);
    assert_int_equal(accounts_password_set(f.a, &as_admin, viewer, SPAN("a fresh one")), ACCOUNTS_OK);
    assert_int_equal(accounts_invite(f.a, &as_admin, org, NO_SPAN, SPAN("o@example.org"), ROLE_OWNER, &invitation,
                                     token),
                     ACCOUNTS_ROLE_REFUSED);
    assert_int_equal(accounts_invite(f.a, &as_viewer, org, NO_SPAN, SPAN("o@example.org"), ROLE_VIEWER, &invitation,
                                     token),
                     ACCOUNTS_ROLE_REFUSED);
    assert_int_equal(accounts_role_set(f.a, &as_viewer, org, viewer, ROLE_NONE), ACCOUNTS_ROLE_REFUSED);
    assert_int_equal(accounts_person_rename(f.a, &as_viewer, viewer, SPAN("Own name")), ACCOUNTS_OK);
    assert_int_equal(accounts_person_rename(f.a, &as_viewer, owner, SPAN("Nickname")), ACCOUNTS_ROLE_REFUSED);
    struct token_new more = {.name = SPAN("t"), .permissions = PERMISSION_DATA_READ | PERMISSION_SYSTEM_WRITE};
    assert_int_equal(accounts_token_add(f.a, &as_viewer, env, &more, &t, token), ACCOUNTS_ROLE_REFUSED);
    assert_int_equal(accounts_token_add(f.a, &as_admin, env, &more, &t, token), ACCOUNTS_OK);
    assert_int_equal(accounts_person_remove(f.a, &as_viewer, org, viewer), ACCOUNTS_OK); /* leaving is always allowed */
    fixture_end(&f);
}

static void test_last_owner(void **state)
{
    (void)state;
    struct person *people;
    size_t count;
    fixture_init(&f);
    struct span org = span_of(f.made.organization_id);
    struct actor self = fixture_person(f.made.person_id);
    assert_int_equal(accounts_person_remove(f.a, ACTOR_CLI, org, f.made.person_id), ACCOUNTS_LAST_OWNER);
    assert_int_equal(accounts_person_remove(f.a, &self, org, f.made.person_id), ACCOUNTS_LAST_OWNER);
    assert_int_equal(accounts_role_set(f.a, ACTOR_CLI, org, f.made.person_id, ROLE_ADMIN), ACCOUNTS_LAST_OWNER);
    int64_t second = fixture_add(&f, "second@example.org", ROLE_OWNER);
    assert_int_equal(accounts_role_set(f.a, ACTOR_CLI, org, f.made.person_id, ROLE_ADMIN), ACCOUNTS_OK);
    assert_int_equal(accounts_person_remove(f.a, ACTOR_CLI, org, second), ACCOUNTS_LAST_OWNER);
    assert_int_equal(accounts_person_remove(f.a, ACTOR_CLI, org, f.made.person_id), ACCOUNTS_OK);
    assert_int_equal(accounts_person_remove(f.a, ACTOR_CLI, org, f.made.person_id), ACCOUNTS_NOT_FOUND);
    assert_int_equal(accounts_people(f.a, org, &people, &count), ACCOUNTS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(people[0].id, second);
    free(people);
    fixture_end(&f);
}

static void test_removed_person(void **state)
{
    (void)state;
    struct signed_in in;
    struct principal p;
    fixture_init(&f);
    int64_t id = fixture_add(&f, "gone@example.org", ROLE_ADMIN);
    assert_int_equal(fixture_sign_in(&f, "gone@example.org", "password of it", "192.0.2.1", &in), ACCOUNTS_OK);
    assert_int_equal(check(in.token, &p), ACCOUNTS_OK);
    assert_int_equal(accounts_person_remove(f.a, ACTOR_CLI, span_of(f.made.organization_id), id), ACCOUNTS_OK);
    assert_int_equal(check(in.token, &p), ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(fixture_sign_in(&f, "gone@example.org", "password of it", "192.0.2.1", &in),
                     ACCOUNTS_UNAUTHORIZED);
    /* The address is free again. */
    assert_true(fixture_add(&f, "gone@example.org", ROLE_VIEWER) > id);
    struct person_new twice = {.email = SPAN("GONE@example.org"), .name = SPAN("N"), .password = SPAN("password of it"),
                               .role = ROLE_VIEWER};
    assert_int_equal(accounts_person_add(f.a, ACTOR_CLI, span_of(f.made.organization_id), &twice, &id),
                     ACCOUNTS_EMAIL_TAKEN);
    fixture_end(&f);
}

static void test_invitations(void **state)
{
    (void)state;
    struct invitation i, look, *list;
    struct signed_in in;
    struct principal p;
    char first[ACCOUNTS_SECRET_MAX + 1], token[ACCOUNTS_SECRET_MAX + 1];
    size_t count;
    int64_t person;
    bool exists;
    fixture_init(&f);
    struct span org = span_of(f.made.organization_id), here = SPAN("192.0.2.9"), robot = SPAN("name+robot@example.org");
    struct actor owner = fixture_person(f.made.person_id);
    assert_int_equal(accounts_invite(f.a, &owner, org, NO_SPAN, SPAN("no address"), ROLE_VIEWER, &i, token),
                     ACCOUNTS_BAD_EMAIL);
    assert_int_equal(accounts_invite(f.a, &owner, org, NO_SPAN, robot, ROLE_NONE, &i, token), ACCOUNTS_BAD_ROLE);
    assert_int_equal(accounts_invite(f.a, &owner, org, NO_SPAN, SPAN(OWNER_EMAIL), ROLE_VIEWER, &i, token),
                     ACCOUNTS_EMAIL_TAKEN);
    assert_int_equal(accounts_invite(f.a, &owner, org, NO_SPAN, robot, ROLE_VIEWER, &i, first), ACCOUNTS_OK);
    assert_int_equal(accounts_invite(f.a, &owner, org, NO_SPAN, robot, ROLE_VIEWER, &i, token), ACCOUNTS_OK);
    assert_int_equal(accounts_invitations(f.a, org, &list, &count), ACCOUNTS_OK);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].email, "name+robot@example.org");
    assert_int_equal(list[0].invited_by, f.made.person_id);
    free(list);
    assert_int_equal(accounts_invitation_look(f.a, span_of(first), &look, &exists), ACCOUNTS_LINK_INVALID);
    assert_int_equal(accounts_invitation_look(f.a, span_of(token), &look, &exists), ACCOUNTS_OK);
    assert_false(exists);
    assert_int_equal(accounts_invitation_accept(f.a, here, span_of(token), SPAN("two\nlines"), SPAN("robot password"),
                                                &person),
                     ACCOUNTS_BAD_NAME);
    assert_int_equal(accounts_invitation_accept(f.a, here, span_of(token), SPAN("Robot"), SPAN("short"), &person),
                     ACCOUNTS_BAD_PASSWORD);
    assert_int_equal(accounts_invitation_accept(f.a, here, span_of(token), SPAN("Robot"), SPAN("robot password"),
                                                &person),
                     ACCOUNTS_OK);
    assert_int_equal(accounts_invitation_accept(f.a, here, span_of(token), SPAN("Robot"), SPAN("robot password"),
                                                &person),
                     ACCOUNTS_LINK_INVALID);
    assert_int_equal(fixture_sign_in(&f, "name+robot@example.org", "robot password", "192.0.2.9", &in), ACCOUNTS_OK);
    assert_int_equal(check(in.token, &p), ACCOUNTS_OK);
    assert_int_equal(p.environments[0].role, ROLE_VIEWER);
    assert_true(principal_may(&p.environments[0], PERMISSION_DATA_READ));
    assert_false(principal_may(&p.environments[0], PERMISSION_SYSTEM_WRITE));

    /* Expiry and revocation. */
    assert_int_equal(accounts_invite(f.a, &owner, org, NO_SPAN, SPAN("a@example.org"), ROLE_VIEWER, &i, token),
                     ACCOUNTS_OK);
    assert_int_equal(accounts_invitation_revoke(f.a, &owner, org, i.id), ACCOUNTS_OK);
    assert_int_equal(accounts_invitation_revoke(f.a, &owner, org, i.id), ACCOUNTS_NOT_FOUND);
    assert_int_equal(accounts_invitation_look(f.a, span_of(token), &look, &exists), ACCOUNTS_LINK_INVALID);
    assert_int_equal(accounts_invite(f.a, &owner, org, NO_SPAN, SPAN("a@example.org"), ROLE_VIEWER, &i, token),
                     ACCOUNTS_OK);
    fixture_forward(&f, 7 * day_ms);
    assert_int_equal(accounts_invitation_look(f.a, span_of(token), &look, &exists), ACCOUNTS_LINK_INVALID);
    fixture_end(&f);
}

static void test_environment_invitation(void **state)
{
    (void)state;
    struct invitation i;
    struct environment second;
    struct signed_in in;
    struct principal p;
    char token[ACCOUNTS_SECRET_MAX + 1];
    int64_t person;
    fixture_init(&f);
    struct span org = span_of(f.made.organization_id);
    struct environment_change change = {.name = SPAN("Second")};
    assert_int_equal(accounts_environment_add(f.a, ACTOR_CLI, org, &change, &second), ACCOUNTS_OK);
    struct span env = span_of(second.facts.environment_id);
    assert_int_equal(accounts_invite(f.a, ACTOR_CLI, org, env, SPAN("e@example.org"), ROLE_OWNER, &i, token),
                     ACCOUNTS_BAD_ROLE);
    assert_int_equal(accounts_invite(f.a, ACTOR_CLI, org, SPAN("foreign1"), SPAN("e@example.org"), ROLE_EDITOR, &i,
                                     token),
                     ACCOUNTS_NOT_FOUND);
    assert_int_equal(accounts_invite(f.a, ACTOR_CLI, org, env, SPAN("e@example.org"), ROLE_EDITOR, &i, token),
                     ACCOUNTS_OK);
    assert_int_equal(accounts_invitation_accept(f.a, NO_SPAN, span_of(token), SPAN("E"), SPAN("e's password"), &person),
                     ACCOUNTS_OK);
    assert_int_equal(fixture_sign_in(&f, "e@example.org", "e's password", "", &in), ACCOUNTS_OK);
    assert_int_equal(check(in.token, &p), ACCOUNTS_OK);
    assert_int_equal(p.environment_count, 1);
    assert_string_equal(p.environments[0].environment_id, second.facts.environment_id);
    assert_int_equal(p.environments[0].role, ROLE_EDITOR);
    assert_int_equal(p.organization_role, ROLE_NONE);
    fixture_end(&f);
}

static void test_password_change(void **state)
{
    (void)state;
    struct signed_in one, two, three;
    struct principal p;
    fixture_init(&f);
    struct actor self = fixture_person(f.made.person_id);
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, "192.0.2.1", &one), ACCOUNTS_OK);
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, "192.0.2.1", &two), ACCOUNTS_OK);
    assert_int_equal(accounts_password_change(f.a, &self, SPAN("wrong password"), SPAN("a fresh one"), one.session_id),
                     ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(accounts_password_change(f.a, &self, SPAN(OWNER_PASSWORD), SPAN("short"), one.session_id),
                     ACCOUNTS_BAD_PASSWORD);
    assert_int_equal(accounts_password_change(f.a, &self, SPAN(OWNER_PASSWORD), SPAN("a fresh one"), one.session_id),
                     ACCOUNTS_OK);
    assert_int_equal(check(one.token, &p), ACCOUNTS_OK);
    assert_int_equal(check(two.token, &p), ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, "192.0.2.1", &three), ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, "a fresh one", "192.0.2.1", &three), ACCOUNTS_OK);
    assert_int_equal(accounts_password_set(f.a, ACTOR_CLI, f.made.person_id, SPAN("set by hand")), ACCOUNTS_OK);
    assert_int_equal(check(one.token, &p), ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, "set by hand", "192.0.2.1", &three), ACCOUNTS_OK);
    /* Guessing the current password is throttled as a sign-in is. */
    enum accounts_error e = ACCOUNTS_OK;
    for (int i = 0; i < 11; i++) e = accounts_password_change(f.a, &self, SPAN("guess guess"), SPAN("a fresh one"), 0);
    assert_int_equal(e, ACCOUNTS_THROTTLED);
    fixture_end(&f);
}

static void test_password_reset(void **state)
{
    (void)state;
    struct signed_in in, after;
    struct principal p;
    char token[ACCOUNTS_SECRET_MAX + 1], second[ACCOUNTS_SECRET_MAX + 1];
    fixture_init(&f);
    struct actor server = {.kind = ACTOR_SERVER, .address = SPAN("192.0.2.1")};
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, "192.0.2.1", &in), ACCOUNTS_OK);
    assert_int_equal(accounts_reset_begin(f.a, &server, SPAN("nobody@example.org"), token), ACCOUNTS_OK);
    assert_string_equal(token, "");
    assert_int_equal(accounts_reset_begin(f.a, &server, SPAN(OWNER_EMAIL), token), ACCOUNTS_OK);
    assert_int_equal(accounts_reset_begin(f.a, &server, SPAN(OWNER_EMAIL), second), ACCOUNTS_OK);
    struct span here = SPAN("192.0.2.1"), fresh = SPAN("after the reset");
    assert_int_equal(accounts_reset_finish(f.a, here, span_of(token), fresh), ACCOUNTS_LINK_INVALID);
    assert_int_equal(accounts_reset_finish(f.a, here, span_of(second), SPAN("short")), ACCOUNTS_BAD_PASSWORD);
    assert_int_equal(accounts_reset_finish(f.a, here, span_of(second), fresh), ACCOUNTS_OK);
    assert_int_equal(accounts_reset_finish(f.a, here, span_of(second), fresh), ACCOUNTS_LINK_INVALID);
    assert_int_equal(check(in.token, &p), ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, "after the reset", "192.0.2.1", &after), ACCOUNTS_OK);
    assert_int_equal(accounts_reset_begin(f.a, ACTOR_CLI, SPAN(OWNER_EMAIL), token), ACCOUNTS_OK);
    fixture_forward(&f, HOUR);
    assert_int_equal(accounts_reset_finish(f.a, here, span_of(token), fresh), ACCOUNTS_LINK_INVALID);
    enum accounts_error e = ACCOUNTS_OK;
    for (int i = 0; i < 11; i++) e = accounts_reset_begin(f.a, &server, SPAN(OWNER_EMAIL), token);
    assert_int_equal(e, ACCOUNTS_THROTTLED);
    fixture_end(&f);
}

static enum accounts_error sign_in_with_code(const char *code, struct signed_in *out)
{
    struct sign_in in = {.email = SPAN(OWNER_EMAIL), .password = SPAN(OWNER_PASSWORD), .totp = span_of(code),
                         .address = SPAN("192.0.2.1"), .kind = SESSION_COOKIE};
    return accounts_sign_in(f.a, &in, out);
}

/* The vectors of RFC 6238, appendix B, for SHA-1, cut to six digits. */
static void test_totp(void **state)
{
    (void)state;
    static const struct {
        int64_t at_s;
        const char *code;
    } vectors[] = {{1111111109, "081804"}, {1234567890, "005924"}, {2000000000, "279037"}};
    struct signed_in in;
    struct person person;
    fixture_init(&f);
    struct actor self = fixture_person(f.made.person_id);
    struct span secret = SPAN("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), password = SPAN(OWNER_PASSWORD);
    atomic_store(&f.now_ms, 59000);
    assert_int_equal(accounts_totp_enable(f.a, &self, password, SPAN("short"), SPAN("287082")), ACCOUNTS_BAD_VALUE);
    assert_int_equal(accounts_totp_enable(f.a, &self, password, secret, SPAN("287083")), ACCOUNTS_BAD_TOTP);
    assert_int_equal(accounts_totp_enable(f.a, &self, SPAN("wrong password"), secret, SPAN("287082")),
                     ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(accounts_totp_enable(f.a, &self, password, secret, SPAN("287082")), ACCOUNTS_OK);
    assert_int_equal(sign_in_with_code("287082", &in), ACCOUNTS_BAD_TOTP); /* each code once */
    for (size_t i = 0; i < COUNT(vectors); i++) {
        atomic_store(&f.now_ms, vectors[i].at_s * 1000);
        assert_int_equal(sign_in_with_code("", &in), ACCOUNTS_TOTP_NEEDED);
        assert_int_equal(sign_in_with_code("000000", &in), ACCOUNTS_BAD_TOTP);
        assert_int_equal(sign_in_with_code(vectors[i].code, &in), ACCOUNTS_OK);
        assert_int_equal(sign_in_with_code(vectors[i].code, &in), ACCOUNTS_BAD_TOTP);
    }
    assert_int_equal(accounts_person_get(f.a, f.made.person_id, &person), ACCOUNTS_OK);
    assert_true(person.totp);
    assert_false(fixture_readable(&f, secret));
    assert_false(fixture_readable(&f, SPAN("12345678901234567890"))); /* what it decodes to */
    assert_int_equal(accounts_totp_disable(f.a, &self, f.made.person_id), ACCOUNTS_ROLE_REFUSED);
    assert_int_equal(accounts_totp_disable_own(f.a, &self, SPAN("wrong password")), ACCOUNTS_UNAUTHORIZED);
    assert_int_equal(sign_in_with_code("", &in), ACCOUNTS_TOTP_NEEDED);
    assert_int_equal(accounts_totp_disable_own(f.a, &self, password), ACCOUNTS_OK);
    assert_int_equal(accounts_totp_disable_own(f.a, &self, password), ACCOUNTS_NOT_FOUND);
    assert_int_equal(accounts_totp_disable(f.a, ACTOR_CLI, f.made.person_id), ACCOUNTS_NOT_FOUND);
    assert_int_equal(sign_in_with_code("", &in), ACCOUNTS_OK);
    fixture_end(&f);
}

/* A password hashed at a lower cost is hashed again at the next sign-in, and still holds. */
static void test_rehash(void **state)
{
    (void)state;
    struct signed_in in;
    fixture_init(&f);
    accounts_close(f.a);
    f.options.password_bytes = 16384;
    f.options.password_passes = 3;
    fixture_open(&f);
    assert_false(fixture_readable(&f, SPAN("m=16,t=3")));
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, "192.0.2.1", &in), ACCOUNTS_OK);
    assert_true(fixture_readable(&f, SPAN("m=16,t=3")));
    assert_int_equal(fixture_sign_in(&f, OWNER_EMAIL, OWNER_PASSWORD, "192.0.2.1", &in), ACCOUNTS_OK);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign_in),
        cmocka_unit_test(test_throttle),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_sessions_bounded),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_nobody_above_themselves),
        cmocka_unit_test(test_last_owner),
        cmocka_unit_test(test_removed_person),
        cmocka_unit_test(test_invitations),
        cmocka_unit_test(test_environment_invitation),
        cmocka_unit_test(test_password_change),
        cmocka_unit_test(test_password_reset),
        cmocka_unit_test(test_totp),
        cmocka_unit_test(test_rehash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
