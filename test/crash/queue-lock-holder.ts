/** Takes the lock of the directory it is given, prints how that went and holds it until its input ends. */
import { once } from 'node:events';
import { lockInstance } from '../../src/queue/index.ts';

const result = await lockInstance(process.argv[2]!);
console.log(JSON.stringify(result.ok ? { ok: true } : result));
process.stdin.resume();
await once(process.stdin, 'end');
if (result.ok) await result.value.release();
