/* SPDX-License-Identifier: MIT */
/* vmm/techniques.c - the CPU techniques by name. */
#include <string.h>

#include "traps/bt.h"
#include "vmm/vm.h"

static const struct {
    const char *name, *blurb;
    const struct technique *monitor;
} techniques[CPU_TECHNIQUES] = {
    [CPU_BARE] = {"bare", "no monitor: the guest owns the machine", NULL},
    [CPU_TRAP] = {"trap",
                  "trap and emulate at ring 1; what does not trap "
                  "stays broken",
                  &technique_trap},
    [CPU_BT_STATIC] = {"bt-static",
                       "trap and emulate, the image's silent "
                       "instructions translated ahead",
                       &technique_bt_static},
    [CPU_BT] = {"bt",
                "direct execution of programs, the kernel translated as "
                "it runs",
                &technique_bt},
    [CPU_PV] = {"pv", "a ported kernel at ring 1, which asks by hypercall",
                &technique_pv},
    [CPU_HVM] = {"hvm",
                 "VT-x: the guest in non-root operation, at its own "
                 "privilege levels",
                 &technique_hvm},
};

const char *cpu_technique_name(enum cpu_technique t)
{
    return techniques[t].name;
}

const char *cpu_technique_blurb(enum cpu_technique t)
{
    return techniques[t].blurb;
}

const struct technique *cpu_technique_monitor(enum cpu_technique t)
{
    return techniques[t].monitor;
}

int cpu_technique_find(const char *name)
{
    for (int t = 0; t < CPU_TECHNIQUES; t++)
        if (strcmp(techniques[t].name, name) == 0)
            return t;
    return -1;
}
