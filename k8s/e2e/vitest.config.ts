import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    dir: import.meta.dirname,
    include: ['all.e2e.ts'],
    // Limits for a machine that does other things meanwhile: what is waited for takes seconds.
    testTimeout: 400_000,
    // Some looks are a program's run, kubectl's.
    expect: { poll: { timeout: 60_000, interval: 250 } },
    hookTimeout: 300_000,
    // Each test builds on what the one before has left in the cluster; those that do not say that they run at once.
    sequence: { concurrent: false },
  },
});
