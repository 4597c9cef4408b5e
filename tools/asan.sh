#!/bin/bash
#
# asan.sh DIR COMMAND... builds, with AddressSanitizer, UBSan and nginx's own
# NGX_DEBUG_PALLOC, the nginx that Debian packages (in ENROLL_CACHE, outside
# the checkout, to be used again) and the module (in DIR), and runs COMMAND
# with both.

set -eu

cd "$(dirname "$0")/.."
top=$PWD
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift

cache=${ENROLL_CACHE:-/var/tmp/ngx-enroll}
mkdir -p "$cache"

sanitize="-fsanitize=address,undefined -fno-omit-frame-pointer"
cc_opt="-g -O1 -DNGX_DEBUG_PALLOC=1 $sanitize"
ld_opt="-fsanitize=address,undefined"

# nginx itself reads words from odd addresses and copies nothing from NULL
nginx_opt="$cc_opt -fno-sanitize=alignment,nonnull-attribute,pointer-overflow"

options=(--with-compat --with-debug --with-threads
    --with-http_ssl_module --with-http_v2_module
    --with-http_auth_request_module --with-http_realip_module
    --with-http_slice_module --with-http_stub_status_module)


build_nginx() {
    local src=$1 objs=$2 want

    want="$nginx_opt ${options[*]} $(cc --version | head -n 1)"
    if [ -x "$objs/nginx" ] && [ "$(cat "$objs/made" 2>/dev/null)" = "$want" ]
    then
        return
    fi

    echo "building nginx with sanitizers"
    (cd "$src" && ./configure --builddir="$objs" --with-cc-opt="$nginx_opt" \
        --with-ld-opt="$ld_opt" "${options[@]}" \
        && MAKEFLAGS="" make -s -j "$(nproc)" -f "$objs/Makefile" binary) \
        > "$cache/nginx.log" 2>&1 || { tail -n 20 "$cache/nginx.log"; exit 1; }

    echo "$want" > "$objs/made"
}


exec 9> "$cache/lock"
flock 9
src=$(tools/source.sh "$cache" 2> "$cache/source.log") \
    || { cat "$cache/source.log"; exit 1; }
build_nginx "$src" "$src/objs-asan"
flock -u 9
exec 9>&-

NGINX_SRC=$src CC_OPT="$cc_opt" LD_OPT="$ld_opt" OPTIONS="${options[*]}" \
    tools/build.sh "$dir"

ENROLL_NGINX=$src/objs-asan/nginx
ENROLL_MODULE=$dir/ngx_http_enroll_module.so
ENROLL_PATIENCE=${ENROLL_PATIENCE:-4}
export ENROLL_NGINX ENROLL_MODULE ENROLL_PATIENCE

cd "$top"
echo "$*"
exec "$@"
