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
: "${TRUSTED_PROXIES:=}"                   # networks (CIDR), comma-separated
: "${AUTH_MODE:=open}" "${CORS_ORIGINS:=}" # the same values as in the services
: "${SYNC_SECONDS:=15}"                    # the same value as in the fanouts
: "${TLS_FOLDER:=/etc/headrace-tls}"       # if it contains tls.crt and tls.key, nginx serves TLS too
STREAMS=$((CONNECTIONS_PER_IP + 128))
SILENCE=$((${SYNC_SECONDS%%.*} + 10)) # seconds without data after which nginx closes the connection to a fanout
export FOLDER ADDRESS FAMILIES PORT TLS_PORT RUN_FOLDER FANOUT API RESOLVER TLS_FOLDER
export WORKERS CONNECTIONS_PER_IP HANDSHAKES_PER_IP REQUESTS_PER_IP STREAMS SILENCE

fill_in() {
  envsubst '$FOLDER $ADDRESS $FAMILIES $PORT $TLS_PORT $RUN_FOLDER $FANOUT $API $RESOLVER $TLS_FOLDER
    $WORKERS $CONNECTIONS_PER_IP $HANDSHAKES_PER_IP $REQUESTS_PER_IP $STREAMS $SILENCE' \
    <"$FOLDER/$1.template" >"$RUN_FOLDER/$1"
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

fill_in nginx.conf
allowed_origins >"$RUN_FOLDER/origins.conf"
: >"$RUN_FOLDER/trusted.conf"
for network in $(echo "$TRUSTED_PROXIES" | tr ',' ' '); do
  echo "set_real_ip_from $network;" >>"$RUN_FOLDER/trusted.conf"
done
if [ -r "$TLS_FOLDER/tls.crt" ]; then fill_in tls.conf; else : >"$RUN_FOLDER/tls.conf"; fi

exec nginx -p "$RUN_FOLDER" -e stderr -c "$RUN_FOLDER/nginx.conf" -g 'daemon off;' "$@"
