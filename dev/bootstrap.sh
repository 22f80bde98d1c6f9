#!/usr/bin/env bash
# Make one of the project's environments: dev/bootstrap.sh FOLDER REQUIREMENTS [--no-compile-bytecode]
# Starts from any python3 that can make a virtual environment; brings uv and Python 3.13 itself.
set -euo pipefail

folder=$1 requirements=$2
version=$(<.python-version)
uv=.tools/uv/bin/uv
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV

# Prints the interpreter behind the one that runs it, if that is of the wanted version.
is_wanted="import sys; assert '%d.%d' % sys.version_info[:2] == '$version'; print(sys._base_executable or sys.executable)"

runs() { "$@" >/dev/null 2>&1; }

# A version manager's shim may be on PATH and still refuse to run under .python-version.
bring_uv() {
  runs "$uv" --version && return
  echo "  · uv"
  local python
  for python in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
    runs "$python" -c 'import ensurepip, venv' || continue
    rm -rf .tools/uv
    "$python" -m venv .tools/uv && .tools/uv/bin/python -m pip install -q --disable-pip-version-check \
      --only-binary :all: --require-hashes --requirement requirements/uv.txt && return
  done
  if runs uv --version; then
    mkdir -p .tools/uv/bin && ln -sf "$(command -v uv)" "$uv" && return
  fi
  echo "No python3 here can make a virtual environment; install python3-venv or uv." >&2
  exit 1
}

# Prints the real interpreter, never a shim: the SAM CLI wants its folder on PATH.
find_python() {
  local candidate
  for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version"*/bin/"python$version" \
    /usr/bin/"python$version" /usr/local/bin/"python$version" /opt/homebrew/bin/"python$version"; do
    "$candidate" -c "$is_wanted" 2>/dev/null && return
  done
  "$uv" python find --managed-python "$version" 2>/dev/null && return
  echo "  · Python $version" >&2
  "$uv" python install --quiet "$version" >&2 && "$uv" python find --managed-python "$version"
}

bring_uv
[ "$folder" = .tools/uv ] && exit 0
python=$(find_python)
echo "  · $folder"
# An environment that stands is changed in place: something may be running from it.
[ "$("$folder/bin/python" -c "$is_wanted" 2>/dev/null)" ] || "$uv" venv --quiet --clear --python "$python" "$folder"
# Compiled once, because hundreds of interpreters import most of these packages.
"$uv" pip sync --quiet "${3:---compile-bytecode}" --python "$folder" --require-hashes "$requirements"
touch "$folder/.stamp"
