/*
 * Single values of the configuration language: text to number and back.  Pure.
 */
#ifndef PREFORKD_CONF_VALUE_H
#define PREFORKD_CONF_VALUE_H

#include "util.h"

#include <stdbool.h>
#include <stdio.h>

/*
 * Each takes the text as written and stores the value; 0, or -1 with *err saying what
 * was wrong and what would be right.  min and max are in the value's own unit.
 */
int conf_value_count(const char *text, int64_t min, int64_t max, int64_t *value, char **err);
int conf_value_time(const char *text, int64_t min, int64_t max, int64_t *ms, char **err);
int conf_value_size(const char *text, int64_t min, int64_t max, int64_t *bytes, char **err);
int conf_value_decimal(const char *text, int64_t min, int64_t max, int64_t *thousandths,
		       char **err);
int conf_value_bool(const char *text, int64_t *value, char **err);
int conf_value_mode(const char *text, int64_t max, int64_t *mode, char **err);
int conf_value_choice(const char *text, const char *const *choices, int64_t *index, char **err);

/* The shortest text that the function above of the same kind reads as this value. */
void conf_value_print_time(FILE *out, int64_t ms);
void conf_value_print_size(FILE *out, int64_t bytes);
void conf_value_print_decimal(FILE *out, int64_t thousandths);

/* The text as a quoted string of the language, escapes and ${ included. */
void conf_value_print_string(FILE *out, const char *text);

#endif
