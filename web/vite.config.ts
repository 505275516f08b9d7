// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'vite';

const server = process.env.FIRSTFRAME_URL ?? 'http://127.0.0.1:8600';
const proxy = Object.fromEntries(['/api', '/data', '/system', '/sdk'].map(path => [path, server]));

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  // The server's Content-Security-Policy allows no data: URLs but images, and no inline script.
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // A busy machine is nothing to warn of.
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  server: { proxy },
});
