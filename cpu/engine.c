/* SPDX-License-Identifier: MIT */
/* cpu/engine.c - opening the engine, and finding its live state. */
#include "cpu/engine.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    PROBE_BYTES = 1 << 16,  /* memory of the calibration's small programs */
    SEARCH_BYTES = 1 << 18, /* how far behind a pointer the state may lie */
    STATE_BYTES = 5000,     /* at least this much of the state is there */
    EXIT_WORDS = 8,         /* the exit word is one of so many before it */
    CC_OP_EFLAGS = 1,       /* the engine's "flags are in cc_src" */
};

/* Where that memory sits for good. It is never unmapped (its translations
 * would have to be flushed, which takes seconds), and nothing else is there. */
#define PROBE_ADDRESS (1ull << 40)

static const int gpr_ids[GPR_COUNT] = {
    UC_X86_REG_EAX, UC_X86_REG_ECX, UC_X86_REG_EDX, UC_X86_REG_EBX,
    UC_X86_REG_ESP, UC_X86_REG_EBP, UC_X86_REG_ESI, UC_X86_REG_EDI,
};

/* What the probe's interrupt hook saw, and wants. */
struct probe {
    struct engine *engine;
    uint8_t *memory;
    const uint8_t *state;
    size_t bytes;
    uint32_t vector;
    uint8_t *copy; /* of the state at the hook */
    uint32_t *exit_word;
    unsigned exit_words; /* how many it may be */
};

static bool refuse(char **error, const char *what)
{
    if (asprintf(error,
                 "the installed Unicorn %s cannot be used (%s); install "
                 "libunicorn 2.1.1 or run ./run --build",
                 engine_version(), what) < 0)
        *error = NULL;
    return false;
}

const char *engine_version(void)
{
    static char text[32];
    unsigned version = uc_version(NULL, NULL);

    snprintf(text, sizeof text, "%u.%u.%u", version >> 24 & 0xFF,
             version >> 16 & 0xFF, version >> 8 & 0xFF);
    return text;
}

/* Read memory that may not be there. */
static size_t read_safely(void *to, const void *from, size_t bytes)
{
    struct iovec local = {to, bytes};
    struct iovec remote = {(void *)(uintptr_t)from, bytes};
    ssize_t n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

    return n < 0 ? 0 : (size_t)n;
}

/* Is this the state itself? Copies with the same values lie about: in the
 * buffer of the search, in memory that an earlier engine gave back. A write
 * shows at once in the state only. */
static bool is_live(uc_engine *uc, const uint8_t *state, uint32_t ebx)
{
    uint32_t value = 0x600DF00D;
    bool live;

    uc_reg_write(uc, UC_X86_REG_EBX, &value);
    live = memcmp(state + 8 * GPR_EBX, &value, sizeof value) == 0;
    uc_reg_write(uc, UC_X86_REG_EBX, &ebx);
    return live;
}

/* Find the live CPU state: the block of memory, reachable from the engine's
 * structure by one pointer, that holds eight known register values in a row. */
static uint8_t *find_state(uc_engine *uc)
{
    uint64_t magic[GPR_COUNT];
    const uintptr_t *words = (const uintptr_t *)uc;
    size_t count = malloc_usable_size(uc) / sizeof *words;
    uint8_t *buffer = malloc(SEARCH_BYTES);
    uint8_t *found = NULL;

    for (unsigned i = 0; i < GPR_COUNT; i++) {
        uint32_t value = 0x51A70000u + i * 0x1357u;
        magic[i] = value;
        uc_reg_write(uc, gpr_ids[i], &value);
    }
    for (size_t i = 0; buffer && i < count; i++) {
        const uint8_t *from = (const uint8_t *)words[i];
        size_t n = read_safely(buffer, from, SEARCH_BYTES);

        for (size_t o = 0; o + STATE_BYTES <= n; o += 8) {
            uint8_t *here = (uint8_t *)words[i] + o;

            if (memcmp(buffer + o, magic, sizeof magic) != 0 ||
                !is_live(uc, here, (uint32_t)magic[GPR_EBX]))
                continue;
            if (found && found != here) { /* ambiguous: not understood */
                free(buffer);
                return NULL;
            }
            found = here;
        }
    }
    free(buffer);
    return found;
}

static bool probe_fill(uc_engine *uc, uint64_t address, uc_mem_type type,
                       uc_tlb_entry *result, void *user)
{
    (void)uc;
    (void)type;
    (void)user;
    if (address >= PROBE_BYTES)
        return false;
    result->paddr = PROBE_ADDRESS + address;
    result->perms = UC_PROT_ALL;
    return true;
}

/* The one word before the state that changes when the engine is asked to stop:
 * from 0 to ones in the upper half. */
static void find_exit_word(struct probe *p, uc_engine *uc)
{
    uint32_t *words = (uint32_t *)(uintptr_t)p->state - EXIT_WORDS;
    uint32_t before[EXIT_WORDS];

    memcpy(before, words, sizeof before);
    uc_emu_stop(uc);
    p->exit_words = 0;
    for (unsigned i = 0; i < EXIT_WORDS; i++) {
        if (before[i] != 0 || words[i] != 0xFFFF0000u)
            continue;
        p->exit_word = &words[i];
        p->exit_words++;
    }
}

static void probe_interrupt(uc_engine *uc, uint32_t vector, void *user)
{
    struct probe *p = user;

    p->vector = vector;
    memcpy(p->copy, p->state, p->bytes);
    find_exit_word(p, uc);
}

/* Run a few bytes of code until an exception; false if none came. */
static bool probe_run(struct probe *p, const uint8_t *code, size_t bytes)
{
    static uint32_t at = 0x1000;
    uint32_t esp = 0x8000;

    at += 64; /* fresh addresses: nothing to invalidate */
    memcpy(p->memory + at, code, bytes);
    uc_reg_write(p->engine->uc, UC_X86_REG_ESP, &esp);
    p->vector = ~0u;
    uc_emu_start(p->engine->uc, at, 0, 0, 0);
    if (at > 0x6000)
        at = 0x1000;
    return p->vector != ~0u;
}

/* The one offset, a multiple of four, where copies a and b of the state hold
 * the 32-bit values va and vb. SIZE_MAX: none or several. */
static size_t find_pair(const uint8_t *a, uint32_t va, const uint8_t *b,
                        uint32_t vb, size_t from, size_t to)
{
    size_t found = SIZE_MAX;

    for (size_t o = from; o + 4 <= to; o += 4) {
        if (memcmp(a + o, &va, 4) != 0 || memcmp(b + o, &vb, 4) != 0)
            continue;
        if (found != SIZE_MAX)
            return SIZE_MAX;
        found = o;
    }
    return found;
}

/* As find_pair, for a register the public interface can write. */
static size_t find_register(struct probe *p, int id, uint32_t va, uint32_t vb,
                            size_t mmr_base)
{
    uc_engine *uc = p->engine->uc;
    uint8_t *a = p->copy, *b = malloc(p->bytes);
    size_t offset = SIZE_MAX;

    if (!b)
        return SIZE_MAX;
    for (int i = 0; i < 2; i++) {
        uint32_t value = i ? vb : va;
        uc_x86_mmr mmr = {.selector = 0, .base = value, .limit = 0xFFFF};

        uc_reg_write(uc, id, mmr_base ? (void *)&mmr : (void *)&value);
        memcpy(i ? b : a, p->state, p->bytes);
    }
    offset = find_pair(a, va, b, vb, 0, p->bytes);
    free(b);
    return offset;
}

/* Registers and flags. */
static bool calibrate_registers(struct probe *p, struct live *l)
{
    uint8_t *s = (uint8_t *)(uintptr_t)p->state;
    uc_engine *uc = p->engine->uc;
    uint32_t flags = 0x2 | EFL_CF | EFL_ZF | EFL_DF | EFL_IF;
    size_t eip = find_register(p, UC_X86_REG_EIP, 0x5EA51DE0, 0x0DDBA115, 0);

    if (eip != 8 * 16)
        return false;
    l->regs = (uint64_t *)(void *)s;
    l->eip = (uint64_t *)(void *)(s + eip);
    /* The fields behind EIP are laid out in this order; each is checked. */
    l->eflags = l->eip + 1;
    l->cc_src = l->eip + 3;
    l->cc_op = (uint32_t *)(l->eip + 5);
    l->df = (int32_t *)l->cc_op + 1;
    l->hflags = l->cc_op + 2;
    l->hflags2 = l->cc_op + 3;
    uc_reg_write(uc, UC_X86_REG_EFLAGS, &flags);
    if ((*l->eflags & ~(uint64_t)(EFL_ARITH | EFL_DF)) != (EFL_FIXED | EFL_IF))
        return false;
    if (*l->cc_src != (EFL_CF | EFL_ZF) || *l->cc_op != CC_OP_EFLAGS ||
        *l->df != -1)
        return false;
    flags = EFL_FIXED;
    uc_reg_write(uc, UC_X86_REG_EFLAGS, &flags);
    return *l->df == 1 && *l->cc_src == 0 &&
           (*l->hflags & (HF_PE | HF_CS32 | HF_SS32 | HF_CPL)) ==
               (HF_PE | HF_CS32 | HF_SS32);
}

/* Tables, segments and control registers. */
static bool calibrate_system(struct probe *p, struct live *l)
{
    uint8_t *s = (uint8_t *)(uintptr_t)p->state;
    static const int ids[4] = {UC_X86_REG_LDTR, UC_X86_REG_TR, UC_X86_REG_GDTR,
                               UC_X86_REG_IDTR};
    struct live_segment **to[4] = {&l->ldt, &l->tr, &l->gdt, &l->idt};
    const size_t base = offsetof(struct live_segment, base);
    uc_engine *uc = p->engine->uc;
    const uint8_t load_fs[] = {0xB8, 8, 0, 0, 0, 0x8E, 0xE0, 0xCC};
    const uint8_t descriptor[8] = {0xFF, 0xFF, 0x34, 0x12,
                                   0x56, 0x92, 0x40, 0x78};
    uc_x86_mmr gdtr = {.base = 0x7000, .limit = 15};
    uint32_t cr3;

    for (size_t i = 0; i < 4; i++) {
        size_t o = find_register(p, ids[i], 0x0A5E0000u + (uint32_t)i,
                                 0x0B0B0000u + (uint32_t)i, 1);
        if (o == SIZE_MAX || o < base + 6 * sizeof(struct live_segment))
            return false;
        *to[i] = (struct live_segment *)(void *)(s + o - base);
    }
    if (l->tr != l->ldt + 1 || l->gdt != l->ldt + 2 || l->idt != l->ldt + 3)
        return false;
    l->seg = l->ldt - SEG_COUNT;
    l->cr = (uint64_t *)(l->idt + 1);
    cr3 = 0x00345000;
    uc_reg_write(uc, UC_X86_REG_CR3, &cr3);
    memcpy(p->memory + gdtr.base + 8, descriptor, sizeof descriptor);
    uc_reg_write(uc, UC_X86_REG_GDTR, &gdtr);
    return l->cr[3] == cr3 && (l->cr[0] & CR0_PE) &&
           probe_run(p, load_fs, sizeof load_fs) &&
           l->seg[SEG_FS].base == 0x78561234 && l->seg[SEG_FS].selector == 8 &&
           (l->seg[SEG_FS].flags & SEG_D << 8) != 0;
}

/* Exception bookkeeping: run INT n and selector faults and look. */
static bool calibrate_exceptions(struct probe *p, struct live *l)
{
    uint8_t *s = (uint8_t *)(uintptr_t)p->state;
    const uint8_t int21[] = {0xCD, 0x21};
    const uint8_t bad_selector[] = {0xB8, 0x78, 0x56, 0, 0, 0x8E, 0xD8};
    const uint8_t bad_selector2[] = {0xB8, 0x40, 0x23, 0, 0, 0x8E, 0xD8};
    uint8_t *a = malloc(p->bytes), *b = malloc(p->bytes);
    uc_x86_mmr gdt = {.base = 0x7000, .limit = 7};
    size_t from = (size_t)((uint8_t *)(l->cr + 5) - s), code;
    bool good = false;

    uc_reg_write(p->engine->uc, UC_X86_REG_GDTR, &gdt);
    if (!a || !b || !probe_run(p, int21, sizeof int21) || p->vector != 0x21)
        goto out;
    memcpy(a, p->copy, p->bytes);
    if (!probe_run(p, bad_selector, sizeof bad_selector) || p->vector != VEC_GP)
        goto out;
    memcpy(b, p->copy, p->bytes);
    code = find_pair(a, 0, b, 0x5678, from, p->bytes);
    if (code == SIZE_MAX)
        goto out;
    l->error_code = (int32_t *)(void *)(s + code);
    l->exception_is_int = l->error_code + 1;
    l->exception_next_eip = (uint64_t *)(void *)(s + code + 8);
    memcpy(p->copy, a, p->bytes);
    if (*(int32_t *)(void *)(a + code + 4) != 1 ||
        *(int32_t *)(void *)(b + code + 4) != 0 ||
        *(uint64_t *)(void *)(a + code + 8) !=
            *(uint64_t *)(void *)(a + 8 * 16))
        goto out; /* at the hook of an INT n, EIP is already behind it */
    /* "In flight" holds 13 after the #GP; a second would become #DF. */
    l->old_exception = NULL;
    for (size_t o = code + 16; o + 4 <= p->bytes; o += 4) {
        int32_t before, after;
        memcpy(&before, a + o, 4);
        memcpy(&after, b + o, 4);
        if (before == -1 && after == VEC_GP && !l->old_exception)
            l->old_exception = (int32_t *)(void *)(s + o);
    }
    if (!l->old_exception)
        goto out;
    *l->old_exception = -1;
    good = probe_run(p, bad_selector2, sizeof bad_selector2) &&
           p->vector == VEC_GP && *l->error_code == 0x2340;
    *l->old_exception = -1;
out:
    free(a);
    free(b);
    return good;
}

/* The full address of a refused access: the one word of the engine's
 * structure that follows it through six faults. */
static bool calibrate_address(struct probe *p, struct live *l)
{
    /* Read again after the run: were the address in a register meanwhile, the
     * engine's jmp_buf would hold it, too. */
    static volatile uint32_t base = 0x00903000u;
    uc_engine *uc = p->engine->uc;
    size_t words = malloc_usable_size(uc) / 8;
    uint8_t *possible = malloc(words);
    unsigned left = 0;
    size_t found = 0;

    if (!possible)
        return false;
    memset(possible, 1, words);
    for (uint32_t i = 0; i < 6; i++) {
        uint32_t address = base + i * 0x11112u;
        uint8_t load[] = {0xA0, 0, 0, 0, 0};

        memcpy(load + 1, &address, 4);
        probe_run(p, load, sizeof load);
        address = base + i * 0x11112u;
        left = 0;
        for (size_t w = 0; w < words; w++) {
            possible[w] &= ((const uint64_t *)uc)[w] == address;
            if (possible[w]) {
                left++;
                found = w;
            }
        }
    }
    free(possible);
    l->invalid_address = (const uint64_t *)uc + found;
    return left == 1;
}

static bool calibrate(struct engine *e, uint8_t *memory, char **error)
{
    struct probe p = {.engine = e, .memory = memory};
    uc_hook fill, interrupt;
    size_t context = uc_context_size(e->uc);
    bool good = false;
    const char *what = "its CPU state was not found";

    if (uc_hook_add(e->uc, &fill, UC_HOOK_TLB_FILL, (void *)probe_fill, &p, 1,
                    0) != UC_ERR_OK ||
        uc_hook_add(e->uc, &interrupt, UC_HOOK_INTR, (void *)probe_interrupt,
                    &p, 1, 0) != UC_ERR_OK)
        return refuse(error, "its hooks are missing");
    p.state = find_state(e->uc);
    p.bytes = context > 64 ? (context - 24) & ~(size_t)7 : 0;
    p.copy = malloc(p.bytes + 8);
    if (!p.state || !p.copy || p.bytes < STATE_BYTES)
        goto out;
    what = "its registers are laid out in an unknown way";
    if (!calibrate_registers(&p, &e->live))
        goto out;
    what = "its segments are laid out in an unknown way";
    if (!calibrate_system(&p, &e->live))
        goto out;
    what = "its exceptions are kept in an unknown way";
    if (!calibrate_exceptions(&p, &e->live))
        goto out;
    what = "it does not tell a fault's address";
    good = calibrate_address(&p, &e->live);
    e->live.exit_word = p.exit_words == 1 ? p.exit_word : NULL;
out:
    free(p.copy);
    uc_hook_del(e->uc, fill);
    uc_hook_del(e->uc, interrupt);
    return good ? true : refuse(error, what);
}

bool engine_open(struct engine *e, char **error)
{
    void *memory = NULL;

    memset(e, 0, sizeof *e);
    *error = NULL;
    if (uc_version(NULL, NULL) < 0x02010100u)
        return refuse(error, "2.1.1 is the oldest that translates addresses");
    if (uc_open(UC_ARCH_X86, UC_MODE_32, &e->uc) != UC_ERR_OK)
        return refuse(error, "it has no x86");
    if (uc_ctl_tlb_mode(e->uc, UC_TLB_VIRTUAL) != UC_ERR_OK ||
        uc_ctl_exits_enable(e->uc) != UC_ERR_OK ||
        posix_memalign(&memory, 4096, PROBE_BYTES) != 0) {
        engine_close(e);
        return refuse(error, "it has no virtual TLB");
    }
    memset(memory, 0, PROBE_BYTES);
    e->probe_memory = memory;
    if (uc_mem_map_ptr(e->uc, PROBE_ADDRESS, PROBE_BYTES, UC_PROT_ALL,
                       memory) == UC_ERR_OK &&
        calibrate(e, memory, error)) {
        uc_ctl_flush_tlb(e->uc);
        return true;
    }
    engine_close(e);
    if (!*error)
        refuse(error, "its memory cannot be set up");
    return false;
}

void engine_close(struct engine *e)
{
    if (e->uc)
        uc_close(e->uc);
    free(e->probe_memory);
    e->uc = NULL;
    e->probe_memory = NULL;
}

/* ---- state ---------------------------------------------------------- */

uint32_t engine_eflags(const struct engine *e)
{
    const struct live *l = &e->live;
    uint32_t value;

    /* A fault of SETcc leaves the source of the flags where the engine takes
     * it for the flags themselves: nothing but flags must come of that. */
    if (*l->cc_op == CC_OP_EFLAGS)
        return ((uint32_t)*l->eflags & EFL_DEFINED & ~(EFL_ARITH | EFL_DF)) |
               ((uint32_t)*l->cc_src & EFL_ARITH) | EFL_FIXED |
               (*l->df < 0 ? EFL_DF : 0);
    uc_reg_read(e->uc, UC_X86_REG_EFLAGS, &value);
    return (value & EFL_DEFINED) | EFL_FIXED;
}

void engine_set_eflags(struct engine *e, uint32_t value)
{
    struct live *l = &e->live;

    *l->cc_src = value & EFL_ARITH;
    *l->cc_op = CC_OP_EFLAGS;
    *l->df = value & EFL_DF ? -1 : 1;
    *l->eflags = (value & ~(EFL_ARITH | EFL_DF)) | EFL_FIXED;
}

void engine_set_arith_flags(struct engine *e, uint32_t value)
{
    struct live *l = &e->live;

    *l->cc_src = value & EFL_ARITH;
    *l->cc_op = CC_OP_EFLAGS;
}

/* Between runs the engine keeps the arithmetic flags and DF with the others,
 * and takes them from there when it starts. */
void engine_before_run(struct engine *e)
{
    uint32_t value = engine_eflags(e) & (EFL_ARITH | EFL_DF);

    *e->live.eflags =
        (*e->live.eflags & ~(uint64_t)(EFL_ARITH | EFL_DF)) | value;
}

static struct segment segment_from(const struct live_segment *l)
{
    return (struct segment){
        .base = (uint32_t)l->base,
        .limit = l->limit,
        .selector = (uint16_t)l->selector,
        .attr = (uint16_t)(l->flags >> 8 & SEG_ATTR_MASK),
    };
}

static void segment_to(struct live_segment *l, const struct segment *s)
{
    l->selector = s->selector;
    l->base = s->base;
    l->limit = s->limit;
    l->flags = (uint32_t)(s->attr & SEG_ATTR_MASK) << 8;
}

void engine_load_frame(const struct engine *e, struct cpu_state *s)
{
    const struct live *l = &e->live;

    s->eflags = engine_eflags(e);
    s->gpr[GPR_ESP] = (uint32_t)l->regs[GPR_ESP];
    s->eip = (uint32_t)*l->eip;
    s->seg[SEG_CS] = segment_from(&l->seg[SEG_CS]);
    s->seg[SEG_SS] = segment_from(&l->seg[SEG_SS]);
    s->cr2 = (uint32_t)l->cr[2];
    s->cpl = (uint8_t)(*l->hflags & HF_CPL);
    s->interrupt_shadow = (*l->hflags & HF_INHIBIT_IRQ) != 0;
}

void engine_load_rest(const struct engine *e, struct cpu_state *s)
{
    const struct live *l = &e->live;

    for (unsigned i = 0; i < GPR_COUNT; i++)
        if (i != GPR_ESP)
            s->gpr[i] = (uint32_t)l->regs[i];
    for (unsigned i = 0; i < SEG_COUNT; i++)
        if (i != SEG_CS && i != SEG_SS)
            s->seg[i] = segment_from(&l->seg[i]);
}

void engine_load_running(const struct engine *e, struct cpu_state *s)
{
    engine_load_rest(e, s);
    engine_load_frame(e, s);
}

void engine_load_system(const struct engine *e, struct cpu_state *s)
{
    const struct live *l = &e->live;

    s->ldtr = segment_from(l->ldt);
    s->tr = segment_from(l->tr);
    s->gdtr =
        (struct table_reg){(uint32_t)l->gdt->base, (uint16_t)l->gdt->limit};
    s->idtr =
        (struct table_reg){(uint32_t)l->idt->base, (uint16_t)l->idt->limit};
    s->cr0 = (uint32_t)l->cr[0];
    s->cr3 = (uint32_t)l->cr[3];
    s->cr4 = (uint32_t)l->cr[4];
    s->nmi_blocked = (*l->hflags2 & HF2_NMI) != 0;
}

/* The derived flags that follow from segments, mode and privilege. IOPL, TF,
 * RF, VM and AC must stay out: the engine adds them from EFLAGS itself. */
static uint32_t derive_hflags(const struct live *l, const struct cpu_state *s)
{
    uint32_t cr0 = (uint32_t)l->cr[0];
    uint32_t h = *l->hflags &
                 ~(uint32_t)(HF_CPL | HF_INHIBIT_IRQ | HF_CS32 | HF_SS32 |
                             HF_ADDSEG | HF_PE | HF_MP | HF_EM | HF_TS | HF_TF);
    bool real = !(cr0 & CR0_PE) || (s->eflags & EFL_VM);

    h |= s->cpl;
    if (cr0 & CR0_PE)
        h |= HF_PE;
    h |= (cr0 << 8) & (HF_MP | HF_EM | HF_TS);
    if (s->seg[SEG_CS].attr & SEG_D)
        h |= HF_CS32;
    if (s->seg[SEG_SS].attr & SEG_D)
        h |= HF_SS32;
    if (real || !(h & HF_CS32) ||
        (l->seg[SEG_DS].base | l->seg[SEG_ES].base | l->seg[SEG_SS].base))
        h |= HF_ADDSEG;
    if (s->interrupt_shadow)
        h |= HF_INHIBIT_IRQ;
    return h;
}

void engine_store_frame(struct engine *e, const struct cpu_state *s)
{
    struct live *l = &e->live;

    l->regs[GPR_ESP] = s->gpr[GPR_ESP];
    *l->eip = s->eip;
    engine_set_eflags(e, s->eflags);
    segment_to(&l->seg[SEG_CS], &s->seg[SEG_CS]);
    segment_to(&l->seg[SEG_SS], &s->seg[SEG_SS]);
    l->cr[2] = s->cr2;
    *l->hflags = derive_hflags(l, s);
}

void engine_store_running(struct engine *e, const struct cpu_state *s)
{
    struct live *l = &e->live;

    for (unsigned i = 0; i < GPR_COUNT; i++)
        l->regs[i] = s->gpr[i];
    for (unsigned i = 0; i < SEG_COUNT; i++)
        segment_to(&l->seg[i], &s->seg[i]);
    engine_store_frame(e, s);
}

void engine_store(struct engine *e, const struct cpu_state *s)
{
    struct live *l = &e->live;

    segment_to(l->ldt, &s->ldtr);
    segment_to(l->tr, &s->tr);
    l->gdt->base = s->gdtr.base;
    l->gdt->limit = s->gdtr.limit;
    l->idt->base = s->idtr.base;
    l->idt->limit = s->idtr.limit;
    if ((uint32_t)l->cr[0] != s->cr0)
        uc_reg_write(e->uc, UC_X86_REG_CR0, &s->cr0);
    if ((uint32_t)l->cr[4] != s->cr4)
        uc_reg_write(e->uc, UC_X86_REG_CR4, &s->cr4);
    l->cr[3] = s->cr3; /* what the TLB loses by it is the caller's affair */
    engine_store_running(e, s);
    *l->hflags2 = s->nmi_blocked ? *l->hflags2 | HF2_NMI
                                 : *l->hflags2 & ~(uint32_t)HF2_NMI;
}
