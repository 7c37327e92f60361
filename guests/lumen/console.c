/* SPDX-License-Identifier: MIT */
/* console.c - characters to and from the terminal, and the editing of a line.
 *
 * Input comes by interrupt into a ring, and is echoed only when a process
 * reads it: so what was typed (or piped in) early appears behind the prompt it
 * answers, and output does not depend on timing.
 */
#include "irq.h"
#include "kernel.h"
#include "machine.h"
#include "proc.h"

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

void console_init(void)
{
    terminal_init();
    terminal_listen(true);
}

void console_put(char c)
{
    uint32_t state = irq_save();

    terminal_put(c);
    irq_restore(state);
}

void console_flush(void)
{
    uint32_t state = irq_save();

    terminal_flush();
    irq_restore(state);
}

/* When the ring is full stop listening: the sender has to wait, not we to
 * lose what it says. */
void console_interrupt(void)
{
    int c;

    while (ring_written - ring_read < RING_BYTES && (c = terminal_get()) >= 0)
        ring[ring_written++ % RING_BYTES] = (char)c;
    if (ring_written - ring_read == RING_BYTES)
        terminal_listen(false);
    sched_wake(ring);
}

static char get_char(void)
{
    uint32_t state = irq_save();
    char c;

    terminal_flush();
    while (ring_read == ring_written)
        sched_sleep(ring);
    c = ring[ring_read++ % RING_BYTES];
    if (ring_read == ring_written)
        terminal_listen(true);
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
