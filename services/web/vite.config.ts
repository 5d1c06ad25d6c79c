import { defineConfig } from 'vite';

const gateway = 'http://localhost:8080';

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    // Everything is a file of its own: the Content-Security-Policy allows nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      '/v1/ws': { target: gateway, ws: true, rewriteWsOrigin: true },
      '/v1': gateway,
    },
  },
});
