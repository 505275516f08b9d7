/* SPDX-License-Identifier: Apache-2.0
 * File descriptors: a connection is one, and so are the journal's segments, the store's connections and the files that
 * are sent. When connections use them all up, nothing can be written any more; so there are always fewer connections
 * (exports being sent count as such) than descriptors, and both numbers are in /metrics. */
#include "cli/files.h"

#include "base/counters.h"
#include "base/log.h"

#include <dirent.h>
#include <sys/resource.h>

enum { NEARLY_PERCENT = 90 };

size_t cli_files_raise(size_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    rlim_t target = wanted > limit.rlim_cur ? wanted : limit.rlim_cur;
    if (limit.rlim_max != RLIM_INFINITY && target > limit.rlim_max) target = limit.rlim_max;
    if (target != limit.rlim_cur) {
        struct rlimit more = {.rlim_cur = target, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &more) == 0) limit.rlim_cur = target;
    }
    counter_set(COUNTER_files_max, limit.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur);
    return limit.rlim_cur > SIZE_MAX ? SIZE_MAX : (size_t)limit.rlim_cur;
}

void cli_files_watch(bool *nearly_used)
{
    DIR *d = opendir("/proc/self/fd");
    if (d == NULL) return;
    int64_t open = -1; /* d's own */
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) open += entry->d_name[0] != '.';
    (void)closedir(d);
    counter_set(COUNTER_files_open, open);
    bool nearly = open > counter_get(COUNTER_files_max) / 100 * NEARLY_PERCENT;
    if (nearly != *nearly_used)
        LOG_WRN("files_open", "nearly_all=%d open=%lld max=%lld", nearly, (long long)open,
                (long long)counter_get(COUNTER_files_max));
    *nearly_used = nearly;
}
