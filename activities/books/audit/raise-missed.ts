/** Raises an exception for each payment that the chain has and the books have not, with its block and transaction. */

import { AuditFailure } from '../../../auditor/audit-failure.js'
import { openAccounts } from '../../../auditor/evm/open-accounts.js'
import { findMissedDeposits } from '../../../auditor/find-missed-deposits.js'
import type { BlockPoint } from '../../../auditor/utxo/open-chain.js'
import { walkedHeight } from '../../../db/auditor/missing-outputs.js'
import { type NewException, raiseException } from '../../../db/books/exceptions/raise-exception.js'
import { missedCause } from '../../../db/chain/missed-cause.js'
import { inTransaction, type Sql } from '../../../db/connect.js'
import type { Difference } from '../../../domain/books/difference.js'
import { byFamily } from '../../../domain/chain/by-family.js'
import { type EvmNetwork, knownCoin, type Network } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import { surplusOf } from './surplus-of.js'

export interface MissedSearch {
  readonly merchantId: string
  readonly network: Network
  readonly block: BlockPoint
  readonly differences: readonly Difference[]
}

/** Differences that one run follows up. The next run takes the others. */
const MOST = 100

/**
 * Follows up differences in which the chain has more than the books. Each missed payment is one exception, however
 * often it is found.
 *
 * @returns The number of exceptions that are new.
 */
export async function raiseMissed(sql: Sql, search: MissedSearch, signal?: AbortSignal): Promise<number> {
  const { network } = search
  const found: NewException[] = []
  for (const difference of search.differences.filter(isMissing).slice(0, MOST)) {
    signal?.throwIfAborted()
    found.push(
      ...(await byFamily(network, {
        utxo: async () => [await ofOutput(sql, search, difference)],
        evm: (evm) => ofBalance(sql, evm, search, difference, signal),
      })),
    )
  }
  let raised = 0
  for (const exception of found) {
    if ((await inTransaction(sql, (tx) => raiseException(tx, exception))) !== null) raised += 1
  }
  return raised
}

/** Whether the chain has something that the books have not. The opposite is no missed payment. */
function isMissing({ address, coin, outpoint, expected, actual }: Difference): boolean {
  if (address === undefined || coin === null || expected === null) return false
  return outpoint === undefined ? Number(expected) > Number(actual ?? '0') : actual === null
}

async function ofOutput(
  sql: Sql,
  { merchantId, network }: MissedSearch,
  { subject, address, outpoint = '', coin, expected }: Difference,
): Promise<NewException> {
  const height = await walkedHeight(sql, network.name, outpoint)
  const at = height === null ? '' : ` in block ${height}`
  return {
    merchantId,
    kind: 'unattributed',
    detail: 'deposit.missed',
    cause: missedCause(network.name, outpoint),
    subject,
    reason: `The chain paid ${expected} ${coin} to an issued address${at}, and the books have no deposit of it`,
    expected,
    actual: null,
    lasting: true,
    evidence: {
      network: network.name,
      address,
      coin,
      amount: expected,
      outpoint,
      transaction_hash: outpoint.split(':')[0],
      block_number: height,
    },
  }
}

async function ofBalance(
  sql: Sql,
  network: EvmNetwork,
  { merchantId, block }: MissedSearch,
  { subject, address = '', coin: name, expected, actual }: Difference,
  signal: AbortSignal | undefined,
): Promise<NewException[]> {
  const coin = knownCoin(network, name ?? '')
  const at = await openAccounts(network, block, signal ? { signal } : {})
  const base = { merchantId, subject, lasting: true } as const
  const facts = { network: network.name, address, coin: coin.name }
  try {
    const owner = { id: subject.id, merchantId, address }
    const missed = await findMissedDeposits(at, await surplusOf(sql, network.name, owner, coin, block.height))
    if (missed.length > 0) {
      return missed.map(({ height, amount, txids }) => {
        const shown = formatAmount(amount, coin.decimals)
        return {
          ...base,
          kind: 'unattributed',
          detail: 'deposit.missed',
          cause: missedCause(network.name, `${subject.id}:${coin.name}:${height}`),
          reason: `The balance of an issued address rose by ${shown} ${coin.name} in block ${height}, and the books have no deposit of it`,
          expected: shown,
          actual: null,
          evidence: { ...facts, amount: shown, block_number: height, transaction_hashes: txids },
        }
      })
    }
  } catch (error) {
    if (!(error instanceof AuditFailure) || error.code !== 'NODE_WITHOUT_STATE') throw error
  }
  return [
    {
      ...base,
      kind: 'drift',
      detail: 'balance.unexplained',
      cause: missedCause(network.name, `${subject.id}:${coin.name}`),
      reason: `An address holds ${expected} ${coin.name}, and the books explain ${actual}. No block was found in which it rose`,
      expected,
      actual,
      evidence: { ...facts, block_number: block.height, block_hash: block.hash },
    },
  ]
}
