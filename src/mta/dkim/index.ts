export { bodyHash } from './canonical.ts';
export { generateKeyPem, KeyRing, loadKey, publicRecord, type DkimAlgorithm, type DkimKey } from './key.ts';
export { signMessage, signMessageSync, type SignOptions } from './sign.ts';
