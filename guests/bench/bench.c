/* SPDX-License-Identifier: MIT */
/* bench.c - the benchmarks: what each needs before its loop, and what must
 * have come of it. The command line is NAME COUNT; one line is the answer:
 *
 *   bench NAME COUNT checksum XXXXXXXX       or, when the outcome is wrong,
 *   bench NAME COUNT WRONG XXXXXXXX
 *
 * and the debug-exit port gets 0, 1 if wrong, 2 if it could not be run.
 */
#include "bench.h"
#include "kit.h"

volatile uint32_t fault_count, fault_sum;
static uint32_t *window_table; /* of the address space in use               */

static uint32_t mix(uint32_t sum, uint32_t value)
{
    return (sum ^ value) * 0x01000193u; /* the step of FNV-1a               */
}

/* ---- Into the kernel and back -------------------------------------------- */

static bool run_syscall(uint32_t n, uint32_t *sum)
{
    kit_gate(SYSCALL, on_syscall, GATE_TRAP | GATE_RING3);
    enter_user(user_syscalls, n, 0);
    *sum = mix(*sum, fault_count);
    return fault_count == n;
}

static bool run_divzero(uint32_t n, uint32_t *sum)
{
    kit_gate(0, on_divzero, GATE_TRAP);
    *sum = mix(*sum, loop_divzero(n));
    return fault_count == n;
}

static bool run_int3(uint32_t n, uint32_t *sum)
{
    kit_gate(3, on_int3, GATE_TRAP);
    *sum = mix(*sum, loop_int3(n));
    return fault_count == n;
}

static bool run_iret(uint32_t n, uint32_t *sum)
{
    uint32_t returns = loop_iret(n);

    *sum = mix(*sum, returns);
    return returns == n && kit_interruptible();
}

static uint32_t absent_sum(uint32_t n)
{
    uint32_t sum = 0;

    for (; n; n--)
        sum += ABSENT + ((n & 63) << 12);
    return sum;
}

static bool run_pgfault(uint32_t n, uint32_t *sum)
{
    uint32_t *table;

    load_cr3(space_new(ABSENT, &table));
    loop_pgfault(n);
    *sum = mix(mix(*sum, fault_count), fault_sum);
    return fault_count == n && fault_sum == absent_sum(n);
}

/* ---- Instructions -------------------------------------------------------- */

/* What port 0x80 holds is the machine's own affair. */
static bool run_in(uint32_t n, uint32_t *sum)
{
    uint32_t first = loop_in(1), last = loop_in(n);

    *sum = mix(*sum, n);
    return n == 0 || last == first;
}

static bool run_cr8wr(uint32_t n, uint32_t *sum)
{
    uint32_t last = loop_cr8wr(n);

    *sum = mix(*sum, n ? last : 0);
    return n == 0 || last == 1;
}

static bool run_callret(uint32_t n, uint32_t *sum)
{
    uint32_t calls = loop_callret(n);

    *sum = mix(*sum, calls);
    return calls == n;
}

/* On after the loop, off after CLI, on again after STI? */
static bool flag_works(uint32_t *sum)
{
    bool after, off, on;

    after = kit_interruptible();
    __asm__ volatile("cli" : : : "memory");
    off = kit_interruptible();
    __asm__ volatile("sti" : : : "memory");
    on = kit_interruptible();
    *sum = mix(*sum, (after ? 1u : 0) + (off ? 2u : 0) + (on ? 4u : 0));
    return after && !off && on;
}

static bool run_popf(uint32_t n, uint32_t *sum)
{
    loop_popf(n);
    return flag_works(sum);
}

static bool run_clisti(uint32_t n, uint32_t *sum)
{
    loop_clisti(n);
    return flag_works(sum);
}

/* ---- Memory -------------------------------------------------------------- */

static uint32_t *filled_frame(uint32_t value)
{
    uint32_t *frame = frame_new();

    for (unsigned i = 0; i < 1024; i++)
        frame[i] = value + i;
    return frame;
}

/* The window's first page, mapped to one of two frames. In use, so that whoever
 * virtualizes memory must take note of each write to its entry. */
static uint32_t *mapped_window(uint32_t entry[2])
{
    uint32_t *table;

    entry[0] = (uint32_t)filled_frame(0xAAAA0000) | PTE_P | PTE_W;
    entry[1] = (uint32_t)filled_frame(0xBBBB0000) | PTE_P | PTE_W;
    load_cr3(space_new(WINDOW, &table));
    table[0] = entry[1];
    return table;
}

static bool run_ptemod(uint32_t n, uint32_t *sum)
{
    volatile uint32_t *window = (volatile uint32_t *)WINDOW;
    uint32_t entry[2], *table = mapped_window(entry), first = window[1];

    loop_ptemod(n, table, entry[0], entry[1]);
    invlpg(WINDOW);
    *sum = mix(mix(*sum, first), window[1]);
    return first == 0xBBBB0001 && window[1] == (n ? 0xAAAA0001 : 0xBBBB0001);
}

static bool run_remap(uint32_t n, uint32_t *sum)
{
    uint32_t entry[2], *table = mapped_window(entry), total;

    total = loop_remap(n, table, entry[0], entry[1]);
    *sum = mix(*sum, total);
    return total == (n + 1) / 2 * 0xAAAA0001 + n / 2 * 0xBBBB0001;
}

static bool run_switch(uint32_t n, uint32_t *sum)
{
    uint32_t *directory[2], expected = 0;

    for (uint32_t k = 0; k < 2; k++) {
        uint32_t *table;

        directory[k] = space_new(WINDOW, &table);
        for (uint32_t i = 0; i < SWITCH_PAGES; i++)
            table[i] = (uint32_t)filled_frame(k << 16 | i << 8) | PTE_P | PTE_W;
    }
    for (uint32_t i = n; i; i--)
        expected += SWITCH_PAGES * ((i & 1) << 16) + 120 * 256;
    *sum = mix(*sum, loop_switch(n, directory));
    return *sum == mix(2166136261u, expected);
}

/* ---- Processes ----------------------------------------------------------- */

void copy_on_write(uint32_t address)
{
    uint32_t i = (address - WINDOW) >> 12, *copy;

    if (i >= CHILD_WRITES || (window_table[i] & PTE_W)) {
        kit_print("unexpected page fault at %x\n", address);
        kit_exit(2);
    }
    copy = frame_new();
    page_copy(copy, (const void *)(window_table[i] & ~0xFFFu));
    window_table[i] = (uint32_t)copy | PTE_P | PTE_W | PTE_U;
    invlpg(address);
    fault_count++;
}

/* Fork, let the child run and exit. The parent's pages are shared, read-only
 * for both until the child is gone. */
static uint32_t one_child(uint32_t *parent, uint32_t *parent_table)
{
    uint32_t *child = space_new(WINDOW, &window_table), result;

    for (uint32_t i = 0; i < CHILD_PAGES; i++) {
        parent_table[i] &= ~(uint32_t)PTE_W;
        window_table[i] = parent_table[i];
    }
    load_cr3(child);
    result = enter_user(user_child, 0, 0);
    load_cr3(parent);
    for (uint32_t i = 0; i < CHILD_PAGES; i++) {
        if (window_table[i] & PTE_W)
            frame_free((void *)(window_table[i] & ~0xFFFu));
        parent_table[i] |= PTE_W;
    }
    frame_free(window_table);
    frame_free(child);
    return result;
}

static bool run_process(uint32_t n, uint32_t *sum)
{
    uint32_t *parent_table, *parent = space_new(WINDOW, &parent_table);
    uint32_t expected = 0;

    for (uint32_t i = 0; i < CHILD_PAGES; i++) {
        parent_table[i] = (uint32_t)filled_frame(i * i) | PTE_P | PTE_W | PTE_U;
        expected += i * i;
    }
    load_cr3(parent);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t result = one_child(parent, parent_table);

        *sum = mix(*sum, result);
        if (result != expected)
            return false;
    }
    return fault_count == n * CHILD_WRITES;
}

/* ---- Computing ----------------------------------------------------------- */

static bool run_user(uint32_t n, uint32_t *sum)
{
    *sum = mix(*sum, enter_user(user_work, n, (uint32_t)work_table));
    return true;
}

static bool run_kernel(uint32_t n, uint32_t *sum)
{
    *sum = mix(*sum, kernel_work(n, work_table));
    return true;
}

/* ---- The list ------------------------------------------------------------ */

static const struct benchmark {
    const char *name;
    bool (*run)(uint32_t n, uint32_t *sum); /* false: the outcome is wrong */
} benchmarks[] = {
    {"syscall", run_syscall}, {"in", run_in},
    {"cr8wr", run_cr8wr},     {"callret", run_callret},
    {"pgfault", run_pgfault}, {"divzero", run_divzero},
    {"ptemod", run_ptemod},   {"popf", run_popf},
    {"remap", run_remap},     {"clisti", run_clisti},
    {"iret", run_iret},       {"int3", run_int3},
    {"switch", run_switch},   {"process", run_process},
    {"user", run_user},       {"kernel", run_kernel},
};

_Noreturn void guest_main(const char *word[KIT_WORDS])
{
    uint32_t n = kit_number(word[1]), sum = 2166136261u;

    kit_gate(14, on_page_fault, GATE_TRAP);
    for (unsigned i = 0; i < sizeof benchmarks / sizeof *benchmarks; i++) {
        const struct benchmark *b = &benchmarks[i];
        bool good;

        if (!kit_equal(b->name, word[0]))
            continue;
        good = b->run(n, &sum);
        kit_print("bench %s %u %s %x\n", b->name, n,
                  good ? "checksum" : "WRONG", sum);
        kit_exit(good ? 0 : 1);
    }
    kit_print("no benchmark '%s'\n", word[0]);
    kit_exit(2);
}
