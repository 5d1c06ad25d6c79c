import { type ChatMessage, sequenceOf, type Welcome } from '@parley/client';
import type { Person } from './actions.tsx';
import { Block } from './block.tsx';

interface BlocksProps {
  messages: readonly ChatMessage[];
  me: string;
  removed: ReadonlySet<string>;
  newFrom?: number | undefined;
  welcome?: Welcome | undefined;
  onPerson: (person: Person) => void;
}

const blockSize = 64;

/** Messages in blocks by their sequence: a new one redraws the last block, however many there are. */
export function Blocks({ messages, ...rest }: BlocksProps) {
  const blocks: ChatMessage[][] = [];
  let number = -1;
  for (const message of messages) {
    const its = Math.floor(sequenceOf(message) / blockSize);
    if (its !== number) blocks.push([]);
    number = its;
    blocks.at(-1)!.push(message);
  }
  return (
    <>
      {blocks.map((block, index) => (
        <Block
          key={`${block[0]!.epoch}.${Math.floor(sequenceOf(block[0]!) / blockSize)}`}
          messages={block}
          previous={blocks[index - 1]?.at(-1)}
          {...rest}
        />
      ))}
    </>
  );
}
