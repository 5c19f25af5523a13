/** Calls of the control API, as JSON. */
import { request } from 'node:http';
import { text } from 'node:stream/consumers';

const DEADLINE_MS = 30_000;

/** The answer; throws when there is none or it is not 2xx. */
export async function callControl(
  socketPath: string,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> {
  const answer = await new Promise<string>((resolve, reject) => {
    const headers = body ? { 'content-type': 'application/json' } : {};
    const sent = request({ socketPath, method, path, headers, timeout: DEADLINE_MS }, (response) => {
      text(response).then((said) => {
        if (response.statusCode! < 300) resolve(said);
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${said}`));
      }, reject);
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer')));
    sent.on('error', (error) => reject(new Error(`${method} ${path}: ${error.message}`)));
    sent.end(body && JSON.stringify(body));
  });
  return JSON.parse(answer);
}
