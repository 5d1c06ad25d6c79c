export { DatabaseLog } from './database-log.ts';
export { chatSchema } from './schema.ts';
