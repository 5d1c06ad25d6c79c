/** Signing keys: a folder of PEM files, `<kid>.pem`. The private key whose name sorts last signs, all of them verify. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { StartError } from '../settings.ts';

export interface VerifyingKey {
  kid: string;
  algorithm: 'ES256' | 'RS256';
  publicKey: KeyObject;
}

export interface SigningKey extends VerifyingKey {
  privateKey: KeyObject;
}

/** The keys of a folder, read again at most every 30 s, so that a rotation needs no restart. */
export class KeyRing {
  readonly #folder: string;
  #keys = new Map<string, VerifyingKey>();
  #signing: SigningKey | undefined;
  #readAt = 0;

  constructor(folder: string) {
    this.#folder = folder;
    this.#read();
  }

  /** The key to sign with. @throws StartError where the folder has public keys only. */
  signing(): SigningKey {
    this.#refresh();
    if (this.#signing) return this.#signing;
    throw new StartError(
      `PARLEY_JWT_KEYS is ${JSON.stringify(this.#folder)}, which holds no private key: add one as <kid>.pem`,
    );
  }

  verifying(kid: string): VerifyingKey | undefined {
    this.#refresh();
    return this.#keys.get(kid);
  }

  all(): VerifyingKey[] {
    this.#refresh();
    return [...this.#keys.values()];
  }

  #refresh(): void {
    if (Date.now() - this.#readAt < 30_000) return;
    try {
      this.#read();
    } catch {
      this.#readAt = Date.now(); // The folder is being written: the keys we have stay good.
    }
  }

  #read(): void {
    const keys = new Map<string, VerifyingKey>();
    let signing: SigningKey | undefined;
    let files: string[];
    try {
      files = readdirSync(this.#folder).filter((name) => name.endsWith('.pem'));
    } catch (cause) {
      throw new StartError(
        `PARLEY_JWT_KEYS is ${JSON.stringify(this.#folder)}, which cannot be read: a folder of <kid>.pem files is allowed`,
        undefined,
        cause,
      );
    }
    for (const file of files.sort()) {
      const kid = basename(file, '.pem');
      const key = readKey(kid, join(this.#folder, file));
      keys.set(kid, key);
      if ('privateKey' in key) signing = key;
    }
    if (keys.size === 0) {
      throw new StartError(
        `PARLEY_JWT_KEYS is ${JSON.stringify(this.#folder)}, which holds no key: add one as <kid>.pem`,
      );
    }
    this.#keys = keys;
    this.#signing = signing;
    this.#readAt = Date.now();
  }
}

function readKey(kid: string, path: string): VerifyingKey | SigningKey {
  const pem = readFileSync(path, 'utf8');
  try {
    const privateKey = pem.includes('PRIVATE KEY') ? createPrivateKey(pem) : undefined;
    const publicKey = createPublicKey(privateKey ? pem : pem);
    const algorithm = algorithmOf(publicKey);
    if (algorithm === undefined) throw new Error('an EC key on P-256 or an RSA key of 2048 bits or more is allowed');
    return privateKey ? { kid, algorithm, publicKey, privateKey } : { kid, algorithm, publicKey };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(`PARLEY_JWT_KEYS: ${path} is not a key that can be used: ${why}`, undefined, cause);
  }
}

function algorithmOf(key: KeyObject): VerifyingKey['algorithm'] | undefined {
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType === 'ec' && details?.namedCurve === 'prime256v1') return 'ES256';
  if (key.asymmetricKeyType === 'rsa' && (details?.modulusLength ?? 0) >= 2048) return 'RS256';
  return undefined;
}

/** Makes a folder with one new key where there is none yet; for the embedded default and the chart's Job. */
export function makeKeys(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.pem'))) return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { kid, pem } = newKey();
  writeFileSync(join(folder, `${kid}.pem`), pem, { mode: 0o600, flag: 'wx' });
}

/** A new ES256 key; its kid is the day it was made, so that the newest sorts last. */
export function newKey(now = new Date()): { kid: string; pem: string } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = now.toISOString().replace(/[-:]/g, '').slice(0, 15).toLowerCase();
  return { kid, pem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
}

/** The JWKS document (RFC 7517) of /.well-known/jwks.json. */
export function jwks(ring: KeyRing): { keys: object[] } {
  return {
    keys: ring.all().map(({ kid, algorithm, publicKey }) => ({
      ...publicKey.export({ format: 'jwk' }),
      kid,
      alg: algorithm,
      use: 'sig',
    })),
  };
}
