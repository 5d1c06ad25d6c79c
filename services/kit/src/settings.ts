/** Settings: declared once with a description, read from the environment in one place, all bad ones reported together. */
import { z } from 'zod';

export interface Setting<T> {
  name: string;
  schema: z.ZodType<T>;
  /** One line for the README's table. */
  description: string;
  /** The default as the table shows it. */
  shown: string;
}

/** Declares one setting. The schema parses the text of the variable, or undefined where it is absent or empty. */
export function setting<T>(name: string, schema: z.ZodType<T>, description: string, shown = ''): Setting<T> {
  return { name, schema, description, shown };
}

export type SettingsOf<S> = { [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** EX_CONFIG of sysexits.h: what a start that fails for its settings exits with. */
export const exitConfiguration = 78;

/** The start cannot go on; the message says which settings are wrong, or what else to mend. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly exitCode: number;
  constructor(message: string, exitCode = exitConfiguration, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}

/**
 * Reads all settings of a declaration.
 * @throws StartError that names every setting that cannot be used, its value and what is allowed.
 */
export function readSettings<S extends Record<string, Setting<unknown>>>(
  declared: S,
  env: Record<string, string | undefined>,
): SettingsOf<S> {
  const { read, wrong } = parse(declared, env);
  if (wrong.length > 0) throw badSettings(wrong);
  return read as SettingsOf<S>;
}

/**
 * What is wrong with the settings of a declaration, a line each.
 * @param use what is done with them where each by itself is right, for what only shows then: its StartError is a line too.
 */
export function wrongSettings<S extends Record<string, Setting<unknown>>>(
  declared: S,
  env: Record<string, string | undefined>,
  use: (settings: SettingsOf<S>) => unknown = () => undefined,
): string[] {
  const { read, wrong } = parse(declared, env);
  if (wrong.length > 0) return wrong;
  try {
    use(read as SettingsOf<S>);
    return [];
  } catch (error) {
    if (error instanceof StartError) return [error.message];
    throw error;
  }
}

/** One message for all that is wrong. */
export const badSettings = (wrong: string[]): StartError =>
  new StartError(`These settings cannot be used:\n${wrong.map((line) => `  ${line}`).join('\n')}`);

function parse(declared: Record<string, Setting<unknown>>, env: Record<string, string | undefined>) {
  const read: Record<string, unknown> = {};
  const wrong: string[] = [];
  for (const [key, { name, schema }] of Object.entries(declared)) {
    const value = env[name]?.trim() || undefined;
    const parsed = schema.safeParse(value);
    if (parsed.success) read[key] = parsed.data;
    else wrong.push(complaint(name, value, parsed.error));
  }
  return { read, wrong };
}

const secret = /PASSWORD|SECRET|TOKEN|_URL$/;

function complaint(name: string, value: string | undefined, error: z.ZodError): string {
  const allowed = error.issues.map((issue) => issue.message).join(', ');
  if (value === undefined) return `${name} is not set; ${allowed}`;
  return `${name} is ${secret.test(name) ? '(hidden)' : JSON.stringify(value)}; ${allowed}`;
}

/** Settings' schemas, from the text of a variable. */
export const from = {
  text: (fallback: string) => z.string().default(fallback),
  optional: () => z.string().optional(),
  port: (fallback: number) =>
    z
      .string()
      .default(String(fallback))
      .refine(
        (text) => /^\d{1,5}$/.test(text) && Number(text) <= 65_535,
        'a port from 0 to 65535 is allowed (0: any free one)',
      )
      .transform(Number),
  integer: (fallback: number, least: number, most: number) =>
    z
      .string()
      .default(String(fallback))
      .refine(
        (text) => /^-?\d{1,15}$/.test(text) && Number(text) >= least && Number(text) <= most,
        `a whole number from ${least} to ${most} is allowed`,
      )
      .transform(Number),
  oneOf: <const T extends string>(fallback: T, ...allowed: T[]) =>
    z
      .string()
      .default(fallback)
      .refine(
        (text): text is T => (allowed as string[]).includes(text),
        `allowed are ${allowed.join(', ')}`,
      ) as z.ZodType<T>,
  optionalOneOf: <const T extends string>(...allowed: T[]) =>
    z
      .string()
      .optional()
      .refine(
        (text) => text === undefined || (allowed as string[]).includes(text),
        `allowed are ${allowed.join(', ')}`,
      ) as unknown as z.ZodType<T | undefined>,
  url: (...schemes: string[]) =>
    z
      .string()
      .optional()
      .refine(
        (text) => text === undefined || schemes.some((scheme) => text.startsWith(`${scheme}://`) && URL.canParse(text)),
        `a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')} is allowed`,
      ),
  /** Items separated by commas. @param allowed what to say of an item that is not `ok` */
  list: (allowed: string, ok: (item: string) => boolean) =>
    z
      .string()
      .default('')
      .transform((text) =>
        text
          .split(',')
          .map((item) => item.trim())
          .filter((item) => item !== ''),
      )
      .refine((items) => items.every(ok), `${allowed}, separated by commas`),
};
