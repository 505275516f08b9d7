/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>

int cli_version(int argc, char **argv)
{
    int exit_code;
    struct options *o = cli_options(COMMAND_version, argc, argv, &exit_code);
    if (o == NULL) return exit_code;
    bool json = options_flag(o, "json");
    options_free(o);
    struct buf out;
    buf_init(&out, 256);
    buf_adds(&out, json ? "{\"version\":\"" FF_VERSION "\"}\n" : "firstframe " FF_VERSION "\n");
    cli_print(&out);
    buf_free(&out);
    return 0;
}
