// SPDX-License-Identifier: Apache-2.0
// The questions of the benchmark: the API's request, and the best SQL for the same answer that we could write by hand for
// the engine and for DuckDB. `answer` takes the numbers out of the API's reply; every column of the SQL's rows is
// one of these numbers, so that the benchmark can tell that they are the same answer before it compares times.
import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from '../lib/server.mjs';

const HOUR = 3600e3, DAY = 86400e3;
// Dimensions that insights looks at, as dimensions.def has them.
const insightDimensions = () => [...fs.readFileSync(path.join(ROOT, 'src/query/dimensions.def'), 'utf8').matchAll(/^DIMENSION\((\w+), (\w+), (\w+), \w+, \w+, 1\)/gm)]
  .map(([, id, column, type]) => ({ id, column, type }));

// Rows of comparison.def over metrics.def, as SQL over the table without a subquery.
function comparisonSql(duck, where) {
  const read = name => fs.readFileSync(path.join(ROOT, 'src/query', name), 'utf8');
  const metrics = new Map([...read('metrics.def').matchAll(/^METRIC\((\w+), (\w+), "([^"]*)", "([^"]*)", "([^"]*)", (\w+), (\w+)/gm)]
    .map(([, id, kind, a, b, population, clock, better]) => [id, { kind, a, b, population, clock, better }]));
  const rows = [...read('comparison.def').matchAll(/^(?:BLOCK\("[^"]*", "\w+"|ITEM\("[^"]*"), "(\w+)", (\w+)/gm)].map(([, id, measure]) => ({ id, measure }));
  const portable = text => text.replaceAll('ifNull(', duck ? 'coalesce(' : 'ifNull(').replaceAll('60000.', '60000.0');
  const wanted = new Map();
  for (const { id, measure } of rows) {
    const m = metrics.get(id);
    if (m) wanted.set(`${id} ${measure}`, { ...m, a: portable(m.a), measure });
  }
  const of = clock => {
    const columns = ['count(*)'], levels = new Map();
    for (const m of wanted.values()) {
      if (m.clock !== clock) continue;
      const filters = [m.population !== '1' && m.population, m.kind === 'RATIO' && `${m.b} > 0`].filter(Boolean).join(' AND ');
      const If = (f, x) => !filters ? `${f}(${x})` : duck ? `${f}(${x}) FILTER (${filters})` : `${f}If(${x}, ifNull(${filters}, 0))`;
      if (m.kind === 'VIEWERS') columns.push(duck ? `count(DISTINCT ${m.a})` : 'uniqExact(viewer_key)');
      else if (m.kind === 'RATIO' && m.measure === 'AVG') columns.push(`${If('sum', m.a)} / ${If('sum', m.b)}`);
      else if (m.measure === 'COUNT') columns.push(`count(${m.a})`);
      else if (m.measure === 'SUM' || m.measure === 'AVG') columns.push(If(m.measure.toLowerCase(), m.a));
      else {
        const q = m.measure === 'MEDIAN' ? 0.5 : m.better === 'LOWER' ? 0.95 : 0.05, x = m.kind === 'RATIO' ? `${m.a} / ${m.b}` : m.a;
        const key = JSON.stringify([x, filters]);
        levels.set(key, [...levels.get(key) ?? [], q]);
      }
    }
    for (const [key, list] of levels) {
      const [x, filters] = JSON.parse(key);
      if (duck) columns.push(`quantile_cont(${x}, [${list}])${filters ? ` FILTER (${filters})` : ''}`);
      else columns.push(`quantilesExactInclusive${filters ? 'If' : ''}(${list})(${x}${filters ? `, ifNull(${filters}, 0)` : ''})`);
    }
    return `SELECT ${columns.join(', ')} FROM ${duck ? 'views' : 'firstframe.views'} WHERE ${where(clock)}`;
  };
  return [of('END'), of('START')];
}

const series = json => json.data.filter(row => row[2]).map(row => [row[2], row[1]]);
const breakdown = json => json.data.map(row => [row.views, row.value, row.total_watch_time, row.total_playing_time]);

// now: epoch s. facts: things found in the store (an id, a video, an error).
export function questions({ environment, now, facts }) {
  const to = Math.floor(now / 3600) * 3600, at = days => `timeframe[]=${to - days * 86400}&timeframe[]=${to}`;
  // Windows are cut to hours, and to days from 15 days on.
  const range = days => days <= 15 ? [(to - days * 86400) * 1000, to * 1000] : [Math.floor((to - days * 86400) * 1000 / DAY) * DAY, Math.ceil(to * 1000 / DAY) * DAY];
  const end = days => `environment_id = '${environment}' AND view_end >= ${range(days)[0]} AND view_end < ${range(days)[1]}`;
  const start = days => `environment_id = '${environment}' AND view_start >= ${range(days)[0]} AND view_start < ${range(days)[1]} ` +
    `AND view_end >= ${range(days)[0] - DAY} AND view_end < ${range(days)[1] + 8 * DAY}`;
  const V = 'FROM firstframe.views WHERE', D = 'FROM views WHERE';
  const q = (p, x) => `quantileExactInclusive(${p})(${x})`, c = (p, x) => `quantile_cont(${x}, ${p})`;
  const m = '/data/v1/metrics';
  const seriesOf = (metric, days, step, value, duckValue, { clock = end, column = 'view_end', extra = '', known = '' } = {}) => ({
    route: `${m}/${metric}/timeseries?${at(days)}${extra}`, answer: series,
    sql: `SELECT count(), ${value} ${V} ${clock(days)}${known} GROUP BY intDiv(${column}, ${step})`,
    duck: `SELECT count(*), ${duckValue} ${D} ${clock(days)}${known} GROUP BY ${column} // ${step}`,
  });
  const startup = ' AND video_startup_time IS NOT NULL';
  const rest = 'sum(watch_time), sum(view_playing_time)';
  const by = (metric, dimension, days, value, duckValue, known = '') => ({
    route: `${m}/${metric}/breakdown?group_by=${dimension}&limit=1000&${at(days)}`, answer: breakdown,
    sql: `SELECT count(), ${value}, ${rest} ${V} ${end(days)}${known} GROUP BY ${dimension} WITH TOTALS`, // by which the rows are ranked
   
    duck: `SELECT count(*), ${duckValue}, ${rest} ${D} ${end(days)}${known} GROUP BY ${dimension}`,
  });
  const overall = (metric, days, value, duckValue, known = '') => ({
    route: `${m}/${metric}/overall?${at(days)}`, answer: json => [[json.data.total_views, json.data.value, json.data.total_watch_time, json.data.total_playing_time]],
    sql: `SELECT count(), ${value}, ${rest} ${V} ${end(days)}${known}`, duck: `SELECT count(*), ${duckValue}, ${rest} ${D} ${end(days)}${known}`,
  });
  const insights = (metric, days, value, duckValue, column) => {
    const list = insightDimensions(), sets = list.map(d => `(${d.column})`).join(', ');
    const tests = f => list.map((d, i) => `${f}(${d.column}) = 0 AND ${d.column} IS NOT NULL`).join(' OR ');
    return {
      rounds: 3, // the answer's order by harm and its cut are left to the reader of the SQL
      route: `${m}/${metric}/insights?${at(days)}`, answer: null,
      sql: `SELECT ${list.map(d => d.column).join(', ')}, count(), ${value}, ${rest} ${V} ${end(days)} AND ${column} IS NOT NULL GROUP BY GROUPING SETS (${sets}) HAVING ${tests('grouping')} ORDER BY count() DESC LIMIT 100`,
      duck: `SELECT ${list.map(d => d.column).join(', ')}, count(*), ${duckValue}, ${rest} ${D} ${end(days)} AND ${column} IS NOT NULL GROUP BY GROUPING SETS (${sets}) HAVING ${tests('grouping')} ORDER BY count(*) DESC LIMIT 100`,
    };
  };
  const brief = 'id_hi, id_lo, view_start, view_end, video_title, browser, operating_system, country, player_error_code, player_error_message, error_type_id, watch_time, viewer_experience_score, playback_failure';
  const list = (name, extra, where, skip) => ({
    name, route: `/data/v1/video-views?${at(30)}${extra}`, answer: json => [...json.data.map(row => [row.watch_time]), [json.total_row_count]],
    sql: [`SELECT watch_time, ${brief.replace('watch_time, ', '')} ${V} ${end(30)}${where} ORDER BY view_end DESC, id_hi, id_lo LIMIT ${skip}, 25`, `SELECT count() ${V} ${end(30)}${where}`], first: true,
    duck: [`SELECT watch_time, ${brief.replace('watch_time, ', '')} ${D} ${end(30)}${where} ORDER BY view_end DESC, id_hi, id_lo LIMIT 25 OFFSET ${skip}`, `SELECT count(*) ${D} ${end(30)}${where}`],
  });
  const query = body => ({ route: '/data/v1/query', body: { timeframe: [String(to - 30 * 86400), String(to)], ...body } });
  const subview = (what, extra) => `/data/v1/subview-metrics/playing_time/rendition/${what}?${at(7)}${extra}`;
  const parts = `FROM firstframe.views ARRAY JOIN rendition_width AS rw, rendition_height AS rh, rendition_playing_time AS ms WHERE ${end(7)} AND ms > 0`;
  const sizes = '&group_by[]=video_source_width&group_by[]=video_source_height', ranges = `SELECT s, e, count() ${V} ${end(7)} AND video_id = '${facts.video}' AND notEmpty(range_start) GROUP BY range_start AS s, range_end AS e`;
  return [
    { name: 'timeseries, median startup, 30 days', ...seriesOf('video_startup_time', 30, DAY, q(0.5, 'video_startup_time'), c(0.5, 'video_startup_time'), { known: startup }) },
    { name: 'timeseries, 95th startup, 30 days', ...seriesOf('video_startup_time', 30, DAY, q(0.95, 'video_startup_time'), c(0.95, 'video_startup_time'), { known: startup, extra: '&measurement=95th' }) },
    { name: 'timeseries, 95th startup, 7 days by hour', ...seriesOf('video_startup_time', 7, HOUR, q(0.95, 'video_startup_time'), c(0.95, 'video_startup_time'), { known: startup, extra: '&measurement=95th' }) },
    { name: 'timeseries, median startup, 24 hours', ...seriesOf('video_startup_time', 1, HOUR, q(0.5, 'video_startup_time'), c(0.5, 'video_startup_time'), { known: startup }) },
    { name: 'timeseries, views, 30 days', ...seriesOf('views', 30, DAY, 'count()', 'count(*)', { clock: start, column: 'view_start' }) },
    { name: 'timeseries, unique viewers, 30 days', ...seriesOf('unique_viewers', 30, DAY, 'uniqExact(viewer_key)', 'count(DISTINCT coalesce(viewer_user_id, mux_viewer_id))', { clock: start, column: 'view_start', known: ' AND (viewer_user_id IS NOT NULL OR mux_viewer_id IS NOT NULL)' }) },
    { name: 'timeseries, overall score, one country', ...seriesOf('viewer_experience_score', 30, DAY, 'avg(viewer_experience_score)', 'avg(viewer_experience_score)', { known: " AND viewer_experience_score IS NOT NULL AND country = 'US'", extra: '&filters[]=country:US' }) },
    { name: 'overall, median startup', ...overall('video_startup_time', 30, q(0.5, 'video_startup_time'), c(0.5, 'video_startup_time'), startup) },
    { name: 'overall, playback failures', ...overall('playback_failure_percentage', 30, 'avg(playback_failure)', 'avg(playback_failure)') },
    { name: 'overall, rebuffering', ...overall('rebuffer_percentage', 30, 'sum(rebuffer_duration) / sum(watch_time)', 'sum(rebuffer_duration) / sum(watch_time)', ' AND watched = 1 AND watch_time > 0 AND rebuffer_duration IS NOT NULL') },
    { name: 'breakdown by country, median startup', ...by('video_startup_time', 'country', 30, q(0.5, 'video_startup_time'), c(0.5, 'video_startup_time'), startup) },
    { name: 'breakdown by title, overall score', ...by('viewer_experience_score', 'video_title', 30, 'avg(viewer_experience_score)', 'avg(viewer_experience_score)', ' AND viewer_experience_score IS NOT NULL') },
    { name: 'comparison', route: `${m}/comparison?${at(30)}`, answer: null, rounds: 5, sql: comparisonSql(false, clock => clock === 'END' ? end(30) : start(30)), duck: comparisonSql(true, clock => clock === 'END' ? end(30) : start(30)) },
    { name: 'insights, overall score', ...insights('viewer_experience_score', 30, 'avg(viewer_experience_score)', 'avg(viewer_experience_score)', 'viewer_experience_score') },
    { name: 'insights, median startup', ...insights('video_startup_time', 30, q(0.5, 'video_startup_time'), c(0.5, 'video_startup_time'), 'video_startup_time') },
    { name: 'values of browser', route: `/data/v1/dimensions/browser?${at(30)}&limit=100`, answer: json => json.data.map(row => [row.total_count]), sql: `SELECT count() ${V} ${end(30)} GROUP BY browser`, duck: `SELECT count(*) ${D} ${end(30)} GROUP BY browser` },
    { name: 'elements of the CDN trace', route: `/data/v1/dimensions/video_cdn_trace/elements?${at(30)}&limit=100`, answer: json => json.data.map(row => [row.total_count]), sql: `SELECT count() FROM (SELECT arrayJoin(arrayDistinct(video_cdn_trace)) AS e ${V} ${end(30)}) GROUP BY e`, duck: `SELECT count(*) FROM (SELECT unnest(list_distinct(video_cdn_trace)) AS e ${D} ${end(30)}) GROUP BY e` },
    list('views, first page', '', '', 0),
    list('views, page 40', '&page=40', '', 39 * 25),
    list('views with an error', '&error_id=any', ' AND error_type_id IS NOT NULL', 0),
    list('views of one viewer', `&viewer_id=${encodeURIComponent(facts.viewer)}`, ` AND (viewer_user_id = '${facts.viewer}' OR mux_viewer_id = '${facts.viewer}')`, 0),
    { name: 'one view', route: `/data/v1/video-views/${facts.id}`, answer: json => [[json.data.watch_time]], sql: `SELECT * FROM firstframe.views WHERE environment_id = '${environment}' AND id_hi = ${facts.id_hi} AND id_lo = ${facts.id_lo}`, unchecked: true, duck: `SELECT * ${D} id_hi = ${facts.id_hi} AND id_lo = ${facts.id_lo}` },
    { name: 'errors', route: `/data/v1/errors?${at(30)}`, answer: json => json.data.map(row => [row.count]), sql: [`SELECT count(), max(error_last_seen), any(player_error_code), any(player_error_message), error_type_id ${V} ${end(30)} AND error_type_id IS NOT NULL GROUP BY error_type_id`, `SELECT count() ${V} ${end(30)}`], first: true, firstColumn: true, duck: [`SELECT count(*), max(error_last_seen), any_value(player_error_code), any_value(player_error_message), error_type_id ${D} ${end(30)} AND error_type_id IS NOT NULL GROUP BY error_type_id`, `SELECT count(*) ${D} ${end(30)}`] },
    { name: 'one error', route: `/data/v1/errors/${facts.error}?${at(30)}`, answer: null, sql: [`SELECT error_codes[indexOf(error_ids, ${facts.error})], error_messages[indexOf(error_ids, ${facts.error})] ${V} environment_id = '${environment}' AND has(error_ids, ${facts.error}) LIMIT 1`, `SELECT count(), max(error_last_seen) ${V} ${end(30)} AND error_type_id = ${facts.error}`, `SELECT count() ${V} ${end(30)}`], duck: null },
    { name: 'query, 2 dimensions by day', ...query({ metrics: [{ metric: 'views' }, { metric: 'viewer_experience_score' }, { metric: 'rebuffer_count', measurement: 'sum' }], dimensions: ['country', 'player_software'], time_bucket: 'day', limit: 10000 }), answer: null, rounds: 5,
      sql: [`SELECT intDiv(view_end, ${DAY}) AS d, country, player_software, avg(viewer_experience_score), sumIf(rebuffer_count, watched = 1) ${V} ${end(30)} GROUP BY d, country, player_software`, `SELECT intDiv(view_start, ${DAY}) AS d, country, player_software, count() ${V} ${start(30)} GROUP BY d, country, player_software`],
      duck: [`SELECT view_end // ${DAY} AS d, country, player_software, avg(viewer_experience_score), sum(rebuffer_count) FILTER (watched = 1) ${D} ${end(30)} GROUP BY d, country, player_software`, `SELECT view_start // ${DAY} AS d, country, player_software, count(*) ${D} ${start(30)} GROUP BY d, country, player_software`] },
    { name: 'query, percentiles and deviation by CDN', ...query({ metrics: [{ metric: 'video_startup_time', percentile: 0.5 }, { metric: 'video_startup_time', percentile: 0.99 }, { metric: 'video_startup_time', measurement: 'stddev' }], dimensions: ['cdn'] }), answer: json => json.data.map(row => [row.video_startup_time_p50, row.video_startup_time_p99, row.video_startup_time_stddev]), rounds: 5,
      sql: `SELECT quantilesExactInclusive(0.5, 0.99)(video_startup_time), stddevPopStable(video_startup_time) ${V} ${end(30)}${startup} GROUP BY cdn`,
      duck: `SELECT quantile_cont(video_startup_time, [0.5, 0.99]), stddev_pop(video_startup_time) ${D} ${end(30)}${startup} GROUP BY cdn` },
    { name: 'heatmap of a video, 7 days', route: `/data/v1/engagement/videos/${encodeURIComponent(facts.video)}/heatmap?${at(7)}`, answer: null, sql: ranges, duck: null },
{ name: 'hotspots of a video, 7 days', route: `/data/v1/engagement/videos/${encodeURIComponent(facts.video)}/hotspots?${at(7)}`, answer: null, sql: ranges, duck: null },
    { name: 'renditions, 7 days', route: subview('breakdown', sizes), answer: null, sql: `SELECT rw, rh, sum(ms) ${parts} GROUP BY rw, rh`, duck: `SELECT rw, rh, sum(ms) FROM (SELECT unnest(rendition_width) AS rw, unnest(rendition_height) AS rh, unnest(rendition_playing_time) AS ms ${D} ${end(7)}) WHERE ms > 0 GROUP BY rw, rh` },
    { name: 'renditions, all together, 7 days', route: subview('overall', ''), answer: json => [[json.data.metric_value]], sql: `SELECT sum(ms) ${parts}`, duck: `SELECT sum(ms) FROM (SELECT unnest(rendition_playing_time) AS ms ${D} ${end(7)}) WHERE ms > 0` },
    { name: 'renditions of two countries, 7 days', route: subview('comparison', `${sizes}&dimension=country&values[]=US&values[]=DE`), answer: null, sql: `SELECT country, rw, rh, sum(ms) ${parts} AND country IN ('US', 'DE') GROUP BY country, rw, rh`, duck: null },
    { name: 'renditions by hour, 7 days', route: subview('breakdown-timeseries', sizes), answer: null, sql: `SELECT intDiv(view_end, ${HOUR}) AS h, rw, rh, sum(ms) ${parts} GROUP BY h, rw, rh`, duck: null },
    { name: 'playing time of renditions by country, 7 days', route: `/data/v1/subview-metrics/rendition/dimensions/country?${at(7)}&limit=250`, answer: json => json.data.map(row => [row.playing_time]), sql: `SELECT sum(ms) ${parts} GROUP BY country`, duck: null },
  ];
}

// What DuckDB needs: columns of the SQL above, and those of insights and comparison.
export const duckColumns = all => {
  const text = all.map(x => [x.duck].flat().join(' ')).join(' ');
  return name => new RegExp(`\\b${name}\\b`).test(text);
};
