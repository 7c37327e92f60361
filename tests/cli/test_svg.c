/* SPDX-License-Identifier: MIT */
/* tests/cli/test_svg.c - what a guest says cannot become part of a page. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report_axis.h"
#include "cli/svg.h"

static char *escaped(const char *text, size_t bytes)
{
    char *out = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&out, &size);

    cr_assert_not_null(memory);
    svg_escape(memory, text, bytes);
    fclose(memory);
    return out;
}

Test(svg, markup_is_text)
{
    const char *text = "</pre><script>\"&'";
    char *out = escaped(text, strlen(text));

    cr_expect_str_eq(out, "&lt;/pre&gt;&lt;script&gt;&quot;&amp;&#39;");
    free(out);
}

Test(svg, what_xml_forbids_is_replaced)
{
    char *out = escaped("a\0\x1b\x7f\x80\n\tb", 8);

    cr_expect_str_eq(out, "a&#xFFFD;&#xFFFD;&#xFFFD;&#xFFFD;\n\tb");
    free(out);
}

Test(svg, an_axis_ends_at_a_round_number)
{
    struct axis a;

    axis_make(&a, 1373, 0, 100);
    cr_expect_float_eq(a.most, 1500, 1e-9);
    cr_expect_float_eq(a.step, 500, 1e-9);
    cr_expect_float_eq(axis_at(&a, 750), 50, 1e-9);
}

Test(svg, an_axis_of_nothing_has_a_length)
{
    struct axis a;

    axis_make(&a, 0, 0, 100);
    cr_expect_float_eq(axis_at(&a, 0), 0, 1e-9);
    cr_expect(a.most > 0);
}
