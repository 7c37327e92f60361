/* SPDX-License-Identifier: MIT */
/* ATA disks on real image files. */
#include "tests/io/machine.h"

#include <fcntl.h>

enum {
    DATA = 0x1F0,
    ERROR = 0x1F1,
    COUNT = 0x1F2,
    LOW = 0x1F3,
    MIDDLE = 0x1F4,
    HIGH = 0x1F5,
    DEVICE = 0x1F6,
    STATUS = 0x1F7,
    CONTROL = 0x3F6,
    SECTORS = 2048,
    WORDS = 256,
    ABORT = 0x04,
};

/* A machine with one disk whose sector n starts with n. */
struct fixture {
    struct machine *m;
    char path[32];
    int fd;
};

static struct fixture setup(bool read_only)
{
    struct fixture f = {.path = "/tmp/umbra-ide-XXXXXX"};
    f.fd = mkstemp(f.path);
    cr_assert_geq(f.fd, 0);
    /* Half a sector too much: the size is rounded down. */
    cr_assert_eq(ftruncate(f.fd, SECTORS * 512 + 256), 0);
    for (uint32_t i = 0; i < SECTORS; i++)
        cr_assert_eq(pwrite(f.fd, &i, sizeof i, i * 512), sizeof i);
    const struct pc_disk disk = {f.path, read_only};
    f.m = machine_with(&disk, 1);
    return f;
}

static void teardown(struct fixture *f)
{
    machine_free(f->m);
    close(f->fd);
    unlink(f->path);
}

static unsigned on_disk(struct fixture *f, uint32_t sector)
{
    uint32_t value = 0;
    cr_assert_eq(pread(f->fd, &value, sizeof value, sector * 512),
                 sizeof value);
    return value;
}

/* Wait as a driver does, with time going by. */
static unsigned wait(struct machine *m)
{
    for (unsigned i = 0; i < 1000 && inb(m, CONTROL) & 0x80; i++)
        pass(m, US);
    return inb(m, STATUS);
}

static unsigned command(struct machine *m, unsigned opcode)
{
    outb(m, STATUS, opcode);
    return wait(m);
}

static void address(struct machine *m, unsigned count, uint32_t sector)
{
    outb(m, COUNT, count);
    outb(m, LOW, sector);
    outb(m, MIDDLE, sector >> 8);
    outb(m, HIGH, sector >> 16);
    outb(m, DEVICE, 0xE0 | sector >> 24);
}

static void address48(struct machine *m, unsigned count, uint64_t sector)
{
    outb(m, DEVICE, 0x40);
    outb(m, COUNT, count >> 8);
    outb(m, LOW, (unsigned)(sector >> 24) & 0xFF);
    outb(m, MIDDLE, (unsigned)(sector >> 32) & 0xFF);
    outb(m, HIGH, (unsigned)(sector >> 40) & 0xFF);
    outb(m, COUNT, count & 0xFF);
    outb(m, LOW, (unsigned)sector & 0xFF);
    outb(m, MIDDLE, (unsigned)(sector >> 8) & 0xFF);
    outb(m, HIGH, (unsigned)(sector >> 16) & 0xFF);
}

static void read_words(struct machine *m, uint16_t *words)
{
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = (uint16_t)inw(m, DATA);
}

static void write_sector(struct machine *m, unsigned value)
{
    for (unsigned i = 0; i < WORDS; i++)
        outw(m, DATA, value);
}

static void identify(struct machine *m, uint16_t *words)
{
    outb(m, DEVICE, 0xA0);
    command(m, 0xEC);
    read_words(m, words);
}

Test(ide, identify_counts_the_whole_sectors)
{
    struct fixture f = setup(false);
    uint16_t id[WORDS];
    identify(f.m, id);
    cr_assert_eq(id[60] | (uint32_t)id[61] << 16, SECTORS);
    teardown(&f);
}

Test(ide, identify_promises_48_bit_addresses)
{
    struct fixture f = setup(false);
    uint16_t id[WORDS];
    identify(f.m, id);
    cr_assert((id[83] & 0xC400) == 0x4400 && id[100] == SECTORS);
    teardown(&f);
}

Test(ide, identify_sums_to_zero)
{
    struct fixture f = setup(false);
    uint16_t id[WORDS];
    unsigned sum = 0;
    identify(f.m, id);
    for (unsigned i = 0; i < WORDS; i++)
        sum += (id[i] & 0xFFu) + (id[i] >> 8);
    cr_assert_eq(sum & 0xFF, 0);
    teardown(&f);
}

Test(ide, the_model_has_its_bytes_swapped)
{
    struct fixture f = setup(false);
    uint16_t id[WORDS];
    identify(f.m, id);
    cr_assert_eq(id[27], 'U' << 8 | 'm');
    teardown(&f);
}

Test(ide, a_sector_is_read_by_lba)
{
    struct fixture f = setup(false);
    address(f.m, 1, 1234);
    command(f.m, 0x20);
    cr_assert_eq(inw(f.m, DATA), 1234);
    teardown(&f);
}

Test(ide, a_sector_is_read_by_cylinder_head_sector)
{
    struct fixture f = setup(false);
    outb(f.m, COUNT, 1);
    outb(f.m, LOW, 5);
    outb(f.m, MIDDLE, 1);
    outb(f.m, HIGH, 0);
    outb(f.m, DEVICE, 0xA0 | 2);
    command(f.m, 0x20);
    cr_assert_eq(inw(f.m, DATA), (1 * 16 + 2) * 63 + 4);
    teardown(&f);
}

Test(ide, sector_zero_of_a_track_is_not_found)
{
    struct fixture f = setup(false);
    outb(f.m, LOW, 0);
    outb(f.m, DEVICE, 0xA0);
    command(f.m, 0x20);
    cr_assert_eq(inb(f.m, ERROR), 0x10);
    teardown(&f);
}

Test(ide, a_sector_is_read_by_48_bit_lba)
{
    struct fixture f = setup(false);
    address48(f.m, 1, 2047);
    command(f.m, 0x24);
    cr_assert_eq(inw(f.m, DATA), 2047);
    teardown(&f);
}

Test(ide, the_upper_bytes_of_a_48_bit_address_count)
{
    struct fixture f = setup(false);
    address48(f.m, 1, UINT64_C(1) << 32);
    command(f.m, 0x24);
    cr_assert_eq(inb(f.m, ERROR), 0x10);
    teardown(&f);
}

Test(ide, several_sectors_come_one_block_each)
{
    struct fixture f = setup(false);
    uint16_t words[WORDS];
    address(f.m, 2, 100);
    command(f.m, 0x20);
    read_words(f.m, words);
    wait(f.m);
    cr_assert_eq(inw(f.m, DATA), 101);
    teardown(&f);
}

Test(ide, the_data_port_takes_32_bits)
{
    struct fixture f = setup(false);
    address(f.m, 1, 77);
    command(f.m, 0x20);
    cr_assert_eq(bus_port_read(f.m->bus, DATA, 4), 77);
    teardown(&f);
}

Test(ide, data_request_ends_with_the_last_word)
{
    struct fixture f = setup(false);
    uint16_t words[WORDS];
    address(f.m, 1, 0);
    command(f.m, 0x20);
    read_words(f.m, words);
    cr_assert_eq(inb(f.m, STATUS), 0x50);
    teardown(&f);
}

Test(ide, reading_raises_irq_fourteen)
{
    struct fixture f = setup(false);
    pic_setup(f.m, 0xFB, 0xBF, 0x01);
    address(f.m, 1, 0);
    outb(f.m, STATUS, 0x20);
    pass(f.m, MS);
    cr_assert_eq(pc_intr_ack(f.m->pc), 0x2E);
    teardown(&f);
}

Test(ide, no_interrupt_while_nien_is_set)
{
    struct fixture f = setup(false);
    pic_setup(f.m, 0xFB, 0xBF, 0x01);
    outb(f.m, CONTROL, 0x02);
    address(f.m, 1, 0);
    command(f.m, 0x20);
    cr_assert_not(pc_intr(f.m->pc));
    teardown(&f);
}

Test(ide, a_drive_is_busy_before_it_answers)
{
    struct fixture f = setup(false);
    address(f.m, 1, 0);
    outb(f.m, STATUS, 0x20);
    cr_assert_eq(inb(f.m, CONTROL) & 0x80, 0x80);
    teardown(&f);
}

Test(ide, a_written_sector_is_on_the_disk)
{
    struct fixture f = setup(false);
    address(f.m, 1, 9);
    command(f.m, 0x30);
    write_sector(f.m, 0xBEEF);
    wait(f.m);
    cr_assert_eq(on_disk(&f, 9), 0xBEEFBEEF);
    teardown(&f);
}

Test(ide, data_is_taken_right_behind_the_command)
{
    struct fixture f = setup(false);
    address(f.m, 1, 5);
    outb(f.m, STATUS, 0x30);
    write_sector(f.m, 0xBEEF); /* no time goes by */
    wait(f.m);
    cr_assert_eq(on_disk(&f, 5), 0xBEEFBEEF);
    teardown(&f);
}

Test(ide, a_48_bit_write_reaches_the_disk)
{
    struct fixture f = setup(false);
    address48(f.m, 1, 10);
    command(f.m, 0x34);
    write_sector(f.m, 0xBEEF);
    wait(f.m);
    cr_assert_eq(on_disk(&f, 10), 0xBEEFBEEF);
    teardown(&f);
}

Test(ide, multiple_mode_moves_blocks_of_its_size)
{
    struct fixture f = setup(false);
    uint16_t words[WORDS];
    outb(f.m, COUNT, 4);
    command(f.m, 0xC6);
    address(f.m, 4, 20);
    command(f.m, 0xC4);
    for (unsigned i = 0; i < 3; i++)
        read_words(f.m, words);
    cr_assert_eq(inw(f.m, DATA), 23); /* without waiting in between */
    teardown(&f);
}

Test(ide, a_short_last_block_of_a_multiple_write_is_written)
{
    struct fixture f = setup(false);
    outb(f.m, COUNT, 2);
    command(f.m, 0xC6);
    address(f.m, 3, 30);
    command(f.m, 0xC5);
    write_sector(f.m, 1);
    write_sector(f.m, 2);
    wait(f.m);
    write_sector(f.m, 3);
    wait(f.m);
    cr_assert_eq(on_disk(&f, 32), 0x00030003);
    teardown(&f);
}

Test(ide, multiple_without_its_mode_aborts)
{
    struct fixture f = setup(false);
    address(f.m, 1, 0);
    command(f.m, 0xC4);
    cr_assert_eq(inb(f.m, ERROR), ABORT);
    teardown(&f);
}

Test(ide, a_multiple_of_three_is_refused)
{
    struct fixture f = setup(false);
    outb(f.m, COUNT, 3);
    command(f.m, 0xC6);
    cr_assert_eq(inb(f.m, ERROR), ABORT);
    teardown(&f);
}

Test(ide, beyond_the_end_is_not_found)
{
    struct fixture f = setup(false);
    address(f.m, 2, SECTORS - 1);
    command(f.m, 0x20);
    cr_assert_eq(inb(f.m, ERROR), 0x10);
    teardown(&f);
}

Test(ide, an_unknown_command_aborts)
{
    struct fixture f = setup(false);
    outb(f.m, DEVICE, 0xE0);
    unsigned status = command(f.m, 0xB0);
    cr_assert(status == 0x51 && inb(f.m, ERROR) == ABORT);
    teardown(&f);
}

Test(ide, a_packet_command_aborts)
{
    struct fixture f = setup(false);
    command(f.m, 0xA1);
    cr_assert_eq(inb(f.m, ERROR), ABORT);
    teardown(&f);
}

Test(ide, an_absent_drive_reads_as_zero)
{
    struct fixture f = setup(false);
    outb(f.m, DEVICE, 0xF0);
    cr_assert_eq(inb(f.m, STATUS), 0x00);
    teardown(&f);
}

Test(ide, an_absent_drive_ignores_commands)
{
    struct fixture f = setup(false);
    outb(f.m, DEVICE, 0xB0);
    outb(f.m, STATUS, 0xEC);
    pass(f.m, MS);
    cr_assert_eq(inb(f.m, STATUS), 0x00);
    teardown(&f);
}

Test(ide, an_empty_channel_floats)
{
    struct fixture f = setup(false);
    cr_assert_eq(inb(f.m, 0x177), 0xFF);
    teardown(&f);
}

Test(ide, a_read_only_image_aborts_writes)
{
    struct fixture f = setup(true);
    address(f.m, 1, 9);
    command(f.m, 0x30);
    cr_assert_eq(inb(f.m, ERROR), ABORT);
    teardown(&f);
}

Test(ide, a_host_error_is_an_uncorrectable_sector)
{
    struct fixture f = setup(false);
    cr_assert_eq(ftruncate(f.fd, 512), 0); /* behind the drive's back */
    address(f.m, 1, 1000);
    unsigned status = command(f.m, 0x20);
    cr_assert(status == 0x51 && inb(f.m, ERROR) == 0x40);
    teardown(&f);
}

Test(ide, a_software_reset_leaves_the_signature)
{
    struct fixture f = setup(false);
    outb(f.m, CONTROL, 0x04);
    outb(f.m, CONTROL, 0x00);
    wait(f.m);
    cr_assert(inb(f.m, COUNT) == 1 && inb(f.m, LOW) == 1 &&
              inb(f.m, MIDDLE) == 0 && inb(f.m, HIGH) == 0);
    teardown(&f);
}

Test(ide, a_software_reset_ends_a_transfer)
{
    struct fixture f = setup(false);
    address(f.m, 1, 0);
    command(f.m, 0x20);
    outb(f.m, CONTROL, 0x04);
    outb(f.m, CONTROL, 0x00);
    cr_assert_eq(wait(f.m), 0x50);
    teardown(&f);
}

Test(ide, the_diagnostic_passes)
{
    struct fixture f = setup(false);
    command(f.m, 0x90);
    cr_assert_eq(inb(f.m, ERROR), 0x01);
    teardown(&f);
}

Test(ide, new_parameters_change_the_translation)
{
    struct fixture f = setup(false);
    outb(f.m, COUNT, 10);
    outb(f.m, DEVICE, 0xA0 | 1);
    command(f.m, 0x91); /* 2 heads, 10 sectors */
    outb(f.m, COUNT, 1);
    outb(f.m, LOW, 1);
    outb(f.m, MIDDLE, 3);
    outb(f.m, HIGH, 0);
    outb(f.m, DEVICE, 0xA0);
    command(f.m, 0x20);
    cr_assert_eq(inw(f.m, DATA), 3 * 2 * 10);
    teardown(&f);
}

Test(ide, flush_verify_and_standby_succeed)
{
    struct fixture f = setup(false);
    static const uint8_t opcodes[] = {0xE7, 0xEA, 0x40, 0xE0, 0x10, 0x70};
    unsigned errors = 0;
    address(f.m, 1, 1);
    for (unsigned i = 0; i < sizeof opcodes; i++)
        errors |= command(f.m, opcodes[i]) & 0x01;
    cr_assert_eq(errors, 0);
    teardown(&f);
}

Test(ide, transfer_modes_beyond_pio_are_refused)
{
    struct fixture f = setup(false);
    outb(f.m, ERROR, 0x03);
    outb(f.m, COUNT, 0x45);
    command(f.m, 0xEF);
    cr_assert_eq(inb(f.m, ERROR), ABORT);
    teardown(&f);
}

Test(ide, a_missing_image_is_told_by_name)
{
    const struct bus_owner owner = {.now_ns = machine_now};
    const struct pc_disk disk = {"/nonexistent/disk.img", false};
    const struct pc_config config = {.disks = &disk, .disk_count = 1};
    struct machine m = {.now = 0};
    struct bus_owner with_time = owner;
    with_time.ctx = &m;
    char *error = NULL;
    cr_assert_null(pc_create(&config, &with_time, &error));
    cr_assert_str_eq(error, "/nonexistent/disk.img: No such file or directory");
    free(error);
}
