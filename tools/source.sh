#!/bin/sh
#
# source.sh DIR [SUITE] puts the source of the nginx that Debian packages into
# DIR, unpacked, and prints its folder: of the nginx that is installed here, or
# of another release of Debian's (trixie). The source lists are made of the
# machine's own, in DIR/apt; nothing of the machine's configuration is changed.

set -eu

suite=${2:-}
apt=$1/apt${suite:+-$suite}
mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/archives/partial"
apt=$(cd "$apt" && pwd)
cd "$1"

if [ "$suite" ]; then
    # what was found the last time
    version=$(cat "$apt/version" 2> /dev/null || true)
    own=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
else
    version=$(dpkg-query -W -f '${source:Upstream-Version}' nginx)
fi

if [ -x "nginx-$version/configure" ]; then
    echo "$PWD/nginx-$version"
    exit 0
fi

for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    if [ -e "$list" ]; then
        sed -n 's/^deb\(-src\)\{0,1\}[[:space:]]/deb-src /p' "$list" \
            | sort -u > "$apt/parts/${list##*/}"
    fi
done

# sources.list's own name has to end in .list, as it does
for list in /etc/apt/sources.list.d/*.sources; do
    if [ -e "$list" ]; then
        sed 's/^Types:.*/Types: deb-src/' "$list" > "$apt/parts/${list##*/}"
    fi
done

if [ "$suite" ]; then
    sed -i "s/\<$own\>/$suite/g" "$apt"/parts/*
fi

ask() {
    tool=$1
    shift
    "$tool" -q -o Dir::Etc::SourceList=/dev/null \
        -o Dir::Etc::SourceParts="$apt/parts" \
        -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=1 "$@"
}

# a foreign repository may have no sources: what counts is nginx's
ask apt-get update >&2 || true
ask apt-get source --download-only --tar-only nginx >&2

if [ "$suite" ]; then
    version=$(ask apt-cache showsrc --only-source nginx \
        | sed -n 's/^Version: \(.*\)-[^-]*$/\1/p' | sort -V | tail -n 1)
    echo "$version" > "$apt/version"
fi

tar -xf "nginx_$version.orig.tar.gz"
echo "$PWD/nginx-$version"
