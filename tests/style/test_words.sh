#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# No package host's address, no trailing blanks, and scripts that parse.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/style/files.sh

status=0
mapfile -t files < <(style_files)

# (Written so that they do not match themselves.)
hosts='\b(deb|archive|security|ftp|snapshot|mirror|ports|registry|proxy|files'
hosts+='|index|static|repo|packages)\.[a-z0-9-]+(\.[a-z]+)?\.(org|com|net|io)\b'
hosts+='|\bp[y]pi\.org|\bcrates\.[i]o|\bnpmj[s]\.'
if grep -nIHE "$hosts" "${files[@]}"; then
    echo 'error: the address of a package host (above)'
    status=1
fi

for file in "${files[@]}"; do
    case $file in
    *.expected | *.golden | *.patch | *.diff | *.xpm | *.svg) continue ;;
    esac
    if grep -nIHE '[[:blank:]]$' "$file"; then
        echo 'error: trailing blanks (above)'
        status=1
    fi
done

for file in "${files[@]}"; do
    line=
    IFS= read -r line <"$file" 2>/dev/null || true
    case $file:$line in
    *:'#!'*bash*) shell=bash ;;
    *:'#!'*/sh* | *:'#!'*' sh'*) shell="sh" ;;
    *.sh:*) shell=bash ;;
    *) continue ;;
    esac
    "$shell" -n "$file" || status=1
done
exit "$status"
