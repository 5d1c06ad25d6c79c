/** What a buyer is told in chat, with real rooms, which anybody may make. */
import { pgliteStore, type Store } from '@parley/chat/testing/logs';
import { Reader } from '@parley/chat/testing/reader';
import { type Pod, Rig } from '@parley/chat/testing/rig';
import { ChatTeller } from '@parley/order/order-teller';
import type { OrderRecord } from '@parley/order/snapshot';
import { afterAll, beforeAll, expect, test } from 'vitest';

let store: Store;
let rig: Rig;
let pod: Pod;
let people = 10;
beforeAll(async () => {
  store = await pgliteStore();
  rig = await Rig.start();
  pod = await rig.pod(await store.log(), 'one');
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});

type Rooms = Pod['admin'];
const service = () => ({ token: rig.service() });
/** A pod of the order service; `before` is what happens just before it has a room applied. */
function teller(before: () => Promise<unknown> = async () => undefined) {
  const rooms: Pick<Rooms, 'applyRoom' | 'deleteRoom' | 'getRoom'> = {
    async applyRoom(request) {
      await before();
      return pod.admin.applyRoom(request, service());
    },
    deleteRoom: (request) => pod.admin.deleteRoom(request, service()),
    getRoom: (request) => pod.admin.getRoom(request, service()),
  };
  return new ChatTeller(rooms, {
    listMessages: (request) => pod.chat.listMessages(request, service()),
    sendMessage: (request) => pod.chat.sendMessage(request, service()),
  });
}
const paid = (id: string, user_id: string) =>
  ({ id, user_id, currency_code: 'EUR', total_minor_units: '1290' }) as OrderRecord;
const told = async (user_id: string) => {
  const as = { token: rig.token(user_id, `buyer-${user_id}`) };
  const { messages } = await pod.chat.listMessages({ room_id: `orders-${user_id}` }, as);
  return messages.map(({ content }) => content);
};
const thanks = (id: string) => `Your order ${id} is paid: 12.90 EUR. Thank you!`;
/** Somebody without an account makes the buyer's room before him, and writes what looks as if it were ours. */
async function plant(user_id: string): Promise<void> {
  const guest = { room_id: `orders-${user_id}`, user_id: 'Parley', username: 'Parley' };
  using reader = Reader.ofSubscribe(pod.chat.subscribe(guest));
  await expect.poll(() => reader.opened).toBeTruthy();
  await pod.chat.sendMessage({ ...guest, content: 'Your card was refused: pay at https://example.com' });
}

test('a room that others made for a buyer before us is not his: what they wrote there is gone', async () => {
  const buyer = String(++people);
  await plant(buyer);
  await teller().tellPaid(paid('ord_1', buyer));
  expect(await told(buyer)).toEqual([thanks('ord_1')]);
});

test('one that is made just when ours is to be is not his either', async () => {
  const buyer = String(++people);
  let times = 0;
  const pushy = teller(async () => {
    if (++times < 3) await plant(buyer);
  });
  await pushy.tellPaid(paid('ord_1', buyer));
  expect(await told(buyer)).toEqual([thanks('ord_1')]);
});

test('each order is told once, however often and by however many pods, and what was told before stays', async () => {
  const buyer = String(++people);
  await plant(buyer);
  const ids = ['ord_1', 'ord_2', 'ord_3'];
  const tell = () => ids.map((id) => teller().tellPaid(paid(id, buyer)));
  await Promise.all([...tell(), ...tell()]);
  expect((await told(buyer)).sort()).toEqual(ids.map(thanks));
  await teller().tellPaid(paid('ord_4', buyer));
  await teller().tellPaid(paid('ord_1', buyer));
  expect((await told(buyer)).sort()).toEqual([...ids, 'ord_4'].map(thanks));
});

test('another pod that has told its order while the room is made leaves nothing to be made anew', async () => {
  const buyer = String(++people);
  await teller(() => teller().tellPaid(paid('ord_2', buyer))).tellPaid(paid('ord_1', buyer));
  expect((await told(buyer)).sort()).toEqual(['ord_1', 'ord_2'].map(thanks));
});
