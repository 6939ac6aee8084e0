/** Creates a replay of events to an endpoint. */

import { KeyturnError } from '../../../domain/errors.js'
import type { ReplayMode } from '../../../domain/events/replay.js'
import type { Transaction } from '../../connect.js'
import { newId } from '../../new-id.js'
import type { EndpointRow } from '../webhooks/endpoint-row.js'
import { countMatches } from './count-matches.js'
import { findReplay } from './find-replay.js'
import type { ReplayRow } from './replay-row.js'
import { storeCount } from './store-count.js'

export interface NewReplay {
  readonly mode: ReplayMode
  /** Beginning of the window, inclusive. */
  readonly since: Date
  /** End of the window, exclusive. `null` for the present time. */
  readonly until: Date | null
  /** Types to replay, of those that the endpoint subscribes to. `null` for all of these. */
  readonly eventTypes: readonly string[] | null
  readonly dryRun: boolean
  readonly rate: number | null
}

/** Replays of a merchant that may run at once, because each keeps a worker and the database busy. */
const MOST_RUNNING = 10
/** Time that the answer to a request may wait for the count. The workflow counts a larger window. */
const COUNT_MS = 2_000

export interface CreatedReplay {
  readonly replay: ReplayRow
  /** Deliveries that it makes pending: the matches that are not about to be sent already. */
  readonly renewed: number
}

/**
 * Inserts a replay of an active endpoint. One that has nothing to send, or is a dry run, completes at once if
 * its window can be counted quickly. Events that come later than now belong to no replay.
 *
 * @throws KeyturnError `INVALID_STATE` if too many replays of the merchant run.
 */
export async function createReplay(
  tx: Transaction,
  endpoint: EndpointRow,
  wanted: NewReplay,
  countMs = COUNT_MS,
): Promise<CreatedReplay> {
  // The lock lets the second of two concurrent requests count the first.
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`webhook replays of ${endpoint.merchant_id}`}, 0))`
  const [running] = await tx<{ count: number }[]>`
    SELECT count(*)::int FROM webhook_replays
    WHERE merchant_id = ${endpoint.merchant_id} AND status = 'running'`
  if ((running?.count ?? 0) >= MOST_RUNNING) {
    throw new KeyturnError(
      'INVALID_STATE',
      `${MOST_RUNNING} of your replays are running. Wait for one to complete, or cancel one`,
      { details: { limit: MOST_RUNNING } },
    )
  }
  const id = newId('whr')
  const types = commonTypes(endpoint.event_types, wanted.eventTypes)
  await tx`
    INSERT INTO webhook_replays (id, merchant_id, endpoint_id, mode, since, until, event_types, dry_run, rate, status, counted)
    VALUES (${id}, ${endpoint.merchant_id}, ${endpoint.id}, ${wanted.mode}, ${wanted.since},
            greatest(${wanted.since}::timestamptz, least(${wanted.until}::timestamptz, clock_timestamp())), ${types},
            ${wanted.dryRun}, ${wanted.rate}, 'running', false)`
  const deadline = Date.now() + countMs
  const { matched, renewed, complete } = await countMatches(tx, id, () => Date.now() < deadline)
  if (complete) await storeCount(tx, id, matched)
  const replay = await findReplay(tx, endpoint.merchant_id, endpoint.id, id)
  if (!replay) throw new Error('The replay was not inserted')
  return { replay, renewed }
}

/** Returns the types in both lists. `null` for all. */
function commonTypes(own: readonly string[] | null, asked: readonly string[] | null): string[] | null {
  const all = (types: readonly string[] | null): types is null => types === null || types.includes('*')
  if (all(asked)) return all(own) ? null : [...(own as readonly string[])]
  return (asked as readonly string[]).filter((type) => all(own) || (own as readonly string[]).includes(type))
}
