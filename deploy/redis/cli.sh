#!/bin/sh
# Run valkey-cli as the user operator: `sh cli.sh info persistence`. Exit code 1 if Redis returns an error.
# The password comes from the environment, because other users can see a process's arguments.
set -eu
: "${OPERATOR_REDIS_PASSWORD:?the password of the user operator}"
: "${HOST:=127.0.0.1}" "${PORT:=6379}"
export REDISCLI_AUTH="$OPERATOR_REDIS_PASSWORD" VALKEYCLI_AUTH="$OPERATOR_REDIS_PASSWORD"
exec "${REDIS_CLI:-valkey-cli}" -e --user operator -h "$HOST" -p "$PORT" "$@"
