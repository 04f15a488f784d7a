#!/bin/sh
# sh scripts/environment.sh [PYTHON]: find the interpreter for .venv, and have it set .venv up (environment.py).
# A named interpreter is used or refused. Without a name the first that suits is taken.
set -eu
cd "${0%/*}/.."
needed="Python 3.11 or 3.12 is needed"
how='name one, as in `make demo PYTHON=/path/to/python3.11`'

suits() {
	"$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null
}

if [ -n "${1-}" ]; then
	if suits "$1"; then
		exec "$1" -m scripts.environment --named
	fi
	found=$("$1" -c 'import sys; print("is Python %d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || found="does not run"
	echo "error: $needed, and PYTHON=$1 $found: $how" >&2
	exit 1
fi
for python in python3.11 python3.12 python3; do
	if suits "$python"; then
		exec "$python" -m scripts.environment
	fi
done
echo "error: $needed, and none of python3.11, python3.12 and python3 is one: install it, or $how" >&2
exit 1
