import { maxContentBytes, whatIsWrong } from '@parley/client';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon } from '../parts/icon.tsx';
import { send, typing } from '../state/chat.ts';
import { appState } from '../state/store.ts';

/** What was typed and not sent, by person and room: it is there again when one comes back, and nobody else sees it. */
const drafts = new Map<string, string>();
const bytes = new TextEncoder();

export function Composer({ roomId, name, disabled }: { roomId: string; name: string; disabled: boolean }) {
  const draft = `${appState().me?.userId}/${roomId}`;
  const [text, setText] = useState(drafts.get(draft) ?? '');
  const area = useRef<HTMLTextAreaElement>(null);
  const left = text.length > maxContentBytes / 4 ? maxContentBytes - bytes.encode(text).length : maxContentBytes;

  useEffect(() => {
    // On a phone the keyboard would jump up and hide the room.
    if (matchMedia('(hover: hover)').matches) area.current?.focus();
  }, []);
  useLayoutEffect(() => {
    const element = area.current!;
    element.style.height = 'auto';
    element.style.height = `${element.scrollHeight}px`;
  }, [text]);

  const write = (value: string) => {
    drafts.set(draft, value);
    setText(value);
    if (value.trim()) typing(roomId);
  };
  const submit = (event?: Event) => {
    event?.preventDefault();
    if (whatIsWrong(text)) return;
    send(roomId, text.trim());
    write('');
    area.current?.focus();
  };
  const keys = (event: KeyboardEvent) => {
    // Enter that picks a word in an input method is not meant for us.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) submit(event);
    if (event.key === 'ArrowUp' && text === '')
      [...document.querySelectorAll<HTMLElement>('.log .row')].at(-1)?.focus();
    if (event.key === 'Escape') area.current?.blur();
  };

  return (
    <form class="composer" onSubmit={submit}>
      <textarea
        ref={area}
        rows={1}
        value={text}
        disabled={disabled}
        dir="auto"
        placeholder={disabled ? 'This room is archived' : 'Say something'}
        aria-label={`Message to ${name}`}
        enterkeyhint="send"
        onInput={(event) => write(event.currentTarget.value)}
        onKeyDown={keys}
        data-testid="composer"
      />
      {left < maxContentBytes / 8 && (
        <span class={`bytes-left ${left < 0 ? 'over' : ''}`} role="status">
          {Math.abs(left).toLocaleString()} bytes {left < 0 ? 'too many' : 'left'}
        </span>
      )}
      <button type="submit" class="send" disabled={disabled || left < 0} aria-label="Send" data-testid="send">
        <Icon name="send" />
      </button>
    </form>
  );
}
