/* SPDX-License-Identifier: MIT */
/* cpu/state.h - the architectural state of one x86-32 processor, as data.
 *
 * Both processors of this project have this shape: the machine's real one
 * (read from and written to the engine), and the virtual one a guest believes
 * it has. What the architecture does to the state (deliver an interrupt,
 * return from one, load a segment, switch tasks) is written once, in
 * cpu/arch.h, and serves both.
 */
#ifndef CPU_STATE_H
#define CPU_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/x86.h"

/* A segment register with its hidden part. limit is the last valid offset in
 * bytes (granularity applied). attr uses the SEG_ bits; 0 means null. */
struct segment {
    uint32_t base;
    uint32_t limit;
    uint16_t selector;
    uint16_t attr;
};

struct table_reg {
    uint32_t base;
    uint16_t limit;
};

struct cpu_state {
    uint32_t gpr[GPR_COUNT];
    uint32_t eip;
    uint32_t eflags;
    struct segment seg[SEG_COUNT];
    struct segment ldtr;
    struct segment tr;
    struct table_reg gdtr;
    struct table_reg idtr;
    uint32_t cr0, cr2, cr3, cr4;
    uint32_t dr[8];
    uint32_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t tsc_offset; /* TSC = virtual clock + this */
    uint64_t apicbase;
    uint64_t pat;
    uint64_t misc_enable;
    uint64_t efer;
    uint64_t pdpte[4]; /* PAE paging: registers, loaded with CR3 */
    uint8_t cpl;
    bool interrupt_shadow; /* the one instruction after STI or MOV/POP SS */
    bool nmi_blocked;      /* from an NMI's delivery to the next IRET */
    bool halted;
};

static inline bool state_protected(const struct cpu_state *s)
{
    return (s->cr0 & CR0_PE) != 0;
}

static inline bool state_pae(const struct cpu_state *s)
{
    return (s->cr0 & CR0_PG) && (s->cr4 & CR4_PAE);
}

static inline bool state_vm86(const struct cpu_state *s)
{
    return state_protected(s) && (s->eflags & EFL_VM) != 0;
}

static inline unsigned state_iopl(const struct cpu_state *s)
{
    return (s->eflags & EFL_IOPL) >> EFL_IOPL_SHIFT;
}

/* A fault: what the processor raises instead of finishing an instruction. */
struct fault {
    uint8_t vector;
    bool has_error;
    uint32_t error;
    uint32_t cr2; /* for VEC_PF: the faulting linear address */
};

/* How the architecture's procedures reach memory. Addresses are linear;
 * size is 1, 2 or 4; an access may cross a page. user asks for a check at
 * privilege 3, otherwise the access is a supervisor one (tables, inner
 * stacks). On a page fault: false, and f is filled. */
struct mem_ops {
    bool (*read)(void *ctx, uint32_t linear, unsigned size, bool user,
                 uint32_t *value, struct fault *f);
    bool (*write)(void *ctx, uint32_t linear, unsigned size, bool user,
                  uint32_t value, struct fault *f);
    /* The bytes themselves, where they lie in one page of plain memory and the
     * access is allowed, sets no bit and concerns nobody else; they may be used
     * until something else happens, and with write all must be written. NULL:
     * only read() and write() will do. May be NULL itself. */
    void *(*span)(void *ctx, uint32_t linear, unsigned bytes, bool write,
                  bool user);
    void *ctx;
    /* The 8 bytes at a physical address: PAE paging loads its registers from
     * there with CR3. NULL: 0, which is not present. */
    bool (*read_physical)(void *ctx, uint32_t address, uint64_t *value,
                          struct fault *f);
    /* Read or write 4 bytes of a descriptor in the GDT or LDT, where that is no
     * access like others. NULL: it is. */
    bool (*descriptor)(void *ctx, uint32_t linear, bool write, uint32_t *value,
                       struct fault *f);
    /* A task switch loads CR3 midway: from now on translate by this one, and
     * these PDPTE registers. NULL where one address space is enough. */
    void (*switch_cr3)(void *ctx, uint32_t cr3, const uint64_t *pdpte);
    /* A task switch, all checks passed, is refused by a fault with vector
     * VEC_TASK_SWITCH: error is the selector, cr2 why (enum task_switch_by). */
    bool task_switch_exits;
};

/* No vectors of the architecture: why an access makes a guest exit. */
#define VEC_TASK_SWITCH 0xFE
#define VEC_EPT         0xFD /* refused by the nested tables */
enum task_switch_by { SWITCH_BY_CALL, SWITCH_BY_IRET, SWITCH_BY_JMP };

#endif
