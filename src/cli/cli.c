/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

enum { MESSAGE_BYTES_MAX = 64 * 1024 };

void cli_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("firstframe: ", stderr);
    (void)vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

void cli_print(const struct buf *text)
{
    if (text->len) (void)fwrite(text->ptr, 1, text->len, stdout);
    (void)fflush(stdout);
}

struct options *cli_options(enum command c, int argc, char **argv, int *exit_code)
{
    struct buf message;
    buf_init(&message, MESSAGE_BYTES_MAX);
    struct options *o;
    enum options_outcome outcome = options_parse(c, argc, argv, &o, &message);
    *exit_code = 0;
    if (outcome == OPTIONS_OK) {
        buf_free(&message);
        return o;
    }
    if (outcome == OPTIONS_HELP) {
        cli_print(&message);
    } else {
        fprintf(stderr, "firstframe %s: %s", command_words(c), message.ptr ? message.ptr : "");
        *exit_code = 2;
    }
    options_free(o);
    buf_free(&message);
    return NULL;
}

bool cli_required(const struct options *o, enum command c, const char *const *names)
{
    for (size_t i = 0; names[i]; i++) {
        if (options_text(o, names[i])) continue;
        fprintf(stderr, "firstframe %s: --%s is required; \"firstframe %s --help\" explains it\n", command_words(c),
                names[i], command_words(c));
        return false;
    }
    return true;
}

struct accounts *cli_accounts(const struct options *o, bool must_exist)
{
    const char *data = options_text(o, "data");
    struct stat at;
    if (must_exist && stat(data, &at) != 0) {
        cli_say("there is no data directory %s; \"firstframe init\" makes one", data);
        return NULL;
    }
    struct accounts *a = NULL;
    struct accounts_options options = {.data_dir = data};
    enum accounts_error e = accounts_open(&options, &a);
    if (e != ACCOUNTS_OK) {
        (void)cli_fail_accounts(e);
        return NULL;
    }
    if (must_exist && !accounts_exists(a)) {
        cli_say("%s holds no account yet; \"firstframe init\" creates one", data);
        accounts_close(a);
        return NULL;
    }
    return a;
}

int cli_fail_accounts(enum accounts_error e)
{
    cli_say("%s", accounts_error_text(e));
    return 1;
}
