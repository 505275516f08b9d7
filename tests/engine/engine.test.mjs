// SPDX-License-Identifier: Apache-2.0
//
// firstframe-engine from the outside: a real engine in a directory of its own, spoken to over its socket.
// FIRSTFRAME_ENGINE names the program; without it build/firstframe-engine is taken.
import { test, before, after, describe } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";

const here = path.dirname(fileURLToPath(import.meta.url));
const program = path.resolve(process.env.FIRSTFRAME_ENGINE ?? path.join(here, "../../build/firstframe-engine"));
const readyWithin = 20_000;

const newDir = () => fs.mkdtempSync(path.join(os.tmpdir(), "ffe-"));
const removeDir = (dir) => fs.rmSync(dir, { recursive: true, force: true });

class Engine {
  constructor(dir, { args = [], parent = false } = {}) {
    this.dir = dir;
    this.socketPath = path.join(dir, "ch.sock");
    this.agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
    this.stderr = "";
    const stdio = ["ignore", "pipe", "pipe"];
    const argv = ["--data", dir, "--socket", "ch.sock", ...args];
    if (parent) {
      stdio.push("pipe");
      argv.push("--parent-fd", "3");
    }
    this.child = spawn(program, argv, { stdio });
    this.child.stderr.on("data", (d) => (this.stderr += d));
    this.child.stdout.on("data", (d) => (this.stderr += `STDOUT ${d}`));
    this.exited = new Promise((resolve) => this.child.on("exit", (code, signal) => resolve({ code, signal })));
  }

  static async start(dir, options) {
    const e = new Engine(dir, options);
    const began = performance.now();
    const ready = (async () => {
      while (!e.stderr.includes("ready")) await sleep(5);
      return "ready";
    })();
    const outcome = await Promise.race([ready, e.exited, sleep(readyWithin, "late", { ref: false })]);
    assert.equal(outcome, "ready", `engine did not start: ${e.stderr}`);
    e.readyMs = performance.now() - began;
    return e;
  }

  // Sends one request; `body` is a string, a Buffer, or an (async) iterable of pieces, then chunked.
  request({ query, params = {}, body, method = "POST", headers = {}, url, agent = this.agent }) {
    const search = new URLSearchParams(params);
    if (query !== undefined) search.set("query", query);
    const target = url ?? `/?${search}`;
    const whole = typeof body === "string" || Buffer.isBuffer(body) || body === undefined;
    return new Promise((resolve, reject) => {
      const req = http.request({ socketPath: this.socketPath, path: target, method, headers, agent }, (res) => {
        const pieces = [];
        res.on("data", (d) => pieces.push(d));
        res.on("error", reject);
        res.on("end", () => {
          const bytes = Buffer.concat(pieces);
          const summary = res.headers["x-clickhouse-summary"];
          resolve({
            status: res.statusCode, headers: res.headers, bytes, text: bytes.toString(), complete: res.complete,
            code: Number(res.headers["x-clickhouse-exception-code"] ?? 0), summary: summary && JSON.parse(summary),
          });
        });
      });
      req.on("error", reject);
      if (whole) {
        req.end(body);
        return;
      }
      (async () => {
        for await (const piece of body) {
          if (!req.write(piece)) await new Promise((r) => req.once("drain", r));
        }
        req.end();
      })().catch(reject);
    });
  }

  // The text of a statement that has to succeed.
  async ask(body, params) {
    const r = await this.request({ body, params });
    assert.equal(r.status, 200, r.text);
    return r.text;
  }

  async stop(signal = "SIGTERM") {
    this.agent.destroy();
    this.child.kill(signal);
    return this.exited;
  }
}

// (UInt32, UInt32) rows as RowBinary.
function rows(from, count, second = (i) => i % 7) {
  const b = Buffer.alloc(count * 8);
  for (let i = 0; i < count; i++) {
    b.writeUInt32LE(from + i, i * 8);
    b.writeUInt32LE(second(from + i), i * 8 + 4);
  }
  return b;
}

function* pieces(buffer, size) {
  for (let at = 0; at < buffer.length; at += size) yield buffer.subarray(at, at + size);
}

const alive = (pid) => {
  try {
    process.kill(pid, 0);
    return fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1][0] !== "Z";
  } catch {
    return false;
  }
};

async function until(what, condition, ms = 8000) {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    if (await condition()) return;
    await sleep(20);
  }
  assert.fail(`waited ${ms} ms for: ${what}`);
}

// Sends bytes as they are and collects what comes until the peer closes or `done` says enough.
function raw(socketPath, bytes, done = () => false) {
  return new Promise((resolve, reject) => {
    const s = net.connect(socketPath);
    let got = "";
    const finish = () => { s.destroy(); resolve(got); };
    s.setTimeout(10_000, () => reject(new Error(`no answer: ${got}`)));
    s.on("data", (d) => { got += d; if (done(got)) finish(); });
    s.on("close", () => resolve(got));
    s.on("error", (e) => (got ? resolve(got) : reject(e)));
    s.write(bytes);
  });
}

describe("one engine", () => {
  let dir, e;
  before(async () => {
    dir = newDir();
    e = await Engine.start(dir);
    await e.ask("CREATE DATABASE d ENGINE = Atomic");
    await e.ask("CREATE TABLE d.t (a UInt32, b UInt32) ENGINE = MergeTree ORDER BY a");
  });
  after(async () => {
    const { code, signal } = await e.stop();
    removeDir(dir);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, e.stderr);
    assert.match(e.stderr, /^firstframe-engine: ready [^\n]*\n$/, "one line and nothing else");
  });

  test("answers /ping; files are private", async () => {
    assert.equal((await e.request({ method: "GET", url: "/ping" })).text, "Ok.\n");
    assert.equal((await e.request({ method: "GET", url: "/" })).text, "Ok.\n");
    assert.equal((await e.request({ method: "GET", url: "/nothing" })).status, 404);
    assert.equal((await e.request({ method: "DELETE", url: "/" })).status, 405);
    const head = await e.request({ method: "HEAD", url: "/ping" });
    assert.deepEqual([head.status, head.bytes.length], [200, 0]);
    assert.equal(fs.statSync(e.socketPath).mode & 0o777, 0o600);
    assert.equal(fs.statSync(path.join(dir, "store")).mode & 0o077, 0);
  });

  test("inserts RowBinary, streamed and whole", async () => {
    const data = rows(0, 100_000);
    const insert = { query: "INSERT INTO d.t (a, b) FORMAT RowBinary" };
    const r = await e.request({ ...insert, body: pieces(data, 7001) });
    assert.equal(r.status, 200, r.text);
    assert.equal(r.summary.written_rows, "100000");
    assert.equal(await e.ask("SELECT count(), sum(a), sum(b) FROM d.t"), "100000\t4999950000\t299995\n");
    assert.equal(await e.ask("SELECT count() FROM system.parts WHERE table = 't' AND active"), "1\n", "one insert, one part");
    assert.equal((await e.request({ ...insert, body: rows(100_000, 10_000) })).status, 200);
    assert.equal(await e.ask("SELECT count() FROM d.t"), "110000\n");
    assert.equal((await e.request({ ...insert, body: "" })).status, 200, "no rows are fine");
    const cut = await e.request({ ...insert, body: data.subarray(0, 801) });
    assert.deepEqual([cut.status, cut.code], [500, 33]);
    const nowhere = await e.request({ query: "INSERT INTO d.nope FORMAT RowBinary", body: pieces(data, 65536) });
    assert.deepEqual([nowhere.status, nowhere.code], [404, 60]);
    assert.equal(await e.ask("SELECT count() FROM d.t"), "110000\n");
  });

  test("inserts data that follows the statement in the body", async () => {
    await e.ask("CREATE TABLE d.s (n UInt32, s String) ENGINE = MergeTree ORDER BY n");
    await e.ask('INSERT INTO d.s FORMAT CSV\n1,"FORMAT TSV;"\n2,b\n');
    await e.ask("INSERT INTO d.s (n, s) VALUES (3, 'it''s; fine'), (4, upper('x'))");
    await e.ask(Buffer.concat([Buffer.from("INSERT INTO d.s FORMAT RowBinary\n"), Buffer.from([5, 0, 0, 0, 2, 0, 10])]));
    assert.equal((await e.request({ query: "INSERT INTO s VALUES", params: { database: "d" }, body: "(6, 'v')" })).status, 200);
    assert.equal((await e.request({ query: "INSERT INTO d.s SELECT 7, 'sel'", body: "" })).status, 200);
    assert.equal(await e.ask("SELECT n, hex(s) FROM d.s ORDER BY n FORMAT CSV"),
      '1,"464F524D4154205453563B"\n2,"62"\n3,"697427733B2066696E65"\n4,"58"\n5,"000A"\n6,"76"\n7,"73656C"\n');
    const many = "INSERT INTO d.s FORMAT TSV\n" + Array.from({ length: 200_000 }, (_, i) => `${i + 10}\tvalue ${i}\n`).join("");
    await e.ask(many);
    assert.equal(await e.ask("SELECT count() FROM d.s"), "200007\n");
    const split = await e.request({ query: "SELECT count()", body: "FROM d.s" });
    assert.equal(split.text, "200007\n", "query and body are one text");
  });

  test("formats and content types", async () => {
    const q = "SELECT number AS n, toString(number) AS s FROM numbers(2) ORDER BY n";
    const tsv = await e.request({ body: q });
    assert.equal(tsv.text, "0\t0\n1\t1\n");
    assert.match(tsv.headers["content-type"], /^text\/tab-separated-values/);
    assert.equal(tsv.headers["x-clickhouse-format"], "TabSeparated");
    assert.equal(tsv.summary.result_rows, "2");
    const json = await e.request({ body: `${q} FORMAT JSONCompact` });
    assert.deepEqual(JSON.parse(json.text).data, [[0, "0"], [1, "1"]]);
    assert.match(json.headers["content-type"], /^application\/json/);
    const each = await e.request({ body: q, params: { default_format: "JSONEachRow" } });
    assert.equal(each.text, '{"n":0,"s":"0"}\n{"n":1,"s":"1"}\n');
    const byHeader = await e.request({ body: q, headers: { "X-ClickHouse-Format": "CSV" } });
    assert.equal(byHeader.text, '0,"0"\n1,"1"\n');
    assert.equal((await e.ask(`${q} FORMAT RowBinary`)).length, 2 * 10);
    const unknown = await e.request({ body: `${q} FORMAT Nonsense` });
    assert.deepEqual([unknown.status, unknown.code], [404, 73]);
    const injected = await e.request({ body: q, params: { default_format: "CSV\r\nX-Evil: 1" } });
    assert.equal(injected.status, 404);
    assert.equal(injected.headers["x-evil"], undefined);
    assert.equal(await e.ask("SELECT 1 AS format ORDER BY format DESC"), "1\n");
    assert.equal(await e.ask("SELECT 'a FORMAT JSON' -- FORMAT XML"), "a FORMAT JSON\n");
    assert.equal(await e.ask("SELECT 1 WHERE 0"), "");
    assert.match(await e.ask("EXPLAIN SELECT 1"), /ReadFrom/);
  });

  test("large results come as one document", async () => {
    const q = (f) => `SELECT number AS n, number AS \`a "b\nc\` FROM numbers(400000) ORDER BY n FORMAT ${f}`;
    const csv = await e.request({ body: q("CSVWithNamesAndTypes") });
    assert.equal(csv.headers["transfer-encoding"], "chunked");
    const body = Array.from({ length: 400_000 }, (_, i) => `${i},${i}\n`).join("");
    assert.ok(csv.text === '"n","a ""b\nc"\n"UInt64","UInt64"\n' + body, csv.text.slice(0, 200));
    const tsv = await e.request({ body: q("TSVWithNames") });
    assert.ok(tsv.text === 'n\ta "b\\nc\n' + body.replaceAll(",", "\t"), tsv.text.slice(0, 200));
    const json = JSON.parse((await e.request({ body: q("JSONCompact") })).text);
    assert.equal(json.rows, 400_000);
    assert.equal(json.data.length, 400_000);
    const parquet = (await e.request({ body: q("Parquet") })).bytes;
    assert.equal(parquet.subarray(0, 4).toString() + parquet.subarray(-4).toString(), "PAR1PAR1");
    assert.match(await e.ask("SELECT number % 2 AS p, count() FROM numbers(10) GROUP BY p WITH TOTALS ORDER BY p FORMAT CSVWithNames"),
      /^"p","count\(\)"\n0,5\n1,5\n\n0,10\n$/);
  });

  test("an error after the first megabyte leaves the answer incomplete, before it has its status", async () => {
    const early = await e.request({ body: `SELECT throwIf(number = 1) FROM numbers(10)` });
    assert.deepEqual([early.status, early.code], [500, 395]);
    const late = `SELECT throwIf(number = 500000), repeat('x', 100) FROM numbers(10000000) SETTINGS max_threads = 1`;
    await assert.rejects(e.request({ body: late }), /aborted|ECONNRESET|hang up/);
    assert.equal(await e.ask("SELECT 1"), "1\n");
  });

  test("settings hold for one statement", async () => {
    const read = "SELECT value FROM system.settings WHERE name = 'max_block_size'";
    const usual = await e.ask(read);
    assert.notEqual(usual, "1234\n");
    assert.equal(await e.ask(read, { max_block_size: "1234" }), "1234\n");
    for (let i = 0; i < 8; i++) assert.equal(await e.ask(read), usual);
    const slow = await e.request({ body: "SELECT count() FROM numbers(1000000000000)", params: { max_execution_time: "1" } });
    assert.deepEqual([slow.status, slow.code], [408, 159]);
    const memory = await e.request({
      body: "SELECT length(groupArray(number)) FROM numbers(100000000)", params: { max_memory_usage: "10000000" } });
    assert.deepEqual([memory.status, memory.code], [500, 241]);
    const unknown = await e.request({ body: "SELECT 1", params: { no_such_setting: "1" } });
    assert.deepEqual([unknown.status, unknown.code], [404, 115]);
    const name = await e.request({ body: "SELECT 1", params: { "a=1, b": "1" } });
    assert.deepEqual([name.status, name.code], [404, 115]);
    const quote = await e.request({ body: "SELECT 1", params: { max_threads: "1', readonly='0" } });
    assert.notEqual(quote.status, 200, "a value stays a value");
    assert.equal(await e.ask("SELECT getSetting('format_csv_null_representation')", { format_csv_null_representation: "a'b\\c" }), "a\\'b\\\\c\n");
    assert.equal((await e.request({ body: "SELECT 1", params: { query_id: "abc-1", user: "x", password: "y" } })).headers["x-clickhouse-query-id"], "abc-1");
  });

  test("readonly", async () => {
    const refused = async (options) => {
      const r = await e.request(options);
      assert.deepEqual([r.status, r.code], [500, 164], JSON.stringify(options) + r.text);
    };
    const readonly = { readonly: "1" };
    assert.equal(await e.ask("SELECT count() FROM d.t", readonly), "110000\n");
    await refused({ body: "DROP TABLE d.t", params: readonly });
    await refused({ query: "INSERT INTO d.t FORMAT RowBinary", body: rows(0, 1), params: readonly });
    await refused({ body: "SELECT 1 SETTINGS max_threads = 1", params: readonly });
    await refused({ body: "SELECT * FROM file('/etc/passwd', 'LineAsString')", params: readonly });
    await refused({ query: "DROP TABLE d.t", method: "GET" });
    const get = await e.request({ query: "SELECT 1", method: "GET", params: { max_threads: "1" } });
    assert.equal(get.text, "1\n");
    assert.equal(await e.ask("CREATE TABLE d.x (a UInt8) ENGINE = Memory"), "", "the next request may write again");
    for (const params of [{}, readonly]) {
      const r = await e.request({ body: "SELECT 1 INTO OUTFILE 'out.txt'", params });
      assert.deepEqual([r.status, r.code], [501, 48]);
    }
    assert.ok(!fs.existsSync(path.join(dir, "out.txt")));
  });

  test("sessions do not leak into the next request", async () => {
    for (let i = 0; i < 8; i++) {
      await e.ask("SET max_block_size = 77");
      await e.ask("USE d");
      await e.ask("CREATE TEMPORARY TABLE temp_x (a UInt8)");
    }
    for (let i = 0; i < 8; i++) {
      assert.equal(await e.ask("SELECT currentDatabase(), getSetting('max_block_size') = 77"), "default\t0\n");
      assert.equal((await e.request({ body: "SELECT * FROM temp_x" })).status, 404);
    }
    assert.equal(await e.ask("SELECT currentDatabase()", { database: "d" }), "d\n");
    assert.equal((await e.request({ body: "SELECT currentDatabase()", headers: { "X-ClickHouse-Database": "d" } })).text, "d\n");
    const none = await e.request({ body: "SELECT 1", params: { database: "a`b" } });
    assert.deepEqual([none.status, none.code], [404, 81]);
  });

  test("parameters", async () => {
    const params = { param_x: "5", param_s: "it's" };
    assert.equal(await e.ask("SELECT {x:UInt8} + 1, {s:String} FORMAT CSV", params), '6,"it\'s"\n');
    assert.equal(await e.ask("SELECT {x:UInt8} FORMAT JSONCompactColumns", params), "[\n\t[5]\n]\n");
    const missing = await e.request({ body: "SELECT {y:UInt8}", params });
    assert.equal(missing.code, 456);
  });

  test("errors have ClickHouse's status, code and text", async () => {
    for (const [body, status, code] of [
      ["SELEC 1", 400, 62], ["", 400, 62], ["-- nothing", 400, 62], ["SELECT 1; SELECT 2", 400, 62],
      ["DROP TABLE d.x; DROP TABLE d.t", 400, 62], ["SELECT * FROM d.nope", 404, 60], ["SELECT * FROM nope.t", 404, 81],
      ["SELECT nope FROM d.t", 404, 47], ["SELECT nope(1)", 404, 46], ["SELECT toUInt8('x')", 400, 6],
      ["CREATE TABLE d.t (a UInt8) ENGINE = Memory", 500, 57], ["SELECT CAST(1, 'Nope')", 404, 50],
    ]) {
      const r = await e.request({ body });
      assert.deepEqual([body, r.status, r.code], [body, status, code], r.text);
      assert.match(r.text, new RegExp(`^Code: ${code}\\. DB::Exception: [^]*\\([A-Z_]+\\)[^]*\\n$`));
    }
    assert.equal(await e.ask("SELECT count() FROM d.t"), "110000\n");
  });

  test("several statements at once", async () => {
    await e.ask("CREATE TABLE d.c (a UInt32, b UInt32) ENGINE = MergeTree ORDER BY a");
    const began = performance.now();
    await Promise.all([1, 2, 3, 4].map(() => e.ask("SELECT sleep(1)")));
    const ms = performance.now() - began;
    assert.ok(ms < 3500, `four sleeps of one second took ${ms} ms`);
    await Promise.all(Array.from({ length: 40 }, async (_, i) => {
      if (i % 4 === 0) {
        const r = await e.request({ query: "INSERT INTO d.c FORMAT RowBinary", body: pieces(rows(i * 1000, 1000), 999) });
        assert.equal(r.status, 200, r.text);
      } else {
        const params = i % 2 ? { max_threads: "1", database: "d" } : {};
        assert.equal(await e.ask(`SELECT sum(number), ${i} FROM numbers(100000)`, params), `4999950000\t${i}\n`);
      }
    }));
    assert.equal(await e.ask("SELECT count() FROM d.c"), "10000\n");
  });

  test("more than it can queue is turned away, and it recovers", async () => {
    e.agent.destroy(); // an engine takes 64 connections
    const agent = new http.Agent({ keepAlive: true });
    const all = await Promise.allSettled(Array.from({ length: 62 }, () => e.request({ body: "SELECT sleep(0.3)", agent })));
    agent.destroy();
    const answers = all.map((r) => r.value?.status ?? String(r.reason));
    const refused = all.filter((r) => r.value?.status === 503);
    assert.ok(refused.length > 0, "some were refused");
    assert.ok(refused.some((r) => r.value.code === 202 && r.value.headers["retry-after"] === "1"));
    assert.ok(answers.every((s) => s === 200 || s === 503), answers.join());
    assert.ok(answers.filter((s) => s === 200).length >= 40, answers.join());
    assert.equal(await e.ask("SELECT 1"), "1\n");
  });

  test("a client that goes away takes its statement along", async () => {
    const running = () => e.ask("SELECT count() FROM system.processes WHERE query LIKE '%1000000000007%' AND query NOT LIKE '%processes%'");
    for (const statement of ["SELECT count() FROM numbers(1000000000007)", "SELECT count() FROM numbers(1000000000007) FORMAT JSON"]) {
      const req = http.request({ socketPath: e.socketPath, path: "/", method: "POST" });
      req.on("error", () => {});
      req.end(statement);
      await until("the statement runs", async () => (await running()) === "1\n");
      req.destroy();
      await until("the statement is gone", async () => (await running()) === "0\n");
    }
  });

  test("an insert whose body breaks off leaves nothing", async () => {
    await e.ask("CREATE TABLE d.h (a UInt32, b UInt32) ENGINE = MergeTree ORDER BY a");
    const request = "POST /?query=INSERT+INTO+d.h+FORMAT+RowBinary HTTP/1.1\r\nHost: x\r\nContent-Length: 8000\r\n\r\n";
    const s = net.connect(e.socketPath);
    s.write(request);
    s.write(rows(0, 500));
    await sleep(300);
    s.destroy();
    await until("the insert is gone", async () => (await e.ask("SELECT count() FROM system.processes")) === "1\n");
    await sleep(500);
    assert.equal(await e.ask("SELECT count() FROM d.h"), "0\n");
  });

  test("a large export does not sit in memory", async () => {
    const high = () => Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${e.child.pid}/status`, "utf8"))[1]) / 1024;
    const high0 = high();
    const bytes = await new Promise((resolve, reject) => {
      let n = 0;
      const req = http.request({ socketPath: e.socketPath, path: "/", method: "POST" }, (res) => {
        res.on("data", (d) => (n += d.length));
        res.on("end", () => resolve(n));
        res.on("error", reject);
      });
      req.on("error", reject);
      req.end("SELECT repeat('x', 999) FROM numbers(1000000) SETTINGS max_block_size = 8192");
    });
    assert.equal(bytes, 1_000_000_000);
    assert.ok(high() - high0 < 200, `peak grew by ${high() - high0} MB`);
  });

  test("HTTP it does not like", async () => {
    const go = (bytes, done) => raw(e.socketPath, bytes, done);
    assert.match(await go("hello\r\n\r\n"), /^HTTP\/1\.1 400 /);
    assert.match(await go(`GET /?query=${"x".repeat(3_000_000)} HTTP/1.1\r\n\r\n`), /^HTTP\/1\.1 431 /);
    assert.match(await go(`GET / HTTP/1.1\r\nA: ${"x".repeat(100_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
    assert.match(await go("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), /^HTTP\/1\.1 500 /);
    assert.match(await go("POST / HTTP/1.1\r\nContent-Length: 8\r\nTransfer-Encoding: chunked\r\n\r\n"), /^HTTP\/1\.1 400 /);
    assert.match(await go("GET /?query=%zz HTTP/1.1\r\nConnection: close\r\n\r\n"), /^HTTP\/1\.1 400 /);
    assert.match(await go("GET /ping HTTP/1.1\r\nX-Empty:\r\nX-Blank: \r\nConnection: close\r\n\r\n"), /^HTTP\/1\.1 200 /);
    const more = await go("POST / HTTP/1.1\r\nContent-Length: 8\r\n\r\nSELECT 1, 2, 3\r\n\r\n");
    assert.match(more, /^HTTP\/1\.1 200 [^]*\r\n\r\n1\nHTTP\/1\.1 400 /, "what exceeds the length is another request");
    const two = "POST / HTTP/1.1\r\nContent-Length: 8\r\n\r\nSELECT 1POST / HTTP/1.1\r\nContent-Length: 8\r\nConnection: close\r\n\r\nSELECT 2";
    assert.match(await go(two), /\r\n\r\n1\nHTTP\/1\.1 200 [^]*\r\n\r\n2\n$/, "requests may follow each other at once");
    const patient = "POST / HTTP/1.1\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n";
    assert.match(await go(patient, (got) => got.includes("\r\n\r\n")), /^HTTP\/1\.1 100 Continue/);
    assert.match(await go("POST / HTTP/1.0\r\nContent-Length: 8\r\n\r\nSELECT 1"), /\r\n\r\n1\n$/);
    const old = await go("POST / HTTP/1.0\r\nContent-Length: 37\r\n\r\nSELECT number FROM numbers(300000)    ");
    assert.doesNotMatch(old, /chunked/i);
    assert.equal(old.slice(old.indexOf("\r\n\r\n") + 4).split("\n").length, 300_001);
    const packed = await e.request({ body: "SELECT 1", headers: { "Content-Encoding": "gzip" } });
    assert.deepEqual([packed.status, packed.code], [501, 48]);
    const large = await e.request({ body: "SELECT '" + "x".repeat(17 * 1024 * 1024) + "'" });
    assert.deepEqual([large.status, large.code], [413, 229]);
    const fits = await e.request({ body: "SELECT length('" + "x".repeat(900_000) + "')", params: { max_query_size: "2000000" } });
    assert.equal(fits.text, "900000\n");
    const inUrl = await e.request({ query: "SELECT length('" + "x".repeat(900_000) + "')", params: { max_query_size: "2000000" } });
    assert.equal(inUrl.text, "900000\n");
    assert.equal(await e.ask("SELECT 1"), "1\n");
  });
});

describe("life and death", () => {
  test("a second engine on the same directory is refused", async () => {
    const dir = newDir();
    const first = await Engine.start(dir);
    const second = new Engine(dir);
    const { code } = await second.exited;
    assert.equal(code, 3);
    assert.match(second.stderr, /another engine is using this data directory/);
    assert.equal(await first.ask("SELECT 1"), "1\n", "the first goes on");
    await first.stop();
    removeDir(dir);
  });

  test("wrong usage", async () => {
    for (const args of [[], ["--data", "/tmp"], ["--data", "/tmp", "--socket", "a/b"], ["--data", "/tmp", "--socket", "x", "--threads", "0"]]) {
      const child = spawn(program, args, { stdio: "ignore" });
      assert.equal(await new Promise((r) => child.on("exit", r)), 2, args.join(" "));
    }
  });

  for (const signal of ["SIGTERM", "SIGINT"]) {
    test(`${signal} ends it cleanly, also in the middle of statements`, async () => {
      const dir = newDir();
      const e = await Engine.start(dir);
      const short = e.request({ body: "SELECT sleep(1)" });
      const long = e.request({ body: "SELECT count() FROM numbers(1000000000000)" }).catch((error) => error);
      await until("both run", async () => (await e.ask("SELECT count() FROM system.processes")) === "3\n");
      e.child.kill(signal);
      assert.equal((await short).text, "0\n", "what ends soon may end");
      assert.equal((await long).code, 394, "what does not is cancelled");
      assert.deepEqual(await e.exited, { code: 0, signal: null }, e.stderr);
      assert.ok(!fs.existsSync(e.socketPath));
      e.agent.destroy();
      removeDir(dir);
    });
  }

  test("it may be ended while parts are merged", async () => {
    const dir = newDir();
    for (let round = 0; round < 4; round++) {
      const e = await Engine.start(dir);
      await e.ask("CREATE DATABASE IF NOT EXISTS d ENGINE = Atomic");
      await e.ask("CREATE TABLE IF NOT EXISTS d.t (a UInt64, b String) ENGINE = MergeTree ORDER BY b");
      const block = "20000"; // many small parts, so that several merges begin by themselves
      const insert = e.request({
        body: "INSERT INTO d.t SELECT rand64(), hex(rand64()) FROM numbers(2000000)",
        params: { max_block_size: block, max_insert_block_size: block, min_insert_block_size_rows: block } });
      await until("a merge runs", async () => (await e.ask("SELECT count() > 0 FROM system.merges")) === "1\n");
      e.child.kill("SIGTERM");
      assert.ok([200, 500].includes((await insert).status)); // done in time or cancelled
      assert.deepEqual(await e.exited, { code: 0, signal: null }, e.stderr);
      e.agent.destroy();
    }
    removeDir(dir);
  });

  test("it ends when the pipe from its parent does", async () => {
    const dir = newDir();
    const e = await Engine.start(dir, { parent: true });
    const long = e.request({ body: "SELECT count() FROM numbers(1000000000000)" }).catch((error) => error);
    await until("it runs", async () => (await e.ask("SELECT count() FROM system.processes")) === "2\n");
    const began = performance.now();
    e.child.stdio[3].destroy();
    assert.deepEqual(await e.exited, { code: 0, signal: null }, e.stderr);
    assert.ok(performance.now() - began < 3000);
    await long;
    e.agent.destroy();
    removeDir(dir);
  });

  test("it ends when its parent is killed, and the directory is free", async () => {
    const dir = newDir();
    const argv = JSON.stringify(["--data", dir, "--socket", "ch.sock", "--parent-fd", "3"]);
    const script = `const c = require("child_process").spawn(${JSON.stringify(program)}, ${argv}, { stdio: ["ignore", "ignore", "ignore", "pipe"] }); console.log(c.pid); setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    const pid = Number(await new Promise((r) => parent.stdout.once("data", r)));
    await until("the engine is up", () => fs.existsSync(path.join(dir, "ch.sock")), readyWithin);
    parent.kill("SIGKILL");
    await until("the engine is gone", () => !alive(pid));
    const next = await Engine.start(dir);
    assert.equal(await next.ask("SELECT 1"), "1\n");
    await next.stop();
    removeDir(dir);
  });

  test("a repeated insert_deduplication_token counts once", async () => {
    const dir = newDir();
    const e = await Engine.start(dir);
    await e.ask("CREATE DATABASE d ENGINE = Atomic");
    await e.ask("CREATE TABLE d.t (a UInt32, b UInt32) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 1000");
    const insert = (token, from, n) => e.request({
      query: "INSERT INTO d.t (a, b) FORMAT RowBinary", params: { insert_deduplication_token: token }, body: rows(from, n) });
    for (const token of ["one", "one", "two", "one", "two"]) assert.equal((await insert(token, 0, 1000)).status, 200);
    assert.equal(await e.ask("SELECT count() FROM d.t"), "2000\n");
    await Promise.all(Array.from({ length: 8 }, () => insert("three", 0, 1000)));
    assert.equal(await e.ask("SELECT count() FROM d.t"), "3000\n", "also when sent at the same time");
    await e.stop();
    removeDir(dir);
  });

  test("kill -9 loses no acknowledged insert and doubles none that is sent again", async () => {
    const dir = newDir();
    let next = 0;
    const acknowledged = new Set();
    for (let round = 0; round < 5; round++) {
      const e = await Engine.start(dir);
      await e.ask("CREATE DATABASE IF NOT EXISTS d ENGINE = Atomic");
      await e.ask("CREATE TABLE IF NOT EXISTS d.t (a UInt32, b UInt32) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 1000");
      const insert = async (n) => {
        const r = await e.request({
          query: "INSERT INTO d.t FORMAT RowBinary", params: { insert_deduplication_token: `batch ${n}` }, body: rows(n * 10, 10) });
        assert.equal(r.status, 200, r.text);
        acknowledged.add(n);
      };
      if (next > 0) await insert(next); // the unclear one of the last round, sent again
      const enough = acknowledged.size + 5 + round;
      let killer;
      try {
        for (;;) {
          await insert(++next);
          if (acknowledged.size >= enough) killer ??= sleep(3 + round * 4).then(() => e.child.kill("SIGKILL"));
        }
      } catch (error) {
        assert.ok(!(error instanceof assert.AssertionError), error);
      }
      await killer;
      assert.equal((await e.exited).signal, "SIGKILL");
      e.agent.destroy();
    }
    const e = await Engine.start(dir);
    const stored = (await e.ask("SELECT intDiv(a, 10) AS n, count() FROM d.t GROUP BY n ORDER BY n")).trim().split("\n").map((l) => l.split("\t").map(Number));
    assert.ok(stored.every(([, n]) => n === 10), "each batch is whole and there once");
    const there = new Set(stored.map(([n]) => n));
    for (const n of acknowledged) assert.ok(there.has(n), `batch ${n} was acknowledged and is gone`);
    assert.ok(acknowledged.size >= 35, `only ${acknowledged.size} inserts were made`);
    await e.stop();
    removeDir(dir);
  });
});
