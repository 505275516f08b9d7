/* SPDX-License-Identifier: Apache-2.0
 * The mux-embed family: JSON with short keys, in the dialects of the web, Roku, Android and iOS SDKs. */
#ifndef FF_COLLECTOR_FORMATS_MUX_H
#define FF_COLLECTOR_FORMATS_MUX_H

#include "collector/formats/format.h"
#include "collector/formats/keys.h"

enum drop mux_decode(const struct mux_keys *keys, const struct format_input *in, struct format_output *out) MUST_USE;

/* One value by the rules of its field's type. false: absent (null, unparsable, negative, out of range).
 * Text that was escaped points into the JSON parser's memory. */
bool mux_value(enum field field, const struct json_node *node, struct beacon_value *out) MUST_USE;

#endif
