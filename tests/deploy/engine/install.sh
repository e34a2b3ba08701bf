#!/bin/sh
# Install the Debian packages of the programs that the tests of this folder need and do not find.
set -eu
PATH=$PATH:/usr/sbin
packages=
need() { command -v "$1" >/dev/null || packages="$packages $2"; }
need buildah "buildah crun"
need debootstrap "debootstrap debian-archive-keyring"
need dockerd docker.io
need iptables iptables
need ip iproute2
if [ ! "$packages" ] && command -v docker >/dev/null; then exit 0; fi
[ "$(id -u)" = 0 ] || { echo "only root can install packages and start an engine" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# In Debian 12, docker.io contains the program docker. Later, it is in a package of its own.
if ! command -v docker >/dev/null && apt-cache show docker-cli >/dev/null 2>&1; then packages="$packages docker-cli"; fi
# shellcheck disable=SC2086 # each package is a word
apt-get install -y -qq --no-install-recommends $packages >/dev/null
