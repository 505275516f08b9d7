/* SPDX-License-Identifier: Apache-2.0
 * How many file descriptors this process may have, and has. */
#ifndef FF_CLI_FILES_H
#define FF_CLI_FILES_H

#include "base/base.h"

enum { CLI_FILES_RESERVED = 384 }; /* for everything but connections */

/* Raises the soft limit to `wanted` where the hard limit allows it; never lowers it. The limit that holds now, which
 * /metrics shows as files_max. 0: unknown. */
size_t cli_files_raise(size_t wanted);
/* Counts the open ones for /metrics, and logs when 90 % are in use and when no longer. Costs a directory listing. */
void cli_files_watch(bool *nearly_used);

#endif
