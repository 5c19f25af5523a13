/** The control API of a configuration. */
import type { Rate } from '../core/index.ts';

export interface ControlConfig {
  readonly socket: string;
  readonly listen: { readonly host: string; readonly port: number } | null;
  readonly tokenFile: string | null;
  readonly tokens: readonly TokenConfig[];
  readonly tls: { readonly certFile: string | null; readonly keyFile: string | null };
}

export interface TokenConfig {
  readonly name: string;
  readonly secretFile: string;
  readonly scopes: readonly ('inject' | 'read' | 'operate' | 'admin')[];
  readonly accounts: readonly string[];
  readonly senders: readonly string[];
  readonly rate: Rate | null;
}
