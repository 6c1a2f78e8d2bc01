/*
 * The part of the page that shows a pool: what is fixed stands in src/page/pool.html, and
 * src/page/status.js fills the same places later on.
 */
#ifndef PREFORKD_STATUS_PAGE_POOL_H
#define PREFORKD_STATUS_PAGE_POOL_H

#include "status_doc.h"

/* number: from 1 on, for links to #pool-NUMBER. */
void status_page_pool(FILE *out, const struct status_pool *pool, size_t number);

/* The pool's state in a word: "saturated", if it runs but all workers are busy. */
const char *status_page_word(const struct status_pool *pool);
bool status_page_in_trouble(const struct status_pool *pool);

/* <td>; class and text may be "", the text is freed. */
void status_page_cell(FILE *out, const char *class, char *text);

#endif
