/* SPDX-License-Identifier: MIT */
/* selftest.h - what the files of the self-test share.
 *
 * A test returns NULL or why it failed. Each file has a table of them, which
 * ends with an empty row.
 */
#ifndef LUMEN_USER_SELFTEST_H
#define LUMEN_USER_SELFTEST_H

#include "lib.h"

struct self_test {
    const char *name;
    const char *(*run)(void);
};

extern const struct self_test process_tests[]; /* test_process.c          */
extern const struct self_test memory_tests[];  /* test_memory.c           */
extern const struct self_test program_tests[]; /* test_programs.c         */

#define CHECK(condition, why)                                                  \
    do {                                                                       \
        if (!(condition))                                                      \
            return why;                                                        \
    } while (0)

/* Run a function as a child process and return its exit status. */
int in_child(int (*function)(void));

/* Run a program and keep its output. Returns its exit status. */
int run(char *const argv[]);
#define RUN(...) run((char *[]){__VA_ARGS__, NULL})

/* Did the last program print exactly this? */
bool printed(const char *text);

#endif
