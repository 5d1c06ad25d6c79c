/** Where one is, kept in the address after the #, so that back, forward and reload do what people expect. */
export type Route = { page: 'rooms' } | { page: 'room'; roomId: string } | { page: 'orders' };

export function parseRoute(hash: string): Route {
  const [, page, id] = hash.replace(/^#/, '').split('/');
  if (page === 'room' && id) return { page: 'room', roomId: decoded(id) };
  if (page === 'orders') return { page: 'orders' };
  return { page: 'rooms' };
}

export function hashOf(route: Route): string {
  if (route.page === 'room') return `#/room/${encodeURIComponent(route.roomId)}`;
  return route.page === 'orders' ? '#/orders' : '#/';
}

export function go(route: Route): void {
  location.hash = hashOf(route);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
