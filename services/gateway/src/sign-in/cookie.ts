/** The cookie parley_refresh: the refresh token out of scripts' reach, sent to /v1/auth of our own pages alone. */
import type { Method } from '@parley/kit';
import type { Message } from '../json/read.ts';

const name = 'parley_refresh';
const days = 30;

/** Whether a method answers with a session, whose refresh token goes into the cookie. */
export function givesSession({ service, name }: Method): boolean {
  return service === 'auth.AuthService' && (name === 'Register' || name === 'Login' || name === 'Refresh');
}

/** Whether a method takes the refresh token, which may come in the cookie. */
export function takesRefreshToken({ service, name }: Method): boolean {
  return service === 'auth.AuthService' && (name === 'Refresh' || name === 'Logout');
}

export function refreshTokenOf(cookies: string | undefined): string | undefined {
  for (const pair of cookies?.split(';') ?? []) {
    const [key, value] = pair.trim().split('=', 2);
    if (key === name && value && /^[\w.~-]{1,1024}$/.test(value)) return value;
  }
  return undefined;
}

/** The Set-Cookie header that keeps a session's refresh token. @param secure the page came by HTTPS */
export function refreshCookie(session: Message, secure: boolean): string {
  return cookie(String(session.refresh_token ?? ''), days * 24 * 3600, secure);
}

export function noRefreshCookie(secure: boolean): string {
  return cookie('', 0, secure);
}

function cookie(value: string, seconds: number, secure: boolean): string {
  const https = secure ? '; Secure' : '';
  return `${name}=${value}; Path=/v1/auth; HttpOnly; SameSite=Strict; Max-Age=${seconds}${https}`;
}
