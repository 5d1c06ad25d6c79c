/** /openapi.json, and /docs that shows it: a small page of our own, since nothing may come from elsewhere. */
import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { openApi } from './document.ts';

const files = [
  { url: '/docs', file: 'docs.html', type: 'text/html; charset=utf-8' },
  { url: '/docs/docs.js', file: 'docs.js', type: 'text/javascript; charset=utf-8' },
  { url: '/docs/docs.css', file: 'docs.css', type: 'text/css; charset=utf-8' },
];

export function serveDocs(app: FastifyInstance): void {
  const document = JSON.stringify(openApi());
  app.get('/openapi.json', (_request, reply) =>
    reply.header('cache-control', 'no-cache').type('application/json; charset=utf-8').send(document),
  );
  app.get('/docs/', (_request, reply) => reply.redirect('/docs', 308));
  for (const { url, file, type } of files) {
    const content = readFileSync(new URL(file, import.meta.url));
    app.get(url, (_request, reply) => reply.header('cache-control', 'no-cache').type(type).send(content));
  }
}
