/* SPDX-License-Identifier: MIT */
/* cpu/errata.c - the errata sheet: one row each, with its test.
 *
 * A test is a few bytes of code. They run on an engine alone, without any of
 * the machine's cures, and end at a HLT or at the first exception. What would
 * end this process runs in a child.
 */
#include "cpu/errata_rows.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OP_HLT = 0xF4, CHILD_MICROSECONDS = 200000 };

/* ---- one run ------------------------------------------------------------ */

static bool on_fill(uc_engine *uc, uint64_t address, uc_mem_type type,
                    uc_tlb_entry *result, void *user)
{
    struct probe *p = user;

    (void)uc;
    if (address >= ROOM_BYTES) {
        p->refused = address;
        p->refused_write = type == UC_MEM_WRITE;
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
    return uc_context_alloc(uc, &p->start) == UC_ERR_OK &&
           uc_context_save(uc, p->start) == UC_ERR_OK &&
           uc_mem_map_ptr(uc, 0, ROOM_BYTES, UC_PROT_ALL, p->room) ==
               UC_ERR_OK &&
           uc_hook_add(uc, &hook, UC_HOOK_TLB_FILL, (void *)on_fill, p, 1, 0) ==
               UC_ERR_OK &&
           uc_hook_add(uc, &hook, UC_HOOK_INTR, (void *)on_interrupt, p, 1,
                       0) == UC_ERR_OK &&
           uc_hook_add(uc, &hook, UC_HOOK_INSN_INVALID, (void *)on_invalid, p,
                       1, 0) == UC_ERR_OK;
}

static void probe_close(struct probe *p)
{
    if (p->start)
        uc_context_free(p->start);
    engine_close(&p->engine);
    free(p->room);
}

void errata_run(struct probe *p)
{
    p->vector = NO_VECTOR;
    uc_emu_start(p->engine.uc, CODE_AT, 0, 0, 0);
}

/* Everything as it was at the start, and this row's code in the room. */
static void prepare(struct probe *p, const struct errata_test *t)
{
    static const uint8_t patched[] = {0xB8, 0, 0, 0, 0, 0xC3,  /* mov; ret */
                                      0xB8, 0, 0, 0, 0, 0xC3}; /* again */
    struct live *l = &p->engine.live;

    uc_context_restore(p->engine.uc, p->start);
    uc_ctl_remove_cache(p->engine.uc, (uint64_t)0, (uint64_t)ROOM_BYTES);
    uc_ctl_flush_tlb(p->engine.uc);
    memset(p->room, OP_HLT, ROOM_BYTES);
    memcpy(p->room + CODE_AT, t->code, t->bytes);
    memcpy(p->room + PATCHED_AT, patched, sizeof patched);
    memset(l->regs, 0, 8 * sizeof *l->regs);
    l->regs[GPR_EAX] = t->eax;
    l->regs[GPR_ESP] = STACK_AT;
    *l->hflags = (*l->hflags & ~(uint32_t)HF_CPL) | t->cpl;
}

static bool departs(struct probe *p, const struct errata_test *t)
{
    prepare(p, t);
    errata_run(p);
    return t->departs(p);
}

/* The child has its own copy of the engine. */
static bool dies(struct probe *p, const struct errata_test *t)
{
    const struct rlimit none = {0, 0};
    const struct itimerval patience = {.it_value.tv_usec = CHILD_MICROSECONDS};
    pid_t child = fork();
    int status;

    if (child == 0) {
        setrlimit(RLIMIT_CORE, &none);
        close(STDERR_FILENO);
        setitimer(ITIMER_REAL, &patience, NULL);
        _exit(departs(p, t));
    }
    return child < 0 || waitpid(child, &status, 0) != child ||
           !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* ---- the sheet ---------------------------------------------------------- */

const struct erratum *errata_list(void)
{
    static struct erratum *list;
    struct probe p;
    bool ready;

    if (list)
        return list;
    list = calloc(errata_tests_count, sizeof *list);
    if (!list)
        return NULL;
    ready = probe_open(&p);
    for (size_t i = 0; i < errata_tests_count; i++) {
        const struct errata_test *t = &errata_tests[i];
        bool present = !ready || (t->lethal ? dies(&p, t) : departs(&p, t));

        list[i] = (struct erratum){
            present ? t->if_present : ERRATUM_ABSENT,
            t->name,
            t->behaviour,
            t->cure,
        };
    }
    probe_close(&p);
    return list;
}

size_t errata_count(void)
{
    return errata_tests_count;
}
