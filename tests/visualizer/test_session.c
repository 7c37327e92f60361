/* SPDX-License-Identifier: MIT */
/* Keys, commands and scripts, on a target that pretends to run. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "tests/visualizer/fixture.h"
#include "visualizer/plain.h"

static struct pretended guest;
static const struct target target = {&pretended_ops, &guest};
static struct session s;
static volatile bool interrupted;

static void start(void)
{
    memset(&guest, 0, sizeof guest);
    cr_assert(session_open(&s, &target, NULL, &interrupted, 80, 24));
}

static void stop(void)
{
    session_close(&s);
}

static void keys(const char *text)
{
    for (; *text; text++)
        session_key(&s, (unsigned char)*text);
}

static bool screen_has(const char *text)
{
    session_draw(&s);
    return canvas_contains(s.canvas, text);
}

TestSuite(visualizer_session, .init = start, .fini = stop);

Test(visualizer_session, until_takes_a_name_of_the_guest)
{
    cr_assert(session_command(&s, "until irq_save"));
    cr_assert_eq(pretended_here(&guest), 0x1020);
    cr_assert(!session_command(&s, "until nobody"));
    cr_assert(screen_has("no address (hexadecimal) and no name"));
}

Test(visualizer_session, the_vga_is_scrolled_no_further_than_it_has_rows)
{
    keys("4");
    cr_assert(screen_has("rows 7 to 25 of 25"));
    keys("j");
    cr_assert(screen_has("rows 7 to 25 of 25"));
    keys("kk");
    cr_assert(screen_has("rows 5 to 23 of 25"));
    session_key(&s, UI_KEY_HOME);
    cr_assert(screen_has("the first row"));
    keys("j");
    cr_assert(screen_has("rows 2 to 20 of 25"));
    keys("s");
    cr_assert(screen_has("rows 7 to 25 of 25"), "the cursor again");
}

Test(visualizer_session, plain_tells_the_vga_s_rows)
{
    FILE *in = tmpfile(), *out = tmpfile();
    char text[600] = "";

    fputs("4\n:screen vga\n", in);
    rewind(in);
    s.plain = true;
    cr_assert(plain_play(&s, in, out, false, "keys"));
    rewind(out);
    cr_assert(fread(text, 1, sizeof text - 1, out) > 0);
    cr_assert_eq(strncmp(text, "the first row\n+------+\n\n", 24), 0, "%s",
                 text);
    cr_assert_not_null(strstr(text, "\nLinux\n"));
    fclose(in);
    fclose(out);
}

Test(visualizer_session, s_steps_one_instruction)
{
    keys("s");
    cr_assert_eq(guest.cycles, 10);
    cr_assert(screen_has("> 00001001"));
}

Test(visualizer_session, a_count_before_a_key_repeats_it)
{
    keys("20s");
    cr_assert_eq(guest.cycles, 200);
    cr_assert_eq(s.ui.screen, SCREEN_STEP);
    keys("012s5s");
    cr_assert_eq(guest.cycles, 370);
}

Test(visualizer_session, digits_are_screens)
{
    keys("2");
    cr_assert_eq(s.ui.screen, SCREEN_TRANSLATION);
    keys("s");
    cr_assert_eq(guest.cycles, 10, "the 2 was a screen, not a count");
    keys("31");
    cr_assert_eq(s.ui.screen, SCREEN_STEP);
    keys("s");
    cr_assert_eq(guest.cycles, 20);
}

Test(visualizer_session, t_runs_to_the_next_trap)
{
    keys("t");
    cr_assert_eq(guest.seq, 1);
    keys("5t");
    cr_assert_eq(guest.seq, 6);
}

Test(visualizer_session, t_stops_only_at_the_classes_of_the_filter)
{
    keys("fh\r");
    cr_assert_str_eq(s.ui.filter, "H");
    keys("tt");
    cr_assert_eq(guest.seq, 3, "events 1 and 3 are hidden faults");
    cr_assert(screen_has("only H"));
    keys("f!");
    session_key(&s, UI_KEY_ENTER);
    cr_assert(screen_has("There is no class !"));
}

Test(visualizer_session, c_runs_to_the_end_and_says_why)
{
    guest.end = 5000;
    keys("c");
    cr_assert(screen_has("The guest has ended. It powered off."));
    cr_assert(screen_has("ENDED"));
    keys("s");
    cr_assert_eq(guest.cycles, 5000);
}

Test(visualizer_session, c_can_be_interrupted)
{
    guest.interrupt_at_slice = &interrupted;
    keys("c");
    cr_assert(screen_has("Stopped."));
    cr_assert_gt(guest.cycles, 0);
}

Test(visualizer_session, u_runs_to_the_cursor)
{
    session_key(&s, UI_KEY_DOWN);
    keys("jju");
    cr_assert_eq(guest.cycles, 30);
}

Test(visualizer_session, c_stops_at_a_breakpoint)
{
    keys("jjb");
    cr_assert(screen_has("Breakpoint at 00001002"));
    keys("kkc");
    cr_assert_eq(guest.cycles, 20);
    keys("b");
    cr_assert_eq(s.ui.breakpoint_count, 0);
}

Test(visualizer_session, S_goes_back_one_instruction)
{
    keys("20sS");
    cr_assert_eq(guest.cycles, 190);
    cr_assert(screen_has("PAST"));
    keys("5S");
    cr_assert_eq(guest.cycles, 140);
    keys("6s");
    cr_assert_eq(guest.cycles, 200);
    cr_assert(screen_has("LIVE"));
}

Test(visualizer_session, S_at_the_beginning_says_so)
{
    keys("S");
    cr_assert(screen_has("There is nothing before this instruction."));
    keys("4sSSSS");
    cr_assert_eq(guest.cycles, 0);
    keys("S");
    cr_assert_eq(guest.cycles, 0);
}

Test(visualizer_session, S_works_far_from_a_kept_state)
{
    cr_assert(session_command(&s, "continue 900000"));
    keys("S");
    cr_assert_eq(guest.cycles, 899990);
}

Test(visualizer_session, T_goes_back_a_trap)
{
    keys("5t");
    cr_assert_eq(guest.seq, 5);
    keys("T");
    cr_assert_eq(guest.seq, 4);
    cr_assert_eq(guest.cycles, 320);
    keys("3sT");
    cr_assert_eq(guest.cycles, 320, "%llu", (unsigned long long)guest.cycles);
}

Test(visualizer_session, goto_an_event_either_way)
{
    keys("g#7\r");
    cr_assert_eq(guest.seq, 7);
    keys("g#3\r");
    cr_assert_eq(guest.seq, 3);
    cr_assert_eq(guest.cycles, 240);
}

Test(visualizer_session, goto_an_address_translates_it)
{
    keys("gC0101234\r");
    cr_assert_eq(s.ui.screen, SCREEN_TRANSLATION);
    cr_assert(screen_has("VA C0101234"));
    session_key(&s, UI_KEY_ESCAPE);
    cr_assert(screen_has("VA 08049A34"));
    keys("gxyz\r");
    cr_assert(screen_has("\"xyz\" is no address"));
}

Test(visualizer_session, enter_on_a_fault_translates_its_address)
{
    keys("ttt\t");
    session_key(&s, UI_KEY_ENTER);
    cr_assert(screen_has("VA 08003000"));
    session_key(&s, UI_KEY_LEFT);
    cr_assert_eq(s.ui.screen, SCREEN_STEP);
}

Test(visualizer_session, search_goes_up_and_n_down)
{
    keys("20t/08011000\r");
    cr_assert_eq(s.ui.pane, PANE_LOG);
    cr_assert_eq(s.ui.log_cursor, 3); /* #17 of 20 */
    keys("/cli\r");
    cr_assert_eq(s.ui.log_cursor, 4);
    keys("n");
    cr_assert_eq(s.ui.log_cursor, 2);
    keys("N");
    cr_assert_eq(s.ui.log_cursor, 4);
    keys("/nowhere\r");
    cr_assert(screen_has("not further up in the log"));
}

Test(visualizer_session, typed_keys_go_to_the_guest)
{
    keys("3i");
    cr_assert(s.ui.typing);
    keys("ls q\r");
    session_key(&s, UI_KEY_UP);
    session_key(&s, UI_KEY_ESCAPE);
    cr_assert_str_eq(guest.text, "ls q\r\033[A");
    cr_assert(!s.ui.typing && !s.quit);
}

Test(visualizer_session, typing_in_the_past_forgets_the_future)
{
    keys("20s5S");
    cr_assert(s.ui.past);
    cr_assert(session_command(&s, "type x"));
    cr_assert(!s.ui.past);
    cr_assert_eq(s.history.furthest, 150);
}

Test(visualizer_session, an_unknown_key_says_so)
{
    keys("%");
    cr_assert(screen_has("There is no key %; ? for help."));
    keys("2u");
    cr_assert(screen_has("That key does nothing on the Translation screen"));
}

Test(visualizer_session, q_closes_help_and_then_quits)
{
    keys("?");
    cr_assert(screen_has("step one instruction"));
    keys("q");
    cr_assert(!s.quit);
    keys("q");
    cr_assert(s.quit);
}

Test(visualizer_session, control_c_quits_the_second_time)
{
    session_key(&s, CONTROL('C'));
    cr_assert(!s.quit);
    session_key(&s, 's');
    session_key(&s, CONTROL('C'));
    cr_assert(!s.quit);
    session_key(&s, CONTROL('C'));
    cr_assert(s.quit);
}

Test(visualizer_session, a_prompt_can_be_edited_and_left)
{
    keys(":stepx");
    cr_assert(screen_has(":stepx"));
    session_key(&s, UI_KEY_BACKSPACE);
    keys(" 4\r");
    cr_assert_eq(guest.cycles, 40);
    keys(":quit");
    session_key(&s, UI_KEY_ESCAPE);
    cr_assert(!s.quit);
    keys(":nonsense\r");
    cr_assert(screen_has("There is no command \"nonsense\""));
}

static bool play(const char *text)
{
    FILE *script = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    bool good = session_script(&s, script, "test.keys");
    fclose(script);
    return good;
}

Test(visualizer_session, a_script_plays_keys_and_commands)
{
    char path[] = "/tmp/umbra-screen-XXXXXX";
    int file = mkstemp(path);
    char line[400];
    snprintf(line, sizeof line,
             "# a comment\n\n20s\nTab\n:goto 1000\n:expect VA 00001000\n"
             ":save-screen %s\n1\n2s\nf\nHW\n:expect \"only HW\"\nq\ns\n",
             path);
    cr_assert(play(line), "%s", s.ui.status);
    cr_assert(s.quit);
    cr_assert_eq(guest.cycles, 220);
    FILE *saved = fdopen(file, "r");
    char text[4000] = "";
    cr_assert_gt(fread(text, 1, sizeof text - 1, saved), 0);
    cr_assert(strstr(text, "[2 Translation]"));
    fclose(saved);
    unlink(path);
}

Test(visualizer_session, a_script_stops_at_a_line_that_fails)
{
    cr_assert(!play("s\n:expect never seen\ns\n"));
    cr_assert_eq(s.status, 1);
    cr_assert(strstr(s.ui.status, "test.keys:2: expected \"never seen\""));
    cr_assert_eq(guest.cycles, 10);
    cr_assert(!play("nonsense\n"));
}

static char *plain(const char *text, bool *good)
{
    char *told = NULL;
    size_t bytes = 0;
    FILE *script = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    FILE *out = open_memstream(&told, &bytes);
    *good = plain_play(&s, script, out, false, NULL);
    fclose(script);
    fclose(out);
    return told;
}

Test(visualizer_session, plain_tells_events_in_sentences)
{
    bool good;
    char *told = plain("2t\n2\n3\nstep 2\n%\n?\nq\n", &good);
    cr_assert(good);
    cr_assert(strstr(told, "#1 at cycle 80, EIP 00001008: "), "%s", told);
    cr_assert(strstr(told, "#2 at cycle 160, EIP 00001010: cli done"));
    cr_assert(strstr(told, "Cycle 160. Next, at 00001010"));
    cr_assert(strstr(told, "It will trap."));
    cr_assert(strstr(told, "class H hidden"));
    cr_assert(strstr(told, "toy kernel up\n$ Hi\n"));
    cr_assert(strstr(told, "There is no key %"));
    cr_assert(strstr(told, "step one instruction"));
    cr_assert_eq(guest.cycles, 180);
    free(told);
}
