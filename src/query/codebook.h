/* SPDX-License-Identifier: Apache-2.0
 * Texts of a column and the numbers that stand for them, given from 0 on in the order in which they appear. The store
 * sends the texts of a block once, and for every row only which of them it is. Not thread-safe. */
#ifndef FF_QUERY_CODEBOOK_H
#define FF_QUERY_CODEBOOK_H

#include "base/base.h"

enum { CODEBOOK_CODES_MAX = UINT16_MAX };

struct codebook;
struct codebook *codebook_new(void) MUST_USE;
void codebook_free(struct codebook *b);
/* The text's code; it is copied when it is new. false: it would be one more than CODEBOOK_CODES_MAX, or all texts
 * together more than 64 MB. */
bool codebook_code(struct codebook *b, struct span text, uint16_t *code) MUST_USE;
size_t codebook_count(const struct codebook *b);
/* Valid as long as the codebook. */
struct span codebook_text(const struct codebook *b, size_t code);

#endif
