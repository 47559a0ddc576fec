import { defineConfig } from 'vite'

// Nothing is inlined: the pages' Content-Security-Policy is default-src 'self'.
export default defineConfig({
  build: {
    outDir: '../collab_robots/explorer/web/static',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { '/api': { target: 'http://127.0.0.1:8460', ws: true } } },
})
