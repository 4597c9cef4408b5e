#!/bin/sh
#
# deps.sh build|test|chaos|lint installs what is missing for it: Debian packages
# (as root or by sudo) and, for the tests, the node modules of their lock
# files. The services that come with packages are not started.

set -eu

cd "$(dirname "$0")/.."

# what is looked for, and the package that brings it
build='
    /usr/bin/cc                         gcc
    /usr/include/stdlib.h               libc6-dev
    /usr/bin/make                       make
    /usr/bin/flock                      util-linux
    /usr/sbin/nginx                     nginx
    /usr/share/nginx/src/configure      nginx-dev
    /usr/include/openssl/evp.h          libssl-dev
    /usr/include/pcre2.h                libpcre2-dev
    /usr/include/zlib.h                 zlib1g-dev
    /usr/include/jansson.h              libjansson-dev
    /usr/include/hiredis/hiredis.h      libhiredis-dev
    /usr/include/jose/jose.h            libjose-dev
    /usr/include/cbor.h                 libcbor-dev'

test="$build
    /usr/share/perl/5*/Test/More.pm     perl
    /usr/bin/dpkg-source                dpkg-dev
    /etc/ssl/certs/ca-certificates.crt  ca-certificates
    /usr/bin/jose                       jose
    /usr/bin/openssl                    openssl
    /usr/bin/redis-server               redis-server
    /usr/bin/node                       nodejs
    /usr/bin/npm                        npm
    /usr/bin/curl                       curl
    /usr/bin/spin                       spin
    /usr/bin/chromium                   chromium"

chaos="$build
    /usr/share/perl/5*/Getopt/Long.pm   perl
    /usr/bin/jose                       jose
    /usr/bin/redis-server               redis-server
    /usr/bin/mount                      mount
    /usr/bin/nsenter                    util-linux
    /usr/sbin/ip                        iproute2
    /usr/sbin/tc                        iproute2
    /usr/sbin/iptables                  iptables"

lint="$build
    /usr/share/perl/5*/Test/More.pm     perl
    /usr/bin/git                        git
    /usr/bin/cppcheck                   cppcheck
    /usr/bin/shellcheck                 shellcheck"

case ${1:-} in
    build) list=$build ;;
    test)  list=$test ;;
    chaos) list=$chaos ;;
    lint)  list=$lint ;;
    *)     echo "usage: $0 build|test|chaos|lint" >&2; exit 2 ;;
esac


as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo > /dev/null; then
        sudo "$@"
    else
        echo "$0: neither root nor sudo: cannot run: $*" >&2
        exit 1
    fi
}


missing=$(echo "$list" | while read -r path package; do
    # shellcheck disable=SC2086  # a pattern
    if [ -n "$path" ] && ! ls $path > /dev/null 2>&1; then
        echo "$package"
    fi
done)

if [ -n "$missing" ]; then
    echo "installing: $(echo "$missing" | tr '\n' ' ')"

    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        trap 'as_root rm -f $policy' EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy > /dev/null
        as_root chmod +x $policy
    fi

    as_root apt-get -qq update
    # shellcheck disable=SC2086  # a list
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 \
        install --no-install-recommends $missing
fi


if [ "$1" = test ]; then
    for dir in t/idp t/browser t/senders; do
        lock=$dir/package-lock.json
        made=$dir/node_modules/.package-lock.json

        if [ -e $lock ] && [ -z "$(find $made -newer $lock 2> /dev/null)" ]
        then
            echo "npm ci in $dir"
            (cd $dir && npm ci --no-audit --no-fund --loglevel=error)
            touch $made
        fi
    done
fi
