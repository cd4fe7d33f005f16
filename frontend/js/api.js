// The one module that talks to the service: its paths, its token, its errors, its events.

import { parse } from './json.js';
import { events, texts } from './sse.js';

/** Why a request was not answered as wished. `isAway` says that no service answered at all. */
export class Problem extends Error {
  constructor({ status = 0, reason = 'ServiceUnreachable', detail = '', field = null, run = null } = {}) {
    super(detail || reason);
    Object.assign(this, { status, reason, detail, field, run });
  }

  get isAway() {
    return this.reason === 'ServiceUnreachable';
  }
}

/**
 * A client of the service under `base`.
 *
 * `storage` keeps the token for the tab. `wantToken({wasRefused, byReader})` is called when a request needs one, and
 * promises a token to try, or null; `byReader` says that the request is something the reader has just done.
 */
export function createApi({ base, storage, wantToken }) {
  let skew = 0; // milliseconds that the service's clock is ahead of this one

  return {
    /** Milliseconds since 1970, as the service counts them. */
    now: () => Date.now() + skew,

    /** The address of a path, for links. */
    address: (path) => new URL(path, base).href,

    hasToken: () => Boolean(storage.getItem('token')),

    /** What is at a path, and the token of the page that follows it, if one does. */
    async get(path, signal) {
      const response = await send(path, { signal });
      return { body: parse(await response.text()), next: nextOf(response) };
    },

    /** A response whose body is still to be read, such as an export. */
    open: (path) => send(path),

    latestRun: async (signal) => firstOf(await jsonOf(await send('etl/runs?limit=1', { signal }))),
    getRun: async (id, signal) => jsonOf(await send(`etl/runs/${encodeURIComponent(id)}`, { signal })),
    startRun: async () => jsonOf(await send('etl/run', { method: 'POST' })),
    cancelRun: async (id) => void (await send(`etl/runs/${encodeURIComponent(id)}`, { method: 'DELETE' })),
    replay: async (id) =>
      jsonOf(await send(`etl/replay${id ? `?run=${encodeURIComponent(id)}` : ''}`, { method: 'POST' })),

    /** The record of a run, each time it changes, until it has ended. null is a sign of life. */
    async *follow(id, signal) {
      const response = await send(`etl/runs/${encodeURIComponent(id)}/events`, {
        signal,
        headers: { Accept: 'text/event-stream' },
      });
      for await (const data of events(texts(response.body))) yield data === null ? null : parse(data);
    },
  };

  async function send(path, { method = 'GET', headers = {}, signal } = {}) {
    const token = storage.getItem('token');
    const response = await reach(path, {
      method,
      signal,
      headers: { ...headers, ...(token && { Authorization: `Bearer ${token}` }) },
    });
    if (response.status === 401 && (await hasBetterToken(token, method !== 'GET')))
      return send(path, { method, headers, signal });
    if (!response.ok) throw await problemOf(response);
    return response;
  }

  /** Whether there is another token than the one that was refused: given meanwhile, or now. */
  async function hasBetterToken(refused, byReader) {
    if (storage.getItem('token') !== refused) return true;
    const given = await wantToken({ wasRefused: Boolean(refused), byReader });
    if (given) storage.setItem('token', given);
    return Boolean(given);
  }

  async function reach(path, options) {
    try {
      const response = await fetch(new URL(path, base), { ...options, cache: 'no-cache' });
      const date = Date.parse(response.headers.get('Date'));
      // The header counts whole seconds: a smaller difference means nothing.
      if (date) skew = Math.abs(date - Date.now()) > 3000 ? date - Date.now() : 0;
      return response;
    } catch (error) {
      throw options.signal?.aborted ? error : new Problem();
    }
  }
}

/** An answer that is no problem+json comes from something in between, such as a proxy that waits for the service. */
async function problemOf(response) {
  const { status } = response;
  const text = await response.text().catch(() => '');
  const body = response.headers.get('Content-Type')?.includes('json') ? parse(text) : null;
  if (!body)
    return status >= 502 && status <= 504
      ? new Problem({ status })
      : new Problem({ status, reason: 'Unexpected', detail: `HTTP ${status}` });
  return new Problem({ ...body, status, reason: body.reason ?? 'Unexpected', detail: body.detail ?? body.title ?? '' });
}

async function jsonOf(response) {
  return parse(await response.text());
}

function firstOf(list) {
  return list[0] ?? null;
}

function nextOf(response) {
  const next = /<([^>]+)>\s*;[^,]*rel="?next"?/.exec(response.headers.get('Link') ?? '');
  return next ? new URL(next[1], 'http://relative').searchParams.get('after') : null;
}
