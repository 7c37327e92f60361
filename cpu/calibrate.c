/* SPDX-License-Identifier: MIT */
/* cpu/calibrate.c - finding the engine's live state.
 *
 * What Unicorn's interface does not offer lies somewhere in its structures.
 * Each field is found by values that are put there on purpose, and has to be
 * the only one that follows them.
 */
#include "cpu/calibrate.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    PROBE_BYTES = 1 << 16,  /* memory of the calibration's small programs */
    SEARCH_BYTES = 1 << 18, /* how far behind a pointer the state may lie */
    STATE_BYTES = 5000,     /* at least this much of the state is there */
    OBJECT_LEAST = 4096,    /* as much as that comes before the state */
    PROBE_LOAD = 0x9000,    /* a program that ends with an error */
    PROBE_INT3 = 0x9100,    /* where a refused access leads */
};

#define EXIT_WORD 0xFFFF0000u /* when the engine is asked to stop */

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
    uint8_t *copy;         /* of the state at the hook */
    uint8_t *object;       /* the engine's CPU, of which the state is the end */
    uint8_t *before;       /* a copy of what comes before the state */
    uint8_t *is_exception; /* for each word there: was it always the vector? */
    struct live *live;
    uint8_t *calm; /* a copy of the engine's structure without a refusal */
    int32_t error; /* what a run with one returns */
};

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
 * structure by one pointer, that holds eight known register values in a row.
 * *object: where the nearest of these pointers leads, which is the beginning of
 * the engine's CPU (others are of what happens to lie before it). */
static uint8_t *find_state(uc_engine *uc, uint8_t **object)
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
            if (o >= OBJECT_LEAST &&
                (!*object || *object < (uint8_t *)words[i]))
                *object = (uint8_t *)words[i];
        }
    }
    free(buffer);
    return found;
}

static bool probe_fill(uc_engine *uc, uint64_t address, uc_mem_type type,
                       uc_tlb_entry *result, void *user)
{
    struct probe *p = user;

    (void)uc;
    (void)type;
    if (address >= PROBE_BYTES) {
        engine_report_refusal(p->engine);
        return false;
    }
    result->paddr = PROBE_ADDRESS + address;
    result->perms = UC_PROT_ALL;
    return true;
}

static size_t words_before(const struct probe *p)
{
    return (size_t)(p->state - p->object) / sizeof(int32_t);
}

/* Rule out what was not the vector this time. */
static void watch_exception(struct probe *p)
{
    const int32_t *words = (const int32_t *)(const void *)p->object;

    for (size_t i = 0; i < words_before(p); i++)
        p->is_exception[i] &= (uint32_t)words[i] == p->vector;
}

/* What changes when the engine is asked to stop: the exit word from 0 to ones
 * in the upper half, and one or two bytes from 0 to 1. */
static void watch_stop(struct probe *p)
{
    size_t bytes = (size_t)(p->state - p->object);
    unsigned words = 0, requests = 0;
    struct live *l = p->live;

    memcpy(p->before, p->object, bytes);
    uc_emu_stop(p->engine->uc);
    for (size_t i = 0; i < bytes; i++) {
        uint32_t word = 0;

        if (p->before[i] || !p->object[i])
            continue;
        if (i % sizeof word == 2)
            memcpy(&word, p->object + i - 2, sizeof word);
        if (word == EXIT_WORD && words++ == 0)
            l->exit_word = (uint32_t *)(void *)(p->object + i - 2);
        else if (p->object[i] == 1 && requests++ < EXIT_REQUESTS)
            l->exit_request[requests - 1] = p->object + i;
    }
    if (words != 1)
        l->exit_word = NULL;
    if (requests < 1 || requests > EXIT_REQUESTS)
        l->exit_request[0] = NULL;
}

/* The one word of the engine's structure that holds the error just now. */
static int32_t *find_error(const struct probe *p)
{
    const int32_t *calm = (const int32_t *)(const void *)p->calm;
    int32_t *words = (int32_t *)(void *)p->engine->uc, *found = NULL;
    unsigned count = 0;

    for (size_t i = 0; i < malloc_usable_size(words) / sizeof *words; i++)
        if (words[i] == p->error && calm[i] == UC_ERR_OK && count++ == 0)
            found = &words[i];
    return count == 1 ? found : NULL;
}

static void probe_interrupt(uc_engine *uc, uint32_t vector, void *user)
{
    struct probe *p = user;

    p->vector = vector;
    if (vector == ENGINE_REFUSED) {
        p->live->error = find_error(p);
        if (!p->live->error)
            return;
        engine_take_refusal(p->engine);
        *p->live->eip = PROBE_INT3;
        return;
    }
    memcpy(p->copy, p->state, p->bytes);
    memcpy(p->calm, uc, malloc_usable_size(uc));
    watch_exception(p);
    watch_stop(p);
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

/* Does a refused access come to the interrupt hook, and the engine go on from
 * there? Then it shall always. */
static void calibrate_refusal(struct probe *p)
{
    const uint8_t load[] = {0xA0, 0, 0, 0x91, 0}; /* mov 0x910000,%al */
    struct live *l = p->live;
    int32_t *index = NULL;
    unsigned found = 0;

    for (size_t i = 0; i < words_before(p); i++)
        if (p->is_exception[i] && found++ == 0)
            index = (int32_t *)(void *)p->object + i;
    memcpy(p->memory + PROBE_LOAD, load, sizeof load);
    p->error = (int32_t)uc_emu_start(p->engine->uc, PROBE_LOAD, 0, 0, 0);
    if (found != 1 || !l->exit_request[0] || p->error == UC_ERR_OK)
        return;
    l->exception_index = index;
    p->memory[PROBE_INT3] = 0xCC;
    if (!probe_run(p, load, sizeof load) || p->vector != VEC_BP)
        l->exception_index = NULL;
}

static bool probe_open(struct probe *p)
{
    size_t context = uc_context_size(p->engine->uc), before;

    p->state = find_state(p->engine->uc, &p->object);
    p->bytes = context > 64 ? (context - 24) & ~(size_t)7 : 0;
    if (!p->state || !p->object || p->bytes < STATE_BYTES)
        return false;
    before = (size_t)(p->state - p->object);
    p->calm = malloc(malloc_usable_size(p->engine->uc));
    p->copy = malloc(p->bytes + 8);
    p->before = malloc(before);
    p->is_exception = malloc(before);
    if (!p->copy || !p->before || !p->is_exception || !p->calm)
        return false;
    memset(p->is_exception, 1, before);
    return true;
}

static void probe_close(struct probe *p)
{
    free(p->copy);
    free(p->before);
    free(p->is_exception);
    free(p->calm);
}

static const char *calibrate(struct probe *p)
{
    if (!probe_open(p))
        return "its CPU state was not found";
    if (!calibrate_registers(p, p->live))
        return "its registers are laid out in an unknown way";
    if (!calibrate_system(p, p->live))
        return "its segments are laid out in an unknown way";
    if (!calibrate_exceptions(p, p->live))
        return "its exceptions are kept in an unknown way";
    if (!calibrate_address(p, p->live))
        return "it does not tell a fault's address";
    calibrate_refusal(p);
    return NULL;
}

const char *engine_calibrate(struct engine *e)
{
    struct probe p = {.engine = e, .live = &e->live};
    uc_hook fill, interrupt;
    const char *what;

    if (posix_memalign(&e->probe_memory, 4096, PROBE_BYTES) != 0)
        return "no memory";
    memset(e->probe_memory, 0, PROBE_BYTES);
    p.memory = e->probe_memory;
    if (uc_mem_map_ptr(e->uc, PROBE_ADDRESS, PROBE_BYTES, UC_PROT_ALL,
                       p.memory) != UC_ERR_OK)
        return "its memory cannot be set up";
    if (uc_hook_add(e->uc, &fill, UC_HOOK_TLB_FILL, (void *)probe_fill, &p, 1,
                    0) != UC_ERR_OK ||
        uc_hook_add(e->uc, &interrupt, UC_HOOK_INTR, (void *)probe_interrupt,
                    &p, 1, 0) != UC_ERR_OK)
        return "its hooks are missing";
    what = calibrate(&p);
    probe_close(&p);
    uc_hook_del(e->uc, fill);
    uc_hook_del(e->uc, interrupt);
    uc_ctl_flush_tlb(e->uc);
    return what;
}
