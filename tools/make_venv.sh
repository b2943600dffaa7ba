#!/bin/sh
# Build the virtual environment from the hash-pinned lock. uv is used when it can be had, pip otherwise.
set -eu
py=${PYTHON:-python3}
venv=${VENV:-.venv}
"$py" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
  echo "Shouxin needs Python 3.11 or newer as '$py' (apt-get install python3 python3-venv, or PYTHON=/path/to/python make …)" >&2
  exit 1
}
[ -x "$venv/bin/python" ] || "$py" -m venv "$venv" || {
  echo "could not make a virtual environment: apt-get install python3-venv" >&2
  exit 1
}
uv=$(command -v uv || true)
if [ -z "$uv" ]; then
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv 2>/dev/null && uv="$venv/bin/uv" || uv=
fi
if [ -n "$uv" ]; then
  VIRTUAL_ENV="$venv" "$uv" pip install --quiet --require-hashes -r requirements.lock
  VIRTUAL_ENV="$venv" "$uv" pip install --quiet --no-deps -e .
else
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -e .
fi
