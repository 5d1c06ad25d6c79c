import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { openRelay } from './relay.ts';

/** A server that says everything again, with a relay in front of it. */
async function relayed(stack: DisposableStack) {
  const server = createServer((socket) => void socket.on('error', () => undefined).pipe(socket)).listen(0, '127.0.0.1');
  stack.defer(() => void server.close());
  await once(server, 'listening');
  const relay = stack.use(await openRelay(0, (server.address() as AddressInfo).port));
  const dial = () => {
    const socket = connect(relay.port, '127.0.0.1').setEncoding('utf8');
    stack.defer(() => void socket.destroy());
    const heard: string[] = [];
    const ended = new Promise((resolve) => socket.on('error', resolve).once('close', resolve));
    socket.on('data', (text) => heard.push(String(text)));
    return { socket, heard, ended };
  };
  return { relay, dial };
}

test('what was sent into a silent network is lost, and its connections are gone when it is mended', async () => {
  using stack = new DisposableStack();
  const { relay, dial } = await relayed(stack);
  const before = dial();
  before.socket.write('one');
  await expect.poll(() => before.heard.join('')).toBe('one');
  relay.silence();
  before.socket.write('two');
  relay.reset();
  await before.ended;
  expect(before.heard.join('')).toBe('one');
  await dial().ended;
  relay.mend();
  const after = dial();
  after.socket.write('three');
  await expect.poll(() => after.heard.join('')).toBe('three');
});
