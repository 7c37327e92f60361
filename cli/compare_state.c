/* SPDX-License-Identifier: MIT */
#include "cli/compare_state.h"

#include <stdio.h>
#include <string.h>

enum { PAGE_WORDS = PAGE_BYTES / 4 };

/* SDM 3A, "Segment Descriptors": bits of a descriptor's second word. */
#define DESC_ACCESSED 0x00000100u
#define DESC_SEGMENT  0x00009000u /* present, code or data */

const char *excuse_name(enum excuse e)
{
    static const char *const names[EXCUSES] = {
        [EXCUSE_ACCESSED] = "accessed and dirty bits of page tables",
        [EXCUSE_DESCRIPTOR] = "accessed bits of segment descriptors",
        [EXCUSE_PATCH] = "instructions replaced ahead of time",
    };
    return names[e];
}

const char *excuse_key(enum excuse e)
{
    static const char *const keys[EXCUSES] = {
        [EXCUSE_ACCESSED] = "accessed_bits",
        [EXCUSE_DESCRIPTOR] = "descriptor_bits",
        [EXCUSE_PATCH] = "patches",
    };
    return keys[e];
}

/* ---- Registers ----------------------------------------------------------- */

static bool same(struct state_difference *d, const char *name,
                 uint32_t expected, uint32_t found)
{
    if (expected == found || d->differs)
        return !d->differs;
    d->differs = true;
    snprintf(d->what, sizeof d->what, "%s", name);
    d->expected = expected;
    d->found = found;
    return false;
}

bool state_registers(struct vm *first, struct vm *second,
                     struct state_difference *d)
{
    static const char *const general[GPR_COUNT] = {"EAX", "ECX", "EDX", "EBX",
                                                   "ESP", "EBP", "ESI", "EDI"};
    struct cpu_state a, b;

    *d = (struct state_difference){0};
    vm_guest_state(first, &a);
    vm_guest_state(second, &b);
    same(d, "EIP", a.eip, b.eip);
    same(d, "CPL", a.cpl, b.cpl);
    same(d, "EFLAGS", a.eflags, b.eflags);
    for (unsigned i = 0; i < GPR_COUNT; i++)
        same(d, general[i], a.gpr[i], b.gpr[i]);
    same(d, "CR0", a.cr0, b.cr0);
    same(d, "CR2", a.cr2, b.cr2);
    same(d, "CR3", a.cr3, b.cr3);
    same(d, "CR4", a.cr4, b.cr4);
    same(d, "EFER", (uint32_t)a.efer, (uint32_t)b.efer);
    return !d->differs;
}

/* ---- Memory -------------------------------------------------------------- */

static bool patched(struct vm *vm, uint64_t gpa, uint32_t mine, uint32_t other)
{
    for (unsigned i = 0; i < 4; i++, mine >>= 8, other >>= 8) {
        uint8_t original;

        if ((uint8_t)mine != (uint8_t)other &&
            !(vm_patched(vm, GPA(gpa + i), &original) &&
              original == (uint8_t)other))
            return false;
    }
    return true;
}

/* EXCUSES: there is none. */
static enum excuse excuse_for(struct vm *first, struct vm *second, uint64_t gpa,
                              uint32_t a, uint32_t b)
{
    uint32_t bits = a ^ b;

    if ((bits & ~(PTE_A | PTE_D)) == 0 && (a & PTE_P))
        return EXCUSE_ACCESSED;
    if (bits == DESC_ACCESSED && gpa % 8 == 4 &&
        (a & DESC_SEGMENT) == DESC_SEGMENT)
        return EXCUSE_DESCRIPTOR;
    if (patched(second, gpa, b, a) || patched(first, gpa, a, b))
        return EXCUSE_PATCH;
    return EXCUSES;
}

static void compare_page(struct vm *first, struct vm *second, uint64_t gpa,
                         struct state_difference *d)
{
    uint32_t a[PAGE_WORDS], b[PAGE_WORDS];
    bool has_a = vm_read_physical(first, GPA(gpa), a, sizeof a);
    bool has_b = vm_read_physical(second, GPA(gpa), b, sizeof b);

    if (!has_a || !has_b || memcmp(a, b, sizeof a) == 0)
        return;
    for (unsigned i = 0; i < PAGE_WORDS; i++) {
        uint64_t at = gpa + 4 * i;
        char what[sizeof d->what];

        if (a[i] == b[i])
            continue;
        enum excuse excuse = excuse_for(first, second, at, a[i], b[i]);
        if (excuse != EXCUSES) {
            d->excused[excuse]++;
            continue;
        }
        d->words++;
        snprintf(what, sizeof what, "memory at %08llx", (unsigned long long)at);
        same(d, what, a[i], b[i]);
    }
}

bool state_everything(struct vm *first, struct vm *second,
                      struct state_difference *d)
{
    uint64_t bytes = vm_configuration(first)->memory_bytes;

    state_registers(first, second, d);
    for (uint64_t gpa = 0; gpa < bytes; gpa += PAGE_BYTES)
        compare_page(first, second, gpa, d);
    return !d->differs;
}
