/** Claims the nonces of concurrent requests together, in one statement. A nonce is good once. */

import type { Sql } from '../connect.js'

/** Most claims in one statement. More bring no further gain. */
const MAX_BATCH = 500

interface Claim {
  readonly apiKeyId: string
  readonly nonce: string
  readonly expiresAt: Date
  readonly resolve: (fresh: boolean) => void
  readonly reject: (error: unknown) => void
}

/** Claims a nonce until `expiresAt`. Returns `false` if it was used before with this key. */
export type ClaimNonce = (apiKeyId: string, nonce: string, expiresAt: Date) => Promise<boolean>

/**
 * Creates the claiming function of a process. Requests that arrive while a statement is under way share the
 * next one, so the batch grows with the load and an idle server does not wait.
 */
export function createNonceClaims(sql: Sql): ClaimNonce {
  const waiting: Claim[] = []
  let running = false

  async function run(): Promise<void> {
    running = true
    // Requests of the same turn of the event loop share the first batch.
    await new Promise((resolve) => setImmediate(resolve))
    while (waiting.length > 0) {
      const batch = waiting.splice(0, MAX_BATCH)
      try {
        await claimBatch(sql, batch)
      } catch (error) {
        for (const claim of batch) claim.reject(error)
      }
    }
    running = false
  }

  return (apiKeyId, nonce, expiresAt) =>
    new Promise((resolve, reject) => {
      waiting.push({ apiKeyId, nonce, expiresAt, resolve, reject })
      if (!running) void run()
    })
}

async function claimBatch(sql: Sql, batch: readonly Claim[]): Promise<void> {
  const first = new Map<string, Claim>()
  const again: Claim[] = []
  for (const claim of batch) {
    const id = `${claim.apiKeyId}\n${claim.nonce}`
    if (first.has(id)) again.push(claim)
    else first.set(id, claim)
  }
  // Sort the rows: two processes that insert the same rows in different orders would deadlock.
  const rows = [...first].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, claim]) => claim)
  const inserted = await sql<{ id: string }[]>`
    INSERT INTO api_nonces (api_key_id, nonce, expires_at)
    SELECT * FROM unnest(${rows.map((each) => each.apiKeyId)}::text[], ${rows.map((each) => each.nonce)}::text[],
                         ${rows.map((each) => each.expiresAt.toISOString())}::timestamptz[])
    ON CONFLICT DO NOTHING
    RETURNING api_key_id || chr(10) || nonce AS id`
  if (inserted.length === rows.length) {
    for (const claim of rows) claim.resolve(true)
  } else {
    const fresh = new Set(inserted.map((row) => row.id))
    for (const claim of rows) claim.resolve(fresh.has(`${claim.apiKeyId}\n${claim.nonce}`))
  }
  for (const claim of again) claim.resolve(false)
}
