/* SPDX-License-Identifier: Apache-2.0
 * The encoder. Which fields an event carries follows mux-embed 5.19: everything on the first event of a view, on
 * viewstart, on viewend and after ten minutes of silence; else what changed, a fixed list, and the event's group. */
#include "sim/encode.h"

#include "base/json.h"

struct word {
    const char *code, *word;
};
static const struct word first_words[] = {
#define FIRST(code, word) {code, word},
#define LATER(code, word)
#include "sim/words.def"
#undef FIRST
#undef LATER
};
static const struct word later_words[] = {
#define FIRST(code, word)
#define LATER(code, word) {code, word},
#include "sim/words.def"
#undef FIRST
#undef LATER
};

static const char *word_code(const struct word *words, size_t count, struct span word)
{
    for (size_t i = 0; i < count; i++)
        if (span_is(word, words[i].word)) return words[i].code;
    return NULL;
}

static bool is_digits(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9') return false;
    return s.len > 0;
}

static void encode_word(struct buf *out, struct span word, bool first)
{
    if (first) {
        const char *code = word_code(first_words, COUNT(first_words), word);
        if (code) buf_adds(out, code);
        else buf_add_span(out, word), buf_addc(out, '_');
        return;
    }
    const char *code = word_code(later_words, COUNT(later_words), word);
    if (code) buf_adds(out, code);
    else if (is_digits(word)) buf_add_span(out, word);
    else buf_addc(out, '_'), buf_add_span(out, word), buf_addc(out, '_');
}

size_t sim_key_encode(struct span long_key, char *out, size_t cap)
{
    struct buf b;
    buf_init(&b, 4096);
    bool first = true;
    for (struct span rest = long_key; rest.len;) {
        ptrdiff_t cut = span_find(rest, '_');
        struct span word = cut < 0 ? rest : span_upto(rest, (size_t)cut);
        rest = cut < 0 ? span_from(rest, rest.len) : span_from(rest, (size_t)cut + 1);
        if (word.len == 0) continue; /* empty words vanish */
        encode_word(&b, word, first);
        first = false;
    }
    size_t len = b.failed || b.len >= cap ? 0 : b.len;
    if (len) memcpy(out, b.ptr, len + 1);
    buf_free(&b);
    return len;
}

void sim_keys_init(struct sim_keys *k)
{
    for (unsigned f = 0; f < SIM_FIELDS; f++) {
        char *out = k->text[f];
        size_t len = sim_key_encode(span_of(sim_field_name(f)), out + 1, SIM_KEY_BYTES - 3);
        BUG_IF(len == 0);
        out[0] = '"';
        memcpy(out + 1 + len, "\":", 3);
        k->len[f] = (uint8_t)(len + 3);
        k->flags[f] = (uint16_t)sim_field_flags(f);
    }
}

void sim_encoder_init(struct sim_encoder *e, const struct sim_keys *keys)
{
    *e = (struct sim_encoder){.keys = keys, .fresh = true};
}

static void encode_value(struct jw *w, struct sim_value v)
{
    switch ((enum sim_type)v.type) {
    case SIM_UNSET:
    case SIM_NULL: jw_null(w); break;
    case SIM_BOOL: jw_bool(w, v.v.i != 0); break;
    case SIM_INT:
    case SIM_TIME: jw_int(w, v.v.i); break;
    case SIM_DOUBLE: jw_double(w, v.v.d); break;
    case SIM_TEXT: jw_string(w, span_make(v.v.text, v.len)); break;
    case SIM_RAW: jw_raw(w, span_make(v.v.text, v.len)); break;
    }
}

static void encode_pair(struct sim_encoder *e, struct sim_session *s, unsigned f, struct sim_value value, bool first)
{
    if (value.type == SIM_TIME) value = sim_int(value.v.i + s->skew_ms);
    s->pairs = sim_grow(s->pairs, &s->pair_cap, s->pair_count + 1, sizeof *s->pairs);
    s->pairs[s->pair_count++] = (struct sim_pair){(uint16_t)f, value};
    if (!first) buf_addc(&s->json, ',');
    buf_add(&s->json, e->keys->text[f], e->keys->len[f]);
    struct jw w;
    jw_init(&w, &s->json);
    encode_value(&w, value);
}

/* Whether field f of the state goes over the wire with this event. */
static bool encode_sends(const struct sim_encoder *e, unsigned f, struct sim_value value, unsigned event_flags,
                         bool full)
{
    if (value.type == SIM_UNSET) return false;
    if (full) return true;
    unsigned flags = e->keys->flags[f];
    if (flags & F_ALWAYS) return true;
    if (flags & event_flags & (F_REQUEST | F_SOURCE | F_MODE | F_AUDIO | F_TEXT | F_ADIDS)) return true;
    return !sim_value_eq(value, e->last[f]);
}

void sim_encode(struct sim_encoder *e, struct sim_session *s, const struct sim_value *state, struct sim_event event,
                bool thrown_away)
{
    const unsigned flags = sim_kind_flags(event.kind);
    const bool full = e->fresh || (flags & E_FULL) || event.at_ms - e->last_ms >= SIM_FULL_AFTER_MS;
    if (!thrown_away) {
        if (s->event_count) buf_addc(&s->json, ',');
        event.pair_at = s->pair_count;
        event.json_at = (uint32_t)s->json.len;
        buf_addc(&s->json, '{');
        for (int urls = 0; urls < 2; urls++) /* keys with the word url come last */
            for (unsigned f = 0; f < SIM_FIELDS; f++)
                if (!!(e->keys->flags[f] & F_URL) == urls && encode_sends(e, f, state[f], flags, full))
                    encode_pair(e, s, f, state[f], s->pair_count == event.pair_at);
        buf_addc(&s->json, '}');
        BUG_IF(s->json.failed);
        event.pair_count = s->pair_count - event.pair_at;
        event.json_len = (uint32_t)(s->json.len - event.json_at);
        s->events = sim_grow(s->events, &s->event_cap, s->event_count + 1, sizeof *s->events);
        s->events[s->event_count++] = event;
    }
    memcpy(e->last, state, sizeof e->last);
    for (unsigned f = 0; f < SIM_FIELDS; f++)
        if (e->keys->flags[f] & F_ONCE) e->last[f].type = SIM_UNSET;
    e->last_ms = event.at_ms;
    e->fresh = event.kind == SE_viewend; /* the end clears the client's memory */
}
