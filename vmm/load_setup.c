/* SPDX-License-Identifier: MIT */
/* The Linux boot loader for what can be entered in real mode only: kernels
 * older than the 32-bit entry, and programs that come as one (iPXE, memdisk).
 * Their setup code runs, and asks the BIOS.
 *
 * At 9000:0000 the boot sector, which is skipped, and the setup; behind its
 * heap and stack the command line. The kernel is at 1 MiB, or at 64 KiB
 * (zImage).
 *
 * Reference: Linux, "The Linux/x86 Boot Protocol".
 */
#include "vmm/linux_setup.h"
#include "vmm/load_image.h"

enum {
    OLD_COMMAND_MAGIC = 0x020, /* before version 2.02 */
    OLD_COMMAND_OFFSET = 0x022,

    LOADED_HIGH = 0x01,
    CAN_USE_HEAP = 0x80,
    COMMAND_MAGIC = 0xA33F,
    SECTS_MOST = 64,

    /* The first version that has a field, or an entry in protected mode. */
    VERSION_COMMAND_POINTER = 0x0202,
    VERSION_INITRD_MAX = 0x0203,
    VERSION_ENTRY_32 = 0x0204,

    SETUP_AT = 0x90000,
    STACK_END = 0xE000, /* in its segment; the command line follows */
    STACK_BYTES = 0x200,
    COMMAND_MOST = 255,
    LOW_KERNEL_AT = 0x10000,
    INITRD_MAX_DEFAULT = 0x37FFFFFF,
};

struct boot {
    struct loading in;
    uint32_t version;
    uint64_t kernel_at;
    size_t setup_bytes;
    uint8_t setup[(SECTS_MOST + 1) * SETUP_SECTOR];
};

bool setup_recognized(const struct blob *image)
{
    const uint8_t *bytes = image->data;

    return linux_recognized(image) && image->size >= HEADER_END_MIN &&
           (load_get16(bytes + VERSION) < VERSION_ENTRY_32 ||
            load_get32(bytes + CODE32_START) == 0);
}

static bool read_setup(struct boot *b)
{
    const struct blob *image = &b->in.request->kernel;
    const uint8_t *bytes = image->data;
    size_t sectors =
        bytes[SETUP_SECTS] ? bytes[SETUP_SECTS] : SETUP_SECTS_DEFAULT;

    b->version = load_get16(bytes + VERSION);
    b->setup_bytes = (sectors + 1) * SETUP_SECTOR;
    if (sectors > SECTS_MOST || b->setup_bytes >= image->size)
        return load_refuse(&b->in, "the Linux setup header is damaged");
    memcpy(b->setup, bytes, b->setup_bytes);
    b->kernel_at = b->setup[LOADFLAGS] & LOADED_HIGH ? LOW_END : LOW_KERNEL_AT;
    return true;
}

static bool put_kernel(struct boot *b, struct load_result *result)
{
    const struct blob *image = &b->in.request->kernel;
    size_t bytes = image->size - b->setup_bytes;

    if (b->kernel_at < SETUP_AT && bytes > SETUP_AT - b->kernel_at)
        return load_refuse(&b->in, "a zImage that is larger than 512 KiB");
    if (!load_fits(b->in.memory, b->kernel_at, bytes))
        return load_error(b->in.error, image,
                          "the kernel does not fit in %llu MiB (--memory)",
                          (unsigned long long)b->in.memory->ram_bytes >> 20);
    result->range[result->range_count++] = (struct load_range){
        (uint32_t)b->kernel_at, (uint32_t)b->kernel_at, (uint32_t)bytes, true};
    return load_put(&b->in, b->kernel_at,
                    (const uint8_t *)image->data + b->setup_bytes, bytes);
}

static bool put_initrd(struct boot *b)
{
    uint32_t start, bytes;
    uint64_t top = INITRD_MAX_DEFAULT;
    uint64_t bottom = LOW_END + b->in.request->kernel.size;

    if (b->version >= VERSION_INITRD_MAX)
        top = load_get32(b->setup + INITRD_ADDR_MAX);
    if (!linux_put_initrd(b->in.request, b->in.memory, bottom, top + 1, &start,
                          &bytes, b->in.error))
        return false;
    load_put32(b->setup + RAMDISK_IMAGE, start);
    load_put32(b->setup + RAMDISK_SIZE, bytes);
    return true;
}

static bool put_command_line(struct boot *b)
{
    const char *words = b->in.request->append ? b->in.request->append : "";
    size_t length = strlen(words);

    if (length > COMMAND_MOST)
        return load_error(b->in.error, &b->in.request->kernel,
                          "the command line (--append) has %zu bytes, this "
                          "kernel takes %d",
                          length, COMMAND_MOST);
    if (b->version >= VERSION_COMMAND_POINTER) {
        load_put32(b->setup + CMD_LINE_PTR, SETUP_AT + STACK_END);
    } else {
        load_put16(b->setup + OLD_COMMAND_MAGIC, COMMAND_MAGIC);
        load_put16(b->setup + OLD_COMMAND_OFFSET, STACK_END);
    }
    return load_put(&b->in, SETUP_AT + STACK_END, words, length + 1);
}

bool setup_load(const struct load_request *request,
                const struct load_memory *memory, struct load_result *result,
                char **error)
{
    struct boot b = {.in = {request, memory, error}};

    if (!read_setup(&b) || !put_kernel(&b, result) || !put_initrd(&b) ||
        !put_command_line(&b))
        return false;
    b.setup[TYPE_OF_LOADER] = LOADER_UNREGISTERED;
    b.setup[LOADFLAGS] |= CAN_USE_HEAP;
    load_put16(b.setup + HEAP_END_PTR, STACK_END - STACK_BYTES);
    if (!load_put(&b.in, SETUP_AT, b.setup, b.setup_bytes))
        return false;
    return load_bios(memory, BIOS_ENTERS_SETUP, result) ||
           load_refuse(&b.in, "guest memory cannot be written");
}
