/* SPDX-License-Identifier: Apache-2.0 */
#include "api/setup.h"

#include "base/clock.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

enum { GROUP = 4, LETTERS = 12, GUESSES = 10, GUESSES_PERIOD_S = 60 };

struct setup {
    char code[SETUP_CODE_BYTES + 1];
    pthread_mutex_t lock;
    unsigned guesses;        /* lock */
    struct mono_us since_us; /* lock: of the first of them */
};

struct setup *setup_new(void)
{
    static const char alphabet[] = "ABCDEFGHJKMNPQRSTUVWXYZ123456789"; /* 32, without look-alikes of 0, I, L and O */
    _Static_assert(sizeof alphabet == 33, "five bits a letter");
    struct setup *s = calloc(1, sizeof *s);
    BUG_IF(s == NULL);
    BUG_IF(pthread_mutex_init(&s->lock, NULL) != 0);
    size_t at = 0;
    for (size_t i = 0; i < LETTERS; i++) {
        if (i && i % GROUP == 0) s->code[at++] = '-';
        s->code[at++] = alphabet[randombytes_uniform(32)];
    }
    BUG_IF(at != SETUP_CODE_BYTES);
    return s;
}

void setup_free(struct setup *s)
{
    if (s == NULL) return;
    pthread_mutex_destroy(&s->lock);
    sodium_memzero(s, sizeof *s);
    free(s);
}

const char *setup_code(const struct setup *s)
{
    return s->code;
}

static unsigned guess_wait_s(struct setup *s)
{
    unsigned wait_s = 0;
    struct mono_us now = mono_now();
    pthread_mutex_lock(&s->lock);
    int64_t passed_s = (now.v - s->since_us.v) / 1000000;
    if (s->guesses == 0 || passed_s >= GUESSES_PERIOD_S) s->guesses = 0, s->since_us = now;
    if (s->guesses == GUESSES) wait_s = (unsigned)(GUESSES_PERIOD_S - passed_s);
    else s->guesses++;
    pthread_mutex_unlock(&s->lock);
    return wait_s;
}

/* Letters only, upper case, NUL-padded to LETTERS; false: another number of them. */
static bool letters_of(struct span code, char out[LETTERS])
{
    size_t n = 0;
    memset(out, 0, LETTERS);
    for (size_t i = 0; i < code.len; i++) {
        char c = code.ptr[i];
        if (c == '-' || c == ' ') continue;
        if (n == LETTERS) return false;
        out[n++] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
    }
    return n == LETTERS;
}

bool setup_code_right(struct setup *s, struct span code, unsigned *wait_s)
{
    char given[LETTERS], own[LETTERS];
    *wait_s = guess_wait_s(s);
    if (*wait_s) return false;
    bool whole = letters_of(span_upto(code, 64), given) && letters_of(span_of(s->code), own);
    bool right = whole && sodium_memcmp(given, own, LETTERS) == 0;
    sodium_memzero(own, sizeof own);
    return right;
}
