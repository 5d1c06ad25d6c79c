import { availableParallelism } from 'node:os';
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
    testTimeout: 60_000,
    // What a test waits for may take its time on a busy machine.
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 120_000,
    pool: 'forks',
    // Much of a test is waiting for programs that it has started: more files at once than there are processors.
    maxWorkers: availableParallelism() + 1,
    // A machine that does other things meanwhile may starve a test; two times in a row it is the test's own failure.
    retry: process.env['CI'] ? 1 : 0,
  },
});
