import { type Item, isPassing, moneyText, ParleyError, type Product, randomKey } from '@parley/client';
import { useRef, useState } from 'preact/hooks';
import { useFocusKept } from '../parts/focus.ts';
import { api } from '../state/chat.ts';
import { problemText } from '../state/problem-text.ts';
import { say } from '../state/store.ts';

const cards = [
  ['tok_approve', 'Card that pays'],
  ['tok_decline', 'Card that is declined'],
  ['tok_timeout', 'Card whose bank never answers'],
  ['tok_late', 'Card whose bank answers too late'],
  ['tok_twice', 'Card whose bank answers twice'],
] as const;
const mostOfOne = 99;

interface BasketProps {
  products: readonly Product[] | undefined;
  /** Why the products could not be read; empty where they could. */
  unread: string;
  onReadAgain: () => void;
  onOrdered: () => void;
}

/**
 * What there is to order, and how much of it one wants. Its buttons are never `disabled`: one that had the focus would lose
 * it.
 */
export function Basket({ products, unread, onReadAgain, onOrdered }: BasketProps) {
  const [wanted, setWanted] = useState<ReadonlyMap<string, number>>(new Map());
  const [card, setCard] = useState<string>(cards[0][0]);
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  // One key per basket: pressing again after a lost answer cannot order twice.
  const key = useRef(randomKey());
  const form = useRef<HTMLFormElement>(null);
  useFocusKept(form);
  const total = totalText(products ?? [], wanted);

  const set = (id: string, quantity: number) => {
    const next = new Map(wanted);
    if (quantity > 0) next.set(id, Math.min(quantity, mostOfOne));
    else next.delete(id);
    key.current = randomKey();
    setWanted(next);
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy || wanted.size === 0) return;
    setBusy(true);
    setProblem('');
    const items: Item[] = [...wanted].map(([product_id, quantity]) => ({ product_id, quantity }));
    try {
      await api.orders.create(items, card, key.current);
      key.current = randomKey();
      say(`Ordered${total}.`);
      setWanted(new Map());
      onOrdered();
    } catch (error) {
      setProblem(problemText(error));
      if (error instanceof ParleyError && !isPassing(error.code)) key.current = randomKey();
    }
    setBusy(false);
  };

  return (
    <form ref={form} class="basket" tabIndex={-1} onSubmit={submit}>
      <h2 class="display">What there is</h2>
      {!products && !unread && <p class="quiet">Reading the catalogue…</p>}
      <ul class="products">
        {products?.map((product) => (
          <ProductCard
            key={product.id}
            product={product}
            quantity={wanted.get(product.id) ?? 0}
            onQuantity={(quantity) => set(product.id, quantity)}
          />
        ))}
      </ul>
      {unread && (
        <p class="problem" role="alert">
          {unread}{' '}
          <button type="button" class="link" onClick={onReadAgain}>
            Try again
          </button>
        </p>
      )}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="pay">
        <label class="field">
          <span>Pay with</span>
          <select
            value={card}
            onChange={(event) => {
              key.current = randomKey();
              setCard(event.currentTarget.value);
            }}
            data-testid="card"
          >
            {cards.map(([token, label]) => (
              <option key={token} value={token}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <button type="submit" class="primary" aria-disabled={busy || wanted.size === 0} data-testid="order-create">
          {busy ? 'One moment…' : wanted.size === 0 ? 'Choose something' : `Order${total}`}
        </button>
      </div>
    </form>
  );
}

function ProductCard(props: { product: Product; quantity: number; onQuantity: (quantity: number) => void }) {
  const { product, quantity, onQuantity } = props;
  return (
    <li class="product" data-chosen={quantity > 0} data-testid="product" data-product={product.id}>
      <p class="product-name">{product.name || product.id}</p>
      <p class="quiet">{product.description}</p>
      <p class="price">{product.price && moneyText(product.price)}</p>
      <div class="stepper">
        <button
          type="button"
          class="round"
          aria-disabled={quantity === 0}
          onClick={() => quantity > 0 && onQuantity(quantity - 1)}
          aria-label={`One ${product.name} less`}
          data-testid="less"
        >
          −
        </button>
        <output aria-label={`How many ${product.name}`}>{quantity}</output>
        <button
          type="button"
          class="round"
          aria-disabled={quantity >= mostOfOne}
          onClick={() => onQuantity(quantity + 1)}
          aria-label={`One ${product.name} more`}
          data-testid="more"
        >
          +
        </button>
      </div>
    </li>
  );
}

/** What it will come to, where all prices are in one currency; the server has the last word. */
function totalText(products: readonly Product[], wanted: ReadonlyMap<string, number>): string {
  const chosen = products.filter(({ id, price }) => wanted.has(id) && price);
  const currency = chosen[0]?.price?.currency_code;
  if (!currency || chosen.some(({ price }) => price?.currency_code !== currency)) return '';
  const sum = chosen.reduce((total, { id, price }) => total + BigInt(price!.minor_units) * BigInt(wanted.get(id)!), 0n);
  return ` for ${moneyText({ currency_code: currency, minor_units: String(sum) })}`;
}
