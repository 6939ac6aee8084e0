/** Calls the JSON-RPC of a local node. */

import { z } from 'zod'

const answer = z.object({
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string() }).nullish(),
})

/**
 * Calls a node.
 *
 * @param url - The URL of the node, which may carry `user:password@`.
 * @returns The result, unparsed.
 * @throws Error with the node's message, or when the node does not answer within 30 s.
 */
export async function jsonRpc(url: string, method: string, params: readonly unknown[]): Promise<unknown> {
  const { username, password, origin, pathname } = new URL(url)
  const response = await fetch(`${origin}${pathname}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(username
        ? {
            authorization: `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`,
          }
        : {}),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(30_000),
  })
  const text = await response.text()
  if (!text.startsWith('{')) throw new Error(`${method}: HTTP ${response.status} ${text.slice(0, 200)}`)
  const { result, error } = answer.parse(JSON.parse(text))
  if (error) throw new Error(`${method}: ${error.message} (${error.code})`)
  return result
}
