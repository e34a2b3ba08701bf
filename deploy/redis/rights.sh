#!/bin/sh
# Give the users of a running Redis the rights that users.acl has now. Their passwords stay. With --add,
# they keep the rights that they had, too: while services of two versions run, each needs its own. A user
# that is new in users.acl has no password, so it is off until passwords.sh or a restart gives it one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${RUN_FOLDER:=/tmp}"
# Both files have a line `user NAME on HASHES resetkeys resetchannels -@all RIGHTS` for each user.
awk -v add="${1:-}" '
  NR == FNR {
    for (i = 1; i <= NF; i++) if ($i ~ /^#[0-9a-f]+$/) hashes[$2] = hashes[$2] $i " "
    name = $2
    if (sub(/.* -@all/, "")) rights[name] = $0
    next
  }
  hashes[$2] { sub(/#[A-Z]+_SHA256 /, hashes[$2]); if (add) $0 = $0 rights[$2] }
  { sub(/ on #[A-Z]+_SHA256 /, " off ") }
  { print }
' "$RUN_FOLDER/users.acl" "$here/users.acl" | sh "$here/load-users.sh"
