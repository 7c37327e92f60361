/* SPDX-License-Identifier: MIT */
/* vmm/inspect_parts.h - the parts that an inspection is made of. */
#ifndef VMM_INSPECT_PARTS_H
#define VMM_INSPECT_PARTS_H

#include "cpu/decode.h"
#include "vmm/inspect.h"

/* Fills code, code_count, current; returns the current instruction (its id is
 * INSN_OTHER, its length 0, when there is none to read). */
struct insn inspect_code(struct vm *vm, struct inspection *out);

/* What the instruction will do under a technique, for these processors, if
 * it is as the guest wrote it (not patched). */
enum code_mark inspect_mark(const struct insn *insn,
                            const struct inspection *in,
                            enum cpu_technique technique);

/* inspect_hvm.c: the same in VMX non-root operation; the sentence (NULL: an
 * ordinary instruction) and its source. */
enum code_mark inspect_hvm_mark(const struct insn *insn,
                                const struct inspection *in);
const char *inspect_hvm_why(const struct insn *insn, enum code_mark mark,
                            const struct cpu_state *guest, const char **cite);

/* Fills why and next. Needs the processors, the code, the stack, the events. */
void inspect_why(const struct insn *insn, enum cpu_technique technique,
                 struct inspection *out);

/* For a paravirtual guest: the sentence, NULL where the others' holds; and what
 * comes next, false likewise. */
const char *inspect_pv_why(const struct insn *insn,
                           const struct inspection *in);
bool inspect_pv_next(const struct insn *insn, const struct inspection *in,
                     char *next, size_t bytes);

/* Under bt: the row's mark and how it is translated; and the sentence for it
 * (NULL: the usual one). */
void inspect_bt_row(struct vm *vm, const struct insn *insn,
                    const uint8_t *bytes, struct inspect_line *row);
/* Fills cached. */
void inspect_bt_cached(struct vm *vm, struct inspection *out);
const char *inspect_bt_why(const struct insn *insn,
                           const struct inspection *in);

/* Without a VMM: the hardware's walk of the guest's own tables. */
void inspect_bare_walk(struct vm *vm, const struct cpu_state *s,
                       uint32_t linear, unsigned access, struct mmu_view *view);

#endif
