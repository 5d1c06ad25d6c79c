import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'proto/**/*.test.ts',
      'services/**/*.test.ts',
      'operator/**/*.test.ts',
      'charts/**/*.test.ts',
      'k8s/apiserver/**/*.test.ts',
      '*.test.ts',
    ],
    globalSetup: './scripts/test-folder.ts',
    testTimeout: 60_000,
    // What a test waits for may take its time on a busy machine.
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 120_000,
    pool: 'forks',
    // One process for many files: what they import is loaded once, and nothing in it is changed by a test.
    isolate: false,
    // PGlite has one function that V8 optimizes for two seconds, and no test lives long enough to earn that back.
    execArgv: ['--liftoff-only'],
    // What V8 made of a package is there for the next test's process.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/compiled', import.meta.url)) },
    // Much of a test is waiting for programs that it has started: more files at once than there are processors.
    maxWorkers: availableParallelism() + 2,
    // A machine that does other things meanwhile may starve a test; two times in a row it is the test's own failure.
    retry: process.env['CI'] ? 1 : 0,
  },
});
