/** Whatever bytes come, the process lives and no call is INTERNAL: that would be our fault, and these are not. */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { type Method, methodsOf } from '@parley/kit';
import { type ServiceName, serviceFiles } from '@parley/proto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningParley, startParley } from './testing/parley.ts';

let parley: RunningParley;
let client: Client;
beforeAll(async () => {
  parley = await startParley('all');
  client = new Client(parley.grpc, credentials.createInsecure());
});
afterAll(async () => {
  client?.close();
  await parley?.[Symbol.asyncDispose]();
});

const methods = (Object.keys(serviceFiles) as ServiceName[]).flatMap((name) => methodsOf(name));
const unary = methods.filter(({ kind }) => kind === 'unary');
const streams = methods.filter(({ kind }) => kind !== 'unary');

/** A field's tag and what may follow: right, wrong, cut off, or not UTF-8. */
const field = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.tuple(fc.integer({ min: 1, max: 15 }), fc.string({ unit: 'binary', maxLength: 30 })).map(([number, text]) => {
    const bytes = Buffer.from(text);
    return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
  }),
  fc
    .tuple(fc.integer({ min: 1, max: 15 }), fc.uint8Array({ minLength: 1, maxLength: 9 }))
    .map(([number, bytes]) => Buffer.concat([Buffer.from([number << 3]), bytes])),
  fc
    .tuple(fc.integer({ min: 1, max: 15 }), fc.uint8Array({ maxLength: 30 }))
    .map(([number, bytes]) => Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes])),
);
const message = fc.array(field, { maxLength: 6 }).map((fields) => Buffer.concat(fields));

const same = (bytes: Buffer) => bytes;
function ask({ path }: Method, bytes: Buffer): Promise<status> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, same, same, bytes, { deadline: Date.now() + 20_000 }, (error: ServiceError | null) =>
      resolve(error?.code ?? status.OK),
    );
  });
}
function open({ path, kind }: Method, bytes: Buffer): Promise<status> {
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + 20_000 };
    const watch = (call: ClientReadableStream<Buffer> | ClientDuplexStream<Buffer, Buffer>) => {
      call.on('error', (error: ServiceError) => resolve(error.code));
      call.on('end', () => resolve(status.OK));
      call.on('data', () => call.cancel());
    };
    if (kind === 'server_stream') {
      watch(client.makeServerStreamRequest(path, same, same, bytes, options));
      return;
    }
    const call = client.makeBidiStreamRequest(path, same, same, options);
    watch(call);
    call.write(bytes);
    call.end();
  });
}
const ours = [status.INTERNAL, status.UNKNOWN, status.DATA_LOSS, status.DEADLINE_EXCEEDED];

test('9,000 malformed messages to every method: no call is INTERNAL', async () => {
  const bodies = fc.sample(message, 9000);
  const failed: string[] = [];
  for (let from = 0; from < bodies.length; from += 100) {
    await Promise.all(
      bodies.slice(from, from + 100).map(async (bytes, i) => {
        const method = unary[(from + i) % unary.length] as Method;
        const code = await ask(method, bytes);
        if (ours.includes(code)) failed.push(`${method.path} ${status[code]} ${bytes.toString('hex')}`);
      }),
    );
  }
  expect(failed).toEqual([]);
});

test('500 malformed messages to every stream: none is INTERNAL', async () => {
  const failed: string[] = [];
  const bodies = fc.sample(message, 500);
  for (let from = 0; from < bodies.length; from += 50) {
    await Promise.all(
      bodies.slice(from, from + 50).map(async (bytes, i) => {
        const method = streams[(from + i) % streams.length] as Method;
        const code = await open(method, bytes);
        if (ours.includes(code)) failed.push(`${method.path} ${status[code]} ${bytes.toString('hex')}`);
      }),
    );
  }
  expect(failed).toEqual([]);
});

test('500 connections of bytes that are no HTTP/2 leave the process as it was', async () => {
  const [host = '', port = ''] = parley.grpc.split(':');
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  for (let round = 0; round < 50; round++) {
    await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const socket = connect(Number(port), host);
        socket.on('error', () => undefined);
        const frames = Buffer.concat(Array.from({ length: 5 }, () => frame()));
        // Not waited for: what looks like the beginning of a connection keeps it open.
        socket.write(i % 2 ? Buffer.concat([preface, frames]) : randomBytes(200), () => socket.destroy());
        await new Promise((resolve) => socket.once('close', resolve));
      }),
    );
  }
  const code = await ask(unary.find(({ name }) => name === 'ListRooms') as Method, Buffer.alloc(0));
  expect(status[code]).toBe('OK');
});

/** A frame's nine bytes and a body, of any type, flags and stream. */
function frame(): Buffer {
  const body = randomBytes(Math.floor(Math.random() * 60));
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = Math.floor(Math.random() * 12);
  head[4] = Math.floor(Math.random() * 256);
  head.writeUInt32BE(Math.floor(Math.random() * 8), 5);
  return Buffer.concat([head, body]);
}

test('a message over 4 MiB is RESOURCE_EXHAUSTED, and the next call is answered', async () => {
  const send = unary.find(({ name }) => name === 'SendMessage') as Method;
  expect(status[await ask(send, Buffer.alloc(5 * 1024 * 1024))]).toBe('RESOURCE_EXHAUSTED');
  expect(status[await ask(unary.find(({ name }) => name === 'ListRooms') as Method, Buffer.alloc(0))]).toBe('OK');
});
