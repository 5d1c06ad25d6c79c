import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { errorRate } from './prometheus.ts';

let server: Server;
let asked: string;
let data: object;
const { signal } = new AbortController();
const ask = (service: string, query?: string) => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return errorRate({ url, query }, { namespace: 'default', service }, signal);
};

beforeAll(async () => {
  server = createServer((request, response) => {
    asked = new URL(request.url!, 'http://prometheus').searchParams.get('query') ?? '';
    response.end(JSON.stringify({ status: 'success', data }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  server.close();
});

test.each([
  ['parley-chat-stable', ['parley-chat-5d9c7b8f6-x2x4z', 'parley-chat-stable-5d9c7b8f6-x2x4z']],
  ['parley-chat-canary', ['parley-chat-canary-7f6d5c4b3-abcde']],
])('%s is judged by its own pods', async (service, own) => {
  data = { resultType: 'vector', result: [] };
  await ask(service);
  const patterns = [...asked.matchAll(/namespace="default",pod=~"(.+?)"/g)].map((match) => match[1]!);
  expect(patterns).toHaveLength(2);
  const pods = [
    'parley-chat-5d9c7b8f6-x2x4z',
    'parley-chat-stable-5d9c7b8f6-x2x4z',
    'parley-chat-canary-7f6d5c4b3-abcde',
    'parley-user-5d9c7b8f6-x2x4z',
  ];
  // Prometheus anchors them so.
  for (const pattern of patterns) expect(pods.filter((pod) => new RegExp(`^(?:${pattern})$`).test(pod))).toEqual(own);
});

test('a query of its own is asked with the backend in it', async () => {
  data = { resultType: 'vector', result: [{ metric: {}, value: [0, '0.25'] }] };
  expect(await ask('chat-canary', 'failed{ns="$namespace",svc="$service"}')).toBe(0.25);
  expect(asked).toBe('failed{ns="default",svc="chat-canary"}');
});

test.each<[string, object, number | undefined]>([
  ['a vector', { resultType: 'vector', result: [{ metric: {}, value: [0, '0.5'] }] }, 0.5],
  ['an empty vector', { resultType: 'vector', result: [] }, undefined],
  ['a scalar', { resultType: 'scalar', result: [0, '0.5'] }, 0.5],
  ['NaN, of nothing by nothing', { resultType: 'scalar', result: [0, 'NaN'] }, undefined],
])('%s is understood', async (_, answer, expected) => {
  data = answer;
  expect(await ask('chat-canary')).toBe(expected);
});

test.each(['matrix', 'string'])('a %s is refused by its name', async (resultType) => {
  data = { resultType, result: [] };
  await expect(ask('chat-canary')).rejects.toThrow(`the query gives a ${resultType}; a vector or a scalar is allowed`);
});
