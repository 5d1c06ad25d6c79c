import { setTimeout as pause } from 'node:timers/promises';
import { moneyText } from '../money.ts';
import { randomKey } from '../random-key.ts';
import type { Order } from '../wire.ts';
import type { AddCommand } from './commands.ts';
import { everyPage } from './every-page.ts';
import { CommandError, command, exitCodes } from './exit.ts';
import { persist } from './persist.ts';
import { harmless, printJson, table } from './print.ts';
import { type Visit, visit } from './visit.ts';

interface Options {
  url?: string;
  json?: boolean;
}

/** How often a watched order is looked at. */
const watchEveryMs = 500;

export function addOrderCommands(add: AddCommand): void {
  const orders = add('orders', 'what you have ordered; its subcommands order, watch and cancel');
  const sub = (name: string, description: string) =>
    orders
      .command(name)
      .description(description)
      .option('--url <address>', 'the gateway')
      .option('--json', 'for scripts');
  sub('products', 'what there is to order').action(merged(products));
  orders.option('--json', 'for scripts').action(merged(list));
  sub('list', 'your orders, newest first').action(merged(list));
  sub('create', 'order products, each as <id> or <id>:<quantity>, and wait for the end of it')
    .argument('<product...>')
    .option('--card <token>', 'the card that pays', 'tok_approve')
    .option('--key <key>', 'an idempotency key: the same one again orders nothing twice')
    .option('--no-wait', 'do not wait until it is paid or cancelled')
    .action(merged(create));
  sub('watch', 'every change of an order until it is paid or cancelled').argument('<id>').action(merged(watch));
  sub('cancel', 'cancel an order that is not paid yet').argument('<id>').action(merged(cancel));
}

/** Options may stand before or behind the subcommand; both are given to the action as its last argument. */
function merged<Arguments extends unknown[]>(action: (...args: [...Arguments, never]) => Promise<void>) {
  return command(async (...args: unknown[]) => {
    const self = args.at(-1) as { optsWithGlobals(): unknown };
    await action(...([...args.slice(0, -2), self.optsWithGlobals()] as [...Arguments, never]));
  });
}

async function products(options: Options): Promise<void> {
  const all = await (await visit(options)).api.products();
  if (options.json) printJson(all);
  else {
    const rows = all.map(({ id, name, price, description }) => [id, name, price ? moneyText(price) : '', description]);
    process.stdout.write(table(['PRODUCT', 'NAME', 'PRICE', ''], rows));
  }
}

async function list(options: Options): Promise<void> {
  const { api } = await visit(options);
  const pages = await everyPage((token) => api.orders.list(token, 200));
  const orders = pages.flatMap(({ orders }) => orders);
  if (options.json) printJson(orders);
  else process.stdout.write(table(['ORDER', 'STATE', 'TOTAL', 'MADE', ''], orders.map(row)));
}

async function create(
  wanted: string[],
  options: Options & { card: string; key?: string; wait: boolean },
): Promise<void> {
  const here = await visit(options);
  const items = wanted.map(parseItem);
  const key = options.key ?? randomKey();
  const order = await persist(() => here.api.orders.create(items, options.card, key));
  if (options.wait) await follow(here, order, options);
  else show(order, options);
}

async function watch(id: string, options: Options): Promise<void> {
  const here = await visit(options);
  await follow(here, await here.api.orders.get(id), options);
}

async function cancel(id: string, options: Options): Promise<void> {
  show(await (await visit(options)).api.orders.cancel(id), options);
}

/** Shows an order whenever it changes, until it does not change any more. */
async function follow({ api }: Visit, first: Order, options: Options): Promise<void> {
  let order = first;
  show(order, options);
  while (!isFinal(order)) {
    await pause(watchEveryMs);
    const next = await persist(() => api.orders.get(order.id));
    if (next.version !== order.version) show(next, options);
    order = next;
  }
  if (order.state === 'CANCELLED') process.exitCode = exitCodes.failed;
}

function show(order: Order, options: Options): void {
  if (options.json) process.stdout.write(`${JSON.stringify(order)}\n`);
  else console.log(`${order.id}  ${row(order).slice(1).join('  ')}`.trimEnd());
}

function row(order: Order): string[] {
  const total = order.total ? moneyText(order.total) : '';
  return [order.id, order.state, total, order.created_at, harmless(order.reason)];
}

function isFinal({ state }: Order): boolean {
  return state === 'PAID' || state === 'CANCELLED';
}

function parseItem(text: string): { product_id: string; quantity: number } {
  const match = /^([^:]+)(?::(\d{1,9}))?$/.exec(text);
  if (!match) throw new CommandError(`${JSON.stringify(text)} is not a product: <id> or <id>:<quantity> is wanted`);
  return { product_id: match[1]!, quantity: Number(match[2] ?? 1) };
}
