/**
 * The image's program: main.ts and all that it loads, as a few files in dist/. Node runs the TypeScript as it is, and does so
 * on a laptop; but of a pod's start it is the 2,000 files that take the time, and half of the memory. What a module reads
 * beside itself it still reads where it was. `bundle.ts tests` bundles the programs that tests start along with it.
 */
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const folder = here('dist');

/** Those that are not JavaScript alone. The Dockerfile keeps them, and the files that others read beside themselves. */
const left = [/^@electric-sql\//, /^@node-rs\//];

const forTests = { serve: here('../chat/bench/serve.ts'), 'saga-process': here('src/testing/saga-process.ts') };

const bundle = await rolldown({
  input: { main: here('src/main.ts'), warm: here('src/warm.ts'), ...(process.argv[2] === 'tests' && forTests) },
  platform: 'node',
  external: left,
  plugins: [
    {
      name: 'parley:places',
      transform(code, id) {
        if (!/import\.meta\.url|__dirname/.test(code)) return undefined;
        if (!id.includes('node_modules')) {
          const place = JSON.stringify(relative(folder, id));
          return code.replaceAll('import.meta.url', `new URL(${place}, import.meta.url).href`);
        }
        const place = JSON.stringify(`/${relative(folder, dirname(id))}`);
        return code.replaceAll('__dirname', `(folderOfBundle + ${place})`);
      },
    },
  ],
});
const { output } = await bundle.write({
  dir: folder,
  cleanDir: true,
  banner: 'const folderOfBundle = import.meta.dirname;',
});
const bytes = output.reduce((sum, file) => sum + (file.type === 'chunk' ? file.code.length : file.source.length), 0);
console.log(`${output.length} files, ${(bytes / 1_000_000).toFixed(1)} MB`);
