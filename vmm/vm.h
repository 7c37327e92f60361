/* SPDX-License-Identifier: MIT */
/* vmm/vm.h - one guest on the machine: created, booted, run, stepped, saved.
 *
 * The same object serves the bare machine (no VMM at all: the guest owns the
 * processor and the devices) and every virtualization technique, so that
 * whatever drives it (command line, screens, labs, tests) treats them alike.
 *
 * Units: time in virtual cycles (1 cycle = 1 ns of virtual time, see
 * cpu/machine.h). Strings returned in *error are one line, to be free()d.
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include "cpu/state.h"
#include "io/pc.h"
#include "shadowmmu/mmu.h"
#include "trace/trace.h"

struct technique;

enum cpu_technique {
    CPU_BARE,
    CPU_TRAP,
    CPU_BT_STATIC,
    CPU_BT,
    CPU_PV,
    CPU_HVM,
    CPU_TECHNIQUES,
};

/* Name, blurb for --help; and the way back (-1: no such name). */
const char *cpu_technique_name(enum cpu_technique t);
const char *cpu_technique_blurb(enum cpu_technique t);
int cpu_technique_find(const char *name);
/* The monitor's part; NULL: bare. */
const struct technique *cpu_technique_monitor(enum cpu_technique t);

/* The least machine memory that every guest can make progress with. */
enum { VM_MACHINE_BYTES_LEAST = PMAP_FRAMES_LEAST * PAGE_BYTES };

/* A file in the host's memory. */
struct blob {
    const void *data;
    size_t size;
    const char *name; /* for messages and multiboot module strings */
};

/* Where what is typed goes. */
enum vm_keyboard {
    KEYBOARD_IF_ALONE, /* to the keyboard, if the guest waits for keys and has
                          no driver for COM1 */
    KEYBOARD_ALWAYS,
    KEYBOARD_NEVER,
};

struct vm_config {
    enum cpu_technique cpu;
    const struct mmu_technique *mmu; /* ignored on bare */
    bool iopl1;                      /* --what-if iopl1 (trap only) */
    bool audit; /* an EV_SILENT for every silent instruction (trap only) */
    uint64_t memory_bytes;
    uint64_t table_limit_bytes; /* VMM table memory; 0: default */
    unsigned mmu_without;   /* enum mmu_optimization: the ones switched off */
    unsigned nested_levels; /* of nested tables: 2 to 4; 0: 4 */
    /* Not on bare. Machine memory that the guest's may take (0: as much as it
     * has), and the host's swap for the rest: a file (NULL: an unnamed one) and
     * its size (0: room for all of the guest's memory). */
    uint64_t machine_bytes;
    const char *swap_path;
    uint64_t swap_bytes;
    uint64_t balloon_bytes; /* that the guest shall give back; 0: none */
    bool balloon_auto; /* or: what it has too much, once the swap is used */
    unsigned share;    /* frames looked at in a ms to be shared; 0: none */
    bool large_frames; /* machine frames in pieces of 4 MiB */
    /* The translator (bt): what is switched off (bits of 1 << enum bt_option),
     * and its limits; 0: the usual ones. */
    unsigned bt_without;
    unsigned bt_unit;        /* guest instructions of a unit */
    uint32_t bt_cache_bytes; /* of the translation cache */
    struct blob kernel;
    const char *append;
    const struct blob *initrd;
    size_t initrd_count;
    const struct pc_disk *disks;
    size_t disk_count;
    bool diskette; /* the last of them is one */
    bool testdev, walker;
    bool plain_clock;               /* see struct machine_config */
    unsigned tlb_entries, tlb_ways; /* likewise; 0: the usual ones */
    /* COM1 gives each byte to output. input returns a byte that was typed, or
     * -1 for none now; it is asked only at deterministic points (the guest
     * would take one). Either may be NULL. */
    void (*serial_output)(void *ctx, uint8_t byte);
    int (*serial_input)(void *ctx);
    enum vm_keyboard keyboard; /* does the keyboard type it, or COM1? */
    /* The guest idles (HLT) until a deadline this many virtual ns away; the
     * host may sleep meanwhile. May be NULL. */
    void (*idle)(void *ctx, uint64_t ns);
    void *ctx;
};

enum vm_stop {
    VM_RUNNING,    /* a limit of this call was reached; run on */
    VM_DEBUG_EXIT, /* value: the status (V << 1) | 1 */
    VM_POWER_OFF,
    VM_RESET,
    VM_TRIPLE_FAULT,
    VM_DEAD,        /* halted with interrupts off: nothing can wake it */
    VM_NO_MEMORY,   /* what the guest needs does not fit into its machine
                       memory and its swap */
    VM_UNSUPPORTED, /* the guest needs what this technique cannot do */
    VM_INTERNAL,    /* our own bug; report says which */
};

/* What ends one call of vm_run(). */
struct vm_limit {
    uint64_t cycles;     /* stop at this absolute virtual time; 0: none */
    uint64_t events;     /* stop when the event sequence number reaches it; 0 */
    uint32_t event_mask; /* stop after an event of these kinds (1 << kind) */
    bool one_instruction;
    const volatile bool *interrupted; /* looked at now and then; may be NULL */
};

struct vm;

/* Create the machine, its devices and the guest, loaded and ready at its first
 * instruction. NULL and *error: unreadable or foreign image, no memory,
 * a processor library that cannot be used; *status is 2 for the first, 70 for
 * the last. */
struct vm *vm_create(const struct vm_config *config, char **error, int *status);
void vm_destroy(struct vm *vm);

/* Run until the guest stops for good (the stop is then sticky) or a limit is
 * reached (VM_RUNNING). */
enum vm_stop vm_run(struct vm *vm, const struct vm_limit *limit);

/* After a final stop: the exit status of the command line's contract, and a
 * report in sentences (several lines; "" when there is nothing to say), e.g.
 * of a triple fault or of lost POPFs. */
int vm_exit_status(const struct vm *vm);
const char *vm_report(struct vm *vm);

struct trace *vm_trace(struct vm *vm);
uint64_t vm_cycles(const struct vm *vm);
const struct vm_config *vm_configuration(const struct vm *vm);

/* The guest's processor as the guest believes it to be, and the real one. On
 * bare they are equal. */
void vm_guest_state(struct vm *vm, struct cpu_state *out);
void vm_real_state(struct vm *vm, struct cpu_state *out);

/* The technique's memory side; NULL on bare. */
struct mmu *vm_mmu(struct vm *vm);
struct pmap *vm_pmap(struct vm *vm); /* NULL on bare: gpa is ma */
struct pc *vm_pc(struct vm *vm);

/* Guest memory without side effects, through the guest's tables (supervisor
 * rights): bytes that could be read, from the start. */
size_t vm_peek(struct vm *vm, uint32_t linear, void *out, size_t bytes);
/* Guest-physical memory; false when outside. */
bool vm_read_physical(struct vm *vm, gpa_t gpa, void *out, size_t bytes);
/* Did a technique replace the guest's byte there (bt-static), and which was it?
 */
bool vm_patched(struct vm *vm, gpa_t gpa, uint8_t *original);

/* Nearest symbol at or below an address, from the kernel image; NULL: none. */
const char *vm_symbol(struct vm *vm, uint32_t address, uint32_t *offset);

/* A hash of the guest-visible state: registers and memory. */
uint64_t vm_digest(struct vm *vm, bool registers);

/* Machine state in memory: guest, devices, VMM tables, clock. vm_save returns
 * a block to vm_saved_free(); restoring it gives the same future. */
struct vm_saved;
struct vm_saved *vm_save(struct vm *vm);
bool vm_restore(struct vm *vm, const struct vm_saved *saved);
void vm_saved_free(struct vm_saved *saved);
size_t vm_saved_bytes(const struct vm_saved *saved);

/* The decision the fault handler takes about an access, given to somebody else
 * (labs). Asked for every page fault before it is acted upon; what it answers
 * is not trusted, only compared. NULL: none. */
typedef void vm_fault_observer(void *ctx, uint32_t linear, uint32_t error,
                               const struct mmu_result *result);
void vm_observe_faults(struct vm *vm, vm_fault_observer *observer, void *ctx);

#endif
