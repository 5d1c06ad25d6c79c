/** Protobuf's wire format, as far as the hot paths need it. */
import { isUtf8 } from 'node:buffer';

export const varintField = (field: number) => field << 3;
export const bytesField = (field: number) => (field << 3) | 2;

/** How many bytes a number below 2^53 takes. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
  return length;
}

/** @returns where to go on. */
export function writeVarint(into: Buffer, offset: number, value: number): number {
  let at = offset;
  let rest = value;
  while (rest >= 128) {
    into[at++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  into[at++] = rest;
  return at;
}

/** The size of a field of bytes or text whose number is below 16, its tag and length included. */
export function sizedLength(length: number): number {
  return 1 + varintLength(length) + length;
}

/** Tag and length of a field of bytes or text whose number is below 16. */
export function writeHeader(into: Buffer, offset: number, field: number, length: number): number {
  into[offset] = bytesField(field);
  return writeVarint(into, offset + 1, length);
}

/** A field of text whose number is below 16; nothing for the empty one, as proto3 has it. */
export function writeText(into: Buffer, offset: number, field: number, text: string, length: number): number {
  if (length === 0) return offset;
  const at = writeHeader(into, offset, field, length);
  if (length === text.length) into.write(text, at, length, 'latin1');
  else into.write(text, at, length, 'utf8');
  return at + length;
}

export const textLength = (length: number) => (length === 0 ? 0 : sizedLength(length));

/** Walks over the fields of a message. Strict: whatever is not well-formed throws. */
export class Fields {
  readonly bytes: Buffer;
  field = 0;
  wireType = 0;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Goes to the next field; false at the end. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.varint();
    this.field = tag >>> 3;
    this.wireType = tag & 7;
    return true;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      if (this.#at >= this.#end || scale > 2 ** 49) throw new RangeError('a number is not well-formed');
      const byte = this.bytes[this.#at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  }

  text(): string {
    const [start, end] = this.#span();
    const text = this.bytes.toString('utf8', start, end);
    // Whatever cannot be read became this character; it may also have been sent.
    if (text.includes('\ufffd') && !isUtf8(this.bytes.subarray(start, end))) {
      throw new RangeError('a string is not valid UTF-8');
    }
    return text;
  }

  skip(): void {
    if (this.wireType === 0) this.varint();
    else if (this.wireType === 2) this.#span();
    else throw new RangeError(`a field of wire type ${this.wireType} is not expected`);
  }

  message(): Fields {
    const [start, end] = this.#span();
    return new Fields(this.bytes, start, end);
  }

  #span(): [number, number] {
    const length = this.varint();
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) throw new RangeError('a field ends after its message');
    this.#at = end;
    return [start, end];
  }
}
