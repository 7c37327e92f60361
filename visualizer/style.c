/* SPDX-License-Identifier: MIT */
/* visualizer/style.c - the looks of every meaning, in three schemes.
 *
 * The colours are the nearest ones to the Okabe-Ito palette, which people with
 * any kind of colour blindness can tell apart. A colour only repeats what a
 * letter or a word says.
 */
#include "visualizer/canvas.h"

enum {
    OWN = -1, /* the terminal's own colour */
    RED = 1,
    GREEN = 2,
    YELLOW = 3,
    MAGENTA = 5,
    CYAN = 6,
    SKY_BLUE = 74,
    PURPLE = 175,
    ORANGE = 178,
    BLUISH_GREEN = 35,
    LIGHT_YELLOW = 221,
    VERMILLION = 166,
};

#define BOLD      LOOK_BOLD
#define UNDERLINE LOOK_UNDERLINE
#define REVERSE   LOOK_REVERSE

const struct style_row style_table[STYLE_COUNT] = {
    /* name, letter, mono, 8 colours, 256 colours */
    [STYLE_TEXT] = {"text", '.', {OWN, 0}, {OWN, 0}, {OWN, 0}},
    [STYLE_DIM] = {"frame", '-', {OWN, 0}, {OWN, 0}, {OWN, 0}},
    [STYLE_TITLE] = {"title", 't', {OWN, BOLD}, {OWN, BOLD}, {OWN, BOLD}},
    [STYLE_SELECT] =
        {"selected", '>', {OWN, REVERSE}, {OWN, REVERSE}, {OWN, REVERSE}},
    [STYLE_CURRENT] =
        {"next instruction", 'c', {OWN, BOLD}, {OWN, BOLD}, {OWN, BOLD}},
    [STYLE_HIDDEN] = {"hidden", 'H', {OWN, 0}, {CYAN, 0}, {SKY_BLUE, 0}},
    [STYLE_DIRTY] = {"dirty",
                     'D',
                     {OWN, UNDERLINE},
                     {CYAN, UNDERLINE},
                     {SKY_BLUE, UNDERLINE}},
    [STYLE_TRACE] = {"trace", 'W', {OWN, UNDERLINE}, {MAGENTA, 0}, {PURPLE, 0}},
    [STYLE_PAGED] =
        {"paged_out", 'P', {OWN, 0}, {YELLOW, 0}, {LIGHT_YELLOW, 0}},
    [STYLE_TRUE] =
        {"true", 'T', {OWN, REVERSE}, {RED, BOLD}, {VERMILLION, BOLD}},
    [STYLE_EMULATE] =
        {"emulate", 'E', {OWN, BOLD}, {YELLOW, BOLD}, {ORANGE, 0}},
    [STYLE_DEVICE] = {"device", 'M', {OWN, 0}, {GREEN, 0}, {BLUISH_GREEN, 0}},
    [STYLE_SILENT] =
        {"silent", 'S', {OWN, BOLD}, {RED, UNDERLINE}, {VERMILLION, UNDERLINE}},
    [STYLE_CHANGED] = {"changed", '*', {OWN, BOLD}, {OWN, BOLD}, {OWN, BOLD}},
    [STYLE_DIFFERS] =
        {"differs", '!', {OWN, REVERSE}, {OWN, REVERSE}, {OWN, REVERSE}},
    [STYLE_STATUS] = {"message", 'm', {OWN, BOLD}, {OWN, BOLD}, {OWN, BOLD}},
};

enum style style_of_letter(char letter)
{
    static const struct {
        char letter;
        enum style style;
    } table[] = {
        {'H', STYLE_HIDDEN}, {'D', STYLE_DIRTY},  {'W', STYLE_TRACE},
        {'P', STYLE_PAGED},  {'T', STYLE_TRUE},   {'E', STYLE_EMULATE},
        {'M', STYLE_DEVICE}, {'S', STYLE_SILENT}, {'O', STYLE_DEVICE},
        {'A', STYLE_DEVICE},
    };
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].letter == letter)
            return table[i].style;
    return STYLE_TEXT;
}
