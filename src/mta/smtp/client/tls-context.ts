/**
 * TLS settings per mode. A secure context costs milliseconds (it loads the root certificates), so each is made once.
 * Without verification the weakest cipher still beats clear text (RFC 7435), so old protocols are allowed there;
 * with it, nothing below TLS 1.2 (RFC 8996).
 */
import net from 'node:net';
import tls from 'node:tls';

const verifying = new Map<string, tls.SecureContext>();
let unverified: tls.SecureContext | undefined;

function unverifiedContext(): tls.SecureContext {
  unverified ??= tls.createSecureContext({
    minVersion: 'TLSv1',
    ciphers: `${tls.DEFAULT_CIPHERS}:@SECLEVEL=0`,
  });
  return unverified;
}

function verifyingContext(ca: string | undefined): tls.SecureContext {
  const key = ca ?? '';
  const known = verifying.get(key);
  if (known !== undefined) return known;
  const context = tls.createSecureContext({ minVersion: 'TLSv1.2', ...(ca !== undefined && { ca }) });
  verifying.set(key, context);
  return context;
}

/** Options of the handshake with `host`; `verify` makes a certificate that does not fit an error. */
export function tlsOptions(host: string, verify: boolean, ca: string | undefined): tls.ConnectionOptions {
  return {
    // RFC 6066 §3: no IP addresses in SNI.
    ...(net.isIP(host) === 0 ? { servername: host } : { host }),
    secureContext: verify ? verifyingContext(ca) : unverifiedContext(),
    rejectUnauthorized: verify,
  };
}
