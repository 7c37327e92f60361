/* SPDX-License-Identifier: MIT */
/* selftest.c - the kernel asks its CPU, interrupt controller and timer
 * whether they behave as the manual says. What programs can see is tested by
 * user/selftest.c.
 *
 * These are also the promises that a virtual machine monitor has to keep: a
 * kernel that runs in ring 1 without knowing must still find CS = 8 in its
 * frames, its own values in CR0 and CR3, accessed and dirty bits in its own
 * page tables. Every loop ends.
 */
#include "selftest.h"
#include "kernel.h"

uint32_t fault_at;

const char *check_frame(uint32_t vector, uint32_t error, uint32_t eip)
{
    const struct trap_frame *seen = &trap_probe.seen;

    if (!trap_probe.hit)
        return "no exception";
    if (seen->vector != vector)
        return "wrong vector";
    if (seen->error != error)
        return "wrong error code";
    if (seen->eip != eip)
        return "wrong EIP in the frame";
    if (seen->cs != SEL_KERNEL_CODE)
        return "CS in the frame is not the kernel's";
    return NULL;
}

static void run_table(const struct self_test *test, struct test_score *score)
{
    for (; test->name; test++) {
        const char *why = test->run();

        if (why) {
            kprintf("FAIL %s: %s\n", test->name, why);
            score->failed++;
        } else {
            kprintf("ok %s\n", test->name);
            score->passed++;
        }
    }
}

void selftest_run(struct test_score *score)
{
    run_table(cpu_tests, score);
    run_table(paging_tests, score);
#if !defined(LUMEN_TRAP) && !defined(LUMEN_PV)
    run_table(silent_tests, score);
#endif
}
