#!/usr/bin/env bash
# From nothing to a trained text classifier: which era of American history does a paragraph come from?
# Makes .venv, installs textseq, trains an LSTM on the State of the Union messages, scores it, labels three sentences,
# exports it, serves the export, asks it the same three, and ends in a page that shows the run.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh
make_environment baseline,quickstart,report,serve
exec .venv/bin/python scripts/quickstart.py
