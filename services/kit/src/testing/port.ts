import { createServer } from 'node:net';

const [lowest, highest] = [10_000, 22_000];
const given = new Set<number>();

/**
 * A port of 127.0.0.1 that nobody listens on, for a server that has to be told one: as it is started again with the same,
 * or as its peers must know it. It is below those that the system gives to connections, of which one would take the port
 * while its owner is dead; and so is the port 10,000 above, which a node of a Redis Cluster listens on too.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (!given.has(port) && (await isFree(port))) {
      given.add(port);
      return port;
    }
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
  if (free) await new Promise((resolve) => server.close(resolve));
  return free;
}
