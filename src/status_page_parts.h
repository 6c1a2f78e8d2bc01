/*
 * The parts of the page in src/page/, as src/page/embed.sh has made C of them, and the
 * hashes of the style and of the script as a policy names them.
 */
#ifndef PREFORKD_STATUS_PAGE_PARTS_H
#define PREFORKD_STATUS_PAGE_PARTS_H

extern const char status_page_parts_html[], status_page_parts_pool[], status_page_parts_css[],
    status_page_parts_js[], status_page_parts_css_hash[], status_page_parts_js_hash[];

#endif
