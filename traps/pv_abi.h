/* SPDX-License-Identifier: MIT */
/* traps/pv_abi.h - what a paravirtual guest and the VMM must agree on.
 *
 * The one header that both include. A guest that is ported to this interface
 * knows that it is one: its kernel runs at ring 1 and its programs at ring 3,
 * and what only ring 0 may do it asks of the VMM. Version 2; traps/PV.md tells
 * the same as a text.
 *
 * A hypercall: INT 0x82 at ring 1, EAX = number, EBX ECX EDX ESI EDI =
 * arguments. EAX = result: 0 or more, or an error below zero. No other
 * register changes. At ring 3 the instruction is the guest's own #GP.
 *
 * Addresses are linear, by the guest's own page tables, unless a name says
 * gpa (guest-physical) or ma: an address as page tables hold it. With
 * PV_HAS_DIRECT that is a machine address, and pv_start.p2m and m2p translate;
 * without, it is guest-physical. Reserved fields and arguments must be 0.
 *
 * Model: Barham et al., "Xen and the Art of Virtualization" (SOSP 2003).
 */
#ifndef TRAPS_PV_ABI_H
#define TRAPS_PV_ABI_H

#define PV_VERSION 2
#define PV_VECTOR  0x82 /* of the hypercall; no trap table entry can have it */

/* ---- the image ----------------------------------------------------------
 * An ELF file is a paravirtual kernel if it has a note (PT_NOTE) with this
 * owner. The description is three words: the version, the linear address at
 * which guest-physical 0 is mapped, and an OR of PV_KNOWS_. Segments are loaded
 * at p_paddr; e_entry is linear. */
#define PV_NOTE_OWNER   "Umbra PV"
#define PV_NOTE_TYPE    1
#define PV_KNOWS_DIRECT 0x1 /* copes with PV_HAS_DIRECT */

/* ---- segments -----------------------------------------------------------
 * The VMM's own entries of the descriptor table: flat segments that are always
 * there, and that a kernel starts with. Entries from the first on are its. */
#define PV_GDT_ENTRIES     7168
#define PV_SEL_KERNEL_CODE 0xE019
#define PV_SEL_KERNEL_DATA 0xE021
#define PV_SEL_USER_CODE   0xE02B
#define PV_SEL_USER_DATA   0xE033
#define PV_LDT_ENTRIES     8192

/* The VMM's own linear space: the last 4 MiB. The guest maps nothing there.
 * With PV_HAS_DIRECT it may read the machine-to-physical map in it. */
#define PV_HOLE 0xFFC00000
#define PV_M2P  0xFFC40000

/* ---- errors ------------------------------------------------------------- */
#define PV_EPERM  (-1) /* it would touch what is the VMM's, or ring 0 */
#define PV_ENOENT (-2) /* no such port */
#define PV_E2BIG  (-7) /* a batch or a length beyond its limit */
#define PV_EFAULT                                                              \
    (-14)               /* a pointer that the guest's own tables do not allow  \
                         */
#define PV_EEXIST (-17) /* bound already */
#define PV_EINVAL (-22) /* a value out of range */
#define PV_ENOSPC (-28) /* no port is free */
#define PV_ENOSYS (-38) /* no such hypercall or command */
/* Why a change of page tables is refused; from PV_ETABLE to PV_EUNPINNED only
 * where frames have types, with PV_HAS_DIRECT. */
#define PV_EALIGN    (-101) /* not the address of a page */
#define PV_EFRAME    (-102) /* not a frame of this guest's memory */
#define PV_EFLAGS    (-103) /* flags that an entry must not have */
#define PV_ERESERVED (-104) /* the directory entry of PV_HOLE */
#define PV_ETABLE    (-105) /* it is a page table and would be writable */
#define PV_EWRITABLE (-106) /* it is writable and would be a page table */
#define PV_ELEVEL    (-107) /* it is a page table of the other level */
#define PV_EPINNED   (-108) /* pinned already */
#define PV_EUNPINNED (-109) /* not pinned */
#define PV_ENOTABLE  (-110) /* no page table covers the linear address */

/* ---- hypercalls --------------------------------------------------------- */
#define PV_FEATURES          0 /* (PV_QUERY_..., 0)       the answer */
#define PV_SET_TRAP_TABLE    1 /* (struct pv_trap *, n)   */
#define PV_SET_CALLBACKS     2 /* (CS, EIP)               of the event upcall */
#define PV_STACK_SWITCH      3 /* (SS, ESP)               for traps from ring 3 */
#define PV_SET_GDT           4 /* (descriptors, n)        copied, after a check */
#define PV_SET_LDT           5 /* (descriptors, n)        n = 0: none */
#define PV_UPDATE_DESCRIPTOR 6 /* (selector, low, high)   one of them */
#define PV_MMU_UPDATE        7 /* (struct pv_mmu_update *, n, &done or 0) */
#define PV_MMU_OP            8 /* (struct pv_mmu_op *, n, &done or 0) */
#define PV_FPU_TASKSWITCH    9 /* (1 or 0)                set or clear CR0.TS */
#define PV_EVENT_OP          10 /* (PV_EVENT_..., a)       see there */
#define PV_SET_TIMER         11 /* (low, high)             see there */
#define PV_CONSOLE_IO        12 /* (PV_CONSOLE_..., buffer, bytes)  how many */
#define PV_SCHED_OP          13 /* (PV_SCHED_..., a, b)    */
#define PV_MULTICALL         14 /* (struct pv_call *, n, &done or 0) */
#define PV_MEMORY_OP         15 /* (PV_MEMORY_..., frame)  the balloon */
#define PV_UPDATE_VA         16 /* (linear, value, PV_FLUSH_...)  see there */
#define PV_HYPERCALLS        17

/* The most entries of one batch, and bytes of one console_io. */
#define PV_BATCH_MAX   1024
#define PV_CONSOLE_MAX 4096

/* PV_FEATURES */
#define PV_QUERY_VERSION   0   /* PV_VERSION */
#define PV_QUERY_FEATURES  1   /* OR of PV_HAS_ */
#define PV_HAS_LARGE_PAGES 0x1 /* 4 MiB pages in a page directory */
#define PV_HAS_DIRECT      0x2 /* the guest's tables are the processor's */

/* PV_MMU_UPDATE: the low two bits of ptr are the command. */
#define PV_UPDATE_SET         0 /* *ptr = value */
#define PV_UPDATE_PRESERVE_AD 2 /* the same, accessed and dirty bits stay */

/* PV_UPDATE_VA: set the entry for a linear address in the page table that is in
 * use, and forget... */
#define PV_FLUSH_NONE 0 /* nothing */
#define PV_FLUSH_PAGE 1 /* the translation of that address */
#define PV_FLUSH_ALL  2 /* every translation */

/* PV_MMU_OP. A pinned page is checked at once and stays a page table of its
 * kind until it is unpinned, used or not; without PV_HAS_DIRECT these three
 * only look at the address. */
#define PV_MMU_NEW_BASE      0 /* ma of a page directory: change to it */
#define PV_MMU_FLUSH         1 /* forget every translation */
#define PV_MMU_INVLPG        2 /* forget that of one linear address */
#define PV_MMU_NO_TABLE      3 /* ma of a page that is a page table no more */
#define PV_MMU_PIN_TABLE     4 /* ma of a page table */
#define PV_MMU_PIN_DIRECTORY 5 /* ma of a page directory */
#define PV_MMU_UNPIN         6 /* ma of a pinned page */

/* PV_EVENT_OP: events have ports, 1 to PV_PORTS - 1. A port is masked when it
 * is bound. */
#define PV_EVENT_BIND_VIRQ 0 /* a = PV_VIRQ_...: the port */
#define PV_EVENT_BIND_IPI  1 /* a = 0: a port for PV_EVENT_SEND */
#define PV_EVENT_SEND      2 /* a = a port bound by BIND_IPI */
#define PV_EVENT_UNMASK    3 /* a = port: clear its mask, see to what waits */
#define PV_EVENT_MASK      4 /* a = port */
#define PV_EVENT_CLOSE     5 /* a = port */
#define PV_EVENT_STATUS    6 /* a = port: 0 free, 1 IPI, 16 + PV_VIRQ_... */
#define PV_EVENT_UPCALL    7 /* a = 0: what waits and may be taken comes now */

#define PV_VIRQ_TIMER   0
#define PV_VIRQ_CONSOLE 1 /* input has come */
#define PV_VIRQS        2

/* PV_SET_TIMER: PV_VIRQ_TIMER at this system time (64 bits, ns), once; 0:
 * never. A time that has passed is now. */

/* PV_CONSOLE_IO */
#define PV_CONSOLE_WRITE 0
#define PV_CONSOLE_READ  1

/* PV_SCHED_OP */
#define PV_SCHED_YIELD    0
#define PV_SCHED_BLOCK    1 /* clear the upcall mask and wait for an event */
#define PV_SCHED_SHUTDOWN 2 /* a = PV_SHUTDOWN_..., b = value */

#define PV_SHUTDOWN_POWER_OFF 0
#define PV_SHUTDOWN_REBOOT    1
#define PV_SHUTDOWN_CRASH     2 /* the kernel has given up */
#define PV_SHUTDOWN_EXIT      3 /* as a write of b to port 0xF4 */

/* pv_trap.flags */
#define PV_TRAP_DPL 0x3 /* the lowest privilege that INT n may have */
#define PV_TRAP_MASK                                                           \
    0x4 /* sets the upcall mask, as an interrupt gate clears                   \
           IF */

/* PV_MEMORY_OP: memory that the guest gives back, a frame (gpa / 4096) at a
 * time. What a frame held is lost; one that is touched while it is given reads
 * as zeros, and is not given any more. Without a balloon, PV_ENOSYS.
 *
 * With PV_HAS_DIRECT a frame can be given when no entry of a page table names
 * it. It loses its machine frame, and when it is taken it has another: the
 * result of PV_MEMORY_TAKE is that one's number. The VMM keeps m2p; p2m is the
 * guest's own. */
#define PV_MEMORY_TARGET 0 /* how many frames the VMM wishes for */
#define PV_MEMORY_HELD   1 /* how many are given */
#define PV_MEMORY_GIVE   2 /* this one; PV_EINVAL: it cannot be given */
#define PV_MEMORY_TAKE   3 /* back; PV_EINVAL: it is not given */

#define PV_PORTS      128
#define PV_PORT_WORDS (PV_PORTS / 32)

#ifndef __ASSEMBLER__

#include <stdint.h>

struct pv_trap {
    uint8_t vector;
    uint8_t flags; /* PV_TRAP_ */
    uint16_t cs;   /* a ring-1 code segment */
    uint32_t eip;
};

struct pv_mmu_update {
    uint32_t ptr; /* ma of a page-table entry | PV_UPDATE_ */
    uint32_t value;
};

struct pv_mmu_op {
    uint32_t command; /* PV_MMU_ */
    uint32_t value;
};

/* One call of a batch. A multicall in a multicall is PV_EINVAL. */
struct pv_call {
    uint32_t number;
    int32_t result;
    uint32_t argument[5];
};

/* ---- pages that both see ------------------------------------------------ */

/* The shared-info page, at pv_start.shared_info_gpa. */
struct pv_shared_info {
    /* Bits of `ports_waiting` say which words of `port_pending` to look at. The
     * VMM sets bits, the guest clears them (with one instruction each). */
    uint32_t ports_waiting;
    uint32_t port_pending[PV_PORT_WORDS];
    uint32_t port_mask[PV_PORT_WORDS];

    /* The processor. upcall_pending: an event waits. upcall_mask: none may
     * come at ring 1; a store to it needs no exit. Who clears it looks at
     * upcall_pending and, if it is set, calls PV_EVENT_UPCALL. At ring 3 the
     * mask does not hold, so that IRET to a program unmasks. */
    uint8_t upcall_pending;
    uint8_t upcall_mask;
    uint8_t reserved[2];
    uint32_t cr2; /* of the last page fault that the guest was given */

    /* System time in ns since the start, as it was when the time stamp counter
     * was tsc; it counts ns, so the time now is time + (RDTSC - tsc). version
     * is odd while the VMM writes, which a guest with one processor never
     * sees. */
    uint32_t time_version;
    uint64_t tsc, time;
    /* Wall-clock time when the system time was 0: s since 1970. */
    uint32_t wall_seconds, wall_ns;
};

#define PV_START_MAGIC   0x32765055 /* "UPv2" */
#define PV_COMMAND_BYTES 1024
#define PV_MODULES_MAX   64
#define PV_NO_FRAME      0xFFFFFFFF

struct pv_module {
    uint32_t start, bytes; /* linear */
    char name[56];
};

/* The start-info page; ESI is its linear address when the kernel starts.
 *
 * Then: paging is on with CR0.WP, FXSAVE and FXRSTOR have the registers of SSE
 * (CR4.OSFXSR), [0, mapped_bytes) is mapped at the note's address, ESP is the
 * top of a page of stack, the segments are the VMM's own, the upcall mask is
 * set, every other register is 0. The mapping is writable; with PV_HAS_DIRECT
 * the page directory, which is pinned, and its page tables are not.
 * mapped_bytes is all memory, or a multiple of 4 MiB.
 *
 * p2m[gpa >> 12] is the number of the machine frame behind a page of the
 * guest's; without PV_HAS_DIRECT it is that of the page. m2p[ma >> 12] is the
 * reverse, PV_NO_FRAME for a frame that is not the guest's; there only with
 * PV_HAS_DIRECT, else 0. */
struct pv_start {
    uint32_t magic, version;
    uint32_t memory_bytes;
    uint32_t shared_info_gpa;
    uint32_t directory_gpa;  /* the page directory */
    uint32_t first_free_gpa; /* behind the kernel, the modules, and all this */
    uint32_t mapped_bytes;
    uint32_t module_count, modules; /* struct pv_module, linear */
    uint32_t p2m, m2p;              /* uint32_t [], linear */
    uint32_t machine_frames;        /* entries of m2p */
    char command[PV_COMMAND_BYTES];
};

#endif
#endif
