/* SPDX-License-Identifier: Apache-2.0 */
#include "query/vocabulary.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { ENVIRONMENTS_MAX = 32, ENVIRONMENT_ID_MAX = 64, TEXT_BYTES_MAX = 16 * 1024 * 1024, LEARNED_FOR_MS = 86400000 };

struct entry {
    struct lexicon lexicon; /* first: what a user holds is the entry */
    struct arena texts;
    char environment_id[ENVIRONMENT_ID_MAX];
    uint64_t used;   /* 0: the entry is free */
    int64_t from_ms; /* when it was begun */
};

struct vocabulary {
    pthread_mutex_t in_use; /* held from vocabulary_take to vocabulary_give */
    size_t dimensions;
    uint64_t turn;
    struct entry *taken;
    struct entry entries[ENVIRONMENTS_MAX];
};

struct vocabulary *vocabulary_new(size_t dimensions)
{
    struct vocabulary *v = calloc(1, sizeof *v);
    BUG_IF(v == NULL || pthread_mutex_init(&v->in_use, NULL) != 0);
    v->dimensions = dimensions;
    return v;
}

static void entry_forget(struct vocabulary *v, struct entry *e)
{
    if (e->used == 0) return;
    for (size_t i = 0; i < v->dimensions; i++) free(e->lexicon.words[i].items);
    free(e->lexicon.words);
    arena_free(&e->texts);
    *e = (struct entry){0};
}

void vocabulary_free(struct vocabulary *v)
{
    if (v == NULL) return;
    for (size_t i = 0; i < COUNT(v->entries); i++) entry_forget(v, &v->entries[i]);
    (void)pthread_mutex_destroy(&v->in_use);
    free(v);
}

static struct entry *entry_of(struct vocabulary *v, const char *environment_id, int64_t now_ms)
{
    struct entry *oldest = &v->entries[0];
    for (size_t i = 0; i < COUNT(v->entries); i++) {
        struct entry *e = &v->entries[i];
        if (e->used && now_ms - e->from_ms >= LEARNED_FOR_MS) entry_forget(v, e);
        if (e->used && strcmp(e->environment_id, environment_id) == 0) return e;
        if (e->used < oldest->used) oldest = e;
    }
    entry_forget(v, oldest);
    oldest->lexicon.words = calloc(v->dimensions, sizeof *oldest->lexicon.words);
    BUG_IF(oldest->lexicon.words == NULL);
    arena_init(&oldest->texts, TEXT_BYTES_MAX);
    oldest->from_ms = now_ms;
    (void)snprintf(oldest->environment_id, sizeof oldest->environment_id, "%s", environment_id);
    return oldest;
}

struct lexicon *vocabulary_take(struct vocabulary *v, const char *environment_id, int64_t now_ms)
{
    if (strlen(environment_id) >= ENVIRONMENT_ID_MAX || pthread_mutex_trylock(&v->in_use) != 0) return NULL;
    v->taken = entry_of(v, environment_id, now_ms);
    v->taken->used = ++v->turn;
    return &v->taken->lexicon;
}

void vocabulary_give(struct vocabulary *v)
{
    v->taken = NULL;
    (void)pthread_mutex_unlock(&v->in_use);
}

static int span_order(const void *x, const void *y)
{
    return span_compare(*(const struct span *)x, *(const struct span *)y);
}

static bool is_known(const struct words *w, struct span word)
{
    return w->sorted && bsearch(&word, w->items, w->sorted, sizeof *w->items, span_order) != NULL;
}

/* Bytes of the word in a statement, at most: those that may have to be escaped take four. */
static size_t sql_bytes(struct span word)
{
    size_t bytes = word.len;
    for (size_t i = 0; i < word.len; i++) {
        unsigned char c = (unsigned char)word.ptr[i];
        if (c < ' ' || c > '~' || c == '\'' || c == '\\') bytes += 3;
    }
    return bytes;
}

void lexicon_many(struct lexicon *l, size_t dimension)
{
    struct words *w = &l->words[dimension];
    l->count -= w->n;
    l->bytes -= w->bytes;
    free(w->items);
    *w = (struct words){.many = true};
}

void lexicon_add(struct lexicon *l, size_t dimension, struct span word)
{
    struct entry *e = (struct entry *)(void *)l;
    struct words *w = &l->words[dimension];
    struct span copy = {NULL, 0};
    if (w->many || is_known(w, word)) return;
    size_t bytes = sql_bytes(word);
    bool fits = w->n < LEXICON_WORDS_MAX && l->count < VOCABULARY_WORDS_MAX && w->bytes + bytes <= LEXICON_BYTES_MAX &&
                l->bytes + bytes <= VOCABULARY_BYTES_MAX;
    if (fits) copy = arena_copy(&e->texts, word);
    if (copy.ptr == NULL) {
        lexicon_many(l, dimension);
        return;
    }
    if (w->n == w->room) {
        w->room = w->room ? w->room * 2 : 16;
        w->items = realloc(w->items, w->room * sizeof *w->items);
        BUG_IF(w->items == NULL);
    }
    w->items[w->n++] = copy;
    w->bytes += bytes;
    l->count++;
    l->bytes += bytes;
}

void lexicon_sort(struct lexicon *l, size_t dimension)
{
    struct words *w = &l->words[dimension];
    size_t kept = 0;
    if (w->n) qsort(w->items, w->n, sizeof *w->items, span_order);
    for (size_t i = 0; i < w->n; i++) {
        if (kept && span_eq(w->items[kept - 1], w->items[i])) {
            w->bytes -= sql_bytes(w->items[i]);
            l->bytes -= sql_bytes(w->items[i]);
            l->count--;
        } else {
            w->items[kept++] = w->items[i];
        }
    }
    w->n = w->sorted = kept;
}
