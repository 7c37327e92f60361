/* SPDX-License-Identifier: MIT */
/* cpu/engine.h - the software CPU underneath the machine.
 *
 * Unicorn executes x86 code but has no interface for much of what a machine
 * must do: change the privilege level, read an exception's error code, forget
 * an exception in flight. Those live in the engine's CPU state in memory. At
 * start every field is found by calibration (known values are put in through
 * the public interface, or by running an instruction, and looked for), and a
 * library whose layout is not understood is refused.
 *
 * Only cpu/ includes this header; only cpu/engine.c and its neighbours name
 * Unicorn.
 */
#ifndef CPU_ENGINE_H
#define CPU_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unicorn/unicorn.h>

#include "cpu/state.h"

/* The engine's own copy of a segment register. */
struct live_segment {
    uint32_t selector;
    uint32_t pad;
    uint64_t base;
    uint32_t limit;
    uint32_t flags; /* a descriptor's second word, masked */
};

enum {
    EXIT_REQUESTS = 2,
    ENGINE_REFUSED = 0x100, /* to the interrupt hook: the fill hook refused */
};

/* Pointers into the running CPU's state. Valid for the engine's life. They may
 * be written inside an interrupt hook and between runs, nowhere else. */
struct live {
    uint64_t *regs; /* EAX ECX EDX EBX ESP EBP ESI EDI, 64 bits each; behind
                     * them those that only 64-bit code has */
    uint64_t *eip;
    uint64_t *eflags; /* without the arithmetic flags and DF */
    uint64_t *cc_src;
    uint32_t *cc_op;
    int32_t *df;
    uint32_t *hflags;
    uint32_t *hflags2;
    struct live_segment *seg; /* ES CS SS DS FS GS */
    struct live_segment *ldt, *tr, *gdt, *idt;
    uint64_t *cr; /* CR0..CR4 */
    int32_t *error_code;
    int32_t *exception_is_int;
    uint64_t *exception_next_eip;
    int32_t *old_exception;
    const uint64_t *invalid_address; /* of the access a fill refused */
    uint32_t *exit_word; /* upper half all ones: leave at the next block. The
                          * engine has no use for the lower half. NULL: not
                          * found */
    /* With these a refused access is an exception like others: */
    int32_t *exception_index; /* NULL: it leaves uc_emu_start() instead */
    uint8_t *exit_request[EXIT_REQUESTS]; /* the second may be NULL */
    int32_t *error;                       /* what uc_emu_start() will return */
};

/* The engine's derived flags (hflags) that the machine touches. */
enum {
    HF_CPL = 3u,
    HF_INHIBIT_IRQ = 1u << 3,
    HF_CS32 = 1u << 4,
    HF_SS32 = 1u << 5,
    HF_ADDSEG = 1u << 6,
    HF_PE = 1u << 7,
    HF_TF = 1u << 8, /* set alone: single step the guest does not see */
    HF_MP = 1u << 9,
    HF_EM = 1u << 10,
    HF_TS = 1u << 11,
    HF2_NMI = 1u << 2, /* NMI blocked until IRET */
};

struct engine {
    uc_engine *uc;
    struct live live;
    void *probe_memory;
};

/* Open an engine and calibrate it. False with one line in *error (to free):
 * what is wrong with the library and what to install. */
bool engine_open(struct engine *e, char **error);
void engine_close(struct engine *e);

/* Where the TLB-fill hook refuses an access: let the engine tell the interrupt
 * hook, with ENGINE_REFUSED, before it leaves uc_emu_start() for it. */
void engine_report_refusal(struct engine *e);
/* In that hook: the refusal is dealt with, and the engine does not leave. */
void engine_take_refusal(struct engine *e);

/* The library's version, "2.1.1". */
const char *engine_version(void);

/* The architectural state, from and to the live CPU (the parts the CPU has;
 * MSRs, debug registers and the like belong to the machine). engine_store
 * writes CR0, CR3, CR4 only when they differ (that empties the CPU's TLB);
 * the two that load it are below. */
void engine_store(struct engine *e, const struct cpu_state *s);
/* The parts of it that running code changes: general registers, EIP, EFLAGS,
 * segment registers, privilege, interrupt shadow; and CR2. */
void engine_load_running(const struct engine *e, struct cpu_state *s);
void engine_store_running(struct engine *e, const struct cpu_state *s);
/* Of these all but the frame registers. */
void engine_load_rest(const struct engine *e, struct cpu_state *s);
/* Of these the frame registers: what an interrupt and IRET change (SS, ESP,
 * EFLAGS, CS, EIP, privilege, interrupt shadow, CR2). */
void engine_load_frame(const struct engine *e, struct cpu_state *s);
void engine_store_frame(struct engine *e, const struct cpu_state *s);
/* The others: tables, task, control registers, NMI blocking. */
void engine_load_system(const struct engine *e, struct cpu_state *s);

uint32_t engine_eflags(const struct engine *e);
void engine_set_eflags(struct engine *e, uint32_t value);
/* The arithmetic flags alone (between an exception's hook and going on). */
void engine_set_arith_flags(struct engine *e, uint32_t value);

/* To be called before every start of the engine. */
void engine_before_run(struct engine *e);

#endif
