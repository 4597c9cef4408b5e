#!/bin/bash
#
# build.sh DIR builds the module into DIR against the nginx that Debian
# packages (nginx-dev).

set -eu

cd "$(dirname "$0")/.."
top=$PWD
mkdir -p "$1"
dir=$(cd "$1" && pwd)
src=${NGINX_SRC:-/usr/share/nginx/src}

cc_opt="-g -O2 -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2"
cc_opt="$cc_opt -Wall -Wextra -Wno-unused-parameter -Wformat -Wformat-security"
ld_opt="-Wl,-z,relro -Wl,-z,now"

# configured anew only when files come or go: make sees to those that change

list=$(ls config config.make ngx_enroll_module/*/* "$src/conf_flags"; \
       cat "$0" config config.make)

if [ "$list" != "$(cat "$dir/list" 2>/dev/null)" ]; then
    # shellcheck source=/dev/null
    . "$src/conf_flags"

    (cd "$src" && ./configure --builddir="$dir" \
        --with-cc-opt="$cc_opt" --with-ld-opt="$ld_opt" \
        "${NGX_CONF_FLAGS[@]}" --add-dynamic-module="$top") \
        > "$dir/configure.log" 2>&1 || { tail -n 5 "$dir/configure.log"; exit 1; }

    echo "$list" > "$dir/list"
fi

make -s -C "$src" -f "$dir/Makefile" modules
