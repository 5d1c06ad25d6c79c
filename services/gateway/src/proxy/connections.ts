/** Connections to one service, as many as its callers need: a server allows 1,000 streams on each. */
import type { Client } from '@grpc/grpc-js';
import type { RpcChannel } from '@parley/kit';

/** Below the server's 1,000, since streams that end are counted there a little longer than here. */
export const mostCallsPerConnection = 900;

export interface Lease {
  client: Client;
  /** The call is over. */
  release(): void;
}

export class Connections implements Disposable {
  readonly #channel: RpcChannel;
  readonly #clients: { client: Client; calls: number }[] = [];

  constructor(channel: RpcChannel) {
    this.#channel = channel;
  }

  /** A client with room for one call more. */
  lease(): Lease {
    let found = this.#clients.find(({ calls }) => calls < mostCallsPerConnection);
    if (found === undefined) {
      found = { client: this.#channel.bare(), calls: 0 };
      this.#clients.push(found);
    }
    const used = found;
    used.calls++;
    let released = false;
    return {
      client: used.client,
      release: () => {
        if (released) return;
        released = true;
        used.calls--;
        if (used.calls === 0 && this.#clients[0] !== used) this.#close(used);
      },
    };
  }

  get size(): number {
    return this.#clients.length;
  }

  [Symbol.dispose](): void {
    for (const { client } of this.#clients.splice(0)) client.close();
  }

  #close(unused: { client: Client; calls: number }): void {
    this.#clients.splice(this.#clients.indexOf(unused), 1);
    unused.client.close();
  }
}
