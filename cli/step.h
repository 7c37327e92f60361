/* SPDX-License-Identifier: MIT */
/* cli/step.h - umbra step: the inspector on a guest. */
#ifndef CLI_STEP_H
#define CLI_STEP_H

/* argv[0]: "umbra step". Takes the options of a guest, and --keys, --plain,
 * --color, --list-keys. */
int cmd_step(int argc, char **argv);

#endif
