/* SPDX-License-Identifier: MIT */
/* cpu/errata.h - where the CPU library departs from the manual.
 *
 * A real processor comes with an errata sheet, and so does this one: what the
 * library is known to get wrong, whether this copy of it does (each row is a
 * few instructions run on an engine alone), and what the machine does about it.
 *
 * Reference: SDM 2, "Instruction Set Reference"; SDM 3A, "Interrupt and
 * Exception Handling".
 */
#ifndef CPU_ERRATA_H
#define CPU_ERRATA_H

#include <stddef.h>

enum erratum_status {
    ERRATUM_ABSENT,        /* this library has it right */
    ERRATUM_PRESENT_CURED, /* the machine works around it */
    ERRATUM_PRESENT_OPEN,  /* guests see it */
};

struct erratum {
    enum erratum_status status;
    const char *name;
    const char *behaviour; /* what the library does, and what it should */
    const char *cure;      /* NULL: none */
};

/* Run the tests (at the first call) and list what they found. Rows
 * whose test cannot run, for want of an engine, count as present. */
const struct erratum *errata_list(void);
size_t errata_count(void);

#endif
