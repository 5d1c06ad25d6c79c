import { afterAll, afterEach, beforeAll } from 'vitest';

/**
 * Opens what the tests of a file, or of a `describe`, share, and closes it after the last of them. After a test that
 * failed it is closed and opened anew: what that test left behind would fail its second attempt, and those after it.
 */
export function sharedFixture(open: () => Promise<void>, close: () => Promise<void>): void {
  beforeAll(open);
  afterAll(close);
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return;
    // It may be what failed.
    await close().catch((error) => console.error('the fixture could not be closed:', error));
    await open();
  });
}
