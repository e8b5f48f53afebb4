#!/bin/sh
# Build the images that the end-to-end tests start. The Debian one is kept in the cache directory;
# where it cannot be built (no mirror, no root) the tests that need it are skipped and say why.
set -eu
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lightervisor
mkdir -p "$cache"
why=$cache/debian-12.missing
rm -f "$why"
if ! scripts/packages.sh image-debian; then
    echo "its builder's packages could not be installed" > "$why"
elif ! timeout 900 scripts/image-debian.sh "$cache" </dev/null; then
    echo "scripts/image-debian.sh failed (is a Debian mirror reachable?)" > "$why"
fi

# The runtime's own test starts it without a daemon, so that it needs the tree itself, fresh.
rm -rf "$cache/debian-12.rootfs"
[ -s "$why" ] || unsquashfs -quiet -no-progress -dest "$cache/debian-12.rootfs" "$cache/debian-12.squashfs" >/dev/null
[ ! -s "$why" ] || echo "== No Debian image: $(cat "$why"); its tests will be skipped"

# A fuller one, for what people run inside.
why=$cache/debian-12-services.missing
rm -f "$why"
if [ -s "$cache/debian-12.missing" ]; then
    echo "it is made from the small Debian image: $(cat "$cache/debian-12.missing")" > "$why"
elif ! timeout 1800 scripts/image-debian-services.sh "$cache" </dev/null; then
    echo "scripts/image-debian-services.sh failed (is a Debian mirror reachable?)" > "$why"
fi
[ ! -s "$why" ] || echo "== No Debian image with services: $(cat "$why"); its tests will be skipped"
