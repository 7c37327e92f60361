/* SPDX-License-Identifier: MIT */
/* visualizer/commands.c - the words of the command line and of key scripts.
 *
 * What acts on the outside or takes a text is a command; the keys do the rest.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "visualizer/actions.h"
#include "visualizer/event_text.h"
#include "visualizer/session.h"

typedef bool command_fn(struct session *s, const char *args);

struct command {
    const char *name, *args, *help;
    command_fn *run;
};

static bool parse_number(const char *text, int base, uint64_t *value)
{
    char *end;
    if (!isxdigit((unsigned char)text[0]))
        return false;
    *value = strtoull(text, &end, base);
    while (*end == ' ')
        end++;
    return *end == '\0';
}

/* Hexadecimal, or a name of the guest's kernel. */
static bool parse_address(struct session *s, const char *text, uint32_t *value)
{
    uint64_t number;
    if (parse_number(text, 16, &number) && number <= UINT32_MAX) {
        *value = (uint32_t)number;
        return true;
    }
    if (s->target->ops->find(s->target->ctx, text, value))
        return true;
    session_say(s, "\"%s\" is no address (hexadecimal) and no name.", text);
    return false;
}

/* "": 1. 0: no number. */
static unsigned parse_count(struct session *s, const char *args)
{
    uint64_t count = 1;
    if (args[0] &&
        (!parse_number(args, 10, &count) || count == 0 || count > 1000000)) {
        session_say(s, "\"%s\" is no number from 1 to 1000000.", args);
        return 0;
    }
    return (unsigned)count;
}

bool session_goto(struct session *s, const char *where)
{
    uint64_t seq;
    uint32_t address;
    if (where[0] == '#') {
        if (!parse_number(where + 1, 10, &seq)) {
            session_say(s, "\"%s\" is no event, like #42.", where);
            return false;
        }
        session_until_event(s, seq);
        return true;
    }
    if (!parse_address(s, where, &address))
        return false;
    unsigned access = s->in->guest.cpl == 3 ? ACC_USER : 0;
    if (s->ui.request.has_gva)
        access = s->ui.request.access;
    s->ui.request = (struct inspect_request){true, address, access};
    session_take(s);
    act_screen_2(s, 1);
    return true;
}

bool session_filter(struct session *s, const char *letters)
{
    char filter[sizeof s->ui.filter];
    size_t used = 0;
    for (; *letters; letters++) {
        char letter = (char)toupper((unsigned char)*letters);
        if (letter == ' ' || letter == ',' || used + 1 >= sizeof filter)
            continue;
        char one[2] = {letter, 0};
        if (!event_filter_mask(one)) {
            session_say(s, "There is no class %c; ? lists them.", letter);
            return false;
        }
        filter[used++] = letter;
    }
    filter[used] = '\0';
    memcpy(s->ui.filter, filter, sizeof filter);
    s->ui.log_cursor = 0;
    return true;
}

static bool contains(const char *text, const char *wanted)
{
    size_t length = strlen(wanted);
    for (; *text; text++)
        if (strncasecmp(text, wanted, length) == 0)
            return true;
    return length == 0;
}

/* Older rows are up and are what a search goes through first; n goes down. */
void session_search(struct session *s, bool forward)
{
    unsigned index[INSPECT_EVENTS];
    unsigned count = events_filtered(s->in, s->ui.filter, index);
    int at = (int)count - 1 - (int)s->ui.log_cursor;
    char row[300];

    if (!s->ui.search[0]) {
        session_say(s, "Nothing to search for yet: / asks.");
        return;
    }
    for (at += forward ? 1 : -1; at >= 0 && at < (int)count;
         at += forward ? 1 : -1) {
        event_row(&s->in->events[index[at]], row, sizeof row);
        if (!contains(row, s->ui.search))
            continue;
        s->ui.pane = PANE_LOG;
        s->ui.log_cursor = (unsigned)((int)count - 1 - at);
        return;
    }
    session_say(s, "\"%s\" is not %s in the log.", s->ui.search,
                forward ? "further down" : "further up");
}

/* ---- The commands ---------------------------------------------------------*/

static bool cmd_step(struct session *s, const char *args)
{
    unsigned count = parse_count(s, args);
    if (count)
        session_step(s, count);
    return count != 0;
}

static bool cmd_trap(struct session *s, const char *args)
{
    unsigned count = parse_count(s, args);
    if (count)
        session_trap(s, count);
    return count != 0;
}

static bool cmd_step_back(struct session *s, const char *args)
{
    unsigned count = parse_count(s, args);
    if (count)
        session_step_back(s, count);
    return count != 0;
}

static bool cmd_trap_back(struct session *s, const char *args)
{
    unsigned count = parse_count(s, args);
    if (count)
        session_trap_back(s, count);
    return count != 0;
}

static bool cmd_continue(struct session *s, const char *args)
{
    uint64_t cycles;
    if (!args[0]) {
        session_continue(s);
        return true;
    }
    if (!parse_number(args, 10, &cycles)) {
        session_say(s, "\"%s\" is no number of cycles.", args);
        return false;
    }
    session_run_cycles(s, cycles);
    return true;
}

static bool cmd_until(struct session *s, const char *args)
{
    uint32_t address;
    if (!parse_address(s, args, &address))
        return false;
    session_until_address(s, address);
    return true;
}

static bool cmd_break(struct session *s, const char *args)
{
    uint32_t address;
    return parse_address(s, args, &address) && session_toggle_break(s, address);
}

static bool cmd_access(struct session *s, const char *args)
{
    unsigned access = 0;
    bool known = true;
    char words[UI_TEXT], *rest = words, *word;
    snprintf(words, sizeof words, "%s", args);
    while ((word = strsep(&rest, " ")) != NULL) {
        if (strcmp(word, "user") == 0)
            access |= ACC_USER;
        else if (strcmp(word, "write") == 0)
            access |= ACC_WRITE;
        else if (strcmp(word, "fetch") == 0)
            access |= ACC_FETCH;
        else if (strcmp(word, "read") != 0 && strcmp(word, "supervisor") != 0)
            known = false;
    }
    if (!known || (access & ACC_WRITE && access & ACC_FETCH)) {
        session_say(s, "An access is like \"user write\": user or supervisor, "
                       "read, write or fetch.");
        return false;
    }
    s->ui.request = (struct inspect_request){true, s->in->gva, access};
    session_take(s);
    act_screen_2(s, 1);
    return true;
}

static bool cmd_find(struct session *s, const char *args)
{
    snprintf(s->ui.search, sizeof s->ui.search, "%s", args);
    session_search(s, false);
    return s->ui.status[0] == '\0';
}

static bool cmd_screen(struct session *s, const char *args)
{
    for (unsigned i = 0; i < SCREEN_COUNT; i++) {
        if (strcasecmp(args, view_table[i].name) != 0)
            continue;
        session_key(s, view_table[i].key);
        s->ui.last_digit = 0;
        return true;
    }
    session_say(s, "The screens are Step, Translation, Console and VGA.");
    return false;
}

static bool cmd_save_screen(struct session *s, const char *args)
{
    if (!args[0]) {
        session_say(s, "save-screen needs a file's name.");
        return false;
    }
    session_export(s, args);
    return strncmp(s->ui.status, "Written", 7) == 0;
}

/* \r \n \t \e and \\ are what they are in C. */
static bool cmd_type(struct session *s, const char *args)
{
    static const char escapes[] = "rntes\\", meaning[] = "\r\n\t\033 \\";
    char text[UI_TEXT];
    size_t used = 0;
    for (const char *c = args; *c && used < sizeof text; c++) {
        char byte = *c;
        const char *known = byte == '\\' && c[1] ? strchr(escapes, c[1]) : NULL;
        if (known) {
            byte = meaning[known - escapes];
            c++;
        }
        text[used++] = byte;
    }
    return session_type(s, text, used);
}

static bool cmd_expect(struct session *s, const char *args)
{
    char text[UI_TEXT];
    size_t length = strlen(args);
    bool quoted = length >= 2 && args[0] == '"' && args[length - 1] == '"';
    snprintf(text, sizeof text, "%.*s", (int)(length - (quoted ? 2 : 0)),
             args + (quoted ? 1 : 0));
    view_draw(s->canvas, s->in, &s->ui);
    if (canvas_contains(s->canvas, text))
        return true;
    session_say(s, "expected \"%s\" on the screen, and it is not there", text);
    s->status = 1;
    return false;
}

static bool cmd_help(struct session *s, const char *args)
{
    (void)args;
    act_help(s, 1);
    return true;
}

static bool cmd_quit(struct session *s, const char *args)
{
    (void)args;
    s->quit = true;
    return true;
}

static bool cmd_filter(struct session *s, const char *args)
{
    return session_filter(s, args);
}

/* Told, not drawn: it is too long for a screen. */
static bool cmd_vmcs(struct session *s, const char *args)
{
    char first[2];

    if (!s->plain || !s->target->ops->vmcs) {
        session_say(s, "The VMCS is told by umbra step --plain.");
        return false;
    }
    if (!s->target->ops->vmcs(s->target->ctx, args, first, sizeof first)) {
        session_say(s, "There is no VMCS, or none of its areas is named '%s'.",
                    args);
        return false;
    }
    snprintf(s->ui.vmcs_area, sizeof s->ui.vmcs_area, "%s", args);
    s->ui.vmcs = true;
    return true;
}

static const struct command commands[] = {
    {"step", "[N]", "execute one guest instruction, or N", cmd_step},
    {"trap", "[N]", "run to the next trap, or the Nth", cmd_trap},
    {"step-back", "[N]", "one instruction back, or N", cmd_step_back},
    {"trap-back", "[N]", "back to the trap before", cmd_trap_back},
    {"continue", "[CYCLES]", "run on, for so many cycles", cmd_continue},
    {"until", "ADDRESS", "run to an instruction, or a function's name",
     cmd_until},
    {"break", "ADDRESS", "breakpoint there, on or off", cmd_break},
    {"goto", "ADDRESS|#EVENT", "translate an address or name; go to an event",
     session_goto},
    {"access", "WORDS", "what to translate: \"user write\"", cmd_access},
    {"filter", "[LETTERS]", "show and stop at these classes only", cmd_filter},
    {"find", "TEXT", "search the trap log", cmd_find},
    {"screen", "NAME", "show step, translation, console or vga", cmd_screen},
    {"vmcs", "[AREA]", "tell the VMCS, or an area of it (hvm)", cmd_vmcs},
    {"type", "TEXT", "to the guest's serial line; \\r is Enter", cmd_type},
    {"save-screen", "FILE", "write this screen as text", cmd_save_screen},
    {"expect", "TEXT", "fail if the screen does not show it", cmd_expect},
    {"help", "", "the keys", cmd_help},
    {"quit", "", "leave", cmd_quit},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

void command_list(FILE *out)
{
    for (unsigned i = 0; i < COMMANDS; i++)
        fprintf(out, ":%-12s %-15s %s\n", commands[i].name, commands[i].args,
                commands[i].help);
}

static const struct command *find_command(const char *name, size_t length)
{
    for (unsigned i = 0; i < COMMANDS; i++)
        if (strlen(commands[i].name) == length &&
            strncmp(commands[i].name, name, length) == 0)
            return &commands[i];
    return NULL;
}

bool session_is_command(const char *line)
{
    return find_command(line, strcspn(line, " ")) != NULL;
}

bool session_command(struct session *s, const char *line)
{
    while (*line == ' ' || *line == ':')
        line++;
    if (!*line)
        return true;
    size_t length = strcspn(line, " ");
    const struct command *command = find_command(line, length);
    if (!command) {
        session_say(s, "There is no command \"%.*s\"; --list-keys lists them.",
                    (int)length, line);
        return false;
    }
    const char *args = line + length;
    while (*args == ' ')
        args++;
    return command->run(s, args);
}
