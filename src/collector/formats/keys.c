/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/formats/keys.h"

#include "base/buf.h"
#include "base/hash.h"

#include <stdlib.h>

/* -- the dictionary -- */

static const char *const first_words[256] = {
#define FIRST(letter, word) [letter] = word,
#define LATER(code, word)
#define ALIAS(key, field)
#define LONG(name, field)
#include "collector/formats/dictionary.def"
#undef FIRST
#undef LATER
};

static const struct later_word {
    const char *code, *word;
} later_words[] = {
#define FIRST(letter, word)
#define LATER(code, word) {code, word},
#include "collector/formats/dictionary.def"
#undef LATER
#undef ALIAS
#undef LONG
};

static const struct alias {
    const char *name;
    enum field field;
} aliases[] =
    {
#define LATER(code, word)
#define ALIAS(key, field) {key, FIELD_##field},
#define LONG(name, field)
#include "collector/formats/dictionary.def"
#undef ALIAS
#undef LONG
},
  long_aliases[] = {
#define ALIAS(key, field)
#define LONG(name, field) {name, FIELD_##field},
#include "collector/formats/dictionary.def"
#undef FIRST
#undef LATER
#undef ALIAS
#undef LONG
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The word of two letters, or NULL. later_words is in order of code. */
static const char *later_word(const char *code)
{
    size_t low = 0, high = COUNT(later_words);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = memcmp(code, later_words[middle].code, 2);
        if (order == 0) return later_words[middle].word;
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return NULL;
}

/* -- one key -- */

struct text { /* a bounded text being written */
    char *at, *end;
    bool full;
};

static void text_add(struct text *t, struct span s)
{
    if (t->full || (size_t)(t->end - t->at) <= s.len) {
        t->full = true;
        return;
    }
    if (s.len) memcpy(t->at, s.ptr, s.len);
    t->at += s.len;
}

static size_t text_end(struct text *t, const char *start)
{
    if (t->full) return 0;
    *t->at = 0;
    return (size_t)(t->at - start);
}

static bool is_number(struct span word)
{
    for (size_t i = 0; i < word.len; i++)
        if (!is_digit(word.ptr[i])) return false;
    return word.len > 0;
}

static void encode_first(struct text *t, struct span word)
{
    for (size_t c = 0; c < COUNT(first_words); c++) {
        if (first_words[c] == NULL || !span_is(word, first_words[c])) continue;
        char letter = (char)c;
        text_add(t, span_make(&letter, 1));
        return;
    }
    text_add(t, word);
    text_add(t, SPAN("_"));
}

static void encode_later(struct text *t, struct span word)
{
    for (size_t i = 0; i < COUNT(later_words); i++) {
        if (!span_is(word, later_words[i].word)) continue;
        text_add(t, span_of(later_words[i].code));
        return;
    }
    bool literal = !is_number(word);
    if (literal) text_add(t, SPAN("_"));
    text_add(t, word);
    if (literal) text_add(t, SPAN("_"));
}

size_t mux_key_encode(struct span long_key, char *out, size_t cap)
{
    struct text t = {out, out + cap, cap == 0};
    bool first = true;
    while (long_key.len) {
        ptrdiff_t cut = span_find(long_key, '_');
        struct span word = cut < 0 ? long_key : span_upto(long_key, (size_t)cut);
        long_key = cut < 0 ? span_from(long_key, long_key.len) : span_from(long_key, (size_t)cut + 1);
        if (word.len == 0) continue; /* empty words vanish */
        if (first) encode_first(&t, word);
        else encode_later(&t, word);
        first = false;
    }
    return text_end(&t, out);
}

/* The words after the first: two letters each, digits as one word, _literal_. false: does not parse. */
static bool decode_tail(struct span s, struct text *t)
{
    while (s.len) {
        struct span word;
        size_t used;
        if (is_digit(s.ptr[0])) {
            for (used = 1; used < s.len && is_digit(s.ptr[used]);) used++;
            word = span_upto(s, used);
        } else if (s.ptr[0] == '_') {
            ptrdiff_t close = span_find(span_from(s, 1), '_');
            if (close < 0) return false;
            word = span_make(s.ptr + 1, (size_t)close);
            used = (size_t)close + 2;
        } else {
            const char *known = s.len < 2 ? NULL : later_word(s.ptr);
            if (known == NULL) return false;
            word = span_of(known);
            used = 2;
        }
        text_add(t, SPAN("_"));
        text_add(t, word);
        s = span_from(s, used);
    }
    return true;
}

#define NOT_WORDS SIZE_MAX

/* The length; 0: does not fit; NOT_WORDS: does not decode. */
static size_t decode_words(struct span key, char *out, size_t cap)
{
    if (cap == 0) return 0;
    const char *first = key.len ? first_words[(unsigned char)key.ptr[0]] : NULL;
    if (first) {
        struct text t = {out, out + cap, false};
        text_add(&t, span_of(first));
        if (decode_tail(span_from(key, 1), &t)) return text_end(&t, out);
    }
    /* A first word outside the table: "word_" and its tail; Roku puts one "_" before it. */
    struct span body = key.len && key.ptr[0] == '_' ? span_from(key, 1) : key;
    ptrdiff_t close = span_find(body, '_');
    if (close > 0) {
        struct text t = {out, out + cap, false};
        text_add(&t, span_upto(body, (size_t)close));
        if (decode_tail(span_from(body, (size_t)close + 1), &t)) return text_end(&t, out);
    }
    return NOT_WORDS;
}

size_t mux_key_decode(struct span key, char *out, size_t cap)
{
    size_t len = decode_words(key, out, cap);
    if (len != NOT_WORDS) return len;
    struct text t = {out, out + cap, cap == 0};
    text_add(&t, key);
    return text_end(&t, out);
}

/* -- the tables -- */

enum { SLOTS = 1024, NAME_BYTES = 64 };
_Static_assert(FIELD_COUNT * 2 < SLOTS, "the key tables are at most half full");

struct slot {
    uint64_t word; /* the first 8 bytes, zeros after a shorter name */
    uint16_t field;
    uint8_t len; /* 0: free */
    char name[NAME_BYTES];
};

struct mux_keys {
    struct slot by_key[SLOTS], by_name[SLOTS]; /* short keys; long names */
};

static uint64_t first_bytes(struct span s)
{
    uint64_t word = 0;
    if (s.len >= 8) {
        memcpy(&word, s.ptr, 8);
    } else if (s.len >= 4) {
        uint32_t low, high;
        memcpy(&low, s.ptr, 4);
        memcpy(&high, s.ptr + s.len - 4, 4);
        word = low | (uint64_t)high << (8 * (s.len - 4));
    } else {
        for (size_t i = 0; i < s.len; i++) word |= (uint64_t)(unsigned char)s.ptr[i] << (8 * i);
    }
    return word;
}

static size_t slot_of(struct span s, uint64_t word)
{
    uint64_t last = 0;
    if (s.len > 8) memcpy(&last, s.ptr + s.len - 8, 8);
    uint64_t h = (word ^ (last * 0x9E3779B97F4A7C15u) ^ s.len) * 0xD6E8FEB86659FD93u;
    return (size_t)(h >> 40) & (SLOTS - 1);
}

static const struct slot *slot_find(const struct slot *slots, struct span s)
{
    uint64_t word = first_bytes(s);
    for (size_t at = slot_of(s, word);; at = (at + 1) & (SLOTS - 1)) {
        const struct slot *slot = &slots[at];
        if (slot->len == 0) return NULL;
        if (slot->word == word && slot->len == s.len && (s.len <= 8 || memcmp(slot->name, s.ptr, s.len) == 0))
            return slot;
    }
}

static void slot_put(struct slot *slots, struct span s, unsigned field)
{
    BUG_IF(s.len == 0 || s.len >= NAME_BYTES);
    BUG_IF(slot_find(slots, s) != NULL); /* two fields of one key */
    uint64_t word = first_bytes(s);
    size_t at = slot_of(s, word);
    while (slots[at].len) at = (at + 1) & (SLOTS - 1);
    struct slot *slot = &slots[at];
    *slot = (struct slot){.word = word, .field = (uint16_t)field, .len = (uint8_t)s.len};
    memcpy(slot->name, s.ptr, s.len);
}

static void keys_put(struct mux_keys *k, struct span name, unsigned field)
{
    char key[NAME_BYTES];
    size_t len = mux_key_encode(name, key, sizeof key);
    slot_put(k->by_key, span_make(key, len), field);
    slot_put(k->by_name, name, field);
}

struct mux_keys *mux_keys_new(void)
{
    for (size_t i = 1; i < COUNT(later_words); i++) /* later_word needs the order */
        BUG_IF(memcmp(later_words[i - 1].code, later_words[i].code, 2) >= 0);
    struct mux_keys *k = calloc(1, sizeof *k);
    BUG_IF(k == NULL);
    for (unsigned f = FIELD_none + 1; f < FIELD_COUNT; f++) keys_put(k, span_of(field_facts((enum field)f)->name), f);
    keys_put(k, SPAN("event"), MUX_FIELD_EVENT);
    for (size_t i = 0; i < COUNT(long_aliases); i++) keys_put(k, span_of(long_aliases[i].name), long_aliases[i].field);
    for (size_t i = 0; i < COUNT(aliases); i++) slot_put(k->by_key, span_of(aliases[i].name), aliases[i].field);
    return k;
}

void mux_keys_free(struct mux_keys *k)
{
    free(k);
}

/* Kept out of the usual way. */
static __attribute__((noinline)) unsigned find_slowly(const struct mux_keys *k, struct span key)
{
    char name[MUX_KEY_BYTES_MAX * 8];
    if (key.len > MUX_KEY_BYTES_MAX) return FIELD_none;
    /* A key that does not decode is a customer's own, even if it is spelt like a field's long name. */
    size_t len = decode_words(key, name, sizeof name);
    if (len == NOT_WORDS || len == 0 || len >= NAME_BYTES) return FIELD_none;
    const struct slot *slot = slot_find(k->by_name, span_make(name, len));
    return slot ? slot->field : FIELD_none;
}

unsigned mux_key_find(const struct mux_keys *k, struct span key)
{
    if (key.len == 0) return FIELD_none;
    const struct slot *slot = slot_find(k->by_key, key);
    return slot ? slot->field : find_slowly(k, key);
}
