/* SPDX-License-Identifier: MIT */
/* The Linux boot loader: bzImage, by the 32-bit boot protocol (no real-mode
 * code of the kernel is run, so no BIOS is needed).
 *
 * Below 1 MiB: the zero page, the command line. At 1 MiB: the kernel. High:
 * the initial RAM disk.
 */
#include "cpu/addr.h"
#include "vmm/linux_setup.h"
#include "vmm/load_image.h"

enum {
    /* Of the zero page only. */
    EXT_MEM_K = 0x002,
    ORIG_VIDEO_MODE = 0x006,
    ORIG_VIDEO_COLS = 0x007,
    ORIG_VIDEO_LINES = 0x00E,
    ORIG_VIDEO_IS_VGA = 0x00F,
    ORIG_VIDEO_POINTS = 0x010,
    ALT_MEM_K = 0x1E0,
    E820_ENTRIES = 0x1E8,
    E820_TABLE = 0x2D0,
    E820_BYTES = 20,

    XLF_KERNEL_64 = 0x01,

    ZERO_PAGE_AT = 0x10000,
    COMMAND_AT = 0x20000,
    KERNEL_AT = 0x100000,
    CODE_SELECTOR = 0x10, /* __BOOT_CS; __BOOT_DS follows */
};

struct boot {
    struct loading in;
    const uint8_t *setup;
    uint32_t version;
    size_t header_end; /* offset of the setup header's end */
    size_t kernel;     /* offset of the protected-mode part */
    size_t kernel_bytes;
    uint64_t kernel_end; /* guest memory the kernel needs before it has read
                            the memory map */
    uint8_t zero_page[PAGE_BYTES];
};

bool linux_recognized(const struct blob *image)
{
    const uint8_t *bytes = image->data;
    return image->size >= VERSION + 2 &&
           load_get16(bytes + BOOT_FLAG) == 0xAA55 &&
           memcmp(bytes + HEADER_MAGIC, "HdrS", 4) == 0;
}

/* A field of the header; 0 when this image's header has no such field. */
static uint32_t field32(const struct boot *b, size_t offset)
{
    return offset + 4 <= b->header_end ? load_get32(b->setup + offset) : 0;
}

static bool check_header(struct boot *b)
{
    const struct blob *image = &b->in.request->kernel;
    b->version = load_get16(b->setup + VERSION);
    b->header_end = HEADER_MAGIC + b->setup[JUMP_OFFSET];
    if (b->header_end > HEADER_END_MAX)
        b->header_end = HEADER_END_MAX;
    if (b->header_end < HEADER_END_MIN || b->header_end > image->size)
        return load_refuse(&b->in, "the Linux setup header is damaged");
    if (b->version >= 0x020C && (field32(b, XLOADFLAGS) & XLF_KERNEL_64))
        return load_refuse(
            &b->in, "a 64-bit Linux; the machine's processor is a 32-bit "
                    "one");
    size_t sectors =
        b->setup[SETUP_SECTS] ? b->setup[SETUP_SECTS] : SETUP_SECTS_DEFAULT;
    b->kernel = (sectors + 1) * SETUP_SECTOR;
    b->kernel_bytes = (size_t)field32(b, SYSSIZE) * 16;
    if (b->kernel_bytes == 0)
        return load_refuse(&b->in, "the Linux setup header names no kernel");
    /* syssize counts paragraphs: the last one may be incomplete. */
    if (image->size < b->kernel ||
        image->size - b->kernel + 15 < b->kernel_bytes)
        return load_error(b->in.error, image,
                          "the image is cut short: %zu bytes of %zu",
                          image->size, b->kernel + b->kernel_bytes);
    if (b->kernel_bytes > image->size - b->kernel)
        b->kernel_bytes = image->size - b->kernel;
    return true;
}

static bool put_kernel(struct boot *b)
{
    const struct blob *image = &b->in.request->kernel;
    uint64_t end = KERNEL_AT + b->kernel_bytes;
    if (b->version >= 0x020A) {
        uint64_t start = field32(b, PREF_ADDRESS);
        if (start < KERNEL_AT)
            start = KERNEL_AT;
        if (start + field32(b, INIT_SIZE) > end)
            end = start + field32(b, INIT_SIZE);
    }
    b->kernel_end = end;
    if (!load_fits(b->in.memory, KERNEL_AT, end - KERNEL_AT))
        return load_error(b->in.error, image,
                          "this Linux needs %llu MiB of memory to start, the "
                          "guest has %llu (--memory)",
                          (unsigned long long)(end + 0xFFFFF) >> 20,
                          (unsigned long long)b->in.memory->ram_bytes >> 20);
    return load_put(&b->in, KERNEL_AT, b->setup + b->kernel, b->kernel_bytes);
}

/* Several archives make one initial RAM disk, each at a multiple of 4, as the
 * kernel's unpacker wants it. */
bool linux_put_initrd(const struct load_request *q,
                      const struct load_memory *memory, uint64_t bottom,
                      uint64_t top, uint32_t *start, uint32_t *length,
                      char **error)
{
    uint64_t bytes = 0, at;

    *start = *length = 0;
    for (size_t i = 0; i < q->initrd_count; i++)
        bytes = ((bytes + 3) & ~UINT64_C(3)) + q->initrd[i].size;
    if (bytes == 0)
        return true;
    if (top > memory->ram_bytes)
        top = memory->ram_bytes;
    at = top > bytes ? (top - bytes) & ~(uint64_t)PAGE_MASK : 0;
    if (at < bottom)
        return load_error(error, &q->initrd[0],
                          "the initial RAM disk (%llu KiB) does not fit beside "
                          "the kernel in %llu MiB (--memory)",
                          (unsigned long long)(bytes + 1023) >> 10,
                          (unsigned long long)memory->ram_bytes >> 20);
    *start = (uint32_t)at;
    *length = (uint32_t)bytes;
    for (size_t i = 0; i < q->initrd_count; i++) {
        at = (at + 3) & ~UINT64_C(3);
        if (!memory->write(memory->ctx, at, q->initrd[i].data,
                           q->initrd[i].size))
            return load_error(error, &q->initrd[i],
                              "guest memory cannot be written");
        at += q->initrd[i].size;
    }
    return true;
}

static bool put_initrd(struct boot *b)
{
    uint64_t top = (uint64_t)field32(b, INITRD_ADDR_MAX) + 1;
    uint32_t start, bytes;

    if (!linux_put_initrd(b->in.request, b->in.memory, b->kernel_end, top,
                          &start, &bytes, b->in.error))
        return false;
    load_put32(b->zero_page + RAMDISK_IMAGE, start);
    load_put32(b->zero_page + RAMDISK_SIZE, bytes);
    return true;
}

static bool put_command_line(struct boot *b)
{
    const char *words = b->in.request->append ? b->in.request->append : "";
    uint32_t most = b->version >= 0x0206 ? field32(b, CMDLINE_SIZE) : 255;
    if (most == 0)
        most = 255;
    if (most > LOW_EBDA - COMMAND_AT - 1)
        most = LOW_EBDA - COMMAND_AT - 1;
    size_t length = strlen(words);
    if (length > most)
        return load_error(b->in.error, &b->in.request->kernel,
                          "the command line (--append) has %zu bytes, this "
                          "kernel takes %u",
                          length, most);
    load_put32(b->zero_page + CMD_LINE_PTR, COMMAND_AT);
    return load_put(&b->in, COMMAND_AT, words, length + 1);
}

static void fill_zero_page(struct boot *b)
{
    uint8_t *z = b->zero_page;
    struct load_area area[LOAD_AREAS];
    uint64_t above = (b->in.memory->ram_bytes - LOW_END) >> 10;

    memcpy(z + SETUP_SECTS, b->setup + SETUP_SECTS,
           b->header_end - SETUP_SECTS);
    load_put16(z + EXT_MEM_K, above > 0xFFFF ? 0xFFFF : (uint16_t)above);
    load_put32(z + ALT_MEM_K, (uint32_t)above);
    z[ORIG_VIDEO_MODE] = 3;
    z[ORIG_VIDEO_COLS] = 80;
    z[ORIG_VIDEO_LINES] = 25;
    z[ORIG_VIDEO_IS_VGA] = 1;
    z[ORIG_VIDEO_POINTS] = 16;
    load_put16(z + VID_MODE, 0xFFFF); /* as it is: text */
    z[TYPE_OF_LOADER] = LOADER_UNREGISTERED;
    load_put32(z + CODE32_START, KERNEL_AT);

    load_memory_map(b->in.memory, area);
    z[E820_ENTRIES] = LOAD_AREAS;
    for (int i = 0; i < LOAD_AREAS; i++) {
        uint8_t *e = z + E820_TABLE + i * E820_BYTES;
        load_put64(e, area[i].base);
        load_put64(e + 8, area[i].bytes);
        load_put32(e + 16, area[i].type);
    }
}

bool linux_load(const struct load_request *request,
                const struct load_memory *memory, struct load_result *result,
                char **error)
{
    struct boot b = {.in = {request, memory, error},
                     .setup = request->kernel.data};
    if (!check_header(&b) || !put_kernel(&b))
        return false;
    fill_zero_page(&b);
    if (!put_initrd(&b) || !put_command_line(&b) ||
        !load_put(&b.in, ZERO_PAGE_AT, b.zero_page, sizeof b.zero_page))
        return false;
    if (!load_flat_state(memory, CODE_SELECTOR, &result->state))
        return load_refuse(&b.in, "guest memory cannot be written");
    result->state.gpr[GPR_ESI] = ZERO_PAGE_AT;
    result->entry = KERNEL_AT;
    result->range[0] = (struct load_range){KERNEL_AT, KERNEL_AT,
                                           (uint32_t)b.kernel_bytes, true};
    result->range_count = 1;
    return true;
}
