/** Requests of the page. The header says that they come from it: no form of a stranger can send it. */
export interface Failure {
  readonly ok: false;
  /** As the API names it; `no_answer` when there was none. */
  readonly code: string;
  readonly message: string;
}

export type Answer<T> = { readonly ok: true; readonly value: T } | Failure;

export async function ask<T>(
  path: string,
  options: { readonly method?: string; readonly body?: unknown } = {},
): Promise<Answer<T>> {
  const { method = 'GET', body } = options;
  const headers: Record<string, string> = { 'postrider-page': '1' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  try {
    const answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.text();
    const value: unknown = text === '' ? undefined : JSON.parse(text);
    if (answer.ok) return { ok: true, value: value as T };
    const { error } = value as { error?: { code?: string; message?: string } };
    return { ok: false, code: error?.code ?? '', message: error?.message ?? answer.statusText };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, code: 'no_answer', message };
  }
}
