#!/bin/sh
# Install the locked server into FOLDER (default: .cache/vendure of the checkout, which git ignores), once.
# No package's own scripts are run: sql.js and the others need none.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/../../../.cache/vendure}
stamp=$folder/installed-$(cksum < "$here/package-lock.json" | cut -d' ' -f1)
[ -e "$stamp" ] && exit 0
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "vendure: no node and npm, its journey will be skipped; get them with: apt-get install nodejs npm"
    exit 0
fi
mkdir -p "$folder"
cp "$here/package.json" "$here/package-lock.json" "$folder/"
if (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error); then
    touch "$stamp"
else
    echo "vendure: npm could not install it, its journey will be skipped; try again with: sh examples/kiitos-vendure/server/install.sh"
fi
