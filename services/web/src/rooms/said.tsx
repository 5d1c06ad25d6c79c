import { piecesOf } from './links.ts';

/** What somebody said: text in its own direction, with its web addresses to follow. */
export function Said({ content }: { content: string }) {
  return (
    <p class="text" dir="auto">
      {piecesOf(content).map(({ text, href }) =>
        href ? (
          <a href={href} target="_blank" rel="noopener noreferrer nofollow">
            {text}
          </a>
        ) : (
          text
        ),
      )}
    </p>
  );
}
