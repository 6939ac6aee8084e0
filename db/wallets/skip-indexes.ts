/** Leaves out indexes that may have been given out already, and watches them from now on. */

import { deriveAddress } from '../../domain/address/derive-address.js'
import { matchKey } from '../../domain/chain/match-key.js'
import type { Network } from '../../domain/chain/network.js'
import { appendAudit } from '../audit/append-audit.js'
import { inTransaction, type Sql } from '../connect.js'
import { appendEvents } from '../events/log/append-events.js'
import { exceptionEvent } from '../events/log/raise-exception.js'
import { newId } from '../new-id.js'
import type { AddressCounter } from './address-counters.js'

export interface Skip {
  readonly network: Network
  readonly account: Pick<AddressCounter, 'id' | 'merchantId' | 'xpub' | 'path' | 'branch'>
  /** The next index to be given out; where the counter is past it, nothing happens. */
  readonly to: number
  /** Whether a person must be told: addresses may be in the hands of users whom this database does not know. */
  readonly suspicious: boolean
  /** Whether this is the move that each start of the database asks for, which happens once. */
  readonly once: boolean
}

/**
 * Raises the counter; it never goes back. Each index in between becomes an address without a user, so that what is paid to it
 * is a deposit of the merchant's own account instead of nothing.
 *
 * @returns How many were left out.
 */
export async function skipIndexes(sql: Sql, skip: Skip): Promise<number> {
  const { network, account, once } = skip
  return inTransaction(sql, async (tx) => {
    // As `allocateAddress`: the row is the lock.
    const [row] = await tx<{ next_index: number; moved: boolean }[]>`
      SELECT next_index, counter_moved IS NOT DISTINCT FROM database_incarnation() AS moved
      FROM key_accounts WHERE id = ${account.id} FOR UPDATE`
    if (!row || (once && row.moved)) return 0
    const from = row.next_index
    const to = Math.max(from, skip.to)
    await tx`
      UPDATE key_accounts SET next_index = ${to}, counter_moved = CASE WHEN ${once} THEN database_incarnation() ELSE counter_moved END
      WHERE id = ${account.id}`
    if (to === from) return 0
    const addresses = Array.from({ length: to - from }, (_, offset) => {
      const index = from + offset
      const derived = deriveAddress({ network, xpub: account.xpub, branch: account.branch, index })
      return {
        id: newId('addr'),
        merchant_id: account.merchantId,
        network: network.name,
        kind: 'deposit',
        label: LABEL,
        address: derived.address,
        payee: Buffer.from(derived.payee, 'hex'),
        match_key: matchKey(derived.payee),
        key_account_id: account.id,
        branch: account.branch,
        index,
        derivation_path: `${account.path}/${derived.pathSuffix}`,
      }
    })
    for (let start = 0; start < addresses.length; start += ROWS) {
      await tx`INSERT INTO addresses ${tx(addresses.slice(start, start + ROWS))} ON CONFLICT DO NOTHING`
    }
    await appendAudit(tx, {
      merchantId: account.merchantId,
      actor: 'system:chain',
      action: 'address.indexes_skipped',
      subject: account.id,
      data: { network: network.name, from_index: from, to_index: to - 1 },
    })
    if (skip.suspicious) {
      await appendEvents(tx, [
        exceptionEvent({
          merchantId: account.merchantId,
          kind: 'address.indexes_skipped',
          severity: 'warning',
          subject: account.id,
          facts: {
            message:
              'The database was started again after a silence, or addresses beyond its counter were paid: these indexes may have been given out already. They are not given out again; what is paid to them is credited to the merchant’s own account',
            network: network.name,
            from_index: from,
            to_index: to - 1,
          },
        }),
      ])
    }
    return to - from
  })
}

const LABEL = 'skipped: may have been given out before a restore'
/** PostgreSQL takes 65,534 parameters. */
const ROWS = 1_000
