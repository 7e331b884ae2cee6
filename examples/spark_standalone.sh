#!/usr/bin/env bash
# Runs doisoat on a standalone Spark cluster on this machine: a master and two workers on the loopback
# address, which are stopped when the command ends.
#
#   REGISTERS=path/to/registers_20k examples/spark_standalone.sh examples/spark.toml sync --mode full
set -euo pipefail
config=$1
shift

python=$(command -v python)
export SPARK_HOME
SPARK_HOME=$("$python" -c 'import pyspark, pathlib; print(pathlib.Path(pyspark.__file__).parent)')
export SPARK_LOCAL_IP=127.0.0.1 PYSPARK_PYTHON=$python
port=${PORT:-7077}
room=$(mktemp -d) # for the cluster's working files
copy=$(dirname "$config")/.standalone-$$.toml
started=()

end() {
    [ "${#started[@]}" -eq 0 ] || kill "${started[@]}" 2>/dev/null || true
    wait
    rm -rf "$room" "$copy"
}
trap end EXIT

start() { # arguments: the log's name, the class, the class's arguments
    local log=$room/$1.log
    shift
    # (Shuffle files hold personal data, so they go into a folder that only this user can open.)
    SPARK_LOCAL_DIRS=$room "$SPARK_HOME/bin/spark-class" "$@" >"$log" 2>&1 &
    started+=($!)
}

start master org.apache.spark.deploy.master.Master --host 127.0.0.1 --port "$port" --webui-port 0
for worker in 1 2; do
    start "worker-$worker" org.apache.spark.deploy.worker.Worker --host 127.0.0.1 --webui-port 0 \
        --cores 1 --memory 1500m --work-dir "$room/worker-$worker" "spark://127.0.0.1:$port"
done
for _ in $(seq 120); do # until both have registered
    [ "$(grep -c 'Registering worker' "$room/master.log" 2>/dev/null || true)" = 2 ] && break
    sleep 0.5
done
echo "$(grep -c 'Registering worker' "$room/master.log" || true) workers at spark://127.0.0.1:$port" >&2

sed "s|^master = .*|master = \"spark://127.0.0.1:$port\"|" "$config" >"$copy"
doisoat --config "$copy" "$@"
grep -h 'Registering app\|Launching executor' "$room/master.log" | sed 's/^[^:]*:[^ ]* //' >&2 || true
