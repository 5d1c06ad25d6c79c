import { constants, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { RpcChannel } from './client.ts';

test('a call that ends with its connection is UNAVAILABLE, and CANCELLED only where the caller has cancelled it', async () => {
  const server = createServer();
  // What Node says of a stream whose connection is gone, and what a server says that resets one, or goes in the midst of it.
  let end: number | undefined = constants.NGHTTP2_CANCEL;
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    if (end !== undefined) stream.close(end);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  using channel = new RpcChannel({ address: `127.0.0.1:${(server.address() as AddressInfo).port}` });
  const users = channel.client('user.UserService');
  await expect(users.getUser({ id: '1' })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  end = constants.NGHTTP2_NO_ERROR;
  await expect(users.getUser({ id: '1' })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  end = undefined;
  const cancel = new AbortController();
  server.once('stream', () => cancel.abort());
  await expect(users.getUser({ id: '1' }, { signal: cancel.signal })).rejects.toMatchObject({ code: 'CANCELLED' });
  server.close();
});
