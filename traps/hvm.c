/* SPDX-License-Identifier: MIT */
/* traps/hvm.c - hardware support: the guest in VMX non-root operation.
 *
 * The guest keeps its privilege levels, its descriptor tables and its flags;
 * what it does exits only where the VMCS says so. Of the techniques this is
 * the one that needs neither ring compression nor translation.
 *
 * The machine's operations of cpu/vmx.h are all that is used of the hardware.
 *
 * Reference: SDM 3C, "Introduction to Virtual Machine Extensions"; Adams &
 * Agesen, "A Comparison of Software and Hardware Techniques for x86
 * Virtualization", 4.
 */
#include "traps/hvm_priv.h"

static void attend(struct monitor *mon)
{
    hvm_pin(mon, pc_intr(mon->config.pc) || mon->nmi);
}

static size_t save(const struct monitor *mon, void *buffer, size_t bytes)
{
    if (buffer && bytes >= sizeof(struct hvm))
        memcpy(buffer, mon->own, sizeof(struct hvm));
    return sizeof(struct hvm);
}

static bool restore(struct monitor *mon, const void *buffer, size_t bytes)
{
    if (bytes != sizeof(struct hvm))
        return false;
    memcpy(mon->own, buffer, bytes);
    return true;
}

const struct technique technique_hvm = {
    .name = "hvm",
    .own_tables = true,
    .start = hvm_start,
    .destroy = hvm_destroy,
    .enter = hvm_enter,
    .capture = hvm_capture,
    .install = hvm_install,
    .vm_exit = hvm_exit,
    .attend = attend,
    .withdrawn = hvm_tags_withdrawn,
    .inject = hvm_inject,
    .pin = hvm_pin,
    .save = save,
    .restore = restore,
};
