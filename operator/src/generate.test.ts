import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('the CRDs in the chart are current', async () => {
  const script = new URL('../generate.ts', import.meta.url).pathname;
  await expect(promisify(execFile)(process.execPath, [script, '--check'])).resolves.toMatchObject({ stdout: '' });
});
