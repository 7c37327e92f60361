/* SPDX-License-Identifier: MIT */
/* The builder of a paravirtual guest: no firmware, no boot loader, no real
 * mode. Segments go where the image says; behind them, page by page, modules
 * and their list, start info, shared info, a page directory, its tables, a
 * stack. The kernel starts with paging on, at ring 1.
 *
 * Reference: traps/pv_abi.h.
 */
#include "traps/pv_abi.h"
#include "vmm/load_image.h"

#include <gelf.h>
#include <stdlib.h>

enum {
    NOTE_LEAST = 2, /* words: the version says how many more there are */
    NOTE_WORDS = 3,
    ROOM_BYTES = 512 << 10, /* mapped behind the last page, at least */
};

struct build {
    struct loading in;
    struct load_result *result;
    uint32_t base; /* linear address of guest-physical 0 */
    uint64_t end;  /* of what is in memory */
};

/* ---- the image -------------------------------------------------------------
 */

/* The note's words in a PT_NOTE segment; false: it is not there. */
static bool find_note(const struct blob *image, uint64_t offset, uint64_t size,
                      uint32_t word[NOTE_WORDS])
{
    const uint8_t *bytes = image->data;
    uint64_t at = offset;

    if (offset > image->size || size > image->size - offset)
        return false;
    while (size >= 12 && at <= offset + size - 12) {
        uint64_t name = load_get32(bytes + at);
        uint64_t desc = load_get32(bytes + at + 4);
        uint32_t type = load_get32(bytes + at + 8);
        uint64_t desc_at = at + 12 + ((name + 3) & ~UINT64_C(3));

        if (desc_at + desc > offset + size)
            return false;
        if (name == sizeof PV_NOTE_OWNER && type == PV_NOTE_TYPE &&
            desc >= NOTE_LEAST * 4 &&
            memcmp(bytes + at + 12, PV_NOTE_OWNER, sizeof PV_NOTE_OWNER) == 0) {
            for (unsigned i = 0; i < NOTE_WORDS; i++)
                word[i] =
                    i * 4 < desc ? load_get32(bytes + desc_at + i * 4) : 0;
            return true;
        }
        at = desc_at + ((desc + 3) & ~UINT64_C(3));
    }
    return false;
}

static Elf *open_elf(const struct blob *image)
{
    Elf *elf;

    if (image->size < SELFMAG || memcmp(image->data, ELFMAG, SELFMAG) != 0)
        return NULL;
    elf_version(EV_CURRENT);
    /* libelf only reads; its interface lacks the const. */
    elf = elf_memory((char *)(uintptr_t)image->data, image->size);
    if (elf && elf_kind(elf) == ELF_K_ELF)
        return elf;
    elf_end(elf);
    return NULL;
}

static bool note_of(const struct blob *image, Elf *elf,
                    uint32_t word[NOTE_WORDS])
{
    size_t count;

    if (elf_getphdrnum(elf, &count) != 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr p;

        if (gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_NOTE &&
            find_note(image, p.p_offset, p.p_filesz, word))
            return true;
    }
    return false;
}

bool pv_recognized(const struct blob *image)
{
    Elf *elf = open_elf(image);
    uint32_t word[NOTE_WORDS];
    bool found = elf && note_of(image, elf, word);

    elf_end(elf);
    return found;
}

static bool place(struct build *b, const GElf_Phdr *p)
{
    const struct blob *image = &b->in.request->kernel;
    struct load_result *r = b->result;

    if (p->p_offset > image->size || p->p_filesz > image->size - p->p_offset)
        return load_refuse(&b->in,
                           "the image is cut short: a segment lies beyond its "
                           "end");
    if (p->p_memsz < p->p_filesz ||
        !load_fits(b->in.memory, p->p_paddr, p->p_memsz))
        return load_refuse(&b->in,
                           "a segment does not fit into the guest's memory "
                           "(--memory)");
    if (r->range_count == LOAD_RANGES)
        return load_refuse(&b->in, "more than 16 loadable segments");
    if (p->p_filesz &&
        !load_put(&b->in, p->p_paddr,
                  (const uint8_t *)image->data + p->p_offset, p->p_filesz))
        return false;
    r->range[r->range_count++] = (struct load_range){
        .linear = (uint32_t)p->p_vaddr,
        .gpa = (uint32_t)p->p_paddr,
        .size = (uint32_t)p->p_filesz,
        .executable = (p->p_flags & PF_X) != 0,
    };
    if (p->p_paddr + p->p_memsz > b->end)
        b->end = p->p_paddr + p->p_memsz;
    return true;
}

static bool place_segments(struct build *b, Elf *elf)
{
    GElf_Ehdr header;
    size_t count;

    if (!gelf_getehdr(elf, &header) || elf_getphdrnum(elf, &count) != 0)
        return load_refuse(&b->in,
                           "a damaged ELF (its headers cannot be read)");
    if (header.e_ident[EI_CLASS] != ELFCLASS32 || header.e_machine != EM_386)
        return load_refuse(&b->in, "not an ELF for a 32-bit x86 processor");
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr p;

        if (!gelf_getphdr(elf, (int)i, &p))
            return load_refuse(&b->in,
                               "a damaged ELF (its program headers cannot be "
                               "read)");
        if (p.p_type == PT_LOAD && p.p_memsz && !place(b, &p))
            return false;
    }
    b->result->entry = (uint32_t)header.e_entry;
    return true;
}

/* ---- what the builder adds
 * ---------------------------------------------------
 */

/* The next free page, cleared by being new. False: the guest is too small. */
static bool take(struct build *b, uint64_t bytes, uint32_t *gpa)
{
    uint64_t at = (b->end + PAGE_MASK) & ~(uint64_t)PAGE_MASK;

    if (at < LOW_END)
        at = LOW_END;
    if (!load_fits(b->in.memory, at, bytes) || at + bytes > PV_HOLE - b->base)
        return load_refuse(&b->in,
                           "kernel and modules do not fit into the guest's "
                           "memory (--memory)");
    *gpa = (uint32_t)at;
    b->end = at + bytes;
    return true;
}

static bool put_modules(struct build *b, struct pv_start *start)
{
    const struct load_request *q = b->in.request;
    struct pv_module list[PV_MODULES_MAX] = {0};
    uint32_t gpa;

    if (q->initrd_count > PV_MODULES_MAX)
        return load_refuse(&b->in, "more than 64 modules (--initrd)");
    for (size_t i = 0; i < q->initrd_count; i++) {
        const struct blob *m = &q->initrd[i];

        if (!take(b, m->size, &gpa) || !load_put(&b->in, gpa, m->data, m->size))
            return false;
        list[i].start = b->base + gpa;
        list[i].bytes = (uint32_t)m->size;
        strncpy(list[i].name, m->name ? m->name : "", sizeof list[i].name - 1);
    }
    start->module_count = (uint32_t)q->initrd_count;
    if (!q->initrd_count)
        return true;
    if (!take(b, sizeof list, &gpa) ||
        !load_put(&b->in, gpa, list, sizeof list))
        return false;
    start->modules = b->base + gpa;
    return true;
}

/* An address as page tables hold it. */
static uint32_t held(const struct build *b, uint32_t gpa)
{
    const struct load_memory *memory = b->in.memory;

    return memory->machine ? (uint32_t)memory->machine(memory->ctx, gpa) : gpa;
}

static uint32_t table_bytes(uint32_t mapped)
{
    return (mapped + LARGE_PAGE_BYTES - 1) / LARGE_PAGE_BYTES * PAGE_BYTES;
}

/* The frame of every page as page tables hold it; and where the VMM has the
 * reverse, if that is not the same. */
static bool put_p2m(struct build *b, struct pv_start *start)
{
    uint32_t pages = start->memory_bytes >> PAGE_SHIFT, gpa;

    if (!take(b, (uint64_t)pages * 4, &gpa))
        return false;
    start->p2m = b->base + gpa;
    start->m2p = b->in.memory->machine ? PV_M2P : 0;
    start->machine_frames =
        (uint32_t)(b->in.memory->machine_bytes >> PAGE_SHIFT);
    for (uint32_t i = 0; i < pages; i++) {
        uint32_t frame = held(b, i << PAGE_SHIFT) >> PAGE_SHIFT;

        if (!load_put(&b->in, gpa + i * 4, &frame, sizeof frame))
            return false;
    }
    return true;
}

/* Where the processor's tables are the guest's it may not write them. */
static bool read_only(const struct build *b, uint32_t gpa,
                      const struct pv_start *start, uint32_t tables,
                      uint32_t mapped)
{
    return b->in.memory->machine &&
           (gpa == start->directory_gpa ||
            (gpa >= tables && gpa < tables + table_bytes(mapped)));
}

static bool put_tables(struct build *b, const struct pv_start *start,
                       uint32_t tables, uint32_t mapped)
{
    for (uint32_t gpa = 0; gpa < mapped; gpa += PAGE_BYTES) {
        uint32_t n = gpa >> LARGE_PAGE_SHIFT, linear = b->base + gpa;
        uint32_t table = tables + n * PAGE_BYTES;
        uint32_t directory = start->directory_gpa;
        uint32_t pde = held(b, table) | PTE_P | PTE_W;
        uint32_t pte = held(b, gpa) | PTE_P;

        if (!read_only(b, gpa, start, tables, mapped))
            pte |= PTE_W;

        if (!load_put(&b->in, directory + (linear >> LARGE_PAGE_SHIFT) * 4,
                      &pde, 4) ||
            !load_put(&b->in, table + (gpa >> PAGE_SHIFT) % 1024 * 4, &pte, 4))
            return false;
    }
    return true;
}

/* Room enough for the tables that map it; the number of bytes. */
static uint32_t mapped_bytes(const struct build *b)
{
    uint64_t want = b->end + 5 * PAGE_BYTES + ROOM_BYTES;

    want += want / 1024 + PAGE_BYTES;
    want = (want + LARGE_PAGE_BYTES - 1) & ~(uint64_t)(LARGE_PAGE_BYTES - 1);
    if (want > b->in.memory->ram_bytes)
        want = b->in.memory->ram_bytes;
    return (uint32_t)want;
}

static bool wall_shared(struct build *b, uint32_t gpa)
{
    struct pv_shared_info shared = {
        .upcall_mask = 1,
        .wall_seconds = 1767225600, /* 2026-01-01, as the RTC */
    };

    memset(shared.port_mask, 0xFF, sizeof shared.port_mask);
    return load_put(&b->in, gpa, &shared, sizeof shared);
}

static bool put_pages(struct build *b, uint32_t *info, uint32_t *stack)
{
    struct pv_start start = {.magic = PV_START_MAGIC, .version = PV_VERSION};
    const char *append = b->in.request->append ? b->in.request->append : "";
    uint32_t tables, mapped;

    if (strlen(append) >= sizeof start.command)
        return load_refuse(
            &b->in, "the command line (--append) is too long: it must fit "
                    "in 1 KiB");
    memcpy(start.command, append, strlen(append));
    start.memory_bytes = (uint32_t)b->in.memory->ram_bytes;
    if (!put_modules(b, &start) || !put_p2m(b, &start))
        return false;
    mapped = mapped_bytes(b);
    if (mapped > PV_HOLE - b->base)
        return load_refuse(&b->in,
                           "its linear address leaves no room for its memory");
    start.mapped_bytes = mapped;
    if (!take(b, PAGE_BYTES, info) ||
        !take(b, PAGE_BYTES, &start.shared_info_gpa) ||
        !take(b, PAGE_BYTES, &start.directory_gpa) ||
        !take(b, table_bytes(mapped), &tables) || !take(b, PAGE_BYTES, stack))
        return false;
    start.first_free_gpa = (uint32_t)b->end;
    b->result->state.cr3 = held(b, start.directory_gpa);
    return put_tables(b, &start, tables, mapped) &&
           wall_shared(b, start.shared_info_gpa) &&
           load_put(&b->in, *info, &start, sizeof start);
}

static struct segment flat(uint16_t selector, unsigned type)
{
    return (struct segment){
        .limit = 0xFFFFFFFFu,
        .selector = selector,
        .attr = (uint16_t)(SEG_G | SEG_D | SEG_P | SEG_S | SEG_ACCESSED |
                           1u << SEG_DPL_SHIFT | type),
    };
}

static void first_state(const struct build *b, uint32_t info, uint32_t stack)
{
    struct cpu_state *s = &b->result->state;
    uint32_t directory = s->cr3;

    *s = (struct cpu_state){
        .eflags = EFL_FIXED,
        .gdtr = {.limit = 0xFFFF},
        .cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG,
        .cr3 = directory,
        .cr4 = CR4_PSE | CR4_OSFXSR,
        .dr = {[6] = 0xFFFF0FF0u, [7] = 0x400u},
        .pat = 0x0007040600070406u,
        .misc_enable = 1,
        .cpl = 1,
    };
    for (int i = 0; i < SEG_COUNT; i++)
        s->seg[i] = flat(PV_SEL_KERNEL_DATA, SEG_WRITABLE);
    s->seg[SEG_CS] = flat(PV_SEL_KERNEL_CODE, SEG_CODE | SEG_READABLE);
    s->gpr[GPR_ESI] = b->base + info;
    s->gpr[GPR_ESP] = b->base + stack + PAGE_BYTES;
}

/* Is it a note that we can serve? Sets base. */
static bool check_note(struct build *b, const uint32_t word[NOTE_WORDS])
{
    if (word[0] != PV_VERSION)
        return load_error(b->in.error, &b->in.request->kernel,
                          "ported to version %u of the paravirtual interface; "
                          "this VMM has version %d",
                          word[0], PV_VERSION);
    if (b->in.memory->machine && !(word[2] & PV_KNOWS_DIRECT))
        return load_refuse(&b->in,
                           "its page tables hold guest-physical addresses: it "
                           "does not run with --mmu direct");
    b->base = word[1];
    if (b->base % LARGE_PAGE_BYTES == 0 && b->base < PV_HOLE)
        return true;
    return load_refuse(&b->in,
                       "its note maps memory at an address that is not a "
                       "multiple of 4 MiB below the VMM's");
}

bool pv_load(const struct load_request *request,
             const struct load_memory *memory, struct load_result *result,
             char **error)
{
    struct build b = {.in = {request, memory, error}, .result = result};
    uint32_t word[NOTE_WORDS], info, stack;
    Elf *elf = open_elf(&request->kernel);
    bool loaded;

    if (!elf || !note_of(&request->kernel, elf, word)) {
        elf_end(elf);
        return load_refuse(&b.in, "a damaged ELF");
    }
    loaded = check_note(&b, word) && place_segments(&b, elf) &&
             put_pages(&b, &info, &stack);
    elf_end(elf);
    if (loaded)
        first_state(&b, info, stack);
    return loaded;
}
