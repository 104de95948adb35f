#!/bin/sh
# Install the locked emulator of Twilio and Resend into FOLDER (default: .cache/emulate of the checkout, which git
# ignores), once. No package's own scripts are run: neither it nor Node needs any.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/../../.cache/emulate}
stamp=$folder/installed-$(cksum < "$here/package-lock.json" | cut -d' ' -f1)
[ -e "$stamp" ] && exit 0
if [ "$(uname -sm)" != "Linux x86_64" ] || ! command -v npm >/dev/null; then
    echo "emulate: no npm, or another system than Linux on x86-64: its journey will be skipped"
    exit 0
fi
mkdir -p "$folder"
cp "$here/package.json" "$here/package-lock.json" "$folder/"
if (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error); then
    touch "$stamp"
else
    echo "emulate: npm could not install it, its journey will be skipped; try again with: sh scripts/emulate/install.sh"
fi
