/** A way to a server that can be cut as a network is. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Relay extends Disposable {
  readonly port: number;
  /** Nothing comes through any more, and nobody is told. */
  silence(): void;
  /** Every connection is reset, and new ones are too until mend(). */
  reset(): void;
  mend(): void;
}

/** Passes connections on, from one port of this machine to another. @param port 0 for any that is free */
export async function openRelay(port: number, target: number): Promise<Relay> {
  let state: 'open' | 'silent' | 'closed' = 'open';
  const sockets = new Set<Socket>();
  const resetAll = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const server = createServer((near) => {
    if (state === 'closed') return void near.resetAndDestroy();
    const far = connect(target, '127.0.0.1');
    join(near, far);
    join(far, near);
  });
  function join(from: Socket, to: Socket): void {
    sockets.add(from);
    from.setNoDelay(true);
    from.on('data', (bytes) => {
      // What is sent into a silent network is lost, so its connection is of no use afterwards.
      if (state === 'open') if (!to.write(bytes)) from.pause();
    });
    to.on('drain', () => from.resume());
    from.on('error', () => undefined);
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    silence: () => {
      state = 'silent';
    },
    reset: () => {
      state = 'closed';
      resetAll();
    },
    mend: () => {
      state = 'open';
    },
    [Symbol.dispose]() {
      state = 'closed';
      resetAll();
      server.close();
    },
  };
}
