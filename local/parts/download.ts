/** Downloads a file, and shows how far it is. */

import { fetchThroughProxy, reasonOf } from './fetch-through-proxy.js'
import type { Say } from './say.js'

const TIMEOUT_MS = 300_000
const PROGRESS_MS = 5_000
/** Limit of a file, above which the answer is not the file. */
const MAX_BYTES = 400 * 2 ** 20

/** A transfer that broke off, so another attempt may succeed. */
class BrokenOff extends Error {}

/** Downloads a file, and shows progress that names the part. A transfer that breaks off is tried once more. */
export async function download(
  title: string,
  url: URL,
  authorization: string | null,
  say: Say,
): Promise<Buffer> {
  try {
    return await downloadOnce(title, url, authorization, say)
  } catch (error) {
    if (!(error instanceof BrokenOff)) throw error
    say(`${title}: the download broke off (${error.message}); trying it again`)
    return downloadOnce(title, url, authorization, say)
  }
}

async function downloadOnce(
  title: string,
  url: URL,
  authorization: string | null,
  say: Say,
): Promise<Buffer> {
  const response = await fetchThroughProxy(url, {
    ...(authorization === null ? {} : { headers: { authorization } }),
    timeoutMs: TIMEOUT_MS,
  })
  if (!response.ok) throw new Error(`${url.host} answered HTTP ${response.status}`)
  const total = Number(response.headers.get('content-length') ?? 0)
  const chunks: Uint8Array[] = []
  let bytes = 0
  let shown = Date.now()
  try {
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > MAX_BYTES) break
      if (Date.now() - shown < PROGRESS_MS) continue
      shown = Date.now()
      say(`${title}: ${megabytes(bytes)}${total > 0 ? ` of ${megabytes(total)}` : ''} MB downloaded`)
    }
  } catch (error) {
    throw new BrokenOff(reasonOf(error), { cause: error })
  }
  if (bytes > MAX_BYTES) throw new Error(`${url.host} sent more than ${megabytes(MAX_BYTES)} MB`)
  return Buffer.concat(chunks)
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}
