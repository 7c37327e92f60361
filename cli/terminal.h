/* SPDX-License-Identifier: MIT */
/* cli/terminal.h - the terminal's mode and the signals that end a run.
 *
 * The terminal gets its old mode back on every way out of the program.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <signal.h>
#include <stdbool.h>

/* Raised by signals and by the time limit; whoever runs a guest looks at it. */
extern volatile bool cli_interrupted;
extern volatile sig_atomic_t cli_signal;    /* SIGINT, SIGTERM, SIGHUP; 0 */
extern volatile sig_atomic_t cli_timed_out; /* the time limit came */

/* SIGINT, SIGTERM and SIGHUP end a run in good order; a second one ends the
 * program at once. */
void signals_catch(void);

/* A crash of ours: one line, the terminal's mode, exit status 70. */
void signals_report_crashes(void);

/* After this many seconds: cli_timed_out. 0: never. */
void signals_time_limit(double seconds);

/* While on: a run that does not end within ten seconds of a signal or of the
 * time limit is an error of ours (exit status 70). Off: no time limit, too. */
void signals_insist(bool on);

/* Standard input byte by byte, nothing echoed, no keys that raise signals.
 * False: it is no terminal, or not ours (a background job). */
bool terminal_raw(void);
void terminal_restore(void); /* may be called from a signal handler */

#endif
