/** Returns the base of the links that payers and users get. */

import type { Environment } from './load-environment.js'

/** Returns `KEYTURN_PUBLIC_URL`, or the API's own address, without a slash at its end. Never the request's `Host`. */
export function publicUrlOf(environment: Environment): string {
  const { KEYTURN_PUBLIC_URL: url, KEYTURN_API_HOST: host, KEYTURN_API_PORT: port } = environment
  return url ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
