/** Fetches over HTTP through the proxy that the environment names. */

import { EnvHttpProxyAgent, fetch, type Response } from 'undici'

/**
 * Fetches a URL. The proxy is that of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, or else npm's own
 * (`npm_config_proxy`, `npm_config_https_proxy`).
 */
export async function fetchThroughProxy(
  url: URL,
  options: { readonly headers?: Record<string, string>; readonly timeoutMs: number },
): Promise<Response> {
  const env = process.env
  const httpProxy = env.http_proxy || env.HTTP_PROXY || env.npm_config_proxy
  const httpsProxy = env.https_proxy || env.HTTPS_PROXY || env.npm_config_https_proxy || env.npm_config_proxy
  const dispatcher = new EnvHttpProxyAgent({
    ...(httpProxy ? { httpProxy } : {}),
    ...(httpsProxy ? { httpsProxy } : {}),
  })
  return fetch(url, {
    dispatcher,
    signal: AbortSignal.timeout(options.timeoutMs),
    ...(options.headers === undefined ? {} : { headers: options.headers }),
  })
}

/** Returns the reason of a failed fetch, which undici keeps in the error's cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error && error.cause.message ? error.cause.message : error.message
}
