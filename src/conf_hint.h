/*
 * What somebody may have meant who wrote a name that a section does not know.
 */
#ifndef PREFORKD_CONF_HINT_H
#define PREFORKD_CONF_HINT_H

#include "conf.h"

/* Where an option of that name is known, in words; or one like it; or "".  Never NULL. */
char *conf_hint(const struct conf_section *section, const char *name);

#endif
