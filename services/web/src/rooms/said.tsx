import { piecesOf } from './links.ts';

/**
 * What somebody said: text in its own direction, with its web addresses to follow. Tab passes them by, or a room full of
 * them would lie between the keyboard and the field to write in; what can be done about a message has them as well.
 */
export function Said({ content }: { content: string }) {
  return (
    <p class="text" dir="auto">
      {piecesOf(content).map(({ text, href }) =>
        href ? (
          <a href={href} target="_blank" rel="noopener noreferrer nofollow" tabIndex={-1}>
            {text}
          </a>
        ) : (
          text
        ),
      )}
    </p>
  );
}
