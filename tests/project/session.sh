# What a document's commands run in: one shell, servers in the background, ended as Ctrl-C ends them.
set -euo pipefail
set -m # gives each server a process group of its own

# A reader sees that an answer is an error; a script has to be told.
curl() {
  command curl --silent --show-error --fail-with-body "$@"
}

serving=

stop() {
  [ -n "$serving" ] || return 0
  kill -INT -- "-$serving" 2>/dev/null || true
  wait "$serving" || true
  serving=
}
trap stop EXIT

# serve URL COMMANDS — starts the commands in place of what was served before; returns once the URL answers.
serve() {
  stop
  (eval "$2") &
  serving=$!
  until command curl --silent --fail --output /dev/null "$1"; do
    kill -0 "$serving" || { echo "ended before it served: $2"; exit 1; }
    sleep 0.2
  done
}
