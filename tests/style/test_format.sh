#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every C file is formatted as .clang-format says.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/style/files.sh

# .clang-format was written for these; others may format another way.
for tool in clang-format clang-format-{14..19}; do
    major=$("$tool" --version 2>/dev/null |
        sed -nE 's/.*version ([0-9]+)\..*/\1/p') || true
    [[ -n $major && $major -ge 14 && $major -le 19 ]] && break
    tool=
done
if [[ -z $tool ]]; then
    echo 'no clang-format 14 to 19'
    exit 77
fi

style_files | grep -E '\.[ch]$' |
    xargs -r -d '\n' -n 16 -P "$(nproc)" "$tool" --dry-run -Werror
