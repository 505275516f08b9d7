// SPDX-License-Identifier: Apache-2.0
// Writes beacons: events in long names become the short keys of the wire. The dictionary is that of the protocol, typed in anew.
const FIRST = 'a env|b beacon|c custom|d ad|e event|f experiment|i internal|m mux|n response|p player|q request|r retry|s session|' +
  't timestamp|u viewer|v video|w page|x view|y sub';
const LATER = 'ad ad|cp complete|ev events|lt latency|po poster|st start|af affiliate|cq creator|ex expires|lw low|pp pip|su startup|' +
  'ag aggregate|cr creative|ez exception|ma max|pr preload|sv server|al application|cs captions|fa failed|md media|ps position|' +
  'sw software|ao audio|ct content|fi first|me message|pt part|sy severity|ap api|cu current|fm family|mf manifest|pv previous|ta tag|' +
  'ar architecture|cv cumulative|fp fps|mi mime|px pop|tc tech|as asset|cx connection|fq frequency|ml midroll|py property|te text|' +
  'au autoplay|cz context|fr frame|mm min|pz plan|tg target|av average|da data|fs fullscreen|mn manufacturer|ra rate|th throughput|' +
  'bi bitrate|dg downscaling|ft format|mo model|rd requested|ti time|bn brand|dm domain|ha has|mp mode|re rebuffer|tl total|br break|' +
  'dn cdn|hb holdback|ms ms|rf rendition|to to|bw browser|do downscale|he headers|mx mux|rg range|tr track|by bytes|dp dropped|' +
  'hn hostname|ne newest|rm remote|tt title|bz business|dr drm|ho host|nm name|ro ratio|ty type|ca cached|du duration|ht height|' +
  'no number|rp response|ug upscaling|cb cancel|dv device|id id|on on|rq request|un universal|cc codec|dy dynamic|ii init|or origin|' +
  'rs requests|up upscale|cd code|eb enabled|in instance|os os|sa sample|ur url|ce counter|ec encoding|ip ip|pa paused|sd skipped|' +
  'us user|cg category|ed edge|is is|pb playback|se session|va variant|ch changed|ee event|ke key|pd producer|sh shift|vd viewed|' +
  'ci client|eg engine|la language|pe percentage|si sid|ve version|cj channels|em embed|lb labeled|pf played|sk seek|vi video|' +
  'ck clicked|en end|ld loaded|pg program|sm stream|vr viewer|cl canceled|ep experiments|le level|ph playhead|so source|vw view|' +
  'cm cmcd|er error|li live|pi plugin|sq sequence|wa watch|cn config|es errorcode|lo load|pl preroll|sr series|wd width|co count|' +
  'et errortext|ls lists|pn playing|ss status|wt waiting';
const inverse = text => Object.fromEntries(text.split('|').map(pair => pair.split(' ').reverse()));
const first = inverse(FIRST), later = inverse(LATER);

export function short(long) {
  if (long.startsWith('=')) return long.slice(1); // a wire key as it is
  const [head, ...words] = long.split('_');
  return (first[head] ?? head + '_') + words.map(word => later[word] ?? (/^\d+$/.test(word) ? word : `_${word}_`)).join('');
}

export const T0 = Date.UTC(2026, 10, 20, 12, 0, 0);

// An event is [name, ms since T0, fields]; a field set to undefined is left out.
export function encode(event, defaults) {
  const [name, at, fields = {}] = event;
  const all = { event: name, viewer_time: at === null ? undefined : T0 + at, ...defaults, ...fields };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined).map(([key, value]) => [short(key), value]));
}
