/* SPDX-License-Identifier: MIT */
/* pvtest.c - a paravirtual kernel that only tests the interface. The command
 * line says what; the exit value is 0 if all went as it must.
 *
 *   mask        store to the upcall mask a hundred thousand times
 *   upcall      an event waits for the mask, and comes once
 *   ring3       a program makes a hypercall
 *   maps        the machine-to-physical map is the other's reverse
 *   refuse      every reason why a change of page tables is refused
 *   store       write to a page table (with --mmu direct: a page fault)
 *   wild=SEED   3000 hypercalls with any arguments
 *   tame=SEED   likewise, but the kernel keeps its own page tables, so that it
 *               lives to make the last one
 */
#include <stdbool.h>
#include <stdint.h>

#include "traps/pv_abi.h"

#define KERNEL_BASE 0xC0000000u
#define PAGE        4096u
#define PTE_P       0x001u
#define PTE_W       0x002u
#define PTE_PCD     0x010u
#define PTE_PS      0x080u
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
void on_page_fault(const uint32_t *frame);
void on_upcall(const struct frame *frame);
extern const char protection_stub[], page_fault_stub[], upcall_stub[],
    program[], stack_top[];
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

static bool is_direct(void)
{
    return call3(PV_FEATURES, PV_QUERY_FEATURES, 0, 0) & PV_HAS_DIRECT;
}

/* An address as page tables hold it. */
static uint32_t ma(uint32_t gpa)
{
    const uint32_t *p2m = (const uint32_t *)info->p2m;

    return p2m[gpa / PAGE] * PAGE + gpa % PAGE;
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
        {ma(pde_gpa), pde | PTE_USER},
        {(pde & ~(PAGE - 1)) + (uint32_t)program / PAGE % 1024 * 4,
         ma(gpa) | PTE_USER},
    };
    uint32_t done = 0;

    if (call3(PV_SET_TRAP_TABLE, (uint32_t)&trap, 1, 0) ||
        call3(PV_STACK_SWITCH, PV_SEL_KERNEL_DATA, (uint32_t)stack_top, 0) ||
        call3(PV_MMU_UPDATE, (uint32_t)update, 2, (uint32_t)&done) || done != 2)
        leave(1);
    to_ring_3((uint32_t)program, 0);
}

/* ---- page tables ----------------------------------------------------------
 */

static uint32_t scratch[PAGE / 4] __attribute__((aligned(4096)));

static void test_maps(void)
{
    const uint32_t *p2m = (const uint32_t *)info->p2m;
    const uint32_t *m2p = (const uint32_t *)info->m2p;
    uint32_t pages = info->memory_bytes / PAGE, own = 0;

    if (is_direct() != (m2p != 0))
        leave(1);
    for (uint32_t i = 0; i < pages; i++)
        if (m2p ? m2p[p2m[i]] != i : p2m[i] != i)
            leave(2);
    for (uint32_t i = 0; i < info->machine_frames; i++)
        own += m2p[i] != PV_NO_FRAME;
    leave(!m2p || own == pages ? 0 : 3);
}

static uint32_t requests; /* checked so far */

static void expect(int32_t result, int32_t wanted)
{
    requests++;
    if (result != wanted)
        leave(requests);
}

static int32_t update(uint32_t entry, uint32_t value)
{
    struct pv_mmu_update u = {entry, value};

    return call3(PV_MMU_UPDATE, (uint32_t)&u, 1, 0);
}

static int32_t operate(uint32_t command, uint32_t value)
{
    struct pv_mmu_op op = {command, value};

    return call3(PV_MMU_OP, (uint32_t)&op, 1, 0);
}

/* The second of three is bad. */
static void refuse_in_batch(uint32_t entry, uint32_t value)
{
    struct pv_mmu_update list[3] = {
        {entry, value}, {entry, 0xFFFFF000 | PTE_P}, {entry, value}};
    uint32_t done = 9;

    expect(call3(PV_MMU_UPDATE, (uint32_t)list, 3, (uint32_t)&done), PV_EFRAME);
    expect((int32_t)done, 1);
}

/* What no guest may do, whoever walks its tables. */
static void refuse_always(uint32_t directory, uint32_t entry, uint32_t page)
{
    expect(update(0xFFFFF000, 0), PV_EFRAME);
    expect(update(entry, 0xFFFFF000 | PTE_P), PV_EFRAME);
    expect(update(directory + (PV_HOLE >> 22) * 4, page | PTE_P), PV_ERESERVED);
    expect(update(entry + 1, page | PTE_P), PV_ENOSYS);
    expect(operate(PV_MMU_NEW_BASE, directory + 4), PV_EALIGN);
    expect(operate(PV_MMU_NEW_BASE, 0xFFFFF000), PV_EFRAME);
    expect(operate(PV_MMU_PIN_TABLE, page + 8), PV_EALIGN);
    expect(operate(PV_MMU_UNPIN, 0xFFFFF000), PV_EFRAME);
    expect(operate(PV_MMU_UNPIN + 1, page), PV_ENOSYS);
    expect(call3(PV_UPDATE_VA, 0x00400000, 0, 0), PV_ENOTABLE);
    expect(call3(PV_UPDATE_VA, PV_HOLE, 0, 0), PV_ENOTABLE);
    expect(call3(PV_UPDATE_VA, (uint32_t)scratch, page | PTE_USER, 3),
           PV_EINVAL);
}

/* What the types forbid. The page is mapped writable, by entry of table. */
static void refuse_by_type(uint32_t directory, uint32_t table, uint32_t entry,
                           uint32_t page)
{
    expect(update(entry, directory | PTE_P | PTE_W), PV_ETABLE);
    expect(update(entry, table | PTE_P | PTE_W), PV_ETABLE);
    expect(update(entry, page | PTE_P | PTE_PCD), PV_EFLAGS);
    expect(update(directory, page | PTE_P | PTE_PS), PV_EFLAGS);
    expect(update(directory, page | PTE_P), PV_EWRITABLE);
    expect(operate(PV_MMU_PIN_DIRECTORY, page), PV_EWRITABLE);
    expect(update(directory, directory | PTE_P), PV_ELEVEL);
    expect(operate(PV_MMU_NEW_BASE, table), PV_ELEVEL);
    expect(operate(PV_MMU_PIN_DIRECTORY, directory), PV_EPINNED);
    expect(operate(PV_MMU_UNPIN, table), PV_EUNPINNED);
    expect(update(directory + (PV_HOLE >> 22) * 4, 0), PV_ERESERVED);
}

/* A page becomes a page table, is one, and a page again. */
static void page_to_table(uint32_t directory, uint32_t page)
{
    uint32_t va = (uint32_t)scratch;

    expect(call3(PV_UPDATE_VA, va, page | PTE_P, PV_FLUSH_PAGE), 0);
    expect(operate(PV_MMU_PIN_TABLE, page), 0);
    expect(update(directory, page | PTE_P | PTE_W), 0);
    expect(operate(PV_MMU_UNPIN, page), 0);
    expect(update(page, page | PTE_P | PTE_W), PV_ETABLE);
    expect(update(page, page | PTE_P), 0);
    expect(*(volatile int32_t *)0, (int32_t)(page | PTE_P | 0x20)); /* A */
    expect(call3(PV_UPDATE_VA, va, page | PTE_P | PTE_W, 0), PV_ETABLE);
    expect(update(directory, 0), 0);
    expect(operate(PV_MMU_FLUSH, 0), 0);
    expect(call3(PV_UPDATE_VA, va, page | PTE_P | PTE_W, PV_FLUSH_ALL), 0);
    *(volatile uint32_t *)scratch = 0;
}

static void test_refusals(void)
{
    uint32_t va = (uint32_t)scratch, directory = ma(info->directory_gpa);
    const uint32_t *entries =
        (const uint32_t *)(KERNEL_BASE + info->directory_gpa);
    uint32_t table = entries[va >> 22] & ~(PAGE - 1);
    uint32_t entry = table + va / PAGE % 1024 * 4, page = ma(va - KERNEL_BASE);

    refuse_always(directory, entry, page);
    refuse_in_batch(entry, page | PTE_P | PTE_W);
    if (is_direct()) {
        refuse_by_type(directory, table, entry, page);
        page_to_table(directory, page);
    }
    leave(0);
}

void on_page_fault(const uint32_t *frame)
{
    bool right = frame[0] == (PTE_P | PTE_W) &&
                 shared->cr2 == KERNEL_BASE + info->directory_gpa;

    leave(right ? 0 : 5);
}

static void test_store(void)
{
    struct pv_trap trap = {14, PV_TRAP_MASK, PV_SEL_KERNEL_CODE,
                           (uint32_t)page_fault_stub};

    if (call3(PV_SET_TRAP_TABLE, (uint32_t)&trap, 1, 0))
        leave(1);
    *(volatile uint32_t *)(KERNEL_BASE + info->directory_gpa) = 0;
    leave(is_direct() ? 2 : 0);
}

/* ---- wild arguments -------------------------------------------------------
 */

static uint32_t state;
static uint32_t buffer[2 * WORDS];

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
    switch (any() % 16) {
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
    case 12: return ma(any() % info->memory_bytes);
    case 13: return ma(any() % info->memory_bytes & ~(PAGE - 1)) | any() % 256;
    case 14: return ma(info->directory_gpa) + (any() % 2 ? any() % PAGE : 0);
    default: return KERNEL_BASE - PAGE + any() % (2 * PAGE);
    }
}

/* What the calls about page tables find in the buffer leaves the kernel's own
 * alone. */
static void tame_buffer(uint32_t number)
{
    uint32_t own = ma((uint32_t)scratch - KERNEL_BASE);

    for (uint32_t i = 0; i < WORDS; i += 2) {
        if (number == PV_MMU_UPDATE)
            buffer[i] = own + any() % PAGE;
        if (number == PV_MMU_OP)
            buffer[i] = any() % 9;
        if (number == PV_MMU_OP && buffer[i] == PV_MMU_NEW_BASE)
            buffer[i + 1] = any() % 2 ? ma(info->directory_gpa) : any() | 1;
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
            if (number == PV_UPDATE_VA)
                arg[0] = (uint32_t)scratch + any() % PAGE;
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
    if (word("maps", &seed))
        test_maps();
    if (word("refuse", &seed))
        test_refusals();
    if (word("store", &seed))
        test_store();
    if (word("wild=", &seed))
        test_wild(seed, false);
    if (word("tame=", &seed))
        test_wild(seed, true);
    leave(127);
}
