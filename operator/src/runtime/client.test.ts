import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { until } from '../testing/until.ts';
import { ApiClient } from './client.ts';
import { createMetrics } from './metrics.ts';

/** A server that keeps connections open for longer than a test lasts. */
async function serve() {
  const sockets = new Set<Socket>();
  const server = createServer({ keepAliveTimeout: 300_000 }, (_, response) => {
    response.setHeader('content-type', 'application/json');
    response.end('{}');
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [{ name: 'test', server: `http://${host}`, skipTLSVerify: true }],
    users: [{ name: 'user', token: 'token' }],
    contexts: [{ name: 'test', cluster: 'test', user: 'user' }],
    currentContext: 'test',
  });
  return {
    host,
    config,
    sockets,
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

test('a client that is closed leaves no connection behind, also of its first calls, which came at once', async () => {
  using server = await serve();
  const client = new ApiClient(server.config);
  await Promise.all(Array.from({ length: 8 }, () => client.request({ method: 'GET', path: '/api' })));
  expect(server.sockets.size).toBeGreaterThan(0);
  await client.close();
  await until('no connection', () => server.sockets.size === 0);
});

test('requests are counted by code, method and host, as client-go counts them', async () => {
  using server = await serve();
  const metrics = createMetrics();
  const client = new ApiClient(server.config, { metrics });
  await client.request({ method: 'GET', path: '/api' });
  expect(await metrics.registry.metrics()).toContain(
    `rest_client_requests_total{code="200",method="GET",host="${server.host}"} 1`,
  );
  await client.close();
});
