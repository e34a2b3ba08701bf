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
SOCKET_OPTIONS="backlog=4096 sndbuf=64k $FAMILIES" # sndbuf bounds what the kernel buffers for a client that reads slowly

say() { echo "start.sh: $*" >&2; }
has_certificate() {
  [ -e "$TLS_FOLDER/tls.crt" ] || return 1
  for file in "$TLS_FOLDER/tls.crt" "$TLS_FOLDER/tls.key"; do
    [ -r "$file" ] && continue
    say "cannot read $file as user $(id -u): $(ls -ln "$file" 2>&1). TLS is off. Make the file readable for this user, then restart."
    return 1
  done
}
# `listen … http2` is deprecated since nginx 1.25.1, which has `http2 on` instead.
has_http2_directive() {
  nginx -v 2>&1 | sed 's/.*nginx\/\([0-9]*\)\.\([0-9]*\)\.\([0-9]*\).*/\1 \2 \3/' |
    { read -r major minor patch && [ $((major * 1000000 + minor * 1000 + patch)) -ge 1025001 ]; }
}
# In the official image, nginx contains the module `stream`. In Debian, it is a file of its own.
LOAD_STREAM=$(nginx -V 2>&1 | sed -n 's/.*--modules-path=\([^ ]*\).*--with-stream=dynamic.*/load_module \1\/ngx_stream_module.so;/p')
REDIRECT='' TLS_SUFFIX='' TLS_DIRECT='' TLS_PROXIED='' HTTP2_ON='' TLS=''
if has_certificate; then
  TLS=1 HTTP2=''
  if has_http2_directive; then HTTP2_ON='http2 on;'; else HTTP2=http2; fi
  TLS_DIRECT="listen unix:direct.https ssl $HTTP2 proxy_protocol;"
  TLS_PROXIED="listen unix:proxied.https ssl $HTTP2 proxy_protocol;"
  [ "$TLS_REDIRECT" = off ] || REDIRECT=1
  [ "$PUBLIC_TLS_PORT" = 443 ] || TLS_SUFFIX=":$PUBLIC_TLS_PORT"
fi
NAMES='FOLDER ADDRESS PORT TLS_PORT RUN_FOLDER FANOUT API RESOLVER TLS_FOLDER WORKERS CONNECTIONS_PER_IP
  HANDSHAKES_PER_IP REQUESTS_PER_IP STREAMS SILENCE SOCKETS_PER_IP CLIENT_SECONDS MAX_BODY_BYTES HSTS_SECONDS
  QUIET SOCKET_OPTIONS LOAD_STREAM REDIRECT TLS_SUFFIX TLS_DIRECT TLS_PROXIED HTTP2_ON'
# shellcheck disable=SC2086,SC2163 # each name is a word
for name in $NAMES; do export $name; done
fill_in() { envsubst "$(printf '$%s ' $NAMES)" <"$FOLDER/$1.template" >"$RUN_FOLDER/$1"; }

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

fill_in nginx.conf
fill_in site.conf
allowed_origins >"$RUN_FOLDER/origins.conf"
: >"$RUN_FOLDER/trusted.conf" >"$RUN_FOLDER/proxied.conf" >"$RUN_FOLDER/tls.conf" >"$RUN_FOLDER/tls_entrance.conf"
for network in $(echo "$TRUSTED_PROXIES" | tr ',' ' '); do
  echo "set_real_ip_from $network;" >>"$RUN_FOLDER/trusted.conf"
  echo "$network proxied;" >>"$RUN_FOLDER/proxied.conf"
done
if [ "$TLS" ]; then fill_in tls.conf && fill_in tls_entrance.conf; fi

# The names of the Unix sockets are relative to this folder, because a path of more than 107 bytes is
# refused. If root starts nginx, its workers are another user, which must be able to enter the folder.
mkdir -p "$RUN_FOLDER/sockets"
chmod 711 "$RUN_FOLDER/sockets"
cd "$RUN_FOLDER/sockets"
[ $# -gt 0 ] || rm -f direct.http direct.https proxied.http proxied.https # left behind by a killed nginx
exec nginx -p "$RUN_FOLDER" -e stderr -c "$RUN_FOLDER/nginx.conf" -g 'daemon off;' "$@"
