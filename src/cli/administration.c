/* SPDX-License-Identifier: Apache-2.0
 * firstframe user, token, environment, audit: administration without the dashboard. A running server notices the change
 * within a second. */
#include "cli/cli.h"

#include "accounts/audit.h"
#include "accounts/environments.h"
#include "accounts/people.h"
#include "accounts/tokens.h"
#include "base/clock.h"
#include "base/json.h"
#include "query/filter.h"

#include <stdio.h>
#include <stdlib.h>

enum { OUTPUT_BYTES_MAX = 64 * 1024 * 1024 };

/* What every administrative command works with. */
struct work {
    struct options *options;
    struct accounts *accounts;
    const char *verb, *subject; /* "add", and what follows it or NULL */
    bool json;
    struct buf out;
    struct jw w;
};

typedef int work_fn(struct work *w);
struct verb {
    const char *name;
    bool needs_subject;
    work_fn *run;
};

static int run_verb(enum command c, int argc, char **argv, const struct verb *verbs)
{
    static const char *const required[] = {"data", NULL};
    int exit_code;
    struct work w = {.options = cli_options(c, argc, argv, &exit_code)};
    if (w.options == NULL) return exit_code;
    exit_code = 2;
    const struct verb *verb = NULL;
    size_t arguments = options_argument_count(w.options);
    for (const struct verb *v = verbs; arguments && v->name; v++)
        if (strcmp(v->name, options_argument(w.options, 0)) == 0) verb = v;
    w.subject = arguments > 1 ? options_argument(w.options, 1) : NULL;
    if (c == COMMAND_user && w.subject == NULL) w.subject = options_text(w.options, "email");
    if (verb == NULL && arguments)
        cli_say("there is no %s command \"%s\"; \"firstframe %s --help\" lists them", command_words(c),
                options_argument(w.options, 0), command_words(c));
    else if (verb == NULL)
        cli_say("%s: say what to do; \"firstframe %s --help\" lists it", command_words(c), command_words(c));
    else if (arguments > 2)
        cli_say("%s %s: unexpected argument \"%s\"", command_words(c), verb->name, options_argument(w.options, 2));
    else if (verb->needs_subject && w.subject == NULL) cli_say("%s %s: say which one", command_words(c), verb->name);
    else if (cli_required(w.options, c, required)) {
        exit_code = 1;
        w.accounts = cli_accounts(w.options, true);
        w.json = options_flag(w.options, "json");
        w.verb = verb->name;
        buf_init(&w.out, OUTPUT_BYTES_MAX);
        jw_init(&w.w, &w.out);
        if (w.accounts) exit_code = verb->run(&w);
        if (exit_code == 0) cli_print(&w.out);
        buf_free(&w.out);
        accounts_close(w.accounts);
    }
    options_free(w.options);
    return exit_code;
}

static struct span text_option(const struct work *w, const char *name)
{
    return span_of(options_text(w->options, name));
}

/* The organization of this server (the first one). */
static bool first_organization(struct work *w, char id[ACCOUNTS_ID_MAX + 1])
{
    struct organization *list;
    size_t n = 0;
    enum accounts_error e = accounts_organizations(w->accounts, &list, &n);
    if (e != ACCOUNTS_OK || n == 0) {
        (void)cli_fail_accounts(e == ACCOUNTS_OK ? ACCOUNTS_NOT_FOUND : e);
        return false;
    }
    memcpy(id, list[0].id, ACCOUNTS_ID_MAX + 1);
    free(list);
    return true;
}

static void time_or_dash(struct work *w, int64_t ms)
{
    char text[32] = "-";
    if (ms) iso_seconds(text, ms);
    buf_addf(&w->out, "%-21s", text);
}

static void json_time(struct work *w, const char *key, int64_t ms)
{
    char text[32];
    jw_key(&w->w, key);
    if (ms) iso_seconds(text, ms), jw_text(&w->w, text);
    else jw_null(&w->w);
}

/* An environment by its id or its name. */
static bool environment_named(struct work *w, struct span wanted, struct environment *out)
{
    enum accounts_error e = accounts_environment_get(w->accounts, wanted, out);
    if (e == ACCOUNTS_NOT_FOUND) e = accounts_environment_by_name(w->accounts, (struct span){NULL, 0}, wanted, out);
    if (e == ACCOUNTS_OK) return true;
    if (e == ACCOUNTS_NOT_FOUND) cli_say("there is no such environment; \"firstframe environment list\" shows them");
    else (void)cli_fail_accounts(e);
    return false;
}

/* -- user -- */

/* "editor in t0mmx0bw" for each environment where the role differs from that in the organization. */
static void user_print_roles(struct work *w, int64_t person_id, const struct environment_role *roles, size_t n)
{
    if (w->json) jw_key(&w->w, "environment_roles"), jw_array(&w->w);
    for (size_t i = 0; i < n; i++) {
        if (roles[i].person_id != person_id) continue;
        if (w->json) {
            jw_object(&w->w);
            jw_key(&w->w, "environment_id"), jw_text(&w->w, roles[i].environment_id);
            jw_key(&w->w, "role"), jw_text(&w->w, role_name(roles[i].role));
            jw_object_end(&w->w);
        } else {
            buf_addf(&w->out, "  %s in %s", role_name(roles[i].role), roles[i].environment_id);
        }
    }
    if (w->json) jw_array_end(&w->w);
}

static int user_list(struct work *w)
{
    char organization[ACCOUNTS_ID_MAX + 1];
    struct person *people;
    struct environment_role *roles;
    size_t n, role_count;
    if (!first_organization(w, organization)) return 1;
    enum accounts_error e = accounts_people(w->accounts, span_of(organization), &people, &n);
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    e = accounts_environment_roles(w->accounts, span_of(organization), 0, &roles, &role_count);
    if (e != ACCOUNTS_OK) {
        free(people);
        return cli_fail_accounts(e);
    }
    if (w->json) jw_array(&w->w);
    else buf_addf(&w->out, "%-8s %-21s %s\n", "ROLE", "LAST SEEN", "E-MAIL");
    for (size_t i = 0; i < n; i++) {
        if (w->json) {
            jw_object(&w->w);
            jw_key(&w->w, "id"), jw_int(&w->w, people[i].id);
            jw_key(&w->w, "email"), jw_text(&w->w, people[i].email);
            jw_key(&w->w, "name"), jw_text(&w->w, people[i].name);
            jw_key(&w->w, "role"), jw_text(&w->w, role_name(people[i].role));
            user_print_roles(w, people[i].id, roles, role_count);
            jw_key(&w->w, "totp"), jw_bool(&w->w, people[i].totp);
            json_time(w, "last_seen", people[i].last_seen_ms);
            jw_object_end(&w->w);
        } else {
            buf_addf(&w->out, "%-8s ", role_name(people[i].role));
            time_or_dash(w, people[i].last_seen_ms);
            buf_addf(&w->out, " %s", people[i].email);
            user_print_roles(w, people[i].id, roles, role_count);
            buf_addf(&w->out, "%s\n", people[i].totp ? "  (one-time codes)" : "");
        }
    }
    if (w->json) jw_array_end(&w->w), buf_addc(&w->out, '\n');
    free(people);
    free(roles);
    return 0;
}

static bool role_option(struct work *w, enum role *role)
{
    if (role_from_name(text_option(w, "role"), role)) return true;
    cli_say("--role: expected owner, admin, editor or viewer");
    return false;
}

static int user_add(struct work *w)
{
    char organization[ACCOUNTS_ID_MAX + 1];
    struct environment environment;
    enum role role;
    struct span password = text_option(w, "password"), limited = text_option(w, "environment");
    if (!role_option(w, &role) || !first_organization(w, organization)) return 1;
    if (password.len == 0) {
        cli_say("--password, --password-file or FIRSTFRAME_PASSWORD is needed");
        return 2;
    }
    if (limited.len && !environment_named(w, limited, &environment)) return 1;
    if (limited.len && role == ROLE_OWNER) return cli_fail_accounts(ACCOUNTS_BAD_ROLE);
    struct person_new in = {.email = span_of(w->subject),
                            .name = text_option(w, "name"),
                            .password = password,
                            .role = limited.len ? ROLE_NONE : role};
    int64_t id;
    enum accounts_error e = accounts_person_add(w->accounts, ACTOR_CLI, span_of(organization), &in, &id);
    if (e == ACCOUNTS_OK && limited.len)
        e = accounts_environment_role_set(w->accounts, ACTOR_CLI, span_of(environment.facts.environment_id), id, role);
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    if (w->json) buf_addf(&w->out, "{\"id\":%lld}\n", (long long)id);
    else buf_addf(&w->out, "added %s as %s\n", w->subject, role_name(role));
    return 0;
}

static bool person_named(struct work *w, struct person *p)
{
    enum accounts_error e = accounts_person_by_email(w->accounts, span_of(w->subject), p);
    if (e == ACCOUNTS_OK) return true;
    (void)cli_fail_accounts(e);
    return false;
}

static int user_remove(struct work *w)
{
    char organization[ACCOUNTS_ID_MAX + 1];
    struct person p;
    if (!person_named(w, &p) || !first_organization(w, organization)) return 1;
    enum accounts_error e = accounts_person_remove(w->accounts, ACTOR_CLI, span_of(organization), p.id);
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    buf_addf(&w->out, w->json ? "{}\n" : "removed %s\n", w->subject);
    return 0;
}

static int user_password(struct work *w)
{
    struct person p;
    if (!person_named(w, &p)) return 1;
    enum accounts_error e = accounts_password_set(w->accounts, ACTOR_CLI, p.id, text_option(w, "password"));
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    buf_addf(&w->out, w->json ? "{}\n" : "new password for %s; all sessions have ended\n", w->subject);
    return 0;
}

static int user_role(struct work *w)
{
    char organization[ACCOUNTS_ID_MAX + 1];
    struct environment environment;
    struct person p;
    enum role role;
    struct span limited = text_option(w, "environment");
    if (!role_option(w, &role) || !person_named(w, &p) || !first_organization(w, organization)) return 1;
    if (limited.len && !environment_named(w, limited, &environment)) return 1;
    enum accounts_error e = limited.len
                                ? accounts_environment_role_set(w->accounts, ACTOR_CLI,
                                                                span_of(environment.facts.environment_id), p.id, role)
                                : accounts_role_set(w->accounts, ACTOR_CLI, span_of(organization), p.id, role);
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    buf_addf(&w->out, w->json ? "{}\n" : "%s has a new role\n", w->subject);
    return 0;
}

static int user_totp(struct work *w)
{
    struct person p;
    if (!person_named(w, &p)) return 1;
    enum accounts_error e = p.totp ? accounts_totp_disable(w->accounts, ACTOR_CLI, p.id) : ACCOUNTS_OK;
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    buf_addf(&w->out, w->json ? "{}\n" : "%s signs in without one-time codes\n", w->subject);
    return 0;
}

static int user_sign_out(struct work *w)
{
    struct person p;
    if (!person_named(w, &p)) return 1;
    enum accounts_error e = accounts_sessions_revoke(w->accounts, ACTOR_CLI, p.id, 0);
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    buf_addf(&w->out, w->json ? "{}\n" : "all sessions of %s have ended\n", w->subject);
    return 0;
}

/* A link that this machine's operator hands on. */
static void user_print_link(struct work *w, const char *page, char token[ACCOUNTS_SECRET_MAX + 1])
{
    const char *url = options_text(w->options, "public-url");
    size_t len = strlen(url);
    while (len && url[len - 1] == '/') len--;
    buf_addf(&w->out, w->json ? "{\"url\":\"%.*s/%s#%s\"}\n" : "%.*s/%s#%s\n", (int)len, url, page, token);
    accounts_wipe(token, ACCOUNTS_SECRET_MAX + 1);
    if (!options_given(w->options, "public-url") && !w->json)
        cli_say("the link opens on this machine alone; --public-url gives it the address that people use");
}

static int user_invite(struct work *w)
{
    char organization[ACCOUNTS_ID_MAX + 1], token[ACCOUNTS_SECRET_MAX + 1];
    struct environment environment = {.name = ""};
    struct invitation made;
    enum role role;
    struct span limited = text_option(w, "environment");
    if (!role_option(w, &role) || !first_organization(w, organization)) return 1;
    if (limited.len && !environment_named(w, limited, &environment)) return 1;
    enum accounts_error e =
        accounts_invite(w->accounts, ACTOR_CLI, span_of(organization), span_of(environment.facts.environment_id),
                        span_of(w->subject), role, &made, token);
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    user_print_link(w, "invitation", token);
    return 0;
}

static void invitation_row(struct work *w, const struct invitation *i)
{
    if (w->json) {
        jw_object(&w->w);
        jw_key(&w->w, "id"), jw_int(&w->w, i->id);
        jw_key(&w->w, "email"), jw_text(&w->w, i->email);
        jw_key(&w->w, "role"), jw_text(&w->w, role_name(i->role));
        jw_key(&w->w, "environment_id"), jw_text(&w->w, i->environment_id[0] ? i->environment_id : NULL);
        json_time(w, "expires", i->expires_ms);
        jw_object_end(&w->w);
        return;
    }
    buf_addf(&w->out, "%-8s ", role_name(i->role));
    time_or_dash(w, i->expires_ms);
    buf_addf(&w->out, " %s%s%s\n", i->email, i->environment_id[0] ? "  in " : "", i->environment_id);
}

/* Lists the open invitations, or takes back those to one address. */
static int user_invitations_each(struct work *w, bool revoke)
{
    char organization[ACCOUNTS_ID_MAX + 1];
    struct invitation *list;
    size_t n, revoked = 0;
    if (!first_organization(w, organization)) return 1;
    enum accounts_error e = accounts_invitations(w->accounts, span_of(organization), &list, &n);
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    if (!revoke && w->json) jw_array(&w->w);
    else if (!revoke) buf_addf(&w->out, "%-8s %-21s %s\n", "ROLE", "VALID UNTIL", "E-MAIL");
    for (size_t i = 0; i < n && e == ACCOUNTS_OK; i++) {
        if (!revoke) invitation_row(w, &list[i]);
        else if (span_eq_nocase(span_of(list[i].email), span_of(w->subject))) {
            e = accounts_invitation_revoke(w->accounts, ACTOR_CLI, span_of(organization), list[i].id);
            revoked++;
        }
    }
    free(list);
    if (!revoke && w->json) jw_array_end(&w->w), buf_addc(&w->out, '\n');
    if (revoke && revoked == 0 && e == ACCOUNTS_OK) e = ACCOUNTS_NOT_FOUND;
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    if (revoke) buf_addf(&w->out, w->json ? "{}\n" : "%s is invited no more\n", w->subject);
    return 0;
}

static int user_invitations(struct work *w)
{
    return user_invitations_each(w, false);
}

static int user_revoke(struct work *w)
{
    return user_invitations_each(w, true);
}

static int user_reset(struct work *w)
{
    struct person p;
    char token[ACCOUNTS_SECRET_MAX + 1];
    if (!person_named(w, &p)) return 1;
    enum accounts_error e = accounts_reset_begin(w->accounts, ACTOR_CLI, span_of(p.email), token);
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    user_print_link(w, "reset", token);
    return 0;
}

int cli_user(int argc, char **argv)
{
    static const struct verb verbs[] = {{"add", true, user_add},           {"list", false, user_list},
                                        {"remove", true, user_remove},     {"password", true, user_password},
                                        {"role", true, user_role},         {"reset", true, user_reset},
                                        {"invite", true, user_invite},     {"invitations", false, user_invitations},
                                        {"revoke", true, user_revoke},     {"totp-off", true, user_totp},
                                        {"sign-out", true, user_sign_out}, {NULL, false, NULL}};
    return run_verb(COMMAND_user, argc, argv, verbs);
}

/* -- token -- */

/* --environment, or the oldest. */
static bool environment_option(struct work *w, struct environment *out)
{
    struct span wanted = text_option(w, "environment");
    struct environment *list;
    size_t n = 0;
    if (wanted.len) return environment_named(w, wanted, out);
    enum accounts_error e = accounts_environments(w->accounts, (struct span){NULL, 0}, &list, &n);
    if (e == ACCOUNTS_OK && n > 0) *out = list[0];
    else (void)cli_fail_accounts(e == ACCOUNTS_OK ? ACCOUNTS_NOT_FOUND : e);
    if (e == ACCOUNTS_OK) free(list);
    return e == ACCOUNTS_OK && n > 0;
}

static void permissions_text(struct buf *out, permission_set set)
{
    bool first = true;
    for (unsigned bit = 0; bit < PERMISSION_COUNT; bit++) {
        if (!(set & (1u << bit))) continue;
        buf_addf(out, "%s%s", first ? "" : ",", permission_text((enum permission_bit)bit));
        first = false;
    }
}

/* The dimension has to exist, or the token could see nothing at all. */
static bool filter_known(struct span filter)
{
    enum { FILTER_ARENA_BYTES = 64 * 1024 };
    struct filters probe = {.count = 0};
    struct arena arena;
    if (filter.len == 0) return true;
    arena_init(&arena, FILTER_ARENA_BYTES);
    const char *bad = filters_restrict(&probe, filter, &arena);
    if (bad) cli_say("--filter: %s", bad);
    arena_free(&arena);
    return bad == NULL;
}

static int token_add(struct work *w)
{
    struct environment environment;
    permission_set permissions;
    if (!permissions_from_list(text_option(w, "permissions"), &permissions)) {
        cli_say("--permissions: expected names out of data:read, data:write, system:read, system:write, video:read");
        return 2;
    }
    if (!filter_known(text_option(w, "filter"))) return 2;
    if (!environment_option(w, &environment)) return 1;
    int64_t days = options_number(w->options, "expires-in-days");
    struct span name = text_option(w, "name");
    struct token_new in = {.name = name.len ? name : SPAN("command line"),
                           .permissions = permissions,
                           .filter = text_option(w, "filter"),
                           .expires_ms = days ? wall_now_ms() + days * 86400000 : 0};
    struct token made;
    char secret[ACCOUNTS_SECRET_MAX + 1];
    enum accounts_error e =
        accounts_token_add(w->accounts, ACTOR_CLI, span_of(environment.facts.environment_id), &in, &made, secret);
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    if (w->json) {
        jw_object(&w->w);
        jw_key(&w->w, "token_id"), jw_text(&w->w, made.id);
        jw_key(&w->w, "token_secret"), jw_text(&w->w, secret);
        jw_key(&w->w, "environment_id"), jw_text(&w->w, made.environment_id);
        jw_object_end(&w->w);
        buf_addc(&w->out, '\n');
    } else {
        buf_addf(&w->out, "token id     %s\ntoken secret %s   (shown once)\n", made.id, secret);
    }
    accounts_wipe(secret, sizeof secret);
    return 0;
}

static void token_row(struct work *w, const struct token *t)
{
    if (w->json) {
        jw_object(&w->w);
        jw_key(&w->w, "id"), jw_text(&w->w, t->id);
        jw_key(&w->w, "name"), jw_text(&w->w, t->name);
        jw_key(&w->w, "environment_id"), jw_text(&w->w, t->environment_id);
        struct buf list;
        buf_init(&list, 1024);
        permissions_text(&list, t->permissions);
        jw_key(&w->w, "permissions"), jw_text(&w->w, list.ptr ? list.ptr : "");
        buf_free(&list);
        jw_key(&w->w, "filter"), jw_text(&w->w, t->filter[0] ? t->filter : NULL);
        json_time(w, "created", t->created_ms), json_time(w, "expires", t->expires_ms);
        json_time(w, "last_used", t->last_used_ms), json_time(w, "revoked", t->revoked_ms);
        jw_object_end(&w->w);
        return;
    }
    buf_addf(&w->out, "%s  ", t->id);
    time_or_dash(w, t->last_used_ms);
    buf_addf(&w->out, " %s  ", t->revoked_ms ? "revoked" : t->name);
    permissions_text(&w->out, t->permissions);
    buf_addf(&w->out, "%s%s\n", t->filter[0] ? "  only " : "", t->filter);
}

static int token_list(struct work *w)
{
    struct environment environment;
    struct token *tokens;
    size_t n;
    if (!environment_option(w, &environment)) return 1;
    enum accounts_error e = accounts_tokens(w->accounts, span_of(environment.facts.environment_id), &tokens, &n);
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    if (w->json) jw_array(&w->w);
    else buf_addf(&w->out, "%-36s  %-21s %s\n", "ID", "LAST USED", "NAME");
    for (size_t i = 0; i < n; i++) token_row(w, &tokens[i]);
    if (w->json) jw_array_end(&w->w), buf_addc(&w->out, '\n');
    free(tokens);
    return 0;
}

static int token_rename(struct work *w)
{
    struct token t;
    struct span name = text_option(w, "name");
    enum accounts_error e = accounts_token_get(w->accounts, span_of(w->subject), &t);
    if (e == ACCOUNTS_OK)
        e = accounts_token_rename(w->accounts, ACTOR_CLI, span_of(t.environment_id), span_of(w->subject), name);
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    buf_addf(&w->out, w->json ? "{}\n" : "renamed %s\n", w->subject);
    return 0;
}

static int token_remove(struct work *w)
{
    struct token t;
    enum accounts_error e = accounts_token_get(w->accounts, span_of(w->subject), &t);
    if (e == ACCOUNTS_OK)
        e = accounts_token_revoke(w->accounts, ACTOR_CLI, span_of(t.environment_id), span_of(w->subject));
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    buf_addf(&w->out, w->json ? "{}\n" : "revoked %s\n", w->subject);
    return 0;
}

int cli_token(int argc, char **argv)
{
    static const struct verb verbs[] = {{"add", false, token_add},
                                        {"list", false, token_list},
                                        {"rename", true, token_rename},
                                        {"remove", true, token_remove},
                                        {NULL, false, NULL}};
    return run_verb(COMMAND_token, argc, argv, verbs);
}

/* -- environment -- */

static void environment_row(struct work *w, const struct environment *e)
{
    if (!w->json) {
        buf_addf(&w->out, "%-10s %-12s %-26s %s%s%s", e->facts.environment_id, environment_type_name(e->type),
                 e->env_key, e->name, e->facts.allow_backfill ? "  (backfill)" : "",
                 e->facts.disabled ? "  (disabled)" : "");
        if (e->facts.retention_days) buf_addf(&w->out, "  (kept %u days)", e->facts.retention_days);
        buf_addc(&w->out, '\n');
        return;
    }
    jw_object(&w->w);
    jw_key(&w->w, "id"), jw_text(&w->w, e->facts.environment_id);
    jw_key(&w->w, "name"), jw_text(&w->w, e->name);
    jw_key(&w->w, "type"), jw_text(&w->w, environment_type_name(e->type));
    jw_key(&w->w, "env_key"), jw_text(&w->w, e->env_key);
    jw_key(&w->w, "allow_backfill"), jw_bool(&w->w, e->facts.allow_backfill);
    jw_key(&w->w, "retention_days"), jw_int(&w->w, e->facts.retention_days);
    jw_key(&w->w, "addresses");
    jw_text(&w->w, e->facts.keep_addresses == KEEP_ADDRESSES_NONE ? "none" : "truncated");
    jw_key(&w->w, "honour_dnt"), jw_bool(&w->w, e->facts.honour_dnt);
    jw_key(&w->w, "strip_query"), jw_bool(&w->w, e->facts.strip_query);
    jw_key(&w->w, "disabled"), jw_bool(&w->w, e->facts.disabled);
    jw_key(&w->w, "views_per_minute_max"), jw_int(&w->w, e->facts.views_per_minute_max);
    jw_key(&w->w, "events_per_second_max"), jw_int(&w->w, e->facts.events_per_second_max);
    jw_key(&w->w, "cors_origins"), jw_text(&w->w, e->cors_origins);
    jw_object_end(&w->w);
}

static int environment_list(struct work *w)
{
    struct environment *list;
    size_t n;
    enum accounts_error e = accounts_environments(w->accounts, (struct span){NULL, 0}, &list, &n);
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    if (w->json) jw_array(&w->w);
    else buf_addf(&w->out, "%-10s %-12s %-26s %s\n", "ID", "TYPE", "ENV KEY", "NAME");
    for (size_t i = 0; i < n; i++) environment_row(w, &list[i]);
    if (w->json) jw_array_end(&w->w), buf_addc(&w->out, '\n');
    free(list);
    return 0;
}

/* What add and update set: values of their own, to which the change points. */
struct environment_settings {
    enum environment_type type;
    enum keep_addresses addresses;
    bool backfill, honour_dnt, strip_query, disabled;
    uint32_t retention, views, events;
    struct span origins;
};

static bool yes_or_no(struct work *w, const char *name, bool *value, const bool **in)
{
    struct span text = text_option(w, name);
    *value = span_is(text, "yes");
    if (text.len == 0) return true;
    *in = value;
    if (*value || span_is(text, "no")) return true;
    cli_say("--%s: expected yes or no", name);
    return false;
}

static void number_given(struct work *w, const char *name, uint32_t *value, const uint32_t **in)
{
    *value = (uint32_t)options_number(w->options, name);
    if (options_given(w->options, name)) *in = value;
}

static bool addresses_option(struct work *w, enum keep_addresses *value, const enum keep_addresses **in)
{
    struct span text = text_option(w, "addresses");
    *value = span_is(text, "none") ? KEEP_ADDRESSES_NONE : KEEP_ADDRESSES_TRUNCATED;
    if (text.len == 0) return true;
    *in = value;
    if (span_is(text, "none") || span_is(text, "truncated")) return true;
    cli_say("--addresses: expected truncated or none");
    return false;
}

/* The settings that were given on the command line. */
static bool environment_change(struct work *w, struct environment_change *in, struct environment_settings *s)
{
    *in = (struct environment_change){.name = text_option(w, "name"), .env_key = text_option(w, "env-key")};
    if (options_given(w->options, "type")) {
        if (!environment_type_from_name(text_option(w, "type"), &s->type)) {
            cli_say("--type: expected production, staging, development or test");
            return false;
        }
        in->type = &s->type;
    }
    s->backfill = options_flag(w->options, "allow-backfill");
    if (s->backfill && options_flag(w->options, "deny-backfill")) {
        cli_say("--allow-backfill and --deny-backfill exclude each other");
        return false;
    }
    if (s->backfill || options_flag(w->options, "deny-backfill")) in->allow_backfill = &s->backfill;
    s->origins = text_option(w, "cors-origins");
    if (span_is(s->origins, "none")) s->origins = (struct span){NULL, 0};
    if (options_given(w->options, "cors-origins")) in->cors_origins = &s->origins;
    number_given(w, "retention-days", &s->retention, &in->retention_days);
    number_given(w, "views-per-minute-max", &s->views, &in->views_per_minute_max);
    number_given(w, "events-per-second-max", &s->events, &in->events_per_second_max);
    return yes_or_no(w, "honour-dnt", &s->honour_dnt, &in->honour_dnt) &&
           yes_or_no(w, "strip-query", &s->strip_query, &in->strip_query) &&
           yes_or_no(w, "disabled", &s->disabled, &in->disabled) &&
           addresses_option(w, &s->addresses, &in->keep_addresses);
}

static bool environment_changes(const struct environment_change *in)
{
    return in->name.len || in->env_key.len || in->type || in->retention_days || in->allow_backfill ||
           in->strip_query || in->honour_dnt || in->keep_addresses || in->disabled || in->views_per_minute_max ||
           in->events_per_second_max || in->cors_origins;
}

static int environment_write(struct work *w, bool add)
{
    struct environment_change in;
    struct environment out;
    struct environment_settings settings;
    char organization[ACCOUNTS_ID_MAX + 1];
    if (!environment_change(w, &in, &settings)) return 2;
    if (!add && !environment_changes(&in)) {
        cli_say("environment update: say what to change; \"firstframe environment --help\" lists it");
        return 2;
    }
    if (!first_organization(w, organization)) return 1;
    if (!add && !environment_named(w, span_of(w->subject), &out)) return 1;
    char id[ACCOUNTS_ID_MAX + 1] = "";
    if (!add) memcpy(id, out.facts.environment_id, sizeof id);
    if (add && in.name.len == 0 && w->subject) in.name = span_of(w->subject);
    enum accounts_error e = add ? accounts_environment_add(w->accounts, ACTOR_CLI, span_of(organization), &in, &out)
                                : accounts_environment_change(w->accounts, ACTOR_CLI, span_of(id), &in, &out);
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    environment_row(w, &out);
    if (w->json) buf_addc(&w->out, '\n');
    return 0;
}

static int environment_add(struct work *w)
{
    return environment_write(w, true);
}

static int environment_update(struct work *w)
{
    return environment_write(w, false);
}

static int environment_remove(struct work *w)
{
    struct environment_contents contents;
    struct environment environment;
    if (!environment_named(w, span_of(w->subject), &environment)) return 1;
    struct span id = span_of(environment.facts.environment_id);
    enum accounts_error e = accounts_environment_contents(w->accounts, id, &contents);
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    struct span confirm = text_option(w, "confirm");
    if (confirm.len == 0) {
        cli_say("this deletes all views of the environment, %lld tokens, %lld signing keys, %lld annotations and %lld "
                "error "
                "categories; repeat it with --confirm and the environment's name",
                (long long)contents.tokens, (long long)contents.signing_keys, (long long)contents.annotations,
                (long long)contents.error_categories);
        return 1;
    }
    e = accounts_environment_remove(w->accounts, ACTOR_CLI, id, confirm);
    if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
    buf_addf(&w->out, w->json ? "{}\n" : "removed %s\n", w->subject);
    return 0;
}

int cli_environment(int argc, char **argv)
{
    static const struct verb verbs[] = {{"add", false, environment_add},
                                        {"list", false, environment_list},
                                        {"update", true, environment_update},
                                        {"remove", true, environment_remove},
                                        {NULL, false, NULL}};
    return run_verb(COMMAND_environment, argc, argv, verbs);
}

/* -- audit -- */

static void audit_row(struct work *w, const struct audit_row *row)
{
    if (!w->json) {
        time_or_dash(w, row->at_ms);
        buf_addf(&w->out, " %-24s %-24s %s\n", row->act, row->actor, row->target);
        return;
    }
    jw_init(&w->w, &w->out);
    jw_object(&w->w);
    json_time(w, "at", row->at_ms);
    jw_key(&w->w, "actor"), jw_text(&w->w, row->actor);
    jw_key(&w->w, "act"), jw_text(&w->w, row->act);
    jw_key(&w->w, "target"), jw_text(&w->w, row->target);
    jw_key(&w->w, "environment_id"), jw_text(&w->w, row->environment_id[0] ? row->environment_id : NULL);
    jw_key(&w->w, "address"), jw_text(&w->w, row->address);
    jw_key(&w->w, "details"), jw_raw(&w->w, row->details[0] ? span_of(row->details) : SPAN("{}"));
    jw_object_end(&w->w);
    buf_addc(&w->out, '\n');
}

/* The newest acts, a page of the accounts store at a time. */
static int audit_print(struct work *w)
{
    enum { PAGE = 1000 };
    uint32_t wanted = (uint32_t)options_number(w->options, "limit");
    struct audit_query query = {.act = text_option(w, "act")};
    for (bool more = true; more && query.offset < wanted;) {
        struct audit_row *rows;
        size_t n;
        query.limit = wanted - query.offset < PAGE ? wanted - query.offset : PAGE;
        enum accounts_error e = accounts_audit(w->accounts, &query, &rows, &n, NULL);
        if (e != ACCOUNTS_OK) return cli_fail_accounts(e);
        for (size_t i = 0; i < n; i++) audit_row(w, &rows[i]);
        free(rows);
        more = n == query.limit;
        query.offset += (uint32_t)n;
    }
    return 0;
}

int cli_audit(int argc, char **argv)
{
    static const char *const required[] = {"data", NULL};
    int exit_code;
    struct work w = {.options = cli_options(COMMAND_audit, argc, argv, &exit_code)};
    if (w.options == NULL) return exit_code;
    exit_code = 2;
    if (cli_required(w.options, COMMAND_audit, required)) {
        w.json = options_flag(w.options, "json");
        w.accounts = cli_accounts(w.options, true);
        buf_init(&w.out, OUTPUT_BYTES_MAX);
        exit_code = w.accounts ? audit_print(&w) : 1;
        if (exit_code == 0) cli_print(&w.out);
        buf_free(&w.out);
        accounts_close(w.accounts);
    }
    options_free(w.options);
    return exit_code;
}
