/* SPDX-License-Identifier: MIT */
/* cpu/errata.c - the errata sheet: one row each, with its test.
 *
 * A test is a few bytes of code. They run on a bare engine, without any of the
 * machine's cures, and end at a HLT or at the first exception. What would end
 * this process runs in a child.
 */
#include "cpu/errata.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu/engine.h"

enum {
    ROOM_BYTES = 1 << 16,
    CODE_AT = 0x1000,
    PATCHED_AT = 0x3000, /* code that other code writes to */
    DATA_AT = 0x5000,
    STACK_AT = 0x8000,
    OP_HLT = 0xF4,
    NO_VECTOR = 0x100,
    CHILD_SECONDS = 2,
};

/* One engine with a little memory, and what happened on it. */
struct probe {
    struct engine engine;
    void *room;
    uint32_t vector;  /* the first exception, or NO_VECTOR */
    uint64_t refused; /* address of the last access out of the room */
};

struct test {
    enum erratum_status if_present;
    const char *name, *behaviour, *cure;
    unsigned cpl;
    uint32_t eax; /* and the code's other registers are zero */
    /* Run differs from the manual? Called after the code has run. */
    bool (*departs)(struct probe *p);
    bool lethal; /* present: the process dies or hangs */
    uint8_t bytes;
    uint8_t code[32];
};

/* ---- one run ------------------------------------------------------------ */

static bool on_fill(uc_engine *uc, uint64_t address, uc_mem_type type,
                    uc_tlb_entry *result, void *user)
{
    struct probe *p = user;

    (void)uc, (void)type;
    if (address >= ROOM_BYTES) {
        p->refused = address;
        return false;
    }
    result->paddr = address;
    result->perms = UC_PROT_ALL;
    return true;
}

static void on_interrupt(uc_engine *uc, uint32_t vector, void *user)
{
    struct probe *p = user;

    if (p->vector == NO_VECTOR)
        p->vector = vector;
    uc_emu_stop(uc);
}

static bool on_invalid(uc_engine *uc, void *user)
{
    (void)uc, (void)user;
    return true; /* the exception follows */
}

static bool probe_open(struct probe *p)
{
    uc_engine *uc;
    uc_hook hook;
    char *error;

    memset(p, 0, sizeof *p);
    if (!engine_open(&p->engine, &error)) {
        free(error);
        return false;
    }
    uc = p->engine.uc;
    p->vector = NO_VECTOR;
    p->room = aligned_alloc(4096, ROOM_BYTES);
    if (!p->room)
        return false;
    memset(p->room, OP_HLT, ROOM_BYTES);
    return uc_mem_map_ptr(uc, 0, ROOM_BYTES, UC_PROT_ALL, p->room) ==
               UC_ERR_OK &&
           uc_hook_add(uc, &hook, UC_HOOK_TLB_FILL, (void *)on_fill, p, 1,
                       0) == UC_ERR_OK &&
           uc_hook_add(uc, &hook, UC_HOOK_INTR, (void *)on_interrupt, p, 1,
                       0) == UC_ERR_OK &&
           uc_hook_add(uc, &hook, UC_HOOK_INSN_INVALID, (void *)on_invalid, p,
                       1, 0) == UC_ERR_OK;
}

static void probe_close(struct probe *p)
{
    engine_close(&p->engine);
    free(p->room);
}

static void probe_run(struct probe *p)
{
    p->vector = NO_VECTOR;
    uc_emu_start(p->engine.uc, CODE_AT, 0, 0, 0);
}

/* Run a row's code and judge. */
static bool runs_wrong(const struct test *t)
{
    struct probe p;
    bool wrong = true;

    if (probe_open(&p)) {
        struct live *l = &p.engine.live;

        memcpy((uint8_t *)p.room + CODE_AT, t->code, t->bytes);
        memset(l->regs, 0, 8 * sizeof *l->regs);
        l->regs[GPR_EAX] = t->eax;
        l->regs[GPR_ESP] = STACK_AT;
        *l->hflags = (*l->hflags & ~(uint32_t)HF_CPL) | t->cpl;
        probe_run(&p);
        wrong = t->departs(&p);
    }
    probe_close(&p);
    return wrong;
}

static bool dies(const struct test *t)
{
    const struct rlimit none = {0, 0};
    pid_t child = fork();
    int status;

    if (child == 0) {
        setrlimit(RLIMIT_CORE, &none);
        close(STDERR_FILENO);
        alarm(CHILD_SECONDS);
        _exit(runs_wrong(t));
    }
    return child < 0 || waitpid(child, &status, 0) != child ||
           !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* ---- what departs from the manual --------------------------------------- */

static uint32_t reg(const struct probe *p, unsigned gpr)
{
    return (uint32_t)p->engine.live.regs[gpr];
}

static bool not_undefined(struct probe *p)
{
    return p->vector != VEC_UD;
}

static bool not_general_protection(struct probe *p)
{
    return p->vector != VEC_GP;
}

static bool not_debug(struct probe *p)
{
    return p->vector != VEC_DB;
}

static bool not_alignment(struct probe *p)
{
    return p->vector != VEC_AC;
}

static bool not_fpu_error(struct probe *p)
{
    return p->vector != VEC_MF;
}

static bool second_is_double(struct probe *p)
{
    probe_run(p);
    return p->vector == VEC_DF;
}

static bool high_half_is_zero(struct probe *p)
{
    return (reg(p, GPR_EAX) & CR0_PG) == 0; /* EBX: what CR0 was set to */
}

static bool reads_host_time(struct probe *p)
{
    return reg(p, GPR_EDX) != 0 || reg(p, GPR_EAX) > 1000;
}

static bool shows_svm(struct probe *p)
{
    return reg(p, GPR_ECX) >> 2 & 1;
}

/* The loop adds 100 + 99 + ... + 1. */
static bool ran_stale_code(struct probe *p)
{
    return reg(p, GPR_EBX) != 100 * 101 / 2;
}

static bool page_only(struct probe *p)
{
    return p->refused == 0x123000;
}

static bool write_bit_is_missing(struct probe *p)
{
    return p->vector == NO_VECTOR && reg(p, GPR_EBX) == 0;
}

static bool no_instruction_pointer(struct probe *p)
{
    uint32_t fip;

    memcpy(&fip, (uint8_t *)p->room + DATA_AT + 12, sizeof fip);
    return fip == 0;
}

static bool over_the_limit(struct probe *p)
{
    p->engine.live.seg[SEG_DS].limit = DATA_AT - 1;
    probe_run(p);
    return p->vector != VEC_GP;
}
