const paths = {
  back: 'M15 5l-7 7 7 7',
  send: 'M4 12l16-8-6 16-3-6z',
  people:
    'M9 11a3 3 0 100-6 3 3 0 000 6zM3 19c0-3 3-5 6-5s6 2 6 5M16 5.5a3 3 0 010 5.5M18 14.500c2 .700 3 2.500 3 4.500',
  more: 'M6 12h.01M12 12h.01M18 12h.01',
  moon: 'M20 14a8 8 0 01-10-10 8 8 0 1010 10z',
  sun: 'M12 8a4 4 0 100 8 4 4 0 000-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.500 1.500M17.500 17.500L19 19M5 19l1.500-1.500M17.500 6.500L19 5',
  leave: 'M14 4h5v16h-5M11 8l-4 4 4 4M7 12h9',
  search: 'M11 4a7 7 0 100 14 7 7 0 000-14zM16 16l4 4',
  down: 'M12 5v14M6 13l6 6 6-6',
  bag: 'M6 8h12l1 12H5zM9 8V6a3 3 0 016 0v2',
  close: 'M6 6l12 12M18 6L6 18',
} as const;

/** A line drawing; what it means is said by the control that it is in. */
export function Icon({ name }: { name: keyof typeof paths }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
