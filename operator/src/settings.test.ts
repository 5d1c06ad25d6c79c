import { expect, test } from 'vitest';
import { runOperator } from './main.ts';
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
