/* SPDX-License-Identifier: MIT */
/* cli/compare_pages.h - how much memory the guest uses, by its own tables. */
#ifndef CLI_COMPARE_PAGES_H
#define CLI_COMPARE_PAGES_H

#include "vmm/vm.h"

/* The 4 KiB pages of the current address space whose entry is present and has
 * its accessed bit set, those of the kernel included; a large page counts once
 * for each. What a TLB or the VMM's tables would have to hold for it. 0 while
 * paging is off. */
uint64_t compare_accessed_pages(struct vm *vm);

#endif
