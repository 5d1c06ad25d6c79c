import { chatRoomDefinition } from './chat-room-crd.ts';
import { toCrd } from './schema.ts';
import { serviceWeightDefinition } from './service-weight-crd.ts';

export * from './chat-room.ts';
export { chatRoomDefinition, chatRoomSpec } from './chat-room-crd.ts';
export { parseDuration } from './duration.ts';
export { type Definition, type Schema, toCrd } from './schema.ts';
export * from './service-weight.ts';
export { serviceWeightDefinition, serviceWeightSpec } from './service-weight-crd.ts';
export { type Verdict, validate } from './validate.ts';

/** The CustomResourceDefinitions, ready for the API server. */
export const crds = [toCrd(chatRoomDefinition), toCrd(serviceWeightDefinition)];
