/* SPDX-License-Identifier: MIT */
/* pv/events.c - in place of the interrupt controller, the timer and the serial
 * port: event ports, a one-shot timer, a console by hypercall.
 */
#include "irq.h"
#include "kernel.h"
#include "machine.h"
#include "trap.h"

#define TICK_NS   (1000000000u / TICK_HZ)
#define OUT_BYTES 128u

static uint32_t timer_port, console_port;
static uint64_t next_tick;

extern const char upcall_stub[];

/* ---- events ---- */

void pic_init(void)
{
    hypercall2(PV_SET_CALLBACKS, SEL_KERNEL_CODE, (uint32_t)upcall_stub);
}

static uint32_t bind(uint32_t virq)
{
    int32_t port = hypercall2(PV_EVENT_OP, PV_EVENT_BIND_VIRQ, virq);

    if (port < 0)
        panic(NULL, "no port for event %u", virq);
    hypercall2(PV_EVENT_OP, PV_EVENT_UNMASK, (uint32_t)port);
    return (uint32_t)port;
}

void pic_unmask(uint32_t irq)
{
    if (irq == IRQ_TIMER)
        timer_port = bind(PV_VIRQ_TIMER);
    if (irq == IRQ_SERIAL)
        console_port = bind(PV_VIRQ_CONSOLE);
}

static bool waits(uint32_t port)
{
    return shared->port_pending[port / 32] >> port % 32 & 1;
}

/* The bit goes first: what comes later will be another upcall. */
static bool take(uint32_t port)
{
    bool was = waits(port);

    __asm__ volatile("btrl %1, %0"
                     : "+m"(shared->port_pending[port / 32])
                     : "r"(port % 32)
                     : "cc");
    return was;
}

static void set_timer(void)
{
    hypercall2(PV_SET_TIMER, (uint32_t)next_tick, (uint32_t)(next_tick >> 32));
}

void pic_interrupt(const struct trap_frame *frame)
{
    shared->upcall_pending = 0;
    shared->ports_waiting = 0;
    if (take(timer_port)) {
        next_tick += TICK_NS;
        set_timer();
        irq_dispatch(IRQ_TIMER, frame_is_user(frame));
    }
    if (take(console_port))
        irq_dispatch(IRQ_SERIAL, frame_is_user(frame));
}

uint8_t pic_requests(void)
{
    return waits(timer_port);
}

void timer_init(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    next_tick = shared->time + ((uint64_t)high << 32 | low) - shared->tsc;
    next_tick += TICK_NS;
    set_timer();
}

/* ---- the terminal ---- */

static char out[OUT_BYTES];
static uint32_t out_used;

void terminal_init(void) {}

void terminal_put(char c)
{
    out[out_used++] = c;
    if (c == '\n' || out_used == OUT_BYTES)
        terminal_flush();
}

void terminal_flush(void)
{
    if (out_used)
        hypercall3(PV_CONSOLE_IO, PV_CONSOLE_WRITE, (uint32_t)out, out_used);
    out_used = 0;
}

int terminal_get(void)
{
    uint8_t byte;

    return hypercall3(PV_CONSOLE_IO, PV_CONSOLE_READ, (uint32_t)&byte, 1) == 1
               ? byte
               : -1;
}

/* What does not fit here stays with the VMM; a reader that has made room asks
 * for it. */
void terminal_listen(bool on)
{
    if (on && console_port)
        console_interrupt();
}
