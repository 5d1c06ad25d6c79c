import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    dir: import.meta.dirname,
    include: ['all.e2e.ts'],
    testTimeout: 180_000,
    expect: { poll: { timeout: 30_000 } },
    hookTimeout: 300_000,
    // Each test builds on what the one before has left in the cluster.
    sequence: { concurrent: false },
  },
});
