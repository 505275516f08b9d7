#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# make demo: a server with a demo account, seven days of invented viewers and more of them coming, until Ctrl-C.
# FIRSTFRAME_DEMO_DIR (default ./demo-data) keeps it; FIRSTFRAME_DEMO_PORT (default 8600); FIRSTFRAME_DEMO_VIEWS (10000).
set -euo pipefail
cd "$(dirname "$0")/.."
started=$(date +%s)
tools/install.sh build
installed=$(date +%s)
tools/build.sh release firstframe firstframe-engine
built=$(date +%s)
data=${FIRSTFRAME_DEMO_DIR:-demo-data}
port=${FIRSTFRAME_DEMO_PORT:-8600}
views=${FIRSTFRAME_DEMO_VIEWS:-10000}
program=build/firstframe
umask 077

if [ -f "$data/journal/lock" ] && ! flock -n "$data/journal/lock" true; then
  echo "a demo is running already, on $data; FIRSTFRAME_DEMO_DIR=DIR make demo starts another one there" >&2
  exit 1
fi
fresh=""
# A week that was cut short (Ctrl-C) is made anew.
if [ ! -f "$data/demo.json" ] || [ -f "$data/filling" ]; then
  fresh=yes
  rm -rf "$data.new"; mkdir -p "$data.new"
  password=$(head -c 9 /dev/urandom | base64 | tr '+/' '-_')
  FIRSTFRAME_PASSWORD=$password $program init --data "$data.new" --email demo@firstframe.example --organization Demo \
    --environment Demo --allow-backfill --json | jq --arg password "$password" '. + {email: "demo@firstframe.example", password: $password}' > "$data.new/demo.json"
  touch "$data.new/filling"
  rm -rf "$data"; mv "$data.new" "$data"
fi
value() { jq -r ".$1" "$data/demo.json"; }

server="" viewers=""
end() {
  trap '' INT TERM
  [ -n "$viewers" ] && kill "$viewers" 2>/dev/null && wait "$viewers" 2>/dev/null
  if [ -n "$server" ]; then echo; echo "stopping"; kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; fi
  exit 0
}
trap end INT TERM
not_started() {
  echo "the server did not start:" >&2
  tail -n 5 "$data/server.log" >&2
  ! grep -q 'already in use' "$data/server.log" || echo "FIRSTFRAME_DEMO_PORT=$((port + 1)) make demo takes another port" >&2
  exit 1
}
# Empty before the server is looked for: the last run's line would do for this one's.
: >"$data/listening"
# In its own session, so that Ctrl-C reaches this script first and the server is stopped in order.
setsid $program serve --data "$data" --listen "127.0.0.1:$port" >"$data/listening" 2>"$data/server.log" &
server=$!
until grep -q '^listening on' "$data/listening"; do
  kill -0 "$server" 2>/dev/null || not_started
  sleep 0.1
done
url=http://localhost:$port
if [ -n "$fresh" ]; then
  echo "sending $views invented views of the last 7 days"
  $program simulate --url "$url" --env-key "$(value env_key)" --views "$views" --days-back 7 --seed 1
  rm "$data/filling"
fi
# As many as the week had in the mean, so that charts of it stay level; with few views more, so that something moves.
rate=$(LC_ALL=C awk -v views="$views" 'BEGIN { rate = views / (7 * 24 * 3600); printf "%.4f", rate < 0.02 ? 0.02 : rate }')
setsid $program simulate --url "$url" --env-key "$(value env_key)" --live --rate "$rate" --seed "$RANDOM" >/dev/null 2>&1 &
viewers=$!

cat <<TEXT

Firstframe is running at  $url
  e-mail        $(value email)
  password      $(value password)
  env key       $(value env_key)
  access token  $(value token_id)
  its secret    $(value token_secret)
($((installed - started)) s to download and install, $((built - installed)) s to build, $(($(date +%s) - built)) s to start$([ -n "$fresh" ] && echo " and fill"))

Time to first frame of the last 24 hours, with the session of 2017's announcement:

  TOKEN=\$(curl -s -X POST -H 'content-type: application/json' -d '{"session":{"email":"$(value email)","password":"$(value password)"}}' $url/api/sessions | jq -r .data.token)
  curl -s -g -H "beta-auth-token: \$TOKEN" '$url/data/v1/metrics/time_to_first_frame/timeseries?timeframe[]=24:hours' | jq -c '.data[][1]'

The same with an access token, and as a sparkline:

  curl -s -g -u $(value token_id):$(value token_secret) '$url/data/v1/metrics/video_startup_time/timeseries?timeframe[]=24:hours' | jq -c '.data[]'
  FIRSTFRAME_TOKEN_ID=$(value token_id) FIRSTFRAME_TOKEN_SECRET=$(value token_secret) $program spark time_to_first_frame --url $url

A page of yours sends its views here with:

  <script src="$url/sdk/mux.js"></script>
  <script>mux.monitor('video', { beaconCollectionDomain: 'localhost:$port', data: { env_key: '$(value env_key)', player_init_time: Date.now() } })</script>

Viewers keep coming. Ctrl-C ends everything.
TEXT
wait "$server" || true
end
