import { createHmac, timingSafeEqual } from 'node:crypto';

/** What a provider signs its events with: hexadecimal HMAC-SHA256 of the body. */
export function sign(body: string, secret: string): string {
  return createHmac('sha256', secret).update(body).digest('hex');
}

export function isSigned(body: string, signature: string, secret: string): boolean {
  const [given, right] = [Buffer.from(signature), Buffer.from(sign(body, secret))];
  return given.length === right.length && timingSafeEqual(given, right);
}
