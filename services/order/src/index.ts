export { openCatalogue } from './catalogue.ts';
export { type OrderTables, orderSchema } from './schema.ts';
export { createOrderService, type OrderParts } from './service.ts';
export { orderSettings } from './settings.ts';
