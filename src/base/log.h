/* SPDX-License-Identifier: Apache-2.0
 * One line an event on stderr: time, level, event name, key=value pairs. Never a secret, a full address or a token. */
#ifndef FF_BASE_LOG_H
#define FF_BASE_LOG_H

#include "base/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Before threads start. json: one JSON object a line instead of key=value. */
void log_setup(enum log_level least, bool json);
/* event: a constant name such as "journal_full". pairs: "key=%d other=%s"; values with blanks are quoted by the caller
 * through LOG_Q. Repeats of one event above 20 a second are counted and left out. */
void log_event(enum log_level level, const char *event, const char *pairs, ...) PRINTF_LIKE(3, 4);

#define LOG_ERR(event, ...) log_event(LOG_ERROR, event, __VA_ARGS__)
#define LOG_WRN(event, ...) log_event(LOG_WARN, event, __VA_ARGS__)
#define LOG_INF(event, ...) log_event(LOG_INFO, event, __VA_ARGS__)
#define LOG_DBG(event, ...) log_event(LOG_DEBUG, event, __VA_ARGS__)

#endif
