/** Answers with a list that may be long: put into JSON in slices, because thousands of rows at once hold up delivery. */
import type { FastifyReply } from 'fastify';
import type { Slices } from './slices.ts';

/** The rest of the answer stands behind the list. */
export interface LongList<T> {
  readonly name: string;
  readonly items: Iterable<T>;
  /** What is shown of an item, made when it is written. */
  readonly view: (item: T) => object;
  /** How many of them between two turns of the event loop. */
  readonly size?: number;
  readonly rest?: object;
}

export async function answerList<T>(
  reply: FastifyReply,
  { name, items, view, size, rest = {} }: LongList<T>,
  slices: Slices,
): Promise<FastifyReply> {
  const texts: string[] = [];
  await slices.each(items, (item) => void texts.push(JSON.stringify(view(item))), size);
  return slices.run(() => {
    const others = JSON.stringify(rest).slice(1);
    const text = `{${JSON.stringify(name)}:[${texts.join(',')}]${others === '}' ? '' : ','}${others}`;
    return reply.type('application/json; charset=utf-8').send(text);
  });
}
