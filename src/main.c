/* SPDX-License-Identifier: Apache-2.0
 * argv to subcommand. */
#include "cli/cli.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>

static int help(FILE *to, int exit_code)
{
    struct buf text;
    buf_init(&text, 16384);
    options_print_commands(&text);
    fputs(text.ptr, to);
    buf_free(&text);
    return exit_code;
}

int main(int argc, char **argv)
{
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sodium_init() < 0) {
        cli_say("cannot start");
        return 1;
    }
    if (argc < 2) return help(stderr, 2);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return help(stdout, 0);
    enum command command;
    if (strcmp(argv[1], "--version") == 0) return cli_version(argc - 1, argv + 1);
    if (!command_of(argv[1], &command)) {
        cli_say("there is no command \"%s\"; \"firstframe --help\" lists them", argv[1]);
        return 2;
    }
    switch (command) {
#define COMMAND(id, words, arguments, summary)                                                                         \
    case COMMAND_##id:                                                                                                 \
        return cli_##id(argc - 1, argv + 1);
#include "config/commands.def"
#undef COMMAND
    case COMMAND_COUNT: break;
    }
    return 2;
}
