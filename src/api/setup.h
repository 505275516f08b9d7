/* SPDX-License-Identifier: Apache-2.0
 * The code that guards the set-up of a fresh server: made when the server starts, printed on its terminal, known to
 * nobody who cannot read that. 60 random bits, so that guessing over the network is hopeless; wrong guesses are slowed
 * down all the same. Any thread. */
#ifndef FF_API_SETUP_H
#define FF_API_SETUP_H

#include "base/base.h"

enum { SETUP_CODE_BYTES = 14 }; /* "XXXX-XXXX-XXXX" */

struct setup;
struct setup *setup_new(void);
void setup_free(struct setup *s);
/* With a NUL; valid as long as s. */
const char *setup_code(const struct setup *s);
/* In constant time, letters in either case, with or without dashes. *wait_s: not looked at; wait so long. */
bool setup_code_right(struct setup *s, struct span code, unsigned *wait_s) MUST_USE;

#endif
