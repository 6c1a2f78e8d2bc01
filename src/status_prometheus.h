/*
 * The status as Prometheus reads it: its text exposition format, version 0.0.4, with the
 * names and units that its manual asks for
 * (https://prometheus.io/docs/instrumenting/exposition_formats/, .../practices/naming/).
 */
#ifndef PREFORKD_STATUS_PROMETHEUS_H
#define PREFORKD_STATUS_PROMETHEUS_H

#include "status_doc.h"

#define STATUS_PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* now_ms: the time of the document since 1970, because points in time are shown, not ages. */
void status_prometheus_print(const struct status_doc *doc, int64_t now_ms, FILE *out);

#endif
