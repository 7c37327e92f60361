/* SPDX-License-Identifier: MIT */
/* cpu/machine.h - the machine: one x86-32 processor, its MMU, its memory and
 * its clock. The hardware, and nothing above it.
 *
 * Who owns the machine is its client. Without an exit handler the software
 * that runs owns it: exceptions and interrupts go through its own IDT (this is
 * the bare machine). With one, a monitor owns it: every exception, software
 * interrupt and page fault goes to the handler instead, and nothing is
 * delivered through any table.
 *
 * The clock counts retired instructions (a pass of a REP counts as
 * one, the last that finds its count 0 included), RDTSC as RDTSC_CYCLES and
 * PAUSE as PAUSE_CYCLES of them: they are slow on silicon too, and delay loops
 * would never end. One cycle is one nanosecond of virtual time. It does not
 * depend on the host, on tracing, or on single-stepping.
 *
 * Reference: SDM 3A, "Protected-Mode Memory Management", "Paging",
 * "Interrupt and Exception Handling".
 */
#ifndef CPU_MACHINE_H
#define CPU_MACHINE_H

#include "cpu/arch.h"
#include "cpu/decode.h"
#include "cpu/memory.h"
#include "cpu/paging.h"
#include "cpu/state.h"
#include "trace/trace.h"

struct machine;

/* PAUSE took about 10 cycles up to Broadwell and takes up to 140 from Skylake
 * on (Intel 64 and IA-32 Architectures Optimization Reference Manual). */
enum { RDTSC_CYCLES = 64, PAUSE_CYCLES = 100 };

/* What happened, for a client with an exit handler. */
enum machine_exit_kind {
    MX_EXCEPTION,  /* vector, error; EIP is the instruction (faults) */
    MX_SOFTWARE,   /* INT n, INT3, INTO; EIP is the instruction */
    MX_PAGE_FAULT, /* linear, error */
};

struct machine_exit {
    enum machine_exit_kind kind;
    uint8_t source; /* MX_SOFTWARE: enum arch_source */
    uint8_t vector;
    bool has_error;
    uint32_t error;
    uint32_t linear;   /* MX_PAGE_FAULT: CR2 */
    uint32_t next_eip; /* MX_SOFTWARE: behind the instruction */
};

struct machine_client {
    /* Those before owner are called with it, the others with ctx.
     *
     * A monitor's exit handler; NULL: bare. Called at an instruction boundary;
     * may change the state (machine_set_state) and memory. */
    void (*exit)(void *owner, const struct machine_exit *e);
    /* At an instruction boundary, when the deadline has come or
     * machine_attend() asked for it. A monitor that is in the middle of
     * something calls machine_request_step(), and machine_attend() when it was
     * stepped; from here it would be asked again without end. */
    void (*attend)(void *owner);
    /* The instruction of machine_request_step() ran, or faulted (then exit()
     * was called first, and did not ask to run it again). */
    void (*stepped)(void *owner);
    /* The guest left VMX non-root operation; the VMCS says why (cpu/vmx.h).
     * Must enter it again or stop the machine. */
    void (*vm_exit)(void *owner);
    /* A watched instruction (machine_watch) is about to execute. */
    void (*watched)(void *owner, const struct insn *insn);
    /* How many instructions the one at this linear address counts for, in the
     * monitor's own code (machine_set_weighed). Asked when a block is looked at
     * for the first time; the answer holds until the code changes. */
    uint32_t (*weight)(void *owner, uint32_t linear);
    /* Is the instruction at this linear address, in the same code, one that
     * reaches the monitor's data (machine_set_own_space)? */
    bool (*owns)(void *owner, uint32_t linear);
    /* Machine addresses without memory. */
    uint32_t (*mmio_read)(void *owner, ma_t ma, unsigned size);
    void (*mmio_write)(void *owner, ma_t ma, unsigned size, uint32_t value);
    void *owner;
    /* Bare: the pending interrupt's vector (-1: none after all). */
    int (*acknowledge)(void *ctx);
    /* The I/O space. */
    uint32_t (*port_read)(void *ctx, uint16_t port, unsigned size);
    void (*port_write)(void *ctx, uint16_t port, unsigned size, uint32_t value);
    /* IA32_APICBASE belongs to the local APIC. False: #GP. */
    uint64_t (*apicbase)(void *ctx);
    bool (*set_apicbase)(void *ctx, uint64_t value);
    void *ctx;
};

struct machine_config {
    uint64_t memory_bytes; /* a multiple of 4 KiB, below 3.5 GiB */
    struct machine_client client;
    struct trace *trace;
    /* Call the block hook before every block (cpu/clock.h). It is slower, and
     * must not be different otherwise: for the proof. */
    bool plain_clock;
    /* The TLB: entries, and of how many in a set (cpu/tlb.h; 0: default). */
    unsigned tlb_entries, tlb_ways;
};

/* Create a machine, reset, with zeroed memory. NULL and one line in *error
 * (to free): no host memory, or a CPU library that is not understood. */
struct machine *machine_create(const struct machine_config *config,
                               char **error);
void machine_destroy(struct machine *m);

const struct memory *machine_memory(const struct machine *m);

enum machine_stop {
    MACHINE_STOPPED, /* machine_stop() was called */
    MACHINE_STEPPED, /* machine_step(): one instruction retired */
    MACHINE_FAULTED, /* machine_step(): it faulted or trapped instead */
    MACHINE_HALTED,  /* HLT: nothing to do until an interrupt */
    MACHINE_TRIPLE_FAULT,
    MACHINE_BROKEN, /* our own bug or the engine's: machine_broken() */
};

/* Run until something stops it. */
enum machine_stop machine_run(struct machine *m);

/* Run one instruction (one iteration of a REP). Interrupts are looked at
 * first only where machine_run would have looked. */
enum machine_stop machine_step(struct machine *m);

/* Does the engine get the flags of this instruction wrong: SETcc, RCL, RCR and
 * CMPXCHG8B in memory, where they fault; LOOPE and LOOPNE, where the count runs
 * out; LOCK NEG? The machine executes those itself, but not in the monitor's
 * own code. */
bool machine_loses_flags(const struct insn *insn);

/* From an exit handler: run the current instruction alone, then call
 * client.stepped, before anything else. */
void machine_request_step(struct machine *m);

/* The next instruction is to run alone, and client.stepped to be called then,
 * but after what is due between two instructions (deadlines, interrupts,
 * stops). on false: not any more. */
void machine_step_next(struct machine *m, bool on);

/* Ask machine_run to return at the next instruction boundary it can stop at;
 * callable from every callback. */
void machine_stop(struct machine *m);

/* A flag that somebody outside sets (a signal, a key): client.attend is called
 * at the first boundary at which the machine sees it. It looks whenever the
 * engine returns, which slow code makes it do all the time; fast code comes to
 * its deadline instead. NULL: none. */
void machine_set_interrupted(struct machine *m, const volatile bool *flag);

/* What broke, one line. */
const char *machine_broken(const struct machine *m);
/* The events a triple fault ran through. */
const struct arch_chain *machine_triple_fault(const struct machine *m);

/* The processor's state. Setting it empties the TLB only when CR0, CR3, CR4 or
 * EFER change. Not from port, MMIO or watch callbacks. */
void machine_get_state(const struct machine *m, struct cpu_state *s);
void machine_set_state(struct machine *m, const struct cpu_state *s);

/* A state that is about to be set holds other CR0, CR3 or CR4: with PAE paging
 * on, load its PDPTE registers from machine memory, as MOV to those registers
 * would. (The registers are copies: who changes the four words in memory must
 * load them again.) False: reserved bits; nothing was loaded. */
bool machine_load_pdptes(struct machine *m, struct cpu_state *s);

/* The parts of it that running code changes: general registers, EIP, EFLAGS,
 * segment registers, privilege, interrupt shadow, halted; and CR2. The rest of
 * *s is left alone; setting requires that it is what was set last. */
void machine_get_running(const struct machine *m, struct cpu_state *s);
void machine_set_running(struct machine *m, const struct cpu_state *s);

/* Of these the frame registers: what an interrupt's frame holds (SS, ESP,
 * EFLAGS, CS, EIP), privilege, interrupt shadow, halted; and CR2. */
void machine_get_frame(const struct machine *m, struct cpu_state *s);
void machine_set_frame(struct machine *m, const struct cpu_state *s);
/* The others: general registers but ESP, data segments. */
void machine_get_rest(const struct machine *m, struct cpu_state *s);

/* Linear memory as the processor sees it (page walks set A and D bits). */
struct mem_ops machine_mem_ops(struct machine *m);

/* Single registers, for a monitor's short exits: what the processor holds at
 * the instant. Valid in client.exit, attend and stepped. */
uint32_t machine_reg(const struct machine *m, enum gpr reg);
void machine_set_reg(struct machine *m, enum gpr reg, uint32_t value);
/* Where a memory operand with 32-bit addresses is in its segment, and whether
 * that is all of linear memory, from 0, with the right to write if write. */
uint32_t machine_offset(const struct machine *m, const struct operand *op);
bool machine_flat(const struct machine *m, enum seg_reg seg, bool write);
uint32_t machine_eip(const struct machine *m);
void machine_set_eip(struct machine *m, uint32_t eip);
uint32_t machine_eflags(const struct machine *m);
/* CF PF AF ZF SF OF alone. */
void machine_set_arith_flags(struct machine *m, uint32_t eflags);

/* The linear range [first, last] holds code that the monitor made (first >
 * last: none). The clock asks client.weight about it; INT3 there goes to
 * client.exit at once (MX_SOFTWARE, vector 3); no instruction there but RDTSC
 * is replaced, so there may be none of those that the processor gets wrong
 * (IN, WRMSR...; a LOCK form that the manual forbids makes its page
 * run one instruction at a time). */
void machine_set_weighed(struct machine *m, uint32_t first, uint32_t last);

/* The monitor's own 4 MiB of linear space, at a multiple of that, which it maps
 * with supervisor rights into all of its tables. Nothing is there for others:
 * their accesses are page faults for a page that is not present, whatever the
 * tables say. The processor reaches descriptor tables there, fetches the
 * monitor's own code, and lets those instructions of it that client.owns names
 * reach, as their first or only operand in memory, the data of
 * machine_own_page(): at a constant address, or at one that is computed and
 * always in the space. (Where the CPU library's code is not understood, the
 * space is open: paging alone protects it.) */
void machine_set_own_space(struct machine *m, uint32_t linear);
/* Page n of it is data: this machine page. The tables say the same. */
void machine_own_page(struct machine *m, unsigned page, ma_t ma, bool writable);

/* Time. */
uint64_t machine_now(const struct machine *m);
/* The same for a trace; the machine's own. */
const struct trace_clock *machine_clock(const struct machine *m);
/* Count an instruction that was done for the processor (or take it back). */
void machine_retire(struct machine *m, int instructions);
/* An event goes through the guest's own interrupt table. One that follows
 * another with nothing retired in between takes a cycle: a guest whose handler
 * faults for ever must not stop the clock. */
void machine_event_taken(struct machine *m);
/* The clock for RDTSC, which takes RDTSC_CYCLES. */
uint64_t machine_read_clock(struct machine *m);
void machine_skip_to(struct machine *m, uint64_t cycles); /* idle time */
void machine_set_deadline(struct machine *m, uint64_t cycles);
void machine_attend(struct machine *m);
void machine_set_now(struct machine *m, uint64_t cycles); /* restore */

/* Halted: machine_run returns MACHINE_HALTED until an interrupt is taken (bare)
 * or the monitor says otherwise. */
void machine_set_halted(struct machine *m, bool halted);

/* What CPUID says, out in the order EAX EBX ECX EDX. */
void machine_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* Pins. */
void machine_set_intr(struct machine *m, bool level);
void machine_raise_nmi(struct machine *m);

/* The TLB of whom runs, global pages included: all of it, or the page of an
 * address, which may be a large one. */
void machine_flush_tlb(struct machine *m);
void machine_flush_page(struct machine *m, uint32_t linear);

/* Instructions to be shown to client.watched before they execute, wherever
 * they do at privilege 1 or 2: bits of 1 << enum insn_class. */
void machine_watch(struct machine *m, unsigned classes);

/* Somebody other than the processor wrote machine memory: translations of
 * code there are dropped. */
void machine_memory_written(struct machine *m, ma_t ma, uint64_t bytes);
/* The same for a few bytes of the monitor's own code: only translations of
 * these bytes are dropped, and the page stays code. */
void machine_code_patched(struct machine *m, ma_t ma, uint64_t bytes);

/* Save and restore the processor (with FPU and MSRs) and the clock; memory is
 * the caller's. NULL buffer: the bytes needed. */
size_t machine_save(const struct machine *m, void *buffer, size_t bytes);
bool machine_restore(struct machine *m, const void *buffer, size_t bytes);

/* Walk the tables the processor uses, without side effects. */
struct hw_walk {
    bool present;                       /* a translation exists, */
    ma_t ma;                            /* to here */
    const struct paging_format *format; /* of the tables; NULL: none */
    struct paging_walk walk;            /* their entries, and rights */
};
void machine_walk(const struct machine *m, uint32_t linear,
                  struct hw_walk *walk);

#endif
