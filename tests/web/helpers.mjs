// SPDX-License-Identifier: Apache-2.0
// A signed-in browser on a server with simulated views, and what every test of the dashboard asks of a page.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { EMAIL, PASSWORD, PROGRAM, ROOT, Server, until } from '../lib/server.mjs';
import { browser } from '../lib/site.mjs';

const require = createRequire(path.join(ROOT, 'tests/package.json'));
const axeSource = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const run = promisify(execFile);
const DAY = 86400;

// What a stranger may put into every text of a view. MARK is in each of them, so that a test finds them again.
export const MARK = 'zq7';
export const HOSTILE = [
  `<script>window.hacked = 1</script> ${MARK}`,
  `<img src=x onerror="window.hacked = 1"> ${MARK}`,
  `'; touch hacked; echo ' ${MARK}`,
  `$(touch hacked) \`touch hacked\` ${MARK}`,
  `=HYPERLINK("http://evil.example";"${MARK}")`,
  `\u202egnp.${MARK}\u2066 right to left`,
  `${MARK} 👩‍👩‍👧‍👦 🏳️‍🌈 emoji`,
  `${MARK} ${'long 👩‍👩‍👧‍👦 '.repeat(400)}`, // 12 kB, of which the server keeps 1,024 bytes
  `%0a%27;touch hacked ${MARK} & | > hacked\n new line`,
  `@SUM(1+1)*cmd|' /C calc'!A0 ${MARK}`,
  `{{7*7}} \${7*7} javascript:window.hacked=1 ${MARK}`,
];

// What the server keeps of a text: 1,024 bytes, cut between characters.
export function kept(text) {
  let out = '';
  for (const c of text)
    if (Buffer.byteLength(out + c) > 1024) break;
    else out += c;
  return out;
}

// One view that has already ended, spoken in the SDK's long names' short keys.
async function sendView(server, text, at) {
  const id = crypto.randomUUID();
  const event = (e, sequence, after, more = {}) => ({
    e,
    ake: server.env_key,
    xid: id,
    xsqno: sequence,
    uti: at + after,
    mapve: '2.1',
    mem: 'mux-embed',
    memve: '5.19.0',
    vtt: text,
    vid: text,
    vsr: text,
    pnm: text,
    pve: text,
    usus: text,
    uusid: text,
    c1: text,
    fnm: text,
    ...more,
  });
  const events = [
    event('viewstart', 1, 0),
    event('play', 2, 1),
    event('playing', 3, 400, { xtitofifr: 400 }),
    event('error', 4, 5000, { percd: text, perme: text }),
    event('viewend', 5, 9000, { xwati: 9000 }),
  ];
  const response = await fetch(server.url + '/', {
    method: 'POST',
    headers: { 'content-type': 'text/plain', 'x-firstframe-backfill': '1' },
    body: JSON.stringify({ metadata: { transmission_timestamp: at + 9000 }, events }),
  });
  assert.equal(response.status, 200);
}

// Questions, as opposed to the page's own files and to writing.
const asks = request => /^\/(data|api|system)\//.test(new URL(request.url()).pathname);
const reads = request => request.method() === 'GET' || new URL(request.url()).pathname === '/data/v1/query';
// What tells two questions apart: address and, of a POST, its body.
export const questionOf = (url, body) =>
  url.pathname + url.search + (body ? ' ' + JSON.stringify(JSON.parse(body)) : '');

// A server without an account, and the code that its terminal shows.
export class FreshServer {
  async start() {
    this.data = fs.mkdtempSync(path.join(os.tmpdir(), 'firstframe-test-'));
    this.child = spawn(PROGRAM, ['serve', '--data', this.data, '--listen', '127.0.0.1:0'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.exited = new Promise(resolve => this.child.once('exit', resolve));
    let out = '';
    this.child.stdout.on('data', chunk => {
      out += chunk;
    });
    const found = await until('the code', () => /listening on (\S+)[^]*enter the code (\S+),/.exec(out));
    this.url = found[1];
    this.code = found[2];
    await until('the store', async () => (await fetch(this.url + '/readyz')).ok);
    return this;
  }

  async stop() {
    this.child.kill('SIGTERM');
    await this.exited;
    fs.rmSync(this.data, { recursive: true, force: true });
  }
}

export class Dashboard {
  async start({ views = 1500, daysBack = 2 } = {}) {
    this.server = await new Server({ init: ['--allow-backfill', '--environment', 'Main'] }).start();
    // Not with execFileSync: on a slow machine connections time out meanwhile, and nobody would notice.
    await run(PROGRAM, [
      'simulate',
      '--url',
      this.server.url,
      '--env-key',
      this.server.env_key,
      '--views',
      String(views),
      '--days-back',
      String(daysBack),
      '--seed',
      '7',
    ]);
    const now = Math.floor(Date.now() / 1000);
    // A window that ends in the past: no answer changes while the test looks at it.
    this.end = Math.floor((now - 1800) / 3600) * 3600;
    this.start_s = this.end - DAY;
    for (const [i, text] of HOSTILE.entries()) await sendView(this.server, text, (this.end - 7200 + i * 60) * 1000);
    await until(
      'all views to be in the answers',
      async () => {
        const all = await this.server.json('/data/v1/metrics/views/overall?timeframe[]=4:days');
        const hostile = await this.server.json(`/data/v1/dimensions/video_title?${this.timeframe()}&limit=1000`);
        return (
          all.data.value === views + HOSTILE.length &&
          hostile.data.filter(v => v.value?.includes(MARK)).length === HOSTILE.length
        );
      },
      { seconds: 120, every: 500 },
    );
    this.chromium = await browser();
    await this.open();
    return this;
  }

  timeframe() {
    return `timeframe[]=${this.start_s}&timeframe[]=${this.end}`;
  }

  async query(body) {
    const response = await fetch(this.server.url + '/data/v1/query', {
      method: 'POST',
      headers: { authorization: this.server.basic, 'content-type': 'application/json' },
      body: JSON.stringify({ timeframe: [this.start_s, this.end], ...body }),
    });
    assert.equal(response.status, 200);
    return response.json();
  }

  async open(options = {}) {
    this.context = await this.chromium.newContext({
      viewport: { width: 1440, height: 900 },
      locale: 'en-GB',
      timezoneId: 'Europe/Berlin',
      ...options,
    });
    this.context.setDefaultTimeout(90_000); // the machine may be slow and busy
    this.page = await this.context.newPage();
    this.trouble = [];
    this.foreign = [];
    this.pending = new Set(); // what has not been answered yet, or not been read here
    this.seen = new Map(); // what the page was answered, by path and query
    this.page.on('console', m => {
      if (m.type() === 'error' && !/status of 401/.test(m.text())) this.trouble.push(m.text());
    });
    this.page.on('pageerror', e => this.trouble.push(e.stack));
    this.page.on('dialog', d => {
      this.trouble.push('a dialog: ' + d.message());
      void d.dismiss();
    });
    this.page.on('request', r => {
      if (asks(r)) this.pending.add(r);
      if (!r.url().startsWith(this.server.url) && !r.url().startsWith('blob:')) this.foreign.push(r.url());
    });
    for (const event of ['requestfinished', 'requestfailed'])
      this.page.on(event, async r => {
        try {
          if (event === 'requestfinished' && asks(r) && reads(r))
            this.seen.set(questionOf(new URL(r.url()), r.postData()), await (await r.response()).json());
        } catch {
          // The page was left before its answer could be read: nobody compares it.
        } finally {
          this.pending.delete(r);
        }
      });
  }

  async signIn(password = PASSWORD) {
    await this.page.goto(this.server.url + '/');
    await this.page.fill('input[name=email]', EMAIL);
    await this.page.fill('input[name=password]', password);
    await this.page.click('button[type=submit]');
  }

  // A page of the fixed window, when everything on it has been answered.
  async visit(route, query = {}) {
    const search = new URLSearchParams({ t: `${this.start_s}-${this.end}`, ...query });
    await this.page.goto(`${this.server.url}${route}?${search}`);
    await this.settled();
  }

  // Nothing is loading, nothing is asked, and what was answered is drawn. An answer may lead to the next question.
  async settled() {
    await this.page.waitForSelector('.shell main h1');
    let quiet = 0;
    await until(
      'the page to be complete',
      async () => {
        const drawn = await this.page.evaluate(
          () =>
            new Promise(done => {
              requestAnimationFrame(() => setTimeout(() => done(!document.querySelector('.skeleton, .stale'))));
            }),
        );
        quiet = drawn && this.pending.size === 0 ? quiet + 1 : 0;
        return quiet === 2;
      },
      { seconds: 120, every: 20 },
    );
  }

  // The request behind every panel, table and number of the page (or the one so labelled), as the dialog shows it.
  async requests(label) {
    const out = [];
    for (const button of await (
      label ? this.page.getByLabel(label, { exact: true }) : this.page.locator('main .request-button')
    ).all()) {
      const name = await button.getAttribute('aria-label');
      await button.click();
      const dialog = this.page.locator('dialog[open]');
      await dialog.locator('pre').waitFor(); // .all() counts what is there and waits for nothing
      const choices = await dialog.locator('.choice').all();
      for (let i = 0; i < Math.max(1, choices.length); i++) {
        if (choices[i]) await choices[i].click();
        await dialog.getByRole('tab', { name: 'curl' }).click();
        const curl = await dialog.locator('pre').innerText();
        await dialog.getByRole('tab', { name: 'JavaScript' }).click();
        const javascript = await dialog.locator('pre').innerText();
        await dialog.getByRole('tab').nth(2).click();
        out.push({ name, curl, javascript, terminal: await dialog.locator('pre').innerText() });
      }
      await dialog.getByRole('button', { name: 'Close' }).click();
      await dialog.waitFor({ state: 'detached' });
    }
    return out;
  }

  // Of a curl line: its address, and what the page was answered to the same question.
  asked(curl) {
    const address = /'(http[^']*)'$/.exec(curl);
    assert.ok(address, curl);
    const url = new URL(address[1]);
    return { url, mine: this.seen.get(questionOf(url, / --data '([^']*)'/.exec(curl)?.[1])) };
  }

  // Runs a line as somebody would who pasted it, in an empty directory that has to stay empty.
  async shell(line) {
    const cwd = fs.mkdtempSync(path.join(os.tmpdir(), 'firstframe-shell-'));
    try {
      const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', line], {
        cwd,
        maxBuffer: 1 << 26,
        env: {
          ...process.env,
          FIRSTFRAME_TOKEN_ID: this.server.token_id,
          FIRSTFRAME_TOKEN_SECRET: this.server.token_secret,
        },
      });
      assert.deepEqual(fs.readdirSync(cwd), [], `the line did something else: ${line}`);
      return stdout;
    } finally {
      fs.rmSync(cwd, { recursive: true });
    }
  }

  // Runs a program as somebody would who has the node client installed; what it printed, as data.
  async javascript(text) {
    const { stdout } = await run(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        text.replace('console.log(answer.data)', 'console.log(JSON.stringify(answer.data))'),
      ],
      {
        cwd: path.join(ROOT, 'tests'),
        maxBuffer: 1 << 26,
        env: {
          ...process.env,
          FIRSTFRAME_TOKEN_ID: this.server.token_id,
          FIRSTFRAME_TOKEN_SECRET: this.server.token_secret,
        },
      },
    );
    return JSON.parse(stdout);
  }

  async axe() {
    await this.page.evaluate(axeSource); // by the debugger: the page's policy allows no inline script
    const found = await this.page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    return found.violations.map(
      v =>
        `${v.id}: ${v.nodes
          .slice(0, 3)
          .map(n => n.target + ' ' + n.failureSummary)
          .join(' | ')}`,
    );
  }

  async download(button) {
    const [file] = await Promise.all([this.page.waitForEvent('download'), button.click()]);
    return fs.readFileSync(await file.path(), 'utf8');
  }

  async stop() {
    await this.chromium?.close();
    await this.server?.stop();
  }
}

// Rows of a CSV file, by RFC 4180.
export function readCsv(text) {
  const rows = [[]];
  let cell = '',
    quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted && c === '"' && text[i + 1] === '"') {
      cell += '"';
      i++;
    } else if (c === '"') quoted = !quoted;
    else if (!quoted && c === ',') {
      rows.at(-1).push(cell);
      cell = '';
    } else if (!quoted && c === '\r') continue;
    else if (!quoted && c === '\n') {
      rows.at(-1).push(cell);
      cell = '';
      rows.push([]);
    } else cell += c;
  }
  return rows.slice(0, -1);
}
