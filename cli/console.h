/* SPDX-License-Identifier: MIT */
/* cli/console.h - the guest's console on standard input and output.
 *
 * COM1's output is written at the end of each line and whenever the guest
 * pauses. From a terminal, Ctrl-A is a prefix for commands to Umbra, as in
 * QEMU; from a file or a pipe every byte goes to the guest, when it asks for
 * one.
 */
#ifndef CLI_CONSOLE_H
#define CLI_CONSOLE_H

#include "cli/options.h"

enum { CONSOLE_OUTPUT = 4096, CONSOLE_INPUT = 1024 };

struct console {
    const char *who;
    int out; /* -1: nowhere */
    char output[CONSOLE_OUTPUT];
    size_t output_used;
    int error;  /* the first errno of writing */
    bool spoke; /* COM1 has transmitted */

    bool reads; /* standard input is the guest's, and has not ended */
    bool terminal;
    bool prefix;                  /* Ctrl-A came */
    bool quit;                    /* Ctrl-A x */
    uint8_t input[CONSOLE_INPUT]; /* a ring */
    size_t input_start, input_count;
};

/* False: a line was printed (status 2). */
bool console_open(struct console *c, const struct run_options *o);
/* Flush, restore the terminal. */
void console_close(struct console *c);

/* For struct vm_config; ctx is the console. */
void console_put(void *ctx, uint8_t byte);
int console_get(void *ctx);

/* Write what is buffered. */
void console_flush(struct console *c);

/* From a terminal: take what was typed. Between slices of a run. */
void console_pump(struct console *c);

/* Wait until input comes, at most ns. */
void console_wait(struct console *c, uint64_t ns);

#endif
