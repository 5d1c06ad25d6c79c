/** What can be ordered and what it costs: from configuration, never from a caller. */
import { readFileSync } from 'node:fs';
import { StartError } from '@parley/kit';
import { z } from 'zod';

/** ISO 4217, as Unicode's tables have it. */
const currencies = new Set(Intl.supportedValuesOf('currency'));

const product = z.object({
  id: z.string().regex(/^[a-z0-9-]{1,64}$/),
  name: z.string().min(1).max(100),
  description: z.string().max(500).default(''),
  currency_code: z.string().refine((code) => currencies.has(code), 'an ISO 4217 code such as EUR is allowed'),
  minor_units: z.number().int().positive().max(Number.MAX_SAFE_INTEGER),
});

export type Product = z.infer<typeof product>;

/** The products that are there when PARLEY_CATALOGUE names no file. */
const samples: Product[] = [
  {
    id: 'sticker',
    name: 'Sticker pack',
    description: 'Twelve stickers for the lid of a laptop.',
    currency_code: 'EUR',
    minor_units: 450,
  },
  {
    id: 'mug',
    name: 'Parley mug',
    description: 'Holds 300 ml of whatever keeps the on-call awake.',
    currency_code: 'EUR',
    minor_units: 1290,
  },
  { id: 'shirt', name: 'T-shirt', description: 'Says nothing, loudly.', currency_code: 'EUR', minor_units: 2400 },
  {
    id: 'patron',
    name: 'A year as a patron',
    description: 'Keeps the lights on.',
    currency_code: 'EUR',
    minor_units: 9900,
  },
];

export class Catalogue {
  readonly products: readonly Product[];
  readonly #byId: Map<string, Product>;

  constructor(products: readonly Product[]) {
    this.products = products;
    this.#byId = new Map(products.map((one) => [one.id, one]));
  }

  find(id: string): Product | undefined {
    return this.#byId.get(id);
  }
}

/** Reads a JSON file with a list of products, or takes the samples. @throws StartError that says what is wrong with it. */
export function openCatalogue(file: string | undefined): Catalogue {
  if (file === undefined) return new Catalogue(samples);
  try {
    return new Catalogue(
      z
        .array(product)
        .min(1)
        .parse(JSON.parse(readFileSync(file, 'utf8'))),
    );
  } catch (cause) {
    const why =
      cause instanceof z.ZodError ? z.prettifyError(cause) : cause instanceof Error ? cause.message : String(cause);
    throw new StartError(
      `PARLEY_CATALOGUE is ${JSON.stringify(file)}, which is not a list of products: ${why}`,
      undefined,
      cause,
    );
  }
}
