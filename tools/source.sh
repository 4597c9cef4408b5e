#!/bin/sh
#
# source.sh DIR puts the source of the nginx that Debian packages into DIR,
# unpacked, and prints its folder. The source lists are made of the machine's
# own, in DIR/apt; nothing of the machine's configuration is changed.

set -eu

mkdir -p "$1/apt/parts" "$1/apt/lists/partial" "$1/apt/archives/partial"
cd "$1"
apt=$PWD/apt

version=$(dpkg-query -W -f '${source:Upstream-Version}' nginx)

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

get() {
    apt-get -q -o Dir::Etc::SourceList=/dev/null \
        -o Dir::Etc::SourceParts="$apt/parts" \
        -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt" \
        -o APT::Sandbox::User="$(id -un)" "$@" >&2
}

# a foreign repository may have no sources: what counts is nginx's
get update || true
get source --download-only --tar-only "nginx"

tar -xf "nginx_$version.orig.tar.gz"
echo "$PWD/nginx-$version"
