/* SPDX-License-Identifier: MIT */
/* vmm/inspect.h - a picture of a guest at one moment, for the screens.
 *
 * A struct inspection is self-contained: it has no pointer into the machine,
 * so what draws it cannot disturb what it shows. (Pointers in events are to
 * static strings.)
 */
#ifndef VMM_INSPECT_H
#define VMM_INSPECT_H

#include "cpu/state.h"
#include "shadowmmu/mmu.h"
#include "trace/trace.h"
#include "vmm/text_screen.h"
#include "vmm/vm.h"

enum {
    INSPECT_CODE = 48,
    INSPECT_EVENTS = 200,
    INSPECT_CONSOLE_ROWS = 100,
    INSPECT_CONSOLE_COLUMNS = 132,
    INSPECT_STACK = 16,
    INSPECT_CACHE = 64,
};

/* What will happen at an instruction, if it is executed now. */
enum code_mark {
    MARK_NONE,
    MARK_TRAPS,   /* the processor will trap: "E traps" */
    MARK_SILENT,  /* sensitive, and will not trap: "S silent!" */
    MARK_DEVICE,  /* IN, OUT: "M device" */
    MARK_PATCHED, /* was silent; a translated site now traps */
    MARK_INLINE,  /* bt: emitted code does it: "I in line" */
    MARK_CALLOUT, /* bt: translated code calls the VMM: "C callout" */
};

struct inspect_line {
    uint32_t address; /* linear = CS.base + eip */
    uint8_t length;
    uint8_t bytes[15];
    enum code_mark mark;
    char text[64];          /* Intel syntax */
    char symbol[40];        /* "name" when a symbol starts here, else "" */
    const char *translated; /* bt: how ("ident"...; static); NULL: not */
};

/* bt: one instruction of the translation cache. */
struct inspect_cached {
    bool first;   /* the first one of the guest's instruction */
    bool current; /* which is the next to run */
    uint32_t guest, cache;
    const char *kind; /* static */
    char text[64];
    char note[80]; /* where it leads, what of the VMM's it touches; or "" */
};

struct inspection {
    /* Where and what. */
    uint64_t seq;
    uint64_t cycles;
    const char *cpu; /* technique names */
    const char *mmu; /* "-" on bare */
    enum vm_stop stop;
    char guest_name[64];
    char place[64]; /* symbol+offset of the current instruction */

    /* Processors. before: the guest's at the previous inspection. */
    struct cpu_state guest, real, before;
    bool has_before;

    /* Code around the current instruction; code[current] is the next to run. */
    struct inspect_line code[INSPECT_CODE];
    unsigned code_count, current;
    /* bt: the translation around it, if there is one. */
    struct inspect_cached cached[INSPECT_CACHE];
    unsigned cached_count;
    char next[160]; /* "emulate cli: vIF 1->0, EIP+1" */
    char why[480];  /* one or two sentences: why it traps or does not */

    /* Words at SS:ESP. */
    uint32_t stack[INSPECT_STACK];
    unsigned stack_count;

    /* Latest events, oldest first, and the latest page fault of all. */
    struct event events[INSPECT_EVENTS];
    unsigned event_count;
    struct event last_fault;
    bool has_fault;

    /* Translation of one address (the one asked for, else the last fault's,
     * else EIP), for one access. */
    uint32_t gva;
    unsigned access; /* ACC_ */
    struct mmu_view view;

    struct counters count;

    /* COM1's last lines as a terminal of plain text would show them. */
    char console[INSPECT_CONSOLE_ROWS][INSPECT_CONSOLE_COLUMNS + 1];
    unsigned console_rows;

    struct text_screen vga; /* the VGA's text screen */
};

/* What to look at. */
struct inspect_request {
    bool has_gva;
    uint32_t gva;
    unsigned access;
};

/* Keeps what an inspection needs between moments (event ring, console text,
 * the previous registers). Create it before the guest runs; feed it the
 * console's bytes. */
struct inspector;
struct inspector *inspector_create(struct vm *vm);
void inspector_destroy(struct inspector *i);
void inspector_console(struct inspector *i, uint8_t byte);

/* The VMCS by areas, or the one area whose name begins like this, a line for
 * each field; returns the text's length, 0: there is none. 16 KiB are enough
 * for all of it. */
size_t vm_vmcs_text(struct vm *vm, const char *area, char *text, size_t bytes);

/* The newest n events, oldest of them first; returns how many. */
size_t inspector_events(const struct inspector *i, struct event *out, size_t n);

/* The address of a name of the guest's kernel; false: no such name. */
bool inspector_find(const struct inspector *i, const char *name,
                    uint32_t *address);

/* What the inspector itself keeps, to go back together with the machine. The
 * copy watches nothing; destroy it. NULL: no memory. */
struct inspector *inspector_copy(const struct inspector *i);
void inspector_return(struct inspector *i, const struct inspector *copy);

/* Take the picture. */
void inspector_take(struct inspector *i, const struct inspect_request *request,
                    struct inspection *out);

#endif
