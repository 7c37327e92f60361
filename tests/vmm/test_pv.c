/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_pv.c - paravirtualization: lumen's port, and a kernel that
 * only tests the interface (guests/pvtest). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/guest.h"
#include "traps/pv_abi.h"

enum { MEMORY_MIB = 64, PASSED = 1, SEEDS = 40 };
#define CYCLES UINT64_C(2000000000)

static const struct way *const pv_ways[] = {
    &ways[WAY_PV_TLB], &ways[WAY_PV_SHADOW], &ways[WAY_PV_DIRECT]};
enum { PV_WAYS = sizeof pv_ways / sizeof *pv_ways };

static uint64_t exits(const struct guest *g)
{
    const struct counters *c = &vm_trace(g->vm)->count;
    uint64_t sum = 0;

    for (unsigned i = 0; i < EXIT_COUNT; i++)
        sum += c->exits[i];
    return sum;
}

/* ---- lumen-pv -------------------------------------------------------------
 */

/* Its self-test, to the end; g stays open. */
static void self_test(struct guest *g, const struct way *way,
                      const char *append)
{
    enum vm_stop stop;
    char line[300];

    guest_open(g, way, guest_embedded("lumen-pv"), append, MEMORY_MIB * MIB,
               NULL);
    stop = guest_run(g, CYCLES);
    cr_expect_eq(stop, VM_DEBUG_EXIT, "%s: stop %d: %s", way->name, stop,
                 vm_report(g->vm));
    cr_expect_eq(vm_exit_status(g->vm), PASSED, "%s: %s", way->name,
                 g->console);
    cr_expect_eq(mmu_audit(vm_mmu(g->vm), line, sizeof line), 0, "%s: %s",
                 way->name, line);
}

Test(pv, lumen_passes_its_self_test)
{
    for (unsigned i = 0; i < PV_WAYS; i++) {
        struct guest g;
        const struct counters *c;

        self_test(&g, pv_ways[i], "test");
        c = &vm_trace(g.vm)->count;
        cr_expect_not_null(strstr(g.console, "self-test passed"));
        cr_expect_eq(c->emulated, 0, "no instruction is done for it");
        cr_expect_eq(c->io_reads + c->io_writes, 0);
        cr_expect_eq(c->page_faults[FC_TRACE], 0, "%s", pv_ways[i]->name);
        cr_expect(c->upcalls > 0);
        guest_close(&g);
    }
}

Test(pv, lumen_uses_4_mib_pages)
{
    struct guest g;

    self_test(&g, &ways[WAY_PV_SHADOW], "test pse");
    cr_expect_not_null(strstr(g.console, "4 MiB pages"));
    guest_close(&g);
}

Test(pv, batches_save_exits_and_change_nothing_else)
{
    for (unsigned i = 0; i < PV_WAYS; i++) {
        struct guest with, without;

        self_test(&with, pv_ways[i], "test");
        self_test(&without, pv_ways[i], "test nobatch");
        cr_expect_str_eq(with.console, without.console, "%s", pv_ways[i]->name);
        cr_expect_eq(vm_trace(with.vm)->count.mmu_updates,
                     vm_trace(without.vm)->count.mmu_updates);
        cr_expect(3 * vm_trace(with.vm)->count.exits[EXIT_HYPERCALL] <
                  2 * vm_trace(without.vm)->count.exits[EXIT_HYPERCALL]);
        cr_expect_eq(vm_trace(without.vm)->count.multicall_entries, 0);
        guest_close(&with);
        guest_close(&without);
    }
}

/* The same programs, with the same results, for a fraction of the exits. */
Test(pv, the_port_costs_less_than_the_original)
{
    static const char *const work = "quiet run=forks,12";
    struct guest port, original;

    guest_open(&port, &ways[WAY_PV_SHADOW], guest_embedded("lumen-pv"), work,
               MEMORY_MIB * MIB, NULL);
    guest_open(&original, &ways[WAY_BT_SHADOW], guest_embedded("lumen"), work,
               MEMORY_MIB * MIB, NULL);
    cr_assert_eq(guest_run(&port, CYCLES), guest_run(&original, CYCLES));
    cr_expect_str_eq(port.console, original.console);
    cr_expect(exits(&port) < exits(&original), "%llu, %llu",
              (unsigned long long)exits(&port),
              (unsigned long long)exits(&original));
    guest_close(&port);
    guest_close(&original);
}

/* A shell with input by the console's event. */
static int type(void *ctx)
{
    static const char line[] = "echo typed\n\004";
    static size_t at;

    (void)ctx;
    return at < sizeof line - 1 ? line[at++] : -1;
}

static void with_input(struct vm_config *config)
{
    config->serial_input = type;
}

Test(pv, the_console_takes_input)
{
    struct guest g;

    guest_open(&g, &ways[WAY_PV_SHADOW], guest_embedded("lumen-pv"), "quiet",
               MEMORY_MIB * MIB, with_input);
    cr_expect_eq(guest_run(&g, CYCLES), VM_POWER_OFF, "%s", vm_report(g.vm));
    cr_expect_not_null(strstr(g.console, "echo typed\ntyped\n"), "%s",
                       g.console);
    guest_close(&g);
}

/* ---- what goes together
 * ------------------------------------------------------
 */

static void refused(enum cpu_technique cpu, struct blob kernel,
                    const char *append, const char *why)
{
    struct vm_config config = {.cpu = cpu,
                               .mmu = &mmu_shadow,
                               .memory_bytes = MEMORY_MIB * MIB,
                               .kernel = kernel,
                               .append = append};
    char *error = NULL;
    int status = 0;

    cr_expect_null(vm_create(&config, &error, &status));
    cr_expect_eq(status, 2);
    cr_expect(error && strstr(error, why), "%s", error);
    free(error);
}

Test(pv, a_kernel_and_its_technique_go_together)
{
    refused(CPU_PV, guest_embedded("lumen"), NULL, "not a paravirtual kernel");
    refused(CPU_TRAP, guest_embedded("lumen-pv"), NULL, "needs --cpu pv");
    refused(CPU_BARE, guest_embedded("lumen-pv"), NULL, "needs --cpu pv");
}

Test(pv, too_long_a_command_line_is_refused)
{
    char text[PV_COMMAND_BYTES + 1];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    refused(CPU_PV, guest_embedded("lumen-pv"), text, "too long");
}

/* The bytes of the note's words in a copy of the image; to free(). */
static uint8_t *copy_with_note(struct blob *kernel, uint8_t **words)
{
    uint8_t *copy;

    *kernel = guest_embedded("lumen-pv");
    copy = malloc(kernel->size);
    cr_assert_not_null(copy);
    memcpy(copy, kernel->data, kernel->size);
    kernel->data = copy;
    *words = memmem(copy, kernel->size, PV_NOTE_OWNER, sizeof PV_NOTE_OWNER);
    cr_assert_not_null(*words);
    *words += (sizeof PV_NOTE_OWNER + 3) & ~3u;
    return copy;
}

Test(pv, another_version_is_refused)
{
    struct blob kernel;
    uint8_t *words, *copy = copy_with_note(&kernel, &words);

    words[0] = PV_VERSION + 1;
    refused(CPU_PV, kernel, NULL, "version 3 of the paravirtual interface");
    words[0] = PV_VERSION;
    words[5] = 0x10; /* not a multiple of 4 MiB */
    refused(CPU_PV, kernel, NULL, "multiple of 4 MiB");
    free(copy);
}

/* Any byte of the headers may be wrong, and the file may end anywhere: there is
 * a reason, or a guest. */
Test(pv, damaged_images_do_no_harm)
{
    uint32_t random = 12345;

    for (unsigned i = 0; i < 100; i++) {
        struct blob kernel;
        uint8_t *words, *copy = copy_with_note(&kernel, &words);
        struct vm_config config = {
            .cpu = CPU_PV, .mmu = &mmu_shadow, .memory_bytes = 4 * MIB};
        char *error = NULL;
        struct vm *vm;
        int status = 0;

        random = random * 1664525 + 1013904223;
        if (i % 4 == 0)
            kernel.size = (random >> 8) % kernel.size;
        else if (i % 4 == 1)
            words[(int)((random >> 8) % 40) - 32] = (uint8_t)random;
        else
            copy[(random >> 8) % 256] = (uint8_t)(random >> 4);
        config.kernel = kernel;
        vm = vm_create(&config, &error, &status);
        cr_expect(vm || (error && status == 2), "%u: %d", i, status);
        vm_destroy(vm);
        free(error);
        free(copy);
    }
}

/* ---- the interface
 * -------------------------------------------------------------
 */

/* guests/pvtest, which the program does not carry. */
static struct blob pvtest(void)
{
    static char data[1 << 20];
    char path[512];
    size_t n;
    FILE *f;

    snprintf(path, sizeof path, "%s/guests/pvtest", getenv("UMBRA_BUILD"));
    f = fopen(path, "rb");
    cr_assert_not_null(f, "%s", path);
    n = fread(data, 1, sizeof data, f);
    fclose(f);
    return (struct blob){data, n, "pvtest"};
}

static void interface_test(struct guest *g, const struct way *way,
                           const char *what)
{
    enum vm_stop stop;

    guest_open(g, way, pvtest(), what, 16 * MIB, NULL);
    stop = guest_run(g, CYCLES);
    cr_expect(stop == VM_DEBUG_EXIT && vm_exit_status(g->vm) == PASSED,
              "%s, %s: stop %d, status %d: %s", what, way->name, stop,
              vm_exit_status(g->vm), vm_report(g->vm));
}

Test(pv, the_mask_needs_no_exit)
{
    for (unsigned i = 0; i < PV_WAYS; i++) {
        struct guest g;

        interface_test(&g, pv_ways[i], "mask");
        cr_expect(vm_cycles(g.vm) > 200000, "it stored 200000 times");
        cr_expect(exits(&g) < 20, "%llu exits", (unsigned long long)exits(&g));
        guest_close(&g);
    }
}

Test(pv, an_event_waits_for_both_masks_and_comes_once)
{
    struct guest g;

    interface_test(&g, &ways[WAY_PV_SHADOW], "upcall");
    cr_expect_eq(vm_trace(g.vm)->count.upcalls, 1);
    guest_close(&g);
}

Test(pv, a_hypercall_from_ring_3_is_the_guests_own_fault)
{
    for (unsigned i = 0; i < PV_WAYS; i++) {
        struct guest g;

        interface_test(&g, pv_ways[i], "ring3");
        cr_expect_eq(vm_trace(g.vm)->count.hypercalls[PV_FEATURES], 0);
        cr_expect_eq(vm_trace(g.vm)->count.interrupts[VEC_GP], 1);
        guest_close(&g);
    }
}

/* ---- page tables
 * --------------------------------------------------------------------
 */

/* The same work, with its page tables walked by the processor: no hidden fault,
 * and the same true ones. */
Test(pv, direct_paging_has_no_hidden_faults)
{
    static const char *const work = "quiet run=forks,12";
    struct guest direct, shadow;
    const struct counters *c, *s;
    char line[200];

    guest_open(&direct, &ways[WAY_PV_DIRECT], guest_embedded("lumen-pv"), work,
               MEMORY_MIB * MIB, NULL);
    guest_open(&shadow, &ways[WAY_PV_SHADOW], guest_embedded("lumen-pv"), work,
               MEMORY_MIB * MIB, NULL);
    cr_assert_eq(guest_run(&direct, CYCLES), guest_run(&shadow, CYCLES));
    cr_expect_str_eq(direct.console, shadow.console);
    c = &vm_trace(direct.vm)->count;
    s = &vm_trace(shadow.vm)->count;
    cr_expect_eq(c->page_faults[FC_TRUE], s->page_faults[FC_TRUE]);
    cr_expect_eq(c->exits[EXIT_PAGE_FAULT],
                 c->page_faults[FC_TRUE] + c->page_faults[FC_SPURIOUS]);
    cr_expect_eq(c->mmu_tables_peak, 0);
    cr_expect(c->mmu_typed > 24);
    cr_expect(exits(&direct) < exits(&shadow));
    cr_expect_eq(mmu_audit(vm_mmu(direct.vm), line, sizeof line), 0, "%s",
                 line);
    guest_close(&direct);
    guest_close(&shadow);
}

Test(pv, the_machine_map_is_the_reverse_of_the_guests)
{
    for (unsigned i = 0; i < PV_WAYS; i++) {
        struct guest g;

        interface_test(&g, pv_ways[i], "maps");
        guest_close(&g);
    }
}

/* Events of refusals, by reason. */
static void count_refusal(void *ctx, const struct event *e)
{
    uint64_t *seen = ctx;

    if (e->kind == EV_REFUSE)
        seen[e->arg[0] < REFUSALS ? e->arg[0] : 0]++;
}

Test(pv, every_refused_change_of_page_tables_has_its_reason)
{
    for (unsigned i = 0; i < PV_WAYS; i++) {
        uint64_t seen[REFUSALS] = {0};
        struct trace_sink sink = {count_refusal, seen, NULL};
        const struct counters *c;
        struct guest g;

        guest_open(&g, pv_ways[i], pvtest(), "refuse", 16 * MIB, NULL);
        trace_attach(vm_trace(g.vm), &sink);
        cr_expect_eq(guest_run(&g, CYCLES), VM_DEBUG_EXIT);
        cr_expect_eq(vm_exit_status(g.vm), PASSED, "%s: request %d",
                     pv_ways[i]->name, vm_exit_status(g.vm) / 2);
        c = &vm_trace(g.vm)->count;
        for (unsigned why = REFUSAL_NONE + 1; why < REFUSALS; why++) {
            cr_expect_eq(c->refusals[why], seen[why]);
            cr_expect(seen[why] > 0 || pv_ways[i] != &ways[WAY_PV_DIRECT],
                      "never: %s", refusal_name((enum table_refusal)why));
        }
        trace_detach(vm_trace(g.vm), &sink);
        guest_close(&g);
    }
}

Test(pv, under_direct_paging_a_store_to_a_page_table_is_a_true_fault)
{
    struct guest g;

    interface_test(&g, &ways[WAY_PV_DIRECT], "store");
    cr_expect_eq(vm_trace(g.vm)->count.page_faults[FC_TRUE], 1);
    guest_close(&g);
    interface_test(&g, &ways[WAY_PV_SHADOW], "store");
    guest_close(&g);
}

/* A kernel that says nothing of machine addresses. */
Test(pv, a_kernel_must_know_of_direct_paging)
{
    struct vm_config config = {
        .cpu = CPU_PV, .mmu = &mmu_direct, .memory_bytes = MEMORY_MIB * MIB};
    uint8_t *words, *copy = copy_with_note(&config.kernel, &words);
    char *error = NULL;
    int status = 0;

    words[8] = 0;
    cr_expect_null(vm_create(&config, &error, &status));
    cr_expect_eq(status, 2);
    cr_expect(error && strstr(error, "does not run with --mmu direct"), "%s",
              error);
    free(error);
    free(copy);
}

/* ---- hostile guests
 * -------------------------------------------------------------
 */

/* Whatever it asks for, it ends by itself, by its own fault, or not at all. */
static void hostile(const struct way *way, const char *kind, unsigned seed,
                    uint64_t calls[HYPERCALLS])
{
    char append[32], line[300];
    const uint64_t *count;
    enum vm_stop stop;
    struct guest g;

    snprintf(append, sizeof append, "%s=%u", kind, seed);
    guest_open(&g, way, pvtest(), append, 16 * MIB, NULL);
    stop = guest_run(&g, CYCLES / 100);
    cr_expect(stop != VM_INTERNAL && stop != VM_UNSUPPORTED,
              "%s, %s: stop %d: %s", append, way->name, stop, vm_report(g.vm));
    cr_expect_eq(mmu_audit(vm_mmu(g.vm), line, sizeof line), 0, "%s, %s: %s",
                 append, way->name, line);
    count = vm_trace(g.vm)->count.hypercalls;
    for (unsigned i = 0; i < HYPERCALLS; i++)
        calls[i] += count[i];
    guest_close(&g);
}

static void all_hostile(const char *kind)
{
    for (unsigned i = 0; i < PV_WAYS; i++) {
        uint64_t calls[HYPERCALLS] = {0};

        for (unsigned seed = 1; seed <= SEEDS; seed++)
            hostile(pv_ways[i], kind, seed, calls);
        for (unsigned n = 0; n < HYPERCALLS; n++)
            cr_expect(calls[n] > SEEDS, "%s, %s: %llu of %s", kind,
                      pv_ways[i]->name, (unsigned long long)calls[n],
                      hypercall_name(n));
    }
}

Test(pv, wild_arguments_never_hurt_the_vmm)
{
    all_hostile("wild");
}

Test(pv, nor_do_they_where_the_guest_survives_them)
{
    all_hostile("tame");
}
