/* SPDX-License-Identifier: MIT */
/* cli/cli.h - the command line: its commands and its exit statuses.
 *
 * Standard output belongs to the guest's console and to what a command was
 * asked to print; Umbra's own words go to standard error, errors as one line.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/* Exit statuses. A guest's own are odd or 0 and 4 (see vm_exit_status). */
enum {
    STATUS_OK = 0,
    STATUS_DIFFERS = 1, /* compare, errata */
    STATUS_USAGE = 2,   /* bad usage; input or output that fails */
    STATUS_INTERNAL = 70,
    STATUS_LIMIT = 124, /* --max-time, --max-cycles */
    STATUS_SIGNAL = 128 /* + its number */
};

struct command {
    const char *name;
    const char *blurb;
    int (*run)(int argc, char **argv); /* argv[0]: "umbra NAME" */
};

int cmd_run(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_disasm(int argc, char **argv);
int cmd_scan(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_hole(int argc, char **argv);
int cmd_errata(int argc, char **argv);
int cmd_later(int argc, char **argv); /* promised, not built yet */

/* "WHO: message" on standard error. */
void cli_error(const char *who, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Name and versions of Umbra and the libraries, on standard output. */
void cli_version(void);

/* Seconds of the host's monotonic clock. */
double cli_seconds(void);

#endif
