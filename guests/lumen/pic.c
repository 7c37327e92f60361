/* SPDX-License-Identifier: MIT */
/* pic.c - the two interrupt controllers, moved away from the exceptions.
 *
 * The BIOS leaves IRQ 0 at vector 8, which is also the double fault.
 *
 * Reference: Intel 8259A data sheet, "Initialization Command Words".
 */
#include "irq.h"
#include "trap.h"
#include "x86.h"

#define MASTER 0x20
#define SLAVE  0xA0
#define DATA   1 /* offset of the mask register             */

#define ICW1      0x11 /* start, ICW4 follows                     */
#define ICW4_8086 0x01
#define OCW2_EOI  0x20
#define OCW3_IRR  0x0A
#define OCW3_ISR  0x0B
#define CASCADE   2 /* the slave is on the master's IRQ 2      */

static void init_one(uint16_t pic, uint8_t vector, uint8_t cascade)
{
    port_out8(pic, ICW1);
    port_out8(pic + DATA, vector);
    port_out8(pic + DATA, cascade);
    port_out8(pic + DATA, ICW4_8086);
    port_out8(pic + DATA, 0xFF);
}

void pic_init(void)
{
    init_one(MASTER, VEC_IRQ, 1 << CASCADE);
    init_one(SLAVE, VEC_IRQ + 8, CASCADE);
    pic_unmask(CASCADE);
}

void pic_unmask(uint32_t irq)
{
    uint16_t port = (uint16_t)((irq < 8 ? MASTER : SLAVE) + DATA);

    port_out8(port, port_in8(port) & (uint8_t) ~(1u << (irq & 7)));
}

/* IRQ 7 and 15 also mean "the line dropped before I could say which": then
 * no in-service bit is set, and an EOI would end somebody else's interrupt. */
static bool acknowledge(uint32_t irq)
{
    uint16_t pic = irq < 8 ? MASTER : SLAVE;

    if ((irq & 7) == 7) {
        port_out8(pic, OCW3_ISR);
        if (!(port_in8(pic) & 0x80)) {
            if (irq >= 8)
                port_out8(MASTER, OCW2_EOI);
            return false;
        }
    }
    if (irq >= 8)
        port_out8(SLAVE, OCW2_EOI);
    port_out8(MASTER, OCW2_EOI);
    return true;
}

void pic_interrupt(const struct trap_frame *frame)
{
    uint32_t irq = frame->vector - VEC_IRQ;

    if (acknowledge(irq))
        irq_dispatch(irq, frame_is_user(frame));
}

uint8_t pic_requests(void)
{
    port_out8(MASTER, OCW3_IRR);
    return port_in8(MASTER);
}
