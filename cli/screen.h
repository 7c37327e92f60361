/* SPDX-License-Identifier: MIT */
/* cli/screen.h - --screen: what stands on the guest's text screen. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include "vmm/vm.h"

/* Write the 80x25 cells of the VGA's text screen as lines, without their
 * attributes and without blanks at the ends; what is not ASCII is a dot. path
 * "-": standard output. Returns 0 or an errno. */
int screen_write(struct vm *vm, const char *path);

#endif
