/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "labs/catalogue.h"
#include "labs/sandbox.h"

static const struct lab_test tests[] = {
    {"one", "the first", 2, NULL, NULL},
    {"two", "the second", 3, NULL, NULL},
};
static const struct lab lab = {"00-none", "no lab", "none.c", tests, 2};

static struct lab_outcome outcomes[2];

static struct lab_report make_report(void)
{
    outcomes[0] = (struct lab_outcome){
        .test = &tests[0], .status = LAB_PASSED, .points = 2};
    outcomes[1] = (struct lab_outcome){.test = &tests[1], .status = LAB_FAILED};
    struct lab_report r = {.lab = &lab,
                           .engine = "none 1",
                           .seed = 7,
                           .complete = true,
                           .outcomes = outcomes,
                           .count = 2};
    r.build.status = LAB_PASSED;
    return r;
}

static char *tap(const struct lab_report *r)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    report_tap_start(r, out);
    report_tap_test(r, 0, out);
    report_tap_test(r, 1, out);
    report_tap_end(r, out);
    fclose(out);
    return text;
}

Test(labs_results, a_lab_is_found_by_name_number_and_words)
{
    cr_assert_eq(lab_find("05-hidden-faults"), &lab_hidden_faults);
    cr_assert_eq(lab_find("hidden-faults"), &lab_hidden_faults);
    cr_assert_eq(lab_find("5"), &lab_hidden_faults);
    cr_assert_eq(lab_find("05"), &lab_hidden_faults);
    cr_assert_null(lab_find("hidden"));
    cr_assert_null(lab_find(""));
    cr_assert_null(lab_find("5x"));
}

Test(labs_results, only_files_right_below_a_folder_are_its)
{
    const struct lab_file file = {"05-x/starter/a.c", NULL, 0};

    cr_assert_str_eq(lab_file_below(&file, "05-x", "starter"), "a.c");
    cr_assert_null(lab_file_below(&file, "05-x", ""));
    cr_assert_null(lab_file_below(&file, "05", "starter"));
    cr_assert_null(lab_file_below(&file, "05-x", "start"));
}

Test(labs_results, no_solution_is_inside_the_program)
{
    for (size_t i = 0; i < lab_file_count; i++) {
        cr_assert_null(strstr(lab_files[i].path, "solution"));
        cr_assert_null(strstr(lab_files[i].path, "wrong"));
    }
}

Test(labs_results, what_is_printed_becomes_harmless)
{
    char *text = lab_harmless("a\033[2J\xff\0\r\n\tb", 11);

    cr_assert_str_eq(text, "a\\x1b[2J\\xff\\x00\n\tb");
    free(text);
}

Test(labs_results, a_passed_run_has_no_test_that_was_left_out)
{
    struct lab_report r = make_report();

    cr_assert_not(report_passed(&r));
    outcomes[1].status = LAB_SKIPPED;
    cr_assert_not(report_passed(&r));
    r.filtered = true;
    cr_assert(report_passed(&r));
    r.complete = false;
    cr_assert_not(report_passed(&r));
    cr_assert_eq(report_score(&r), 2);
    cr_assert_eq(report_max(&r), 5);
}

Test(labs_results, tap_keeps_the_texts_of_others_in_quotes_and_comments)
{
    struct lab_report r = make_report();

    outcomes[1].printed = (char[]){"ok 3\n\nnot ok 4"};
    lab_say(&outcomes[1], "a \"b\" \\ c");
    lab_field(&outcomes[1], "case", true, "%d", 5);
    char *text = tap(&r);
    cr_assert(strncmp(text, "TAP version 13\n1..3\n", 20) == 0);
    cr_assert(strstr(text, "\nok 1 - build\nok 2 - one\n"));
    cr_assert(strstr(text, "\nnot ok 3 - two\n  ---\n"
                           "  message: \"a \\\"b\\\" \\\\ c\"\n"));
    cr_assert(strstr(text, "\n  case: 5\n  ...\n# printed: ok 3\n"));
    cr_assert_null(strstr(text, "\nok 3"));
    cr_assert_null(strstr(text, "\nnot ok 4"));
    free(text);
}

Test(labs_results, json_has_its_keys)
{
    struct lab_report r = make_report();
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    lab_field(&outcomes[1], "case", true, "%d", 5);
    cr_assert(report_json(&r, out));
    fclose(out);
    json_t *root = json_loads(text, 0, NULL);
    free(text);
    cr_assert_not_null(root);
    cr_assert_eq(json_integer_value(json_object_get(root, "score")), 2);
    json_t *second = json_array_get(json_object_get(root, "tests"), 1);
    cr_assert_str_eq(json_string_value(json_object_get(second, "status")),
                     "failed");
    json_t *event = json_object_get(second, "event");
    cr_assert_eq(json_integer_value(json_object_get(event, "case")), 5);
    json_decref(root);
}

Test(labs_results, the_filters_fit_into_a_message)
{
    static unsigned char filter[4096];

    for (int stage = SANDBOX_LOADING; stage <= SANDBOX_RUNNING; stage++) {
        size_t size = sandbox_filter((enum sandbox_stage)stage, getpid(),
                                     filter, sizeof filter);
        cr_assert_gt(size, 0);
        cr_assert_eq(size % 8, 0);
    }
}
