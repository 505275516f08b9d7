/* SPDX-License-Identifier: Apache-2.0
 * The subcommands. Each takes the arguments from its own word on, prints to stdout (results) and stderr (errors), and
 * returns the exit code: 0 done, 1 it did not work, 2 the command line is wrong. */
#ifndef FF_CLI_CLI_H
#define FF_CLI_CLI_H

#include "accounts/accounts.h"
#include "config/options.h"

#define COMMAND(id, words, arguments, summary) int cli_##id(int argc, char **argv);
#include "config/commands.def"
#undef COMMAND

/* Parses for a command; on help or a mistake prints it, and *exit_code is what to return. NULL then. */
struct options *cli_options(enum command c, int argc, char **argv, int *exit_code);
/* Says "--name: expected ..." when a required option is missing. */
bool cli_required(const struct options *o, enum command c, const char *const *names);
/* Opens the accounts of --data for an administrative command; NULL after saying why. */
struct accounts *cli_accounts(const struct options *o, bool must_exist);
/* Prints "firstframe: <sentence>" to stderr. */
void cli_say(const char *format, ...) PRINTF_LIKE(1, 2);
int cli_fail_accounts(enum accounts_error e); /* says why; returns 1 */
void cli_print(const struct buf *text);       /* to stdout */

#endif
