/* SPDX-License-Identifier: MIT */
/* visualizer/keys.c - the key table. */
#include "visualizer/keys.h"

#include <string.h>

#include "visualizer/actions.h"

const struct key_row key_table[] = {
    /* key, name, where, action, help, in the bottom line */
    {'s', "s", EVERYWHERE, act_step, "step one instruction", "step"},
    {'S', "S", EVERYWHERE, act_step_back, "one instruction back", NULL},
    {'t', "t", EVERYWHERE, act_trap, "run to the next trap", "trap"},
    {'T', "T", EVERYWHERE, act_trap_back, "back to the last trap", NULL},
    {'c', "c", EVERYWHERE, act_continue, "continue; a key stops", "cont"},
    {UI_KEY_F5, "F5", EVERYWHERE, act_continue, NULL, NULL},
    {'u', "u", ON_STEP, act_until, "run to the cursor", NULL},
    {'b', "b", ON_STEP, act_break, "breakpoint at the cursor", NULL},
    {'x', "x", ON_STEP, act_cache, "translated code or the log", NULL},
    {'f', "f", ON_STEP, act_filter, "filter traps by class", "filter"},
    {'g', "g", EVERYWHERE, act_goto, "go to address or #event", "goto"},
    {'/', "/", ON_STEP, act_search, "search the trap log", "find"},
    {'n', "n", ON_STEP, act_next, "next hit; N the one before", NULL},
    {'N', "N", ON_STEP, act_previous, NULL, NULL},
    {UI_KEY_DOWN, "Down", EVERYWHERE, act_down, "move down", NULL},
    {'j', "j", EVERYWHERE, act_down, NULL, NULL},
    {UI_KEY_UP, "Up", EVERYWHERE, act_up, "move up", NULL},
    {'k', "k", EVERYWHERE, act_up, NULL, NULL},
    {UI_KEY_PAGE_DOWN, "PgDn", EVERYWHERE, act_page_down, "a page down, up",
     NULL},
    {UI_KEY_PAGE_UP, "PgUp", EVERYWHERE, act_page_up, NULL, NULL},
    {UI_KEY_HOME, "Home", EVERYWHERE, act_home, "to the first, the last", NULL},
    {UI_KEY_END, "End", EVERYWHERE, act_end, NULL, NULL},
    {UI_KEY_TAB, "Tab", ON_STEP, act_pane, "the other pane", "pane"},
    {UI_KEY_BACK_TAB, "S-Tab", ON_STEP, act_pane, NULL, NULL},
    {UI_KEY_ENTER, "Enter", EVERYWHERE, act_follow, "translate the address",
     NULL},
    {UI_KEY_RIGHT, "Right", EVERYWHERE, act_follow, NULL, NULL},
    {UI_KEY_LEFT, "Left", EVERYWHERE, act_back, "to the screen before", NULL},
    {'1', "1", EVERYWHERE, act_screen_1, "the screens", NULL},
    {'2', "2", EVERYWHERE, act_screen_2, NULL, NULL},
    {'3', "3", EVERYWHERE, act_screen_3, NULL, NULL},
    {'4', "4", EVERYWHERE, act_screen_4, NULL, NULL},
    {'i', "i", ON_CONSOLE | ON_VGA, act_type, "type to the guest", "type"},
    {'e', "e", EVERYWHERE, act_export, "export screen to a file", NULL},
    {UI_KEY_F2, "F2", EVERYWHERE, act_export, NULL, NULL},
    {':', ":", EVERYWHERE, act_command, "command line (:help)", NULL},
    {'~', "~", EVERYWHERE, act_lines, "ASCII or Unicode lines", NULL},
    {CONTROL('L'), "C-l", EVERYWHERE, act_repaint, "draw all again", NULL},
    {CONTROL('Z'), "C-z", EVERYWHERE, act_suspend, "suspend Umbra", NULL},
    {UI_KEY_ESCAPE, "Esc", EVERYWHERE, act_escape, "close, cancel", NULL},
    {'?', "?", EVERYWHERE, act_help, "this help", "help"},
    {'h', "h", EVERYWHERE, act_help, NULL, NULL},
    {UI_KEY_F1, "F1", EVERYWHERE, act_help, NULL, NULL},
    {'q', "q", EVERYWHERE, act_quit, "quit; C-c: twice", "quit"},
    {UI_KEY_F10, "F10", EVERYWHERE, act_quit, NULL, NULL},
    {CONTROL('C'), "C-c", EVERYWHERE, act_interrupt, NULL, NULL},
};
const unsigned key_count = sizeof key_table / sizeof key_table[0];

const struct key_row *key_find(int key, enum ui_screen screen)
{
    for (unsigned i = 0; i < key_count; i++)
        if (key_table[i].key == key && (key_table[i].where >> screen & 1))
            return &key_table[i];
    return NULL;
}

int key_by_name(const char *name)
{
    for (unsigned i = 0; i < key_count; i++)
        if (strcmp(key_table[i].name, name) == 0)
            return key_table[i].key;
    if (strcmp(name, "Backspace") == 0)
        return UI_KEY_BACKSPACE;
    return name[0] && !name[1] ? name[0] : UI_KEY_NONE;
}

unsigned key_group(unsigned i, char *names, size_t bytes)
{
    size_t used = 0;
    unsigned at = i;
    do {
        if (used < bytes)
            used += (size_t)snprintf(names + used, bytes - used, "%s%s",
                                     at > i ? " " : "", key_table[at].name);
        at++;
    } while (at < key_count && !key_table[at].help);
    return at;
}

static void list_places(FILE *out, unsigned where)
{
    if (where == EVERYWHERE) {
        fputs("everywhere", out);
        return;
    }
    const char *separator = "";
    for (unsigned i = 0; i < SCREEN_COUNT; i++) {
        if (!(where >> i & 1))
            continue;
        fprintf(out, "%s%s", separator, view_table[i].name);
        separator = ", ";
    }
}

void key_list(FILE *out)
{
    char names[64];
    for (unsigned i = 0; i < key_count;) {
        const struct key_row *k = &key_table[i];
        i = key_group(i, names, sizeof names);
        fprintf(out, "%-12s %-28s ", names, k->help);
        list_places(out, k->where);
        fputc('\n', out);
    }
}
