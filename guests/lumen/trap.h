/* SPDX-License-Identifier: MIT */
/* trap.h - segments, gates, and what the stack holds inside a trap.
 *
 * Reference: SDM 3A, "Interrupt and Exception Handling".
 */
#ifndef LUMEN_TRAP_H
#define LUMEN_TRAP_H

#ifdef LUMEN_PV /* whose kernel knows that it is in ring 1 */
#define SEL_KERNEL_CODE 0x09
#define SEL_KERNEL_DATA 0x11
#else
#define SEL_KERNEL_CODE 0x08
#define SEL_KERNEL_DATA 0x10
#endif
#define SEL_USER_CODE 0x1B /* 0x18 with RPL 3                         */
#define SEL_USER_DATA 0x23
#define SEL_TSS       0x28

#define VEC_DE         0
#define VEC_BP         3
#define VEC_UD         6
#define VEC_GP         13
#define VEC_PF         14
#define VEC_EXCEPTIONS 32
#define VEC_IRQ        32 /* IRQ 0..15 are vectors 32..47            */
#define VEC_SYSCALL    0x80

#define TICK_HZ    100u
#define IRQ_TIMER  0
#define IRQ_SERIAL 4
#define IRQ_DISK   14

#define FRAME_CS 52 /* offsetof(struct trap_frame, cs)         */
#define USER_BIT 2  /* of a selector: ring 3, not 0 or 1       */

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

/* Pushed by trap.S up to ds, by a stub (vector, and 0 where the CPU pushes no
 * error code), and by the CPU. ESP and SS only if it came from ring 3. */
struct trap_frame {
    uint32_t edi, esi, ebp, esp_unused, ebx, edx, ecx, eax;
    uint32_t es, ds;
    uint32_t vector, error;
    uint32_t eip, cs, eflags;
    uint32_t esp, ss;
};

static inline bool frame_is_user(const struct trap_frame *frame)
{
    return (frame->cs & 3) == 3;
}

void gdt_init(void);
void tss_set_stack(uint32_t esp0);
extern uint32_t gdt_address(void);

void idt_init(void);
extern uint32_t idt_address(void);

void pic_init(void);
void pic_unmask(uint32_t irq);
uint8_t pic_requests(void); /* IRQ 0..7 raised, not taken          */

struct trap_frame;
/* The controller interrupted; calls irq_dispatch() for each request. */
void pic_interrupt(const struct trap_frame *frame);
void irq_dispatch(uint32_t irq, bool from_user);

void timer_init(void);
uint32_t timer_ticks(void);
void timer_interrupt(bool from_user);

void trap_enter(struct trap_frame *frame);
void trap_leave(struct trap_frame *frame);
void syscall_dispatch(struct trap_frame *frame);

_Noreturn void panic(const struct trap_frame *frame, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A kernel exception that a self-test expects: trap.c copies the frame to
 * `seen` and goes on at `resume`. */
struct trap_probe {
    volatile bool armed, hit;
    uint32_t resume, cr2;
    struct trap_frame seen;
};
extern struct trap_probe trap_probe;

#endif
#endif
