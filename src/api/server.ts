/**
 * The control server (Unix socket, optionally TCP with a token) and the status server (monitoring, and the page with
 * what it may do).
 * `close` ends followed streams and batches under way, lets short requests finish and cuts what is left.
 */
import type { FastifyInstance } from 'fastify';
import { err, ok, type Result } from '../core/index.ts';
import { type ApplicationOptions, createApplication } from './application.ts';
import { addAudit } from './audit.ts';
import { addAuditLog, logOperators } from './audit-log.ts';
import { addBatches } from './batches.ts';
import { addBouncePatterns } from './bounce-patterns.ts';
import { addCampaignLimits } from './campaign-limits.ts';
import { addCampaigns } from './campaigns.ts';
import { addContent } from './content.ts';
import { addDeliveries } from './deliveries.ts';
import { ACTIONS, callOf } from './calls.ts';
import type { ApiDependencies, RouteContext } from './dependencies.ts';
import { type AccessToken, guardDoor } from './door.ts';
import { addEvents } from './events.ts';
import { addExplain } from './explain.ts';
import { addHealth } from './health.ts';
import { addMessages, messageBodyLimit } from './messages.ts';
import { addOpenApi } from './openapi.ts';
import { addOperations } from './operations.ts';
import { addNodes } from './nodes.ts';
import { addOverview } from './overview.ts';
import { addSpeeds } from './speeds.ts';
import { addQuarantine } from './quarantine.ts';
import { addQueueReport } from './queue-report.ts';
import { Room } from './room.ts';
import { clearSocketFile, listenProblem, openToGroup } from './socket-file.ts';
import { addReportQuarantine } from './report-quarantine.ts';
import { addReports } from './reports.ts';
import { addStopList } from './stop-list.ts';

const CLOSE_MS = 5_000;

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface ControlServer {
  /** Unix socket of mode 0660. The error is a sentence. */
  listenSocket(path: string): Promise<Result<void, string>>;
  /** Every request needs a token. */
  listenTcp(host: string, port: number, tls?: Tls): Promise<Result<ListenAddress, string>>;
  close(): Promise<void>;
}

/** What is shown to people on the status server; it decides who may see what. */
export interface StatusPage {
  attach(app: FastifyInstance, deps: ApiDependencies, token: string | undefined): void;
}

export interface StatusServer {
  /** Without a token, only what the page shows to everybody, and the routes for monitoring. */
  listenTcp(host: string, port: number, token?: string): Promise<Result<ListenAddress, string>>;
  close(): Promise<void>;
}

type Tls = ApplicationOptions['tls'];

/** `tokens` are known on both doors; the socket needs none. */
export function createControlServer(
  deps: ApiDependencies,
  tokens: readonly AccessToken[] = [],
): ControlServer {
  const closing = new AbortController();
  const applications: FastifyInstance[] = [];
  const room = new Room(deps.roomBytes);
  const create = (required: boolean, tls?: Tls): FastifyInstance => {
    const app = createApplication({
      log: deps.log,
      tls,
      room,
      bodyLimit: (route) => (route === '/v1/messages' ? messageBodyLimit(deps.maxMessageBytes) : undefined),
    });
    guardDoor(app, { tokens, required, clock: deps.clock });
    logOperators(app, deps, callOf);
    const context = { deps, closing: closing.signal };
    addControlRoutes(app, context);
    applications.push(app);
    return app;
  };
  return {
    listenSocket: (path) => listenOnSocket(() => create(false), path),
    listenTcp: (host, port, tls) => listenOnTcp(create(true, tls), host, port),
    close: async () => {
      closing.abort();
      await Promise.all(applications.map(closeApplication));
    },
  };
}

export function addControlRoutes(app: FastifyInstance, context: RouteContext): void {
  for (const add of [
    addMessages,
    addBatches,
    addDeliveries,
    addContent,
    addQueueReport,
    addCampaigns,
    addCampaignLimits,
    addBouncePatterns,
    addOperations,
    addQuarantine,
    addEvents,
    addReports,
    addReportQuarantine,
    addStopList,
    addOverview,
    addSpeeds,
    addAudit,
    addNodes,
    addExplain,
    addHealth,
    addOpenApi,
  ])
    add(app, context);
  addAuditLog(app, context, ACTIONS);
}

/** Monitoring, the page, and for those who have signed in the routes that the page asks. */
export function createStatusServer(deps: ApiDependencies, page: StatusPage): StatusServer {
  const closing = new AbortController();
  const applications: FastifyInstance[] = [];
  return {
    listenTcp: (host, port, token) => {
      const app = createApplication({ log: deps.log });
      page.attach(app, deps, token);
      logOperators(app, deps, callOf);
      const context = { deps, closing: closing.signal };
      for (const add of [
        addDeliveries,
        addQueueReport,
        addCampaigns,
        addOperations,
        addEvents,
        addOverview,
        addNodes,
        addHealth,
      ])
        add(app, context);
      applications.push(app);
      return listenOnTcp(app, host, port);
    },
    close: async () => {
      closing.abort();
      await Promise.all(applications.map(closeApplication));
    },
  };
}

async function listenOnSocket(create: () => FastifyInstance, path: string): Promise<Result<void, string>> {
  const free = await clearSocketFile(path);
  if (!free.ok) return free;
  try {
    await create().listen({ path });
    await openToGroup(path);
    return ok(undefined);
  } catch (error) {
    return err(listenProblem(error, path));
  }
}

async function listenOnTcp(
  app: FastifyInstance,
  host: string,
  port: number,
): Promise<Result<ListenAddress, string>> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    return err(listenProblem(error, `${host.includes(':') ? `[${host}]` : host}:${port}`));
  }
  const address = app.server.address();
  return ok(
    typeof address === 'object' && address ? { host: address.address, port: address.port } : { host, port },
  );
}

async function closeApplication(app: FastifyInstance): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), CLOSE_MS);
  await app.close();
  clearTimeout(cut);
}
