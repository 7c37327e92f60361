/* SPDX-License-Identifier: MIT */
/* io/pc.h - the PC platform: its devices, wired together.
 *
 * PIC pair, PIT, 16550 UART, RTC/CMOS, i8042, VGA text and CRTC, IDE, local
 * APIC, IO APIC, debug-exit port, power and reset ports, and on request QEMU's
 * pc-testdev and a page walker. The owner (bare machine or VM) sees one
 * interrupt output and one acknowledge, as a CPU does.
 */
#ifndef IO_PC_H
#define IO_PC_H

#include "io/device.h"

enum pc_stop {
    PC_RUNNING,
    PC_DEBUG_EXIT, /* value: the byte written */
    PC_POWER_OFF,
    PC_RESET, /* asked for by the guest: i8042, port 0x92, 0xCF9 */
};

struct pc_disk {
    const char *path;
    bool read_only;
};

/* How a device reads an entry of page tables in the owner's memory, of 4 or 8
 * bytes. False: there is no memory. References to nested tables on the way are
 * added. */
struct pc_memory {
    bool (*read_entry)(void *ctx, uint64_t address, unsigned bytes,
                       uint64_t *entry, unsigned *references);
    void *ctx;
};

/* What the balloon asks of its owner, who has the memory. Frames are numbers
 * (address / 4096); false: refused. */
struct pc_balloon {
    uint32_t (*target)(void *ctx); /* frames that the guest shall give */
    uint32_t (*held)(void *ctx);   /* frames that it has given */
    bool (*give)(void *ctx, uint32_t frame);
    bool (*take)(void *ctx, uint32_t frame);
    void *ctx;
};

struct pc_config {
    uint64_t memory_bytes;       /* for CMOS */
    bool testdev;                /* QEMU's pc-testdev */
    bool walker;                 /* the page walker (walker.c) */
    struct pc_memory memory;     /* for it */
    const struct pc_disk *disks; /* up to 4 on IDE */
    size_t disk_count;
    bool diskette; /* the last is one: the secondary channel's second drive,
                      where the BIOS reads it */
    const struct pc_balloon *balloon;               /* NULL: there is none */
    void (*serial_output)(void *ctx, uint8_t byte); /* COM1 transmits */
    void (*irq_changed)(void *ctx); /* look at pc_intr()/pc_nmi() again */
    void (*stop)(void *ctx, enum pc_stop why, uint32_t value);
    void *ctx;
};

struct pc;

/* Create the platform on a new bus. On failure NULL, with one clear line in
 * *error (a string to free()), e.g. a disk image that cannot be opened. */
struct pc *pc_create(const struct pc_config *config,
                     const struct bus_owner *owner, char **error);
void pc_destroy(struct pc *pc);
struct bus *pc_bus(struct pc *pc);

/* The processor's pins. pc_intr: an interrupt is waiting. pc_intr_ack: the
 * processor takes it and gets the vector; -1 for none (spurious handled
 * inside). pc_nmi_take: an NMI is waiting; the call takes it. */
bool pc_intr(const struct pc *pc);
int pc_intr_ack(struct pc *pc);
bool pc_nmi_take(struct pc *pc);

/* The local APIC's share of the processor: IA32_APICBASE. */
uint64_t pc_apicbase(const struct pc *pc);
/* False: a value the manual refuses (#GP). */
bool pc_set_apicbase(struct pc *pc, uint64_t value);

/* A byte arrives at COM1 (false: the FIFO is full, offer it again later), or
 * at the keyboard as a set-1 scan code. */
bool pc_serial_input(struct pc *pc, uint8_t byte);
bool pc_serial_ready(const struct pc *pc);
bool pc_keyboard_input(struct pc *pc, uint8_t scancode);
/* The guest would take a scan code now. */
bool pc_keyboard_ready(const struct pc *pc);
/* The guest waits for keys, and no driver of its own has spoken on COM1. */
bool pc_keyboard_preferred(const struct pc *pc);

/* What a paravirtual guest asks for without the devices' registers: a byte to
 * the console, the balloon, the end of the run. */
void pc_console_output(struct pc *pc, uint8_t byte);
/* Its balloon; NULL: none. */
const struct pc_balloon *pc_balloon(const struct pc *pc);
void pc_end(struct pc *pc, enum pc_stop why, uint32_t value);

/* VGA text memory (80x25 cells of character, attribute) is plain memory at
 * 0xB8000 owned by the platform's owner. The cursor and the cell that is the
 * screen's upper left corner (guests scroll by moving it) are the CRTC's. */
void pc_vga_cursor(const struct pc *pc, unsigned *row, unsigned *column);
unsigned pc_vga_start(const struct pc *pc);

#endif
