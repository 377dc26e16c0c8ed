#!/bin/sh
# Make sure that there is a Chromium for the tests that look at the report: the system's own, Debian's, or Playwright's.
set -eu
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done
"$BIN/python" -c 'import os, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    sys.exit(not os.path.exists(playwright.chromium.executable_path))' && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update --quiet=2 && apt-get install --yes --quiet=2 --no-install-recommends chromium
else
    "$BIN/playwright" install chromium
fi
