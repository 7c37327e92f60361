/* SPDX-License-Identifier: MIT */
/* ps - list the processes. */
#include "lib.h"

int main(void)
{
    struct ps_info info;
    int unused;

    printf("  pid parent state pages name\n");
    for (int slot = 0; (unused = psinfo(slot, &info)) >= 0; slot++) {
        if (!unused)
            printf("%5d %6d %c     %5u %s\n", info.pid, info.parent, info.state,
                   info.pages, info.name);
    }
    return 0;
}
