#!/usr/bin/env bash
# Runs the Gossamer beside this script on the libtorch of an installed PyTorch 2.10 or 2.11: that of
# python3, or of the Python that PYTHON names, or the folder GOSSAMER_LIBTORCH. JAVA_OPTIONS adds
# options for Java.
set -u

script=${BASH_SOURCE[0]}
while [ -L "$script" ]; do
  folder=$(cd -P "$(dirname "$script")" && pwd)
  script=$(readlink "$script")
  case $script in /*) ;; *) script=$folder/$script ;; esac
done
here=$(cd -P "$(dirname "$script")" && pwd)

lacks() {
  echo "gossamer: $1. Install PyTorch 2.10 or 2.11, or let GOSSAMER_LIBTORCH name the folder torch/lib of one" >&2
  exit 4
}

if [ -z "${GOSSAMER_LIBTORCH:-}" ]; then
  python=${PYTHON:-python3}
  command -v "$python" >/dev/null || lacks "no $python on the PATH to find PyTorch with"
  # Finds it without loading it, which takes seconds.
  torch=$("$python" -c 'import importlib.util; print(importlib.util.find_spec("torch").origin)' 2>/dev/null) ||
    lacks "$python has no PyTorch"
  GOSSAMER_LIBTORCH=$(dirname "$torch")/lib
fi
export GOSSAMER_LIBTORCH

# Read when Java starts. CUDA comes as packages beside PyTorch.
libraries=$GOSSAMER_LIBTORCH
for folder in "$GOSSAMER_LIBTORCH"/../../nvidia/*/lib; do
  [ -d "$folder" ] && libraries=$libraries:$folder
done
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
# So are these: libgomp's threads sleep soon while they wait, as others may need the core; should that
# libtorch have OpenBLAS, one thread, as libtorch has its own; and glibc asks for huge pages, as large
# activations are mapped anew for every operation.
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-1000}
export GLIBC_TUNABLES=${GLIBC_TUNABLES:-glibc.malloc.hugetlb=1}
export OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-1}

# shellcheck disable=SC2086
exec "$here/java/bin/java" -XX:+UseSerialGC -XX:-UsePerfData -Djava.awt.headless=true \
  --add-modules jdk.incubator.vector -Djdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK=0 \
  -Dgossamer.jni="$here/jni" ${JAVA_OPTIONS:-} -cp "$here/cp/*" dev.gossamer.cli.Gossamer "$@"
