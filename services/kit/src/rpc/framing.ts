/** gRPC's framing on HTTP/2: each message behind five bytes, whether it is compressed and how long it is. */
import { AppError } from '../errors.ts';

const prefixBytes = 5;

/** A message with gRPC's prefix: not compressed, and its length. */
export function frame(message: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(message.length + prefixBytes);
  writePrefix(framed, 0, message.length);
  message.copy(framed, prefixBytes);
  return framed;
}

/** Puts the prefix of a message of this length at `offset`; the message goes to what this returns. */
export function writePrefix(framed: Buffer, offset: number, length: number): number {
  framed[offset] = 0;
  framed.writeUInt32BE(length, offset + 1);
  return offset + prefixBytes;
}

/** The messages of a framed buffer, without their prefixes. */
export function* unframe(framed: Buffer): Generator<Buffer> {
  for (let at = 0; at < framed.length; ) {
    const length = framed.readUInt32BE(at + 1);
    yield framed.subarray(at + prefixBytes, at + prefixBytes + length);
    at += prefixBytes + length;
  }
}

const nothing: Buffer = Buffer.alloc(0);

/** Takes messages out of a stream's bytes, however they are cut. A message that comes in one piece is not copied. */
export class Unframer {
  readonly #mostBytes: number;
  #bytes = nothing;
  #at = 0;
  /** What came after `#bytes` while a message was not whole yet: put together once it is. */
  #later: Buffer[] = [];
  #laterBytes = 0;
  #wanted = prefixBytes;

  /** @param mostBytes how long a message may be */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Whether all that came was taken out. */
  get empty(): boolean {
    return this.#at === this.#bytes.length && this.#laterBytes === 0;
  }

  add(chunk: Buffer): void {
    if (this.#at === this.#bytes.length && this.#laterBytes === 0) {
      this.#bytes = chunk;
      this.#at = 0;
    } else {
      this.#later.push(chunk);
      this.#laterBytes += chunk.length;
    }
  }

  /** The next whole message, without its prefix. @throws AppError for one that is too long, or compressed. */
  next(): Buffer | undefined {
    if (!this.#has(this.#wanted)) return undefined;
    if (this.#wanted === prefixBytes) {
      const length = this.#bytes.readUInt32BE(this.#at + 1);
      if (this.#bytes[this.#at] !== 0) {
        throw new AppError('INVALID_ARGUMENT', 'a message is compressed, but the call has no grpc-encoding');
      }
      if (length > this.#mostBytes) {
        throw new AppError('RESOURCE_EXHAUSTED', `a message of ${length} bytes; at most ${this.#mostBytes}`);
      }
      this.#wanted += length;
      if (!this.#has(this.#wanted)) return undefined;
    }
    const end = this.#at + this.#wanted;
    const message = this.#bytes.subarray(this.#at + prefixBytes, end);
    this.#at = end;
    this.#wanted = prefixBytes;
    if (this.empty) this.#bytes = nothing;
    if (this.#bytes === nothing) this.#at = 0;
    return message;
  }

  /** Whether so many bytes are there; then they are in one piece. */
  #has(bytes: number): boolean {
    const here = this.#bytes.length - this.#at;
    if (here >= bytes) return true;
    if (here + this.#laterBytes < bytes) return false;
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), ...this.#later]);
    this.#at = 0;
    this.#later = [];
    this.#laterBytes = 0;
    return true;
  }
}
