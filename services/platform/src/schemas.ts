import type { SchemaHistory } from '@parley/kit';
import type { ServiceKind } from './services.ts';

/** The database schemas of these services; chat has one only where its log is not in Redis. */
export async function schemasOf(kinds: ServiceKind[], chatInRedis: boolean): Promise<SchemaHistory[]> {
  const schemas: SchemaHistory[] = [];
  if (kinds.includes('user')) schemas.push((await import('@parley/user')).userSchema);
  if (kinds.includes('chat') && !chatInRedis) schemas.push((await import('@parley/chat')).chatSchema);
  if (kinds.includes('order')) schemas.push((await import('@parley/order')).orderSchema);
  if (kinds.includes('payment')) schemas.push((await import('@parley/payment')).paymentSchema);
  return schemas;
}
