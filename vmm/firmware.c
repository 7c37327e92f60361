/* SPDX-License-Identifier: MIT */
#include "vmm/firmware.h"

#include "vmm/load_image.h"

enum {
    ROM_SEGMENT = 0xF000,

    /* In the ROM. The IRET and the entry are where PC programs expect them. */
    ROM_MP_POINTER = 0xF1000,
    ROM_MP_TABLE = 0xF1010,
    ROM_MASTER_EOI = 0xFFE00,
    ROM_SLAVE_EOI = 0xFFE10,
    ROM_START = 0xFE05B,
    ROM_DISKETTE = 0xFEFC7,
    ROM_IRET = 0xFFF53,
    ROM_RESET = 0xFFFF0,
    ROM_MODEL = 0xFFFFE,

    /* Interrupt vectors of the two PICs, as a BIOS programs them. */
    PIC_MASTER = 0x08,
    PIC_SLAVE = 0x70,
    DISKETTE_TABLE = 0x1E, /* a vector that points to data */
    VECTORS = 256,

    IO_APIC_ID = 1,
    ISA_IRQS = 16,
};

#define LOCAL_APIC 0xFEE00000u
#define IO_APIC    0xFEC00000u

static bool put(const struct load_memory *m, uint64_t gpa, const void *data,
                size_t bytes)
{
    return m->write(m->ctx, gpa, data, bytes);
}

/* ---- Code in ROM: only for guests that go back to real mode -------------- */

static bool put_rom(const struct load_memory *m)
{
    static const uint8_t iret[] = {0xCF};
    static const uint8_t master[] = {
        0x50,       /* push ax */
        0xB0, 0x20, /* mov al, 20h */
        0xE6, 0x20, /* out 20h, al: end of interrupt */
        0x58,       /* pop ax */
        0xCF,       /* iret */
    };
    static const uint8_t slave[] = {
        0x50, 0xB0, 0x20, 0xE6, 0xA0, /* the same, for the slave first */
        0xE6, 0x20, 0x58, 0xCF,
    };
    /* Whoever jumps to the reset entry asks for a reset, and gets one. */
    static const uint8_t start[] = {
        0xBA, 0xF9, 0x0C, /* mov dx, 0CF9h */
        0xB0, 0x06,       /* mov al, 6 */
        0xEE,             /* out dx, al */
        0xFA,             /* cli */
        0xF4,             /* hlt */
    };
    static const uint8_t reset[] = {
        0xEA, ROM_START & 0xFF, ROM_START >> 8 & 0xFF, 0x00, 0xF0,
    };                                     /* jmp F000:E05B */
    static const uint8_t model[] = {0xFC}; /* PC AT */
    static const uint8_t diskette[] = {
        0xAF, 0x02, 0x25, /* step rate, head load time, motor off time */
        0x02, 0x12,       /* 512 bytes in a sector, 18 in a track */
        0x1B, 0xFF, 0x6C, /* gaps, data length */
        0xF6, 0x0F, 0x08, /* fill byte, settle and start time */
    };

    return put(m, ROM_IRET, iret, sizeof iret) &&
           put(m, ROM_MASTER_EOI, master, sizeof master) &&
           put(m, ROM_SLAVE_EOI, slave, sizeof slave) &&
           put(m, ROM_START, start, sizeof start) &&
           put(m, ROM_RESET, reset, sizeof reset) &&
           put(m, ROM_DISKETTE, diskette, sizeof diskette) &&
           put(m, ROM_MODEL, model, sizeof model);
}

static bool put_vectors(const struct load_memory *m)
{
    uint8_t table[VECTORS * 4];
    for (unsigned v = 0; v < VECTORS; v++) {
        uint32_t stub = ROM_IRET;
        if (v >= PIC_MASTER && v < PIC_MASTER + 8)
            stub = ROM_MASTER_EOI;
        if (v >= PIC_SLAVE && v < PIC_SLAVE + 8)
            stub = ROM_SLAVE_EOI;
        if (v == DISKETTE_TABLE)
            stub = ROM_DISKETTE;
        load_put16(table + 4 * v, (uint16_t)(stub & 0xFFFF));
        load_put16(table + 4 * v + 2, ROM_SEGMENT);
    }
    return put(m, 0, table, sizeof table);
}

/* ---- The BIOS data area -------------------------------------------------- */

static bool put_data_area(const struct load_memory *m, unsigned disks,
                          bool diskette)
{
    static const struct {
        uint16_t address;
        uint8_t size;
        uint16_t value;
    } words[] = {
        {0x400, 2, 0x3F8},          /* COM1 */
        {0x40E, 2, LOW_EBDA >> 4},  /* segment of the extended data */
        {0x410, 2, 0x0226},         /* FPU, mouse, 80x25 color, 1 serial */
        {0x413, 2, LOW_EBDA >> 10}, /* base memory in KiB */
        {0x41A, 2, 0x1E},           /* keyboard buffer: empty */
        {0x41C, 2, 0x1E},
        {0x449, 1, 3},      /* video mode */
        {0x44A, 2, 80},     /* columns */
        {0x44C, 2, 0x1000}, /* bytes of a screen page */
        {0x460, 2, 0x0607}, /* cursor shape */
        {0x463, 2, 0x3D4},  /* CRT controller */
        {0x480, 2, 0x1E},   /* keyboard buffer: bounds */
        {0x482, 2, 0x3E},
        {0x484, 1, 24},   /* rows - 1 */
        {0x485, 2, 16},   /* character height */
        {0x496, 1, 0x10}, /* an enhanced keyboard */
    };
    uint8_t area[0x100] = {0};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        area[words[i].address - 0x400] = (uint8_t)words[i].value;
        if (words[i].size == 2)
            area[words[i].address - 0x400 + 1] = (uint8_t)(words[i].value >> 8);
    }
    area[0x475 - 0x400] = (uint8_t)disks;
    if (diskette)
        area[0x490 - 0x400] = 0x17; /* its drive knows: 1.44 MB */
    uint8_t extended = (LOW_VIDEO - LOW_EBDA) >> 10; /* its size in KiB */
    return put(m, 0x400, area, sizeof area) &&
           put(m, LOW_EBDA, &extended, sizeof extended);
}

/* ---- The multiprocessor tables ------------------------------------------- */

struct mp_table {
    uint8_t bytes[512];
    size_t used;
    unsigned entries;
};

/* The sum of all bytes of a checked structure is 0. */
static void set_checksum(uint8_t *bytes, size_t size, size_t at)
{
    uint8_t sum = 0;
    bytes[at] = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[at] = (uint8_t)-sum;
}

static uint8_t *mp_entry(struct mp_table *t, uint8_t type, size_t size)
{
    uint8_t *e = t->bytes + t->used;
    e[0] = type;
    t->used += size;
    t->entries++;
    return e;
}

/* An interrupt's way to an APIC pin: type 3 to an IO APIC, 4 to a local one.
 * delivery: 0 vectored, 1 NMI, 3 external (8259). */
static void mp_interrupt(struct mp_table *t, uint8_t type, uint8_t delivery,
                         uint8_t irq, uint8_t apic, uint8_t pin)
{
    uint8_t *e = mp_entry(t, type, 8);
    e[1] = delivery;
    e[5] = irq;
    e[6] = apic;
    e[7] = pin;
}

static void mp_fill(struct mp_table *t)
{
    uint8_t *e = mp_entry(t, 0, 20); /* processor 0 */
    e[2] = 0x14;                     /* local APIC version */
    e[3] = 0x03;                     /* enabled, boot processor */
    load_put32(e + 4, 0x663);        /* family 6, model 6, stepping 3 */
    load_put32(e + 8, 0x201);        /* FPU, APIC */

    e = mp_entry(t, 1, 8); /* bus 0 */
    memcpy(e + 2, "ISA   ", 6);

    e = mp_entry(t, 2, 8); /* IO APIC */
    e[1] = IO_APIC_ID;
    e[2] = 0x11;
    e[3] = 0x01; /* usable */
    load_put32(e + 4, IO_APIC);

    /* The timer is on pin 2, where the cascade of the PICs would be. */
    for (uint8_t irq = 0; irq < ISA_IRQS; irq++)
        if (irq != 2)
            mp_interrupt(t, 3, 0, irq, IO_APIC_ID, irq == 0 ? 2 : irq);
    mp_interrupt(t, 4, 3, 0, 0, 0);
    mp_interrupt(t, 4, 1, 0, 0xFF, 1);
}

static bool put_mp_tables(const struct load_memory *m)
{
    struct mp_table t = {.used = 44};
    mp_fill(&t);
    memcpy(t.bytes, "PCMP", 4);
    load_put16(t.bytes + 4, (uint16_t)t.used);
    t.bytes[6] = 4; /* specification 1.4 */
    memcpy(t.bytes + 8, "UMBRA   ", 8);
    memcpy(t.bytes + 16, "TEACHING PC ", 12);
    load_put16(t.bytes + 34, (uint16_t)t.entries);
    load_put32(t.bytes + 36, LOCAL_APIC);
    set_checksum(t.bytes, t.used, 7);

    uint8_t pointer[16] = "_MP_";
    load_put32(pointer + 4, ROM_MP_TABLE);
    pointer[8] = 1; /* length in 16 bytes */
    pointer[9] = 4;
    set_checksum(pointer, sizeof pointer, 10);
    return put(m, ROM_MP_POINTER, pointer, sizeof pointer) &&
           put(m, ROM_MP_TABLE, t.bytes, t.used);
}

bool firmware_install(const struct load_memory *memory, unsigned disks,
                      bool diskette)
{
    return put_vectors(memory) &&
           put_data_area(memory, disks - diskette, diskette) &&
           put_rom(memory) && put_mp_tables(memory);
}
