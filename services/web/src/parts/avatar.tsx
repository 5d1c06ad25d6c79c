/** A person's disc: his initial on one of twelve colours, the same everywhere. */
export function Avatar({ id, name }: { id: string; name: string }) {
  return (
    <span class="avatar" data-hue={hueOf(id)} aria-hidden="true">
      {[...(name || '?')][0]!.toUpperCase()}
    </span>
  );
}

export function hueOf(id: string): number {
  let hash = 7;
  for (const character of id) hash = (hash * 31 + character.codePointAt(0)!) % 9_973;
  // Ids are often neighbours; their colours should not be.
  return (hash * 5) % 12;
}
