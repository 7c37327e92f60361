/* SPDX-License-Identifier: MIT */
/* selftest.h - what the files of in-kernel tests share.
 *
 * A test returns NULL or why it failed. Each file has a table of them, which
 * ends with an empty row.
 */
#ifndef LUMEN_SELFTEST_H
#define LUMEN_SELFTEST_H

#include "trap.h"
#include <stdint.h>

struct self_test {
    const char *name;
    const char *(*run)(void);
};

extern const struct self_test cpu_tests[];    /* test_cpu.c              */
extern const struct self_test paging_tests[]; /* test_paging.c           */
extern const struct self_test silent_tests[]; /* silent.c, lumen only    */

extern uint32_t fault_at; /* where the instruction under test is */

/* Look at the last probe's frame from all sides. */
const char *check_frame(uint32_t vector, uint32_t error, uint32_t eip);

/* Run one instruction that must trap, and note its address. */
#define PROBE(code, ...)                                                       \
    do {                                                                       \
        trap_probe.hit = false;                                                \
        trap_probe.armed = true;                                               \
        __asm__ volatile(                                                      \
            "movl $1f, %[resume]\n\t"                                          \
            "movl $2f, %[at]\n"                                                \
            "2:\t" code "\n"                                                   \
            "1:"                                                               \
            : [resume] "=m"(trap_probe.resume), [at] "=m"(fault_at)            \
            : __VA_ARGS__                                                      \
            : "eax", "ecx", "edx", "edi", "memory", "cc");                     \
        trap_probe.armed = false;                                              \
    } while (0)

#endif
