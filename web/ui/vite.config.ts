import { readdirSync, readFileSync } from 'node:fs';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

/** Where `npm run dev` finds a running Firefly. */
const server = process.env.FIREFLY_URL ?? 'http://127.0.0.1:8080';
const proxied = { target: server, changeOrigin: false, secure: false };

/** What pdf.js fetches by name when a file needs it: character maps, the standard fonts, decoders. */
const PDFJS = 'node_modules/pdfjs-dist';
const pdfjs: string = JSON.parse(readFileSync(`${PDFJS}/package.json`, 'utf8')).version;

function pdfSideFiles(): Plugin {
  return {
    name: 'pdf-side-files',
    generateBundle() {
      for (const folder of ['cmaps', 'standard_fonts', 'wasm']) {
        for (const name of readdirSync(`${PDFJS}/${folder}`)) {
          if (name.startsWith('LICENSE')) continue;
          const source = readFileSync(`${PDFJS}/${folder}/${name}`);
          this.emitFile({ type: 'asset', fileName: `assets/pdfjs-${pdfjs}/${folder}/${name}`, source });
        }
      }
    },
  };
}

export default defineConfig({
  plugins: [svelte(), pdfSideFiles()],
  define: { __PDFJS_VERSION__: JSON.stringify(pdfjs) },
  worker: { format: 'es' },
  server: { proxy: { '^/2/': proxied, '^/oauth2/': proxied, '^/s/': proxied } },
  build: {
    target: 'es2022',
    // Inlined data: URLs would need a wider content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
