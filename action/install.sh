#!/usr/bin/env bash
# Builds rbk and puts it on the PATH of the steps that follow.
set -euo pipefail

root=${RUNNER_TEMP:?}/rbk
if [[ -z ${RBK_SOURCE:-} ]]; then
  cargo install --locked --root "$root" --path "${GITHUB_ACTION_PATH:?}/crates/rbk"
elif [[ -z ${RBK_VERSION:-} ]]; then
  cargo install --locked --root "$root" --git "$RBK_SOURCE" rbk
elif [[ $RBK_VERSION =~ ^[0-9a-f]{7,40}$ ]]; then
  cargo install --locked --root "$root" --git "$RBK_SOURCE" --rev "$RBK_VERSION" rbk
else
  cargo install --locked --root "$root" --git "$RBK_SOURCE" --tag "$RBK_VERSION" rbk
fi
printf '%s\n' "$root/bin" >> "${GITHUB_PATH:?}"
