/* SPDX-License-Identifier: MIT */
/* uart.c - the first serial port. Output waits for the transmitter.
 *
 * Reference: National Semiconductor PC16550D data sheet.
 */
#include "machine.h"
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

#define POLLS 100000u

/* FIFO control is left alone: turning the FIFO on would drop a character
 * that is already waiting. */
void terminal_init(void)
{
    port_out8(INTERRUPTS, 0);
    port_out8(LINE_CONTROL, DLAB);
    port_out8(DATA, 1); /* 115,200 bits a second               */
    port_out8(INTERRUPTS, 0);
    port_out8(LINE_CONTROL, EIGHT_N_ONE);
    port_out8(MODEM_CONTROL, DTR_RTS_OUT2);
}

void terminal_put(char c)
{
    for (uint32_t i = 0; i < POLLS; i++) {
        if (port_in8(LINE_STATUS) & THR_EMPTY)
            break;
    }
    port_out8(DATA, (uint8_t)c);
}

void terminal_flush(void) {}

int terminal_get(void)
{
    return port_in8(LINE_STATUS) & DATA_READY ? port_in8(DATA) : -1;
}

void terminal_listen(bool on)
{
    port_out8(INTERRUPTS, on ? ON_RECEIVE : 0);
}
