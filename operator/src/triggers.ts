import { type ChatRoom, roomIdOf, type ServiceWeight } from './api/index.ts';
import { BY_ROOM_ID } from './chat-room/index.ts';
import { keyOf, type Reflector, type WorkQueue, type Written } from './runtime/index.ts';
import { BY_BACKEND, type EndpointSlice, SERVICE_LABEL, type Service, serviceOf } from './service-weight/index.ts';

/**
 * A room is worked on when it changes, and, when one comes or goes, so are the others that claim its room id; all of them at
 * first, until the returned function is called.
 */
export function enqueueRooms(rooms: Reflector<ChatRoom>, written: Written<ChatRoom>, queue: WorkQueue): () => void {
  return rooms.onChange(({ type, object }) => {
    if (type === 'modified' && written.isEcho(object)) return;
    queue.add(keyOf(object));
    if (type !== 'added' && type !== 'deleted') return;
    for (const rival of rooms.store.byIndex(BY_ROOM_ID, roomIdOf(object))) queue.add(keyOf(rival));
  });
}

/**
 * A weight is worked on when it changes, or a Service that it names, or the endpoints of one; all of them at first, until the
 * returned function is called.
 */
export function enqueueWeights(
  watched: {
    weights: Reflector<ServiceWeight>;
    services: Reflector<Service>;
    slices: Reflector<EndpointSlice>;
  },
  written: Written<ServiceWeight>,
  queue: WorkQueue,
): () => void {
  const { weights, services, slices } = watched;
  const namers = (service: string) => {
    for (const weight of weights.store.byIndex(BY_BACKEND, service)) queue.add(keyOf(weight));
  };
  const ends = [
    weights.onChange(({ type, object }) => {
      if (type !== 'modified' || !written.isEcho(object)) queue.add(keyOf(object));
    }),
    services.onChange(({ type, object }) => type !== 'resync' && namers(keyOf(object))),
    slices.onChange(({ type, object }) => {
      if (type !== 'resync') for (const service of serviceOf(object, SERVICE_LABEL)) namers(service);
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}
