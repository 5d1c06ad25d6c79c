import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** What each package may import of ours: proto ← kit ← discovery ← services ← platform. */
const mayImport: Record<string, string[]> = {
  proto: [],
  'services/kit': ['proto'],
  'services/discovery': ['proto', 'kit'],
  'services/user': ['proto', 'kit', 'discovery'],
  'services/chat': ['proto', 'kit', 'discovery'],
  'services/order': ['proto', 'kit', 'discovery'],
  'services/payment': ['proto', 'kit', 'discovery'],
  'services/gateway': ['proto', 'kit', 'discovery', 'web'],
  'services/web': ['client', 'proto'],
  'services/client': ['proto'],
  operator: ['proto', 'kit', 'discovery'],
  'services/platform': [
    'proto',
    'kit',
    'discovery',
    'user',
    'chat',
    'order',
    'payment',
    'gateway',
    'web',
    'client',
    'operator',
  ],
};

/** The packages of ours that a folder's sources name, with where. Tests may use more, such as a real API server. */
function imports(folder: string): { name: string; file: string }[] {
  const found: { name: string; file: string }[] = [];
  for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (
      !entry.isFile() ||
      !/\.tsx?$/.test(file) ||
      /node_modules|\/dist\/|\.test\.ts|\/test(ing)?\/|\/bench|\/e2e\/|soak/.test(file)
    )
      continue;
    const text = readFileSync(file, 'utf8');
    for (const [, specifier = ''] of text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
      const name = /^@parley\/([a-z]+)/.exec(specifier)?.[1];
      if (name) found.push({ name, file: relative(root, file) });
      else if (specifier.startsWith('.')) {
        const target = relative(root, join(file, '..', specifier));
        if (!target.startsWith(folder)) found.push({ name: target, file: relative(root, file) });
      }
    }
  }
  return found;
}

test.each(Object.entries(mayImport))('%s imports only what is below it', (folder, allowed) => {
  const own = folder.replace('services/', '');
  expect(imports(folder).filter(({ name }) => name !== own && !allowed.includes(name))).toEqual([]);
});
