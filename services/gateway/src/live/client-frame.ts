/** Text from a WebSocket to a ClientFrame, checked field by field. */
import { invalid } from '@parley/kit';
import type { ClientFrame } from '@parley/proto/chat/ClientFrame';
import { readMessage, Violations } from '../json/read.ts';
import { shapeOf } from '../json/shape.ts';

const shape = shapeOf('chat.ClientFrame');
const kinds: Kind[] = ['hello', 'subscribe', 'unsubscribe', 'send', 'typing', 'read'];
const longestRef = 128;

export type Kind = 'hello' | 'subscribe' | 'unsubscribe' | 'send' | 'typing' | 'read';

/** What a frame asks for, or why it cannot be read; with its ref where that can be told. */
export function readClientFrame(
  text: string,
): { ref: string; frame: ClientFrame; kind: Kind } | { ref: string; error: unknown } {
  let ref = '';
  try {
    const json = parse(text);
    if (typeof json === 'object' && json !== null && 'ref' in json && typeof json.ref === 'string') {
      ref = json.ref.slice(0, longestRef);
    }
    const wrong = new Violations();
    const frame = readMessage(shape, json, '', wrong) as ClientFrame;
    if ((frame.ref ?? '').length > longestRef) wrong.add('ref', `is longer than ${longestRef} characters`);
    wrong.check();
    const present = kinds.filter((kind) => frame[kind] !== undefined);
    if (present.length !== 1)
      throw invalid('', `a frame has exactly one of ${kinds.join(', ')}; this one has ${present.length}`);
    return { ref, frame, kind: present[0]! };
  } catch (error) {
    return { ref, error };
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid('', 'the frame is not JSON');
  }
}
