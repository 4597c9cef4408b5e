#!/bin/bash
#
# build.sh DIR builds the module into DIR, against the nginx that Debian
# packages (nginx-dev) or another source tree (NGINX_SRC, with its OPTIONS,
# CC_OPT and LD_OPT). build.sh DIR configure only makes nginx's headers.

set -eu

cd "$(dirname "$0")/.."
top=$PWD
mkdir -p "$1"
dir=$(cd "$1" && pwd)

src=${NGINX_SRC:-/usr/share/nginx/src}

if [ ! -x "$src/configure" ]; then
    echo "$src is no nginx source; try: tools/deps.sh build" >&2
    exit 1
fi

cc_opt=${CC_OPT:--g -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2}
ld_opt=${LD_OPT:--Wl,-z,relro -Wl,-z,now}
warn="-Wall -Wextra -Werror -Wno-unused-parameter"

if [ -n "${OPTIONS:-}" ]; then
    read -r -a options <<< "$OPTIONS"
else
    # shellcheck source=/dev/null
    . "$src/conf_flags"
    options=("${NGX_CONF_FLAGS[@]}")
fi

configure=(./configure --builddir="$dir" --with-cc-opt="$cc_opt $warn"
    --with-ld-opt="$ld_opt" "${options[@]}" --add-dynamic-module="$top")

# one build at a time in a folder
exec 9> "$dir/lock"
flock 9

# Configured anew only when files come or go: make sees to those that change.

made=$(printf '%s\n' "$src" "${configure[@]}" ngx_enroll_module/*/* \
    "$(cat config config.make)")

if [ "$made" != "$(cat "$dir/made" 2> /dev/null)" ]; then
    (cd "$src" && "${configure[@]}") > "$dir/configure.log" 2>&1 \
        || { tail -n 5 "$dir/configure.log"; exit 1; }
    printf '%s\n' "$made" > "$dir/made"
fi

if [ "${2:-}" = configure ]; then
    exit 0
fi

MAKEFLAGS="" make -s -j "$(nproc)" -C "$src" -f "$dir/Makefile" modules
