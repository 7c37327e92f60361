/* SPDX-License-Identifier: MIT */
/* labs/process.h - run a program to its end and keep what it prints. */
#ifndef LABS_PROCESS_H
#define LABS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

struct process_result {
    int status; /* its exit status; -1: could not be started, or was killed */
    bool timed_out;
    char *output; /* both streams, as far as kept; made harmless; may be NULL */
};

/* In a folder, with a limit of seconds. The words of the environment variable
 * or, when it is unset, of fallback come before arguments (NULL-ended). */
void process_run(struct process_result *r, const char *folder,
                 const char *variable, const char *fallback,
                 const char *const *arguments, unsigned seconds);

/* Somebody wants us to stop (SIGINT, SIGTERM, SIGHUP): whatever waits gives
 * up. */
extern volatile bool process_interrupted;
void process_catch_signals(void);

/* Close every descriptor from first on. After fork. */
void process_close_from(int first);

/* Seconds of the host's monotonic clock. */
double process_clock(void);

#endif
