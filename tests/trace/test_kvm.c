/* SPDX-License-Identifier: MIT */
/* tests/trace/test_kvm.c - KVM's names for what it counts, too. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/kvm.h"

static uint64_t value(const struct counters *c, const char *name)
{
    for (unsigned i = 0; i < KVM_COUNTERS; i++)
        if (strcmp(kvm_counters[i].name, name) == 0)
            return kvm_counters[i].value(c);
    cr_assert_fail("no counter %s", name);
    return 0;
}

/* Different everywhere, so that no two can be mixed up. */
static struct counters example(void)
{
    struct counters c = {.traces_opened = 5};

    for (unsigned i = 0; i < FC_COUNT; i++)
        c.page_faults[i] = UINT64_C(100) << i;
    return c;
}

Test(kvm, every_fault_is_one_of_four)
{
    struct counters c = example();

    cr_expect_eq(value(&c, "pf_taken"),
                 value(&c, "pf_guest") + value(&c, "pf_fixed") +
                     value(&c, "pf_emulate") + value(&c, "pf_spurious"));
}

Test(kvm, a_traced_write_is_emulated_or_let_go)
{
    struct counters c = example();

    cr_expect_eq(value(&c, "pf_emulate"),
                 c.page_faults[FC_MMIO] + c.page_faults[FC_TRACE] - 5);
}

Test(kvm, exits_are_of_all_reasons)
{
    struct counters c = {.exits = {[EXIT_IO] = 3, [EXIT_CPUID] = 4}};

    cr_expect_eq(value(&c, "exits"), 7);
    cr_expect_eq(value(&c, "io_exits"), 3);
}

static char *read_file(const char *path)
{
    FILE *in = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;

    cr_assert_not_null(in, "%s", path);
    cr_assert(getdelim(&text, &size, '\0', in) > 0);
    fclose(in);
    return text;
}

Test(kvm, names_are_explained)
{
    char *readme = read_file("trace/README.md");
    char *manual = read_file("cli/umbra.1");

    for (unsigned i = 0; i < KVM_COUNTERS; i++) {
        const char *name = kvm_counters[i].name;

        cr_expect_not_null(strstr(readme, name), "README.md: no %s", name);
        cr_expect_not_null(strstr(manual, name), "umbra.1: no %s", name);
    }
    free(readme);
    free(manual);
}
