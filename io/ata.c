/* SPDX-License-Identifier: MIT */
/* io/ata.c - the commands of an ATA disk.
 *
 * Addresses are CHS, 28 or 48 bits. What the host refuses becomes an ATA
 * error: UNC for a read, a device fault for a write; writing to a read-only
 * image aborts, as on a write-protected drive. Commands that are not in the
 * table abort, which is how drivers learn that a drive lacks them; IDENTIFY
 * promises none of those.
 *
 * Reference: INCITS T13, "AT Attachment with Packet Interface - 6"
 * (ATA/ATAPI-6), Command Descriptions.
 */
#include "io/ide.h"

enum {
    COUNT28_ZERO = 256, /* what a count of 0 means */
    COUNT48_ZERO = 65536,
    POWER_ACTIVE = 0xFF,

    FEATURE_WRITE_CACHE_ON = 0x02,
    FEATURE_TRANSFER_MODE = 0x03,
    FEATURE_LOOK_AHEAD_OFF = 0x55,
    FEATURE_KEEP_SETTINGS = 0x66,
    FEATURE_WRITE_CACHE_OFF = 0x82,
    FEATURE_LOOK_AHEAD_ON = 0xAA,
    FEATURE_DEFAULT_SETTINGS = 0xCC,
    MODE_PIO_DEFAULT = 0x01, /* and 0, with IORDY */
    MODE_PIO_FLOW = 0x08,    /* to 0x0C: modes 0 to 4 */
    MODE_PIO_4 = 0x0C,
};

/* ---- Addresses ---- */

void ata_default_geometry(struct ide *ide, unsigned drive)
{
    ide->state.drives[drive].heads = DEFAULT_HEADS;
    ide->state.drives[drive].sectors = DEFAULT_SECTORS;
    ide->state.drives[drive].write_cache = true;
}

static uint64_t three_bytes(uint8_t high, uint8_t middle, uint8_t low)
{
    return (uint64_t)high << 16 | (uint64_t)middle << 8 | low;
}

/* The address in the task file. False: no sector can have it. */
static bool get_sector(const struct ide *ide, uint64_t *sector)
{
    const struct ide_drive *d = &ide->state.drives[ide->state.selected];
    uint64_t low = three_bytes(d->high.now, d->middle.now, d->low.now);
    unsigned head = d->device & DEVICE_HEAD;
    if (ide->state.wide) {
        uint64_t high =
            three_bytes(d->high.before, d->middle.before, d->low.before);
        *sector = high << 24 | low;
        return d->device & DEVICE_LBA;
    }
    if (d->device & DEVICE_LBA) {
        *sector = (uint64_t)head << 24 | low;
        return true;
    }
    unsigned cylinder = (unsigned)d->high.now << 8 | d->middle.now;
    if (d->low.now == 0 || d->low.now > d->sectors || head >= d->heads)
        return false;
    *sector =
        ((uint64_t)cylinder * d->heads + head) * d->sectors + d->low.now - 1;
    return true;
}

static void put_bytes(struct ide_register *low, struct ide_register *middle,
                      struct ide_register *high, uint64_t value)
{
    low->now = (uint8_t)value;
    middle->now = (uint8_t)(value >> 8);
    high->now = (uint8_t)(value >> 16);
}

static void put_head(struct ide_drive *d, unsigned head)
{
    d->device &= (uint8_t)~DEVICE_HEAD;
    d->device |= (uint8_t)(head & DEVICE_HEAD);
}

/* Leave in the task file which sector a command came to. */
static void put_sector(struct ide *ide, uint64_t sector)
{
    struct ide_drive *d = ide_selected(ide);
    if (ide->state.wide || (d->device & DEVICE_LBA)) {
        put_bytes(&d->low, &d->middle, &d->high, sector);
        d->low.before = (uint8_t)(sector >> 24);
        d->middle.before = (uint8_t)(sector >> 32);
        d->high.before = (uint8_t)(sector >> 40);
        if (!ide->state.wide)
            put_head(d, (unsigned)(sector >> 24));
        return;
    }
    unsigned track = (unsigned)(sector / d->sectors);
    unsigned cylinder = track / d->heads;
    d->low.now = (uint8_t)(sector % d->sectors + 1);
    d->middle.now = (uint8_t)cylinder;
    d->high.now = (uint8_t)(cylinder >> 8);
    put_head(d, track % d->heads);
}

static uint32_t get_count(const struct ide *ide)
{
    const struct ide_drive *d = &ide->state.drives[ide->state.selected];
    if (!ide->state.wide)
        return d->count.now ? d->count.now : COUNT28_ZERO;
    uint32_t count = (uint32_t)d->count.before << 8 | d->count.now;
    return count ? count : COUNT48_ZERO;
}

/* Take address and count from the task file. A transfer that would run past the
 * end is refused as a whole. */
static bool get_extent(struct ide *ide)
{
    struct ide_state *s = &ide->state;
    s->left = get_count(ide);
    if (get_sector(ide, &s->sector) && s->left <= ide_disk(ide)->sectors &&
        s->sector <= ide_disk(ide)->sectors - s->left)
        return true;
    ide_done(ide, ERROR_NOT_FOUND);
    return false;
}

/* ---- Sectors in and out ---- */

static uint32_t block_sectors(const struct ide_state *s)
{
    return s->left < s->block ? s->left : s->block;
}

static void read_block(struct ide *ide)
{
    struct ide_state *s = &ide->state;
    uint32_t count = block_sectors(s);
    put_sector(ide, s->sector);
    if (disk_read(ide_disk(ide), s->sector, s->buffer, count)) {
        put_sector(ide, s->sector + count - 1);
        ide_data_ready(ide, count * SECTOR_BYTES);
    } else {
        ide_done(ide, ERROR_UNCORRECTABLE);
    }
}

/* The processor filled a block. */
static void write_block(struct ide *ide)
{
    struct ide_state *s = &ide->state;
    uint32_t count = s->length / SECTOR_BYTES;
    put_sector(ide, s->sector);
    if (!disk_write(ide_disk(ide), s->sector, s->buffer, count)) {
        ide_done(ide, ERROR_ABORT);
        ide_selected(ide)->status |= STATUS_FAULT;
        return;
    }
    put_sector(ide, s->sector + count - 1);
    s->sector += count;
    s->left -= count;
    if (s->left == 0)
        ide_done(ide, 0);
    else
        ide_data_wanted(ide, block_sectors(s) * SECTOR_BYTES, true);
}

void ata_next_block(struct ide *ide)
{
    struct ide_state *s = &ide->state;
    if (s->transfer == TRANSFER_OUT) {
        write_block(ide);
        return;
    }
    uint32_t moved = s->length / SECTOR_BYTES;
    s->sector += moved;
    s->left -= moved;
    read_block(ide);
}

static void start_read(struct ide *ide, uint32_t block, bool wide)
{
    ide->state.wide = wide;
    ide->state.block = block;
    if (block == 0)
        ide_done(ide, ERROR_ABORT); /* SET MULTIPLE MODE never came */
    else if (get_extent(ide))
        read_block(ide);
}

static void start_write(struct ide *ide, uint32_t block, bool wide)
{
    ide->state.wide = wide;
    ide->state.block = block;
    if (block == 0 || ide_disk(ide)->read_only)
        ide_done(ide, ERROR_ABORT);
    else if (get_extent(ide)) /* the first block comes without interrupt */
        ide_data_wanted(ide, block_sectors(&ide->state) * SECTOR_BYTES, false);
}

static void read_sectors(struct ide *ide)
{
    start_read(ide, 1, false);
}

static void read_sectors_ext(struct ide *ide)
{
    start_read(ide, 1, true);
}

static void read_multiple(struct ide *ide)
{
    start_read(ide, ide_selected(ide)->multiple, false);
}

static void read_multiple_ext(struct ide *ide)
{
    start_read(ide, ide_selected(ide)->multiple, true);
}

static void write_sectors(struct ide *ide)
{
    start_write(ide, 1, false);
}

static void write_sectors_ext(struct ide *ide)
{
    start_write(ide, 1, true);
}

static void write_multiple(struct ide *ide)
{
    start_write(ide, ide_selected(ide)->multiple, false);
}

static void write_multiple_ext(struct ide *ide)
{
    start_write(ide, ide_selected(ide)->multiple, true);
}

/* ---- Commands without sectors ---- */

static void verify(struct ide *ide, bool wide)
{
    ide->state.wide = wide;
    if (!get_extent(ide))
        return;
    put_sector(ide, ide->state.sector + ide->state.left - 1);
    ide_done(ide, 0);
}

static void verify_sectors(struct ide *ide)
{
    verify(ide, false);
}

static void verify_sectors_ext(struct ide *ide)
{
    verify(ide, true);
}

static void seek(struct ide *ide)
{
    uint64_t sector;
    ide->state.wide = false;
    bool there = get_sector(ide, &sector) && sector < ide_disk(ide)->sectors;
    ide_done(ide, there ? 0 : ERROR_NOT_FOUND);
}

static void succeed(struct ide *ide)
{
    ide_done(ide, 0);
}

static void flush(struct ide *ide)
{
    ide_done(ide, disk_flush(ide_disk(ide)) ? 0 : ERROR_ABORT);
}

static void check_power(struct ide *ide)
{
    ide_selected(ide)->count.now = POWER_ACTIVE;
    ide_done(ide, 0);
}

static void diagnostic(struct ide *ide)
{
    ide_signature(ide);
    ide_done(ide, 0);
    ide_selected(ide)->error = DIAGNOSTIC_PASSED;
}

static void set_parameters(struct ide *ide)
{
    struct ide_drive *d = ide_selected(ide);
    if (d->count.now == 0) {
        ide_done(ide, ERROR_ABORT);
        return;
    }
    d->sectors = d->count.now;
    d->heads = (uint8_t)((d->device & DEVICE_HEAD) + 1);
    ide_done(ide, 0);
}

static void set_multiple(struct ide *ide)
{
    struct ide_drive *d = ide_selected(ide);
    uint8_t n = d->count.now;
    bool power_of_two = (n & (n - 1)) == 0;
    if (n > MULTIPLE_MAX || !power_of_two) {
        ide_done(ide, ERROR_ABORT);
        return;
    }
    d->multiple = n;
    ide_done(ide, 0);
}

static void set_features(struct ide *ide)
{
    struct ide_drive *d = ide_selected(ide);
    uint8_t mode = d->count.now;
    bool known = true;
    switch (d->feature.now) {
    case FEATURE_WRITE_CACHE_ON: d->write_cache = true; break;
    case FEATURE_WRITE_CACHE_OFF: d->write_cache = false; break;
    case FEATURE_TRANSFER_MODE:
        known = mode <= MODE_PIO_DEFAULT ||
                (mode >= MODE_PIO_FLOW && mode <= MODE_PIO_4);
        break;
    case FEATURE_LOOK_AHEAD_OFF:
    case FEATURE_LOOK_AHEAD_ON:
    case FEATURE_KEEP_SETTINGS:
    case FEATURE_DEFAULT_SETTINGS: break;
    default: known = false; break;
    }
    ide_done(ide, known ? 0 : ERROR_ABORT);
}

/* ---- The table ---- */

static const struct command {
    uint8_t first, last; /* opcodes; some have a range */
    const char *name;
    void (*run)(struct ide *ide);
} commands[] = {
    {0x10, 0x1F, "RECALIBRATE", succeed},
    {0x20, 0x21, "READ SECTORS", read_sectors},
    {0x24, 0x24, "READ SECTORS EXT", read_sectors_ext},
    {0x29, 0x29, "READ MULTIPLE EXT", read_multiple_ext},
    {0x30, 0x31, "WRITE SECTORS", write_sectors},
    {0x34, 0x34, "WRITE SECTORS EXT", write_sectors_ext},
    {0x39, 0x39, "WRITE MULTIPLE EXT", write_multiple_ext},
    {0x40, 0x41, "READ VERIFY SECTORS", verify_sectors},
    {0x42, 0x42, "READ VERIFY SECTORS EXT", verify_sectors_ext},
    {0x70, 0x7F, "SEEK", seek},
    {0x90, 0x90, "EXECUTE DEVICE DIAGNOSTIC", diagnostic},
    {0x91, 0x91, "INITIALIZE DEVICE PARAMETERS", set_parameters},
    {0x94, 0x97, "STANDBY and IDLE (old codes)", succeed},
    {0x98, 0x98, "CHECK POWER MODE (old code)", check_power},
    {0x99, 0x99, "SLEEP (old code)", succeed},
    {0xC4, 0xC4, "READ MULTIPLE", read_multiple},
    {0xC5, 0xC5, "WRITE MULTIPLE", write_multiple},
    {0xC6, 0xC6, "SET MULTIPLE MODE", set_multiple},
    {0xE0, 0xE3, "STANDBY and IDLE", succeed},
    {0xE5, 0xE5, "CHECK POWER MODE", check_power},
    {0xE6, 0xE6, "SLEEP", succeed},
    {0xE7, 0xE7, "FLUSH CACHE", flush},
    {0xEA, 0xEA, "FLUSH CACHE EXT", flush},
    {0xEC, 0xEC, "IDENTIFY DEVICE", ata_identify},
    {0xEF, 0xEF, "SET FEATURES", set_features},
};

static const struct command *find_command(uint8_t opcode)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (opcode >= commands[i].first && opcode <= commands[i].last)
            return &commands[i];
    return NULL;
}

bool ata_takes_data(uint8_t opcode)
{
    const struct command *c = find_command(opcode);

    return c && (c->run == write_sectors || c->run == write_sectors_ext ||
                 c->run == write_multiple || c->run == write_multiple_ext);
}

/* DEVICE RESET, PACKET and IDENTIFY PACKET DEVICE are for packet devices: a
 * disk aborts them like any command it does not have. */
void ata_execute(struct ide *ide)
{
    const struct command *c = find_command(ide->state.command);

    if (c)
        c->run(ide);
    else
        ide_done(ide, ERROR_ABORT);
}
