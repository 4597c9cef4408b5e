#!/bin/sh
#
# embed.sh HEADER PREFIX FILE... writes a C header with one macro a file,
# PREFIX and the file's name in capitals: its text as a string literal.
# ngx_http_enroll_ at the head of a file's name is left out.

set -eu

header=$1
prefix=$2
shift 2

export LC_ALL=C

{
    echo "/* made by tools/embed.sh */"

    for file in "$@"; do
        name=${file##*/}
        name=${name#ngx_http_enroll_}
        name=$(printf '%s' "${name%.*}" | tr 'a-z.-' 'A-Z__')

        printf '\n#define %s%s \\\n' "$prefix" "$name"
        awk 1 "$file" \
            | sed -e 's/["?\\]/\\&/g' -e 's/.*/    "&\\n" \\/'
        printf '    ""\n'
    done
} > "$header.new"

mv "$header.new" "$header"
