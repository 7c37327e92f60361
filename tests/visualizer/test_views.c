/* SPDX-License-Identifier: MIT */
/* Every screen, from a picture to text, against tests/visualizer/goldens.
 * UMBRA_UPDATE_GOLDEN=1 writes them anew; read the difference before you
 * commit it. */
#include <criterion/criterion.h>

#include "tests/visualizer/fixture.h"
#include "visualizer/keys.h"
#include "visualizer/view.h"

#define GOLDENS "tests/visualizer/goldens"

/* Side by side: the golden, a mark where they differ, what was drawn. */
static void show_difference(FILE *golden, FILE *drawn)
{
    char left[500], right[500];
    for (;;) {
        bool more_left = fgets(left, sizeof left, golden) != NULL;
        bool more_right = fgets(right, sizeof right, drawn) != NULL;
        if (!more_left && !more_right)
            return;
        if (!more_left)
            left[0] = '\0';
        if (!more_right)
            right[0] = '\0';
        left[strcspn(left, "\n")] = '\0';
        right[strcspn(right, "\n")] = '\0';
        fprintf(stderr, "%-80s %c %s\n", left,
                strcmp(left, right) == 0 ? ' ' : '!', right);
    }
}

static void check_text(const char *name, char *text, size_t bytes)
{
    char path[200];
    snprintf(path, sizeof path, GOLDENS "/%s", name);
    if (getenv("UMBRA_UPDATE_GOLDEN")) {
        FILE *out = fopen(path, "w");
        cr_assert(out && fwrite(text, 1, bytes, out) == bytes);
        fclose(out);
        return;
    }
    FILE *golden = fopen(path, "r");
    cr_assert(golden, "%s: not there (UMBRA_UPDATE_GOLDEN=1 writes it)", path);
    char *wanted = calloc(1, 100000);
    size_t got = fread(wanted, 1, 99999, golden);
    bool same = got == bytes && memcmp(wanted, text, bytes) == 0;
    if (!same) {
        FILE *drawn = fmemopen(text, bytes, "r");
        rewind(golden);
        fprintf(stderr, "%s   (left: golden, right: drawn)\n", path);
        show_difference(golden, drawn);
        fclose(drawn);
    }
    free(wanted);
    fclose(golden);
    cr_assert(same, "%s differs", path);
}

static void check(const char *name, const struct inspection *in,
                  const struct ui *ui)
{
    static const struct {
        int width, height;
    } sizes[] = {{80, 24}, {120, 40}, {79, 23}};

    for (unsigned i = 0; i < 3; i++) {
        struct canvas *c = canvas_create(sizes[i].width, sizes[i].height);
        char file[100], *text = NULL;
        size_t bytes = 0;
        view_draw(c, in, ui);
        FILE *out = open_memstream(&text, &bytes);
        cr_assert(canvas_write(c, out));
        fclose(out);
        snprintf(file, sizeof file, "%s-%dx%d.txt", name, sizes[i].width,
                 sizes[i].height);
        check_text(file, text, bytes);
        free(text);
        canvas_destroy(c);
    }
}

static struct inspection picture;

Test(visualizer_views, step_shows_code_registers_and_log)
{
    struct ui ui = {.screen = SCREEN_STEP};
    fixture_fill(&picture);
    check("step", &picture, &ui);
}

Test(visualizer_views, step_marks_cursor_breakpoint_and_filter)
{
    struct ui ui = {.screen = SCREEN_STEP,
                    .pane = PANE_LOG,
                    .log_cursor = 1,
                    .filter = "HT",
                    .breakpoints = {0x100140},
                    .breakpoint_count = 1};
    fixture_fill(&picture);
    check("step-filter", &picture, &ui);
}

Test(visualizer_views, step_shows_translated_code)
{
    struct ui ui = {.screen = SCREEN_STEP, .cache = true};
    fixture_fill(&picture);
    picture.cpu = "bt";
    picture.cached_count = 4;
    picture.cached[0] =
        (struct inspect_cached){true,
                                false,
                                0x100142,
                                0xBFCC0100,
                                "control",
                                "jz 0xBFCC0140",
                                "-> not translated so far: 00100150"};
    picture.cached[1] = (struct inspect_cached){
        true,        true,      0x100144,
        0xBFCC0106,  "in-line", "mov dword ptr ss:[0xBFC21000], 0x00",
        "virtual IF"};
    picture.cached[2] = (struct inspect_cached){
        true,       false,   0x100145,
        0xBFCC0111, "ident", "mov dword ptr [0x20F4], eax",
        ""};
    picture.cached[3] = (struct inspect_cached){false,
                                                false,
                                                0x10014A,
                                                0xBFCC0116,
                                                "link",
                                                "jmp 0xBFCC0200",
                                                "-> unit of 0010014a"};
    check("step-translated", &picture, &ui);
}

Test(visualizer_views, step_on_the_bare_machine_has_one_processor)
{
    struct ui ui = {.screen = SCREEN_STEP};
    fixture_bare(&picture);
    check("step-bare", &picture, &ui);
}

Test(visualizer_views, translation_shows_both_tables_and_the_verdict)
{
    struct ui ui = {.screen = SCREEN_TRANSLATION};
    fixture_fill(&picture);
    check("translation", &picture, &ui);
}

Test(visualizer_views, translation_of_a_true_fault)
{
    struct ui ui = {.screen = SCREEN_TRANSLATION};
    fixture_fill(&picture);
    picture.view.walk.allowed = false;
    picture.view.walk.error = 7;
    picture.view.walk.entry[LEVEL_PT] = 0xC065;
    picture.view.would = FC_TRUE;
    picture.mmu = "tlb";
    check("translation-true", &picture, &ui);
}

Test(visualizer_views, translation_on_the_bare_machine_has_one_table)
{
    struct ui ui = {.screen = SCREEN_TRANSLATION};
    fixture_bare(&picture);
    check("translation-bare", &picture, &ui);
}

Test(visualizer_views, console_shows_the_guest_s_lines)
{
    struct ui ui = {.screen = SCREEN_CONSOLE};
    fixture_fill(&picture);
    check("console", &picture, &ui);
}

Test(visualizer_views, vga_shows_the_rows_around_the_guest_s_cursor)
{
    struct ui ui = {.screen = SCREEN_VGA};
    fixture_fill(&picture);
    check("vga", &picture, &ui);
}

Test(visualizer_views, vga_shows_where_the_user_has_scrolled_to)
{
    struct ui ui = {.screen = SCREEN_VGA, .vga_down = -4};
    fixture_fill(&picture);
    check("vga-scrolled", &picture, &ui);
}

Test(visualizer_views, vga_of_a_guest_that_has_written_nothing)
{
    struct ui ui = {.screen = SCREEN_VGA};
    fixture_fill(&picture);
    memset(&picture.vga, 0, sizeof picture.vga);
    check("vga-blank", &picture, &ui);
}

Test(visualizer_views, vga_reverses_what_stands_out_and_has_the_cursor)
{
    struct canvas *c = canvas_create(80, 24);
    struct ui ui = {.screen = SCREEN_VGA};
    char row[200];

    fixture_fill(&picture);
    view_draw(c, &picture, &ui);
    canvas_row(c, c->cursor_row, row, sizeof row);
    cr_assert_str_eq(row, "boot:");
    cr_assert_eq(c->cursor_column, 6);
    cr_assert_eq(canvas_cell(c, c->cursor_row, 0)->style, STYLE_TEXT);
    cr_assert_eq(canvas_cell(c, c->cursor_row - 12, 0)->style, STYLE_SELECT);
    cr_assert_eq(canvas_cell(c, c->cursor_row - 12, 5)->style, STYLE_TEXT);
    canvas_destroy(c);
}

Test(visualizer_views, help_is_the_key_table)
{
    struct ui ui = {.screen = SCREEN_STEP, .help = true};
    fixture_fill(&picture);
    check("help", &picture, &ui);
}

Test(visualizer_views, an_empty_picture_is_drawn_at_any_size)
{
    memset(&picture, 0, sizeof picture);
    for (int width = 0; width < 130; width += 3) {
        for (int height = 0; height < 45; height++) {
            struct canvas *c = canvas_create(width, height);
            struct ui ui = {.code_cursor = -5,
                            .log_cursor = 300,
                            .console_back = 500,
                            .vga_down = 300,
                            .help_top = 90};
            for (int screen = 0; screen < SCREEN_COUNT; screen++) {
                ui.screen = (enum ui_screen)screen;
                view_draw(c, &picture, &ui);
            }
            ui.help = true;
            view_draw(c, &picture, &ui);
            canvas_destroy(c);
        }
    }
}

Test(visualizer_views, the_cursor_is_on_the_selected_row)
{
    struct canvas *c = canvas_create(80, 24);
    struct ui ui = {.screen = SCREEN_STEP, .pane = PANE_LOG};
    char row[200];
    fixture_fill(&picture);
    view_draw(c, &picture, &ui);
    canvas_row(c, c->cursor_row, row, sizeof row);
    cr_assert(strstr(row, ">   425"), "%s", row);
    ui.pane = PANE_CODE;
    view_draw(c, &picture, &ui);
    canvas_row(c, c->cursor_row, row, sizeof row);
    cr_assert(strstr(row, "> 00100144"), "%s", row);
    canvas_destroy(c);
}

Test(visualizer_views, class_letters_have_their_meaning_s_style)
{
    struct canvas *c = canvas_create(80, 24);
    struct ui ui = {.screen = SCREEN_STEP};
    fixture_fill(&picture);
    view_draw(c, &picture, &ui);
    unsigned seen = 0;
    for (int row = 14; row < 21; row++)
        for (int column = 0; column < 80; column++) {
            const struct cell *cell = canvas_cell(c, row, column);
            if (cell->style == STYLE_TRUE)
                seen |= cell->ch == 'T';
            if (cell->style == STYLE_HIDDEN)
                seen |= cell->ch == 'H' ? 2 : 0;
        }
    cr_assert_eq(seen, 3);
    canvas_destroy(c);
}
