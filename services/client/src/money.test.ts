import { expect, test } from 'vitest';
import { moneyText } from './money.ts';

test.each([
  ['EUR', '1999', '€19.99'],
  ['EUR', '5', '€0.05'],
  ['EUR', '-5', '-€0.05'],
  ['JPY', '1500', '¥1,500'],
  ['KWD', '1', 'KWD\u00a00.001'],
  ['USD', '9007199254740993', '$90,071,992,547,409.93'],
  ['not one', '7', '7 not one'],
])('%s %s is %s', (currency_code, minor_units, text) => {
  expect(moneyText({ currency_code, minor_units }, 'en')).toBe(text);
});
