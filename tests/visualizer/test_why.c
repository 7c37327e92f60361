/* SPDX-License-Identifier: MIT */
/* What the inspector says will happen, and why. */
#include <criterion/criterion.h>

#include "tests/visualizer/fixture.h"
#include "vmm/inspect_parts.h"

static struct inspection in;

/* The guest's kernel at real CPL 1, IOPL 0, about to execute these bytes. */
static void given(const char *bytes, size_t length, enum cpu_technique cpu)
{
    struct insn insn;
    fixture_fill(&in);
    in.has_fault = false;
    in.real.cpl = cpu == CPU_BARE ? 0 : 1;
    in.why[0] = in.next[0] = '\0';
    in.stack[0] = EFL_IF;
    in.current = 0;
    in.code_count = 1;
    cr_assert(decode((const uint8_t *)bytes, length, true, &insn));
    decode_format((const uint8_t *)bytes, length, true, 0x1000, in.code[0].text,
                  sizeof in.code[0].text);
    in.code[0].mark = inspect_mark(&insn, &in, cpu);
    inspect_why(&insn, cpu, &in);
}
#define GIVEN(bytes, cpu) given(bytes, sizeof(bytes) - 1, cpu)

static void user_code(const char *bytes, size_t length)
{
    struct insn insn;
    given(bytes, length, CPU_TRAP);
    in.guest.cpl = in.real.cpl = 3;
    in.why[0] = in.next[0] = '\0';
    cr_assert(decode((const uint8_t *)bytes, length, true, &insn));
    in.code[0].mark = inspect_mark(&insn, &in, CPU_TRAP);
    inspect_why(&insn, CPU_TRAP, &in);
}

#define CLI       "\xFA"
#define POPF      "\x9D"
#define PUSHF     "\x9C"
#define SGDT      "\x0F\x01\x00"
#define OUT       "\xEE"
#define MOVCR3    "\x0F\x22\xD8"
#define ADD       "\x01\xD8"
#define INT80     "\xCD\x80"
#define HYPERCALL "\xCD\x82"
#define MOVCS     "\x8C\xC8"

static void says(const char *text)
{
    cr_assert(strstr(in.why, text), "%s\nis not in: %s", text, in.why);
}

Test(vmm_inspect_why, cli_traps_in_ring_1)
{
    GIVEN(CLI, CPU_TRAP);
    cr_assert_eq(in.code[0].mark, MARK_TRAPS);
    says("The virtual CPL 0 may; the real CPL 1 may not, so it will trap");
    cr_assert_str_eq(in.next, "emulate cli: virtual IF 1 -> 0, EIP +1");
}

Test(vmm_inspect_why, cli_runs_when_iopl_is_1)
{
    GIVEN(CLI, CPU_TRAP);
    struct insn insn;
    cr_assert(decode((const uint8_t *)CLI, 1, true, &insn));
    in.real.eflags |= 1 << EFL_IOPL_SHIFT;
    cr_assert_eq(inspect_mark(&insn, &in, CPU_TRAP), MARK_NONE);
    in.code[0].mark = MARK_NONE;
    inspect_why(&insn, CPU_TRAP, &in);
    says("changes the real IF where the VMM does not see it");
}

Test(vmm_inspect_why, user_code_gets_its_own_fault)
{
    user_code(CLI, 1);
    says("the guest gets its own #GP(0)");
    cr_assert_str_eq(in.next, "cli traps, #GP to the guest");
}

Test(vmm_inspect_why, popf_is_silent)
{
    GIVEN(POPF, CPU_TRAP);
    cr_assert_eq(in.code[0].mark, MARK_SILENT);
    says("drops the IF change without a trap. The guest will believe that "
         "interrupts are on.");
    cr_assert_str_eq(in.next, "popf will NOT trap");
}

Test(vmm_inspect_why, popf_of_user_code_is_as_on_hardware)
{
    user_code(POPF, 1);
    cr_assert_eq(in.code[0].mark, MARK_NONE);
    says("is not sensitive");
}

Test(vmm_inspect_why, popf_was_patched_ahead_of_time)
{
    struct insn insn;
    GIVEN(POPF, CPU_BT_STATIC);
    cr_assert_eq(in.code[0].mark, MARK_SILENT);
    cr_assert(decode((const uint8_t *)POPF, 1, true, &insn));
    in.code[0].mark = MARK_PATCHED;
    in.why[0] = '\0';
    inspect_why(&insn, CPU_BT_STATIC, &in);
    says("found ahead of time");
}

/* The same as the translator's row says. */
static void translated(const char *bytes, const char *kind, enum code_mark mark)
{
    struct insn insn;
    given(bytes, 1, CPU_BT);
    cr_assert(decode((const uint8_t *)bytes, 1, true, &insn));
    in.code[0].translated = kind;
    in.code[0].mark = mark;
    in.why[0] = in.next[0] = '\0';
    inspect_why(&insn, CPU_BT, &in);
}

Test(vmm_inspect_why, translated_ones_tell_how)
{
    translated(POPF, "in-line", MARK_INLINE);
    says("popf is sensitive. It was translated into code on the virtual");
    cr_assert_str_eq(in.next, "popf in line, without the VMM");
    translated(OUT, "callout", MARK_CALLOUT);
    says("out is translated into a call of the VMM");
    cr_assert_str_eq(in.next, "call out: emulate out");
    translated("\x90", "ident", MARK_NONE);
    says("is copied: the processor executes the same bytes");
    translated("\xC3", "indirect", MARK_NONE);
    says("looks up its translation");
}

Test(vmm_inspect_why, sensitive_ones_that_never_trap)
{
    GIVEN(SGDT, CPU_TRAP);
    cr_assert_eq(in.code[0].mark, MARK_SILENT);
    says("the real table register");
    GIVEN(PUSHF, CPU_TRAP);
    cr_assert_eq(in.code[0].mark, MARK_SILENT);
    GIVEN(MOVCS, CPU_TRAP);
    cr_assert_eq(in.code[0].mark, MARK_SILENT);
    says("sees that it is not at CPL 0");
}

Test(vmm_inspect_why, privileged_devices_and_interrupts_trap)
{
    GIVEN(MOVCR3, CPU_TRAP);
    cr_assert_eq(in.code[0].mark, MARK_TRAPS);
    says("needs CPL 0");
    GIVEN(OUT, CPU_TRAP);
    cr_assert_eq(in.code[0].mark, MARK_DEVICE);
    says("so it will trap; the VMM asks its own device");
    GIVEN(INT80, CPU_TRAP);
    cr_assert_eq(in.code[0].mark, MARK_TRAPS);
    says("the guest's own IDT");
}

Test(vmm_inspect_why, a_paravirtual_kernel_calls)
{
    GIVEN(HYPERCALL, CPU_PV);
    cr_assert_eq(in.code[0].mark, MARK_TRAPS);
    says("is a hypercall");
    cr_assert_eq(strncmp(in.next, "hypercall ", 10), 0, "%s", in.next);
    GIVEN(INT80, CPU_PV);
    says("the handler that the guest has registered");
}

Test(vmm_inspect_why, non_root_operation_exits_by_its_controls)
{
    GIVEN(MOVCR3, CPU_HVM);
    cr_assert_eq(in.code[0].mark, MARK_TRAPS);
    says("CR3-load exiting");
    GIVEN(OUT, CPU_HVM);
    cr_assert_eq(in.code[0].mark, MARK_DEVICE);
    says("unconditional I/O exiting");
    GIVEN(CLI, CPU_HVM);
    cr_assert_eq(in.code[0].mark, MARK_NONE);
    says("runs natively: in non-root operation");
    GIVEN(POPF, CPU_HVM);
    cr_assert_eq(in.code[0].mark, MARK_NONE);
    GIVEN(INT80, CPU_HVM);
    cr_assert_eq(in.code[0].mark, MARK_NONE);
}

Test(vmm_inspect_why, nothing_traps_on_the_bare_machine)
{
    static const struct {
        const char *bytes;
        size_t length;
    } all[] = {
        {CLI, 1},    {POPF, 1}, {PUSHF, 1}, {SGDT, 3},
        {MOVCR3, 3}, {ADD, 2},  {INT80, 2}, {MOVCS, 2},
    };
    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
        given(all[i].bytes, all[i].length, CPU_BARE);
        cr_assert_eq(in.code[0].mark, MARK_NONE);
        says("There is no VMM");
        cr_assert(!strstr(in.why, "%"), "%s", in.why);
        cr_assert_str_empty(in.next);
    }
}

Test(vmm_inspect_why, an_ordinary_one_runs_natively)
{
    GIVEN(ADD, CPU_TRAP);
    cr_assert_eq(in.code[0].mark, MARK_NONE);
    cr_assert_str_eq(in.why, "add is not sensitive: it runs natively, as fast "
                             "as on the bare machine.");
}

static void after_the_fault(unsigned event_count, uint64_t cycles)
{
    struct insn insn;
    GIVEN(ADD, CPU_TRAP);
    in.has_fault = true;
    in.event_count = event_count;
    in.cycles = cycles;
    in.why[0] = '\0';
    cr_assert(decode((const uint8_t *)ADD, 2, true, &insn));
    inspect_why(&insn, CPU_TRAP, &in);
}

Test(vmm_inspect_why, a_fault_of_just_now_is_explained)
{
    after_the_fault(5, 48211); /* #422 is the last event */
    says("Just now, #422, hidden fault: the guest's tables allow the access");
    cr_assert(!strstr(in.why, "not sensitive"), "%s", in.why);
}

Test(vmm_inspect_why, a_fault_of_before_is_not)
{
    after_the_fault(8, 48211); /* an instruction was emulated since */
    says("add is not sensitive");
    after_the_fault(5, 48300); /* the guest ran on */
    says("add is not sensitive");
}
