/* SPDX-License-Identifier: Apache-2.0 */
#include "statement.h"

#include <ctype.h>
#include <string.h>

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_SIGN };

struct token {
    enum token_kind kind;
    size_t at;
    struct span text;
};

struct lexer {
    struct span text;
    size_t pos;
    int depth; /* of round, square and curly brackets */
};

static bool is_word_byte(char c)
{
    unsigned char u = (unsigned char)c;
    return isalnum(u) != 0 || u == '_' || u == '$' || u >= 0x80;
}

static bool starts_with(const struct lexer *lx, size_t pos, const char *what)
{
    size_t n = strlen(what);
    return lx->text.len - pos >= n && memcmp(lx->text.ptr + pos, what, n) == 0;
}

/* Position just after the next `what`, or the end of the text. */
static size_t after_next(const struct lexer *lx, size_t pos, const char *what, size_t n)
{
    const char *hit = memmem(lx->text.ptr + pos, lx->text.len - pos, what, n);
    return hit == NULL ? lx->text.len : (size_t)(hit - lx->text.ptr) + n;
}

static void skip_blanks(struct lexer *lx)
{
    while (lx->pos < lx->text.len) {
        if (isspace((unsigned char)lx->text.ptr[lx->pos]) != 0) {
            lx->pos++;
        } else if (starts_with(lx, lx->pos, "--") || starts_with(lx, lx->pos, "# ") ||
                   starts_with(lx, lx->pos, "#!")) {
            lx->pos = after_next(lx, lx->pos, "\n", 1);
        } else if (starts_with(lx, lx->pos, "/*")) {
            lx->pos = after_next(lx, lx->pos + 2, "*/", 2);
        } else {
            return;
        }
    }
}

static size_t quoted_end(const struct lexer *lx, size_t pos)
{
    char quote = lx->text.ptr[pos];
    for (size_t i = pos + 1; i < lx->text.len; i++) {
        if (lx->text.ptr[i] == '\\') {
            i++;
        } else if (lx->text.ptr[i] == quote) {
            return i + 1; /* a doubled quote reads as two strings, which does no harm */
        }
    }
    return lx->text.len;
}

/* `$tag$ … $tag$` is a string; 0 when there is none at pos. */
static size_t heredoc_end(const struct lexer *lx, size_t pos)
{
    size_t i = pos + 1;
    while (i < lx->text.len && lx->text.ptr[i] != '$' && is_word_byte(lx->text.ptr[i])) {
        i++;
    }
    if (i >= lx->text.len || lx->text.ptr[i] != '$') {
        return 0;
    }
    return after_next(lx, i + 1, lx->text.ptr + pos, i + 1 - pos);
}

static struct token next_token(struct lexer *lx)
{
    skip_blanks(lx);
    struct token t = {.kind = TOKEN_END, .at = lx->pos};
    if (lx->pos >= lx->text.len) {
        t.text = (struct span){.ptr = "", .len = 0};
        return t;
    }
    char c = lx->text.ptr[lx->pos];
    size_t heredoc = c == '$' ? heredoc_end(lx, lx->pos) : 0;
    if (heredoc > 0) {
        t.kind = TOKEN_QUOTED;
        lx->pos = heredoc;
    } else if (c == '\'' || c == '"' || c == '`') {
        t.kind = TOKEN_QUOTED;
        lx->pos = quoted_end(lx, lx->pos);
    } else if (is_word_byte(c)) {
        t.kind = TOKEN_WORD;
        while (lx->pos < lx->text.len && is_word_byte(lx->text.ptr[lx->pos])) {
            lx->pos++;
        }
    } else {
        t.kind = TOKEN_SIGN;
        lx->pos++;
        if (c == '(' || c == '[' || c == '{') {
            lx->depth++;
        } else if (c == ')' || c == ']' || c == '}') {
            lx->depth--;
        }
    }
    t.text = (struct span){.ptr = lx->text.ptr + t.at, .len = lx->pos - t.at};
    return t;
}

static bool is_word(const struct token *t, const char *word)
{
    return t->kind == TOKEN_WORD && span_is(t->text, word);
}

static bool is_sign(const struct token *t, char c)
{
    return t->kind == TOKEN_SIGN && t->text.ptr[0] == c;
}

/* Inline data begins after blanks and at most one line break, as in ClickHouse: a further blank
 * line is data already. */
static size_t data_start(const struct lexer *lx)
{
    size_t i = lx->pos;
    while (i < lx->text.len && strchr(" \t\f", lx->text.ptr[i]) != NULL &&
           lx->text.ptr[i] != '\0') {
        i++;
    }
    if (i < lx->text.len && lx->text.ptr[i] == '\r') {
        i++;
    }
    if (i < lx->text.len && lx->text.ptr[i] == '\n') {
        i++;
    }
    return i;
}

static void insert_takes(struct lexer *lx, struct statement *out, size_t head_len,
                         struct span format)
{
    out->kind = STATEMENT_INSERT;
    out->head = (struct span){.ptr = lx->text.ptr, .len = head_len};
    out->format = format;
    out->data_at = data_start(lx);
}

/* INSERT [INTO] [TABLE] name [(columns)] [SETTINGS …] then FORMAT x, VALUES, a SELECT, or nothing.
 * The first two words after INSERT may name the table, so `values` or `format` in that place is a
 * name. */
static void read_insert(struct lexer *lx, struct statement *out)
{
    struct token before = {.kind = TOKEN_SIGN, .text = {.ptr = " ", .len = 1}};
    bool named = false;
    for (;;) {
        struct token t = next_token(lx);
        if (t.kind == TOKEN_END || (lx->depth == 0 && is_sign(&t, ';'))) {
            return;
        }
        if (is_word(&t, "SELECT") || is_word(&t, "WITH") || is_word(&t, "WATCH")) {
            return;
        }
        if (is_word(&t, "INFILE")) {
            out->names_file = true;
            return;
        }
        bool may_mark = named && lx->depth == 0 && !is_sign(&before, '.');
        if (may_mark && is_word(&t, "VALUES")) {
            insert_takes(lx, out, t.at, span_of("Values"));
            return;
        }
        if (may_mark && is_word(&t, "FORMAT")) {
            struct token name = next_token(lx);
            insert_takes(lx, out, t.at, name.text);
            return;
        }
        named = named || t.kind == TOKEN_QUOTED ||
                (t.kind == TOKEN_WORD && !is_word(&t, "INTO") && !is_word(&t, "TABLE"));
        before = t;
    }
}

/* The last `FORMAT name` outside brackets that ends the statement or is followed by SETTINGS. */
static void read_rest(struct lexer *lx, struct statement *out)
{
    enum { NOTHING, SEEN_FORMAT, SEEN_NAME } state = NOTHING;
    struct span name = {.ptr = "", .len = 0};
    bool with = false;
    struct token t;
    do {
        t = next_token(lx);
        bool ends = t.kind == TOKEN_END || is_sign(&t, ';') || is_word(&t, "SETTINGS");
        if (state == SEEN_NAME && ends) {
            out->format = name;
        }
        if (lx->depth == 0 && is_word(&t, "FORMAT")) {
            state = SEEN_FORMAT;
        } else if (state == SEEN_FORMAT && t.kind == TOKEN_WORD) {
            name = t.text;
            state = SEEN_NAME;
        } else {
            state = NOTHING;
        }
        out->whole_result = out->whole_result || (with && is_word(&t, "TOTALS"));
        out->names_file = out->names_file || is_word(&t, "OUTFILE") || is_word(&t, "INFILE");
        with = is_word(&t, "WITH");
    } while (t.kind != TOKEN_END);
}

void statement_read(struct span text, struct statement *out)
{
    struct lexer lx = {.text = text};
    *out = (struct statement){
        .kind = STATEMENT_OTHER, .format = {.ptr = "", .len = 0}, .head = {.ptr = "", .len = 0}};
    struct token first = next_token(&lx);
    if (first.kind == TOKEN_END) {
        out->kind = STATEMENT_EMPTY;
        return;
    }
    if (is_word(&first, "INSERT")) {
        read_insert(&lx, out);
        return;
    }
    if (is_word(&first, "SELECT") || is_word(&first, "WITH") || is_word(&first, "FROM") ||
        is_sign(&first, '(')) {
        out->kind = STATEMENT_QUERY;
    }
    read_rest(&lx, out);
}
