// SPDX-License-Identifier: Apache-2.0
// Checks answers against the server's own /openapi.json, and keeps count of the operations that were seen. Only what the
// document uses of JSON Schema. Keys that the document does not name are a fault: it has to say everything.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';

export class Document {
  constructor(json) {
    this.json = json;
    this.seen = new Set();
    this.operations = [];
    for (const [path, methods] of Object.entries(json.paths))
      for (const [method, operation] of Object.entries(methods))
        this.operations.push({ method: method.toUpperCase(), path, operation,
          literals: path.split('/').filter(part => !part.startsWith('{')).length,
          matches: new RegExp('^' + path.replace(/[.]/g, '\\.').replace(/\{[^}]+\}/g, '[^/]+') + '$') });
  }

  static async of(url) {
    return new Document(await (await fetch(url + '/openapi.json')).json());
  }

  find(method, path) {
    return this.operations.filter(one => one.method === method && one.matches.test(path)).sort((a, b) => b.literals - a.literals)[0];
  }

  // What an answer with this body should have been; throws when it is not.
  check(method, route, status, body) {
    const one = this.find(method, new URL(route, 'http://x').pathname);
    assert.ok(one, `${method} ${route} is not in the document`);
    const expected = one.operation.responses[status] ?? (status >= 400 ? one.operation.responses.default : undefined);
    assert.ok(expected, `${method} ${route}: status ${status} is not in the document`);
    const schema = expected.content?.['application/json']?.schema;
    if (schema) this.validate(schema, body, `${method} ${route}`);
    if (status < 400 || one.operation.responses[status]) this.seen.add(one.operation.operationId);
  }

  validate(schema, value, where) {
    if (schema.$ref) return this.validate(this.json.components.schemas[schema.$ref.split('/').at(-1)], value, where);
    if (schema.anyOf) {
      const faults = [];
      for (const one of schema.anyOf) {
        try { return this.validate(one, value, where); } catch (fault) { faults.push(fault.message); }
      }
      assert.fail(`${where}: ${faults.join('; ')}`);
    }
    const types = [schema.type ?? []].flat();
    const type = value === null ? 'null' : Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value;
    if (types.length) assert.ok(types.includes(type) || (type === 'integer' && types.includes('number')), `${where}: ${JSON.stringify(value)?.slice(0, 80)} is no ${types}`);
    if (value === null) return;
    if (schema.enum) assert.ok(schema.enum.includes(value), `${where}: ${value} is not one of ${schema.enum.slice(0, 10)}`);
    if (schema.format === 'date-time') assert.match(value, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, where);
    if (schema.format === 'date') assert.match(value, /^\d{4}-\d\d-\d\d$/, where);
    if (type === 'array') {
      if (schema.prefixItems) {
        assert.equal(value.length, schema.prefixItems.length, where);
        schema.prefixItems.forEach((item, i) => this.validate(item, value[i], `${where}[${i}]`));
      } else if (schema.items) {
        value.forEach((item, i) => this.validate(schema.items, item, `${where}[${i}]`));
      }
    }
    if (type === 'object' && schema.properties) {
      for (const key of schema.required ?? []) assert.ok(key in value, `${where}: ${key} is missing`);
      for (const [key, item] of Object.entries(value)) {
        assert.ok(key in schema.properties, `${where}: ${key} is not documented`);
        this.validate(schema.properties[key], item, `${where}.${key}`);
      }
    }
  }
}

// -- every answer that a test gets --

const watched = new Map(); // base address -> its document
const faults = new Set();

function look(url, method, status, text) {
  const document = watched.get(url.origin);
  if (!document || !document.find(method, url.pathname)) return;
  document.looks = (document.looks ?? 0) + 1;
  let body;
  try { body = JSON.parse(text); } catch { body = undefined; }
  try {
    document.check(method, url.pathname + url.search, status, body);
  } catch (fault) {
    faults.add(fault.message);
  }
}

// How many answers of the server at this address were held against its document so far.
export const looks = url => watched.get(new URL(url).origin)?.looks ?? 0;

function watchFetch() {
  const plainFetch = globalThis.fetch;
  globalThis.fetch = async (input, init) => {
    const response = await plainFetch(input, init);
    const url = new URL(input instanceof Request ? input.url : input);
    const text = watched.has(url.origin) ? await response.clone().text().catch(() => null) : null; // null: it was cut off
    if (text !== null) look(url, init?.method ?? 'GET', response.status, text);
    return response;
  };
}

// From here on every answer of the server to this process is held against its /openapi.json; what does not fit fails the
// test file at its end. FIRSTFRAME_SEEN: a folder for what was seen, by process, for coverage.mjs.
export async function watch(url) {
  if (watched.size === 0) {
    watchFetch();
    after(() => assert.deepEqual([...faults], [], 'answers that are not as /openapi.json says'));
    process.on('exit', () => {
      if (!process.env.FIRSTFRAME_SEEN) return;
      const all = [...watched.values()], operations = all.at(-1).operations.map(one => one.operation.operationId);
      fs.writeFileSync(path.join(process.env.FIRSTFRAME_SEEN, `${process.pid}.json`), JSON.stringify({ operations, seen: all.flatMap(one => [...one.seen]) }));
    });
  }
  watched.set(new URL(url).origin, await Document.of(url));
}
