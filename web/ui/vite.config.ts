import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

/** Where `npm run dev` finds a running Firefly. */
const server = process.env.FIREFLY_URL ?? 'http://127.0.0.1:8080';
const proxied = { target: server, changeOrigin: false, secure: false };

export default defineConfig({
  plugins: [svelte()],
  server: { proxy: { '^/2/': proxied, '^/oauth2/': proxied, '^/s/': proxied } },
  build: {
    target: 'es2022',
    // Inlined data: URLs would need a wider content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
