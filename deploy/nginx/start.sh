#!/bin/sh
# Write nginx' configuration from the environment, then run nginx. `start.sh -t` only checks the configuration.
set -euf
FOLDER=$(cd "$(dirname "$0")" && pwd)
: "${HOST:=0.0.0.0}" "${PORT:=8080}" "${TLS_PORT:=8443}" "${RUN_FOLDER:=/tmp}"
case $HOST in # :: accepts both IPv6 and IPv4, as in the services
  *:*) ADDRESS="[$HOST]" FAMILIES=ipv6only=off ;;
  *) ADDRESS=$HOST FAMILIES= ;;
esac
: "${FANOUT:=fanout:8080}" "${API:=api:8080}" # host name and port; all addresses of the name are used
: "${RESOLVER:=$(sed -n 's/^nameserver //p' /etc/resolv.conf | head -n 1)}"
: "${WORKERS:=auto}" # number of processes; auto = one per CPU of the machine, even if the container may use fewer
: "${CONNECTIONS_PER_IP:=100}" "${HANDSHAKES_PER_IP:=20r/s}" "${REQUESTS_PER_IP:=50r/s}"
STREAMS=$((CONNECTIONS_PER_IP + 128))
: "${SOCKETS_PER_IP:=$STREAMS}"            # TCP connections of one address, whatever they send
: "${CLIENT_SECONDS:=10}"                  # seconds for a request head, and between two parts of a body
: "${MAX_BODY_BYTES:=65536}"               # the same value as in the API
: "${TRUSTED_PROXIES:=}"                   # networks (CIDR), comma-separated
: "${AUTH_MODE:=open}" "${CORS_ORIGINS:=}" # the same values as in the services
: "${SYNC_SECONDS:=15}"                    # the same value as in the fanouts
: "${TLS_FOLDER:=/etc/headrace-tls}"       # if it contains tls.crt and tls.key, nginx serves TLS too
: "${TLS_REDIRECT:=on}"                    # with TLS, redirect plain HTTP; off = do not
: "${PUBLIC_TLS_PORT:=443}"                # the port to which plain HTTP is redirected
: "${HSTS_SECONDS:=31536000}"              # how long a browser must use TLS for this host; 0 = forget it
SILENCE=$((${SYNC_SECONDS%%.*} + 10)) # seconds without data after which nginx closes the connection to a fanout
QUIET=$((SILENCE + 50))
FILES=65536 CONNECTIONS=40000 # for each process of nginx; a subscription needs four of both
SOCKET_OPTIONS="backlog=4096 sndbuf=64k $FAMILIES" # sndbuf bounds what the kernel buffers for a client that reads slowly

say() { echo "start.sh: $*" >&2; }
# Each file is read, because only this shows whether this user may read it.
has_certificate() {
  [ -d "$TLS_FOLDER" ] && [ ! -x "$TLS_FOLDER" ] && unreadable "$TLS_FOLDER" && return 1
  [ -e "$TLS_FOLDER/tls.crt" ] || [ -e "$TLS_FOLDER/tls.key" ] || return 1
  for file in "$TLS_FOLDER/tls.crt" "$TLS_FOLDER/tls.key"; do
    cat "$file" >/dev/null 2>&1 || { unreadable "$file" && return 1; }
  done
}
unreadable() {
  if [ -e "$1" ]; then
    found="its mode is $(stat -c '%a, its owner %u:%g' "$1")"
    advice="Give it to this user (chown $(id -u)), or make it readable for all (chmod a+r)"
  else
    found='it does not exist' advice='Put it there'
  fi
  say "user $(id -u):$(id -g) cannot read $1: $found. TLS is off, and plain HTTP is served. $advice, then restart."
}
# `listen … http2` is deprecated since nginx 1.25.1, which has `http2 on` instead.
has_http2_directive() {
  nginx -v 2>&1 | sed 's/.*nginx\/\([0-9]*\)\.\([0-9]*\)\.\([0-9]*\).*/\1 \2 \3/' |
    { read -r major minor patch && [ $((major * 1000000 + minor * 1000 + patch)) -ge 1025001 ]; }
}
# In the official image, nginx contains the module `stream`. In Debian, it is a file of its own.
LOAD_STREAM=$(nginx -V 2>&1 | sed -n 's/.*--modules-path=\([^ ]*\).*--with-stream=dynamic.*/load_module \1\/ngx_stream_module.so;/p')
MOST=$(ulimit -Hn) # dash and BusyBox know -H
if [ "$MOST" != unlimited ] && [ "$MOST" -lt "$FILES" ]; then
  say "the limit of open files (nofile) is $MOST: a process of nginx holds about $((MOST / 4)) clients. For $((CONNECTIONS / 4)) clients, raise it to $FILES."
  FILES=$MOST
  [ "$MOST" -gt "$CONNECTIONS" ] || CONNECTIONS=$MOST
fi
NAMES='FOLDER ADDRESS PORT TLS_PORT RUN_FOLDER FANOUT API RESOLVER TLS_FOLDER WORKERS CONNECTIONS_PER_IP
  HANDSHAKES_PER_IP REQUESTS_PER_IP STREAMS SILENCE SOCKETS_PER_IP CLIENT_SECONDS MAX_BODY_BYTES HSTS_SECONDS
  QUIET SOCKET_OPTIONS LOAD_STREAM REDIRECT TLS_SUFFIX TLS_DIRECT TLS_PROXIED HTTP2_ON FILES CONNECTIONS'
fill_in() {
  # shellcheck disable=SC2086,SC2163 # each name is a word
  for name in $NAMES; do export $name; done
  # shellcheck disable=SC2086
  envsubst "$(printf '$%s ' $NAMES)" <"$FOLDER/$1.template" >"$RUN_FOLDER/$1"
}

# Pages of the origins in CORS_ORIGINS may read the gateway's own answers. If CORS_ORIGINS is `*` or
# empty, pages of all origins may read them in AUTH_MODE=open, and of none otherwise. The services have
# the same rules (shared/web/cors.py).
allowed_origins() {
  echo 'map $http_origin $cors_origin {'
  for origin in $(echo "${CORS_ORIGINS:-*}" | tr ',' ' '); do
    if [ "$origin" != '*' ]; then
      echo "\"$origin\" \$http_origin;"
    elif [ "$AUTH_MODE" = open ]; then
      echo 'default $http_origin;'
    fi
  done
  echo '}'
}

without_tls() {
  REDIRECT='' TLS_SUFFIX='' TLS_DIRECT='' TLS_PROXIED='' HTTP2_ON=''
  fill_in nginx.conf
  fill_in site.conf
  : >"$RUN_FOLDER/tls.conf" >"$RUN_FOLDER/tls_entrance.conf"
}
with_tls() {
  if has_http2_directive; then HTTP2_ON='http2 on;' HTTP2=''; else HTTP2_ON='' HTTP2=http2; fi
  TLS_DIRECT="listen unix:direct.https ssl $HTTP2 proxy_protocol;"
  TLS_PROXIED="listen unix:proxied.https ssl $HTTP2 proxy_protocol;"
  if [ "$TLS_REDIRECT" = off ]; then REDIRECT=''; else REDIRECT=1; fi
  if [ "$PUBLIC_TLS_PORT" = 443 ]; then TLS_SUFFIX=''; else TLS_SUFFIX=":$PUBLIC_TLS_PORT"; fi
  for file in nginx.conf site.conf tls.conf tls_entrance.conf; do fill_in $file; done
}

allowed_origins >"$RUN_FOLDER/origins.conf"
: >"$RUN_FOLDER/trusted.conf" >"$RUN_FOLDER/proxied.conf"
for network in $(echo "$TRUSTED_PROXIES" | tr ',' ' '); do
  echo "set_real_ip_from $network;" >>"$RUN_FOLDER/trusted.conf"
  echo "$network proxied;" >>"$RUN_FOLDER/proxied.conf"
done

# The names of the Unix sockets are relative to this folder, because a path of more than 107 bytes is
# refused. If root starts nginx, its workers are another user, which must be able to enter the folder.
mkdir -p "$RUN_FOLDER/sockets"
chmod 711 "$RUN_FOLDER/sockets"
cd "$RUN_FOLDER/sockets"
[ $# -gt 0 ] || rm -f direct.http direct.https proxied.http proxied.https # left behind by a killed nginx
set -- nginx -p "$RUN_FOLDER" -e stderr -c "$RUN_FOLDER/nginx.conf" -g 'daemon off;' "$@"
if ! has_certificate; then
  without_tls
elif with_tls && ! found=$("$@" -t 2>&1); then
  say "nginx refuses $TLS_FOLDER/tls.crt with $TLS_FOLDER/tls.key. TLS is off, and plain HTTP is served. nginx says: $found"
  without_tls
fi
exec "$@"
