/**
 * Confirms a deposit at its threshold: it is booked as on-chain and reserved, and screening is requested.
 */

import { assertNever } from '../../domain/assert-never.js'
import { findNetwork, type Networks } from '../../domain/chain/network.js'
import { postJournal } from '../books/ledger/post-journal.js'
import { inTransaction, type Sql, type Transaction } from '../connect.js'
import { appendEvents } from '../events/log/append-events.js'
import { balanceEvent } from './balance-event.js'
import { depositJournal } from './deposit-journal.js'
import { type DepositRow, selectDeposits } from './deposit-row.js'
import { depositEvent } from './deposit-view.js'
import { moveDeposit } from './move-deposit.js'
import { saveDeposits } from './save-deposits.js'

export type ConfirmOutcome =
  /** The deposit is in the mempool, or mined and `blocks` short of the threshold. */
  | {
      readonly kind: 'waiting'
      readonly stage: 'detected' | 'unconfirmed'
      readonly blocks: number
      readonly blockTimeSeconds: number
    }
  /** The deposit is booked as reserved. */
  | { readonly kind: 'confirmed' }
  | { readonly kind: 'held' }
  /** The deposit was credited before. */
  | { readonly kind: 'credited' }
  /** Its block left the chain, or a conflicting transaction took its inputs. */
  | { readonly kind: 'gone'; readonly status: 'reverted' | 'replaced' }
  | { readonly kind: 'unknown' }

/**
 * Confirms a deposit if the scanned chain holds its block at or beyond the threshold; otherwise returns what
 * it waits for. Safe to repeat: the row is locked, and the journal's key is the deposit, its epoch and the
 * step.
 */
export async function confirmDeposit(sql: Sql, networks: Networks, id: string): Promise<ConfirmOutcome> {
  return inTransaction(sql, async (tx): Promise<ConfirmOutcome> => {
    // Two statements, so that the second sees the chain as it is once the lock is held.
    const [rows, [chain]] = await Promise.all([lockDeposit(tx, id), readChain(tx, id)])
    const [row] = rows
    if (!row) return { kind: 'unknown' }
    const network = findNetwork(networks, row.network)
    const { blockTimeSeconds } = network
    switch (row.status) {
      case 'detected':
        return { kind: 'waiting', stage: 'detected', blocks: row.required_confirmations, blockTimeSeconds }
      case 'reverted':
      case 'replaced':
        return { kind: 'gone', status: row.status }
      case 'confirmed':
      case 'screening_requested':
        return { kind: 'confirmed' }
      case 'held':
        return { kind: 'held' }
      case 'success':
        return { kind: 'credited' }
      case 'unconfirmed':
        break
      default:
        return assertNever(row.status)
    }
    const height = Number(chain?.height ?? 0n)
    const blocks = Number(row.target_height ?? 0n) - height
    // If the block is not on our chain, keep waiting: the watcher will report the reorg.
    if (!chain?.canonical || row.target_height === null || blocks > 0) {
      return { kind: 'waiting', stage: 'unconfirmed', blocks: Math.max(1, blocks), blockTimeSeconds }
    }

    const { at } = await postJournal(tx, depositJournal(row, 'confirmed'))
    const required = row.required_confirmations
    const confirmed = moveDeposit(row, 'confirmed', at, `${required} confirmations at height ${height}`, {
      confirmed_at: at,
    })
    const screening = moveDeposit(confirmed, 'screening_requested', at, 'Funds reserved; screening')
    const [, balance] = await Promise.all([
      saveDeposits(tx, [screening]),
      balanceEvent(tx, network, screening, { available: 0n, blockchain: row.amount, reserved: row.amount }),
    ])
    await appendEvents(tx, [
      depositEvent(network, confirmed, height, 'unconfirmed'),
      balance,
      depositEvent(network, screening, height, 'confirmed'),
    ])
    return { kind: 'confirmed' }
  })
}

/** Returns the row, locked until the transaction ends. */
export async function lockDeposit(tx: Transaction, id: string): Promise<DepositRow[]> {
  return tx<DepositRow[]>`${selectDeposits(tx)} WHERE deposit.id = ${id} FOR UPDATE OF deposit`
}

async function readChain(tx: Transaction, id: string): Promise<{ height: bigint; canonical: boolean }[]> {
  return tx<{ height: bigint; canonical: boolean }[]>`
    SELECT cursor.height, EXISTS (
      SELECT 1 FROM chain_blocks block
      WHERE block.network = deposit.network AND block.height = deposit.block_number AND block.hash = deposit.block_hash
    ) AS canonical
    FROM deposits deposit JOIN chain_cursors cursor ON cursor.network = deposit.network
    WHERE deposit.id = ${id}`
}
