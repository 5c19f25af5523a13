/** Opens what listens: control socket, status, injection. All problems are found before the start is given up. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Logger } from 'pino';
import type { ControlServer, StatusServer } from '../api/index.ts';
import type { Config } from '../config/index.ts';
import {
  createInjectionDoor,
  type InjectionDoor,
  type InjectionRules,
  intakeOf,
  type QueueInjector,
  ReceivingThread,
} from '../mta/ingress/index.ts';
import type { ServerTls } from '../mta/smtp/index.ts';
import type { Queue } from '../queue/index.ts';

export interface DoorsOptions {
  readonly config: Config;
  readonly injector: QueueInjector;
  readonly rules: InjectionRules;
  readonly queue: Queue;
  /** Told when the receiving thread died and another one is started. */
  readonly onReceiverRestart: () => void;
  readonly log: Logger;
  readonly control: ControlServer;
  readonly status: StatusServer;
}

export interface Doors {
  readonly opened: {
    readonly control: ControlServer;
    readonly status: StatusServer;
    readonly smtp: InjectionDoor;
  };
  readonly problems: readonly string[];
}

export async function openDoors({
  config,
  injector,
  rules,
  queue,
  onReceiverRestart,
  log,
  control,
  status,
}: DoorsOptions): Promise<Doors> {
  const problems: string[] = [];
  const smtp = injectionDoor(config, {
    rules,
    intake: intakeOf(injector, queue),
    numbers: queue.numbers,
    stopListInUse: queue.stopList.inUse,
    tls: serverTls(config.smtp.tls),
    offerAuth: config.smtp.auth.length > 0,
    onError: (error, during) =>
      log.error({ err: error, during }, 'a fault of our own in an injection session'),
    onProxyRefused: (refusal) =>
      log.warn(
        refusal,
        'a connection from smtp.proxy_protocol_from was refused: each has to begin with a PROXY protocol header',
      ),
    onRestart: (error) => {
      log.error({ err: error }, 'the receiving thread died: its sessions broke off, another one is started');
      onReceiverRestart();
    },
  });
  const note = (what: string, result: { ok: true } | { ok: false; error: string }): void => {
    if (!result.ok) problems.push(`${what}: ${result.error}`);
  };
  note('control.socket', await control.listenSocket(config.control.socket));
  if (config.control.listen) {
    const { host, port } = config.control.listen;
    note('control.listen', await control.listenTcp(host, port, certificate(config.control.tls)));
  }
  if (config.status.listen) {
    const { host, port } = config.status.listen;
    const { tokenFile } = config.status;
    note(
      'status.listen',
      await status.listenTcp(host, port, tokenFile === null ? undefined : token(tokenFile)),
    );
  }
  for (const { host, port } of config.smtp.listen) note('smtp.listen', await smtp.listen({ host, port }));
  return { opened: { control, status, smtp }, problems };
}

const certificate = ({
  certFile,
  keyFile,
}: Config['control']['tls']): { cert: Buffer; key: Buffer } | undefined =>
  certFile === null || keyFile === null
    ? undefined
    : { cert: readFileSync(certFile), key: readFileSync(keyFile) };

/** In a thread of its own where there is a core to spare for it, unless the configuration says otherwise. */
function injectionDoor(
  { workers, smtp }: Config,
  options: ConstructorParameters<typeof ReceivingThread>[0],
): InjectionDoor {
  const threads = workers === 'auto' ? availableParallelism() - 1 : workers;
  return threads > 1 && smtp.listen.length > 0 ? new ReceivingThread(options) : createInjectionDoor(options);
}

function serverTls({ certFile, keyFile, required }: Config['smtp']['tls']): ServerTls | undefined {
  if (certFile === null || keyFile === null) return undefined;
  return { cert: readFileSync(certFile), key: readFileSync(keyFile), required };
}

const token = (file: string): string => readFileSync(file, 'utf8').trim();
