import { isUtf8 } from 'node:buffer';
import protobuf from 'protobufjs';

/**
 * Reads protobuf as its specification asks: a string that is not UTF-8 is an error.
 * protobufjs's own reader puts U+FFFD in the place of what it cannot read, so that what is stored is not what was sent.
 */
export class StrictReader extends protobuf.BufferReader {
  override string(): string {
    const length = this.uint32();
    const start = this.pos;
    const end = start + length;
    if (end > this.len) throw new RangeError(`a string of ${length} bytes ends after the message`);
    this.pos = end;
    const bytes = this.buf as Buffer;
    if (length === 0) return '';
    if (!isUtf8(bytes.subarray(start, end))) throw new RangeError('a string is not valid UTF-8');
    return bytes.toString('utf8', start, end);
  }
}
