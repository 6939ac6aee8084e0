/** Ends a withdrawal whose time is over before anything of it was signed. */

import { assertNever } from '../../domain/assert-never.js'
import type { Networks } from '../../domain/chain/network.js'
import { inTransaction, type Sql, type Transaction } from '../connect.js'
import { closeUnpaid } from './close-unpaid.js'
import { lockWithdrawal, type PayoutRow } from './payout-row.js'

/** Expires it and releases the hold, unless a signer has its request: then the signer must answer first. */
export async function expireWithdrawal(sql: Sql, networks: Networks, id: string): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    switch (row.stage) {
      case 'requested':
      case 'pending_review':
      case 'pending_approval':
      case 'approved':
      case 'building':
      case 'pending_signature':
        return expireLocked(tx, networks, row)
      case 'signed':
      case 'broadcasting':
      case 'confirming':
      case 'confirmed':
      case 'rejected':
      case 'expired':
      case 'cancelled':
      case 'failed':
      case 'reverted':
        return
      default:
        assertNever(row.stage)
    }
  })
}

/** Does so for a row that the caller has locked, in a stage from which it may expire. */
export async function expireLocked(tx: Transaction, networks: Networks, row: PayoutRow): Promise<void> {
  const waiting = row.waiting ? `; it was waiting: ${row.waiting.message}` : ''
  await closeUnpaid(tx, networks, row, {
    to: 'expired',
    actor: 'system:withdrawal',
    failure: {
      code: 'EXPIRED',
      message: `Nothing was signed until ${row.expires_at.toISOString()}${waiting}`,
    },
  })
}
