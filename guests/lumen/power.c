/* SPDX-License-Identifier: MIT */
/* power.c - ways to end. */
#include "irq.h"
#include "kernel.h"
#include "x86.h"

#define PORT_DEBUG_EXIT 0xF4   /* QEMU's isa-debug-exit, Umbra's too     */
#define PORT_PM_QEMU    0x604  /* PIIX4 power management, PM1a control   */
#define PORT_PM_BOCHS   0xB004 /* the same on older machines             */
#define PM_SOFT_OFF     0x2000
#define PORT_KEYBOARD   0x64
#define PULSE_RESET     0xFE

void machine_stop(void)
{
    irq_disable();
    for (;;)
        __asm__ volatile("hlt");
}

void machine_power_off(void)
{
    port_out16(PORT_PM_QEMU, PM_SOFT_OFF);
    port_out16(PORT_PM_BOCHS, PM_SOFT_OFF);
    machine_stop();
}

/* The machine's process exits with status (value << 1) | 1. On a machine
 * without the port the write is lost, so switch off instead. */
void machine_exit(uint32_t value)
{
    port_out8(PORT_DEBUG_EXIT, (uint8_t)value);
    machine_power_off();
}

void machine_reboot(void)
{
    port_out8(PORT_KEYBOARD, PULSE_RESET);
    machine_stop();
}
