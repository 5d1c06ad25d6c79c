/** The page: files of the built web client, its start for the paths that it has itself, and nothing outside its folder. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import { AppError } from '@parley/kit';
import type { FastifyInstance } from 'fastify';

export async function servePage(app: FastifyInstance, directory: string | undefined): Promise<void> {
  if (directory === undefined || !existsSync(join(directory, 'index.html'))) {
    app.get('/', () => {
      throw new AppError(
        'NOT_FOUND',
        'the page has not been built: run `npm run build`; the API is described at /docs',
      );
    });
    return;
  }
  await app.register(fastifyStatic, {
    root: directory,
    wildcard: false,
    serve: false,
    cacheControl: false,
  });
  app.get('/*', async (request, reply) => {
    const path = (request.params as { '*': string })['*'];
    if (path.startsWith('v1/') || path.startsWith('.')) throw nothingHere();
    if (path.startsWith('assets/') || (path.includes('.') && existsIn(directory, path))) {
      if (!existsIn(directory, path)) throw nothingHere();
      // The names of assets change with their content.
      const forEver = 'public, max-age=31536000, immutable';
      void reply.header('cache-control', path.startsWith('assets/') ? forEver : 'public, max-age=3600');
      return reply.sendFile(path);
    }
    // A path of the page's own, such as /rooms/general: only for who wants a page.
    if (path !== '' && !request.headers.accept?.includes('text/html')) throw nothingHere();
    return reply.header('cache-control', 'no-cache').sendFile('index.html');
  });
}

const nothingHere = () => new AppError('NOT_FOUND', 'there is nothing at this path; /docs shows what there is');

/** @returns false for everything outside the folder */
function existsIn(directory: string, path: string): boolean {
  if (path.split(/[/\\]/).some((part) => part === '..' || part.startsWith('.')) || path.includes('\0')) return false;
  return existsSync(join(directory, path));
}
