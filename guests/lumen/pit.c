/* SPDX-License-Identifier: MIT */
/* pit.c - a hundred interrupts a second from the 8254.
 *
 * Reference: Intel 8254 data sheet, "Mode 2: Rate Generator".
 */
#include "trap.h"
#include "x86.h"

#define PORT_CHANNEL0  0x40
#define PORT_COMMAND   0x43
#define RATE_GENERATOR 0x34 /* channel 0, low then high byte, mode 2   */
#define INPUT_HZ       1193182u

void timer_init(void)
{
    uint32_t divisor = (INPUT_HZ + TICK_HZ / 2) / TICK_HZ;

    port_out8(PORT_COMMAND, RATE_GENERATOR);
    port_out8(PORT_CHANNEL0, (uint8_t)divisor);
    port_out8(PORT_CHANNEL0, (uint8_t)(divisor >> 8));
}
