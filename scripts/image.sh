#!/bin/sh
# The container image: the Dockerfile is linted, then built by the first of docker, podman and buildah that can.
#   sh scripts/image.sh .venv kiitos        IMAGE_OPTIONS adds to the build, as in IMAGE_OPTIONS="--platform linux/arm64"
set -eu
venv=${1:-.venv}
image=${2:-kiitos}
"$venv/bin/hadolint" deploy/Dockerfile
if command -v docker >/dev/null 2>&1 && docker version >/dev/null 2>&1; then # its client alone cannot build
    set -- docker build
elif command -v podman >/dev/null 2>&1; then
    set -- podman build
elif command -v buildah >/dev/null 2>&1; then
    set -- buildah build
else
    echo "image: no docker that runs, no podman, no buildah: install one of them (Debian: apt-get install buildah)" >&2
    exit 1
fi
# Podman and buildah write OCI by themselves, in whose form a HEALTHCHECK has no place.
case $1 in podman | buildah) set -- "$@" --format docker ;; esac
# shellcheck disable=SC2086
"$@" ${IMAGE_OPTIONS:-} -f deploy/Dockerfile -t "$image" .
