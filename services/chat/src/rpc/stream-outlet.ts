import type { FramedWriter } from '@parley/kit';
import type { Outlet } from '../delivery/subscriber.ts';

/** Small frames wait for each other until this much has come together. */
const gatherBytes = 32 * 1024;

let toSend: StreamOutlet[] = [];

/** In the same turn of the event loop: what is written by its end leaves with it, later than that a turn later. */
function sendSoon(outlet: StreamOutlet): void {
  if (toSend.length === 0) process.nextTick(sendAll);
  toSend.push(outlet);
}

function sendAll(): void {
  const outlets = toSend;
  toSend = [];
  for (const outlet of outlets) outlet.send();
}

/** A gRPC stream's way out: counts what has not left, and sends small answers together. */
export class StreamOutlet implements Outlet {
  readonly mostBytes: number;
  readonly holdBytes: number;
  readonly #out: FramedWriter;
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  #drained: (() => void)[] = [];

  constructor(out: FramedWriter, mostBytes: number) {
    this.#out = out;
    this.mostBytes = mostBytes;
    this.holdBytes = Math.min(mostBytes / 16, 1024 * 1024);
  }

  get pendingBytes(): number {
    return this.#out.pendingBytes;
  }

  write(framed: Buffer): void {
    if (this.#gathered.length > 0) this.send();
    this.#write(framed);
  }

  /** Sends a small frame with the others that come with what is being handled; nothing overtakes it. */
  gather(framed: Buffer): void {
    if (this.#gathered.length === 0) sendSoon(this);
    this.#gathered.push(framed);
    this.#gatheredBytes += framed.length;
    if (this.#gatheredBytes > gatherBytes) this.send();
  }

  whenDrained(call: () => void): void {
    if (this.pendingBytes <= this.holdBytes / 2) call();
    else this.#drained.push(call);
  }

  /** Nobody will read on: whoever waits goes on, and sees that it has ended. */
  close(): void {
    this.send();
    for (const call of this.#drained.splice(0)) call();
  }

  /** Sends what was gathered. */
  send(): void {
    const gathered = this.#gathered;
    if (gathered.length === 0) return;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#write(gathered.length === 1 ? gathered[0]! : Buffer.concat(gathered));
  }

  /** Only where somebody may come to wait for it is it worth hearing that a write has left. */
  #write(framed: Buffer): void {
    const isMuch = this.pendingBytes + framed.length > this.holdBytes / 2;
    this.#out.write(framed, isMuch ? this.#left : undefined);
  }

  readonly #left = (): void => {
    if (this.#drained.length === 0 || this.pendingBytes > this.holdBytes / 2) return;
    for (const call of this.#drained.splice(0)) call();
  };
}
