/* SPDX-License-Identifier: MIT */
/* cli/report_plots.h - the drawings of the report. Each is complete without
 * colours; its numbers are in the tables as well. */
#ifndef CLI_REPORT_PLOTS_H
#define CLI_REPORT_PLOTS_H

#include "cli/compare.h"

/* Model cost by cause; page faults by class: a bar for each technique. */
void report_plot_cost(FILE *out, const struct comparison *c);
void report_plot_faults(FILE *out, const struct comparison *c);
/* The VMM's page faults after each load of CR3: columns for each technique. */
void report_plot_switches(FILE *out, const struct comparison *c);
/* The memory of the VMM's tables over virtual time, and the guest's working
 * set. */
void report_plot_tables(FILE *out, const struct comparison *c);
/* The same memory over the address spaces that the guest has used. */
void report_plot_spaces(FILE *out, const struct comparison *c);

#endif
