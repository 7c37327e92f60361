# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Sourced: style_files prints the repository's files that exist (tracked, or
# new and not ignored), one a line; generated ones are left out.

style_files() {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard
    else
        find . -type d \( -name .git -o -name 'build*' \) -prune \
            -o -type f -print | sed 's#^\./##'
    fi | sort -u | grep -vE '(^|/)generated/' | while IFS= read -r file; do
        [[ -f $file && ! -L $file ]] && printf '%s\n' "$file"
    done
}
