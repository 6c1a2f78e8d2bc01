/*
 * What stands below the tables of the status: requests that keep a pool busy, workers that do
 * not leave, lines that the log lacks, and the last events.
 */
#ifndef PREFORKD_STATUS_TROUBLE_H
#define PREFORKD_STATUS_TROUBLE_H

#include "status_doc.h"

#include <stdio.h>

/* Each line with an empty one before it if it is the first: *first, which is then false. */
void status_trouble_print(const struct status_doc *doc, bool *first, FILE *out);
void status_trouble_print_events(const struct status_doc *doc, FILE *out);

#endif
