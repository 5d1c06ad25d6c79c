import { from, setting } from '@parley/kit';

export const orderSettings = {
  catalogue: setting(
    'PARLEY_CATALOGUE',
    from.optional(),
    'JSON file with the products: [{id, name, description, currency_code, minor_units}]',
    'four samples',
  ),
};
