/* SPDX-License-Identifier: MIT */
/* cpu/arch.h - what the processor does in system-level steps, written once.
 *
 * Each function changes a struct cpu_state exactly as the manual's pseudo-code
 * for the operation says, reading and writing memory through struct mem_ops.
 * The bare machine calls them for the steps its engine leaves to us (event
 * delivery, task switches); a virtual machine monitor calls them on a virtual
 * processor's state for every sensitive operation it emulates.
 *
 * A function that can fault returns false with f filled and leaves the state
 * as it was (memory already written, such as part of a stack frame, stays
 * written, as on hardware). The one exception is a task switch past its point
 * of no return: a fault while loading the new task's segments belongs to the
 * new task, so the state is the new task's; likewise the #DB (without error
 * code) of a TSS whose T bit is set.
 *
 * Reference: SDM 2 (operation sections), SDM 3A, "Protection", "Interrupt and
 * Exception Handling", "Task Management", "8086 Emulation".
 */
#ifndef CPU_ARCH_H
#define CPU_ARCH_H

#include "cpu/state.h"

/* What this processor has. A write of any other CR4 bit is #GP(0); the other
 * CR0 bits read as 0, except ET which reads as 1. */
#define ARCH_CR0_BITS                                                          \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM |   \
     CR0_NW | CR0_CD | CR0_PG)
#define ARCH_CR4_BITS                                                          \
    (CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE |      \
     CR4_OSFXSR | CR4_OSXMMEXCPT)
/* The same of IA32_EFER: a write of any other is #GP(0). */
#define ARCH_EFER_BITS EFER_NXE

/* An event to deliver through the interrupt table. */
enum arch_source {
    ARCH_EXCEPTION, /* a fault, trap or abort the processor raised */
    ARCH_SOFTWARE,  /* INT n: gate DPL is checked */
    ARCH_ICEBP,     /* INT1: like a hardware event, no DPL check */
    ARCH_EXTERNAL,  /* interrupt pin or local APIC */
    ARCH_NMI,
    ARCH_INT3_INTO, /* like INT n, but VM86 may use them below IOPL 3 */
};

struct arch_event {
    uint8_t vector;
    uint8_t source; /* enum arch_source */
    bool has_error;
    uint32_t error;
    uint32_t cr2;      /* for VEC_PF; written to state->cr2 on delivery */
    uint32_t next_eip; /* after INT n, INT3, INTO, INT1 */
};

/* What a failed delivery ran through, for the triple-fault report. */
struct arch_chain {
    unsigned count; /* events tried, at most 3 */
    struct arch_event event[3];
};

enum arch_result { ARCH_OK, ARCH_TRIPLE_FAULT };

/* Deliver an event: protected mode gates (interrupt, trap, task), inner stack
 * from the TSS, error code, VM86, real mode. Faults met on the way are
 * classified (benign, contributory, page fault) and delivered instead, as a
 * double fault where the manual says so, with the EXT bit for external causes.
 * chain may be NULL. Sets RF in the pushed image of faults, clears TF NT VM RF
 * (and IF for interrupt gates), sets nmi_blocked for an NMI.
 * SDM 3A, "Interrupt 8 - Double Fault Exception". */
enum arch_result arch_deliver(struct cpu_state *s, const struct mem_ops *mem,
                              const struct arch_event *event,
                              struct arch_chain *chain);

/* The same in pieces, for whoever looks between: one event, or *f; and what is
 * to be delivered when f was raised on first's way (false: a triple fault).
 * Whoever wants a chain of it adds each event before it is tried. */
bool arch_deliver_once(struct cpu_state *s, const struct mem_ops *mem,
                       const struct arch_event *event, struct fault *f);
bool arch_escalate(const struct arch_event *first, const struct fault *f,
                   struct arch_event *second);
void arch_chain_add(struct arch_chain *chain, const struct arch_event *event);

/* The usual case of arch_deliver(), quickly: a flat 32-bit protected mode, a
 * 32-bit gate, nothing in the way (cpu/arch_plain.c). It reads of *s, and
 * changes, only the frame registers (CS, EIP, EFLAGS, SS, ESP, with CPL and the
 * interrupt shadow), CR2 and halted; besides it reads CR0, GDTR, IDTR and TR.
 * False: it is another case, and nothing has changed. */
bool arch_deliver_plain(struct cpu_state *s, const struct mem_ops *mem,
                        const struct arch_event *event);

/* Load a data or stack segment register (MOV, POP, LDS...). */
bool arch_load_segment(struct cpu_state *s, const struct mem_ops *mem,
                       enum seg_reg reg, uint16_t selector, struct fault *f);
bool arch_lldt(struct cpu_state *s, const struct mem_ops *mem,
               uint16_t selector, struct fault *f);
bool arch_ltr(struct cpu_state *s, const struct mem_ops *mem, uint16_t selector,
              struct fault *f);

/* The flags in an event's frame: a fault has RF there. */
uint32_t arch_event_flags(const struct cpu_state *s,
                          const struct arch_event *e);

/* IRET with the given operand size (2 or 4). Reads the frame at SS:ESP. A task
 * that returns by NT goes on at next_eip when it is called again. */
bool arch_iret(struct cpu_state *s, const struct mem_ops *mem, unsigned size,
               uint32_t next_eip, struct fault *f);

/* Its usual case with 32 bits, as arch_deliver_plain(); to an outer level it
 * reads the rights of DS, ES, FS and GS, too. */
bool arch_iret_plain(struct cpu_state *s, const struct mem_ops *mem);

/* Far transfers. next_eip is the address after the instruction. */
bool arch_far_jump(struct cpu_state *s, const struct mem_ops *mem,
                   uint16_t selector, uint32_t offset, unsigned size,
                   uint32_t next_eip, struct fault *f);
bool arch_far_call(struct cpu_state *s, const struct mem_ops *mem,
                   uint16_t selector, uint32_t offset, unsigned size,
                   uint32_t next_eip, struct fault *f);
bool arch_far_return(struct cpu_state *s, const struct mem_ops *mem,
                     unsigned size, uint16_t release_bytes, struct fault *f);

/* POPF with the privilege rules of the current mode; value is the popped
 * image (size 2: upper half untouched). Pure: returns the new EFLAGS. */
uint32_t arch_popf(const struct cpu_state *s, uint32_t value, unsigned size);

/* LAR, LSL, VERR, VERW: true sets ZF. value is AR or limit where it applies. A
 * page fault on the descriptor table is reported through f (f->vector != 0xFF
 * on return false). */
bool arch_lar(struct cpu_state *s, const struct mem_ops *mem, uint16_t selector,
              uint32_t *value, struct fault *f);
bool arch_lsl(struct cpu_state *s, const struct mem_ops *mem, uint16_t selector,
              uint32_t *value, struct fault *f);
bool arch_verify(struct cpu_state *s, const struct mem_ops *mem,
                 uint16_t selector, bool write, struct fault *f);

/* May code at the state's privilege use ports [port, port + size)? False with
 * f filled (#GP(0), or a page fault on the bitmap). SDM 1, "I/O Permission Bit
 * Map". */
bool arch_io_allowed(const struct cpu_state *s, const struct mem_ops *mem,
                     uint16_t port, unsigned size, struct fault *f);

/* The rules for writing a control register: false with #GP(0) in f when the
 * value is refused; otherwise *value is what the register will hold. */
bool arch_check_cr0(const struct cpu_state *s, uint32_t *value,
                    struct fault *f);
bool arch_check_cr4(const struct cpu_state *s, uint32_t *value,
                    struct fault *f);

/* PAE paging is on: load the PDPTE registers from where CR3 says. False with
 * #GP(0) in f, and nothing loaded, when one is present and has reserved bits.
 * SDM 3A, "PDPTE Registers". */
bool arch_load_pdptes(struct cpu_state *s, const struct mem_ops *mem,
                      struct fault *f);

/* The bits of CR0 and CR4 whose change, with PAE paging on after it, loads the
 * registers anew. */
#define ARCH_CR0_LOADS_PDPTES (CR0_PG | CR0_CD | CR0_NW)
#define ARCH_CR4_LOADS_PDPTES (CR4_PAE | CR4_PGE | CR4_PSE)

/* A descriptor's eight bytes as a segment register's hidden part. */
struct segment arch_segment(uint16_t selector, uint32_t low, uint32_t high);

/* Are the size (>= 1) bytes at offset inside the segment's limit, expand-down
 * included? */
bool arch_segment_holds(const struct segment *seg, uint32_t offset,
                        uint32_t size);

/* The state after reset: real mode, CS F000:FFF0. */
void arch_reset(struct cpu_state *s);

static inline struct fault arch_fault(uint8_t vector, uint32_t error)
{
    return (struct fault){.vector = vector, .has_error = true, .error = error};
}

#endif
