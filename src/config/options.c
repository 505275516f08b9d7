/* SPDX-License-Identifier: Apache-2.0 */
#include "config/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum kind { KIND_TEXT, KIND_PATH, KIND_NUMBER, KIND_FLAG, KIND_SECRET, KIND_LIST };
enum { SECRET_BYTES_MAX = 4096, FILE_BYTES_MAX = 64 * 1024, ARGUMENTS_MAX = 8 };

struct option_row {
    enum command command;
    const char *name;
    enum kind kind;
    const char *metavar, *fallback;
    int64_t min, max;
    const char *variable, *help;
};

static const struct option_row rows[] = {
#define OPTION(command, name, kind, metavar, fallback, min, max, variable, help)                                       \
    {COMMAND_##command, name, KIND_##kind, metavar, fallback, min, max, variable, help},
#include "config/options.def"
#undef OPTION
};

static const struct {
    const char *words, *arguments, *summary;
} commands[] = {
#define COMMAND(id, words, arguments, summary) {words, arguments, summary},
#include "config/commands.def"
#undef COMMAND
};

struct options {
    enum command command;
    char *values[COUNT(rows)]; /* owned */
    bool given[COUNT(rows)];
    const char *arguments[ARGUMENTS_MAX]; /* of argv */
    size_t argument_count;
};

const char *command_words(enum command c)
{
    return commands[c].words;
}

const char *command_summary(enum command c)
{
    return commands[c].summary;
}

bool command_of(const char *words, enum command *out)
{
    for (size_t i = 0; i < COUNT(commands); i++)
        if (strcmp(commands[i].words, words) == 0) {
            *out = (enum command)i;
            return true;
        }
    return false;
}

static const struct option_row *row_find(enum command c, struct span name)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].command == c && span_is(name, rows[i].name)) return &rows[i];
    return NULL;
}

/* What is about the file itself cannot stand in it. */
static bool in_file(const struct option_row *row)
{
    return strcmp(row->name, "config") != 0 && strcmp(row->name, "print-config") != 0;
}

static void value_set(struct options *o, const struct option_row *row, const char *text, bool given)
{
    size_t at = (size_t)(row - rows);
    free(o->values[at]);
    o->values[at] = strdup(text);
    BUG_IF(o->values[at] == NULL);
    o->given[at] = given;
}

/* where: what to put before the name in a complaint, "--" or "FILE:LINE: ". */
static bool number_valid(const struct option_row *row, const char *text, const char *where, struct buf *message)
{
    int64_t v;
    if (span_to_i64(span_of(text), &v) && v >= row->min && v <= row->max) return true;
    buf_addf(message, "%s%s: expected a whole number from %lld to %lld, got \"%s\"\n", where, row->name,
             (long long)row->min, (long long)row->max, text);
    return false;
}

/* A secret from a file: its first line. */
static bool secret_read(struct options *o, const struct option_row *row, const char *path, const char *where,
                        struct buf *message)
{
    char text[SECRET_BYTES_MAX + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, SECRET_BYTES_MAX);
    if (fd >= 0) (void)close(fd);
    if (len < 0) {
        buf_addf(message, "%s%s-file: cannot read %s: %s\n", where, row->name, path, strerror(errno));
        return false;
    }
    text[len] = 0;
    text[strcspn(text, "\r\n")] = 0;
    value_set(o, row, text, true);
    explicit_bzero(text, sizeof text);
    return true;
}

/* The row of a name, or of NAME in "NAME-file" if that is a secret. */
static const struct option_row *row_named(enum command c, struct span name, bool *from_file)
{
    const struct option_row *row = row_find(c, name);
    *from_file = row == NULL && span_ends(name, SPAN("-file"));
    if (*from_file) row = row_find(c, span_upto(name, name.len - 5));
    return row && *from_file && row->kind != KIND_SECRET ? NULL : row;
}

/* One "--name value", "--name=value" or flag at argv[*i]; moves *i past what it used. */
static bool option_take(struct options *o, int argc, char **argv, int *i, struct buf *message)
{
    struct span word = span_from(span_of(argv[*i]), 2);
    ptrdiff_t equals = span_find(word, '=');
    struct span name = equals < 0 ? word : span_upto(word, (size_t)equals);
    bool from_file;
    const struct option_row *row = row_named(o->command, name, &from_file);
    if (row == NULL) {
        buf_addf(message, "unknown option --%.*s; \"firstframe %s --help\" lists them\n", SPAN_ARG(name),
                 commands[o->command].words);
        return false;
    }
    if (row->kind == KIND_FLAG) {
        if (equals >= 0) {
            buf_addf(message, "--%s takes no value\n", row->name);
            return false;
        }
        value_set(o, row, "1", true);
        return true;
    }
    const char *value = equals >= 0 ? word.ptr + equals + 1 : *i + 1 < argc ? argv[++*i] : NULL;
    if (value == NULL) {
        buf_addf(message, "--%.*s: expected %s\n", SPAN_ARG(name), from_file ? "FILE" : row->metavar);
        return false;
    }
    if (from_file) return secret_read(o, row, value, "--", message);
    if (row->kind == KIND_NUMBER && !number_valid(row, value, "--", message)) return false;
    value_set(o, row, value, true);
    if (row->kind == KIND_SECRET)
        memset(argv[*i] + (value - argv[*i]), 'x', strlen(value)); /* out of the process list */
    return true;
}

static bool environment_take(struct options *o, struct buf *message)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct option_row *row = &rows[i];
        if (row->command != o->command || o->values[i] || row->variable[0] == 0) continue;
        const char *text = getenv(row->variable);
        if (text == NULL || text[0] == 0) continue;
        if (row->kind == KIND_NUMBER && !number_valid(row, text, "--", message)) return false;
        value_set(o, row, text, true);
    }
    return true;
}

/* A setting of the file counts where neither the command line nor the environment gave one. One without a value is, as
 * in the environment, none. */
static bool file_set(struct options *o, struct span name, struct span value, const char *where, struct buf *message)
{
    bool from_file;
    const struct option_row *row = row_named(o->command, name, &from_file);
    if (row == NULL || !in_file(row)) {
        buf_addf(message, "%sthere is no setting \"%.*s\"\n", where, SPAN_ARG(name));
        return false;
    }
    if (value.len == 0) return true;
    char text[SECRET_BYTES_MAX + 1];
    if (value.len >= sizeof text) {
        buf_addf(message, "%s%s: expected at most %d bytes\n", where, row->name, SECRET_BYTES_MAX);
        return false;
    }
    memcpy(text, value.ptr, value.len);
    text[value.len] = 0;
    bool yes = span_is(value, "yes"), set = o->values[row - rows] != NULL, ok = true;
    if (row->kind == KIND_FLAG && !yes && !span_is(value, "no")) {
        buf_addf(message, "%s%s: expected yes or no, got \"%s\"\n", where, row->name, text);
        ok = false;
    } else if (row->kind == KIND_NUMBER) {
        ok = number_valid(row, text, where, message);
    }
    if (ok && !set && from_file) ok = secret_read(o, row, text, where, message);
    else if (ok && !set && (row->kind != KIND_FLAG || yes)) value_set(o, row, text, true);
    explicit_bzero(text, sizeof text);
    return ok;
}

static bool file_lines(struct options *o, struct span text, const char *path, struct buf *message)
{
    for (size_t line = 1; text.len; line++) {
        ptrdiff_t newline = span_find(text, '\n');
        struct span rest = span_trim(newline < 0 ? text : span_upto(text, (size_t)newline));
        text = newline < 0 ? SPAN("") : span_from(text, (size_t)newline + 1);
        if (rest.len == 0 || rest.ptr[0] == '#') continue;
        char where[512];
        (void)snprintf(where, sizeof where, "%.400s:%zu: ", path, line);
        ptrdiff_t equals = span_find(rest, '=');
        if (equals < 0) {
            buf_addf(message, "%sexpected \"name = value\"\n", where);
            return false;
        }
        if (!file_set(o, span_trim(span_upto(rest, (size_t)equals)), span_trim(span_from(rest, (size_t)equals + 1)),
                      where, message))
            return false;
    }
    return true;
}

/* The settings of --config, of the commands that have it. */
static bool file_take(struct options *o, struct buf *message)
{
    const struct option_row *row = row_find(o->command, SPAN("config"));
    const char *path = row ? o->values[row - rows] : NULL;
    if (path == NULL) return true;
    FILE *f = fopen(path, "re");
    char *text = malloc(FILE_BYTES_MAX);
    BUG_IF(text == NULL);
    size_t len = f ? fread(text, 1, FILE_BYTES_MAX, f) : 0;
    bool ok = f && !ferror(f) && len < FILE_BYTES_MAX;
    if (f == NULL || ferror(f)) buf_addf(message, "--config: cannot read %s: %s\n", path, strerror(errno));
    else if (!ok) buf_addf(message, "--config: %s is longer than %d bytes\n", path, FILE_BYTES_MAX - 1);
    if (f) (void)fclose(f);
    ok = ok && file_lines(o, (struct span){text, len}, path, message);
    explicit_bzero(text, len);
    free(text);
    return ok;
}

static void defaults_fill(struct options *o)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].command == o->command && o->values[i] == NULL && rows[i].fallback[0])
            value_set(o, &rows[i], rows[i].fallback, false);
}

enum options_outcome options_parse(enum command c, int argc, char **argv, struct options **out, struct buf *message)
{
    struct options *o = calloc(1, sizeof *o);
    BUG_IF(o == NULL);
    o->command = c;
    *out = o;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            options_print_help(c, message);
            return OPTIONS_HELP;
        }
        if (strncmp(argv[i], "--", 2) == 0) {
            if (!option_take(o, argc, argv, &i, message)) return OPTIONS_BAD;
        } else if (commands[c].arguments[0] == 0 || o->argument_count == ARGUMENTS_MAX) {
            buf_addf(message, "unexpected argument \"%s\"\n", argv[i]);
            return OPTIONS_BAD;
        } else {
            o->arguments[o->argument_count++] = argv[i];
        }
    }
    if (!environment_take(o, message) || !file_take(o, message)) return OPTIONS_BAD;
    defaults_fill(o);
    return OPTIONS_OK;
}

void options_free(struct options *o)
{
    if (o == NULL) return;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (o->values[i] && rows[i].kind == KIND_SECRET) explicit_bzero(o->values[i], strlen(o->values[i]));
        free(o->values[i]);
    }
    free(o);
}

static size_t row_index(const struct options *o, const char *name)
{
    const struct option_row *row = row_find(o->command, span_of(name));
    BUG_IF(row == NULL);
    return (size_t)(row - rows);
}

const char *options_text(const struct options *o, const char *name)
{
    return o->values[row_index(o, name)];
}

int64_t options_number(const struct options *o, const char *name)
{
    size_t at = row_index(o, name);
    int64_t v = 0;
    BUG_IF(rows[at].kind != KIND_NUMBER || o->values[at] == NULL || !span_to_i64(span_of(o->values[at]), &v));
    return v;
}

bool options_flag(const struct options *o, const char *name)
{
    return o->values[row_index(o, name)] != NULL;
}

bool options_given(const struct options *o, const char *name)
{
    return o->given[row_index(o, name)];
}

size_t options_argument_count(const struct options *o)
{
    return o->argument_count;
}

const char *options_argument(const struct options *o, size_t i)
{
    BUG_IF(i >= o->argument_count);
    return o->arguments[i];
}

void options_print_help(enum command c, struct buf *out)
{
    buf_addf(out, "firstframe %s: %s\n\nusage: firstframe %s [options] %s\n\n", commands[c].words, commands[c].summary,
             commands[c].words, commands[c].arguments);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct option_row *row = &rows[i];
        if (row->command != c) continue;
        char left[64];
        struct buf name;
        buf_init(&name, sizeof left);
        buf_addf(&name, "--%s%s%s", row->name, row->metavar[0] ? " " : "", row->metavar);
        buf_addf(out, "  %-28s %s", name.ptr, row->help);
        if (row->fallback[0]) buf_addf(out, " (default: %s)", row->fallback);
        if (row->variable[0]) buf_addf(out, " [%s]", row->variable);
        buf_addc(out, '\n');
        if (row->kind == KIND_SECRET)
            buf_addf(out, "  --%s-file %-*s the same, from the first line of a file\n", row->name,
                     (int)(21 - strlen(row->name)), "FILE");
        buf_free(&name);
    }
    buf_addf(out, "  %-28s %s\n", "--help", "this text");
}

void options_print_sample(enum command c, struct buf *out)
{
    buf_addf(out,
             "# firstframe %s --config FILE\n# One \"name = value\" a line. What the command line or the environment "
             "says wins.\n",
             commands[c].words);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct option_row *row = &rows[i];
        if (row->command != c || !in_file(row)) continue;
        buf_addf(out, "\n# %s\n#%s = %s\n", row->help, row->name, row->kind == KIND_FLAG ? "no" : row->fallback);
        if (row->kind == KIND_SECRET) buf_addf(out, "#%s-file = \n", row->name);
    }
}

void options_print_commands(struct buf *out)
{
    buf_adds(
        out,
        "firstframe: self-hosted video quality-of-experience analytics\n\nusage: firstframe COMMAND [options]\n\n");
    for (size_t i = 0; i < COUNT(commands); i++) buf_addf(out, "  %-14s %s\n", commands[i].words, commands[i].summary);
    buf_adds(out, "\n\"firstframe COMMAND --help\" explains a command.\n");
}

/* A bar would end the cell. */
static void print_cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|') buf_addc(out, '\\');
        buf_addc(out, *text);
    }
}

static void print_reference_row(struct buf *out, const struct option_row *row)
{
    const char *tick = row->variable[0] ? "`" : "";
    buf_addf(out, "| `--%s%s", row->name, row->metavar[0] ? " " : "");
    print_cell(out, row->metavar);
    buf_addf(out, "`%s%s%s | %s | %s%s%s | ", row->kind == KIND_SECRET ? ", `--" : "",
             row->kind == KIND_SECRET ? row->name : "", row->kind == KIND_SECRET ? "-file FILE`" : "", row->fallback,
             tick, row->variable, tick);
    print_cell(out, row->help);
    buf_adds(out, " |\n");
}

void options_print_reference(struct buf *out)
{
    buf_adds(out, "# Commands and options\n\nMade from `src/config/options.def`.\n");
    for (size_t c = 0; c < COUNT(commands); c++) {
        buf_addf(out, "\n## firstframe %s%s%s\n\n", commands[c].words, commands[c].arguments[0] ? " " : "",
                 commands[c].arguments);
        buf_addf(out, "%c%s.\n", commands[c].summary[0] - 'a' + 'A', commands[c].summary + 1);
        bool any = false;
        for (size_t i = 0; i < COUNT(rows); i++) {
            if (rows[i].command != (enum command)c) continue;
            if (!any) buf_adds(out, "\n| option | default | environment | meaning |\n|---|---|---|---|\n");
            any = true;
            print_reference_row(out, &rows[i]);
        }
    }
}
