import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { runOperator, runRelease } from './main.ts';
import { readOperatorConfig } from './settings.ts';

test('without anything set the defaults hold', () => {
  expect(readOperatorConfig({})).toMatchObject({
    workers: 16,
    maxErrorRate: 0.05,
    metricsPort: 9090,
    logLevel: 'info',
  });
});

test('every bad setting is named at once, with what is allowed', () => {
  const env = {
    PARLEY_OPERATOR_WORKERS: '0',
    PARLEY_MAX_ERROR_RATE: '5 %',
    PARLEY_WATCH_NAMESPACE: 'Not_A_Namespace',
    PARLEY_PROMETHEUS_URL: 'prometheus:9090',
  };
  for (const name of Object.keys(env)) expect(() => readOperatorConfig(env)).toThrow(name);
});

test('what only the operator cannot do without is named before anything starts', async () => {
  const config = readOperatorConfig({ LOG_LEVEL: 'silent' });
  await expect(runOperator(config, new AbortController().signal)).rejects.toThrow(
    /PARLEY_CHAT_ADDRESS is not set[\s\S]*PARLEY_USER_ADDRESS is not set[\s\S]*PARLEY_JWT_KEYS is not set/,
  );
});

const folder = mkdtempSync(join(tmpdir(), 'parley-kubeconfig-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  vi.unstubAllEnvs();
});

test.each([
  ['is not there', undefined, /KUBECONFIG.*ENOENT.*config/],
  ['is no YAML', 'clusters: [', /KUBECONFIG.*cannot be used/],
  ['names no cluster', 'apiVersion: v1\nkind: Config\n', /KUBECONFIG.*current-context names no cluster/],
])('a kubeconfig that %s is told as a setting that cannot be used, in one message', async (_, text, told) => {
  const file = join(folder, `config-${text?.length ?? 0}`);
  if (text !== undefined) writeFileSync(file, text);
  vi.stubEnv('KUBECONFIG', file);
  const given = { PARLEY_CHAT_ADDRESS: 'chat:1', PARLEY_USER_ADDRESS: 'user:1', PARLEY_JWT_KEYS: folder };
  const config = readOperatorConfig({ LOG_LEVEL: 'silent', ...given });
  for (const run of [runOperator, runRelease]) {
    const refused = { name: 'StartError', exitCode: 78, message: expect.stringMatching(told) };
    await expect(run(config, new AbortController().signal)).rejects.toMatchObject(refused);
  }
});
