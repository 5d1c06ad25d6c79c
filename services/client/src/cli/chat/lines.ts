/** Messages as lines of a terminal. Pure. */
import type { ChatMessage } from '../../wire.ts';
import { harmless, type Style } from '../print.ts';

export type Paint = (style: Style, text: string) => string;

const nameStyles: Style[] = ['cyan', 'green', 'yellow', 'magenta', 'blue', 'red'];

/**
 * One message as it is printed; undefined for what has nothing to show.
 *
 * @param width columns that continuation lines are indented within.
 */
export function messageLine(message: ChatMessage, me: string, paint: Paint): string | undefined {
  const { type, user_id: userId, timestamp } = message;
  const name = harmless(message.username || userId);
  const time = paint('dim', clock(timestamp));
  switch (type) {
    case 'MESSAGE_TYPE_JOIN':
      return `${time} ${paint('dim', `→ ${name} joined`)}`;
    case 'MESSAGE_TYPE_LEAVE':
      return `${time} ${paint('dim', `← ${name} left`)}`;
    case 'MESSAGE_TYPE_SYSTEM':
      return `${time} ${paint('bold', indented(message.content))}`;
    case 'MESSAGE_TYPE_REMOVED':
      return `${time} ${paint('dim', 'a message was removed')}`;
    default: {
      const style: Style = userId === me ? ['bold'] : nameStyles[hash(userId) % nameStyles.length]!;
      const text = message.content === '' ? paint('dim', '(removed)') : indented(message.content);
      return `${time} ${paint(style, name)}  ${text}`;
    }
  }
}

function indented(content: string): string {
  return harmless(content).replaceAll('\n', '\n      ');
}

function clock(timestamp: string): string {
  const date = new Date(timestamp);
  if (Number.isNaN(date.getTime())) return '--:--';
  return `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`;
}

function hash(text: string): number {
  let sum = 7;
  for (const character of text) sum = (sum * 31 + character.codePointAt(0)!) % 9_973;
  return sum;
}
