#!/bin/sh
# Give a running Redis the users on standard input. If Redis refuses them, it keeps the users that it had.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${RUN_FOLDER:=/tmp}"
umask 077
file=$RUN_FOLDER/users.acl
cat >"$file.new"
# An empty file would be loaded too, and with it everyone could do everything.
grep -q '^user operator on' "$file.new" || { echo "the new users lack the user operator" >&2; exit 1; }
cp "$file" "$file.before"
mv "$file.new" "$file"
sh "$here/cli.sh" acl load || { mv "$file.before" "$file"; exit 1; }
rm "$file.before"
