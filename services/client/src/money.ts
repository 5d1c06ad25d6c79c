import type { Money } from './wire.ts';

/** An amount as people write it: exact, however large, with as many decimals as its currency has. */
export function moneyText({ currency_code: currency, minor_units }: Money, locale?: string): string {
  const minor = BigInt(minor_units);
  const format = formatOf(currency, locale);
  if (!format) return `${minor} ${currency}`;
  const digits = format.resolvedOptions().maximumFractionDigits ?? 0;
  const padded = (minor < 0n ? -minor : minor).toString().padStart(digits + 1, '0');
  const whole = padded.slice(0, padded.length - digits);
  const fraction = digits > 0 ? `.${padded.slice(-digits)}` : '';
  return format.format(`${minor < 0n ? '-' : ''}${whole}${fraction}` as Intl.StringNumericLiteral);
}

function formatOf(currency: string, locale: string | undefined): Intl.NumberFormat | undefined {
  try {
    return new Intl.NumberFormat(locale, { style: 'currency', currency });
  } catch {
    return undefined;
  }
}
