/* SPDX-License-Identifier: MIT */
/* The 18 mnemonics of Robin & Irvine in their two groups, and those that
 * virtual machine monitors had to add. */
#include "cli/hole.h"

#define PROTECTION_RULE "SDM 3A, \"Privilege Levels\""

const struct hole_row hole_rows[HOLE_ROWS] = {
    {"sgdt", "register",
     "It needs no privilege and reads the real GDTR, which holds the VMM's "
     "table.",
     "SDM 2B, \"SGDT\""},
    {"sidt", "register",
     "It needs no privilege and reads the real IDTR, which holds the VMM's "
     "table.",
     "SDM 2B, \"SIDT\""},
    {"sldt", "register",
     "It needs no privilege and reads the real LDTR; the selector there is the "
     "guest's own, only the base behind it, which nobody sees, is the VMM's.",
     "SDM 2B, \"SLDT\""},
    {"smsw", "register",
     "It needs no privilege and reads the real CR0, where the VMM's bits are, "
     "such as NE.",
     "SDM 2B, \"SMSW\""},
    {"pushf", "register",
     "It pushes the real IF, always 1 under the VMM, after a CLI that turned "
     "the virtual one off; and the real IOPL, 0, in programs as well.",
     "SDM 2B, \"PUSHF\""},
    {"popf", "register",
     "With CPL above IOPL it leaves IF alone and does not fault: interrupts "
     "stay on.",
     "SDM 2B, \"POPF\""},
    {"lar", "protection",
     "It reads the VMM's descriptor: the DPL is 1, and a selector of ring 1, "
     "which ring 0's rights deny, passes.",
     "SDM 2A, \"LAR\""},
    {"lsl", "protection",
     "Rights are checked by the VMM's descriptor, whose DPL is 1: a selector "
     "of "
     "ring 1 passes.",
     "SDM 2A, \"LSL\""},
    {"verr", "protection",
     "Rights are checked by the VMM's descriptor, whose DPL is 1: a selector "
     "of "
     "ring 1 passes.",
     "SDM 2C, \"VERR\""},
    {"verw", "protection",
     "Rights are checked by the VMM's descriptor, whose DPL is 1: a selector "
     "of "
     "ring 1 passes.",
     "SDM 2C, \"VERW\""},
    {"pop", "protection",
     "Rights are checked by the VMM's descriptor: ring 1 may load what ring "
     "0's "
     "descriptor denies to RPL 1.",
     "SDM 2B, \"POP\""},
    {"push", "protection",
     "CS and SS hold the real privilege in their low bits, and it pushes them: "
     "1, not 0.",
     PROTECTION_RULE},
    {"call", "protection",
     "It pushes the real CS, whose low bits are 1, as the return address.",
     "SDM 2A, \"CALL\""},
    {"jmp", "protection",
     "Its target's rights are checked at ring 1: a selector of RPL 1, which "
     "faults at ring 0, passes.",
     "SDM 2A, \"JMP\""},
    {"int", "protection",
     "The VMM gets it from the machine and delivers it through the guest's IDT "
     "with the guest's CS, so nothing shows.",
     "SDM 2A, \"INT n\""},
    {"ret", "protection",
     "Returning to RPL 0 faults and is emulated; a return to RPL 1, which "
     "faults at ring 0, passes.",
     "SDM 2B, \"RET\""},
    {"str", "protection",
     "It needs no privilege and reads the real TR, which is the VMM's.",
     "SDM 2B, \"STR\""},
    {"mov", "protection",
     "CS and SS show the real privilege, 1; and a load is checked by the VMM's "
     "descriptor, whose DPL is 1.",
     PROTECTION_RULE},
    {"iret", "-",
     "To a CS as this kernel sees its own, RPL 1, it does not fault, and with "
     "CPL above IOPL it leaves IF alone.",
     "SDM 2A, \"IRET\""},
    {"in", "-",
     "With CPL above IOPL it faults unless the TSS's bitmap allows the port: "
     "it traps.",
     "SDM 1, \"Protected-Mode I/O\""},
    {"out", "-",
     "With CPL above IOPL it faults unless the TSS's bitmap allows the port: "
     "it traps.",
     "SDM 1, \"Protected-Mode I/O\""},
    {"rdtsc", "-",
     "Unless CR4.TSD is set it needs no privilege; the machine's time is the "
     "guest's here.",
     "SDM 2B, \"RDTSC\""},
    {"cpuid", "-",
     "It needs no privilege; the machine shows the guest the processor that it "
     "is to see.",
     "SDM 2A, \"CPUID\""},
};
