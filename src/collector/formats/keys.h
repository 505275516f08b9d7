/* SPDX-License-Identifier: Apache-2.0
 * Short keys of the mux-embed family to fields and back, by dictionary.def.
 *
 * The short key of every field and every alias is put into a hash table once, so that the usual key costs one look-up.
 * A key that is not there is decoded word by word, to recognise other spellings of known fields (literal words that an
 * older dictionary lacks, Roku's _word_ form); what remains is a customer's own key and stays unknown.
 * Threads: made once, then read by all. */
#ifndef FF_COLLECTOR_FORMATS_KEYS_H
#define FF_COLLECTOR_FORMATS_KEYS_H

#include "views/beacon.h"

enum { MUX_FIELD_EVENT = FIELD_COUNT }; /* the key "e": no field of a view, but the event's name */
enum { MUX_KEY_BYTES_MAX = 128 };       /* longer keys are unknown */

struct mux_keys;
struct mux_keys *mux_keys_new(void);
void mux_keys_free(struct mux_keys *k);

/* An enum field, MUX_FIELD_EVENT, or FIELD_none when unknown. */
unsigned mux_key_find(const struct mux_keys *k, struct span key);

/* view_sequence_number -> xsqno. The length, or 0 when it does not fit. out is NUL-terminated. */
size_t mux_key_encode(struct span long_key, char *out, size_t cap);
/* xsqno -> view_sequence_number; a key that does not decode stays as it is. The length, or 0 when it does not fit. */
size_t mux_key_decode(struct span key, char *out, size_t cap);

#endif
