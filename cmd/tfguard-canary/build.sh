#!/bin/sh
# Builds tfguard-canary: build.sh TENSORFLOW-FOLDER OUTPUT
#
# The folder is an installed wheel's …/site-packages/tensorflow; only its C headers are used. The binary is linked against a
# stub that defines an empty function for each name the headers declare and carries the soname of the wheel's library, so it
# takes its TensorFlow from LD_LIBRARY_PATH when it runs, whatever its version.
set -eu
[ $# = 2 ] || { echo "usage: build.sh TENSORFLOW-FOLDER OUTPUT" >&2; exit 2; }
tf=$(cd "$1" && pwd)
c=$tf/include/tensorflow/c
[ -f "$c/c_api.h" ] || { echo "build.sh: no C headers in $c: is tensorflow installed there?" >&2; exit 1; }
src=$(cd "$(dirname "$0")/../.." && pwd)
case $2 in /*) out=$2 ;; *) out=$PWD/$2 ;; esac

stub=$(mktemp -d)
trap 'rm -rf "$stub"' EXIT
grep -ohE '\bTFE?_[A-Za-z0-9_]+ *\(' "$c"/*.h "$c"/eager/*.h | tr -d ' (' | sort -u | sed 's/.*/void &(void) {}/' >"$stub/stub.c"
"${CC:-cc}" -shared -fPIC -w -Wl,-soname,libtensorflow_cc.so.2 -o "$stub/libtensorflow.so" "$stub/stub.c"

cd "$src"
# -O1: the cgo part only calls through; lazy binding lets it start with a TensorFlow that lacks a function it never calls.
CGO_ENABLED=1 CGO_CFLAGS="-I$tf/include -O1 -w" CGO_LDFLAGS="-L$stub -Wl,-z,lazy" \
	go build -trimpath -tags tfcanary -ldflags '-s -w' -o "$out" ./cmd/tfguard-canary
