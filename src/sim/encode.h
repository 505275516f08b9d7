/* SPDX-License-Identifier: Apache-2.0
 * The client's side of the wire format: long keys to short keys by the published dictionary, delta suppression, and
 * the JSON of one event. Pure; one encoder a player, not thread-safe. */
#ifndef FF_SIM_ENCODE_H
#define FF_SIM_ENCODE_H

#include "sim/model.h"

enum { SIM_KEY_BYTES = 64, SIM_FULL_AFTER_MS = 600000 };

/* The short form of a long snake_case key, NUL-terminated; words the dictionary lacks stay literal between underscores.
 * Returns its length, or 0 when out (cap bytes) is too small. */
size_t sim_key_encode(struct span long_key, char *out, size_t cap);

/* `"short":` of every field, made once. */
struct sim_keys {
    char text[SIM_FIELDS][SIM_KEY_BYTES];
    uint8_t len[SIM_FIELDS];
    uint16_t flags[SIM_FIELDS]; /* enum sim_field_flag */
};
void sim_keys_init(struct sim_keys *k);

/* What the client believes the server knows. */
struct sim_encoder {
    const struct sim_keys *keys;
    struct sim_value last[SIM_FIELDS];
    int64_t last_ms; /* of the previous event */
    bool fresh;      /* the next event carries the full record */
};
void sim_encoder_init(struct sim_encoder *e, const struct sim_keys *keys);

/* Queues an event whose full state is given: chooses what goes over the wire, appends event, pairs and JSON to the
 * session and remembers the values. When thrown_away is set the client forgets the event after queuing it (a lone
 * heartbeat of a hidden tab): the memory is updated and nothing is appended. */
void sim_encode(struct sim_encoder *e, struct sim_session *s, const struct sim_value *state, struct sim_event event,
                bool thrown_away);

#endif
