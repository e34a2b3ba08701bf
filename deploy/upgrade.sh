#!/bin/sh
# Upgrade the running system of compose.yaml to other images or settings, while clients stay served:
#   docker compose build --pull && sh deploy/upgrade.sh
# Or only some services, after their settings were changed: sh deploy/upgrade.sh api
# `docker compose up` alone would stop all replicas of a service at the same time. See
# docs/operations/upgrade.md and docs/decisions/0098-images-run-in-an-engine-of-their-own.md.
set -eu
up() { docker compose up --detach --no-build --wait "$@"; }
count() { docker compose ps --quiet "$1" | wc -l; } # of running containers
all=
# An indexer knows new types of events before the others see them.
# Readers of the archive know a new format of its files before the archiver writes it.
[ $# -gt 0 ] || { all=yes; set -- indexer fanout api archiver webhooks; }
rights() { # a running Redis keeps the rights that users.acl had when it started; new services can need more
  for server in $(docker compose ps --format '{{.Service}}' | grep redis); do
    docker compose exec -T "$server" sh /etc/headrace/rights.sh "$@" </dev/null
  done
}
[ ! "$all" ] || rights --add
for service; do
  running=$(count "$service")
  # Without an archiver or a dispatcher of webhooks there is none to replace. A new one starts at the end,
  # when Redis knows its user.
  case "$service $running" in "archiver 0" | "webhooks 0") continue ;; esac
  [ "$running" -gt 0 ] || { echo "no $service is running: start the system with docker compose up" >&2; exit 1; }
  wanted=$(docker compose config "$service" | sed -n "/^  $service:/,/^  [a-z]/s/^ *replicas: //p")
  # First start the new replicas beside the old ones. Then compose removes the old replicas, because
  # their configuration is not the present one.
  up --no-deps --no-recreate --scale "$service=$((running + wanted))" "$service"
  up --no-deps "$service"
done
[ "$all" ] || exit 0
rights
# Redis and the gateway have one container each. If theirs changed, clients reconnect and resume. They are
# replaced one by one, because compose would start the gateway only after all other containers.
for service in redis gateway; do up --no-deps "$service"; done
# These three read their mounted files when they start. Compose does not notice that a file has changed.
for service in $(docker compose ps --format '{{.Service}}' | grep -Ex 'prometheus|alertmanager|grafana'); do
  up --no-deps --force-recreate "$service"
done
up
