/* SPDX-License-Identifier: MIT */
/* traps/trap.c - the techniques that only trap and emulate.
 *
 * Pure trap and emulate is what Popek & Goldberg describe; on this processor
 * some sensitive instructions do not trap, and they stay broken (traps/silent.c
 * reports them). Static translation makes them trap beforehand
 * (traps/patch.c).
 */
#include "traps/monitor_priv.h"

static bool start(struct monitor *mon, char **error)
{
    unsigned classes = mon->config.iopl1 ? 0 : 1u << CLASS_FLAG;

    (void)error;
    if (mon->config.audit)
        classes |= 1u << CLASS_TABLE | 1u << CLASS_DESCRIPTOR |
                   1u << CLASS_SEGMENT | 1u << CLASS_TRANSFER;
    machine_watch(mon->machine, classes);
    return true;
}

const struct technique technique_trap = {
    .name = "trap",
    .start = start,
    .capture = vcpu_capture,
    .install = vcpu_install,
};

const struct technique technique_bt_static = {
    .name = "bt-static",
    .start = start,
    .capture = vcpu_capture,
    .install = vcpu_install,
};
