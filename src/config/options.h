/* SPDX-License-Identifier: Apache-2.0
 * The command line as options.def declares it: from the arguments, else the environment variable, else the file that
 * --config names ("name = value" lines; flags are yes or no), else the default. */
#ifndef FF_CONFIG_OPTIONS_H
#define FF_CONFIG_OPTIONS_H

#include "base/buf.h"

enum command {
#define COMMAND(id, words, arguments, summary) COMMAND_##id,
#include "config/commands.def"
#undef COMMAND
    COMMAND_COUNT
};
const char *command_words(enum command c);
const char *command_summary(enum command c);
/* false when there is no such command. */
bool command_of(const char *words, enum command *out) MUST_USE;

struct options;
enum options_outcome {
    OPTIONS_OK,
    OPTIONS_HELP, /* --help: the text is in message */
    OPTIONS_BAD,  /* message says which option and what was expected */
};
/* argv[0] is the command's own word. *out is for options_free, also after OPTIONS_BAD. message must be buf_init'ed. */
enum options_outcome options_parse(enum command c, int argc, char **argv, struct options **out,
                                   struct buf *message) MUST_USE;
void options_free(struct options *o);

/* The names must be rows of options.def for the command; anything else is a bug. */
const char *options_text(const struct options *o, const char *name); /* NULL when unset and without default */
int64_t options_number(const struct options *o, const char *name);
bool options_flag(const struct options *o, const char *name);
bool options_given(const struct options *o, const char *name); /* not from the default */
size_t options_argument_count(const struct options *o);
const char *options_argument(const struct options *o, size_t i);

void options_print_help(enum command c, struct buf *out);
/* A file for --config with every setting and its default, all of it commented out. */
void options_print_sample(enum command c, struct buf *out);
void options_print_commands(struct buf *out);
/* docs/options.md: every command with its options, in Markdown. */
void options_print_reference(struct buf *out);

#endif
