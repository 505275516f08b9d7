/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>

int cli_version(int argc, char **argv)
{
    int exit_code;
    struct options *o = cli_options(COMMAND_version, argc > 1 ? 1 : argc, argv, &exit_code);
    options_free(o);
    struct buf out;
    buf_init(&out, 256);
    buf_adds(&out, "firstframe " FF_VERSION "\n");
    cli_print(&out);
    buf_free(&out);
    return exit_code;
}
