/** Days and times as the reader's own calendar and clock have them. */
const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const thisYear = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const otherYear = new Intl.DateTimeFormat(undefined, { dateStyle: 'long' });

/** Built once per timestamp: the same day is asked for with every message. */
const days = new Map<string, string>();

export function dayOf(timestamp: string): string {
  const hour = timestamp.slice(0, 13);
  let day = days.get(hour);
  if (day === undefined) {
    day = new Date(timestamp).toDateString();
    days.set(hour, day);
  }
  return day;
}

export function dayText(timestamp: string, now = new Date()): string {
  const date = new Date(timestamp);
  if (Number.isNaN(date.getTime())) return '';
  if (date.toDateString() === now.toDateString()) return 'Today';
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  if (date.toDateString() === yesterday.toDateString()) return 'Yesterday';
  return (date.getFullYear() === now.getFullYear() ? thisYear : otherYear).format(date);
}

export function timeText(timestamp: string | number): string {
  const date = new Date(timestamp);
  return Number.isNaN(date.getTime()) ? '' : time.format(date);
}

/** A moment in the middle of a sentence: its day as well where that is not today. */
export function momentText(timestamp: string, now = new Date()): string {
  const isToday = new Date(timestamp).toDateString() === now.toDateString();
  return isToday ? timeText(timestamp) : `${dayText(timestamp, now)}, ${timeText(timestamp)}`;
}

export function fullText(timestamp: string): string {
  const date = new Date(timestamp);
  return Number.isNaN(date.getTime()) ? '' : full.format(date);
}
