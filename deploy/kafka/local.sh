#!/usr/bin/env bash
# One real Apache Kafka broker (KRaft, a single node) for trying and for the tests: no root, no container.
#
#   local.sh run      in the foreground, until Ctrl-C or SIGTERM
#   local.sh start    in the background; local.sh stop ends it
#
# Both print the bootstrap address once the broker answers.  Needs Java 17 and Maven (only the first time).
#   LOCAL_KAFKA_HOME  where the jars are kept (default: var/kafka of this checkout)
#   LOCAL_KAFKA_DATA  where the records are kept (default: $LOCAL_KAFKA_HOME/data)
#   LOCAL_KAFKA_PORT  default: the port of last time, else a free one
#   LOCAL_KAFKA_MORE  a file of properties that are added to the broker's, and win
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=${LOCAL_KAFKA_HOME:-$here/../../var/kafka}
data=${LOCAL_KAFKA_DATA:-$home/data}
mkdir -p "$home" "$data"
home=$(cd "$home" && pwd)
data=$(cd "$data" && pwd)
pid_file=$data/pid
wait_seconds=${LOCAL_KAFKA_WAIT:-60}

die() {
  echo "local.sh: $*" >&2
  exit 1
}

fetch() {
  # the stamp is the pom itself: another version is fetched anew
  cmp -s "$here/pom.xml" "$home/libs/pom.xml" && return
  command -v mvn >/dev/null || die "Maven is needed to fetch Kafka (Debian: apt-get install maven), or set TUMEN_KAFKA_BOOTSTRAP to a broker of yours"
  echo "Fetching Apache Kafka into $home/libs (once, 44 MB) ..." >&2
  fresh=$(mktemp -d "$home/libs.XXXXXX")
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$fresh" >&2 || die "Maven could not fetch Kafka"
  cp "$here/pom.xml" "$fresh/pom.xml"
  rm -rf "$home/libs"
  mv "$fresh" "$home/libs"
}

answers() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

free_port() {
  local port
  for _ in $(seq 200); do
    port=$((20000 + RANDOM % 12000)) # below the kernel's range for outgoing connections
    answers "$port" || { echo "$port" && return; }
  done
  die "no free port found"
}

configure() {
  port=${LOCAL_KAFKA_PORT:-$(cat "$data/port" 2>/dev/null || true)}
  if [[ -z $port ]] || answers "$port"; then
    [[ -z ${LOCAL_KAFKA_PORT:-} ]] || die "port $port is taken"
    port=$(free_port)
  fi
  echo "$port" >"$data/port"
  controller=$(free_port)
  cat >"$data/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$data/log
auto.create.topics.enable=false
controlled.shutdown.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
PROPERTIES
  [[ -z ${LOCAL_KAFKA_MORE:-} ]] || cat "$LOCAL_KAFKA_MORE" >>"$data/server.properties"
  if [[ ! -f $data/log/meta.properties ]]; then
    local id # 16 random bytes in base64url, as StorageTool random-uuid makes them, without starting Java for it
    id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 1-22 | sed 's/^-/A/')
    "${java[@]}" kafka.tools.StorageTool format -t "$id" -c "$data/server.properties" >"$data/format.log" 2>&1 ||
      die "the storage could not be formatted: see $data/format.log"
  fi
}

launch() {
  command -v java >/dev/null || die "Java 17 is needed (Debian: apt-get install openjdk-17-jre-headless), or set TUMEN_KAFKA_BOOTSTRAP to a broker of yours"
  if [[ -f $pid_file ]] && kill -0 "$(cat "$pid_file")" 2>/dev/null; then
    die "already running on $data (process $(cat "$pid_file"))"
  fi
  fetch
  java=(java -Xmx512m -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$home/libs/*")
  configure
  # a session of its own, so that Ctrl-C reaches only this script, which then ends the broker in order
  setsid "${java[@]}" kafka.Kafka "$data/server.properties" >"$data/broker.log" 2>&1 </dev/null &
  broker=$!
  echo "$broker" >"$pid_file"
  for _ in $(seq $((wait_seconds * 10))); do
    kill -0 "$broker" 2>/dev/null || die "the broker ended: see $data/broker.log"
    answers "$port" && { echo "127.0.0.1:$port" && return; }
    sleep 0.1
  done
  kill -9 "$broker"
  die "the broker did not answer within $wait_seconds s: see $data/broker.log"
}

halt() {
  [[ -f $pid_file ]] || return 0
  local pid
  pid=$(cat "$pid_file")
  kill "$pid" 2>/dev/null || true
  for _ in $(seq 100); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -9 "$pid" 2>/dev/null || true
  rm -f "$pid_file"
}

case ${1:-} in
  run)
    trap 'halt; exit 0' INT TERM
    trap halt EXIT
    launch
    while kill -0 "$broker" 2>/dev/null; do wait "$broker" || true; done
    ;;
  start) launch ;;
  stop) halt ;;
  *)
    sed -n '2,12p' "$0" | sed 's/^# \{0,1\}//' >&2
    exit 2
    ;;
esac
