/* SPDX-License-Identifier: MIT */
/* How many address spaces a guest has used. */
#include "cli/compare_vm.h"

#include "cpu/x86.h"

/* PAE's tables of pointers have 32 bytes. */
enum { ROOT_SHIFT = 5 };

/* True: it is new. Open addressing; a full table takes no more. */
static bool add(struct spaces *s, uint32_t root)
{
    uint32_t at = root * 2654435761u >> (32 - SPACES_SHIFT);

    for (uint32_t i = 0; i < SPACES_MOST; i++) {
        uint32_t *slot = &s->root[(at + i) % SPACES_MOST];

        if (*slot == root)
            return false;
        if (*slot == 0) {
            *slot = root;
            return true;
        }
    }
    return false;
}

void compare_note_space(struct compared_vm *v, uint64_t loads)
{
    struct spaces *s = &v->r->spaces;
    struct cpu_state state;

    if (loads == s->loads)
        return;
    s->loads = loads;
    vm_guest_state(v->vm, &state);
    if (state.cr0 & CR0_PG)
        s->count += add(s, state.cr3 >> ROOT_SHIFT);
}
