/** Requests a whitelist entry: an intent that two people must approve, followed by the cool-down. */

import type { Network } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { Transaction } from '../../connect.js'
import { newId } from '../../new-id.js'
import { appendControlChangeEvent } from '../changes/append-control-change-event.js'
import { insertControlChange } from '../changes/insert-control-change.js'

export interface NewWhitelistEntry {
  readonly merchantId: string
  readonly network: Network
  /** Address in the network's canonical form. */
  readonly address: string
  readonly label: string
  /** Daily limit in whole coins. `null` for none. */
  readonly dailyLimit: string | null
  readonly monthlyLimit: string | null
  readonly initiator: string
  readonly actor: string
  readonly coolDownMs: number
  readonly expiryMs: number
}

/**
 * Stores the entry.
 *
 * @returns The id of the entry (`wla_…`).
 * @throws KeyturnError `INVALID_STATE` if the address has an open or active entry.
 */
export async function createWhitelistEntry(tx: Transaction, entry: NewWhitelistEntry): Promise<string> {
  const { merchantId, network, address, label, dailyLimit, monthlyLimit } = entry
  const id = newId('wla')
  const now = Date.now()
  await insertControlChange(tx, {
    id,
    actor: entry.actor,
    coolDownMs: entry.coolDownMs,
    intent: {
      version: 1,
      kind: 'whitelist',
      merchant: merchantId,
      entry: id,
      network: network.caip2,
      address,
      label,
      daily_limit: dailyLimit,
      monthly_limit: monthlyLimit,
      cool_down_seconds: Math.ceil(entry.coolDownMs / 1_000),
      initiator: entry.initiator,
      created_at: new Date(now).toISOString(),
      expires_at: new Date(now + entry.expiryMs).toISOString(),
    },
  })
  const inserted = await tx`
    INSERT INTO whitelist_entries (id, merchant_id, network, address, label, daily_limit, monthly_limit)
    VALUES (${id}, ${merchantId}, ${network.name}, ${address}, ${label}, ${dailyLimit}, ${monthlyLimit})
    ON CONFLICT (merchant_id, network, address) WHERE closed_at IS NULL DO NOTHING`
  if (inserted.count === 1) {
    await appendControlChangeEvent(tx, { id, merchant_id: merchantId, kind: 'whitelist' }, null)
    return id
  }
  const [known] = await tx<{ id: string }[]>`
    SELECT id FROM whitelist_entries
    WHERE merchant_id = ${merchantId} AND network = ${network.name} AND address = ${address} AND closed_at IS NULL`
  throw new KeyturnError(
    'INVALID_STATE',
    'This address already has an entry. Remove that entry before you request another one',
    { details: { id: known?.id ?? null, address } },
  )
}
