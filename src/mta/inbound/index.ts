export { createInboundServer, type ListenerOptions } from './listener.ts';
export { ParsePool, type ParsePoolOptions } from './parse-pool.ts';
export { InboundReader, type ReaderOptions } from './reader.ts';
