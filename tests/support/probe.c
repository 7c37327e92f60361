/* SPDX-License-Identifier: MIT */
#include "tests/support/probe.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/x86.h"
#include "traps/pv_abi.h"

enum {
    TEXT_MAX = 0x4000,
    DATA_AT = PROBE_CONTROL, /* control page to page tables: one segment */
    DATA_BYTES = 0x20000,
    STEP = 1 << PROBE_SHIFT,
    GATE_INT = 0x8E00,
    GATE_TASK = 0x8500,
    GATE_DPL3 = 0x6000,
    GATE_CALL = 0xEC00, /* 32 bits, DPL 3 */
};

/* Virtual time in which at least one more case must have ended. */
#define CYCLES_SLICE UINT64_C(3000000)

/* The image: an ELF with three or four segments, and a symbol for each
 * sequence, so that a static translation knows them as code. */
struct image {
    uint8_t *bytes;
    size_t size;
    uint8_t data[DATA_BYTES];
};

static void put32(uint8_t *p, uint32_t value)
{
    memcpy(p, &value, sizeof value);
}

static uint8_t *at(struct image *im, uint32_t address)
{
    return im->data + (address - DATA_AT);
}

/* ---- descriptor tables ------------------------------------------------------
 */

static void descriptor(struct image *im, unsigned selector, uint32_t base,
                       uint32_t limit, uint32_t attr)
{
    uint8_t *p = at(im, PROBE_GDT + (selector & ~7u));

    put32(p, (limit & 0xFFFF) | base << 16);
    put32(p + 4, (base >> 16 & 0xFF) | (base & 0xFF000000) | (limit & 0xF0000) |
                     (attr & 0xF0FF) << 8);
}

/* For the cases: read-only, not accessed, not present, conforming... */
static void put_gdt_cases(struct image *im)
{
    descriptor(im, 0x38, 0, 0xFFFFF, 0xC0F0);
    descriptor(im, 0x40, 0, 0xFFFFF, 0xC09E);
    descriptor(im, 0x48, 0, 0xFFFFF, 0xC073);
    descriptor(im, 0x50, 0, 0xFFFFF, 0xC092);
    descriptor(im, 0x58, 0, 0xFFFFF, 0xC0FB);
    descriptor(im, 0x60, 0, 0xFFFF, 0x00F2);
    descriptor(im, PROBE_LDT_SELECTOR, PROBE_LDT, PROBE_LDT_BYTES - 1, 0x0082);
    descriptor(im, PROBE_SPARE_TSS, PROBE_TSS, 103, 0x0089);
    descriptor(im, PROBE_BASED, 0x40, 0xFFFFF, 0xC0F3);
}

/* In the LDT: data and code of DPL 3, data of DPL 0, what is not present. */
static void put_ldt(struct image *im)
{
    const uint32_t ldt = PROBE_LDT - PROBE_GDT;

    descriptor(im, ldt + 0x08, 0, 0xFFFFF, 0xC0F2);
    descriptor(im, ldt + 0x10, 0, 0xFFFFF, 0xC0FA);
    descriptor(im, ldt + 0x18, 0, 0xFFFFF, 0xC092);
    descriptor(im, ldt + 0x20, 0, 0xFFFFF, 0xC072);
}

static void call_gate(struct image *im, unsigned selector, uint32_t entry,
                      unsigned parameters, uint32_t attr)
{
    uint8_t *p = at(im, PROBE_GDT + selector);

    put32(p, (entry & 0xFFFF) | PROBE_CS << 16);
    put32(p + 4, (entry & 0xFFFF0000) | attr | parameters);
}

static void put_gdt(struct image *im, uint32_t landing)
{
    descriptor(im, PROBE_CS, 0, 0xFFFFF, 0xC09B);
    descriptor(im, PROBE_SS, 0, 0xFFFFF, 0xC093);
    descriptor(im, PROBE_USER_CS, 0, 0xFFFFF, 0xC0FB);
    descriptor(im, PROBE_DS, 0, 0xFFFFF, 0xC0F3);
    descriptor(im, PROBE_TSS_SELECTOR, PROBE_TSS, 103, 0x0089);
    descriptor(im, PROBE_DF_TSS_SELECTOR, PROBE_DF_TSS, 103, 0x0089);
    put_gdt_cases(im);
    put_ldt(im);
    call_gate(im, PROBE_GATE, landing, 2, GATE_CALL);
    call_gate(im, PROBE_GATE_ABSENT, landing, 0, GATE_CALL & ~0x8000u);
    memcpy(at(im, PROBE_GDT_COPY), at(im, PROBE_GDT_CASES),
           PROBE_GDT_CASES_BYTES);
}

/* Ported: the kernel is at ring 1, and of the others there are those of ring
 * 3. */
static void put_pv_gdt(struct image *im)
{
    descriptor(im, PROBE_CS, 0, 0xFFFFF, 0xC0BB);
    descriptor(im, PROBE_SS, 0, 0xFFFFF, 0xC0B3);
    descriptor(im, PROBE_USER_CS, 0, 0xFFFFF, 0xC0FB);
    descriptor(im, PROBE_DS, 0, 0xFFFFF, 0xC0F3);
    descriptor(im, PROBE_BASED, 0x40, 0xFFFFF, 0xC0F3);
    memcpy(at(im, PROBE_GDT_COPY), at(im, PROBE_GDT_CASES),
           PROBE_GDT_CASES_BYTES);
}

static bool for_programs(unsigned vector)
{
    return vector == VEC_BP || vector == VEC_OF || vector >= PROBE_DONE;
}

/* In the place of the interrupt table: a handler for all but the hypercall. */
static void put_pv_traps(struct image *im)
{
    uint8_t *to = at(im, PROBE_IDT);

    _Static_assert(offsetof(struct pv_start, shared_info_gpa) ==
                           PROBE_START_SHARED &&
                       offsetof(struct pv_shared_info, cr2) == PROBE_SHARED_CR2,
                   "probe.h must tell where they are");
    for (unsigned v = 0; v < 256; v++) {
        struct pv_trap trap = {
            .vector = (uint8_t)v,
            .flags = PV_TRAP_MASK | (for_programs(v) ? PV_TRAP_DPL : 0),
            .cs = PROBE_CS | 1,
            .eip = PROBE_STUBS + v * PROBE_STUB,
        };

        if (v == PV_VECTOR)
            continue;
        memcpy(to, &trap, sizeof trap);
        to += sizeof trap;
    }
}

static void gate(struct image *im, unsigned vector, uint32_t entry,
                 uint32_t selector, uint32_t attr)
{
    uint8_t *p = at(im, PROBE_IDT + 8 * vector);

    put32(p, (entry & 0xFFFF) | selector << 16);
    put32(p + 4, (entry & 0xFFFF0000) | attr);
}

static void put_idt(struct image *im, uint32_t double_fault, uint32_t cr3)
{
    uint8_t *tss = at(im, PROBE_DF_TSS);

    for (unsigned v = 0; v < 256; v++)
        gate(im, v, PROBE_STUBS + v * PROBE_STUB, PROBE_CS,
             for_programs(v) ? GATE_INT | GATE_DPL3 : GATE_INT);
    gate(im, VEC_DF, 0, PROBE_DF_TSS_SELECTOR, GATE_TASK);
    put32(at(im, PROBE_TSS + 4), PROBE_STACK);
    put32(at(im, PROBE_TSS + 8), PROBE_SS);
    put32(at(im, PROBE_TSS + 0x64), 104u << 16);
    put32(tss + 0x1C, cr3);
    put32(tss + 0x20, double_fault);
    put32(tss + 0x24, EFL_FIXED);
    put32(tss + 0x38, PROBE_DF_STACK);
    for (unsigned s = 0x48; s <= 0x5C; s += 4)
        put32(tss + s, s == 0x4C ? PROBE_CS : PROBE_SS);
    put32(tss + 0x64, 104u << 16);
}

/* ---- page tables
 * -------------------------------------------------------------- */

static void map(struct image *im, uint32_t linear, uint32_t gpa, uint32_t bytes,
                uint32_t rights)
{
    for (uint32_t o = 0; o < bytes; o += 4096)
        put32(at(im, PROBE_TABLES + (linear + o) / 4096 * 4),
              (gpa + o) | rights);
}

/* Tables that the cases have no business with are read-only for them: what a
 * processor does with a changed entry that it still remembers is open. */
static void put_tables(struct image *im, bool guarded)
{
    for (uint32_t i = 0; i < 6; i++)
        put32(at(im, PROBE_DIRECTORY + 4 * i),
              (PROBE_TABLES + i * 4096) | PTE_P | PTE_W | PTE_U);
    put32(at(im, PROBE_DIRECTORY + 4 * PROBE_WINDOW_PDE),
          PROBE_WINDOW_TABLE | PTE_P | PTE_W | PTE_U);
    map(im, PROBE_TEXT, PROBE_TEXT, TEXT_MAX, PTE_P);
    map(im, PROBE_CONTROL, PROBE_CONTROL, 0x4000, PTE_P | PTE_W);
    map(im, PROBE_STACK - 4096, PROBE_STACK - 4096, 4096, PTE_P | PTE_W);
    map(im, PROBE_DF_STACK - 4096, PROBE_DF_STACK - 4096, 4096, PTE_P | PTE_W);
    map(im, PROBE_TEMPLATE, PROBE_TEMPLATE, 8192, PTE_P);
    map(im, PROBE_DIRECTORY, PROBE_DIRECTORY, 0xE000,
        guarded ? PTE_P : PTE_P | PTE_W);
    map(im, PROBE_WINDOW_TABLE, PROBE_WINDOW_TABLE, 4096, PTE_P | PTE_W);
    map(im, PROBE_CASES, PROBE_CASES, 4 << 20, PTE_P | PTE_W);
    map(im, PROBE_RESULTS, PROBE_RESULTS, 4 << 20, PTE_P | PTE_W);
    map(im, PROBE_CODE, PROBE_CODE, 4 << 20, PTE_P | PTE_U);
    map(im, PROBE_SANDBOX, PROBE_SANDBOX_GPA, 4096, PTE_P | PTE_W | PTE_U);
    for (uint32_t i = 0; i < 1024; i++)
        put32(at(im, PROBE_TEMPLATE + 4 * i), i * 2654435761u);
}

/* The same in pages of 2 MiB, which say nothing of what is read-only. */
static void put_pae_tables(struct image *im)
{
    const uint32_t all = PTE_P | PTE_W | PTE_U;
    uint32_t sandbox = PROBE_SANDBOX >> 21;

    put32(at(im, PROBE_PAE_PDPT), PROBE_PAE_DIRECTORY | PTE_P);
    for (uint32_t i = 0; i < PROBE_SANDBOX >> 21; i++)
        put32(at(im, PROBE_PAE_DIRECTORY + 8 * i),
              i << 21 | PTE_PS | PTE_P |
                  (i < PROBE_CODE >> 21 ? PTE_W : PTE_U));
    put32(at(im, PROBE_PAE_DIRECTORY + 8 * sandbox), PROBE_PAE_SANDBOX | all);
    put32(at(im, PROBE_PAE_SANDBOX), PROBE_SANDBOX_GPA | all);
    put32(at(im, PROBE_PAE_DIRECTORY + 8 * PROBE_PAE_WINDOW_PDE),
          PROBE_PAE_WINDOW_TABLE | all);
}

/* What WRMSR of a case may have changed. */
static void put_msrs(uint8_t *ctl, uint32_t landing)
{
    const uint32_t msrs[][3] = {
        {0x174, PROBE_CS, 0},            /* IA32_SYSENTER_CS */
        {0x175, PROBE_STACK, 0},         /* _ESP */
        {0x176, landing, 0},             /* _EIP */
        {0x277, 0x00070406, 0x00070406}, /* IA32_PAT */
        {0xC0000080, 0, 0},              /* IA32_EFER */
    };

    memcpy(ctl + CTL_MSRS, msrs, sizeof msrs);
}

static void put_control(struct image *im, const struct probe_table *t)
{
    uint8_t *ctl = at(im, PROBE_CONTROL);
    uint32_t pde = t->pae ? PROBE_PAE_DIRECTORY + 8 * PROBE_PAE_WINDOW_PDE
                          : PROBE_DIRECTORY + 4 * PROBE_WINDOW_PDE;
    uint32_t pte = t->pae ? PROBE_PAE_WINDOW_TABLE + 8 * PROBE_WINDOW_PTE
                          : PROBE_WINDOW_TABLE + 4 * PROBE_WINDOW_PTE;

    put32(ctl + CTL_INDEX, t->first);
    put32(ctl + CTL_COUNT, t->case_count);
    put32(ctl + CTL_CR0, PROBE_CR0);
    put32(ctl + CTL_CR4, t->pae ? CR4_PAE : 0);
    put32(ctl + CTL_CR3, t->pae ? PROBE_PAE_PDPT : PROBE_DIRECTORY);
    put32(ctl + CTL_PDE, pde);
    put32(ctl + CTL_PTE, pte);
    put32(at(im, PROBE_FPU), 0x037F);
    put32(at(im, PROBE_FPU + 24), 0x1F80);
    for (unsigned i = 32; i < 288; i++) /* ST0-7, XMM0-7 */
        *at(im, PROBE_FPU + i) = (uint8_t)(i % 16 < 10 || i >= 160 ? i : 0);
    put32(ctl + CTL_GDTR, (PROBE_GDT_BYTES - 1) | (uint32_t)PROBE_GDT << 16);
    put32(ctl + CTL_GDTR + 4, PROBE_GDT >> 16);
    put32(ctl + CTL_IDTR, (256 * 8 - 1) | (uint32_t)PROBE_IDT << 16);
    put32(ctl + CTL_IDTR + 4, PROBE_IDT >> 16);
}

/* ---- the image
 * ------------------------------------------------------------------ */

static size_t append(struct image *im, const void *data, size_t bytes)
{
    size_t where = (im->size + 15) & ~(size_t)15;

    im->bytes = realloc(im->bytes, where + bytes);
    cr_assert_not_null(im->bytes);
    memset(im->bytes + im->size, 0, where - im->size);
    memcpy(im->bytes + where, data, bytes);
    im->size = where + bytes;
    return where;
}

static void segment(struct image *im, unsigned i, uint32_t address,
                    const void *data, size_t bytes, uint32_t flags)
{
    Elf32_Phdr p = {.p_type = PT_LOAD,
                    .p_offset = (Elf32_Off)append(im, data, bytes),
                    .p_vaddr = address,
                    .p_paddr = address,
                    .p_filesz = (Elf32_Word)bytes,
                    .p_memsz = (Elf32_Word)bytes,
                    .p_flags = flags};

    memcpy(im->bytes + sizeof(Elf32_Ehdr) + i * sizeof p, &p, sizeof p);
}

static void put_symbols(struct image *im, const struct probe_table *t,
                        Elf32_Ehdr *header)
{
    static const char names[] = "\0sequence\0.text\0.symtab\0.strtab";
    Elf32_Sym *sym = calloc(t->code_count + 1, sizeof *sym);
    Elf32_Shdr s[4] = {
        {0},
        {.sh_name = 10,
         .sh_type = SHT_PROGBITS,
         .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
         .sh_addr = PROBE_CODE,
         .sh_size = t->code_count * PROBE_ENTRY_BYTES},
        {.sh_name = 16,
         .sh_type = SHT_SYMTAB,
         .sh_link = 3,
         .sh_info = 1,
         .sh_size = (Elf32_Word)((t->code_count + 1) * sizeof *sym),
         .sh_entsize = sizeof *sym},
        {.sh_name = 24, .sh_type = SHT_STRTAB, .sh_size = sizeof names},
    };

    cr_assert_not_null(sym);
    for (uint32_t i = 0; i < t->code_count; i++)
        sym[i + 1] = (Elf32_Sym){.st_name = 1,
                                 .st_value = probe_entry(i),
                                 .st_size = PROBE_ENTRY_BYTES,
                                 .st_info = ELF32_ST_INFO(STB_GLOBAL, STT_FUNC),
                                 .st_shndx = 1};
    s[2].sh_offset = (Elf32_Off)append(im, sym, s[2].sh_size);
    s[3].sh_offset = (Elf32_Off)append(im, names, sizeof names);
    header->e_shoff = (Elf32_Off)append(im, s, sizeof s);
    header->e_shnum = 4;
    header->e_shentsize = sizeof *s;
    header->e_shstrndx = 3;
    free(sym);
}

/* The probe's own text from the build tree. */
static void load_text(const char *probe, uint8_t text[TEXT_MAX],
                      Elf32_Ehdr *header)
{
    const char *build = getenv("UMBRA_BUILD");
    char name[512];
    Elf32_Phdr p;
    FILE *f;

    snprintf(name, sizeof name, "%s/guests/%s", build ? build : "build", probe);
    f = fopen(name, "rb");
    cr_assert_not_null(f, "%s", name);
    cr_assert_eq(fread(header, sizeof *header, 1, f), 1);
    cr_assert_eq(fseek(f, (long)header->e_phoff, SEEK_SET), 0);
    cr_assert_eq(fread(&p, sizeof p, 1, f), 1);
    cr_assert(p.p_paddr == PROBE_TEXT && p.p_filesz <= TEXT_MAX);
    cr_assert_eq(fseek(f, (long)p.p_offset, SEEK_SET), 0);
    cr_assert_eq(fread(text, 1, p.p_filesz, f), p.p_filesz);
    fclose(f);
}

static void put_note(struct image *im, unsigned i)
{
    Elf32_Phdr text, note = {.p_type = PT_NOTE, .p_filesz = PROBE_NOTE_BYTES};
    uint8_t *table = im->bytes + sizeof(Elf32_Ehdr);

    memcpy(&text, table, sizeof text);
    note.p_offset = text.p_offset + PROBE_NOTE;
    memcpy(table + i * sizeof note, &note, sizeof note);
}

static void build(struct image *im, const struct probe_table *t, bool ported)
{
    static uint8_t head[sizeof(Elf32_Ehdr) + 6 * sizeof(Elf32_Phdr)];
    uint8_t text[TEXT_MAX] = {0}, window[PROBE_ENTRY_BYTES];
    uint8_t *cases = calloc(t->case_count, STEP);
    Elf32_Ehdr header;
    uint32_t double_fault, landing;

    load_text(ported ? "probe-pv" : "probe", text, &header);
    memcpy(&double_fault, text + PROBE_DF_ENTRY, sizeof double_fault);
    memcpy(&landing, text + PROBE_LANDING_ENTRY, sizeof landing);
    if (ported) {
        put_pv_gdt(im);
        put_pv_traps(im);
    } else {
        put_gdt(im, landing);
        put_idt(im, double_fault, t->pae ? PROBE_PAE_PDPT : PROBE_DIRECTORY);
    }
    put_tables(im, t->guarded);
    put_pae_tables(im);
    put_control(im, t);
    put_msrs(at(im, PROBE_CONTROL), landing);
    cr_assert_not_null(cases);
    for (uint32_t i = 0; i < t->case_count; i++)
        memcpy(cases + (size_t)i * STEP, &t->cases[i], sizeof *t->cases);
    memset(window, 0xCC, sizeof window);
    memcpy(window, (const uint8_t[]){0xCD, PROBE_DONE}, 2);

    append(im, head, sizeof head);
    segment(im, 0, PROBE_TEXT, text, sizeof text, PF_R | PF_X);
    segment(im, 1, DATA_AT, im->data, DATA_BYTES, PF_R | PF_W);
    segment(im, 2, PROBE_CASES, cases, (size_t)t->case_count * STEP, PF_R);
    segment(im, 3, PROBE_CODE, t->code,
            (size_t)t->code_count * PROBE_ENTRY_BYTES, PF_R | PF_X);
    segment(im, 4, PROBE_WINDOW_GPA, window, sizeof window, PF_R | PF_W);
    if (ported)
        put_note(im, 5);
    header.e_phoff = sizeof header;
    header.e_phnum = ported ? 6 : 5;
    put_symbols(im, t, &header);
    memcpy(im->bytes, &header, sizeof header);
    free(cases);
}

/* Should Umbra itself hang, this is where. */
static const struct guest *running;

static uint32_t cases_done(const struct guest *g)
{
    uint32_t done = 0;

    cr_assert(vm_read_physical(g->vm, GPA(PROBE_CONTROL + CTL_INDEX), &done,
                               sizeof done));
    return done;
}

uint32_t probe_running(void)
{
    return running ? cases_done(running) : 0;
}

/* Until the guest ends, or a case does not. */
static enum vm_stop run_cases(struct guest *g, uint32_t first)
{
    uint32_t before, done = first;
    enum vm_stop stop;

    do {
        before = done;
        stop = guest_run(g, vm_cycles(g->vm) + CYCLES_SLICE);
        done = cases_done(g);
    } while (stop == VM_RUNNING && done != before);
    return stop;
}

uint32_t probe_run(const struct way *way, const struct probe_table *table,
                   struct probe_result *results, enum vm_stop *stop)
{
    struct image *im = calloc(1, sizeof *im);
    struct guest g;
    uint32_t done;

    cr_assert_not_null(im);
    cr_assert(table->case_count <= PROBE_CASES_MAX);
    build(im, table, way->cpu == CPU_PV);
    guest_open(&g, way, (struct blob){im->bytes, im->size, "probe"}, NULL,
               PROBE_MEMORY_MIB * MIB, NULL);
    running = &g;
    *stop = run_cases(&g, table->first);
    running = NULL;
    done = cases_done(&g);
    if (done > table->case_count)
        done = table->case_count;
    for (uint32_t i = table->first; i < done; i++)
        cr_assert(vm_read_physical(g.vm, GPA(PROBE_RESULTS + i * STEP),
                                   &results[i], sizeof *results));
    guest_close(&g);
    free(im->bytes);
    free(im);
    return done;
}
