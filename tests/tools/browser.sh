#!/bin/bash
# What the browser tests need: Debian's Chromium, Playwright for Python, axe-core in the cache.
. "$(dirname "$0")/lib.sh"
AXE=$CACHE/axe/node_modules/axe-core/axe.min.js
install() {
  apt_install chromium
  (cd "$HERE/../.." && uv sync --frozen --all-groups -q)
  [ -e "$AXE" ] || npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$CACHE/axe" axe-core@4.14.1
  echo "$AXE"
}
start() { echo "the tests start the browser themselves" >&2; exit 2; }
prove() { /usr/bin/chromium --version; }
main "$@"
