/* SPDX-License-Identifier: MIT */
/* visualizer/actions.h - what the keys do. */
#ifndef VISUALIZER_ACTIONS_H
#define VISUALIZER_ACTIONS_H

#include "visualizer/keys.h"

key_action act_step, act_step_back, act_trap, act_trap_back, act_continue;
key_action act_until, act_break, act_cache, act_filter, act_goto, act_search,
    act_next;
key_action act_previous, act_down, act_up, act_page_down, act_page_up;
key_action act_home, act_end, act_pane, act_follow, act_back;
key_action act_screen_1, act_screen_2, act_screen_3, act_screen_4;
key_action act_type, act_export;
key_action act_command, act_lines, act_repaint, act_suspend, act_escape;
key_action act_help, act_quit, act_interrupt;

#endif
