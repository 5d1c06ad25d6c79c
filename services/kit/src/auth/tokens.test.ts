import { createHmac, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import jwt from 'jsonwebtoken';
import { afterAll, expect, test } from 'vitest';
import { AppError } from '../errors.ts';
import { jwks, KeyRing, makeKeys, newKey } from './keys.ts';
import { badToken, bearer, serviceTokens, signToken, TokenVerifier } from './tokens.ts';

const folder = mkdtempSync(join(tmpdir(), 'parley-tokens-'));
makeKeys(folder);
const ring = new KeyRing(folder);
const key = ring.signing();
const alice = { userId: '7', username: 'alice', role: 'member' } as const;
afterAll(() => rmSync(folder, { recursive: true }));

const refusal = (token: string): AppError => {
  try {
    new TokenVerifier(ring).verify(token);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('the token was taken');
};

const good: jwt.SignOptions = {
  algorithm: 'ES256',
  keyid: key.kid,
  issuer: 'parley',
  audience: 'parley',
  subject: '7',
  expiresIn: 60,
  jwtid: 'x',
};
const { expiresIn: _, ...endless } = good;
const signed = (
  change: jwt.SignOptions,
  claims: object = { username: 'alice', role: 'member' },
  by: jwt.Secret = key.privateKey,
) => jwt.sign(claims, by, { ...good, ...change });
const publicPem = key.publicKey.export({ type: 'spki', format: 'pem' }) as string;
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const payload = {
  iss: 'parley',
  aud: 'parley',
  sub: '7',
  username: 'alice',
  role: 'admin',
  exp: 9_999_999_999,
  iat: 1,
  jti: 'x',
};
/** jsonwebtoken refuses to sign with a public key, as it should: an attacker does not ask it. */
const confused = () => {
  const head = `${encoded({ alg: 'HS256', kid: key.kid })}.${encoded(payload)}`;
  const hmac = createHmac('sha256', publicPem).update(head).digest('base64url');
  return `${head}.${hmac}`;
};

test('a token that was signed is who it says', () => {
  expect(new TokenVerifier(ring).verify(signToken(ring, alice))).toMatchObject({ kind: 'user', ...alice });
  expect(new TokenVerifier(ring).verify(serviceTokens(ring, 'chat')())).toMatchObject({
    kind: 'service',
    username: 'chat',
    role: 'service',
  });
});

test.each<[string, () => string]>([
  ['nothing that is a token', () => 'x'],
  ['expired', () => signed({ expiresIn: -60 })],
  ['not yet valid', () => signed({ notBefore: 60 })],
  ['of another issuer', () => signed({ issuer: 'somebody' })],
  ['for another audience', () => signed({ audience: 'somebody' })],
  ['without an end', () => jwt.sign({ username: 'alice', role: 'member' }, key.privateKey, endless)],
  ['signed with another key', () => signed({}, undefined, other)],
  ['without a signature', () => `${encoded({ alg: 'none', kid: key.kid })}.${encoded(payload)}.`],
  ['HS256 signed with the public key', confused],
  ['of a kid that is a path', () => signed({ keyid: '../../etc/passwd' })],
  ['of a kid that is a URL', () => signed({ keyid: 'http://127.0.0.1:1/key' })],
  ['100 KB long', () => signed({}, { username: 'a'.repeat(100_000), role: 'admin' })],
  ['of a role that there is not', () => signed({}, { username: 'alice', role: 'root' })],
  ['of a subject that is no number', () => signed({ subject: 'alice' })],
])('a token that is %s is refused, with one constant message', (_what, make) => {
  const { code, message } = refusal(make());
  expect({ code, message }).toEqual({ code: 'UNAUTHENTICATED', message: badToken().message });
});

test('clocks may differ by 10 s', () => {
  expect(new TokenVerifier(ring).verify(signed({ expiresIn: -5 }))).toMatchObject({ username: 'alice' });
});

test('a token that was good is refused once its user is revoked, a newer one is not', () => {
  const verifier = new TokenVerifier(ring);
  const token = signToken(ring, alice);
  verifier.verify(token);
  verifier.revoke('7', new Date(Date.now() + 5000));
  expect(() => verifier.verify(token)).toThrow(badToken().message);
  expect(verifier.verify(signToken(ring, { ...alice, userId: '8' }))).toMatchObject({ userId: '8' });
});

test('a key whose name sorts last signs, and the tokens of the one before stay good', () => {
  const rotating = mkdtempSync(join(tmpdir(), 'parley-rotation-'));
  const [first, second] = [newKey(new Date('2026-01-01')), newKey(new Date('2026-02-01'))];
  writeFileSync(join(rotating, `${first.kid}.pem`), first.pem);
  const before = signToken(new KeyRing(rotating), alice);
  writeFileSync(join(rotating, `${second.kid}.pem`), second.pem);
  const rotated = new KeyRing(rotating);
  expect(rotated.signing().kid).toBe(second.kid);
  expect(new TokenVerifier(rotated).verify(before)).toMatchObject({ username: 'alice' });
  expect(jwks(rotated).keys).toHaveLength(2);
  expect(JSON.stringify(jwks(rotated))).not.toContain('"d"');
  rmSync(rotating, { recursive: true });
});

test('keys that cannot be used are named', () => {
  const broken = mkdtempSync(join(tmpdir(), 'parley-broken-'));
  expect(() => new KeyRing(broken)).toThrow('holds no key');
  expect(() => new KeyRing(join(broken, 'nowhere'))).toThrow('cannot be read');
  writeFileSync(join(broken, 'bad.pem'), 'not a key');
  expect(() => new KeyRing(broken)).toThrow('bad.pem is not a key');
  rmSync(broken, { recursive: true });
});

test('making keys twice makes one', () => {
  makeKeys(folder);
  expect(readdirSync(folder)).toHaveLength(1);
});

test('a header of another scheme is refused, none is none', () => {
  expect(bearer(undefined)).toBeUndefined();
  expect(bearer('Bearer abc')).toBe('abc');
  expect(() => bearer('Basic YTpi')).toThrow(badToken().message);
});
