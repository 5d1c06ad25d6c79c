import { Fields } from './protobuf.ts';

const targetField = 11;

/** The id of the message that a REMOVED notice is about. */
export function removedTarget(bytes: Buffer): string {
  const fields = new Fields(bytes);
  while (fields.next()) {
    if (fields.field === targetField) return fields.text();
    fields.skip();
  }
  return '';
}
