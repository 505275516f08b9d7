/* SPDX-License-Identifier: Apache-2.0
 * firstframe init: the account, its first environment and a token, once. */
#include "cli/cli.h"

#include "base/json.h"

#include <stdio.h>

static void print_made(const struct options *o, const struct account_made *made)
{
    struct buf out;
    buf_init(&out, 4096);
    if (options_flag(o, "json")) {
        struct jw w;
        jw_init(&w, &out);
        jw_object(&w);
        jw_key(&w, "environment_id"), jw_text(&w, made->environment_id);
        jw_key(&w, "env_key"), jw_text(&w, made->env_key);
        jw_key(&w, "token_id"), jw_text(&w, made->token_id);
        jw_key(&w, "token_secret"), jw_text(&w, made->token_secret);
        jw_object_end(&w);
        buf_addc(&out, '\n');
    } else {
        buf_addf(
            &out,
            "environment  %s\nenv key      %s   (players send it)\ntoken id     %s\ntoken secret %s   (shown once)\n",
            made->environment_id, made->env_key, made->token_id, made->token_secret);
        buf_addf(&out,
                 "\nnext: firstframe serve --data %s\n"
                 "then open the address that it prints and sign in as %s with the password you gave\n",
                 options_text(o, "data"), options_text(o, "email"));
    }
    cli_print(&out);
    explicit_bzero(out.ptr, out.len);
    buf_free(&out);
}

int cli_init(int argc, char **argv)
{
    static const char *const required[] = {"data", "email", "password", NULL};
    int exit_code;
    struct options *o = cli_options(COMMAND_init, argc, argv, &exit_code);
    if (o == NULL) return exit_code;
    if (!cli_required(o, COMMAND_init, required)) {
        options_free(o);
        return 2;
    }
    struct accounts *a = cli_accounts(o, false);
    exit_code = 1;
    if (a) {
        struct account_new in = {
            .email = span_of(options_text(o, "email")),
            .password = span_of(options_text(o, "password")),
            .organization = span_of(options_text(o, "organization")),
            .environment = span_of(options_text(o, "environment")),
            .env_key = span_of(options_text(o, "env-key")),
            .allow_backfill = options_flag(o, "allow-backfill"),
        };
        struct account_made made;
        enum accounts_error e = accounts_init_account(a, ACTOR_CLI, &in, &made);
        if (e == ACCOUNTS_OK) {
            print_made(o, &made);
            exit_code = 0;
        } else {
            (void)cli_fail_accounts(e);
        }
        accounts_wipe(&made, sizeof made);
        accounts_close(a);
    }
    options_free(o);
    return exit_code;
}
