export { parseRedisUrl } from './connection.ts';
export { durabilityWarning, type PersistenceConfig } from './durability.ts';
export { RedisLog } from './redis-log.ts';
