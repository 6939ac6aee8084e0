/**
 * Records nonces of an account that a transaction of another party used, and raises an exception, because
 * that party signs with its key.
 */

import type { Network } from '../../domain/chain/network.js'
import { appendAudit } from '../audit/append-audit.js'
import { closeCauses } from '../books/exceptions/close-cause.js'
import { raiseExceptions } from '../books/exceptions/raise-exception.js'
import type { Transaction } from '../connect.js'
import type { NewEvent } from '../events/log/append-events.js'

export interface ForeignNonces {
  readonly merchantId: string
  readonly addressId: string
  readonly address: string
  /** Height at which they were first seen. */
  readonly height: number
  /** Account's next nonce on the chain. */
  readonly nonce: number
  /** Number of known uses. */
  readonly explained: number
  /** Number of unknown uses. */
  readonly uses: number
}

/** Records each unknown use once, with an audit entry. @returns The events to append. */
export async function recordForeignNonces(
  tx: Transaction,
  network: Network,
  found: readonly ForeignNonces[],
): Promise<NewEvent[]> {
  const events: NewEvent[] = []
  for (const each of found) {
    const fresh = await tx`
      INSERT INTO foreign_nonces (network, address_id, block_number, uses)
      VALUES (${network.name}, ${each.addressId}, ${each.height}, ${each.uses})
      ON CONFLICT DO NOTHING`
    if (fresh.count === 0) continue
    const facts = {
      message:
        'Nonces of this account were used, and no own transaction explains it, so another party signs with its key. Move what is left, with a new signer',
      network: network.name,
      address: each.address,
      block_number: each.height,
      chain_nonce: each.nonce,
      known_uses: each.explained,
      unexplained_uses: each.uses,
    }
    events.push(
      ...(await raiseExceptions(tx, [
        {
          merchantId: each.merchantId,
          kind: 'foreign_spend',
          detail: 'foreign_nonce',
          cause: causeOf(each.addressId, each.height),
          subject: { type: 'address', id: each.addressId },
          reason: facts.message,
          expected: String(each.explained),
          actual: String(each.nonce),
          evidence: facts,
        },
      ])),
    )
    await appendAudit(tx, {
      merchantId: each.merchantId,
      actor: 'system:chain-watcher',
      action: 'foreign_nonce.found',
      subject: each.addressId,
      data: facts,
    })
  }
  return events
}

/** Deletes what was seen above a fork, and closes its exceptions. What is still there is found again. */
export async function forgetForeignNonces(tx: Transaction, network: string, height: number): Promise<void> {
  const gone = await tx<{ merchant_id: string; address_id: string; block_number: bigint }[]>`
    DELETE FROM foreign_nonces nonce USING addresses address
    WHERE nonce.network = ${network} AND nonce.block_number > ${height} AND address.id = nonce.address_id
    RETURNING address.merchant_id, nonce.address_id, nonce.block_number`
  await closeCauses(
    tx,
    gone.map((row) => ({
      merchantId: row.merchant_id,
      cause: causeOf(row.address_id, Number(row.block_number)),
      evidence: { reverted_above: height },
    })),
  )
}

/** Returns the cause of the exception about an account's nonces. */
function causeOf(addressId: string, height: number): string {
  return `foreign_nonce:${addressId}:${height}`
}
