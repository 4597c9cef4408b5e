#!/bin/bash
#
# run.sh shows one enrollment on real parts: a private Redis, an IdP, nginx
# with the module, and Chromium with a passkey. Then it serves until Ctrl-C;
# with ONCE=1 it ends, with 0 only if everything held. `make demo` runs it.
#
# PORT=8080 is where it serves, if that is free.

set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
PATH=$PATH:/usr/sbin

dir=$(mktemp -d "${TMPDIR:-/tmp}/enroll.XXXX")
chmod 711 "$dir"
mkdir -m 755 "$dir/logs" "$dir/tmp" "$dir/pids"


# However this script ends, kill -9 included: somebody reads from it until
# then, and clears up after it.

clear_up() {
    local pid

    for pid in "$dir"/pids/*; do
        kill "${pid##*/}" || true
    done

    for _ in {1..100}; do
        for pid in "$dir"/pids/*; do
            kill -0 "${pid##*/}" && sleep 0.05 && continue 2
        done
        break
    done

    rm -rf "$dir"
} 2> /dev/null

exec 9> >(trap '' INT TERM HUP; cat > /dev/null; clear_up)
janitor=$!

trap 'exec 9>&-; wait $janitor' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP


# start NAME COMMAND...: its output goes to logs/NAME.log

declare -A pids

start() {
    local name=$1
    shift

    "$@" > "$dir/logs/$name.log" 2>&1 < /dev/null 9>&- &
    pids[$name]=$!
    : > "$dir/pids/$!"
}

# await NAME COMMAND...: until the command succeeds, for 10 s

await() {
    local name=$1
    shift

    for _ in {1..200}; do
        "$@" > /dev/null 2>&1 && return
        kill -0 "${pids[$name]}" 2> /dev/null || break
        sleep 0.05
    done

    echo "$name does not start:" >&2
    tail -n 20 "$dir/logs/$name.log" >&2
    exit 1
}

port=$(node -e '
    const listen = (port) => {
        const server = require("net").createServer();
        server.on("error", () => listen(0));
        server.listen(port, "127.0.0.1", () => {
            console.log(server.address().port);
            server.close();
        });
    };
    listen(Number(process.argv[1]));' "${PORT:-8080}")


# keys, the issuer's secret, the prover's key: once, and for root only

(
    umask 077
    jose jwk gen -s -o "$dir/keys.jwks" \
        -i '{"kty":"oct","bytes":32}' \
        -i '{"kty":"oct","bytes":32,"kid":"subject"}' \
        -i '{"kty":"EC","crv":"P-256"}'
    echo "whsec_$(openssl rand -base64 32)" > "$dir/hr.secret"
    jose jwk gen -i '{"alg":"ES256","kid":"acme-1"}' -o "$dir/acme.jwk"
    jose jwk pub -s -i "$dir/acme.jwk" -o "$dir/acme.jwks"
)


# the three parts

start redis redis-server --port 0 --unixsocket "$dir/redis" \
    --unixsocketperm 770 --dir "$dir" --save ''
start idp env IDP_ORIGIN="http://localhost:$port" node "$top/t/idp/server.js"
await redis redis-cli -s "$dir/redis" ping
await idp grep -q '"event":"ready"' "$dir/logs/idp.log"

idp=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$dir/logs/idp.log")
door=$(sed -n 's/.*"control_port":\([0-9]*\).*/\1/p' "$dir/logs/idp.log")

module=${MODULE:-$top/build/nginx/ngx_http_enroll_module.so}
sed -e "s|@module@|$module|" -e "s|@dir@|$dir|" -e "s|@port@|$port|" \
    -e "s|@idp@|$idp|" "$top/demo/nginx.conf.in" > "$dir/nginx.conf"

more='daemon off;'
if [ "$(id -u)" = 0 ]; then
    more="$more user www-data;"
    chgrp www-data "$dir/redis"
fi

start nginx nginx -p "$dir" -e "$dir/logs/error.log" -c "$dir/nginx.conf" \
    -g "$more"
await nginx bash -c ": < /dev/tcp/127.0.0.1/$port"


cat << END

One-time enrollment in front of an IdP, on real parts, once around:

   nginx     $(nginx -v 2>&1 | sed 's/.*nginx.//') with the module, \
at http://localhost:$port
   IdP       a WebAuthn relying party behind it; knows nothing of tokens
   Redis     $(redis-cli -s "$dir/redis" info server \
    | sed -n 's/^redis_version:\([0-9.]*\).*/\1/p'), at $dir/redis
   browsers  Chromium, with a virtual authenticator for passkeys
END


# the walk, in the background: a signal is not to wait for it

TMPDIR=$dir/tmp node "$top/demo/walk.mjs" "http://localhost:$port" "$dir" \
    "http://127.0.0.1:$door" 9>&- &
walk=$!
: > "$dir/pids/$walk"

held=0
wait $walk || held=$?
rm "$dir/pids/$walk"

if [ -n "${ONCE:-}" ] || [ $held != 0 ]; then
    exit $held
fi


# somebody's own turn

cat > "$dir/link" << END
#!/bin/sh
exec node "$top/demo/issue.mjs" http://127.0.0.1:$port $dir/hr.secret \\
    "\${1:?usage: $dir/link SUBJECT}" visitor
END
chmod 700 "$dir/link"

url=$("$dir/link" you@example.com)
id=$(redis-cli -s "$dir/redis" zrange 'enroll:{0}:live' 0 0)

cat << END

Now you. This link works once, for 15 minutes, in a browser on this machine
(from another: ssh -L $port:localhost:$port, first):

$url

Look at it while it lives, from $dir:

  cd $dir
  redis-cli -s redis hgetall enroll:{0}:token:$id
  redis-cli -s redis zrange enroll:{0}:live 0 -1
  redis-cli -s redis xrevrange enroll:{0}:events + - count 5
  tail -f logs/enroll.log logs/access.log

The configuration is nginx.conf there. Another link: $dir/link NAME
Ctrl-C ends the demo and removes all of it.
END

trap 'exit 0' INT

# any part that ends is the end
wait -n || true
echo "a part of the demo has ended; the logs' last lines:" >&2
tail -n 3 "$dir"/logs/*.log >&2
exit 1
