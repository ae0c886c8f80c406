#!/usr/bin/env bash
# Installs the Debian packages of packages.txt that are missing. Needs root or password-free sudo;
# otherwise prints the command that would install them and exits with 1.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v dpkg-query >/dev/null; then
  echo "error: this script installs Debian packages and dpkg-query is not here;" \
    "install what third_party/packages.txt lists by other means" >&2
  exit 1
fi

missing=()
while read -r package _; do
  case "$package" in '' | '#'*) continue ;; esac
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing+=("$package")
done <packages.txt

[ ${#missing[@]} -gt 0 ] || exit 0
echo "Missing Debian packages: ${missing[*]}"

if [ "$(id -u)" -eq 0 ]; then
  as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root=(sudo -n)
else
  echo "error: installing packages needs root; run" >&2
  echo "  apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

# An unreachable extra archive must not stop the installation: apt-get install decides.
"${as_root[@]}" apt-get update -q || echo "apt-get update failed; trying the known package lists"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -q -y --no-install-recommends "${missing[@]}"
