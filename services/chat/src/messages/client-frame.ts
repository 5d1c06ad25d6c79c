/** Reads a ClientFrame that sends a message, by hand: the hottest thing that callers say. All other frames are left to protobufjs. */
import { AppError } from '@parley/kit';
import { Fields } from './protobuf.ts';

/** The fields of a sent ChatMessage that count. */
export interface SentMessage {
  room_id: string;
  user_id: string;
  username: string;
  content: string;
  type: string;
  idempotency_key: string;
}

export interface SendFrame {
  ref: string;
  kind: 'send';
  send: SentMessage;
}

const refField = 1;
const sendField = 5;
const typeNames = [
  'MESSAGE_TYPE_UNSPECIFIED',
  'MESSAGE_TYPE_TEXT',
  'MESSAGE_TYPE_JOIN',
  'MESSAGE_TYPE_LEAVE',
  'MESSAGE_TYPE_SYSTEM',
  'MESSAGE_TYPE_REMOVED',
];

/** Undefined for a frame of another kind, or anything unusual. @throws AppError INVALID_ARGUMENT for text that is not UTF-8. */
export function readSendFrame(bytes: Buffer): SendFrame | undefined {
  try {
    let ref = '';
    let send: SentMessage | undefined;
    const fields = new Fields(bytes);
    while (fields.next()) {
      if (fields.wireType !== 2) return undefined;
      if (fields.field === refField) ref = fields.text();
      else if (fields.field === sendField && send === undefined) {
        send = readMessage(fields.message());
        if (send === undefined) return undefined;
      } else return undefined;
    }
    return send && { ref, kind: 'send', send };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('INVALID_ARGUMENT', `the request is not a well-formed protobuf message: ${why}`, { cause });
  }
}

function readMessage(fields: Fields): SentMessage | undefined {
  const message: SentMessage = {
    room_id: '',
    user_id: '',
    username: '',
    content: '',
    type: typeNames[0]!,
    idempotency_key: '',
  };
  while (fields.next()) {
    if (fields.field === 7 && fields.wireType === 0) {
      const type = typeNames[fields.varint()];
      if (type === undefined) return undefined;
      message.type = type;
      continue;
    }
    if (fields.wireType !== 2) return undefined;
    switch (fields.field) {
      case 2:
        message.room_id = fields.text();
        break;
      case 3:
        message.user_id = fields.text();
        break;
      case 4:
        message.username = fields.text();
        break;
      case 5:
        message.content = fields.text();
        break;
      case 10:
        message.idempotency_key = fields.text();
        break;
      default:
        return undefined;
    }
  }
  return message;
}
