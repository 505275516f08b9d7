// SPDX-License-Identifier: Apache-2.0
// A site with players: serves the pages, the media and the npm packages of the tests, and drives Debian's Chromium.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { ROOT } from './server.mjs';

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.mjs': 'text/javascript', '.mp4': 'video/mp4',
  '.m3u8': 'application/vnd.apple.mpegurl', '.ts': 'video/mp2t', '.m4s': 'video/iso.segment', '.mpd': 'application/dash+xml',
  '.css': 'text/css' };
const PLAYERS = path.join(ROOT, 'tests/players');

function fileOf(pathname) {
  if (pathname.startsWith('/npm/')) return path.join(ROOT, 'tests/node_modules', pathname.slice(5));
  return path.join(PLAYERS, pathname.startsWith('/media/') ? pathname : path.join('pages', pathname));
}

export class Site {
  constructor() {
    this.bytesPerSecond = 0; // of each media response; 0: as fast as it goes
    this.server = http.createServer((request, response) => this.answer(request, response));
  }

  async start() {
    await new Promise(resolve => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://localhost:${this.server.address().port}`;
    return this;
  }

  async answer(request, response) {
    const pathname = path.posix.normalize(decodeURIComponent(new URL(request.url, 'http://x').pathname));
    const headers = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': '*', 'Timing-Allow-Origin': '*',
      'Cache-Control': 'no-store', 'Accept-Ranges': 'bytes' };
    let body;
    try {
      body = fs.readFileSync(fileOf(pathname));
    } catch {
      response.writeHead(404, headers).end('not found');
      return;
    }
    headers['Content-Type'] = TYPES[path.extname(pathname)] ?? 'application/octet-stream';
    const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '');
    let status = 200;
    if (range) {
      const from = Number(range[1]), to = range[2] ? Number(range[2]) : body.length - 1;
      headers['Content-Range'] = `bytes ${from}-${to}/${body.length}`;
      body = body.subarray(from, to + 1);
      status = 206;
    }
    response.writeHead(status, { ...headers, 'Content-Length': body.length });
    await this.send(response, body, pathname.startsWith('/media/'));
  }

  async send(response, body, throttled) {
    const tick = 50;
    for (let at = 0; at < body.length && !response.destroyed;) {
      const piece = throttled && this.bytesPerSecond ? Math.max(1, Math.floor(this.bytesPerSecond * tick / 1000)) : body.length;
      response.write(body.subarray(at, at + piece));
      at += piece;
      if (at < body.length) await new Promise(resolve => setTimeout(resolve, tick));
    }
    response.end();
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise(resolve => this.server.close(resolve));
  }
}

export function browser() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--mute-audio', '--autoplay-policy=no-user-gesture-required',
      '--disable-background-networking', '--disable-component-update', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost'] });
}
