/** The mark: two people's speech, overlapping. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path class="mark-first" d="M4 6h17v13h-9l-5 5v-5H4z" />
      <path class="mark-second" d="M15 12h13v11h-3v4l-4-4h-6z" />
    </svg>
  );
}
