#!/bin/bash
#
# lint.sh: what a compiler and other readers have to say. All of them speak
# before it fails.

set -eu

cd "$(dirname "$0")/.."
nginx=/usr/share/nginx/src/src
failed=0

say() {
    echo "--- $1"
    shift
    "$@" || failed=1
}

files() {
    git ls-files -co --exclude-standard -- "$@" | sort -u
}

includes=()
for dir in ngx_enroll_module/{core,redis,ledger,http} build/nginx \
    "$nginx"/{core,event,os/unix,http,http/modules,http/v2}
do
    includes+=(-I "$dir")
done

mapfile -t code < <(files '*.c' '*.h' '*.lua')
mapfile -t shell < <(files | xargs -d '\n' awk \
    'FNR == 1 && /^#!.*[\/ ](ba|da)?sh( |$)/ { print FILENAME }')

say "gcc -Wall -Wextra -Werror" tools/build.sh build/nginx

# nginx's own headers are read, because of their macros, but not judged
say "cppcheck" cppcheck -q --std=c11 --error-exitcode=1 --inline-suppr \
    --enable=warning,performance,portability --library=posix \
    -j "$(nproc)" -D__linux__ -D__x86_64__ -D__GNUC__=12 \
    "${includes[@]}" --suppress="*:$nginx/*" ngx_enroll_module

say "shellcheck" shellcheck "${shell[@]}"
say "80 columns, no tabs" tools/check-columns "${code[@]}"
say "directives" tools/check-directives

exit $failed
