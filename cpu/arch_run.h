/* SPDX-License-Identifier: MIT */
/* cpu/arch_run.h - one architectural procedure in progress (cpu/arch*.c only).
 *
 * The manual's pseudo-code says "#GP(selector)" in the middle of a step and
 * means: stop here, nothing happened. A procedure therefore works on a copy of
 * the state, and run_raise() leaves it by longjmp; only a procedure that ends
 * (or a task switch past its point of no return) replaces the caller's state.
 *
 * Owner: a struct arch_run lives on the caller's stack for one call.
 */
#ifndef CPU_ARCH_RUN_H
#define CPU_ARCH_RUN_H

#include <setjmp.h>

#include "cpu/arch.h"

struct arch_run {
    struct cpu_state s; /* the working copy */
    const struct mem_ops *mem;
    struct fault fault; /* why the procedure was left */
    uint32_t ext;       /* 1: errors carry the EXT bit */
    bool committed;     /* s counts even if the procedure is left */
    bool debug_trap;    /* the new task's TSS has its T bit set */
    jmp_buf escape;
};

/* A descriptor as read, and where it lies. */
struct descriptor {
    uint32_t low, high;
    uint32_t linear;
    uint16_t selector;
};

/* A stack to push on or pop from; written back by run_set_stack(). */
struct stack {
    struct segment ss;
    uint32_t esp;
    uint16_t error; /* selector part of #SS when it overflows */
    bool user;
};

typedef void run_procedure(struct arch_run *r, void *args);

/* Do procedure on a copy of *s; true commits. False: *f says why. */
bool run_try(struct cpu_state *s, const struct mem_ops *mem, uint32_t ext,
             run_procedure *procedure, void *args, struct fault *f);

_Noreturn void run_raise(struct arch_run *r, uint8_t vector, uint32_t error);
_Noreturn void run_raise_plain(struct arch_run *r, uint8_t vector);

/* Memory; page faults leave the procedure. */
uint32_t run_read(struct arch_run *r, uint32_t linear, unsigned size,
                  bool user);
/* 4 bytes of a descriptor. */
void run_descriptor(struct arch_run *r, uint32_t linear, bool write,
                    uint32_t *value);
void run_write(struct arch_run *r, uint32_t linear, unsigned size, bool user,
               uint32_t value);

/* Descriptors. vector is raised with the selector as its error code. */
struct descriptor run_fetch(struct arch_run *r, uint16_t selector,
                            uint8_t vector);
bool run_find(struct arch_run *r, uint16_t selector, struct descriptor *d);
void run_set_type_bits(struct arch_run *r, struct descriptor *d, uint32_t set,
                       uint32_t clear);
struct segment run_accessed(struct arch_run *r, struct descriptor *d,
                            uint16_t selector);
struct segment run_real_segment(const struct arch_run *r, enum seg_reg reg,
                                uint16_t selector);

static inline uint16_t desc_attr(const struct descriptor *d)
{
    return (uint16_t)(d->high >> 8 & SEG_ATTR_MASK);
}
static inline unsigned desc_type(const struct descriptor *d)
{
    return d->high >> 8 & SEG_TYPE;
}
static inline unsigned desc_dpl(const struct descriptor *d)
{
    return d->high >> 13 & 3;
}
static inline bool desc_present(const struct descriptor *d)
{
    return (d->high & SEG_P << 8) != 0;
}
static inline bool desc_system(const struct descriptor *d)
{
    return (d->high & SEG_S << 8) == 0;
}
static inline bool desc_code(const struct descriptor *d)
{
    return !desc_system(d) && (d->high & SEG_CODE << 8) != 0;
}
static inline bool desc_conforming(const struct descriptor *d)
{
    return desc_code(d) && (d->high & SEG_CONFORM << 8) != 0;
}
static inline bool desc_writable(const struct descriptor *d)
{
    return !desc_system(d) && !desc_code(d) &&
           (d->high & SEG_WRITABLE << 8) != 0;
}
static inline uint16_t gate_selector(const struct descriptor *d)
{
    return (uint16_t)(d->low >> 16);
}
/* 32-bit gates and TSSs have bit 3 of their type set. */
static inline bool desc_is32(const struct descriptor *d)
{
    return (desc_type(d) & 8) != 0;
}
static inline uint32_t gate_offset(const struct descriptor *d)
{
    uint32_t low = d->low & 0xFFFF;
    return desc_is32(d) ? (d->high & 0xFFFF0000u) | low : low;
}
static inline uint32_t sel_error(uint32_t selector)
{
    return selector & (SEL_INDEX | SEL_TI);
}

/* Stacks. */
struct stack run_stack(const struct arch_run *r);
void run_set_stack(struct arch_run *r, const struct stack *st);
void stack_push(struct arch_run *r, struct stack *st, unsigned size,
                uint32_t value);
uint32_t stack_pop(struct arch_run *r, struct stack *st, unsigned size);
void stack_skip(struct stack *st, uint32_t bytes);
struct stack run_inner_stack(struct arch_run *r, unsigned dpl);
struct stack run_outer_stack(struct arch_run *r, uint16_t selector,
                             uint32_t esp, unsigned cpl, unsigned size);

/* CS. */
void run_set_cs(struct arch_run *r, const struct segment *cs, uint32_t eip,
                unsigned cpl);
void run_check_eip(struct arch_run *r, const struct segment *cs, uint32_t eip);
void run_load_real_cs(struct arch_run *r, uint16_t selector, uint32_t eip);
struct descriptor run_fetch_return_cs(struct arch_run *r, uint16_t selector);
void run_drop_inner_segments(struct arch_run *r);
void run_load_vm86(struct arch_run *r, enum seg_reg reg, uint16_t selector);
uint32_t flags_merge(uint32_t old, uint32_t value, uint32_t mask);
void run_load_data(struct arch_run *r, enum seg_reg reg, uint16_t selector,
                   bool in_task_switch);

/* Where an event's frame leads back to. */
uint32_t event_return(const struct cpu_state *s, const struct arch_event *e);
/* The flags that IRET may change, by the privilege before the return. */
uint32_t iret_flags(const struct cpu_state *s, unsigned size);

/* Task switches. */
enum task_reason { TASK_JUMP, TASK_CALL, TASK_IRET };
struct descriptor run_fetch_tss(struct arch_run *r, uint16_t selector,
                                uint8_t vector, bool busy);
void run_task_switch(struct arch_run *r, struct descriptor *tss,
                     enum task_reason reason, uint32_t old_eip);

#endif
