/** The name a key has in the snapshot: camelCase, with its unit at the end (`max_message_size` -> `maxMessageBytes`). */
import type * as z from 'zod';
import { leafKinds, unwrap } from './kind.ts';

export function propertyOf(key: string, schema: z.core.$ZodType): string {
  const kind = leafKinds.get(unwrap(schema));
  const camel = key.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
  if (kind?.suffix === 'Bytes') return camel === 'size' ? 'bytes' : `${camel.replace(/Size$/, '')}Bytes`;
  return `${camel}${kind?.suffix ?? ''}`;
}
