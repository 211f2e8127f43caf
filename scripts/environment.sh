# Sourced by the other scripts: makes .venv with textseq and the extras asked for, once for each state of the pins.

make_environment() {
  local extras=$1 python=${PYTHON:-python3} wanted
  wanted="$extras $(cat pyproject.toml constraints.txt | cksum)"
  [ -f .venv/textseq-installed ] && [ "$(cat .venv/textseq-installed)" = "$wanted" ] && return
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "textseq needs Python 3.11 or newer. Received: $("$python" --version). Set PYTHON to one, as in PYTHON=python3.12 $0." >&2
    exit 2
  }
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  echo "Installing textseq[$extras] into .venv (a few minutes the first time) …" >&2
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$extras]"
  echo "$wanted" > .venv/textseq-installed
}
