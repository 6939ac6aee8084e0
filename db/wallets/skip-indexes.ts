/** Skips indexes that may already have been assigned, and watches their addresses. */

import { deriveAddress } from '../../domain/address/derive-address.js'
import { matchKey } from '../../domain/chain/match-key.js'
import type { Network } from '../../domain/chain/network.js'
import { appendAudit } from '../audit/append-audit.js'
import { inTransaction, type Sql } from '../connect.js'
import { appendEvents } from '../events/log/append-events.js'
import { noticeEvent } from '../events/log/notice-event.js'
import { newId } from '../new-id.js'
import type { AddressCounter } from './address-counters.js'

export interface Skip {
  readonly network: Network
  readonly account: Pick<AddressCounter, 'id' | 'merchantId' | 'xpub' | 'path' | 'branch'>
  /** Next index to assign. Nothing happens if the counter is already past it. */
  readonly to: number
  /** Whether a person must be alerted, because users whom this database does not know may have such addresses. */
  readonly suspicious: boolean
  /** Whether this is the skip that follows a start of the database, which happens once. Others follow used addresses. */
  readonly once: boolean
}

/**
 * Raises the counter, which never goes back. Each skipped index becomes an address without a user, so that
 * the platform sees a transfer to it and credits the merchant's own account.
 *
 * @returns How many indexes were skipped.
 */
export async function skipIndexes(sql: Sql, skip: Skip): Promise<number> {
  const { network, account, once } = skip
  return inTransaction(sql, async (tx) => {
    // As in `allocateAddress`, the row is the lock.
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
        // The chain has used some of them, and their blocks were passed.
        paid_before: !once,
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
        noticeEvent({
          merchantId: account.merchantId,
          kind: 'address.indexes_skipped',
          severity: 'medium',
          subject: account.id,
          facts: {
            message:
              'The database was started after a silence, or addresses beyond its counter were paid, so these indexes may already have been assigned. They are not assigned again. Deposits to them are credited to the merchant’s own account',
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
/** Rows of one insert. PostgreSQL takes 65,534 parameters. */
const ROWS = 1_000
