/* SPDX-License-Identifier: MIT */
/* pvtest.c - a paravirtual kernel that only tests the interface. The command
 * line says what; the exit value is 0 if all went as it must.
 *
 *   mask        store to the upcall mask a hundred thousand times
 *   upcall      an event waits for the mask, and comes once
 *   ring3       a program makes a hypercall
 *   wild=SEED   3000 hypercalls with any arguments
 *   tame=SEED   likewise, but the kernel keeps its own page tables, so that it
 *               lives to make the last one
 */
#include <stdbool.h>
#include <stdint.h>

#include "traps/pv_abi.h"

#define KERNEL_BASE 0xC0000000u
#define PAGE        4096u
#define PTE_USER    0x007u /* present, writable, user */
#define EFLAGS_IF   0x200u
#define CALLS       3000u
#define TOGGLES     100000u
#define WORDS       64u

struct frame {
    uint32_t eip, cs, eflags;
};

void pvtest_main(const struct pv_start *start);
void on_protection(const uint32_t *frame);
void on_upcall(const struct frame *frame);
extern const char protection_stub[], upcall_stub[], program[], stack_top[];
void to_ring_3(uint32_t eip, uint32_t esp);

static volatile struct pv_shared_info *shared;
static const struct pv_start *info;

static int32_t call(uint32_t number, const uint32_t arg[5])
{
    int32_t result;

    __asm__ volatile("int %1"
                     : "=a"(result)
                     : "i"(PV_VECTOR), "a"(number), "b"(arg[0]), "c"(arg[1]),
                       "d"(arg[2]), "S"(arg[3]), "D"(arg[4])
                     : "memory");
    return result;
}

static int32_t call3(uint32_t number, uint32_t a, uint32_t b, uint32_t c)
{
    return call(number, (const uint32_t[5]){a, b, c, 0, 0});
}

static _Noreturn void leave(uint32_t value)
{
    for (;;)
        call3(PV_SCHED_OP, PV_SCHED_SHUTDOWN, PV_SHUTDOWN_EXIT, value);
}

/* ---- mask, upcall -------------------------------------------------------- */

static volatile uint32_t upcalls, bad_upcalls;

void on_upcall(const struct frame *frame)
{
    upcalls++;
    if (!shared->upcall_mask || !(frame->eflags & EFLAGS_IF) ||
        frame->cs != PV_SEL_KERNEL_CODE)
        bad_upcalls++;
    shared->upcall_pending = 0;
    shared->ports_waiting = 0;
    shared->port_pending[0] = 0;
    shared->upcall_mask = 0; /* nothing else will come */
}

static void test_mask(void)
{
    for (uint32_t i = 0; i < TOGGLES; i++) {
        shared->upcall_mask = 0;
        shared->upcall_mask = 1;
    }
    leave(0);
}

static void test_upcall(void)
{
    int32_t port = call3(PV_EVENT_OP, PV_EVENT_BIND_IPI, 0, 0);

    if (port <= 0 ||
        call3(PV_SET_CALLBACKS, PV_SEL_KERNEL_CODE, (uint32_t)upcall_stub, 0))
        leave(1);
    if (call3(PV_EVENT_OP, PV_EVENT_SEND, (uint32_t)port, 0) ||
        shared->upcall_pending)
        leave(2); /* its port is masked */
    if (call3(PV_EVENT_OP, PV_EVENT_UNMASK, (uint32_t)port, 0) ||
        !shared->upcall_pending || upcalls)
        leave(3); /* everything is masked */
    shared->upcall_mask = 0;
    call3(PV_EVENT_OP, PV_EVENT_UPCALL, 0, 0);
    leave(upcalls == 1 && !bad_upcalls ? 0 : 4);
}

/* ---- ring 3 ---------------------------------------------------------------
 */

void on_protection(const uint32_t *frame)
{
    bool right = frame[0] == PV_VECTOR * 8 + 2 && frame[2] == PV_SEL_USER_CODE;

    leave(right ? 0 : 5);
}

static void test_ring_3(void)
{
    struct pv_trap trap = {13, PV_TRAP_MASK, PV_SEL_KERNEL_CODE,
                           (uint32_t)protection_stub};
    uint32_t gpa = (uint32_t)program - KERNEL_BASE;
    uint32_t pde_gpa = info->directory_gpa + ((uint32_t)program >> 22) * 4;
    uint32_t pde = *(uint32_t *)(KERNEL_BASE + pde_gpa);
    struct pv_mmu_update update[2] = {
        {pde_gpa, pde | PTE_USER},
        {(pde & ~(PAGE - 1)) + (uint32_t)program / PAGE % 1024 * 4,
         gpa | PTE_USER},
    };
    uint32_t done = 0;

    if (call3(PV_SET_TRAP_TABLE, (uint32_t)&trap, 1, 0) ||
        call3(PV_STACK_SWITCH, PV_SEL_KERNEL_DATA, (uint32_t)stack_top, 0) ||
        call3(PV_MMU_UPDATE, (uint32_t)update, 2, (uint32_t)&done) || done != 2)
        leave(1);
    to_ring_3((uint32_t)program, 0);
}

/* ---- wild arguments -------------------------------------------------------
 */

static uint32_t state;
static uint32_t buffer[2 * WORDS];
static uint32_t scratch[PAGE / 4] __attribute__((aligned(4096)));

static uint32_t any(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/* A value that somewhere means something. */
static uint32_t wild(void)
{
    switch (any() % 13) {
    case 0: return any();
    case 1: return any() % 64;
    case 2: return 0 - any() % 64;
    case 3: return PV_HOLE + any() % 0x400000;
    case 4: return (uint32_t)&buffer[any() % WORDS];
    case 5: return (uint32_t)buffer + any() % 64;
    case 6: return KERNEL_BASE + info->mapped_bytes - any() % 64;
    case 7: return (uint32_t)shared + any() % 128;
    case 8: return KERNEL_BASE + info->directory_gpa + any() % PAGE;
    case 9: return PV_SEL_KERNEL_CODE + 8 * (any() % 4) + any() % 4;
    case 10: return 1u << any() % 32;
    case 11: return any() % info->memory_bytes;
    default: return KERNEL_BASE - PAGE + any() % (2 * PAGE);
    }
}

/* What the calls about page tables find in the buffer leaves the kernel's own
 * alone. */
static void tame_buffer(uint32_t number)
{
    uint32_t own = (uint32_t)scratch - KERNEL_BASE;

    for (uint32_t i = 0; i < WORDS; i += 2) {
        if (number == PV_MMU_UPDATE)
            buffer[i] = own + any() % PAGE;
        if (number == PV_MMU_OP)
            buffer[i] = any() % 6;
        if (number == PV_MMU_OP && buffer[i] == PV_MMU_NEW_BASE)
            buffer[i + 1] = any() % 2 ? info->directory_gpa : any() | 1;
        if (number == PV_MULTICALL) /* PV_FEATURES, whatever is asked */
            buffer[i] = PV_MEMORY_OP + any() % 2;
    }
}

/* Most of what would end the run, or wait for ever, is left out. */
static bool ends(uint32_t number, const uint32_t arg[5])
{
    return number == PV_SCHED_OP && arg[0] != PV_SCHED_YIELD && any() % 64;
}

static void test_wild(uint32_t seed, bool tame)
{
    state = seed * 0x9E3779B9u + 1;
    for (uint32_t i = 0; i < CALLS; i++) {
        uint32_t number = any() % 32 ? any() % (PV_HYPERCALLS + 1) : any();
        uint32_t arg[5];

        for (uint32_t k = 0; k < WORDS; k++)
            buffer[k] = wild();
        for (uint32_t k = 0; k < 5; k++)
            arg[k] = wild();
        if (any() % 4 == 0) /* more of them get past the first check */
            arg[0] = (uint32_t)buffer;
        if (any() % 4 == 0)
            arg[1] = any() % WORDS / 2;
        if (tame) {
            tame_buffer(number);
            arg[0] = number == PV_MMU_UPDATE || number == PV_MMU_OP ||
                             number == PV_MULTICALL
                         ? (uint32_t)buffer
                         : arg[0];
            arg[1] = arg[0] == (uint32_t)buffer ? arg[1] % 8 : arg[1];
            arg[2] = (uint32_t)&buffer[WORDS + any() % WORDS];
            if (number == PV_CONSOLE_IO && arg[0] == PV_CONSOLE_READ)
                arg[1] = (uint32_t)buffer;
        }
        if (!ends(number, arg))
            call(number, arg);
    }
    leave(0);
}

/* ---- which ----------------------------------------------------------------
 */

static bool word(const char *want, uint32_t *number)
{
    const char *p = info->command;

    while (*want && *p == *want)
        p++, want++;
    if (*want)
        return false;
    for (*number = 0; *p >= '0' && *p <= '9'; p++)
        *number = *number * 10 + (uint32_t)(*p - '0');
    return true;
}

void pvtest_main(const struct pv_start *start)
{
    uint32_t seed;

    info = start;
    shared = (void *)(KERNEL_BASE + start->shared_info_gpa);
    if (word("mask", &seed))
        test_mask();
    if (word("upcall", &seed))
        test_upcall();
    if (word("ring3", &seed))
        test_ring_3();
    if (word("wild=", &seed))
        test_wild(seed, false);
    if (word("tame=", &seed))
        test_wild(seed, true);
    leave(127);
}
