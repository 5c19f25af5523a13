/**
 * A throw-away self-signed certificate (ECDSA P-256), so that a test bed can speak TLS without files. Node has no call
 * for it, so the few DER structures of RFC 5280 are put together here. Never for a listener that others can reach.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import { systemClock } from '../core/index.ts';

export interface CertificateOptions {
  /** Host names and IPv4 addresses; the first is the common name. */
  readonly names: readonly string[];
  readonly validMs?: number;
}

export interface CertificatePair {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_ID = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const SEQUENCE = 0x30;
const SET = 0x31;

const ECDSA_WITH_SHA256 = '2a8648ce3d040302';
const COMMON_NAME = '550403';
const SUBJECT_ALT_NAME = '551d11';
const BASIC_CONSTRAINTS = '551d13';

const DAY_MS = 86_400_000;

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const digits = length.subarray(length.findIndex((byte) => byte > 0));
  return Buffer.concat([Buffer.from([tag, 0x80 | digits.length]), digits, body]);
}

const objectId = (hex: string): Buffer => der(OBJECT_ID, Buffer.from(hex, 'hex'));
const algorithm = (): Buffer => der(SEQUENCE, objectId(ECDSA_WITH_SHA256));
const nameOf = (text: string): Buffer =>
  der(SEQUENCE, der(SET, der(SEQUENCE, objectId(COMMON_NAME), der(UTF8_STRING, Buffer.from(text)))));

/** `YYMMDDhhmmssZ`. */
const utcTime = (ms: number): Buffer =>
  der(UTC_TIME, Buffer.from(`${new Date(ms).toISOString().slice(2, 19).replaceAll(/[-:T]/g, '')}Z`));

const extension = (id: string, value: Buffer): Buffer =>
  der(SEQUENCE, objectId(id), der(OCTET_STRING, value));

/** RFC 5280 §4.2.1.6: [2] a DNS name, [7] the bytes of an address. */
function alternativeNames(names: readonly string[]): Buffer {
  const entries = names.map((name) =>
    isIP(name) === 4 ? der(0x87, Buffer.from(name.split('.').map(Number))) : der(0x82, Buffer.from(name)),
  );
  return extension(SUBJECT_ALT_NAME, der(SEQUENCE, ...entries));
}

function serialNumber(): Buffer {
  const serial = randomBytes(8);
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  return der(INTEGER, serial);
}

export function makeCertificate(options: CertificateOptions): CertificatePair {
  const { names, validMs = 30 * DAY_MS } = options;
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const nowMs = systemClock.now();
  const name = nameOf(names[0] ?? 'localhost');
  const isAuthority = extension(BASIC_CONSTRAINTS, der(SEQUENCE, Buffer.from([0x01, 0x01, 0xff])));
  const body = der(
    SEQUENCE,
    der(0xa0, der(INTEGER, Buffer.from([2]))),
    serialNumber(),
    algorithm(),
    name,
    der(SEQUENCE, utcTime(nowMs - DAY_MS), utcTime(nowMs + validMs)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(SEQUENCE, alternativeNames(names), isAuthority)),
  );
  const signature = sign('sha256', body, privateKey);
  const certificate = der(SEQUENCE, body, algorithm(), der(BIT_STRING, Buffer.from([0]), signature));
  const base64 = certificate.toString('base64').replaceAll(/(.{64})(?!$)/g, '$1\n');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
