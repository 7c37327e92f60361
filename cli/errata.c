/* SPDX-License-Identifier: MIT */
/* umbra errata: what the software processor gets wrong, and what is done
 * about it. The processor layer tests itself; here it is only printed. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "cpu/errata.h"

static const char *status_name(int status)
{
    switch (status) {
    case ERRATUM_ABSENT: return "absent";
    case ERRATUM_PRESENT_CURED: return "cured";
    default: return "OPEN";
    }
}

static int print_errata(void)
{
    size_t open = 0, count = errata_count();
    const struct erratum *list = errata_list();
    for (size_t i = 0; i < count; i++) {
        const struct erratum *e = &list[i];
        printf("%-7s %s\n        %s\n", status_name((int)e->status), e->name,
               e->behaviour);
        if (e->status != ERRATUM_ABSENT && e->cure && *e->cure)
            printf("        cure: %s\n", e->cure);
        open += e->status == ERRATUM_PRESENT_OPEN;
    }
    printf("%zu errata, %zu open.\n", count, open);
    return STATUS_OK;
}

int cmd_errata(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        puts("Usage: umbra errata\n"
             "List where the software processor departs from the manual, "
             "tested on this library\nnow: absent (this library has it "
             "right), cured (Umbra works around it), OPEN.");
        return STATUS_OK;
    }
    if (argc > 1) {
        cli_error(argv[0], "unexpected argument '%s'", argv[1]);
        return STATUS_USAGE;
    }
    return print_errata();
}
