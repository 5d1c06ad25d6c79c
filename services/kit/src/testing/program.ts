import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The file of a program that a test starts: its TypeScript, or what `make test` has bundled of it (PARLEY_BUNDLE names the
 * folder), which starts for half the CPU time. services/platform/bundle.ts says which there are.
 */
export function program(source: URL): string {
  const folder = process.env['PARLEY_BUNDLE'];
  const path = fileURLToPath(source);
  return folder ? join(folder, basename(path).replace(/\.ts$/, '.js')) : path;
}
