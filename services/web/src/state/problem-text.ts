import { ParleyError } from '@parley/client';
import { momentText } from '../rooms/days.ts';

/** What went wrong, as a sentence for the person in front of the page. */
export function problemText(error: unknown): string {
  if (!(error instanceof ParleyError)) return 'Something went wrong in this page. Reload it and try again.';
  if (error.code === 'UNAVAILABLE')
    return 'The server cannot be reached. Check your network, or try again in a moment.';
  if (error.code === 'PERMISSION_DENIED') return sentence(`That is not yours to do: ${error.message}`);
  const { retryAfterMs } = error.details;
  if (error.code === 'RESOURCE_EXHAUSTED' && retryAfterMs)
    return `Too many tries: wait ${Math.ceil(retryAfterMs / 1000)} s and try again.`;
  return sentence(error.message);
}

/** Whether a guest was refused for his name: the code alone could as well mean that he was removed from the room. */
export function isNameTaken({ code, message }: { code: string; message: string }): boolean {
  return code === 'PERMISSION_DENIED' && message.includes('registered user');
}

const moment = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;

/** What a server says, with its times on the reader's clock. */
export function sentence(text: string, now = new Date()): string {
  const local = text.replace(moment, (timestamp) => momentText(timestamp, now));
  const first = local.charAt(0).toUpperCase() + local.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
