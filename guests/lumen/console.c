/* SPDX-License-Identifier: MIT */
/* console.c - the first serial port, and the editing of a line.
 *
 * Output waits for the transmitter. Input comes by IRQ 4 into a ring, and is
 * echoed only when a process reads it: so what was typed (or piped in) early
 * appears behind the prompt it answers, and output does not depend on timing.
 *
 * Reference: National Semiconductor PC16550D data sheet.
 */
#include "irq.h"
#include "kernel.h"
#include "proc.h"
#include "x86.h"

#define COM1          0x3F8
#define DATA          (COM1 + 0) /* divisor, low byte, when DLAB is set */
#define INTERRUPTS    (COM1 + 1) /* divisor, high byte, likewise        */
#define LINE_CONTROL  (COM1 + 3)
#define MODEM_CONTROL (COM1 + 4)
#define LINE_STATUS   (COM1 + 5)

#define ON_RECEIVE   0x01
#define DLAB         0x80
#define EIGHT_N_ONE  0x03
#define DTR_RTS_OUT2 0x0B /* OUT2 connects the UART to IRQ 4     */
#define DATA_READY   0x01
#define THR_EMPTY    0x20

#define POLLS      100000u
#define RING_BYTES 256u
#define LINE_BYTES 120u

#define CTRL_D 4
#define CTRL_U 21
#define DELETE 127

static char ring[RING_BYTES];
static volatile uint32_t ring_read, ring_written;

static char line[LINE_BYTES]; /* the line being handed out           */
static uint32_t line_used, line_taken;
static bool has_reader;

/* FIFO control is left alone: turning the FIFO on would drop a character
 * that is already waiting. */
void console_init(void)
{
    port_out8(INTERRUPTS, 0);
    port_out8(LINE_CONTROL, DLAB);
    port_out8(DATA, 1); /* 115,200 bits a second               */
    port_out8(INTERRUPTS, 0);
    port_out8(LINE_CONTROL, EIGHT_N_ONE);
    port_out8(MODEM_CONTROL, DTR_RTS_OUT2);
    port_out8(INTERRUPTS, ON_RECEIVE);
}

void console_put(char c)
{
    uint32_t state = irq_save();

    for (uint32_t i = 0; i < POLLS; i++) {
        if (port_in8(LINE_STATUS) & THR_EMPTY)
            break;
    }
    port_out8(DATA, (uint8_t)c);
    irq_restore(state);
}

/* When the ring is full stop listening: the sender has to wait, not we to
 * lose what it says. */
void console_interrupt(void)
{
    while (port_in8(LINE_STATUS) & DATA_READY) {
        if (ring_written - ring_read == RING_BYTES) {
            port_out8(INTERRUPTS, 0);
            break;
        }
        ring[ring_written++ % RING_BYTES] = (char)port_in8(DATA);
    }
    sched_wake(ring);
}

static char get_char(void)
{
    uint32_t state = irq_save();
    char c;

    while (ring_read == ring_written)
        sched_sleep(ring);
    c = ring[ring_read++ % RING_BYTES];
    if (ring_read == ring_written)
        port_out8(INTERRUPTS, ON_RECEIVE);
    irq_restore(state);
    return c;
}

static void echo(const char *s)
{
    while (*s != '\0')
        console_put(*s++);
}

static void rub_out(void)
{
    line_used--;
    echo("\b \b");
}

/* Read and edit one line. Empty at the end: control-D, end of input. */
static void read_line(void)
{
    line_used = line_taken = 0;
    for (;;) {
        char c = get_char();

        if (c == '\r' || c == '\n') {
            echo("\n");
            line[line_used++] = '\n';
            return;
        }
        if (c == CTRL_D && line_used == 0)
            return;
        if ((c == '\b' || c == DELETE) && line_used > 0)
            rub_out();
        while (c == CTRL_U && line_used > 0)
            rub_out();
        if (c >= ' ' && c < DELETE && line_used < LINE_BYTES - 1) {
            line[line_used++] = c;
            console_put(c);
        }
    }
}

/* One reader at a time: two would tear a line apart. */
int32_t console_read(void *buffer, uint32_t bytes)
{
    char *to = buffer;
    uint32_t done = 0, state = irq_save();

    while (has_reader)
        sched_sleep(&has_reader);
    irq_restore(state);

    if (line_taken == line_used) {
        has_reader = true;
        read_line();
        has_reader = false;
        sched_wake(&has_reader);
    }
    while (done < bytes && line_taken < line_used)
        to[done++] = line[line_taken++];
    return (int32_t)done;
}
