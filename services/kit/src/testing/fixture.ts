import { afterAll, afterEach, beforeAll } from 'vitest';

/**
 * Opens what the tests of a file, or of a `describe`, share; what is put on the stack is closed after the last of them.
 * After a test that failed all is closed and opened anew: what that test left behind would fail its second attempt, and
 * those after it.
 */
export function sharedFixture(open: (stack: AsyncDisposableStack) => Promise<void>): void {
  let stack: AsyncDisposableStack;
  const begin = () => {
    stack = new AsyncDisposableStack();
    return open(stack);
  };
  beforeAll(begin);
  afterAll(() => stack.disposeAsync());
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return;
    // It may be what failed.
    await stack.disposeAsync().catch((error) => console.error('the fixture could not be closed:', error));
    await begin();
  });
}
