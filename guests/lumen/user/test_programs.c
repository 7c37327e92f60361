/* SPDX-License-Identifier: MIT */
/* test_programs.c - the other programs do what they should, and those that
 * must not do it end alone.
 */
#include "selftest.h"

#define DIVIDE_ERROR (KILLED_BY + 0)
#define BREAKPOINT   (KILLED_BY + 3)
#define INVALID      (KILLED_BY + 6)
#define PROTECTION   (KILLED_BY + 13)
#define PAGE_FAULT   (KILLED_BY + 14)

static const char *test_fork_tree(void)
{
    CHECK(RUN("forks", "40") == 0, "forks failed");
    CHECK(printed("forks: 40 children, 0 wrong\n"), "output of forks");
    return NULL;
}

static const char *test_churn(void)
{
    CHECK(RUN("churn", "24", "3") == 0, "churn failed");
    CHECK(printed("churn: 24 MiB, 3 rounds, 0 stale bytes\n"), "output");
    return NULL;
}

static const char *test_touch(void)
{
    CHECK(RUN("touch", "48", "5", "3", "rand") == 0, "touch failed");
    CHECK(printed("touch: 48 pages, stride 5, 3 rounds, rand: "
                  "checksum ab5c3752\n"),
          "checksum");
    return NULL;
}

static const char *test_primes(void)
{
    CHECK(RUN("primes", "20000") == 0, "primes failed");
    CHECK(printed("primes: 2262 up to 20000, the last is 19997\n"), "output");
    return NULL;
}

static const char *test_pingpong(void)
{
    CHECK(RUN("pingpong", "5", "3", "8") == 0, "pingpong failed");
    CHECK(printed("pingpong: 5 processes, 3 pages, 8 rounds: token 540\n"),
          "token");
    return NULL;
}

static const char *test_smc(void)
{
    return RUN("smc") == 0 ? NULL : "run smc to see which";
}

static const char *test_faults(void)
{
    static const struct {
        char *kind;
        int status;
        const char *why;
    } expected[] = {
        {"null", PAGE_FAULT, "null pointer"},
        {"kernel", PAGE_FAULT, "kernel memory is readable"},
        {"jump", PAGE_FAULT, "kernel memory is executable"},
        {"ro", PAGE_FAULT, "text is writable"},
        {"stack", PAGE_FAULT, "the stack has no end"},
        {"div", DIVIDE_ERROR, "division by zero"},
        {"int3", BREAKPOINT, "INT3"},
        {"ud", INVALID, "UD2"},
        {"cli", PROTECTION, "CLI"},
        {"hlt", PROTECTION, "HLT"},
        {"in", PROTECTION, "IN"},
        {"gp", PROTECTION, "LGDT"},
        {"cr3", PROTECTION, "MOV to CR3"},
        {"int14", PROTECTION, "INT 14 through a DPL 0 gate"},
        {"seg", PROTECTION, "DS with the kernel's selector"},
    };

    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        CHECK(RUN("fault", expected[i].kind) == expected[i].status,
              expected[i].why);
    return NULL;
}

static const char *test_popf(void)
{
    CHECK(RUN("fault", "popf") == 0, "a program cleared IF");
    CHECK(printed("fault: popf tried to clear IF, it is 1, no exception\n"),
          "output");
    return NULL;
}

static const char *test_disk(void)
{
    int fd = open("/disk");

    if (fd < 0)
        return NULL;
    close(fd);
    return RUN("disk") == 0 ? NULL : "run disk to see why";
}

const struct self_test program_tests[] = {
    {"40 forks", test_fork_tree},
    {"page tables come and go", test_churn},
    {"random touches", test_touch},
    {"sieve", test_primes},
    {"address-space ping-pong", test_pingpong},
    {"self-modifying code", test_smc},
    {"faults kill one process", test_faults},
    {"POPF in a program", test_popf},
    {"disk, if there is one", test_disk},
    {NULL, NULL},
};
