import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { startRedis } from '@parley/chat/testing/redis';
import { Connection } from '@parley/client';
import { expect, test } from 'vitest';
import { startParley } from './testing/parley.ts';

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
}

/** A collector that speaks OTLP in JSON, and what it was sent. */
async function collector() {
  const spans: Span[] = [];
  const server = createServer(async (request, response) => {
    const body = (await json(request)) as { resourceSpans?: { scopeSpans: { spans: Span[] }[] }[] };
    spans.push(...(body.resourceSpans ?? []).flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
    response.setHeader('content-type', 'application/json').end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    [Symbol.dispose]: () => void server.close(),
  };
}

test('a message by WebSocket is one trace from the gateway to the store, and each has its own', async () => {
  using traces = await collector();
  await using redis = await startRedis({});
  await using parley = await startParley('all', {
    REDIS_URL: redis.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: traces.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '100',
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_LOGS_EXPORTER: 'none',
  });
  const connection = new Connection({
    url: parley.http,
    credential: async () => ({ token: '' }),
    guest: { userId: 'tracer', username: 'tracer' },
  });
  connection.start();
  connection.join('general');
  for (const content of ['one', 'two', 'three']) {
    connection.send('general', content);
    const said = () => connection.room('general').messages.some((message) => message.content === content);
    await expect.poll(said).toBe(true);
  }
  connection.stop();

  /** The names from the root to each end, of the traces that begin with this. */
  const lines = () =>
    traces.spans
      .filter(({ name, parentSpanId }) => name === 'WebSocket send' && !parentSpanId)
      .map((root) => {
        const names = [root.name];
        for (let at: Span | undefined = root; at; ) {
          const { spanId, traceId }: Span = at;
          at = traces.spans.find((span) => span.parentSpanId === spanId && span.traceId === traceId);
          if (at) names.push(at.name);
        }
        return names.join(' > ');
      });
  const whole = 'WebSocket send > chat.ChatService/Connect send > redis append';
  await expect.poll(lines).toEqual([whole, whole, whole]);
});
