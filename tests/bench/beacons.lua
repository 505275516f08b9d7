-- SPDX-License-Identifier: Apache-2.0
-- wrk script: POSTs of about 1.2 KB with 4 events each; a view is 5 POSTs long and ends.
local key = os.getenv("ENV_KEY")
local thread_count = 0
function setup(thread)
  thread:set("number", thread_count)
  thread_count = thread_count + 1
end
function init()
  math.randomseed(os.time() * 10 + number)
  view, post = 0, 5
end
local names = { "playing", "hb", "requestcompleted", "hb" }
function request()
  if post == 5 then
    view, post = view + 1, 0
    id = string.format("%08x-%04x-4000-8000-%012x", math.random(0, 0x7fffffff), number, view)
  end
  local now = os.time() * 1000
  local events = {}
  for i = 1, 4 do
    local seq = post * 4 + i
    local name = names[i]
    if seq == 1 then name = "viewstart" elseif seq == 20 then name = "viewend" end
    events[i] = string.format('{"e":"%s","ake":"%s","xid":"%s","xsqno":%d,"psqno":%d,"bdm":"localhost:8600","pphti":%d,"uti":%d,' ..
      '"mapve":"2.1","vid":"video-1","pinid":"47eb9032-1b9a-4f87-bde7-9aa806b09b74","xpntimscv":%d,"xwati":%d,"sex":%d,"xst":%d,"vtt":"A title"%s}',
      name, key, id, seq, seq, seq * 1000, now, seq * 1000, seq * 1000, now + 1500000, now - 20000, seq == 18 and ',"xtitofifr":412' or "")
  end
  post = post + 1
  local body = '{"metadata":{"transmission_timestamp":' .. now .. ',"rtt_ms":12},"events":[' .. table.concat(events, ",") .. "]}"
  return wrk.format("POST", "/", { ["Content-Type"] = "text/plain",
    ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36" }, body)
end
