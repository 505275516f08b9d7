// SPDX-License-Identifier: Apache-2.0
// What the access tests share: one request, signing in, one-time codes, and the route table as the program has it.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from '../lib/server.mjs';

export async function call(server, method, route, { headers = {}, body } = {}) {
  const response = await fetch(server.url + route, {
    method, headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  let json;
  try { json = JSON.parse(text); } catch { json = undefined; }
  return { status: response.status, headers: response.headers, text, body: json };
}

export async function signIn(server, email, password, more = {}) {
  const answer = await call(server, 'POST', '/api/sessions', { body: { session: { email, password, ...more } } });
  assert.equal(answer.status, 201, answer.text);
  return more.cookie ? /firstframe_session=([^;]+)/.exec(answer.headers.get('set-cookie'))[1] : answer.body.data.token;
}

export const basicOf = (id, secret) => 'Basic ' + Buffer.from(`${id}:${secret}`).toString('base64');

// RFC 6238 with SHA-1, six digits, thirty seconds.
export function totp(secret, ms) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map(c => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map(byte => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(ms / 30_000)));
  const mac = crypto.createHmac('sha1', key).update(counter).digest(), at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

const source = name => fs.readFileSync(path.join(ROOT, 'src', name), 'utf8');

// Every row of routes.def.
export function routes() {
  const rows = [...source('api/routes.def').matchAll(/^ROUTE\((\w+), "([^"]+)", (\w+), (\w+), (\w+), "([^"]*)", "((?:[^"\\]|\\.)*)"\)$/gm)]
    .map(([, method, route, access, pool, handler]) => ({ method, route, access, pool, handler }));
  const all = source('api/routes.def').match(/^ROUTE\(/gm).length;
  assert.equal(rows.length, all, 'a row of routes.def is not written as this test reads it');
  return rows;
}

// Permission names and the least role that has each: { DATA_READ: { text: 'data:read', least: 'viewer' } }
export function permissions() {
  return Object.fromEntries([...source('accounts/permissions.def').matchAll(/^PERMISSION\((\w+), "([^"]+)", ROLE_(\w+),/gm)]
    .map(([, name, text, least]) => [name, { text, least: least.toLowerCase() }]));
}
