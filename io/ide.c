/* SPDX-License-Identifier: MIT */
/* io/ide.c - an ATA channel: its registers, its two drives and the transfer of
 * data by the processor. What the commands do is in ata.c.
 *
 * Modelled: the task file with its 48-bit second half, drive selection, BSY and
 * DRQ, interrupts with nIEN, software reset, 16 and 32-bit data port. Absent: a
 * bus master (no DMA) and packet devices. A drive that is not there reads as
 * zero beside one that is; a channel without any drive floats, all ones.
 *
 * Reference: INCITS T13, "AT Attachment with Packet Interface - 6"
 * (ATA/ATAPI-6).
 */
#include "io/ide.h"

#include <string.h>

enum {
    /* Offsets in the command block. */
    REG_DATA = 0,
    REG_FEATURE = 1, /* error on read */
    REG_COUNT = 2,
    REG_LOW = 3,
    REG_MIDDLE = 4,
    REG_HIGH = 5,
    REG_DEVICE = 6,
    REG_COMMAND = 7, /* status on read */
    COMMAND_PORTS = 8,

    CONTROL_NO_INTERRUPT = 0x02,
    CONTROL_RESET = 0x04,
    CONTROL_BEFORE = 0x80, /* read the registers' earlier values */

    COMMAND_DIAGNOSTIC = 0x90, /* goes to both drives */

    STEP_NS = 5000, /* from a command or a block to the drive's answer */
    FLOATING = 0xFF,
    ABSENT = 0x00,
};

/* ---- Steps ---- */

static void update_irq(struct ide *ide)
{
    const struct ide_state *s = &ide->state;
    irq_set(&ide->irq, s->interrupt && !(s->control & CONTROL_NO_INTERRUPT));
}

static void set_interrupt(struct ide *ide, bool pending)
{
    ide->state.interrupt = pending;
    update_irq(ide);
}

static void schedule(struct ide *ide, enum ide_action action)
{
    ide->state.action = (uint8_t)action;
    device_set_deadline(&ide->dev, action == ACT_NONE
                                       ? DEVICE_NEVER
                                       : bus_now(ide->dev.bus) + STEP_NS);
}

void ide_done(struct ide *ide, uint8_t error)
{
    struct ide_drive *d = ide_selected(ide);
    d->error = error;
    d->status = STATUS_IDLE | (error ? STATUS_ERROR : 0);
    ide->state.transfer = TRANSFER_NONE;
    set_interrupt(ide, true);
}

static void start_block(struct ide *ide, uint32_t bytes)
{
    ide->state.position = 0;
    ide->state.length = bytes;
    ide_selected(ide)->status = STATUS_IDLE | STATUS_DATA;
}

void ide_data_ready(struct ide *ide, uint32_t bytes)
{
    ide->state.transfer = TRANSFER_IN;
    start_block(ide, bytes);
    set_interrupt(ide, true);
}

void ide_data_wanted(struct ide *ide, uint32_t bytes, bool interrupt)
{
    ide->state.transfer = TRANSFER_OUT;
    start_block(ide, bytes);
    if (interrupt)
        set_interrupt(ide, true);
}

/* The processor moved the last byte of a block. */
static void end_of_block(struct ide *ide)
{
    struct ide_state *s = &ide->state;
    struct ide_drive *d = ide_selected(ide);
    uint32_t moved = s->length / SECTOR_BYTES;
    bool last_in = s->transfer == TRANSFER_IN && s->left <= moved;
    if (last_in) { /* nothing more to come, and no interrupt for it */
        s->transfer = TRANSFER_NONE;
        d->status = STATUS_IDLE;
        return;
    }
    d->status = STATUS_IDLE | STATUS_BUSY;
    schedule(ide, ACT_NEXT_BLOCK);
}

/* After a reset every drive shows what it is: these values mean ATA. */
void ide_signature(struct ide *ide)
{
    struct ide_state *s = &ide->state;
    s->selected = 0;
    s->transfer = TRANSFER_NONE;
    for (unsigned i = 0; i < IDE_DRIVES; i++) {
        struct ide_drive *d = &s->drives[i];
        d->feature = d->middle = d->high = (struct ide_register){0, 0};
        d->count = d->low = (struct ide_register){1, 0};
        d->device = 0;
        d->error = DIAGNOSTIC_PASSED;
        d->status = STATUS_IDLE;
    }
}

static void ide_timer(struct device *dev, uint64_t now_ns)
{
    struct ide *ide = (struct ide *)dev;
    enum ide_action action = (enum ide_action)ide->state.action;
    (void)now_ns;
    ide->state.action = ACT_NONE;
    switch (action) {
    case ACT_NONE: break;
    case ACT_EXECUTE: ata_execute(ide); break;
    case ACT_NEXT_BLOCK: ata_next_block(ide); break;
    case ACT_RESET: ide_signature(ide); break;
    }
}

/* ---- The data port ---- */

static uint32_t read_data(struct ide *ide, unsigned size)
{
    struct ide_state *s = &ide->state;
    uint32_t value = 0;
    if (s->transfer != TRANSFER_IN ||
        !(ide_selected(ide)->status & STATUS_DATA))
        return 0;
    for (unsigned i = 0; i < size && s->position < s->length; i++)
        value |= (uint32_t)s->buffer[s->position++] << (8 * i);
    if (s->position == s->length)
        end_of_block(ide);
    return value;
}

static void write_data(struct ide *ide, unsigned size, uint32_t value)
{
    struct ide_state *s = &ide->state;
    if (s->transfer != TRANSFER_OUT ||
        !(ide_selected(ide)->status & STATUS_DATA))
        return;
    for (unsigned i = 0; i < size && s->position < s->length; i++)
        s->buffer[s->position++] = (uint8_t)(value >> (8 * i));
    if (s->position == s->length)
        end_of_block(ide);
}

/* ---- The other registers ---- */

static bool is_present(const struct ide *ide, unsigned drive)
{
    return ide->disks[drive].fd >= 0;
}

static bool is_empty(const struct ide *ide)
{
    return !is_present(ide, 0) && !is_present(ide, 1);
}

static void push(struct ide_register *r, uint8_t value)
{
    r->before = r->now;
    r->now = value;
}

static void write_command(struct ide *ide, uint8_t command)
{
    struct ide_state *s = &ide->state;
    if (command == COMMAND_DIAGNOSTIC)
        s->selected = 0;
    struct ide_drive *d = ide_selected(ide);
    if (!is_present(ide, s->selected) || (d->status & STATUS_BUSY))
        return;
    s->command = command;
    s->transfer = TRANSFER_NONE;
    d->status = STATUS_READY | STATUS_BUSY;
    d->error = 0;
    set_interrupt(ide, false);
    /* The buffer is free: within 400 ns, before the processor can look, the
     * drive asks for data. There are drivers that never wait for it. */
    if (ata_takes_data(command))
        ata_execute(ide);
    else
        schedule(ide, ACT_EXECUTE);
}

/* Both drives listen to every write of the task file. */
static void write_task_file(struct ide *ide, uint32_t reg, uint8_t value)
{
    for (unsigned i = 0; i < IDE_DRIVES; i++) {
        struct ide_drive *d = &ide->state.drives[i];
        switch (reg) {
        case REG_FEATURE: push(&d->feature, value); break;
        case REG_COUNT: push(&d->count, value); break;
        case REG_LOW: push(&d->low, value); break;
        case REG_MIDDLE: push(&d->middle, value); break;
        case REG_HIGH: push(&d->high, value); break;
        case REG_DEVICE: d->device = value; break;
        default: break;
        }
    }
    if (reg == REG_DEVICE)
        ide->state.selected = value & DEVICE_SECOND ? 1 : 0;
}

static void command_write(struct device *dev, uint32_t offset, unsigned size,
                          uint32_t value)
{
    struct ide *ide = (struct ide *)dev;
    if (is_empty(ide))
        return;
    if (offset == REG_DATA) {
        write_data(ide, size, value);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        uint32_t reg = offset + i;
        ide->state.control &= (uint8_t)~CONTROL_BEFORE;
        /* A busy drive owns its task file. */
        if (ide_selected(ide)->status & STATUS_BUSY)
            continue;
        if (reg == REG_COMMAND)
            write_command(ide, byte);
        else
            write_task_file(ide, reg, byte);
    }
}

static uint8_t read_register(struct ide *ide, uint32_t reg)
{
    const struct ide_drive *d = ide_selected(ide);
    const struct ide_register *r = NULL;
    if (is_empty(ide))
        return FLOATING;
    if (!is_present(ide, ide->state.selected))
        return ABSENT;
    switch (reg) {
    case REG_FEATURE: return d->error;
    case REG_COUNT: r = &d->count; break;
    case REG_LOW: r = &d->low; break;
    case REG_MIDDLE: r = &d->middle; break;
    case REG_HIGH: r = &d->high; break;
    case REG_DEVICE: return d->device | DEVICE_ALWAYS;
    case REG_COMMAND: bus_wait(ide->dev.bus, ISA_CYCLE_NS); return d->status;
    default: return FLOATING;
    }
    return ide->state.control & CONTROL_BEFORE ? r->before : r->now;
}

static uint32_t command_read(struct device *dev, uint32_t offset, unsigned size)
{
    struct ide *ide = (struct ide *)dev;
    if (offset == REG_DATA)
        return is_empty(ide) ? UINT32_MAX : read_data(ide, size);
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= (uint32_t)read_register(ide, offset + i) << (8 * i);
        if (offset + i == REG_COMMAND) /* the status: interrupt seen */
            set_interrupt(ide, false);
    }
    return value;
}

/* The alternate status does not acknowledge the interrupt. */
static uint32_t control_read(struct device *dev, uint32_t offset, unsigned size)
{
    (void)offset, (void)size;
    return read_register((struct ide *)dev, REG_COMMAND);
}

static void control_write(struct device *dev, uint32_t offset, unsigned size,
                          uint32_t value)
{
    struct ide *ide = (struct ide *)dev;
    struct ide_state *s = &ide->state;
    bool was_reset = s->control & CONTROL_RESET;
    (void)offset, (void)size;
    if (is_empty(ide))
        return;
    s->control = (uint8_t)value;
    if (value & CONTROL_RESET) {
        schedule(ide, ACT_NONE);
        s->interrupt = false;
        s->transfer = TRANSFER_NONE;
        for (unsigned i = 0; i < IDE_DRIVES; i++)
            s->drives[i].status = STATUS_BUSY;
    } else if (was_reset) {
        schedule(ide, ACT_RESET);
    }
    update_irq(ide);
}

/* ---- Life ---- */

static void ide_reset(struct device *dev)
{
    struct ide *ide = (struct ide *)dev;
    memset(&ide->state, 0, sizeof ide->state);
    for (unsigned i = 0; i < IDE_DRIVES; i++)
        ata_default_geometry(ide, i);
    ide_signature(ide);
    update_irq(ide);
}

static void ide_destroy(struct device *dev)
{
    struct ide *ide = (struct ide *)dev;
    for (unsigned i = 0; i < IDE_DRIVES; i++)
        disk_close(&ide->disks[i]);
}

static const struct {
    struct region_ops command, control;
    struct device_ops device;
    uint16_t command_port, control_port;
} channels[IDE_CHANNELS] = {
#define IDE_DEVICE(the_name)                                                   \
    {                                                                          \
        .name = the_name, .cite = "INCITS T13, ATA/ATAPI-6",                   \
        .reset = ide_reset, .timer = ide_timer, .destroy = ide_destroy,        \
        .state_offset = offsetof(struct ide, state),                           \
        .state_bytes = sizeof(struct ide_state)                                \
    }
    [IDE_PRIMARY] = {.command = {"ide0", 0, command_read, command_write},
                     .control = {"ide0.control", 1, control_read,
                                 control_write},
                     .device = IDE_DEVICE("ide0"),
                     .command_port = 0x1F0,
                     .control_port = 0x3F6},
    [IDE_SECONDARY] = {.command = {"ide1", 0, command_read, command_write},
                       .control = {"ide1.control", 1, control_read,
                                   control_write},
                       .device = IDE_DEVICE("ide1"),
                       .command_port = 0x170,
                       .control_port = 0x376},
#undef IDE_DEVICE
};

struct device *ide_create(struct bus *bus, struct irq_line irq,
                          enum ide_channel channel, struct disk disks[2])
{
    struct ide *ide =
        device_create(bus, sizeof *ide, &channels[channel].device);
    if (!ide) {
        disk_close(&disks[0]);
        disk_close(&disks[1]);
        return NULL;
    }
    ide->irq = irq;
    memcpy(ide->disks, disks, sizeof ide->disks);
    ide_reset(&ide->dev);
    bool placed =
        bus_add_ports(bus, &ide->dev, &channels[channel].command,
                      channels[channel].command_port, COMMAND_PORTS) &&
        bus_add_ports(bus, &ide->dev, &channels[channel].control,
                      channels[channel].control_port, 1);
    return placed ? &ide->dev : NULL;
}
