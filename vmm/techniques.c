/* SPDX-License-Identifier: MIT */
/* vmm/techniques.c - the CPU techniques by name. */
#include <string.h>

#include "vmm/vm.h"

static const struct {
    const char *name, *blurb;
} techniques[CPU_TECHNIQUES] = {
    [CPU_BARE] = {"bare", "no monitor: the guest owns the machine"},
    [CPU_TRAP] = {"trap", "trap and emulate at ring 1; what does not trap "
                          "stays broken"},
    [CPU_BT_STATIC] = {"bt-static", "trap and emulate, the image's silent "
                                    "instructions translated ahead"},
};

const char *cpu_technique_name(enum cpu_technique t)
{
    return techniques[t].name;
}

const char *cpu_technique_blurb(enum cpu_technique t)
{
    return techniques[t].blurb;
}

int cpu_technique_find(const char *name)
{
    for (int t = 0; t < CPU_TECHNIQUES; t++)
        if (strcmp(techniques[t].name, name) == 0)
            return t;
    return -1;
}
